package diffusion

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/eidolon-hep/eidolon/kernels/philox"
)

// blobs is a mixture of normals whose posterior mean is known in closed form:
// component k has the weight w, the mean m and the width s in all dimensions.
type blobs struct {
	dim     int
	w, s    []float64
	m       [][]float64
	context int // when not 0, events are shifted by the context
}

func (b blobs) Dim() int     { return b.dim }
func (b blobs) Context() int { return b.context }

// posterior returns log p_t(x), q and ∇·q in float64.
func (b blobs) posterior(x []float64, alpha, sigma float64) (logp float64, q []float64, div float64) {
	logs, most := make([]float64, len(b.w)), math.Inf(-1)
	for k, w := range b.w {
		v := alpha*alpha*b.s[k]*b.s[k] + sigma*sigma
		logs[k] = math.Log(w) - float64(b.dim)/2*math.Log(2*math.Pi*v)
		for d, x := range x {
			logs[k] -= (x - alpha*b.m[k][d]) * (x - alpha*b.m[k][d]) / (2 * v)
		}
		most = max(most, logs[k])
	}
	q = make([]float64, b.dim)
	total, second := 0.0, 0.0
	for k := range b.w {
		r := math.Exp(logs[k] - most)
		v := alpha*alpha*b.s[k]*b.s[k] + sigma*sigma
		gain := alpha * b.s[k] * b.s[k] / v
		total += r
		second += r * float64(b.dim) * (b.s[k]*b.s[k] - gain*alpha*b.s[k]*b.s[k])
		for d, x := range x {
			c := b.m[k][d] + gain*(x-alpha*b.m[k][d])
			q[d] += r * c
			second += r * c * c
		}
	}
	second /= total
	for d := range q {
		q[d] /= total
		second -= q[d] * q[d]
	}
	return most + math.Log(total), q, alpha / (sigma * sigma) * second
}

func (b blobs) Mean(_ context.Context, q []float32, div []float64, x, c []float32, alpha, sigma float64) {
	row := make([]float64, b.dim)
	for i := range len(x) / b.dim {
		for d := range row {
			row[d] = float64(x[i*b.dim+d])
			if b.context > 0 {
				row[d] -= alpha * float64(c[i*b.context])
			}
		}
		_, mean, trace := b.posterior(row, alpha, sigma)
		for d, v := range mean {
			if b.context > 0 {
				v += float64(c[i*b.context])
			}
			q[i*b.dim+d] = float32(v)
		}
		if div != nil {
			div[i] = trace
		}
	}
}

// threeBlobs has about unit variance.
func threeBlobs() blobs {
	return blobs{dim: 2, w: []float64{0.5, 0.3, 0.2}, s: []float64{0.5, 0.3, 0.4},
		m: [][]float64{{-0.9, 0.3}, {0.8, 0.9}, {1, -1.2}}}
}

func noise(n int) []float32 {
	x := make([]float32, n)
	philox.Normal(x, 7, 0, 0)
	return x
}

// distance is the root mean square of the differences.
func distance(a, b []float32) float64 {
	sum := 0.0
	for i, v := range a {
		sum += float64(v-b[i]) * float64(v-b[i])
	}
	return math.Sqrt(sum / float64(len(a)))
}

func ptr[T any](v T) *T { return &v }

// solve returns where the noise ends at the given width.
func solve(t testing.TB, s Solver, q Posterior, x []float32, width float64) (end []float32, evaluations int) {
	t.Helper()
	times, err := s.Times(q, width)
	if err != nil {
		t.Fatal(err)
	}
	end = append(end, x...)
	evaluations, err = s.Solve(t.Context(), q, end, nil, nil, times)
	if err != nil {
		t.Fatal(err)
	}
	return end, evaluations
}

