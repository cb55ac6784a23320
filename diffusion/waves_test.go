package diffusion

import (
	"math"
	"testing"
)

// TestWavesOfNoisyAngles compares the waves with the mean over the angles that a noisy
// one may come from, and their slope with differences.
func TestWavesOfNoisyAngles(t *testing.T) {
	const mean, spread, period, count = 0.3, 1.7, 2.5, 6
	w := Waves{Angles: []int{0}, Period: period, Count: count}
	for _, logSNR := range []float64{-2, 0, 1, 3, 6} {
		alpha, sigma := unit(logSNR)
		v := w.waveOf(mean, spread, alpha, sigma)
		for _, x := range []float32{-2, -0.1, 0.4, 3} {
			var got, up, down, d [2 * count]float32
			v.forward(got[:], x)
			for i := range count {
				// A standard normal that is x after the noise was, on average, alpha·x, give
				// or take sigma.
				var sin, cos float64
				const n = 4000
				for j := range n {
					e := -8 + 16*(float64(j)+0.5)/n
					p := 16 / math.Sqrt(2*math.Pi) / n * math.Exp(-e*e/2)
					s, c := math.Sincos(2 * math.Pi * float64(i+1) / period * (mean + spread*(alpha*float64(x)+sigma*e)))
					sin, cos = sin+p*s, cos+p*c
				}
				if math.Abs(math.Sqrt2*sin-float64(got[2*i])) > 1e-5 || math.Abs(math.Sqrt2*cos-float64(got[2*i+1])) > 1e-5 {
					t.Fatalf("log α/σ = %g, wave %d of %g: %v, want %.6f, %.6f", logSNR, i+1, x, got[2*i:2*i+2], sin, cos)
				}
			}
			const h = 1.0 / 512
			v.forward(up[:], x+h)
			v.forward(down[:], x-h)
			for i := range d {
				clear(d[:])
				d[i] = 1
				if got, want := float64(v.backward(d[:], x)), float64(up[i]-down[i])/(2*h); math.Abs(got-want) > 2e-3*(1+math.Abs(want)) {
					t.Fatalf("log α/σ = %g, x = %g: slope %g of function %d, want %g", logSNR, x, got, i, want)
				}
			}
		}
	}
}

// withWaves returns a denoiser that has looked at events of which some features are
// angles, with parameters that are not those of a start.
func withWaves(t *testing.T, o DenoiserOptions) *Denoiser {
	t.Helper()
	d, err := NewDenoiser(3, 1, 1, o)
	if err != nil {
		t.Fatal(err)
	}
	rows := Data{Dim: 3, Context: 1, X: noise(300), C: noise(100)}
	for i := range rows.X { // not white
		if i%3 > 0 {
			rows.X[i] = 0.5*rows.X[i] + rows.X[i-1] + 1
		}
	}
	if err := d.adopt(t.Context(), rows, 1); err != nil {
		t.Fatal(err)
	}
	for i, v := range noise(len(d.params.Value)) {
		d.params.Value[i] += 0.2 * v
	}
	d.net.Pack()
	return d
}

// TestDivergenceOfWaves compares the divergence of a denoiser that reads waves with
// differences.
func TestDivergenceOfWaves(t *testing.T) {
	d := withWaves(t, DenoiserOptions{Hidden: []int{16, 16}, Cells: -1, Waves: Waves{Angles: []int{0, 2}, Period: 4, Count: 3}})
	x, c := noise(30), noise(10)
	for _, logSNR := range []float64{-1, 1, 3} {
		alpha, sigma := unit(logSNR)
		q, div := make([]float32, 30), make([]float64, 10)
		d.Mean(q, div, x, c, alpha, sigma)
		for i, got := range div {
			const h = 1.0 / 256
			want := 0.0
			for j := range 3 {
				row, up, down := make([]float32, 3), make([]float32, 3), make([]float32, 3)
				copy(row, x[3*i:])
				row[j] += h
				d.Mean(up, nil, row, c[i:i+1], alpha, sigma)
				row[j] -= 2 * h
				d.Mean(down, nil, row, c[i:i+1], alpha, sigma)
				want += float64(up[j]-down[j]) / (2 * h)
			}
			if math.Abs(got-want) > 5e-3*(1+math.Abs(want)) {
				t.Errorf("log α/σ = %g: divergence %g, want %g", logSNR, got, want)
			}
		}
	}
}

// TestWavesFile checks that a denoiser that reads waves, and a map that learnt from it, come
// back from their description and tensors.
func TestWavesFile(t *testing.T) {
	d := withWaves(t, DenoiserOptions{Hidden: []int{16, 16}, Waves: Waves{Angles: []int{0, 2}, Period: 4, Count: 3}})
	s, err := NewDistilled(d, 1, DistilledOptions{Hidden: []int{16}})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []Model{d, s} {
		x, c := make([]float32, 3*100), noise(100)
		m.Sample(x, c, 5, 0, 0)
		same(t, m, x, c)
	}
}

