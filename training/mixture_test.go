package training

import (
	"math"
	"testing"

	"github.com/eidolon-hep/eidolon/kernels/philox"
)

// normal is the density of one feature with a mean that is the sum of a parameter and of what its context has.
type normal struct{ mean []float32 }

func (d *normal) Params() []float32 { return d.mean }
func (d *normal) Pack(int, int)     {}
func (d *normal) NewWorker() Worker { return &normalWorker{of: d} }

type normalWorker struct {
	of    *normal
	delta []float32
}

func (w *normalWorker) LogDensity(dst []float64, rows Rows) {
	w.delta = w.delta[:0]
	for i, x := range rows.X {
		d := x - w.of.mean[0] - rows.C[i]
		dst[i] = -float64(d*d)/2 - math.Log(2*math.Pi)/2
		w.delta = append(w.delta, d)
	}
}

func (w *normalWorker) Backward(grad, weights []float32) {
	for i, weight := range weights {
		grad[0] -= weight * w.delta[i]
	}
}

func (w *normalWorker) Loss(grad []float32, rows Rows) float64 {
	p, loss := make([]float64, rows.N), 0.0
	w.LogDensity(p, rows)
	for i, weight := range rows.W {
		loss -= float64(weight) * p[i]
	}
	if grad != nil {
		w.Backward(grad, rows.W)
	}
	return loss
}

// twoNormals are events x of 0.3 N(−1, 1) + 0.7 N(2, ½), in the coordinates x and 2x + 1 of two normals.
func twoNormals(n int, seed uint64) (*Mixture, Data) {
	m := NewMixture([]MixturePart{{&normal{[]float32{-0.5}}, 1, 1, 0.5}, {&normal{[]float32{3}}, 1, 1, 0.5}})
	d := Data{Dim: m.Dim(), Context: m.Context(), X: make([]float32, 4*n), C: make([]float32, 2*n)}
	z, u := make([]float32, n), make([]float32, n)
	philox.Normal(z, seed, 0, 0)
	philox.Uniform(u, seed, 1, 0)
	for i, v := range z {
		x := v - 1
		if u[i] > 0.3 {
			x = v/2 + 2
		}
		copy(d.X[4*i:], []float32{x, 2*x + 1, 0, math.Ln2})
		d.C[2*i+1] = 1
	}
	return m, d
}

// TestMixtureGradient compares the gradient of a mixture with finite differences.
func TestMixtureGradient(t *testing.T) {
	m, d := twoNormals(Tile, 1)
	d.W = make([]float32, Tile)
	philox.Uniform(d.W, 1, 2, 0)
	w := m.NewWorker()
	loss := func(grad []float32) float64 {
		m.Pack(0, 1)
		return w.Loss(grad, newTile(d, 0).gather(&d, nil, 0, Tile))
	}
	p := m.Params()
	copy(p, []float32{-0.3, 3, 0.2, -0.4})
	grad := make([]float32, len(p))
	loss(grad)
	for j, at := range p {
		const h = 1e-2
		p[j] = at + h
		up := loss(nil)
		p[j] = at - h
		down := loss(nil)
		p[j] = at
		if want := (up - down) / (2 * h); math.Abs(float64(grad[j])-want) > 1e-2*(1+math.Abs(want)) {
			t.Errorf("the derivative with respect to parameter %d is %g, want %g", j, grad[j], want)
		}
	}
}

// TestFitOfMixture checks that the parts and the weights of a mixture are found.
func TestFitOfMixture(t *testing.T) {
	m, d := twoNormals(20_000, 2)
	if _, err := Fit(t.Context(), m, d, Data{}, Options{Epochs: 30, Rate: 1e-2}); err != nil {
		t.Fatal(err)
	}
	w := m.Weights()
	// The second mean is that of 2x + 1, less the 1 of its context.
	if p := m.Params(); math.Abs(w[0]-0.3) > 0.02 || math.Abs(float64(p[0])+1) > 0.05 || math.Abs(float64(p[1])-4) > 0.05 {
		t.Errorf("%.3f N(%.3f, 1) and a normal around %.3f, want 0.3, −1, and 4", w[0], p[0], p[1])
	}
}
