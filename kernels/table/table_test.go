package table

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/eidolon-hep/eidolon/kernels/internal/guard"
)

const epsilon = 0x1p-24 // the relative error of one rounding

// shape is the sizes of a call.
type shape struct{ m, k, stride, cells, n int }

// shapes are all n about the panels of the assembly, all k about its vectors of places,
// rows about its blocks, one cell and many.
func shapes(f func(s shape)) {
	for n := range 20 {
		f(shape{5, 3, 3, 7, n})
		f(shape{2, 8, 9, 1, n})
	}
	for _, n := range []int{24, 31, 32, 33, 47, 63, 64, 65, 72, 100, 127, 128, 136, 256} {
		f(shape{3, 2, 4, 16, n})
	}
	for k := range 26 {
		f(shape{3, k, k, 5, 9})
		f(shape{4, k, k + 3, 2, 16})
	}
	for _, m := range []int{0, 1, 2, 20, 21, 22, 43, 63, 64, 65, 130} {
		f(shape{m, 8, 11, 16, 10})
		f(shape{m, 20, 20, 64, 4})
	}
	for _, k := range []int{63, 64, 65, 130} {
		f(shape{9, k, k + 1, 3, 8})
	}
	f(shape{300, 1, 1, 128, 16})
}

// problem is random numbers for all arguments, each between guards.
type problem struct {
	shape
	y, x, t, dy, dx, dt guard.Slice[float32]
}

func newProblem(rnd *rand.Rand, s shape) *problem {
	normal := func(n int) guard.Slice[float32] { return guard.Normal[float32](rnd, n) }
	size := Len(s.k, s.cells, s.n)
	return &problem{s, normal(s.m * s.n), normal(s.m * s.stride), normal(size), normal(s.m * s.n), normal(s.m * s.stride), normal(size)}
}

func seeded(s shape) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(s.m*1000+s.k), uint64(s.n*1000+s.cells)))
}

func (p *problem) forward() {
	Forward(p.y.Inside, p.x.Inside, p.t.Inside, p.m, p.k, p.stride, p.cells, p.n)
}

func (p *problem) backward() {
	Backward(p.dx.Inside, p.dt.Inside, p.dy.Inside, p.x.Inside, p.t.Inside, p.m, p.k, p.stride, p.cells, p.n)
}

func (p *problem) filled(t *testing.T) {
	t.Helper()
	for i, s := range []guard.Slice[float32]{p.y, p.x, p.t, p.dy, p.dx, p.dt} {
		s.Filled(t, fmt.Sprintf("%+v: slice %d", p.shape, i))
	}
}

// position is how many cells x is from the first knot, and the derivative of that.
func position(x float64, cells int) (at, slope float64) {
	u := 1 / (1 + math.Exp(-1.702*x))
	return u * float64(cells), 1.702 * u * (1 - u) * float64(cells)
}

// error of a position, in cells: that of a sigmoid in float32, and a few roundings.
func (s shape) positionError() float64 { return 8 * 2 * epsilon * float64(s.cells) }

// value is T(x), column j of input l, in float64.
func (p *problem) value(l, j int, x float64) float64 {
	at, _ := position(x, p.cells)
	cell := min(int(at), p.cells-1)
	low := float64(p.t.Inside[(l*(p.cells+1)+cell)*p.n+j])
	high := float64(p.t.Inside[(l*(p.cells+1)+cell+1)*p.n+j])
	return low + (at-float64(cell))*(high-low)
}

func near(t *testing.T, s shape, what string, at int, got float32, want, bound float64) {
	t.Helper()
	if !(math.Abs(float64(got)-want) <= bound) {
		t.Fatalf("%+v: %s[%d] = %v, want %v ± %.2g", s, what, at, got, want, bound)
	}
}

// TestForward compares with float64. A table's numbers are below 5, so that between two
// knots it rises by less than 10.
func TestForward(t *testing.T) {
	shapes(func(s shape) {
		p := newProblem(seeded(s), s)
		start, twin := append([]float32(nil), p.y.Inside...), append([]float32(nil), p.y.Inside...)
		p.forward()
		forwardPure(twin, p.x.Inside, p.t.Inside, s.m, s.k, s.stride, s.cells, s.n)
		p.filled(t)
		bound := float64(s.k) * 10 * (s.positionError() + float64(s.k+2)*epsilon)
		for i, y := range start {
			want := float64(y)
			for l := range s.k {
				want += p.value(l, i%s.n, float64(p.x.Inside[i/s.n*s.stride+l]))
			}
			near(t, s, "y", i, p.y.Inside[i], want, bound)
			near(t, s, "twin's y", i, twin[i], want, bound)
		}
	})
}

