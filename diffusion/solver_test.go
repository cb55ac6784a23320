package diffusion

import (
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

func (b blobs) Mean(q []float32, div []float64, x, c []float32, alpha, sigma float64) {
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
	evaluations, err = s.Solve(q, end, nil, nil, times)
	if err != nil {
		t.Fatal(err)
	}
	return end, evaluations
}

// TestOrders measures the orders of convergence where q is known, between a time where
// nearly all is noise and one where little is, with equal steps in log(α/σ) or in √t.
func TestOrders(t *testing.T) {
	x := noise(6 * 100)
	// Two components close by each other, in three dimensions.
	two := blobs{dim: 3, w: []float64{0.4, 0.6}, s: []float64{0.5, 0.3}, m: [][]float64{{1, 0, -0.5}, {-0.5, 0.5, 0.2}}}
	solveIn := func(s Solver, q Posterior, steps int, inRoot bool) []float32 {
		times := make([]float64, steps+1)
		for i := range times {
			f := float64(i) / float64(steps)
			if inRoot {
				times[i] = math.Pow(0.95-0.65*f, 2)
			} else {
				times[i], _ = s.Schedule.TimeAtLogSNR(-3 + 5*f)
			}
		}
		y := slices.Clone(x)
		if _, err := s.Solve(q, y, nil, nil, times); err != nil {
			t.Fatal(err)
		}
		return y
	}
	for _, q := range []blobs{threeBlobs(), two} {
		for _, schedule := range []Schedule{Linear(), Sqrt()} {
			for _, c := range []struct {
				method Method
				order  float64
				steps  int
			}{
				{Euler, 1, 256}, {DPM1, 1, 256}, {Heun, 2, 64}, {DPM2M, 2, 64}, {DPM2S, 2, 64}, {DPM3M, 3, 80}, {DPM3S, 3, 40},
			} {
				inRoot := c.method == Euler || c.method == Heun
				s := Solver{Method: c.method, Schedule: schedule}
				want := solveIn(Solver{Method: DPM3S, Schedule: schedule}, q, map[bool]int{false: 160, true: 400}[inRoot], inRoot)
				e := distance(solveIn(s, q, c.steps, inRoot), want)
				e2 := distance(solveIn(s, q, 2*c.steps, inRoot), want)
				if order := math.Log2(e / e2); math.Abs(order-c.order) > 0.15 {
					t.Errorf("%d components, %v of %v: errors %.3g, %.3g at %d and %d steps: order %.2f, want %v", len(q.w), c.method, schedule, e, e2, c.steps, 2*c.steps, order, c.order)
				}
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
		for m := range Method(len(methodNames)) {
			for g := range Grid(len(gridNames)) {
				if width == 0 && (g == GeometricSigma || g == UniformLogSNR) {
					continue
				}
				for _, schedule := range []Schedule{Linear(), Sqrt()} {
					got, _ := solve(t, Solver{Method: m, Grid: ptr(g), Steps: 64, Schedule: schedule}, q, x, width)
					bound := 0.01
					if m == DPM1 || m == Euler || schedule == Sqrt() {
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

// TestTolerance wants errors that follow the tolerance, and steps that do.
func TestTolerance(t *testing.T) {
	x, q := noise(2*200), threeBlobs()
	want, _ := solve(t, Solver{Method: DPM3S, Grid: ptr(Quadratic), Steps: 400}, q, x, 0.05)
	before := 0
	for _, tolerance := range []float64{1e-2, 1e-3, 1e-4} {
		got, n := solve(t, Solver{Tolerance: tolerance}, q, x, 0.05)
		if e := distance(got, want); e > tolerance || n <= before || n > 150 {
			t.Errorf("tolerance %g: error %.2g after %d evaluations", tolerance, e, n)
		}
		before = n
	}
}

// TestLogDensity integrates the divergence upwards from where the events are and
// compares with the closed form, by each method.
func TestLogDensityAlongThePath(t *testing.T) {
	q := threeBlobs()
	for m := range Method(len(methodNames)) {
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
		if _, err := s.Solve(q, x, nil, logDet, times); err != nil {
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

// How far a path ends from where it should, for the default solver and for Heun's method:
// events of three modes, σ_min 0.1.
func ExampleSolver() {
	q, noise := threeBlobs(), noise(2*200)
	run := func(s Solver) ([]float32, int) {
		times, err := s.Times(q, 0.1)
		if err != nil {
			fmt.Println(err)
			return nil, 0
		}
		x := slices.Clone(noise)
		evaluations, err := s.Solve(q, x, nil, nil, times)
		if err != nil {
			fmt.Println(err)
		}
		return x, evaluations
	}
	exact, _ := run(Solver{Method: DPM3S, Steps: 300})
	for _, s := range []Solver{{}, {Method: Heun, Steps: 20}, {Method: DPM1, Steps: 40}, {Tolerance: 1e-3}} {
		x, evaluations := run(s)
		fmt.Printf("%v: %d evaluations, error %.0e\n", s.Method, evaluations, distance(x, exact))
	}
	// Output:
	// dpm3m: 26 evaluations, error 1e-03
	// heun: 40 evaluations, error 9e-04
	// dpm1: 40 evaluations, error 2e-02
	// dpm3m: 38 evaluations, error 4e-04
}
