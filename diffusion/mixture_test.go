package diffusion

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// cloud draws n events with structure: a few modes, a thin curved direction.
func cloud(n, dim int) []float32 {
	rnd := rand.New(rand.NewPCG(1, uint64(dim)))
	x := make([]float32, n*dim)
	for i := range n {
		row := x[i*dim : (i+1)*dim]
		mode, u := float64(rnd.IntN(3)-1), rnd.NormFloat64()
		for d := range row {
			switch d % 3 {
			case 0:
				row[d] = float32(mode + 0.3*u + 0.1*rnd.NormFloat64())
			case 1:
				row[d] = float32(math.Tanh(u) + 0.02*rnd.NormFloat64())
			default:
				row[d] = float32(rnd.NormFloat64())
			}
		}
	}
	return x
}

// diffuse draws rows near those of x as they are with α and σ.
func diffuse(x []float32, m, dim int, alpha, sigma float64) []float32 {
	rnd := rand.New(rand.NewPCG(2, 3))
	y := make([]float32, m*dim)
	for i := range m {
		from := rnd.IntN(len(x) / dim)
		for d := range dim {
			y[i*dim+d] = float32(alpha*float64(x[from*dim+d]) + sigma*rnd.NormFloat64())
		}
	}
	return y
}

// sums are the sums of a mixture in float64.
func sums(x, w, y []float32, dim int, alpha, sigma float64) (logSum float64, q []float64, variance float64) {
	n := len(x) / dim
	logs, most := make([]float64, n), math.Inf(-1)
	for i := range n {
		if w != nil {
			logs[i] = math.Log(float64(w[i]))
		}
		for d := range dim {
			u := (float64(y[d]) - alpha*float64(x[i*dim+d])) / sigma
			logs[i] -= u * u / 2
		}
		most = max(most, logs[i])
	}
	q = make([]float64, dim)
	total := 0.0
	for i := range n {
		p := math.Exp(logs[i] - most)
		total += p
		for d := range dim {
			q[d] += p * float64(x[i*dim+d])
		}
	}
	for d := range q {
		q[d] /= total
	}
	for i := range n {
		p := math.Exp(logs[i]-most) / total
		for d := range dim {
			u := float64(x[i*dim+d]) - q[d]
			variance += p * u * u
		}
	}
	return most + math.Log(total), q, variance
}

var times = [][2]float64{{0, 1}, {0.01, 1}, {0.1, 0.9}, {0.5, 0.5}, {0.8, 0.2}, {0.95, 0.05}, {1, 0.003}, {1, 1e-12}}

// TestMixture compares the tree's sums with float64 over all events, within the part
// that may be left out: what is left out, or replaced, moves log Σ w by epsilon, and
// means by epsilon of the events' size.
func TestMixture(t *testing.T) {
	const m = 40
	for _, dim := range []int{1, 2, 3, 8} {
		for _, n := range []int{1, 2, 16, 127, 129, 3000} {
			x := cloud(n, dim)
			for _, weighted := range []bool{false, true} {
				var w []float32
				if weighted {
					rnd := rand.New(rand.NewPCG(4, 5))
					for range n {
						w = append(w, float32(rnd.ExpFloat64()))
					}
					if n > 2 {
						w[1] = 0
					}
				}
				for _, epsilon := range []float64{0, 1e-5, 1e-2} {
					mix, err := NewMixture(t.Context(), x, w, dim, epsilon)
					if err != nil {
						t.Fatal(err)
					}
					for _, at := range times {
						y := diffuse(x, m, dim, at[0], at[1])
						q, div, logp := make([]float32, m*dim), make([]float64, m), make([]float64, m)
						mix.Mean(t.Context(), q, div, y, nil, at[0], at[1])
						mix.LogDensity(t.Context(), logp, y, at[0], at[1])
						for i := range m {
							logSum, mean, variance := sums(x, w, y[i*dim:(i+1)*dim], dim, at[0], at[1])
							logSum -= mix.logTotal + float64(dim)*math.Log(at[1]*math.Sqrt(2*math.Pi))
							// x/α is rounded in the kernels.
							slack := 2*epsilon + 1e-4 + 1e-6*math.Abs(logSum)
							if at[1] < 1e-9 {
								continue // only rounding errors decide here; see TestCopies
							}
							if math.Abs(logp[i]-logSum) > slack {
								t.Fatalf("dim %d, n %d, ε %g, %v: log p = %v, want %v", dim, n, epsilon, at, logp[i], logSum)
							}
							for d, want := range mean {
								if math.Abs(float64(q[i*dim+d])-want) > 8*epsilon+2e-5*math.Sqrt(float64(n)) && at[1] > 0.01 {
									t.Fatalf("dim %d, n %d, ε %g, %v: q = %v, want %v", dim, n, epsilon, at, q[i*dim+d], want)
								}
							}
							trace := div[i] * at[1] * at[1]
							if at[0] > 0 {
								trace /= at[0]
							} else {
								trace = variance
							}
							if math.Abs(trace-variance) > 60*epsilon+1e-4*(1+variance) {
								t.Fatalf("dim %d, n %d, ε %g, %v: trace %v, want %v", dim, n, epsilon, at, trace, variance)
							}
						}
					}
				}
			}
		}
	}
}