// TestGradTables compares dt with float64. Where a row's place is at a knot to rounding,
// the cell may be that before or behind; dt is the same to rounding.
func TestGradTables(t *testing.T) {
	shapes(func(s shape) {
		p := newProblem(seeded(s), s)
		start := append([]float32(nil), p.dt.Inside...)
		want, size := make([]float64, len(start)), make([]float64, len(start))
		for i := range s.m {
			for l := range s.k {
				at, _ := position(float64(p.x.Inside[i*s.stride+l]), s.cells)
				cell := min(int(at), s.cells-1)
				f := at - float64(cell)
				for j := range s.n {
					d := float64(p.dy.Inside[i*s.n+j])
					to := (l*(s.cells+1)+cell)*s.n + j
					want[to] += (1 - f) * d
					want[to+s.n] += f * d
					for knot := max(cell-1, 0); knot <= min(cell+2, s.cells); knot++ {
						size[(l*(s.cells+1)+knot)*s.n+j] += math.Abs(d)
					}
				}
			}
		}
		twin, alone := append([]float32(nil), start...), append([]float32(nil), start...)
		p.backward()
		backwardPure(nil, twin, p.dy.Inside, p.x.Inside, p.t.Inside, s.m, s.k, s.stride, s.cells, s.n)
		Backward(nil, alone, p.dy.Inside, p.x.Inside, p.t.Inside, s.m, s.k, s.stride, s.cells, s.n)
		p.filled(t)
		for i, w := range want {
			w += float64(start[i])
			bound := size[i]*(s.positionError()+epsilon*float64(s.m+2)) + epsilon*float64(2*s.m+1)*math.Abs(float64(start[i]))
			near(t, s, "dt", i, p.dt.Inside[i], w, bound)
			near(t, s, "twin's dt", i, twin[i], w, bound)
			near(t, s, "dt without dx", i, alone[i], float64(p.dt.Inside[i]), 0)
		}
	})
}

// TestGradInput compares dx with central differences in float64 of L = Σ dy·y, within the
// cell: at a knot there is no derivative. Columns that are no inputs stay as they are.
func TestGradInput(t *testing.T) {
	const h = 1e-6
	shapes(func(s shape) {
		p := newProblem(seeded(s), s)
		for i := range p.x.Inside {
			for l := i % s.stride; l < s.k; {
				at, _ := position(float64(p.x.Inside[i]), s.cells)
				if to := math.Abs(at - math.Round(at)); to > 10*s.positionError()+10*h*float64(s.cells) {
					break
				}
				p.x.Inside[i] += 0.01
			}
		}
		start, twin := append([]float32(nil), p.dx.Inside...), append([]float32(nil), p.dx.Inside...)
		p.backward()
		alone := append([]float32(nil), start...)
		backwardPure(twin, p.dt.Inside, p.dy.Inside, p.x.Inside, p.t.Inside, s.m, s.k, s.stride, s.cells, s.n)
		Backward(alone, nil, p.dy.Inside, p.x.Inside, p.t.Inside, s.m, s.k, s.stride, s.cells, s.n)
		p.filled(t)
		for i, d := range start {
			want, bound := float64(d), 0.0
			if l := i % s.stride; l < s.k {
				x := float64(p.x.Inside[i])
				_, slope := position(x, s.cells)
				for j := range s.n {
					dy := float64(p.dy.Inside[i/s.stride*s.n+j])
					want += dy * (p.value(l, j, x+h) - p.value(l, j, x-h)) / (2 * h)
					bound += 10 * math.Abs(dy)
				}
				bound *= slope*float64(s.n+16)*epsilon + 1.702*s.positionError() + 1e-8
				bound += 2 * epsilon * (math.Abs(float64(d)) + math.Abs(want))
			}
			near(t, s, "dx", i, p.dx.Inside[i], want, bound)
			near(t, s, "twin's dx", i, twin[i], want, bound)
			near(t, s, "dx without dt", i, alone[i], float64(p.dx.Inside[i]), 0)
		}
	})
}

// TestLinear takes tables that are the knots themselves: their functions are the places.
func TestLinear(t *testing.T) {
	const m, cells, n = 1001, 32, 9
	x, y, knots := make([]float32, m), make([]float32, m*n), make([]float32, Len(1, cells, n))
	for i := range x {
		x[i] = float32(i-m/2) / 50
	}
	for i := range knots {
		knots[i] = float32(i / n)
	}
	Forward(y, x, knots, m, 1, 1, cells, n)
	s := shape{m, 1, 1, cells, n}
	for i, got := range y {
		want, _ := position(float64(x[i/n]), cells)
		near(t, s, "y", i, got, want, s.positionError())
	}
}

