package flows

import (
	"context"
	"math"
	"testing"

	"github.com/eidolon-hep/eidolon/internal/em"
	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/training"
)

// TestRobust trains on what has broken other programs. Losses, log-densities and
// samples must be finite, and where the standard normal is far from the events, the flow
// must have come closer to them.
func TestRobust(t *testing.T) {
	testenv.Slow(t, "it trains deep flows")
	column := func(data []float32, dim, j int, of func(i int) float32) {
		for i := j; i < len(data); i += dim {
			data[i] = of(i / dim)
		}
	}
	for _, c := range []struct {
		name   string
		dim, n int
		layers int
		far    bool // the standard normal is no good model
		spoil  func(x []float32, dim int)
	}{
		// github.com/VincentStimper/normalizing-flows/issues/73
		{"32 layers of 19 features", 19, 600, 32, true, func(x []float32, dim int) {
			for j := 1; j < dim; j++ { // all of them correlated
				column(x, dim, j, func(i int) float32 { return 0.9*x[i*dim] + 0.4*x[i*dim+j] })
			}
		}},
		// github.com/bayesiains/nflows/issues/23
		{"all in the tails", 3, 500, 8, true, func(x []float32, _ int) {
			for i := range x {
				x[i] = 20 + x[i]
			}
		}},
		{"a constant", 3, 500, 8, true, func(x []float32, dim int) { column(x, dim, 1, func(int) float32 { return 0 }) }},
		{"two identical", 4, 500, 8, true, func(x []float32, dim int) {
			column(x, dim, 2, func(i int) float32 { return x[i*dim] })
		}},
		{"ten events", 4, 10, 8, false, func([]float32, int) {}},
		{"one event", 4, 1, 8, false, func([]float32, int) {}},
		{"a Cauchy tail", 2, 2000, 8, true, func(x []float32, dim int) {
			column(x, dim, 0, func(i int) float32 { return x[i*dim] / (1e-3 + float32(math.Abs(float64(x[i*dim+1])))) })
		}},
		{"integers", 3, 500, 8, false, func(x []float32, _ int) {
			for i, v := range x {
				x[i] = float32(math.Round(float64(v)))
			}
		}},
		{"one feature", 1, 500, 8, false, func([]float32, int) {}},
	} {
		for model, layers := range map[string][]Layer{
			"realnvp": RealNVP(c.dim, 1, RealNVPOptions{Layers: c.layers, Hidden: []int{16}}),
			"spline":  Spline(c.dim, 1, SplineOptions{Layers: c.layers, Hidden: []int{16}}),
			// As many conditioners as features, so one round; tables as in a surrogate.
			"autoregressive": Autoregressive(c.dim, AutoregressiveOptions{Hidden: []int{16}}),
			"actnorm":        append([]Layer{ActNorm{}}, RealNVP(c.dim, 1, RealNVPOptions{Layers: c.layers, Hidden: []int{16, 16}, Residual: true, Dropout: 0.1})...),
		} {
			t.Run(c.name+"/"+model, func(t *testing.T) {
				data := training.Data{Dim: c.dim, X: normals(c.dim*c.n, 1)}
				c.spoil(data.X, c.dim)
				f, err := New(c.dim, 0, 1, layers...)
				if err != nil {
					t.Fatal(err)
				}
				h, err := f.Train(context.Background(), data, training.Data{}, training.Options{Epochs: 20, Rate: 5e-3})
				if err != nil {
					t.Fatal(err)
				}
				if math.IsNaN(h.Best) || math.IsInf(h.Best, 0) {
					t.Fatalf("the loss is %g", h.Best)
				}
				kept, _ := h.Kept()
				if normal := -meanLogNormal(data); c.far && !(h.Best < normal-0.1) {
					t.Errorf("nothing has been learnt: loss %g, that of a standard normal is %g", h.Best, normal)
				}
				if !(kept.WorstRoundTrip < 1e-2*float64(1+maxAbs(data.X))) {
					t.Errorf("f⁻¹(f(x)) is off by %g", kept.WorstRoundTrip)
				}
				x, p := make([]float32, 2000*c.dim), make([]float64, 2000)
				must(t, f.Sample(t.Context(), x, nil, 1, 0, 0))
				for i, v := range x {
					if v-v != 0 {
						t.Fatalf("sample %d is %g", i, v)
					}
				}
				must(t, f.LogDensity(t.Context(), p, x, nil))
				for i, v := range p {
					if v-v != 0 {
						t.Fatalf("log-density %d is %g", i, v)
					}
				}
			})
		}
	}
}