// TestRowsAreIndependent wants the same bits for a row alone, in another order and
// among others, although a tree decides what counts.
func TestRowsAreIndependent(t *testing.T) {
	const n, m = 6000, 300
	for _, dim := range []int{2, 8} {
		x := cloud(n, dim)
		mix, err := NewMixture(t.Context(), x, nil, dim, 1e-5)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range times {
			y := diffuse(x, m, dim, at[0], at[1])
			q, alone := make([]float32, m*dim), make([]float32, dim)
			mix.Mean(t.Context(), q, nil, y, nil, at[0], at[1])
			back, y2 := make([]float32, m*dim), make([]float32, m*dim)
			for i := range m {
				copy(y2[(m-1-i)*dim:(m-i)*dim], y[i*dim:])
			}
			mix.Mean(t.Context(), back, nil, y2, nil, at[0], at[1])
			for i := range m {
				if !slices.Equal(back[(m-1-i)*dim:(m-i)*dim], q[i*dim:(i+1)*dim]) {
					t.Fatalf("dim %d, %v: row %d depends on the order", dim, at, i)
				}
				if i%10 == 0 {
					mix.Mean(t.Context(), alone, nil, y[i*dim:(i+1)*dim], nil, at[0], at[1])
					if !slices.Equal(alone, q[i*dim:(i+1)*dim]) {
						t.Fatalf("dim %d, %v: row %d is %v alone, %v among others", dim, at, i, alone, q[i*dim:(i+1)*dim])
					}
				}
			}
		}
	}
}

// TestWhatIsLeftOut counts the pairs of rows and events: broad kernels in few
// dimensions and narrow ones in any take a small part.
func TestWhatIsLeftOut(t *testing.T) {
	for _, c := range []struct {
		dim   int
		sigma float64
		part  float64
	}{{2, 0.01, 0.15}, {2, 0.95, 0.75}, {1, 0.5, 0.25}, {8, 0.02, 0.25}} {
		const n, m = 40000, 2000
		x := cloud(n, c.dim)
		mix, err := NewMixture(t.Context(), x, nil, c.dim, 1e-5)
		if err != nil {
			t.Fatal(err)
		}
		alpha := 1 - c.sigma
		y := diffuse(x, m, c.dim, alpha, c.sigma)
		mix.Mean(t.Context(), make([]float32, len(y)), nil, y, nil, alpha, c.sigma)
		if part := float64(mix.Pairs()) / n / m; part > c.part {
			t.Errorf("dim %d, σ %g: %.3f of all pairs, want %g at most", c.dim, c.sigma, part, c.part)
		}
	}
}

