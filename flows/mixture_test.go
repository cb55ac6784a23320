package flows

import (
	"cmp"
	"context"
	"math"
	"slices"
	"testing"

	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/training"
)

// islands are n rows of three well separated normals in two dimensions, in the
// proportions 1:2:5, and the log-density of each row.
func islands(n int, seed uint64) (x []float32, log []float64) {
	type normal struct{ x, y, sx, sy, share float64 }
	parts := []normal{{-3, 0, 0.2, 0.5, 1. / 8}, {1, 2, 0.4, 0.1, 2. / 8}, {2, -1, 0.3, 0.3, 5. / 8}}
	x, log = normals(2*n, seed), make([]float64, n)
	u := make([]float64, n)
	philox.Uniform64(u, seed, 1, 0)
	for i := range n {
		p := parts[0]
		for _, next := range parts[1:] {
			if u[i] < p.share {
				break
			}
			u[i] -= p.share
			p = next
		}
		a, b := p.x+p.sx*float64(x[2*i]), p.y+p.sy*float64(x[2*i+1])
		x[2*i], x[2*i+1] = float32(a), float32(b)
		sum := 0.0
		for _, p := range parts {
			da, db := (a-p.x)/p.sx, (b-p.y)/p.sy
			sum += p.share * math.Exp(-0.5*(da*da+db*db)) / (2 * math.Pi * p.sx * p.sy)
		}
		log[i] = math.Log(sum)
	}
	return x, log
}

// TestMixtureFindsIslands starts a mixture from islands that stand in the file one
// after the other, with weights of any scale, and compares the density with the true
// one; and its samples.
func TestMixtureFindsIslands(t *testing.T) {
	f, err := New(2, 0, 1, Mixture{5})
	if err != nil {
		t.Fatal(err)
	}
	x, _ := islands(20_000, 1)
	rows := make([][2]float32, 20_000)
	w := make([]float32, len(rows))
	for i := range rows {
		rows[i], w[i] = [2]float32{x[2*i], x[2*i+1]}, 1e-10
	}
	slices.SortFunc(rows, func(a, b [2]float32) int { return cmp.Compare(a[0], b[0]) })
	for i, row := range rows {
		x[2*i], x[2*i+1] = row[0], row[1]
	}
	f.Start(t.Context(), training.Data{Dim: 2, X: x, W: w}, 1)
	f.Update()
	fresh, truth := islands(20_000, 2)
	p := make([]float64, len(truth))
	must(t, f.LogDensity(t.Context(), p, fresh, nil))
	kl := 0.0
	for i := range p {
		kl += (truth[i] - p[i]) / float64(len(p))
	}
	if !(math.Abs(kl) < 0.01) {
		t.Errorf("KL(truth ‖ mixture) = %g", kl)
	}
	// The shares of the islands are right in drawn events.
	drawn := make([]float32, 2*40_000)
	must(t, f.Sample(t.Context(), drawn, nil, 3, 0, 0))
	var shares [3]float64
	for i := range 40_000 {
		switch a, b := drawn[2*i], drawn[2*i+1]; {
		case a < -1.5:
			shares[0]++
		case b > 1:
			shares[1]++
		default:
			shares[2]++
		}
	}
	for k, want := range []float64{1. / 8, 2. / 8, 5. / 8} {
		if got := shares[k] / 40_000; math.Abs(got-want) > 0.015 {
			t.Errorf("island %d has %g of the events, must have %g", k, got, want)
		}
	}
}

// TestMixtureDraws compares drawn events with the density q: the mean of N/q over them
// is 1 for any narrow density N.
func TestMixtureDraws(t *testing.T) {
	const n, dim = 200_000, 3
	f := randomFlow(t, dim, 0, Mixture{3})
	x, q := make([]float32, n*dim), make([]float64, n)
	must(t, f.Sample(t.Context(), x, nil, 5, 0, 0))
	must(t, f.LogDensity(t.Context(), q, x, nil))
	for name, at := range map[string][dim]float64{"centre": {0, 0, 0}, "aside": {0.5, -0.3, 0.4}, "opposite": {-0.4, 0.5, -0.5}} {
		const width = 0.3
		var sum, squares float64
		for i, log := range q {
			square := 0.0
			for j, c := range at {
				d := (float64(x[i*dim+j]) - c) / width
				square += d * d
			}
			ratio := math.Exp(-0.5*square - dim*math.Log(width*math.Sqrt(2*math.Pi)) - log)
			sum += ratio
			squares += ratio * ratio
		}
		mean := sum / n
		sigma := math.Sqrt((squares/n - mean*mean) / n)
		if sigma > 0.05 || math.Abs(mean-1) > 4*sigma {
			t.Errorf("%s: the mean of N/q is %g ± %g, must be 1", name, mean, sigma)
		}
	}
}

// TestMixtureOfNastySamples starts mixtures from what is no mixture.
func TestMixtureOfNastySamples(t *testing.T) {
	for name, x := range map[string][]float32{
		"one row":    {1, 2, 3},
		"few rows":   {1, 2, 3, 1, 2, 4, 5, 6, 7},
		"equal rows": make([]float32, 3*1000),
		"equal columns": func() []float32 {
			x := normals(3000, 1)
			for i := range x {
				x[i] = x[i/3*3]
			}
			return x
		}(),
		"far away": func() []float32 { x := normals(3000, 1); x[17] = 1e6; return x }(),
	} {
		f, err := New(3, 0, 1, Mixture{8})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Train(context.Background(), training.Data{Dim: 3, X: x}, training.Data{}, training.Options{Epochs: 1}); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		p := make([]float64, len(x)/3)
		must(t, f.LogDensity(t.Context(), p, x, nil))
		for i, v := range p {
			if !(math.Abs(v) < 1e10) {
				t.Fatalf("%s: log p of row %d is %v", name, i, v)
			}
		}
	}
}

// TestStartWithoutTime starts flows from data when there is no time for that: they have a density all the same.
func TestStartWithoutTime(t *testing.T) {
	const dim, n = 4, 500
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for name, layers := range map[string][]Layer{
		"mixture": {Mixture{4}},
		"spline":  Spline(dim, 1, SplineOptions{Layers: 2, Hidden: []int{8}, Components: 4}),
		"realnvp": RealNVP(dim, 1, RealNVPOptions{Layers: 2, Hidden: []int{8}, Components: 4, Mixed: true}),
	} {
		f, err := New(dim, 0, 1, layers...)
		if err != nil {
			t.Fatal(err)
		}
		x, p := normals(dim*n, 1), make([]float64, n)
		f.Start(ctx, training.Data{Dim: dim, X: x}, 1)
		if err := f.LogDensity(context.Background(), p, x, nil); err != nil {
			t.Fatal(err)
		}
		for i, v := range p {
			if v-v != 0 {
				t.Fatalf("%s: log p of row %d is %v", name, i, v)
			}
		}
	}
}

// TestStartOfWhatIsNoData gives training rows that are not finite, and the wrong number
// of weights: errors, in finite time.
func TestStartOfWhatIsNoData(t *testing.T) {
	x := normals(3*500, 1)
	x[100] = float32(math.NaN())
	for name, data := range map[string]training.Data{
		"NaN":         {Dim: 3, X: x},
		"few weights": {Dim: 3, X: normals(3*500, 1), W: []float32{1, 2}},
		"no row":      {Dim: 3, X: normals(3*500+1, 1)},
	} {
		f, err := New(3, 0, 1, Mixture{4})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Train(context.Background(), data, training.Data{}, training.Options{Epochs: 1}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
