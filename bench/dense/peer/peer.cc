// A peer of kernels/dense: y = relu(x·W + b) by OpenBLAS, BLIS or oneDNN, on one
// thread. Its parent starts it and asks on standard input, a line for each
// turn: M K N SECONDS. The answer is a line of four speeds in GFLOP/s: best and
// median window of the whole layer, best and median of the product alone.
//
// The BLAS libraries know no bias and no activation: they get y filled with the
// bias to add to, and a pass over y follows. oneDNN has both fused, and W in the
// order that it asks for; for it the product alone is the layer without them.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <dlfcn.h>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include <oneapi/dnnl/dnnl.hpp>

using sgemm_t = void(int order, int transA, int transB, int m, int n, int k, float alpha, const float *a, int lda,
                     const float *b, int ldb, float beta, float *c, int ldc);

// Time of this process alone: on a shared machine, others' time does not count.
static double now() {
    timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

struct speeds {
    double best, median;
};

// Windows of a millisecond or a call, whichever is longer, for so many seconds.
static speeds measure(double flops, double seconds, const std::function<void()> &call) {
    call();
    double start = now();
    call();
    int calls = std::max(1, int(1e-3 / std::max(now() - start, 1e-8)));
    std::vector<double> windows;
    for (double spent = 0; spent < seconds || windows.size() < 5;) {
        start = now();
        for (int i = 0; i < calls; i++) call();
        double t = now() - start;
        spent += t;
        windows.push_back(t / calls);
    }
    std::sort(windows.begin(), windows.end());
    return {1e-9 * flops / windows.front(), 1e-9 * flops / windows[windows.size() / 2]};
}

static std::vector<float> random_floats(size_t n) {
    std::vector<float> v(n);
    for (float &f : v) f = float(drand48()) - 0.5f;
    return v;
}

struct layer {
    int m, k, n;
    std::vector<float> x, w, b, y;
    layer(int m, int k, int n)
        : m(m), k(k), n(n), x(random_floats(size_t(m) * k)), w(random_floats(size_t(k) * n)), b(random_floats(n)),
          y(size_t(m) * n) {}
};

static void by_blas(sgemm_t *sgemm, layer &l, double seconds, speeds &whole, speeds &product) {
    const int row_major = 101, as_is = 111;
    double flops = 2.0 * l.m * l.k * l.n;
    auto multiply = [&](float beta) {
        sgemm(row_major, as_is, as_is, l.m, l.n, l.k, 1, l.x.data(), l.k, l.w.data(), l.n, beta, l.y.data(), l.n);
    };
    whole = measure(flops, seconds, [&] {
        for (int i = 0; i < l.m; i++) memcpy(&l.y[size_t(i) * l.n], l.b.data(), l.n * sizeof(float));
        multiply(1);
        for (float &f : l.y) f = f > 0 ? f : 0;
    });
    product = measure(flops, seconds, [&] { multiply(0); });
}

static speeds by_onednn_as(layer &l, double seconds, bool whole) {
    using namespace dnnl;
    static engine cpu(engine::kind::cpu, 0);
    static stream order(cpu);
    auto plain = [](memory::dims d) { return memory::desc(d, memory::data_type::f32, memory::format_tag::ab); };
    memory::desc x({l.m, l.k}, memory::data_type::f32, memory::format_tag::ab), y = plain({l.m, l.n}),
        any({l.k, l.n}, memory::data_type::f32, memory::format_tag::any), bias = plain({1, l.n});
    primitive_attr attributes;
    if (whole) {
        post_ops relu;
        relu.append_eltwise(1, algorithm::eltwise_relu, 0, 0);
        attributes.set_post_ops(relu);
    }
    matmul::primitive_desc chosen(whole ? matmul::desc(x, any, bias, y) : matmul::desc(x, any, y), attributes, cpu);
    memory given(plain({l.k, l.n}), cpu, l.w.data()), packed(chosen.weights_desc(), cpu);
    reorder(given, packed).execute(order, given, packed);
    std::unordered_map<int, memory> arguments{{DNNL_ARG_SRC, memory(x, cpu, l.x.data())},
                                              {DNNL_ARG_WEIGHTS, packed},
                                              {DNNL_ARG_DST, memory(y, cpu, l.y.data())}};
    if (whole) arguments.insert({DNNL_ARG_BIAS, memory(bias, cpu, l.b.data())});
    matmul multiply(chosen);
    return measure(2.0 * l.m * l.k * l.n, seconds, [&] {
        multiply.execute(order, arguments);
        order.wait();
    });
}

int main(int argc, char **argv) {
    std::string library = argc > 1 ? argv[1] : "";
    sgemm_t *sgemm = nullptr;
    if (library != "onednn") {
        void *handle = dlopen(library == "openblas" ? "libopenblas.so.0" : "libblis.so.4", RTLD_NOW);
        if (!handle) {
            fprintf(stderr, "%s: %s\n", argv[0], dlerror());
            return 1;
        }
        sgemm = reinterpret_cast<sgemm_t *>(dlsym(handle, "cblas_sgemm"));
    }
    int m, k, n;
    double seconds;
    while (scanf("%d %d %d %lf", &m, &k, &n, &seconds) == 4) {
        layer l(m, k, n);
        speeds whole, product;
        if (sgemm)
            by_blas(sgemm, l, seconds, whole, product);
        else
            whole = by_onednn_as(l, seconds, true), product = by_onednn_as(l, seconds, false);
        printf("%g %g %g %g\n", whole.best, whole.median, product.best, product.median);
        fflush(stdout);
    }
}
