package flows

import (
	"context"
	"math"
	"testing"

	"github.com/eidolon-hep/eidolon/kernels/philox"
)

// TestRobust trains on what has broken other programs. Losses, log-densities and
// samples must be finite, and where the start is far from the events, the flow must
// have come closer to them.
func TestRobust(t *testing.T) {
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
			"actnorm": append([]Layer{ActNorm{}}, RealNVP(c.dim, 1, RealNVPOptions{Layers: c.layers, Hidden: []int{16, 16}, Residual: true, Dropout: 0.1})...),
		} {
			t.Run(c.name+"/"+model, func(t *testing.T) {
				data := Data{Dim: c.dim, X: normals(c.dim*c.n, 1)}
				c.spoil(data.X, c.dim)
				f, err := New(c.dim, 0, 1, layers...)
				if err != nil {
					t.Fatal(err)
				}
				h, err := f.Train(context.Background(), data, Data{}, TrainOptions{Epochs: 20, Rate: 5e-3})
				if err != nil {
					t.Fatal(err)
				}
				if math.IsNaN(h.Best) || math.IsInf(h.Best, 0) {
					t.Fatalf("the loss is %g", h.Best)
				}
				kept, ok := h.Kept()
				if c.far && model != "actnorm" && !(ok && kept.Valid < h.Points[0].Valid) {
					t.Errorf("nothing has been learnt: %+v, first %+v", kept, h.Points[0])
				}
				if !(kept.WorstRoundTrip < 1e-2*float64(1+maxAbs(data.X))) {
					t.Errorf("f⁻¹(f(x)) is off by %g", kept.WorstRoundTrip)
				}
				x, p := make([]float32, 2000*c.dim), make([]float64, 2000)
				f.Sample(x, nil, 1, 0, 0)
				for i, v := range x {
					if v-v != 0 {
						t.Fatalf("sample %d is %g", i, v)
					}
				}
				f.LogDensity(p, x, nil)
				for i, v := range p {
					if v-v != 0 {
						t.Fatalf("log-density %d is %g", i, v)
					}
				}
			})
		}
	}
}

// TestExtremeEvents gives a trained flow events that are far from all it has seen.
func TestExtremeEvents(t *testing.T) {
	for model, layers := range map[string][]Layer{
		"realnvp": RealNVP(3, 1, RealNVPOptions{Hidden: []int{16}}),
		"spline":  Spline(3, 1, SplineOptions{Hidden: []int{16}}),
	} {
		f, err := New(3, 0, 1, layers...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Train(context.Background(), Data{Dim: 3, X: normals(3000, 1)}, Data{}, TrainOptions{Epochs: 20}); err != nil {
			t.Fatal(err)
		}
		x := make([]float32, 3*1000)
		philox.Normal(x, 2, 0, 0)
		for i := range x {
			x[i] *= 1e6
		}
		p := make([]float64, 1000)
		f.LogDensity(p, x, nil)
		for i, v := range p {
			if v-v != 0 || v > 0 {
				t.Fatalf("%s: the log-density at %v is %g", model, x[3*i:3*i+3], v)
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
