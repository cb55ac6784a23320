package diffusion

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distmv"

	"github.com/eidolon-hep/eidolon/training"
)

// archipelago is a mixture of normals of any covariances, in float64.
type archipelago struct {
	dim   int
	share []float64
	mean  [][]float64
	cov   []*mat.SymDense
}

// threeIslands are apart from each other, and none of them is round.
func threeIslands() archipelago {
	return archipelago{
		dim: 3, share: []float64{0.5, 0.2, 0.3},
		mean: [][]float64{{2, 0, -1}, {-2, 1, 1}, {-1, -2, 0}},
		cov: []*mat.SymDense{
			mat.NewSymDense(3, []float64{0.30, 0.20, 0.05, 0.20, 0.25, 0, 0.05, 0, 0.02}),
			mat.NewSymDense(3, []float64{0.10, 0, 0.06, 0, 0.40, 0.10, 0.06, 0.10, 0.20}),
			mat.NewSymDense(3, []float64{0.05, 0.01, 0, 0.01, 0.05, 0.03, 0, 0.03, 0.30}),
		},
	}
}

// inNoise returns the normals of α x_0 + σ ε.
func (a archipelago) inNoise(alpha, sigma float64) (parts []*distmv.Normal) {
	for k, m := range a.mean {
		mean, cov := make([]float64, a.dim), mat.NewSymDense(a.dim, nil)
		for i := range a.dim {
			mean[i] = alpha * m[i]
			for j := range i + 1 {
				c := alpha * alpha * a.cov[k].At(i, j)
				if i == j {
					c += sigma * sigma
				}
				cov.SetSym(i, j, c)
			}
		}
		p, ok := distmv.NewNormal(mean, cov, nil)
		if !ok {
			panic("a covariance is not positive definite")
		}
		parts = append(parts, p)
	}
	return parts
}

// logDensity is log Σ π_k p_k(x).
func (a archipelago) logDensity(parts []*distmv.Normal, x []float64) float64 {
	logs, top := make([]float64, len(parts)), math.Inf(-1)
	for k, p := range parts {
		logs[k] = math.Log(a.share[k]) + p.LogProb(x)
		top = max(top, logs[k])
	}
	sum := 0.0
	for _, l := range logs {
		sum += math.Exp(l - top)
	}
	return top + math.Log(sum)
}

func (a archipelago) draw(n int, seed uint64) training.Data {
	rnd := rand.New(rand.NewPCG(seed, 1))
	chol := make([]mat.TriDense, len(a.share))
	for k, cov := range a.cov {
		var c mat.Cholesky
		c.Factorize(cov)
		c.LTo(&chol[k])
	}
	d := training.Data{Dim: a.dim}
	for range n {
		u, k := rnd.Float64(), 0
		for k < len(a.share)-1 && u > a.share[k] {
			u -= a.share[k]
			k++
		}
		z := make([]float64, a.dim)
		for i := range z {
			z[i] = rnd.NormFloat64()
		}
		for i, x := range a.mean[k] {
			for j := range i + 1 {
				x += chol[k].At(i, j) * z[j]
			}
			d.X = append(d.X, float32(x))
		}
	}
	return d
}

// normals returns the same mixture as a denoiser has it.
func (a archipelago) normals(t *testing.T) *normals {
	t.Helper()
	g := newNormals(a.dim, len(a.share))
	for k := range a.share {
		g.share[k] = float32(a.share[k])
		var eigen mat.EigenSym
		var axes mat.Dense
		eigen.Factorize(a.cov[k], true)
		eigen.VectorsTo(&axes)
		for j, v := range eigen.Values(nil) {
			g.mean[k*a.dim+j], g.variance[k*a.dim+j] = float32(a.mean[k][j]), float32(v)
			for i := range a.dim {
				g.axes[(k*a.dim+j)*a.dim+i] = float32(axes.At(i, j))
			}
		}
	}
	for i := range g.scale {
		g.scale[i] = 1
	}
	if err := g.finish(); err != nil {
		t.Fatal(err)
	}
	return g
}