// meanLogNormal is the mean log-density of rows under N(0, 1).
func meanLogNormal(d training.Data) float64 {
	sum := 0.0
	for i := 0; i < len(d.X); i += d.Dim {
		sum += em.LogNormal(d.X[i : i+d.Dim])
	}
	return sum / float64(d.Len())
}

// TestExtremeEvents gives a trained flow events that are far from all it has seen.
func TestExtremeEvents(t *testing.T) {
	for model, layers := range map[string][]Layer{
		"realnvp": RealNVP(3, 1, RealNVPOptions{Hidden: []int{16}}),
		"spline":  Spline(3, 1, SplineOptions{Hidden: []int{16}}),

		"autoregressive": Autoregressive(3, AutoregressiveOptions{Hidden: []int{16}}),
	} {
		f, err := New(3, 0, 1, layers...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Train(context.Background(), training.Data{Dim: 3, X: normals(3000, 1)}, training.Data{}, training.Options{Epochs: 20}); err != nil {
			t.Fatal(err)
		}
		x := make([]float32, 3*1000)
		philox.Normal(x, 2, 0, 0)
		for i := range x {
			x[i] *= 1e6
		}
		p := make([]float64, 1000)
		must(t, f.LogDensity(t.Context(), p, x, nil))
		for i, v := range p {
			if v-v != 0 || v > 0 {
				t.Fatalf("%s: the log-density at %v is %g", model, x[3*i:3*i+3], v)
			}
		}
	}
}

// TestLinearTails checks that noise far out becomes events that are no further out than
// in proportion: |x| ≤ a + b|z|. Splines end in straight lines, so a tail that is too long
// for the flow is cut in proportion, and never blown up. Where nothing but splines moves a
// feature, b = 1 and a is their bound.
func TestLinearTails(t *testing.T) {
	const dim, n, bound = 3, 2000, 5
	for model, layers := range map[string][]Layer{
		"spline":         Spline(dim, 1, SplineOptions{Layers: 6, Hidden: []int{16}}),
		"autoregressive": Autoregressive(dim, AutoregressiveOptions{Hidden: []int{16}, Standard: true}),
		"two rounds":     Autoregressive(dim, AutoregressiveOptions{Layers: 2, Hidden: []int{16}, Standard: true}),
		"actnorm":        Autoregressive(dim, AutoregressiveOptions{Hidden: []int{16}}),
	} {
		for _, learnt := range []bool{true, false} {
			f := randomFlow(t, dim, 0, layers...) // which has steep conditioners
			if learnt {
				var err error
				if f, err = New(dim, 0, 1, layers...); err != nil {
					t.Fatal(err)
				}
				data := training.Data{Dim: dim, X: normals(dim*2000, 1)}
				for i := 0; i < len(data.X); i += dim { // Cauchy, and what goes with it
					data.X[i] /= 1e-2 + float32(math.Abs(float64(data.X[i+1])))
					data.X[i+2] += data.X[i]
				}
				if _, err := f.Train(context.Background(), data, training.Data{}, training.Options{Epochs: 10, Rate: 5e-3}); err != nil {
					t.Fatal(err)
				}
			}
			var before float64 // the largest |x|/|z|, nearer to the middle
			for _, reach := range []float32{1e2, 1e3, 1e4, 1e5, 1e6} {
				z, x := normals(dim*n, 2), make([]float32, dim*n)
				for i := range z {
					z[i] *= reach
				}
				f.Inverse(x, nil, z, nil)
				growth := 0.0
				for i := 0; i < len(z); i += dim {
					from, to := float64(maxAbs(z[i:i+dim])), float64(maxAbs(x[i:i+dim]))
					if splines := model == "autoregressive" || model == "two rounds"; splines && !(to <= max(bound, from)*1.0001) {
						t.Fatalf("%s: z = %v becomes x = %v", model, z[i:i+dim], x[i:i+dim])
					}
					growth = max(growth, to/(bound+from))
					if to != to {
						growth = math.Inf(1)
					}
				}
				if before > 0 && !(growth <= 1.5*before) {
					t.Errorf("%s, learnt %v: |x| grows to %.3g |z| at |z| = %g, from %.3g", model, learnt, growth, reach, before)
				}
				before = max(before, growth)
			}
		}
	}
}

func maxAbs(x []float32) float32 {
	m := float32(0)
	for _, v := range x {
		m = max(m, max(v, -v))
	}
	return m
}