// solveBetween takes rows along the equation between a time where nearly all is noise and
// one where little is, in equal steps in log(α/σ) or in √t, and returns both times.
func solveBetween(t *testing.T, s Solver, q Posterior, x []float32, steps int, inRoot bool) (y []float32, from, to float64) {
	t.Helper()
	times := make([]float64, steps+1)
	for i := range times {
		f := float64(i) / float64(steps)
		if inRoot {
			times[i] = math.Pow(0.95-0.65*f, 2)
		} else {
			times[i], _ = s.Schedule.TimeAtLogSNR(-3 + 5*f)
		}
	}
	y = slices.Clone(x)
	if _, err := s.Solve(t.Context(), q, y, nil, nil, times); err != nil {
		t.Fatal(err)
	}
	return y, times[0], times[steps]
}

// orders are the orders that the methods must have, by name, and a number of steps at which
// these show above rounding.
var orders = map[string]struct{ order, steps int }{
	"euler": {1, 256}, "dpm1": {1, 256}, "heun": {2, 64}, "dpm2m": {2, 64}, "dpm2s": {2, 64}, "dpm3m": {3, 80}, "dpm3s": {3, 40},
}

func allSchedules(t *testing.T) []Schedule {
	t.Helper()
	return []Schedule{Linear(), Sqrt(), shiftedOf(t, 0.01)}
}

// TestOrders measures the orders of convergence where q is known.
func TestOrders(t *testing.T) {
	x := noise(6 * 100)
	// Two components close by each other, in three dimensions.
	two := blobs{dim: 3, w: []float64{0.4, 0.6}, s: []float64{0.5, 0.3}, m: [][]float64{{1, 0, -0.5}, {-0.5, 0.5, 0.2}}}
	for _, q := range []blobs{threeBlobs(), two} {
		for _, schedule := range allSchedules(t) {
			for m, row := range methods {
				must, ok := orders[row.name]
				if !ok {
					t.Fatalf("the order that %s must have is not among those of this test", row.name)
				}
				inRoot, steps := row.inTime, must.steps
				s := Solver{Method: Method(m), Schedule: schedule}
				want, _, _ := solveBetween(t, Solver{Method: DPM3S, Schedule: schedule}, q, x, map[bool]int{false: 160, true: 400}[inRoot], inRoot)
				y, _, _ := solveBetween(t, s, q, x, steps, inRoot)
				y2, _, _ := solveBetween(t, s, q, x, 2*steps, inRoot)
				e, e2 := distance(y, want), distance(y2, want)
				if order := math.Log2(e / e2); math.Abs(order-float64(must.order)) > 0.15 {
					t.Errorf("%d components, %v of %v: errors %.3g, %.3g at %d and %d steps: order %.2f, want %v", len(q.w), row.name, schedule, e, e2, steps, 2*steps, order, must.order)
				}
			}
		}
	}
}

// oneNormal is a single normal, whose paths are known: the place in units of the width,
// (x − α m)/√(α²s² + σ²), stays what it is.
func oneNormal() blobs {
	return blobs{dim: 2, w: []float64{1}, s: []float64{0.4}, m: [][]float64{{0.7, -1.1}}}
}

// path returns where x, at one time, is at another.
func (b blobs) path(x []float32, s Schedule, from, to float64) []float32 {
	width := func(t float64) float64 { return math.Hypot(s.Alpha(t)*b.s[0], s.Sigma(t)) }
	y := make([]float32, len(x))
	for i, v := range x {
		m := b.m[0][i%b.dim]
		y[i] = float32(s.Alpha(to)*m + width(to)/width(from)*(float64(v)-s.Alpha(from)*m))
	}
	return y
}