// TestNormalsPosterior compares q with Tweedie's formula, (x + σ² ∇log p)/α, and ∇·q with
// that of the same, both by differences of the log-density in float64.
func TestNormalsPosterior(t *testing.T) {
	a := threeIslands()
	g := a.normals(t)
	s := g.newState()
	for _, at := range [][2]float64{{0.05, 1}, {0.4, 0.9}, {0.8, 0.6}, {0.95, 0.3}, {1, 0.05}} {
		alpha, sigma := at[0], at[1]
		parts := a.inNoise(alpha, sigma)
		x := a.draw(40, 3).X
		for i, e := range noise(len(x)) {
			x[i] = float32(alpha)*x[i] + float32(sigma)*e
		}
		q, div := make([]float32, len(x)), make([]float64, 40)
		g.at(s, alpha, sigma)
		g.evaluate(s, q, div, x)
		for r := range div {
			row := make([]float64, 3)
			for i := range row {
				row[i] = float64(x[3*r+i])
			}
			h := 1e-3 * sigma
			value := func(i int, d float64) float64 {
				y := slices.Clone(row)
				y[i] += d
				return a.logDensity(parts, y)
			}
			laplace := 0.0
			for i := range row {
				up, here, down := value(i, h), value(i, 0), value(i, -h)
				want := (row[i] + sigma*sigma*(up-down)/(2*h)) / alpha
				if got := float64(q[3*r+i]); math.Abs(got-want) > 1e-4/alpha {
					t.Fatalf("α = %g, σ = %g: q = %v, want %v", alpha, sigma, got, want)
				}
				laplace += (up - 2*here + down) / (h * h)
			}
			want := (3 + sigma*sigma*laplace) / alpha
			if math.Abs(div[r]-want) > 1e-3/alpha*(1+math.Abs(want)) {
				t.Fatalf("α = %g, σ = %g: ∇·q = %v, want %v", alpha, sigma, div[r], want)
			}
		}
	}
	// All noise: q is the mean of all events.
	g.at(s, 0, 1)
	q, div := make([]float32, 3), []float64{1}
	g.evaluate(s, q, div, []float32{3, -2, 1})
	for i, v := range q {
		want := 0.0
		for k, share := range a.share {
			want += share * a.mean[k][i]
		}
		if math.Abs(float64(v)-want) > 1e-5 || div[0] != 0 {
			t.Errorf("q = %v with divergence %v where α = 0, want %v and 0", v, div[0], want)
		}
	}
}

