package diffusion

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/training"
)

// draw draws n events of blobs, shifted by their context if there is one.
func (b blobs) draw(n int, seed uint64) training.Data {
	rnd := rand.New(rand.NewPCG(seed, 1))
	d := training.Data{Dim: b.dim, Context: b.context, X: make([]float32, n*b.dim), C: make([]float32, n*b.context)}
	for i := range n {
		u, k := rnd.Float64(), 0
		for u > b.w[k] && k < len(b.w)-1 {
			u -= b.w[k]
			k++
		}
		shift := 0.0
		if b.context > 0 {
			shift = rnd.NormFloat64()
			d.C[i] = float32(shift)
		}
		for j := range b.dim {
			d.X[i*b.dim+j] = float32(b.m[k][j] + b.s[k]*rnd.NormFloat64() + shift)
		}
	}
	return d
}

// logDensity is that of the events.
func (b blobs) logDensity(x, c []float32) []float64 {
	p := make([]float64, len(x)/b.dim)
	row := make([]float64, b.dim)
	for i := range p {
		for j := range row {
			row[j] = float64(x[i*b.dim+j])
			if b.context > 0 {
				row[j] -= float64(c[i])
			}
		}
		p[i], _, _ = b.posterior(row, 1, 0)
	}
	return p
}

// divergence is the mean of log truth − log model over events of the truth.
func divergence(t *testing.T, b blobs, m Model, n int) float64 {
	t.Helper()
	d := b.draw(n, 99)
	p := make([]float64, n)
	must(t, m.LogDensity(t.Context(), p, d.X, d.C))
	sum := 0.0
	for i, l := range b.logDensity(d.X, d.C) {
		sum += l - p[i]
	}
	return sum / float64(n)
}

