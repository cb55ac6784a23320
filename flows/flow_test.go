package flows

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/internal/nn"
	"github.com/eidolon-hep/eidolon/kernels/dense"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/training"
)

func normals(n int, seed uint64) []float32 {
	x := make([]float32, n)
	philox.Normal(x, seed, 0, 0)
	return x
}

// randomFlow returns a flow whose parameters, unlike those of a new one, are far
// from the identity.
func randomFlow(t *testing.T, dim, context int, layers ...Layer) *Flow {
	t.Helper()
	f, err := New(dim, context, 1, layers...)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range normals(len(f.params.Value), 2) {
		f.params.Value[i] += 0.3 * v
	}
	f.Update()
	return f
}

// cases are flows of all kinds, with the odd sizes that have broken others.
func cases(t *testing.T) map[string]*Flow {
	flows := map[string]*Flow{}
	for _, dim := range []int{1, 2, 3, 7} {
		for _, context := range []int{0, 2} {
			for _, act := range []dense.Activation{dense.ReLU, dense.Tanh} {
				layers := RealNVP(dim, 1, RealNVPOptions{Layers: 4, Hidden: []int{8, 9}, Activation: act})
				flows[fmt.Sprintf("RealNVP D=%d C=%d %v", dim, context, act)] = randomFlow(t, dim, context, layers...)
			}
		}
	}
	tanh := Conditioner{Hidden: []int{8}, Activation: dense.Tanh}
	for _, dim := range []int{1, 2, 5} {
		for _, context := range []int{0, 2} {
			flows[fmt.Sprintf("lecture D=%d C=%d", dim, context)] = randomFlow(t, dim, context,
				LectureRealNVP(dim, RealNVPOptions{Layers: 3, Hidden: []int{6}, Activation: dense.Tanh})...)
		}
	}
	flows["separate"] = randomFlow(t, 3, 1, AffineCoupling{Keep: []int{1}, Separate: true, Conditioner: Conditioner{Hidden: []int{5}, Activation: dense.SiLU, Cells: 3}})
	flows["keeps all"] = randomFlow(t, 2, 0, AffineCoupling{Keep: []int{0, 1}, Conditioner: tanh})
	flows["no layer"] = randomFlow(t, 3, 0)
	flows["no hidden layer"] = randomFlow(t, 3, 1, AffineCoupling{Keep: []int{1}})
	for _, dim := range []int{1, 2, 5} {
		for _, context := range []int{0, 2} {
			flows[fmt.Sprintf("spline D=%d C=%d", dim, context)] = randomFlow(t, dim, context,
				Spline(dim, 1, SplineOptions{Layers: 4, Hidden: []int{8}, Activation: dense.Tanh, Bins: 5, Bound: 3})...)
		}
	}
	for _, act := range []dense.Activation{dense.ReLU, dense.SiLU} {
		flows[fmt.Sprintf("residual %v", act)] = randomFlow(t, 4, 1,
			RealNVP(4, 1, RealNVPOptions{Layers: 2, Hidden: []int{8, 8}, Activation: act, Residual: true, Dropout: 0.2})...)
	}
	for _, dim := range []int{1, 2, 4} {
		for _, context := range []int{0, 3} {
			var tabled []int
			if context > 0 {
				tabled = []int{2, 0}
			}
			flows[fmt.Sprintf("autoregressive D=%d C=%d", dim, context)] = randomFlow(t, dim, context,
				Autoregressive(dim, AutoregressiveOptions{Layers: 1 + 2/dim, Hidden: []int{8}, Activation: dense.Tanh, Bins: 5, Bound: 3, Cells: 3, Tabled: tabled})...)
		}
	}
	flows["residual with tables"] = randomFlow(t, 2, 1,
		Autoregressive(2, AutoregressiveOptions{Hidden: []int{8, 8}, Activation: dense.SiLU, Residual: true, Bins: 5, Bound: 3, Cells: 2, Standard: true})...)
	flows["tables without a hidden layer"] = randomFlow(t, 3, 1, AffineCoupling{Keep: []int{0, 1}, Ignore: []int{0}, Conditioner: Conditioner{Cells: 4}})
	flows["linear"] = randomFlow(t, 4, 0, Linear{}, Linear{[]int{2, 0, 3, 1}})
	flows["mixture"] = randomFlow(t, 3, 0, Linear{}, Mixture{4})
	flows["mixture D=1 C=2"] = randomFlow(t, 1, 2, Spline(1, 1, SplineOptions{Layers: 2, Hidden: []int{8}, Activation: dense.Tanh, Bins: 5, Bound: 3, Components: 3})...)
	flows["context-affine"] = randomFlow(t, 3, 2, ContextAffine{}, Mixture{2})
	flows["actnorm"] = randomFlow(t, 3, 0, ActNorm{}, ActNorm{})
	return flows
}