// TestRowsAreIndependent takes every row alone, and asks for the same bits.
func TestRowsAreIndependent(t *testing.T) {
	shapes(func(s shape) {
		a, b := newProblem(seeded(s), s), newProblem(seeded(s), s)
		a.forward()
		a.backward()
		for i := range s.m {
			rows, in := b.y.Inside[i*s.n:(i+1)*s.n], b.x.Inside[i*s.stride:(i+1)*s.stride]
			Forward(rows, in, b.t.Inside, 1, s.k, s.stride, s.cells, s.n)
			Backward(b.dx.Inside[i*s.stride:(i+1)*s.stride], b.dt.Inside, b.dy.Inside[i*s.n:(i+1)*s.n], in, b.t.Inside, 1, s.k, s.stride, s.cells, s.n)
		}
		same(t, s, "y", b.y.Inside, a.y.Inside)
		same(t, s, "dx", b.dx.Inside, a.dx.Inside)
		same(t, s, "dt", b.dt.Inside, a.dt.Inside)
	})
}

func same(t *testing.T, s shape, what string, got, want []float32) {
	t.Helper()
	for i, w := range want {
		if math.Float32bits(got[i]) != math.Float32bits(w) && (got[i] == got[i] || w == w) {
			t.Fatalf("%+v: %s[%d] = %v, want %v", s, what, i, got[i], w)
		}
	}
}

// TestExtremes has inputs far out: the functions end at their first and last knots, and
// have no slope there.
func TestExtremes(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, s := range []shape{{1, 1, 1, 1, 5}, {1, 1, 1, 64, 64}, {1, 1, 1, 100, 17}} {
		for _, x := range []float32{inf, 100, math.MaxFloat32, -100, -math.MaxFloat32, -inf} {
			p := newProblem(seeded(s), s)
			clear(p.y.Inside)
			clear(p.dx.Inside)
			p.x.Inside[0] = x
			p.forward()
			p.backward()
			p.filled(t)
			knot := p.t.Inside[:s.n]
			if x > 0 {
				knot = p.t.Inside[s.cells*s.n:]
			}
			for j, want := range knot {
				near(t, s, "y", j, p.y.Inside[j], float64(want), 1e-6)
			}
			near(t, s, "dx", 0, p.dx.Inside[0], 0, 1e-20)
		}
	}
}

// TestBadRow puts NaN and ±Inf into one row. Its NaN is found in its results and in the
// first cell's gradient; the other rows do not notice.
func TestBadRow(t *testing.T) {
	s := shape{20, 9, 10, 6, 13}
	for bad := range s.m {
		for _, value := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			a, b := newProblem(seeded(s), s), newProblem(seeded(s), s)
			l := bad % s.k
			b.x.Inside[bad*s.stride+l] = float32(value)
			for _, p := range []*problem{a, b} {
				p.forward()
				p.backward()
				for _, c := range []guard.Slice[float32]{p.y, p.dx, p.dt} {
					c.Intact(t, "a bad row")
				}
			}
			for i := range s.m {
				if i == bad {
					continue
				}
				same(t, s, "y", b.y.Inside[i*s.n:][:s.n], a.y.Inside[i*s.n:][:s.n])
				same(t, s, "dx", b.dx.Inside[i*s.stride:][:s.stride], a.dx.Inside[i*s.stride:][:s.stride])
			}
			for j, y := range b.y.Inside[bad*s.n:][:s.n] {
				if (y != y) != math.IsNaN(value) {
					t.Fatalf("%v came out as y[%d] = %v", value, j, y)
				}
			}
			for i, d := range b.dt.Inside {
				knot := i / s.n
				in := knot == l*(s.cells+1) || knot == l*(s.cells+1)+1
				if (d != d) != (in && math.IsNaN(value)) {
					t.Fatalf("%v came into dt[%d] as %v", value, i, d)
				}
			}
		}
	}
}