// TestOrdersOfANormal measures errors and orders against the closed form of the paths:
// no solver is its own witness.
func TestOrdersOfANormal(t *testing.T) {
	x, q := noise(2*200), oneNormal()
	for _, schedule := range allSchedules(t) {
		for m, row := range methods {
			must := orders[row.name]
			inRoot, steps := row.inTime, must.steps/2 // a single normal is easy
			s := Solver{Method: Method(m), Schedule: schedule}
			var errs [2]float64
			for k := range errs {
				y, from, to := solveBetween(t, s, q, x, steps<<k, inRoot)
				errs[k] = distance(y, q.path(x, schedule, from, to))
			}
			if order := math.Log2(errs[0] / errs[1]); math.Abs(order-float64(must.order)) > 0.2 {
				t.Errorf("%v of %v: errors %.3g, %.3g at %d and %d steps: order %.2f, want %v", row.name, schedule, errs[0], errs[1], steps, 2*steps, order, must.order)
			}
		}
		// Whole paths, from noise alone to a width.
		for m := range Method(len(methods)) {
			s := Solver{Method: m, Schedule: schedule, Steps: 200}
			times, err := s.Times(q, 0.1)
			if err != nil {
				t.Fatal(err)
			}
			y, _ := solve(t, s, q, x, 0.1)
			bound := 2e-4
			if orders[m.String()].order == 1 {
				bound = 2e-2
			}
			if e := distance(y, q.path(x, schedule, 1, times[len(times)-1])); !(e < bound) {
				t.Errorf("%v of %v: a whole path is off by %.2g", m, schedule, e)
			}
		}
	}
}

// TestWholePaths goes from t = 1, where α = 0, to a small width or to σ = 0, by each
// method on each grid, and wants an error of 1 % or less for 64 steps of order 2 or 3, 5 % for order 1.
func TestWholePaths(t *testing.T) {
	x, q := noise(2*200), threeBlobs()
	for _, width := range []float64{0.1, 0} {
		want, _ := solve(t, Solver{Method: DPM3S, Grid: ptr(Quadratic), Steps: 400}, q, x, width)
		for m := range Method(len(methods)) {
			for g := range Grid(len(grids)) {
				if width == 0 && grids[g].positive {
					continue
				}
				for _, schedule := range []Schedule{Linear(), Sqrt()} {
					got, _ := solve(t, Solver{Method: m, Grid: ptr(g), Steps: 64, Schedule: schedule}, q, x, width)
					bound := 0.01
					if orders[m.String()].order == 1 || schedule == Sqrt() {
						bound = 0.05
					}
					if e := distance(got, end(want, schedule, width)); !(e < bound) {
						t.Errorf("%v on %v of %v to %g: error %.2g", m, g, schedule, width, e)
					}
				}
			}
		}
	}
}

// TestTolerance wants errors that follow the tolerance: an error per step of h³ is kept
// at it, so the evaluations should grow as its power −1/3, and the error of the end, of
// order 3, in proportion to it.
func TestTolerance(t *testing.T) {
	x := noise(2 * 200)
	const loose, tight = 1e-2, 1e-5
	for _, schedule := range allSchedules(t) {
		for name, q := range map[string]blobs{"three": threeBlobs(), "one": oneNormal()} {
			var errs []float64
			var evaluations []int
			for tolerance := loose; tolerance > 0.5*tight; tolerance /= 10 {
				s := Solver{Tolerance: tolerance, Schedule: schedule}
				got, n := solve(t, s, q, x, 0.05)
				times, err := s.Times(q, 0.05)
				if err != nil {
					t.Fatal(err)
				}
				want := q.path(x, schedule, 1, times[len(times)-1])
				if name == "three" {
					want, _ = solve(t, Solver{Method: DPM3S, Schedule: schedule, Grid: ptr(Quadratic), Steps: 500}, q, x, 0.05)
				}
				e := distance(got, want)
				errs, evaluations = append(errs, e), append(evaluations, n)
				if e > tolerance {
					t.Errorf("%s of %v, tolerance %g: error %.2g after %d evaluations", name, schedule, tolerance, e, n)
				}
			}
			last := len(errs) - 1
			decades := math.Log10(loose / tight)
			cost := math.Log10(float64(evaluations[last])/float64(evaluations[0])) / decades
			gain := math.Log10(errs[0]/errs[last]) / decades
			if name == "one" {
				gain = 1 // so small an error is by chance
			}
			if math.Abs(cost-1./3) > 0.08 || math.Abs(gain-1) > 0.25 {
				t.Errorf("%s of %v: errors %.2g after %d evaluations: the latter go as the power −%.2f of the tolerance, the former as the power %.2f", name, schedule, errs, evaluations, cost, gain)
			}
		}
	}
}