// overIslands is a denoiser over normals that were found, with the rest of its training
// still to come.
func overIslands(t *testing.T, train training.Data, components int) *Denoiser {
	t.Helper()
	d, err := NewDenoiser(train.Dim, 0, 1, DenoiserOptions{Hidden: []int{16}, Components: components})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.prepare(t.Context(), train); err != nil {
		t.Fatal(err)
	}
	if err := d.finish(); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDenoiserOverNormals finds islands: before any training the density is nearly the
// true one, whatever GOMAXPROCS is; the divergence is that of q, with what the network
// adds; and what is to be learnt has variance 1 at all times.
func TestDenoiserOverNormals(t *testing.T) {
	a := threeIslands()
	train := a.draw(30_000, 1)
	d := overIslands(t, train, 6)
	before := runtime.GOMAXPROCS(1)
	again := overIslands(t, train, 6)
	runtime.GOMAXPROCS(before)
	if !slices.Equal(d.base.params.Value, again.base.params.Value) {
		t.Error("the mixture depends on the number of threads")
	}
	const n = 2000
	fresh := a.draw(n, 2)
	p, truth := make([]float64, n), a.inNoise(1, 0)
	must(t, d.LogDensity(t.Context(), p, fresh.X, nil))
	kl := 0.0
	for i, l := range p {
		row := make([]float64, 3)
		for j := range row {
			row[j] = float64(fresh.X[3*i+j])
		}
		kl += (a.logDensity(truth, row) - l) / n
	}
	if !(math.Abs(kl) < 0.01) {
		t.Errorf("KL(truth ‖ mixture) = %.4f", kl)
	}

	white := d.whiten(t.Context(), fresh).X
	s := d.base.newState()
	for _, logSNR := range []float64{-5, -2, 0, 1, 2.2, 4, 6} {
		alpha, sigma := unit(logSNR)
		d.base.at(s, alpha, sigma)
		squares := 0.0
		for i := range n {
			x, left := slices.Clone(white[3*i:3*i+3]), slices.Clone(white[3*i:3*i+3])
			for j, e := range noise(3 * n)[3*i : 3*i+3] {
				x[j] = float32(alpha)*x[j] + float32(sigma)*e
			}
			d.base.residual(s, left, x, d.spread(alpha, sigma))
			for _, v := range left {
				squares += float64(v) * float64(v) / (3 * n)
			}
		}
		if math.Abs(squares-1) > 0.1 {
			t.Errorf("log(α/σ) = %g: what is to be learnt has the variance %.3f", logSNR, squares)
		}
	}

	for i, v := range noise(len(d.params.Value)) {
		d.params.Value[i] += 0.3 * v
	}
	d.net.Pack()
	for _, at := range [][2]float64{{0.2, 0.8}, {0.9, 0.3}} {
		checkDivergence(t, d, white[:300], nil, at[0], at[1])
	}
	x, part := make([]float32, 3*300), make([]float32, 3*7)
	must(t, d.Sample(t.Context(), x, nil, 5, 0, 0))
	must(t, d.Sample(t.Context(), part, nil, 5, 0, 100))
	if !slices.Equal(part, x[300:321]) {
		t.Error("events depend on the others")
	}
	same(t, d, x, nil)
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, tensor := range d.Tensors() {
		if name := tensor.Name; name == "base.share" || name == "base.variance" || name == "base.scale" {
			good := tensor.Value[1]
			tensor.Value[1] = -1
			if _, err := Load(text, d.Tensors()); err == nil {
				t.Errorf("no error for a negative value in %s", name)
			}
			tensor.Value[1] = good
		}
	}
}

// TestDistilledOutline takes a map's start, the solution for the mixture alone, for its
// teacher's events where the teacher's network adds nothing.
func TestDistilledOutline(t *testing.T) {
	const n = 1000
	d := overIslands(t, threeIslands().draw(30_000, 1), 4)
	s, err := NewDistilled(d, 1, DistilledOptions{Hidden: []int{8}})
	if err != nil {
		t.Fatal(err)
	}
	x, y := make([]float32, 3*n), make([]float32, 3*n)
	must(t, d.Sample(t.Context(), x, nil, 5, 0, 0))
	must(t, s.Sample(t.Context(), y, nil, 5, 0, 0))
	square := 0.0
	for i, v := range x {
		square += float64(v-y[i]) * float64(v-y[i]) / (3 * n)
	}
	if rms := math.Sqrt(square); !(rms < 0.1) { // fewer steps
		t.Errorf("the map starts %.3f from its teacher's events", rms)
	}
	for i, v := range noise(len(s.params.Value)) {
		s.params.Value[i] += 0.3 * v
	}
	s.net.Pack()
	must(t, s.Sample(t.Context(), y, nil, 5, 0, 0))
	part := make([]float32, 3*7)
	must(t, s.Sample(t.Context(), part, nil, 5, 0, 100))
	if !slices.Equal(part, y[300:321]) {
		t.Error("events of the map depend on the others")
	}
	same(t, s, y, nil)
}

// TestNormalsOfNastySamples finds normals among what is no mixture.
func TestNormalsOfNastySamples(t *testing.T) {
	far := noise(2 * 1000)
	far[17] = 1e6
	line := noise(2 * 1000)
	for i := range line {
		line[i] = line[i/2*2]
	}
	for name, x := range map[string][]float32{
		"two rows": {1, 2, 3, 4}, "equal rows": make([]float32, 200), "a line": line, "far away": far,
	} {
		d, err := NewDenoiser(2, 0, 1, DenoiserOptions{Hidden: []int{4}, Components: 5})
		if err != nil {
			t.Fatal(err)
		}
		data := training.Data{Dim: 2, X: x, W: make([]float32, len(x)/2)}
		data.W[0], data.W[1] = 1, 1
		for i := range data.W {
			data.W[i] = max(data.W[i], float32(i%3))
		}
		if _, err := d.Train(t.Context(), data, training.Data{}, training.Options{Epochs: 1}); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		y, p := make([]float32, 20), make([]float64, 10)
		must(t, d.Sample(t.Context(), y, nil, 1, 0, 0))
		must(t, d.LogDensity(t.Context(), p, y, nil))
		for i, v := range y {
			if v-v != 0 || p[i/2]-p[i/2] != 0 {
				t.Errorf("%s: %v with log p = %v", name, v, p[i/2])
			}
		}
	}
	d, err := NewDenoiser(2, 0, 1, DenoiserOptions{Components: 5})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Train(t.Context(), training.Data{Dim: 2, X: []float32{1, 2}}, training.Data{}, training.Options{Epochs: 1}); err == nil {
		t.Error("no error for a mixture of one event")
	}
}
