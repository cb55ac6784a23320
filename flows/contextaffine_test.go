package flows

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/eidolon-hep/eidolon/training"
)

// Before training, events of each code of a context have mean 0 and variance 1, and a number in
// the context shifts and scales, too. A code that few events have is not fitted to these.
func TestContextAffineStart(t *testing.T) {
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 1))
		const n, dim, codes, few = 6000, 2, 3, 2
		d := training.Data{Dim: dim, Context: codes + 1}
		mean, width := [codes + 1]float64{0, 3, -2, 1}, [codes + 1]float64{1, 0.4, 2, 1}
		code := make([]int, n)
		for i := range n {
			k := r.IntN(codes)
			if i < few {
				k = codes // by two events, far from the others
			}
			code[i] = k
			u := r.NormFloat64()
			c := make([]float32, codes+1)
			if k > 0 {
				c[k-1] = 1
			}
			c[codes] = float32(u)
			d.C = append(d.C, c...)
			for f := range dim {
				x := mean[k] + 0.5*u*float64(f) + width[k]*math.Exp(0.2*u)*r.NormFloat64()
				d.X = append(d.X, float32(x))
			}
		}
		f, err := New(dim, codes+1, 1, ContextAffine{})
		if err != nil {
			t.Fatal(err)
		}
		f.Start(t.Context(), d, 1)
		z := make([]float32, len(d.X))
		f.Forward(z, nil, d.X, d.C)
		for k := range codes {
			var sum, squares, count [dim]float64
			for i := range n {
				if code[i] != k {
					continue
				}
				for f := range dim {
					v := float64(z[i*dim+f])
					sum[f] += v
					squares[f] += v * v
					count[f]++
				}
			}
			for f := range dim {
				m := sum[f] / count[f]
				if v := squares[f]/count[f] - m*m; math.Abs(m) > 0.08 || math.Abs(v-1) > 0.15 {
					t.Errorf("seed %d, code %d, feature %d: mean %.3f, variance %.3f", seed, k, f, m, v)
				}
			}
		}
		for i := range few {
			for f := range dim {
				if v := math.Abs(float64(z[i*dim+f])); v > 8 {
					t.Errorf("seed %d: an event of a rare code is at %.3g", seed, v)
				}
			}
		}
	}
}

// A context that says nothing makes events hardly less likely: the coefficients of many codes are not those of chance, which would cost
// a nat for every event of a code.
func TestContextAffineOfNothing(t *testing.T) {
	const n, fresh, dim, codes = 1000, 10_000, 6, 20
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 2))
		draw := func(n int) training.Data {
			d := training.Data{Dim: dim, Context: codes}
			for range n {
				c := make([]float32, codes)
				c[r.IntN(codes)] = 1
				d.C = append(d.C, c...)
				for range dim {
					d.X = append(d.X, float32(r.NormFloat64()))
				}
			}
			return d
		}
		f, err := New(dim, codes, 1, ContextAffine{})
		if err != nil {
			t.Fatal(err)
		}
		f.Start(t.Context(), draw(n), 1)
		d, logs := draw(fresh), make([]float64, fresh)
		if err := f.LogDensity(t.Context(), logs, d.X, d.C); err != nil {
			t.Fatal(err)
		}
		lost := 0.0
		for i := range logs {
			for _, v := range d.X[i*dim : (i+1)*dim] {
				lost -= (float64(v)*float64(v) + math.Log(2*math.Pi)) / 2 / fresh
			}
			lost -= logs[i] / fresh
		}
		if !(lost < 0.04) {
			t.Errorf("seed %d: %.3f nats are lost", seed, lost)
		}
	}
}
