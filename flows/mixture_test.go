package flows

import (
	"context"
	"math"
	"testing"

	"github.com/eidolon-hep/eidolon/kernels/philox"
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

// TestMixtureFindsIslands starts a mixture from islands, without a step of training
// but one, and compares the density with the true one; and its samples.
func TestMixtureFindsIslands(t *testing.T) {
	f, err := New(2, 0, 1, Mixture{5})
	if err != nil {
		t.Fatal(err)
	}
	x, _ := islands(20_000, 1)
	w := make([]float32, 20_000)
	for i := range w {
		w[i] = 1
	}
	if _, err := f.Train(context.Background(), Data{Dim: 2, X: x, W: w}, Data{}, TrainOptions{Epochs: 1, Rate: 1e-9}); err != nil {
		t.Fatal(err)
	}
	fresh, truth := islands(20_000, 2)
	p := make([]float64, len(truth))
	f.LogDensity(p, fresh, nil)
	kl := 0.0
	for i := range p {
		kl += (truth[i] - p[i]) / float64(len(p))
	}
	if !(math.Abs(kl) < 0.01) {
		t.Errorf("KL(truth ‖ mixture) = %g", kl)
	}
	// Drawn events have the density that they are said to have: E exp(log q − log p)
	// over p is 1, and the shares of the islands are right.
	drawn := make([]float32, 2*40_000)
	f.Sample(drawn, nil, 3, 0, 0)
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
		if _, err := f.Train(context.Background(), Data{Dim: 3, X: x}, Data{}, TrainOptions{Epochs: 1}); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		p := make([]float64, len(x)/3)
		f.LogDensity(p, x, nil)
		for i, v := range p {
			if !(math.Abs(v) < 1e10) {
				t.Fatalf("%s: log p of row %d is %v", name, i, v)
			}
		}
	}
}