func newKernels(t testing.TB, d training.Data, o KernelsOptions) *Kernels {
	t.Helper()
	k, err := NewKernels(d.Dim, d.Context, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Train(t.Context(), d, training.Data{}, training.Options{}); err != nil {
		t.Fatal(err)
	}
	return k
}

// TestKernelsDensity compares the closed form with the integral along the path, and with
// the truth.
func TestKernelsDensity(t *testing.T) {
	q := threeBlobs()
	k := newKernels(t, q.draw(3000, 1), KernelsOptions{Solver: Solver{Method: DPM3S, Steps: 60}})
	if d := divergence(t, q, k, 2000); !(math.Abs(d) < 0.05) {
		t.Errorf("KL(truth ‖ model) = %.3f", d)
	}
	x := q.draw(200, 2).X
	closed, path := make([]float64, 200), make([]float64, 200)
	must(t, k.LogDensity(t.Context(), closed, x, nil))
	if err := k.LogDensityByPath(t.Context(), path, x, nil); err != nil {
		t.Fatal(err)
	}
	for i, p := range path {
		if math.Abs(p-closed[i]) > 5e-3 {
			t.Fatalf("log p = %v in closed form, %v along the path", closed[i], p)
		}
	}
}

// TestDirectDraws compares draws from the mixture with solutions of the equation: the
// same distribution along each feature, and of log p.
func TestDirectDraws(t *testing.T) {
	q := threeBlobs()
	d := q.draw(1000, 1)
	d.W = make([]float32, 1000)
	for i := range d.W { // weights move the mean
		d.W[i] = 1 + max(0, d.X[2*i])
	}
	k := newKernels(t, d, KernelsOptions{})
	direct := k.Direct()
	const n = 8000
	a, b := make([]float32, 2*n), make([]float32, 2*n)
	must(t, k.Sample(t.Context(), a, nil, 1, 0, 0))
	must(t, direct.Sample(t.Context(), b, nil, 2, 0, 0))
	pa, pb := make([]float64, n), make([]float64, n)
	must(t, k.LogDensity(t.Context(), pa, a, nil))
	must(t, k.LogDensity(t.Context(), pb, b, nil))
	compare := func(what string, u, v []float64) {
		slices.Sort(u)
		slices.Sort(v)
		// 1.95 is exceeded once in a thousand times.
		if d := stat.KolmogorovSmirnov(u, nil, v, nil) * math.Sqrt(n/2); d > 1.95 {
			t.Errorf("%s: Kolmogorov's distance is %.2f of its width", what, d)
		}
	}
	compare("log p", pa, pb)
	for j := range 2 {
		u, v := make([]float64, n), make([]float64, n)
		for i := range n {
			u[i], v[i] = float64(a[2*i+j]), float64(b[2*i+j])
		}
		compare("a feature", u, v)
	}
}

// TestWidth wants the chosen width to be nearer to the truth than ones apart from it,
// and copies below it only.
func TestWidth(t *testing.T) {
	q := threeBlobs()
	d := q.draw(3000, 3)
	k := newKernels(t, d, KernelsOptions{})
	best := divergence(t, q, k, 4000)
	for _, factor := range []float64{0.5, 2} {
		other := newKernels(t, d, KernelsOptions{Width: ptr(k.Width() * factor)})
		if kl := divergence(t, q, other, 4000); kl < best {
			t.Errorf("KL(truth ‖ model) = %.4f with the width %.3f, %.4f with %.3f", best, k.Width(), kl, other.Width())
		}
	}
	x := make([]float32, 2*2000)
	must(t, k.Sample(t.Context(), x, nil, 1, 0, 0))
	own, err := k.Copies(t.Context(), x, nil)
	if err != nil || own > 0.03 {
		t.Errorf("%.3f copies (%v)", own, err)
	}
	if c, err := Copies(t.Context(), d.X, x, 2); err != nil || math.Abs(c-own) > 0.01 {
		t.Errorf("%.3f copies, the model says %.3f (%v)", c, own, err)
	}
	copies := newKernels(t, d, KernelsOptions{Width: ptr(0.0)})
	must(t, copies.Sample(t.Context(), x, nil, 1, 0, 0))
	if c, err := copies.Copies(t.Context(), x, nil); err != nil || c < 0.9 {
		t.Errorf("%.3f copies where the width is 0 (%v)", c, err)
	}
	p := make([]float64, 1)
	if must(t, copies.LogDensity(t.Context(), p, x[:2], nil)); !math.IsInf(p[0], -1) {
		t.Errorf("log p = %v where the width is 0", p[0])
	}
}

// TestKernelsContext learns events of two codes that are apart from each other, and one
// that has a single event.
func TestKernelsContext(t *testing.T) {
	q := threeBlobs()
	d := q.draw(2001, 1)
	d.Context, d.C = 2, make([]float32, 2*2001)
	for i := range 2001 {
		switch {
		case i == 2000:
			d.C[2*i+1] = 1
		case i%2 == 1:
			d.C[2*i] = 1
			d.X[2*i] += 10
		}
	}
	k := newKernels(t, d, KernelsOptions{})
	test := q.draw(1000, 2)
	p, c := make([]float64, 1000), make([]float32, 2*1000)
	for i := range 500 {
		c[2*i] = 1
		test.X[2*i] += 10
	}
	must(t, k.LogDensity(t.Context(), p, test.X, c))
	for i := range 500 {
		test.X[2*i] -= 10
	}
	kl := 0.0
	for i, l := range q.logDensity(test.X, nil) {
		kl += (l - p[i]) / 1000
	}
	// Over five seeds: 0.038 ± 0.010; five standard deviations are allowed.
	if !(kl > -0.013 && kl < 0.09) {
		t.Errorf("KL(truth ‖ model) = %.3f", kl)
	}
	x := make([]float32, 2*1000)
	must(t, k.Sample(t.Context(), x, c, 5, 0, 0))
	for i := range 1000 {
		if (x[2*i] > 5) != (i < 500) {
			t.Fatalf("event %d is %v with the context %v", i, x[2*i:2*i+2], c[2*i:2*i+2])
		}
	}
	part := make([]float32, 2*7)
	must(t, k.Sample(t.Context(), part, c[2*497:2*504], 5, 0, 497))
	if !slices.Equal(part, x[2*497:2*504]) {
		t.Error("events depend on the others")
	}
	same(t, k, x, c)
	if text, err := json.Marshal(k); err != nil {
		t.Fatal(err)
	} else if _, err := Load([]byte(strings.Replace(string(text), `"events":1000`, `"events":1001`, 1)), k.Tensors()); err == nil {
		t.Error("no error for events that do not fit the groups")
	}
	p = make([]float64, 1)
	must(t, k.LogDensity(t.Context(), p, x[:2], []float32{1, 1})) // never seen
	if math.IsNaN(p[0]) {
		t.Error("log p is NaN for a context that was never seen")
	}
	for i := range d.C {
		d.C[i] = float32(i)
	}
	if _, err := k.Train(t.Context(), d, training.Data{}, training.Options{}); err == nil || !strings.Contains(err.Error(), "few codes") {
		t.Errorf("error %v for a context of many values", err)
	}
}

// TestNearest compares with the distances in float64.
func TestNearest(t *testing.T) {
	x, y := cloud(2000, 3), diffuse(cloud(2000, 3), 50, 3, 1, 0.1)
	y = append(y, x[30:33]...)
	m, err := NewMixture(t.Context(), x, nil, 3, DefaultEpsilon)
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range m.Nearest(t.Context(), y) {
		want := math.Inf(1)
		for k := range 2000 {
			want = min(want, math.Sqrt(3)*distance(x[3*k:3*k+3], y[3*i:3*i+3]))
		}
		if math.Abs(got-want) > 1e-6*(1+want) {
			t.Errorf("row %d: the nearest is %v away, want %v", i, got, want)
		}
	}
}

// TestFew trains on samples that are hardly any.
func TestFew(t *testing.T) {
	for _, x := range [][]float32{{1}, {1, 2}, {3, 3, 3}, {1, 2, 1e6, 3, 4, 5, 6}, slices.Repeat([]float32{7}, 300)} {
		k := newKernels(t, training.Data{Dim: 1, X: x}, KernelsOptions{})
		y, p := make([]float32, 20), make([]float64, 20)
		must(t, k.Sample(t.Context(), y, nil, 1, 0, 0))
		must(t, k.LogDensity(t.Context(), p, y, nil))
		for i, v := range y {
			if v-v != 0 || p[i]-p[i] != 0 {
				t.Errorf("of %d events: %v with log p = %v", len(x), v, p[i])
			}
		}
	}
	k, err := NewKernels(1, 0, KernelsOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Train(t.Context(), training.Data{Dim: 1, X: []float32{1, 2}, W: []float32{1, -1}}, training.Data{}, training.Options{}); err == nil || !strings.Contains(err.Error(), "event 1 has the weight -1") {
		t.Errorf("error %v for a negative weight", err)
	}
	if _, err := k.Train(t.Context(), training.Data{Dim: 1}, training.Data{}, training.Options{}); err == nil {
		t.Error("no error without events")
	}
}

// TestRegressionGradient compares the gradient of the loss with differences of the loss.
func TestRegressionGradient(t *testing.T) {
	q := blobs{dim: 2, context: 1, w: []float64{1}, s: []float64{1}, m: [][]float64{{0, 0}}}
	d, err := NewDenoiser(2, 1, 1, DenoiserOptions{Hidden: []int{5, 4}})
	if err != nil {
		t.Fatal(err)
	}
	teacher := newKernels(t, training.Data{Dim: 2, X: q.draw(10, 1).X}, KernelsOptions{})
	s, err := NewDistilled(teacher, 1, DistilledOptions{Hidden: []int{5, 4}})
	if err != nil {
		t.Fatal(err)
	}
	over := overIslands(t, threeIslands().draw(500, 1), 2)
	basePosterior, err := NewDistilled(over, 1, DistilledOptions{Hidden: []int{5, 4}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		obj  training.Objective
		rows training.Data
	}{
		{(*regression)(d), q.draw(10, 5)},
		{(*regression)(over), training.Data{Dim: 3, X: noise(30)}},
		{(*imitation)(s), training.Data{Dim: 4, X: noise(40)}},
		{(*imitation)(basePosterior), training.Data{Dim: 9, X: noise(90)}},
	} {
		params := c.obj.Params()
		for i, v := range noise(len(params)) {
			params[i] += 0.3 * v
		}
		loss := func(grad []float32) float64 {
			c.obj.Pack(0, 1)
			rows := training.Rows{N: 10, X: slices.Clone(c.rows.X), C: slices.Clone(c.rows.C), W: make([]float32, 10), Index: make([]int32, 10), Pass: 3}
			for i := range 10 {
				rows.W[i], rows.Index[i] = float32(i), int32(3*i)
			}
			return c.obj.NewWorker().Loss(grad, rows)
		}
		grad := make([]float32, len(params))
		loss(grad)
		for i := range params {
			const h = 1e-2
			p := params[i]
			params[i] = p + h
			up := loss(nil)
			params[i] = p - h
			down := loss(nil)
			params[i] = p
			if want := (up - down) / (2 * h); math.Abs(float64(grad[i])-want) > 2e-2*(1+math.Abs(want)) {
				t.Fatalf("%T: ∂L/∂p[%d] = %v, want %v", c.obj, i, grad[i], want)
			}
		}
	}
}

// trainedDenoiser learns conditional blobs in about a second.
func trainedDenoiser(t testing.TB, q blobs, opts training.Options) *Denoiser {
	t.Helper()
	d, err := NewDenoiser(q.dim, q.context, 1, DenoiserOptions{Hidden: []int{48, 48}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Train(t.Context(), q.draw(20000, 1), q.draw(2000, 2), opts); err != nil {
		t.Fatal(err)
	}
	return d
}

// checkDivergence compares ∇·q of rows with differences of q, but where these have a knot
// of a table between them: there is no derivative, and the slopes before and behind
// differ.
func checkDivergence(t *testing.T, d *Denoiser, x, c []float32, alpha, sigma float64) {
	t.Helper()
	const h = 2e-3
	n := len(x) / d.dim
	m, div := make([]float32, len(x)), make([]float64, n)
	d.Mean(t.Context(), m, div, x, c, alpha, sigma)
	want, smooth := make([]float64, n), make([]bool, n)
	for i := range smooth {
		smooth[i] = true
	}
	for j := range d.dim {
		q, at := [2][]float32{}, [2][]float32{}
		for side, step := range []float32{-h, h} {
			at[side], q[side] = slices.Clone(x), make([]float32, len(x))
			for i := range n {
				at[side][i*d.dim+j] += step
			}
			d.Mean(t.Context(), q[side], nil, at[side], c, alpha, sigma)
		}
		for i := range n {
			k := i*d.dim + j
			slope := float64(q[1][k]-q[0][k]) / float64(at[1][k]-at[0][k])
			before := float64(m[k]-q[0][k]) / float64(x[k]-at[0][k])
			behind := float64(q[1][k]-m[k]) / float64(at[1][k]-x[k])
			want[i] += slope
			smooth[i] = smooth[i] && math.Abs(behind-before) < 0.01*(1+math.Abs(slope))
		}
	}
	compared := 0
	for i, v := range want {
		if !smooth[i] {
			continue
		}
		compared++
		if math.Abs(div[i]-v) > 0.01*(1+math.Abs(v)) {
			t.Errorf("α = %g, row %d: ∇·q = %v, want %v", alpha, i, div[i], v)
		}
	}
	if compared < n/2 {
		t.Errorf("α = %g: only %d of %d rows have a smooth q", alpha, compared, n)
	}
}

// TestDenoiser learns a conditional density and compares with the truth; its divergence
// with differences of q; rows alone with rows among others; and what is loaded with what
// was saved.
func TestDenoiser(t *testing.T) {
	q := threeBlobs()
	q.context = 1
	d := trainedDenoiser(t, q, training.Options{Epochs: 30, Rate: 3e-3, Average: 0.99})
	if kl := divergence(t, q, d, 1000); !(kl > -0.03 && kl < 0.2) {
		t.Errorf("KL(truth ‖ model) = %.3f", kl)
	}
	const n = 300
	rows := q.draw(n, 8)
	for _, at := range [][2]float64{{0.2, 0.8}, {0.9, 0.3}} {
		checkDivergence(t, d, noise(2*100), rows.C[:100], at[0], at[1])
	}
	x, part := make([]float32, 2*n), make([]float32, 2*7)
	must(t, d.Sample(t.Context(), x, rows.C, 5, 0, 0))
	must(t, d.Sample(t.Context(), part, rows.C[100:107], 5, 0, 100))
	if !slices.Equal(part, x[200:214]) {
		t.Error("events depend on the others")
	}
	same(t, d, x, rows.C)

	// A mean squared error of the map that is small beside the events' variance.
	s, err := NewDistilled(d, 1, DistilledOptions{Hidden: []int{48, 48}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.learn(t.Context(), rows, training.Options{Epochs: 4, Rate: 3e-3, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	if s.Loss() > 0.05 {
		t.Errorf("the map is off by %.3g of the variance", s.Loss())
	}
	must(t, s.Sample(t.Context(), x, rows.C, 5, 0, 0))
	must(t, s.Sample(t.Context(), part, rows.C[100:107], 5, 0, 100))
	if !slices.Equal(part, x[200:214]) {
		t.Error("events of the map depend on the others")
	}
	same(t, s, x, rows.C)
}

// same saves a model, loads it and wants the same events of seed 5 and densities.
func same(t *testing.T, m Model, x, c []float32) {
	t.Helper()
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	tensors := m.Tensors()
	again, err := Load(text, tensors)
	if err != nil {
		t.Fatal(err)
	}
	y := make([]float32, len(x))
	must(t, again.Sample(t.Context(), y, c, 5, 0, 0))
	if !slices.Equal(x, y) {
		t.Errorf("%v: the loaded model draws other events", m)
	}
	n := 10
	p, r := make([]float64, n), make([]float64, n)
	must(t, m.LogDensity(t.Context(), p, x[:n*m.Dim()], c[:n*m.Context()]))
	must(t, again.LogDensity(t.Context(), r, x[:n*m.Dim()], c[:n*m.Context()]))
	if !slices.Equal(p, r) {
		t.Errorf("%v: the loaded model has other densities", m)
	}
	for _, bad := range []string{"", "{}", `{"kind":"denoiser"}`, `{"kind":"kernels"}`, `{"kind":"distilled"}`, strings.Replace(string(text), `"mean":[`, `"mean":[1,`, 1)} {
		if _, err := Load([]byte(bad), tensors); err == nil {
			t.Errorf("no error for the description %.40q", bad)
		}
	}
	if _, err := Load(text, tensors[1:]); err == nil {
		t.Error("no error without a tensor")
	}
}

func TestKernelsFile(t *testing.T) {
	k := newKernels(t, training.Data{Dim: 3, X: cloud(3000, 3)}, KernelsOptions{Solver: Solver{Steps: 5}})
	x := make([]float32, 3*100)
	must(t, k.Sample(t.Context(), x, nil, 5, 0, 0))
	same(t, k, x, nil)
}

// choiceOf returns a choice between kernel sums and a denoiser that has hardly a parameter.
func choiceOf(t *testing.T, dim int, width *float64) Teacher {
	t.Helper()
	d, err := NewDenoiser(dim, 0, 1, DenoiserOptions{Hidden: []int{4}, Solver: Solver{Steps: 3}})
	if err != nil {
		t.Fatal(err)
	}
	k, err := NewKernels(dim, 0, KernelsOptions{Width: width, Solver: Solver{Steps: 3}})
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewEither(k, d)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestEither checks which teacher is chosen: a network that has learnt nothing is right for
// normals of many features, kernel sums for blobs, unless their events are copies.
func TestEither(t *testing.T) {
	normal := func(dim int) training.Data { return training.Data{Dim: dim, X: noise(600 * dim)} }
	islands := func(int) training.Data {
		d := threeBlobs().draw(600, 1)
		return training.Data{Dim: 2, X: d.X}
	}
	copied := func(int) training.Data { // the held-out events are the others
		return training.Data{Dim: 2, X: slices.Repeat(islands(2).X[:600], 2)}
	}
	narrow := 1e-4
	negative := func(int) training.Data {
		d := islands(2)
		d.W = slices.Repeat([]float32{1, 1, 1, -1}, 150)
		return d
	}
	for _, c := range []struct {
		name    string
		dim     int
		events  func(dim int) training.Data
		width   *float64 // of the kernels
		kernels bool
		want    string
	}{
		{"normal", 6, normal, nil, false, "more likely than under kernel sums"},
		{"too wide", 9, normal, nil, false, "up to 8 features, and there are 9"},
		{"blobs", 2, islands, nil, true, "more likely than under a denoiser"},
		{"copies", 2, copied, &narrow, false, "copies of training events"},
		{"negative", 2, negative, nil, false, "not tried with negative weights"},
	} {
		s, err := NewDistilled(choiceOf(t, c.dim, c.width), 1, DistilledOptions{Hidden: []int{4}})
		if err != nil {
			t.Fatal(err)
		}
		data := c.events(c.dim)
		n := data.Len() / 2
		train, valid := data, data
		train.X, valid.X = data.X[:n*c.dim], data.X[n*c.dim:]
		if data.W != nil {
			train.W, valid.W = data.W[:n], data.W[n:]
		}
		if _, err := s.Train(t.Context(), train, valid, training.Options{Epochs: 1, Batch: 1 << 14, Seed: 1}); err != nil {
			t.Fatal(err)
		}
		_, kernels := s.Teacher().(*Kernels)
		if choice := s.Choice(); kernels != c.kernels || choice.Kernels != c.kernels || !strings.Contains(choice.String(), c.want) {
			t.Errorf("%s: learnt from kernel sums: %v; %v", c.name, kernels, choice)
		}
		x := make([]float32, 20*c.dim)
		must(t, s.Sample(t.Context(), x, nil, 5, 0, 0))
		same(t, s, x, nil)
	}
	k, d := newKernels(t, training.Data{Dim: 3, X: cloud(300, 3)}, KernelsOptions{}), trainedDenoiser(t, threeBlobs(), training.Options{Epochs: 1})
	if _, err := NewEither(k, d); err == nil {
		t.Error("no error for teachers of 3 and 2 features")
	}
}

// TestDistilledResumes interrupts both parts of a training and goes on; the teacher stands
// over a mixture, or is chosen.
func TestDistilledResumes(t *testing.T) {
	mixture := func() Teacher {
		d, err := NewDenoiser(1, 0, 1, DenoiserOptions{Hidden: []int{4}, Components: 2, Solver: Solver{Steps: 3}})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	either := func() Teacher { return choiceOf(t, 1, nil) }
	for _, teacher := range []func() Teacher{mixture, either} {
		checkResumes(t, teacher)
	}
}

func checkResumes(t *testing.T, teacher func() Teacher) {
	t.Helper()
	q := blobs{dim: 1, w: []float64{0.5, 0.5}, s: []float64{0.3, 0.3}, m: [][]float64{{-1}, {1}}}
	train, valid := q.draw(500, 1), q.draw(200, 2)
	build := func() *Distilled {
		s, err := NewDistilled(teacher(), 1, DistilledOptions{Hidden: []int{4}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	opts := training.Options{Epochs: 1, Batch: 250}
	want := build()
	steps := 0
	counting := opts
	counting.Progress = func(training.Status) { steps++ }
	if _, err := want.Train(t.Context(), train, valid, counting); err != nil {
		t.Fatal(err)
	}
	for _, stop := range []int{1, steps / 2} {
		ctx, cancel := context.WithCancel(t.Context())
		var saved *training.Checkpoint
		made := 0
		o := opts
		o.Progress = func(training.Status) {
			if made++; made == stop {
				cancel()
			}
		}
		o.Save = func(c *training.Checkpoint) error {
			saved = mapVectors(c, slices.Clone[[]float32])
			return nil
		}
		if _, err := build().Train(ctx, train, valid, o); err == nil || saved == nil {
			t.Fatalf("after step %d: error %v, saved %v", stop, err, saved != nil)
		}
		again := build()
		o = opts
		o.Resume = saved
		if _, err := again.Train(t.Context(), train, valid, o); err != nil {
			t.Fatal(err)
		}
		for i, tensor := range want.Tensors() {
			if !slices.Equal(again.Tensors()[i].Value, tensor.Value) {
				t.Fatalf("stopped at step %d and resumed: %s differs", stop, tensor.Name)
			}
		}
		if !reflect.DeepEqual(again.opts, want.opts) {
			t.Errorf("stopped at step %d and resumed: %+v, want %+v", stop, again.opts, want.opts)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestForward compares log|det J| of the map from events to noise with finite differences in
// float64, for the smooth posterior means of kernel sums and of a network without tables; and the
// way back. The solver makes an error in both: it is an approximation of the derivative that it
// integrates, not of the solution.
func TestForward(t *testing.T) {
	q := threeBlobs()
	d := q.draw(800, 1)
	network, err := NewDenoiser(2, 0, 1, DenoiserOptions{Hidden: []int{16, 16}, Cells: -1})
	must(t, err)
	_, err = network.Train(t.Context(), d, training.Data{}, training.Options{Epochs: 5})
	must(t, err)
	for name, m := range map[string]Model{"kernel sums": newKernels(t, d, KernelsOptions{}), "denoiser": network} {
		const n, h = 50, 0.01
		x := q.draw(n, 2).X
		forward := func(dx, dy float32) (y []float32, logDet []float64) {
			y, logDet = slices.Clone(x), make([]float64, n)
			for i := range n {
				y[2*i] += dx
				y[2*i+1] += dy
			}
			must(t, m.Forward(t.Context(), y, [][]float64{logDet, logDet}, y, nil))
			return y, logDet
		}
		y, logDet := forward(0, 0)
		a, _ := forward(h, 0)
		b, _ := forward(-h, 0)
		c, _ := forward(0, h)
		e, _ := forward(0, -h)
		var off []float64
		for i := range n {
			slope := func(p, m []float32, k int) float64 { return float64(p[2*i+k]-m[2*i+k]) / (2 * h) }
			det := slope(a, b, 0)*slope(c, e, 1) - slope(a, b, 1)*slope(c, e, 0)
			off = append(off, math.Abs(math.Log(math.Abs(det))-logDet[i]))
		}
		slices.Sort(off)
		if !(off[n*9/10] < 0.02) {
			t.Errorf("%s: log|det J| differs from finite differences by %.2g, in one point of ten by more", name, off[n*9/10])
		}
		back := make([]float32, len(x))
		must(t, m.Inverse(t.Context(), back, y, nil))
		for i, v := range x {
			if math.Abs(float64(back[i]-v)) > 0.05 {
				t.Errorf("%s: %v comes back as %v", name, v, back[i])
			}
		}
	}
}

// TestPath compares rows on a path, at the times of its steps and between them, with those of many small
// steps; and its ends with noise and events.
func TestPath(t *testing.T) {
	q := threeBlobs()
	d := q.draw(500, 1)
	coarse, fine := newKernels(t, d, KernelsOptions{}), newKernels(t, d, KernelsOptions{Solver: Solver{Steps: 400}})
	const n = 40
	y, events := make([]float32, 2*n), make([]float32, 2*n)
	coarse.Noise(y, 1, 0, 0)
	must(t, coarse.Inverse(t.Context(), events, y, nil))
	times := append([]float64{0, 1, 0.9, 0.33, 0.61, 0.2}, coarse.times[7])
	path := func(k *Kernels) [][]float32 {
		at := make([][]float32, len(times))
		for i := range at {
			at[i] = make([]float32, 2*n)
		}
		must(t, k.Path(t.Context(), at, y, nil, times))
		return at
	}
	a, b := path(coarse), path(fine)
	noise := slices.Clone(y)
	coarse.unwhiten(t.Context(), noise, nil)
	if !slices.Equal(a[0], events) || !slices.Equal(a[1], noise) {
		t.Error("a path does not begin with noise, or not end with the event")
	}
	for k, x := range a {
		for i, v := range x {
			if math.Abs(float64(v-b[k][i])) > 0.02 {
				t.Errorf("at t = %.3g the solution is %v, with small steps %v", times[k], v, b[k][i])
			}
		}
	}
}