// reference maps one row to noise in float64, with the given parameters, and returns
// the log-density of that in the base distribution, too.
func reference(f *Flow, params, x, c []float64) (z []float64, logDet, logBase float64) {
	z = slices.Clone(x)
	tensors := f.params.List
	next := func() []float64 {
		t := tensors[0]
		tensors = tensors[1:]
		return params[t.Offset : t.Offset+t.Len()]
	}
	for i, b := range f.bijections {
		switch b := b.(type) {
		case *couplingLayer:
			var h []float64
			for _, k := range b.read {
				h = append(h, z[k])
			}
			for _, k := range b.from {
				h = append(h, c[k])
			}
			var p []float64
			for range b.networks {
				// Tables come behind the network.
				var tables []float64
				if b.tabled() > 0 {
					last := slices.IndexFunc(tensors, func(t nn.Param) bool { return strings.HasSuffix(t.Name, ".tables") })
					t := tensors[last]
					tables = params[t.Offset : t.Offset+t.Len()]
					tensors = slices.Delete(slices.Clone(tensors), last, last+1)
				}
				p = append(p, perceptron(h, b.Conditioner, tables, b.tabled(), next)...)
			}
			for j, k := range b.change {
				switch l := f.layers[i].(type) {
				case AffineCoupling:
					s := p[j]
					if l.Bound != Unbounded {
						bound := float64(b.transform.(affine).bound)
						s = bound * math.Tanh(s/bound)
					}
					z[k] = z[k]*math.Exp(s) + p[len(b.change)+j]
					logDet += s
				case SplineCoupling:
					y, slope := rationalQuadraticSpline(z[k], p[j*b.outputs:(j+1)*b.outputs], l.Bins, float64(l.Bound))
					z[k] = y
					logDet += math.Log(slope)
				}
			}
		case *contextAffine:
			weight, bias := next(), next()
			n := len(z)
			for k := range z {
				r, mean := bias[k], bias[n+k]
				for j, v := range c {
					r += weight[j*2*n+k] * v
					mean += weight[j*2*n+n+k] * v
				}
				s := 2 * math.Tanh(r/2)
				z[k] = (z[k] - mean) * math.Exp(-s)
				logDet -= s
			}
		case permutation:
			old := slices.Clone(z)
			for k, from := range b {
				z[k] = old[from]
			}
		case *linear:
			d := b.dim
			lu, bias := next(), next()
			px, ux := make([]float64, d), make([]float64, d)
			for k := range d {
				px[k] = z[b.permutation[k]]
			}
			for k := range d {
				ux[k] = math.Exp(lu[k*d+k]) * px[k]
				for j := k + 1; j < d; j++ {
					ux[k] += lu[k*d+j] * px[j]
				}
				logDet += lu[k*d+k]
			}
			for k := range d {
				z[k] = ux[k] + bias[k]
				for j := range k {
					z[k] += lu[k*d+j] * ux[j]
				}
			}
		case *actNorm:
			shift, scale := next(), next()
			for k := range z {
				z[k] = (z[k] - shift[k]) * math.Exp(scale[k])
				logDet += scale[k]
			}
		}
	}
	if f.base == nil {
		for _, v := range z {
			logBase -= 0.5*v*v + 0.5*math.Log(2*math.Pi)
		}
		return z, logDet, logBase
	}
	logit, bias, a := next(), next(), next()
	var p, sum float64
	for k, l := range logit {
		sum += math.Exp(l)
		log := l
		for i := range z {
			u := bias[k*len(z)+i]
			for j := range i {
				u += a[j] * z[j]
			}
			u += math.Exp(a[i]) * z[i]
			log += a[i] - 0.5*u*u - 0.5*math.Log(2*math.Pi)
			a = a[i+1:]
		}
		p += math.Exp(log)
	}
	return z, logDet, math.Log(p / sum)
}