// TestRecombine wants some of the events, with weights that are not negative, and the
// moments of all of them.
func TestRecombine(t *testing.T) {
	for _, dim := range []int{1, 2, 3, 4, 8, 16} {
		kept := polynomials(dim)
		last := kept[len(kept)-1]
		x := cloud(300, dim)
		for _, c := range []struct {
			name string
			x    []float32
			most int
		}{
			{"many", x, len(kept)},
			{"few", x[:20*dim], 20},
			{"twice each", append(slices.Clone(x[:100*dim]), x[:100*dim]...), min(100, len(kept))},
			{"two places", append(slices.Repeat(x[:dim], 150), slices.Repeat(x[dim:2*dim], 50)...), 2},
			{"all equal", slices.Repeat(x[:dim], 200), 1},
		} {
			rnd := rand.New(rand.NewPCG(7, 8))
			w := make([]float32, len(c.x)/dim)
			for i := range w {
				w[i] = float32(rnd.ExpFloat64())
			}
			xs, ws := recombine(c.x, w, kept)
			if len(ws) > c.most || len(xs) != len(ws)*dim {
				t.Errorf("dim %d, %s: %d events are left, want %d at most", dim, c.name, len(ws), c.most)
			}
			for i, v := range ws {
				if !(v > 0) {
					t.Fatalf("dim %d, %s: weight %v", dim, c.name, v)
				}
				found := false
				for j := range w {
					found = found || slices.Equal(xs[i*dim:(i+1)*dim], c.x[j*dim:(j+1)*dim])
				}
				if !found {
					t.Fatalf("dim %d, %s: %v is no event", dim, c.name, xs[i*dim:(i+1)*dim])
				}
			}
			middle, size := make([]float64, dim), 1e-3
			for d := range dim {
				low, high := c.x[d], c.x[d]
				for i := range w {
					low, high = min(low, c.x[i*dim+d]), max(high, c.x[i*dim+d])
				}
				middle[d] = float64(low+high) / 2
				size = max(size, float64(high-low)/2)
			}
			moment := func(x, w []float32, powers []int) float64 {
				sum := 0.0
				for i, v := range w {
					term := float64(v)
					for d, p := range powers {
						term *= math.Pow((float64(x[i*dim+d])-middle[d])/size, float64(p))
					}
					sum += term
				}
				return sum
			}
			total := moment(c.x, w, make([]int, dim))
			for _, powers := range kept {
				want, got := moment(c.x, w, powers)/total, moment(xs, ws, powers)/total
				if !(math.Abs(got-want) < 1e-6) {
					t.Fatalf("dim %d, %s: the moment %v is %v, want %v", dim, c.name, powers, got, want)
				}
			}
			if len(c.x) == len(x) { // a degree higher is not kept: the test can tell
				next := slices.Clone(last)
				next[dim-1]++
				if moment(c.x, w, next) == moment(xs, ws, next) {
					t.Errorf("dim %d: the moment %v is kept too", dim, next)
				}
			}
		}
	}
	for dim, degree := range map[int]int{1: 63, 2: 9, 3: 5, 4: 3, 5: 3, 6: 2, 16: 2} {
		if kept := polynomials(dim); kept[len(kept)-1][dim-1] != degree {
			t.Errorf("dim %d: moments up to %v", dim, kept[len(kept)-1])
		}
	}
	if polynomials(17) != nil {
		t.Error("coarser events in 17 dimensions")
	}
}

// TestOrderOfEvents wants the same coarser events whatever the order of those in a file.
func TestOrderOfEvents(t *testing.T) {
	const n, dim = 3000, 2
	x, w := cloud(n, dim), make([]float32, n)
	for i := range w {
		w[i] = 1 + float32(i%7)/7
	}
	m, err := NewMixture(t.Context(), x, w, dim, DefaultEpsilon)
	if err != nil {
		t.Fatal(err)
	}
	for i, j := range rand.New(rand.NewPCG(9, 9)).Perm(n) {
		w[i], w[j] = w[j], w[i]
		for d := range dim {
			x[i*dim+d], x[j*dim+d] = x[j*dim+d], x[i*dim+d]
		}
	}
	other, err := NewMixture(t.Context(), x, w, dim, DefaultEpsilon)
	if err != nil {
		t.Fatal(err)
	}
	levels := 0
	for c, o := m, other; c != nil || o != nil; c, o = c.coarser, o.coarser {
		if c == nil || o == nil || !slices.Equal(c.x, o.x) || !slices.Equal(c.w, o.w) || c.from != o.from {
			t.Fatalf("after %d levels they are not the same", levels)
		}
		levels++
	}
	if levels < 3 {
		t.Errorf("%d levels", levels)
	}
}

// TestHardEvents has one event, two, the same one many times, one that is far away, a
// row that is none.
func TestHardEvents(t *testing.T) {
	same := slices.Repeat([]float32{1, -2}, 1000)
	for _, c := range []struct {
		name string
		x    []float32
	}{
		{"one", []float32{1, -2}},
		{"two", []float32{1, -2, 0.5, 1}},
		{"duplicates", same},
		{"many duplicates", slices.Repeat([]float32{1, -2}, 10_000)},
		{"many in two places", append(slices.Repeat([]float32{1, -2}, 10_000), slices.Repeat([]float32{1, -2.5}, 3)...)},
		{"outlier", append(cloud(500, 2), 1e6, -1e6)},
	} {
		mix, err := NewMixture(t.Context(), c.x, nil, 2, 1e-5)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range times[1:7] {
			rows := diffuse(c.x, 10, 2, at[0], at[1])
			rows = append(rows, float32(1e6*at[0]), float32(-1e6*at[0]), 30, 30)
			q, logp := make([]float32, len(rows)), make([]float64, len(rows)/2)
			mix.Mean(t.Context(), q, nil, rows, nil, at[0], at[1])
			mix.LogDensity(t.Context(), logp, rows, at[0], at[1])
			for i := range logp {
				logSum, mean, _ := sums(c.x, nil, rows[2*i:2*i+2], 2, at[0], at[1])
				logSum -= mix.logTotal + 2*math.Log(at[1]*math.Sqrt(2*math.Pi))
				if !(math.Abs(logp[i]-logSum) < 1e-3+1e-5*math.Abs(logSum)) {
					t.Errorf("%s, %v: log p = %v, want %v", c.name, at, logp[i], logSum)
				}
				for d := range 2 {
					if got := float64(q[2*i+d]); !(math.Abs(got-mean[d]) < 2e-3*(1+math.Abs(mean[d]))) {
						t.Errorf("%s, %v: q = %v, want %v", c.name, at, got, mean[d])
					}
				}
			}
		}
		q := make([]float32, 2)
		mix.Mean(t.Context(), q, nil, []float32{float32(math.NaN()), 0}, nil, 0.5, 0.5)
		if q[0] == q[0] {
			t.Errorf("%s: q of NaN is %v", c.name, q)
		}
		end, _ := solve(t, Solver{}, mix, noise(20), 0)
		for i := range 10 { // σ = 0: a copy, or at a border the mean of two
			if !(distance(end[2*i:2*i+2], end[2*i:2*i+2]) == 0) {
				t.Errorf("%s: a path ends at %v", c.name, end[2*i:2*i+2])
			}
		}
	}
}