// TestComb trains on an angle and what jumps up and down twelve times around it: with
// waves, the jumps are where they belong. Without, 0.76 of the events are.
func TestComb(t *testing.T) {
	const teeth, n = 12, 20_000
	deviates := noise(2 * n)
	u, v := deviates[:n], deviates[n:]
	rows := Data{Dim: 2, X: make([]float32, 2*n)}
	for i := range n {
		angle := math.Erf(float64(u[i]) / math.Sqrt2) // uniform in (-1, 1)
		rows.X[2*i] = float32(math.Sqrt(3) * angle)
		rows.X[2*i+1] = 0.3*v[i] + float32(math.Copysign(1, math.Sin(teeth*math.Pi*angle)))
	}
	d, err := NewDenoiser(2, 0, 1, DenoiserOptions{Hidden: []int{32, 32}, Waves: Waves{Angles: []int{0}, Period: 2 * math.Sqrt(3), Count: 32}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Train(t.Context(), rows, Data{}, TrainOptions{Epochs: 30, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	const m = 4000
	x, right := make([]float32, 2*m), 0
	d.Sample(x, nil, 1, 0, 0)
	for i := range m {
		if (x[2*i+1] > 0) == (math.Sin(teeth*math.Pi*float64(x[2*i])/math.Sqrt(3)) > 0) {
			right++
		}
	}
	if share := float64(right) / m; !(share > 0.88) {
		t.Errorf("%.3f of the events are where they belong", share)
	}
}

// TestWavesCheck checks that what makes no sense is an error.
func TestWavesCheck(t *testing.T) {
	for _, w := range []Waves{
		{Angles: []int{0}, Period: 1},
		{Angles: []int{0}, Count: 3},
		{Angles: []int{1, 0}, Period: 1, Count: 3},
		{Angles: []int{1, 1}, Period: 1, Count: 3},
		{Angles: []int{-1}, Period: 1, Count: 3},
		{Angles: []int{2}, Period: 1, Count: 3},
		{Period: 1, Count: 3},
		{Angles: []int{0}, Period: math.Inf(1), Count: 3},
	} {
		if _, err := NewDenoiser(2, 0, 1, DenoiserOptions{Waves: w}); err == nil {
			t.Errorf("no error for %+v", w)
		}
	}
}

// withSizes returns a denoiser of two features, of which those are angles that go around
// from −2 to 2.
func withSizes(t *testing.T, angles ...int) *Denoiser {
	t.Helper()
	d, err := NewDenoiser(2, 0, 1, DenoiserOptions{Hidden: []int{8, 8}, Cells: -1, Width: 0.05, Waves: Waves{Angles: angles, Period: 4, Count: 2}})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.adopt(t.Context(), Data{Dim: 2, X: noise(400)}, 1); err != nil {
		t.Fatal(err)
	}
	for i, v := range noise(len(d.params.Value)) {
		d.params.Value[i] += 0.1 * v
	}
	d.net.Pack()
	return d
}

// TestDensityAcrossTheCut checks that the density near the cut is that on both sides, with
// two angles that on all four, and elsewhere that of the event.
func TestDensityAcrossTheCut(t *testing.T) {
	for _, angles := range [][]int{{0}, {0, 1}} {
		d := withSizes(t, angles...)
		both, one := make([]float64, 2), make([]float64, 5)
		d.LogDensity(both, []float32{1.9, -1.8, 1.5, 0.3}, nil)
		d.logDensity(one, []float32{1.9, -1.8, -2.1, -1.8, 1.9, 2.2, -2.1, 2.2, 1.5, 0.3}, nil)
		want := 0.0
		for _, log := range one[:2*len(angles)] {
			want += math.Exp(log)
		}
		if math.Abs(both[0]-math.Log(want)) > 1e-4 || both[1] != one[4] {
			t.Errorf("angles %v: log-densities %v near and far from the cut, want %g and %g", angles, both, math.Log(want), one[4])
		}
	}
}

// TestDensityWithSizes checks that the log-density of a denoiser with an angle integrates to
// 1, and that steps by a tolerance keep it where one feature is larger than others.
func TestDensityWithSizes(t *testing.T) {
	d := withSizes(t, 0)
	const n, reach = 120, 6.0
	x, p := make([]float32, 2*n*n), make([]float64, n*n)
	for i := range n {
		for j := range n {
			x[2*(i*n+j)] = reach * (2*(float32(i)+0.5)/n - 1)
			x[2*(i*n+j)+1] = reach * (2*(float32(j)+0.5)/n - 1)
		}
	}
	d.logDensity(p, x, nil)
	sum := 0.0
	for _, log := range p {
		sum += math.Exp(log) * (2 * reach / n) * (2 * reach / n)
	}
	if math.Abs(sum-1) > 0.01 {
		t.Errorf("the density integrates to %.4f", sum)
	}

	d.net.Init(1, 0) // F is zero: events are normal
	d.net.Pack()
	const tolerance = 1e-3
	path := func(s Solver) []float32 {
		times, err := s.Times(d, 0.05)
		if err != nil {
			t.Fatal(err)
		}
		y := noise(2 * 500)
		if err := s.along(d, d.sizes, y, nil, times); err != nil {
			t.Fatal(err)
		}
		return y
	}
	off := 0.0
	right := path(Solver{Method: DPM3S, Steps: 400})
	for i, v := range path(Solver{Tolerance: tolerance}) {
		off += math.Pow(float64(v-right[i]), 2) / float64(len(right))
	}
	if off = math.Sqrt(off); !(off < tolerance) {
		t.Errorf("steps with a tolerance of %g are off by %.2g, in the root mean square", tolerance, off)
	}
}