// perceptron evaluates a conditioner on h, without dropout, with tables of the first
// inputs.
func perceptron(h []float64, c Conditioner, tables []float64, tabled int, next func() []float64) []float64 {
	linear := func(h []float64) []float64 {
		w, y := next(), slices.Clone(next())
		for k := range tabled { // in the first layer only
			at := float64(c.Cells) / (1 + math.Exp(-1.702*h[k]))
			cell := min(int(at), c.Cells-1)
			row := tables[(k*(c.Cells+1)+cell)*len(y):]
			for j := range y {
				y[j] += row[j] + (at-float64(cell))*(row[len(y)+j]-row[j])
			}
		}
		tabled = 0
		for k, v := range h {
			for j := range y {
				y[j] += v * w[k*len(y)+j]
			}
		}
		return y
	}
	act := func(h []float64) []float64 {
		y := slices.Clone(h)
		for j, v := range y {
			switch c.Activation {
			case dense.ReLU:
				y[j] = max(v, 0)
			case dense.SiLU:
				y[j] = v / (1 + math.Exp(-v))
			case dense.Tanh:
				y[j] = math.Tanh(v)
			}
		}
		return y
	}
	if !c.Residual {
		for range c.Hidden {
			h = act(linear(h))
		}
		return linear(h)
	}
	h = linear(h)
	for range c.Hidden {
		inner := act(linear(act(h)))
		for j, v := range linear(inner) {
			h[j] += v
		}
	}
	return linear(h)
}

// rationalQuadraticSpline is appendix A of arXiv:1906.04032, as written there.
func rationalQuadraticSpline(x float64, p []float64, bins int, bound float64) (y, slope float64) {
	if x <= -bound || x >= bound {
		return x, 1
	}
	knots := func(logits []float64) []float64 {
		sum := 0.0
		for _, v := range logits {
			sum += math.Exp(v)
		}
		at := []float64{-bound}
		for _, v := range logits {
			at = append(at, at[len(at)-1]+2*bound*(1e-3+(1-1e-3*float64(bins))*math.Exp(v)/sum))
		}
		return at
	}
	xs, ys := knots(p[:bins]), knots(p[bins:2*bins])
	slopes := []float64{1}
	for _, v := range p[2*bins:] {
		slopes = append(slopes, 1e-3+math.Log1p(math.Exp(v+math.Log(math.Expm1(1-1e-3)))))
	}
	slopes = append(slopes, 1)
	k := 0
	for k < bins-1 && x >= xs[k+1] {
		k++
	}
	w, h := xs[k+1]-xs[k], ys[k+1]-ys[k]
	s, xi := h/w, (x-xs[k])/w
	den := s + (slopes[k+1]+slopes[k]-2*s)*xi*(1-xi)
	y = ys[k] + h*(s*xi*xi+slopes[k]*xi*(1-xi))/den
	slope = s * s * (slopes[k+1]*xi*xi + 2*s*xi*(1-xi) + slopes[k]*(1-xi)*(1-xi)) / (den * den)
	return y, slope
}