// TestLogDensity integrates the divergence upwards from where the events are and
// compares with the closed form, by each method.
func TestLogDensityAlongThePath(t *testing.T) {
	q := threeBlobs()
	for m := range Method(len(methods)) {
		s := Solver{Method: m, Steps: 200}
		bound := 2e-3
		if m == DPM1 || m == Euler {
			s.Steps, bound = 1000, 2e-2
		}
		times, err := s.Times(q, 0.1)
		if err != nil {
			t.Fatal(err)
		}
		end := times[len(times)-1]
		x, _ := solve(t, Solver{}, q, noise(2*100), 0.1)
		want := make([]float64, 100)
		for i := range want {
			want[i], _, _ = q.posterior([]float64{float64(x[2*i]), float64(x[2*i+1])}, s.Schedule.Alpha(end), s.Schedule.Sigma(end))
		}
		slices.Reverse(times)
		logDet := make([]float64, 100)
		if _, err := s.Solve(t.Context(), q, x, nil, logDet, times); err != nil {
			t.Fatal(err)
		}
		worst := 0.0
		for i, ld := range logDet {
			a, b := float64(x[2*i]), float64(x[2*i+1])
			got := ld - (a*a+b*b)/2 - math.Log(2*math.Pi)
			worst = max(worst, math.Abs(got-want[i]))
		}
		if !(worst < bound) {
			t.Errorf("%v: log p is off by %.2g", m, worst)
		}
	}
}

// end converts where Linear ends at a width to where another schedule does.
func end(x []float32, s Schedule, width float64) []float32 {
	t, _ := s.TimeAtLogSNR(-math.Log(width))
	u, _ := Linear().TimeAtLogSNR(-math.Log(width))
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(float64(v) * s.Alpha(t) / Linear().Alpha(u))
	}
	return y
}

// How many evaluations of q each method takes for an error of at most 1e-3 of the events'
// spread, from events of three modes in noise to σ_min 0.1, in as few steps as suffice; and
// what the default solver and one with a tolerance make of it. Both methods of order 3
// take about as many; the default is the one that has a step for each evaluation.
func ExampleSolver() {
	q, noise := threeBlobs(), noise(2*200)
	run := func(s Solver) ([]float32, int) {
		times, err := s.Times(q, 0.1)
		if err != nil {
			fmt.Println(err)
			return nil, 0
		}
		x := slices.Clone(noise)
		evaluations, err := s.Solve(context.Background(), q, x, nil, nil, times)
		if err != nil {
			fmt.Println(err)
		}
		return x, evaluations
	}
	exact, _ := run(Solver{Method: DPM3S, Steps: 300})
	for m := range Method(len(methods)) {
		most := 64
		if m == DPM1 || m == Euler {
			most = 1024
		}
		fewest := 0
		for steps := most; ; steps -= (steps + 31) / 32 {
			x, evaluations := run(Solver{Method: m, Steps: steps})
			if distance(x, exact) > 1e-3 || steps == 1 {
				break
			}
			fewest = evaluations
		}
		fmt.Printf("%v: %d\n", m, fewest)
	}
	for _, s := range []Solver{{}, {Tolerance: 1e-3}} {
		x, evaluations := run(s)
		fmt.Printf("%d evaluations, error %.1e\n", evaluations, distance(x, exact))
	}
	// Output:
	// dpm3m: 27
	// dpm2m: 31
	// dpm1: 871
	// dpm2s: 50
	// dpm3s: 26
	// euler: 871
	// heun: 40
	// 26 evaluations, error 1.0e-03
	// 38 evaluations, error 3.7e-04
}