// TestEffective counts the events that a posterior mean is made of.
func TestEffective(t *testing.T) {
	m, err := NewMixture(t.Context(), []float32{-1, 1, 1, 40}, nil, 1, DefaultEpsilon)
	if err != nil {
		t.Fatal(err)
	}
	n := make([]float32, 3)
	m.Effective(t.Context(), n, []float32{0, 1, 40}, 1, 0.2)
	for i, want := range []float64{3, 2, 1} {
		if math.Abs(float64(n[i])-want) > 1e-3 {
			t.Errorf("row %d: %v effective events, want %v", i, n[i], want)
		}
	}
	m.Effective(t.Context(), n, []float32{0, 0, 0}, 1e-6, 1)
	if math.Abs(float64(n[0])-4) > 1e-3 {
		t.Errorf("%v effective events in nothing but noise, want 4", n[0])
	}
}

func TestMixtureErrors(t *testing.T) {
	for _, c := range []struct {
		x, w    []float32
		dim     int
		epsilon float64
		want    string
	}{
		{nil, nil, 1, 0, "do not make events"},
		{[]float32{1, 2, 3}, nil, 2, 0, "do not make events"},
		{[]float32{1, 2}, []float32{1}, 1, 0, "do not make events"},
		{[]float32{1, 2}, []float32{1, -1}, 1, 0, "event 1 has the weight -1"},
		{[]float32{1, 2}, []float32{0, 0}, 1, 0, "weight 0"},
		{[]float32{1, float32(math.NaN())}, nil, 1, 0, "feature 0 of event 1 is NaN"},
		{[]float32{1}, nil, 1, 1, "small number"},
	} {
		if _, err := NewMixture(t.Context(), c.x, c.w, c.dim, c.epsilon); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

// TestPrunedPaths compares the ends of whole paths with and without the tree and
// coarser events.
func TestPrunedPaths(t *testing.T) {
	for _, dim := range []int{2, 8} {
		const n, m = 30000, 100
		x := cloud(n, dim)
		brute, err := NewMixture(t.Context(), x, nil, dim, 0)
		if err != nil {
			t.Fatal(err)
		}
		pruned, err := NewMixture(t.Context(), x, nil, dim, DefaultEpsilon)
		if err != nil {
			t.Fatal(err)
		}
		y := noise(dim * m)
		want, _ := solve(t, Solver{}, brute, y, 0.1)
		got, evaluations := solve(t, Solver{}, pruned, y, 0.1)
		if e := distance(got, want); e > 1e-3 {
			t.Errorf("dim %d: the ends differ by %.2g", dim, e)
		}
		if part := float64(pruned.Pairs()) / float64(evaluations*n*m); part > 0.7 {
			t.Errorf("dim %d: %.2f of all pairs", dim, part)
		}
	}
}

func ExampleMixture() {
	ctx := context.Background()
	// The posterior mean of two events, halfway.
	m, err := NewMixture(ctx, []float32{-1, 1}, nil, 1, DefaultEpsilon)
	if err != nil {
		fmt.Println(err)
		return
	}
	q := make([]float32, 1)
	m.Mean(ctx, q, nil, []float32{0.25}, nil, 0.5, 0.5)
	fmt.Printf("%.4f %.4f\n", q[0], math.Tanh(0.25*0.5/(0.5*0.5)))
	// Output: 0.4621 0.4621
}