// TestPageEnd reads and writes up to the end of readable memory, at both ends of the tables.
func TestPageEnd(t *testing.T) {
	const most, cells = 10 * 20 * 4, 3
	var end [6]func(n int) []float32
	for i := range end {
		end[i] = guard.AtPageEnd[float32](t, most)
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for n := 1; n <= 20; n++ {
		for k := 1; k <= 10; k++ {
			for m := 1; m <= 9; m += 4 {
				y, x, dy, dx := end[0](m*n), end[1](m*k), end[2](m*n), end[3](m*k)
				tables, dt := end[4](Len(k, cells, n)), end[5](Len(k, cells, n))
				for i := range x {
					x[i] = []float32{inf, 3, -inf, nan, 0}[i%5]
				}
				Forward(y, x, tables, m, k, k, cells, n)
				Backward(dx, dt, dy, x, tables, m, k, k, cells, n)
				Backward(nil, dt, dy, x, tables, m, k, k, cells, n)
				Backward(dx, nil, dy, x, tables, m, k, k, cells, n)
			}
		}
	}
}

// FuzzElement compares one number among others with the twin.
func FuzzElement(f *testing.F) {
	f.Add(float32(0), uint8(16), uint8(8), uint8(3))
	f.Add(float32(1e-40), uint8(1), uint8(5), uint8(1))
	f.Add(float32(-30), uint8(100), uint8(70), uint8(9))
	f.Add(float32(math.NaN()), uint8(3), uint8(17), uint8(8))
	f.Add(float32(math.Inf(1)), uint8(255), uint8(3), uint8(20))
	f.Fuzz(func(t *testing.T, x float32, cells, n, k uint8) {
		s := shape{3, int(k%30) + 1, int(k%30) + 2, int(cells) + 1, int(n) + 1}
		p := newProblem(seeded(s), s)
		p.x.Inside[s.stride+s.k-1] = x
		twin, grad := append([]float32(nil), p.y.Inside...), append([]float32(nil), p.dt.Inside...)
		p.forward()
		p.backward()
		forwardPure(twin, p.x.Inside, p.t.Inside, s.m, s.k, s.stride, s.cells, s.n)
		backwardPure(nil, grad, p.dy.Inside, p.x.Inside, p.t.Inside, s.m, s.k, s.stride, s.cells, s.n)
		for _, c := range []guard.Slice[float32]{p.y, p.x, p.t, p.dy, p.dx, p.dt} {
			c.Intact(t, "fuzz")
		}
		bound := 20 * float64(s.k) * (s.positionError() + float64(s.k+s.m)*epsilon)
		for _, c := range []struct {
			what      string
			got, want []float32
		}{{"y", p.y.Inside, twin}, {"dt", p.dt.Inside, grad}} {
			for i, w := range c.want {
				if (w != w) != (c.got[i] != c.got[i]) || w == w && math.Abs(float64(c.got[i]-w)) > bound {
					t.Fatalf("%+v, x = %v: %s[%d] = %v, twin %v", s, x, c.what, i, c.got[i], w)
				}
			}
		}
	})
}

func TestNoAllocation(t *testing.T) {
	s := shape{64, 9, 10, 16, 21}
	p := newProblem(seeded(s), s)
	if allocs := testing.AllocsPerRun(10, func() {
		p.forward()
		p.backward()
		Backward(nil, p.dt.Inside, p.dy.Inside, p.x.Inside, p.t.Inside, s.m, s.k, s.stride, s.cells, s.n)
		Backward(p.dx.Inside, nil, p.dy.Inside, p.x.Inside, p.t.Inside, s.m, s.k, s.stride, s.cells, s.n)
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestProgrammerErrors(t *testing.T) {
	a, tables := make([]float32, 6), make([]float32, Len(2, 4, 3))
	for name, f := range map[string]func(){
		"negative m":   func() { Forward(nil, nil, tables, -1, 2, 2, 4, 3) },
		"no cells":     func() { Forward(a, a[:4], nil, 2, 2, 2, 0, 3) },
		"short stride": func() { Forward(a, a[:2], tables, 2, 2, 1, 4, 3) },
		"short y":      func() { Forward(a[:5], a[:4], tables, 2, 2, 2, 4, 3) },
		"short t":      func() { Forward(a, a[:4], tables[1:], 2, 2, 2, 4, 3) },
		"short dx":     func() { Backward(a[:3], tables, a, a[:4], tables, 2, 2, 2, 4, 3) },
		"short dt":     func() { Backward(nil, tables[1:], a, a[:4], tables, 2, 2, 2, 4, 3) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

// A function of one input that is 0 up to the median of a normal distribution and 3
// at its end, and its gradient at one place.
func Example() {
	const m, k, cells, n = 3, 1, 2, 1
	t := []float32{0, 0, 3} // at the knots
	x := []float32{-1, 0.5, 100}
	y := make([]float32, m*n)
	Forward(y, x, t, m, k, k, cells, n)
	fmt.Printf("y = %.3f\n", y)

	dx, dt := make([]float32, m), make([]float32, len(t))
	Backward(dx, dt, []float32{0, 1, 0}, x, t, m, k, k, cells, n)
	fmt.Printf("dx = %.3f, dt = %.3f\n", dx, dt)
	// Output:
	// y = [0.000 1.205 3.000]
	// dx = [0.000 2.141 0.000], dt = [0.000 0.598 0.402]
}