func floats(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func TestForwardAgreesWithFloat64(t *testing.T) {
	for name, f := range cases(t) {
		const n = 150
		x, c := normals(n*f.dim, 3), normals(n*f.context, 4)
		z, logDet := make([]float32, len(x)), make([]float32, n)
		f.Forward(z, logDet, x, c)
		params := floats(f.params.Value)
		for i := range n {
			want, wantDet, _ := reference(f, params, floats(x[i*f.dim:(i+1)*f.dim]), floats(c[i*f.context:(i+1)*f.context]))
			for j, w := range want {
				if d := math.Abs(float64(z[i*f.dim+j]) - w); d > 1e-4*(1+math.Abs(w)) {
					t.Fatalf("%s: z[%d][%d] = %g, want %g", name, i, j, z[i*f.dim+j], w)
				}
			}
			if d := math.Abs(float64(logDet[i]) - wantDet); d > 1e-4*(1+math.Abs(wantDet)) {
				t.Fatalf("%s: log|det J| of row %d is %g, want %g", name, i, logDet[i], wantDet)
			}
		}
	}
}

func TestInverseUndoesForward(t *testing.T) {
	for name, f := range cases(t) {
		const n = 200
		x, c := normals(n*f.dim, 3), normals(n*f.context, 4)
		z, there, back := make([]float32, len(x)), make([]float32, n), make([]float32, n)
		f.Forward(z, there, x, c)
		f.Inverse(z, back, z, c)
		for i := range x {
			if d := math.Abs(float64(z[i] - x[i])); d > 1e-3*(1+math.Abs(float64(x[i]))) {
				t.Fatalf("%s: f⁻¹(f(x)) = %g, x = %g", name, z[i], x[i])
			}
		}
		for i := range there {
			if d := math.Abs(float64(there[i] + back[i])); d > 1e-3*(1+math.Abs(float64(there[i]))) {
				t.Fatalf("%s: log|det| %g there, %g back", name, there[i], back[i])
			}
		}
	}
}

// TestGradient compares the gradient of the weighted loss with finite differences
// of the float64 reference, for the parameters.
func TestGradient(t *testing.T) {
	for name, f := range cases(t) {
		const n = 5
		x, c, w := normals(n*f.dim, 3), normals(n*f.context, 4), normals(n, 5)
		worker := (*likelihood)(f).NewWorker()
		grad := make([]float32, len(f.params.Value))
		got := worker.Loss(grad, training.Rows{N: n, X: slices.Clone(x), C: c, W: w})

		params := floats(f.params.Value)
		loss := func() float64 {
			sum := 0.0
			for i := range n {
				_, logDet, logBase := reference(f, params, floats(x[i*f.dim:(i+1)*f.dim]), floats(c[i*f.context:(i+1)*f.context]))
				sum -= float64(w[i]) * (logDet + logBase)
			}
			return sum
		}
		if want := loss(); math.Abs(got-want) > 1e-3*(1+math.Abs(want)) {
			t.Fatalf("%s: loss %g, want %g", name, got, want)
		}
		scale := 1.0 // the largest gradient
		for _, g := range grad {
			scale = max(scale, math.Abs(float64(g)))
		}
		for i := range params {
			const h = 1e-6
			old := params[i]
			params[i] = old + h
			up := loss()
			params[i] = old - h
			down := loss()
			params[i] = old
			want := (up - down) / (2 * h)
			if d := math.Abs(float64(grad[i]) - want); d > 1e-4*(scale+math.Abs(want)) {
				t.Errorf("%s: ∂L/∂θ[%d] = %g, want %g", name, i, grad[i], want)
				break
			}
		}
	}
}

// TestDensityIntegratesToOne integrates exp(LogDensity) over a fine grid.
func TestDensityIntegratesToOne(t *testing.T) {
	const reach, steps = 30.0, 1500
	for _, dim := range []int{1, 2} {
		layers := RealNVP(dim, 1, RealNVPOptions{Layers: 2, Hidden: []int{6}, Activation: dense.Tanh, Bound: 0.5})
		f := randomFlow(t, dim, 1, layers...)
		h := 2 * reach / steps
		n := steps
		if dim == 2 {
			n = steps * steps
		}
		x, c, p := make([]float32, n*dim), make([]float32, n), make([]float64, n)
		for i := range n {
			c[i] = 0.7
			for j, k := 0, i; j < dim; j, k = j+1, k/steps {
				x[i*dim+j] = float32(-reach + (float64(k%steps)+0.5)*h)
			}
		}
		must(t, f.LogDensity(t.Context(), p, x, c))
		sum := 0.0
		for _, v := range p {
			sum += math.Exp(v)
		}
		sum *= math.Pow(h, float64(dim))
		if math.Abs(sum-1) > 1e-3 {
			t.Errorf("D = %d: ∫p = %g", dim, sum)
		}
	}
}

func TestNewFlowIsIdentity(t *testing.T) {
	f, err := New(5, 0, 1, RealNVP(5, 1, RealNVPOptions{})...)
	if err != nil {
		t.Fatal(err)
	}
	x := normals(100*5, 1)
	z, logDet := make([]float32, len(x)), make([]float32, 100)
	f.Forward(z, logDet, x, nil)
	if !slices.Equal(z, x) {
		t.Error("a new flow changes its input")
	}
	if slices.Max(logDet) != 0 || slices.Min(logDet) != 0 {
		t.Error("log|det J| of a new flow is not zero")
	}
}

// TestSampleIsIndependentOfCuts checks that event i depends on (seed, i) alone.
func TestSampleIsIndependentOfCuts(t *testing.T) {
	for name, f := range cases(t) {
		const n = 9000 // more than one goroutine's share
		c := normals(n*f.context, 4)
		want := make([]float32, n*f.dim)
		must(t, f.Sample(t.Context(), want, c, 7, 0, 100))
		for _, procs := range []int{1, 4} {
			old := runtime.GOMAXPROCS(procs)
			got := make([]float32, n*f.dim)
			for lo, size := 0, 1; lo < n; lo, size = lo+size, size*3+1 {
				hi := min(lo+size, n)
				must(t, f.Sample(t.Context(), got[lo*f.dim:hi*f.dim], c[lo*f.context:hi*f.context], 7, 0, uint64(100+lo)))
			}
			runtime.GOMAXPROCS(old)
			if !slices.Equal(got, want) {
				t.Errorf("%s, GOMAXPROCS=%d: other events when drawn in pieces", name, procs)
			}
		}
		other := make([]float32, n*f.dim)
		must(t, f.Sample(t.Context(), other, c, 7, 1, 100))
		if slices.Equal(other, want) {
			t.Errorf("%s: another attempt gives the same events", name)
		}
	}
}

// TestTrainFindsGaussian trains on a correlated Gaussian, which an affine flow can
// represent, and compares with the true density.
func TestTrainFindsGaussian(t *testing.T) {
	draw := func(n int, seed uint64) training.Data {
		d := training.Data{Dim: 2, X: normals(2*n, seed)}
		for i := 0; i < len(d.X); i += 2 {
			d.X[i], d.X[i+1] = 2*d.X[i]+1, 0.8*d.X[i]+0.6*d.X[i+1]-1
		}
		return d
	}
	f, err := New(2, 0, 1, RealNVP(2, 1, RealNVPOptions{Layers: 4, Hidden: []int{16}})...)
	if err != nil {
		t.Fatal(err)
	}
	train, test := draw(20000, 1), draw(5000, 2)
	if _, err := f.Train(context.Background(), train, draw(2000, 3), training.Options{Epochs: 40, Batch: 128, Rate: 3e-3}); err != nil {
		t.Fatal(err)
	}
	p := make([]float64, test.Len())
	must(t, f.LogDensity(t.Context(), p, test.X, nil))
	kl := 0.0
	for i := range p {
		a := (float64(test.X[2*i]) - 1) / 2
		b := (float64(test.X[2*i+1]) + 1 - 0.8*a) / 0.6
		truth := -0.5*(a*a+b*b) - math.Log(2*math.Pi) - math.Log(2*0.6)
		kl += (truth - p[i]) / float64(len(p))
	}
	if kl > 0.01 || kl < -0.01 {
		t.Errorf("KL(truth ‖ flow) = %g", kl)
	}
}

// TestAutoregressive checks that a feature depends on those before it, in the order of the
// round, and on nothing else.
func TestAutoregressive(t *testing.T) {
	const dim, context = 4, 1
	for rounds := 1; rounds <= 2; rounds++ {
		f := randomFlow(t, dim, context, Autoregressive(dim, AutoregressiveOptions{Layers: rounds, Hidden: []int{8}})...)
		x, c := normals(dim, 3), normals(context, 4)
		before, after := make([]float32, dim), make([]float32, dim)
		f.Forward(before, nil, x, c)
		for j := range x {
			y := slices.Clone(x)
			y[j] += 0.1
			f.Forward(after, nil, y, c)
			for k := range after {
				depends := rounds == 2 || k >= j
				if (after[k] != before[k]) != depends {
					t.Errorf("%d rounds: feature %d depends on %d: %v, must be %v", rounds, k, j, !depends, depends)
				}
			}
		}
	}
}

func TestHalves(t *testing.T) {
	for dim := 1; dim <= 9; dim++ {
		keeps := halves(dim, 7, 1)
		if len(keeps) != 7 {
			t.Fatalf("D = %d: %d layers", dim, len(keeps))
		}
		for i, keep := range keeps {
			if want := dim / 2; len(keep) != want && len(keep) != dim-want {
				t.Errorf("D = %d, layer %d keeps %v", dim, i, keep)
			}
			if i%2 == 1 {
				both := slices.Concat(keeps[i-1], keep)
				slices.Sort(both)
				if dim > 1 && len(slices.Compact(both)) != dim {
					t.Errorf("D = %d: layers %d and %d change %v and %v", dim, i-1, i, keeps[i-1], keep)
				}
			}
		}
		// Eight layers condition every feature on every other.
		if dim > 1 {
			keeps = halves(dim, 8, 1)
			for a := range dim {
				for b := range a {
					if !slices.ContainsFunc(keeps, func(keep []int) bool { return slices.Contains(keep, a) != slices.Contains(keep, b) }) {
						t.Errorf("D = %d: features %d and %d are always on the same side", dim, a, b)
					}
				}
			}
		}
	}
}

func TestLoad(t *testing.T) {
	f := randomFlow(t, 3, 2, RealNVP(3, 1, RealNVPOptions{Layers: 2, Hidden: []int{4, 4}, Residual: true, Dropout: 0.1})...)
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	g, err := Load(text, f.Tensors())
	if err != nil {
		t.Fatal(err)
	}
	x, c := normals(30, 1), normals(20, 2)
	a, b := make([]float64, 10), make([]float64, 10)
	must(t, f.LogDensity(t.Context(), a, x, c))
	must(t, g.LogDensity(t.Context(), b, x, c))
	if !slices.Equal(a, b) {
		t.Error("a loaded flow has another density")
	}
	for name, bad := range map[string]string{
		"no JSON":       `{`,
		"mixture first": `{"dim":1,"layers":[{"mixture":{"components":2}},{"linear":{}}]}`,
		"no component":  `{"dim":1,"layers":[{"mixture":{}}]}`,
		"unknown layer": `{"dim":1,"layers":[{"magic":{}}]}`,
		"wrong keep":    `{"dim":1,"layers":[{"affine-coupling":{"keep":[3]}}]}`,
		"huge":          `{"dim":1000000,"layers":[{"affine-coupling":{"hidden":[1000000,1000000]}}]}`,
		"overflow":      `{"dim":1000000,"layers":[` + strings.Repeat(`{"linear":{}},`, 30000) + `{"linear":{}}]}`,
		"no feature":    `{"dim":0,"layers":[]}`,
		"wrong blocks":  `{"dim":1,"layers":[{"affine-coupling":{"hidden":[2,3],"residual":true}}]}`,
		"bad dropout":   `{"dim":1,"layers":[{"affine-coupling":{"dropout":1}}]}`,
		"wrong order":   `{"dim":2,"layers":[{"permutation":{"order":[0,0]}}]}`,
		"bad bound":     `{"dim":1,"layers":[{"affine-coupling":{"bound":-2}}]}`,
	} {
		if _, err := Load([]byte(bad), f.Tensors()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestKinds checks that every kind of layer of the table is among the cases, and that a flow
// of each case survives its description and maps as it did.
func TestKinds(t *testing.T) {
	seen := map[reflect.Type]bool{}
	for name, f := range cases(t) {
		for _, l := range f.Layers() {
			seen[reflect.TypeOf(l)] = true
		}
		text, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Load(text, f.Tensors())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		x, c := normals(10*f.Dim(), 7), normals(10*f.Context(), 8)
		z, want := make([]float32, len(x)), make([]float32, len(x))
		f.Forward(want, nil, x, c)
		again.Forward(z, nil, x, c)
		if !slices.Equal(z, want) {
			t.Errorf("%s: another map after loading", name)
		}
	}
	for _, k := range kinds {
		if !seen[reflect.TypeOf(k.zero)] {
			t.Errorf("no case has a layer %q", k.name)
		}
	}
}
