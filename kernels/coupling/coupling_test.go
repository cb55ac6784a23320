package coupling

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/eidolon-hep/eidolon/kernels/internal/guard"
)

const bound = 2.5

// shapes are the numbers of rows and columns tested: every n around the vector
// widths, every m around the row blocks.
func shapes(f func(m, n int)) {
	for n := 0; n <= 41; n++ {
		for _, m := range []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17} {
			f(m, n)
		}
	}
	for _, n := range []int{48, 63, 64, 65, 70} {
		f(5, n)
	}
	for m := 60; m <= 70; m++ {
		f(m, 3)
		f(m, 4)
	}
	// About the blocks of the assembly.
	for _, c := range [][2]int{{511, 1}, {512, 1}, {513, 1}, {171, 3}, {193, 5}, {65, 8}, {25, 21}, {3, 256}, {3, 257}, {2, 511}, {2, 512}, {2, 513}, {2, 1025}} {
		f(c[0], c[1])
	}
}

// batch is a random problem, every slice of which lies between guard values at an unaligned start.
type batch struct {
	m, n                         int
	x, y, s, st, logDet          []float32
	gy, gl, gx, gst, back, start []float32
	guarded                      [][]float32
}

const (
	mark  = -98765.5 // between which a slice lies
	marks = 9
)

func newBatch(m, n int) *batch {
	rng := rand.New(rand.NewPCG(uint64(m), uint64(n)))
	b := &batch{m: m, n: n}
	slice := func(length int, scale float64) []float32 {
		buf := make([]float32, length+2*marks)
		for i := range buf {
			buf[i] = mark
		}
		b.guarded = append(b.guarded, buf)
		s := buf[marks:][:length:length]
		for i := range s {
			s[i] = float32(scale * rng.NormFloat64())
		}
		return s
	}
	b.x, b.y, b.s, b.back = slice(m*n, 2), slice(m*n, 0), slice(m*n, 0), slice(m*n, 0)
	b.st, b.logDet = slice(2*m*n, 3), slice(m, 1)
	b.gy, b.gl, b.gx, b.gst = slice(m*n, 1), slice(m, 1), slice(m*n, 0), slice(2*m*n, 0)
	b.start = append([]float32(nil), b.logDet...)
	return b
}

func (b *batch) checkGuards(t *testing.T) {
	t.Helper()
	for k, buf := range b.guarded {
		for i := range marks {
			if buf[i] != mark || buf[len(buf)-1-i] != mark {
				t.Fatalf("%d×%d: slice %d was written outside its bounds", b.m, b.n, k)
			}
		}
	}
}

func near(got float32, want, tolerance float64) bool {
	return math.Abs(float64(got)-want) <= tolerance
}

const eps = 0x1p-23

func TestForward(t *testing.T) {
	shapes(func(m, n int) {
		b := newBatch(m, n)
		Forward(b.y, b.s, b.logDet, b.x, b.st, m, n, bound)
		b.checkGuards(t)
		for i := range m {
			sum := float64(b.start[i])
			for j := range n {
				x, r, shift := float64(b.x[i*n+j]), float64(b.st[2*i*n+j]), float64(b.st[(2*i+1)*n+j])
				s := bound * math.Tanh(r/bound)
				y := x*math.Exp(s) + shift
				sum += s
				if got := b.s[i*n+j]; !near(got, s, 8*eps*math.Abs(s)) {
					t.Fatalf("%d×%d: s[%d,%d] = %g, want %g", m, n, i, j, got, s)
				}
				if got := b.y[i*n+j]; !near(got, y, eps*(24*math.Abs(x)*math.Exp(s)+math.Abs(y))) {
					t.Fatalf("%d×%d: y[%d,%d] = %g, want %g", m, n, i, j, got, y)
				}
			}
			if got := b.logDet[i]; !near(got, sum, 4*eps*float64(n+1)*bound) {
				t.Fatalf("%d×%d: logDet[%d] = %g, want %g", m, n, i, got, sum)
			}
		}
	})
}

func TestInverseUndoesForward(t *testing.T) {
	shapes(func(m, n int) {
		b := newBatch(m, n)
		Forward(b.y, nil, b.logDet, b.x, b.st, m, n, bound)
		Inverse(b.back, b.logDet, b.y, b.st, m, n, bound)
		b.checkGuards(t)
		for k, x := range b.x {
			i, j := k/n, k%n
			e := math.Exp(bound * math.Tanh(float64(b.st[2*i*n+j])/bound))
			// Rounding y costs half a unit of the larger of its terms, which the inverse scales by exp(−s).
			size := math.Abs(float64(x)) + math.Abs(float64(b.st[(2*i+1)*n+j]))/e
			if got := b.back[k]; !near(got, float64(x), 48*eps*size) {
				t.Fatalf("%d×%d: x[%d,%d] = %g came back as %g", m, n, i, j, x, got)
			}
		}
		for i, want := range b.start {
			if got := b.logDet[i]; !near(got, float64(want), 2*eps*(math.Abs(float64(want))+float64(n)*bound)) {
				t.Fatalf("%d×%d: logDet[%d] = %g came back as %g", m, n, i, want, got)
			}
		}
	})
}

// TestBackward compares with central differences, in float64, of
// L = Σ gy·y + Σ gl·logDet.
func TestBackward(t *testing.T) {
	const h = 1e-5
	shapes(func(m, n int) {
		b := newBatch(m, n)
		Forward(b.y, b.s, b.logDet, b.x, b.st, m, n, bound)
		Backward(b.gx, b.gst, b.gy, b.gl, b.x, b.s, m, n, bound)
		b.checkGuards(t)
		for k := range b.x {
			i, j := k/n, k%n
			x, r, shift := float64(b.x[k]), float64(b.st[2*i*n+j]), float64(b.st[(2*i+1)*n+j])
			gy, gl := float64(b.gy[k]), float64(b.gl[i])
			loss := func(x, r, shift float64) float64 {
				s := bound * math.Tanh(r/bound)
				return gy*(x*math.Exp(s)+shift) + gl*s
			}
			size := math.Abs(gy*x)*math.Exp(bound*math.Tanh(r/bound)) + math.Abs(gl)
			for _, c := range []struct {
				name string
				got  float32
				want float64
				size float64
			}{
				{"gx", b.gx[k], (loss(x+h, r, shift) - loss(x-h, r, shift)) / (2 * h), math.Abs(gy) * math.Exp(bound)},
				{"gr", b.gst[2*i*n+j], (loss(x, r+h, shift) - loss(x, r-h, shift)) / (2 * h), size},
				{"gt", b.gst[(2*i+1)*n+j], (loss(x, r, shift+h) - loss(x, r, shift-h)) / (2 * h), math.Abs(gy)},
			} {
				if !near(c.got, c.want, 1e-5*c.size+1e-8) {
					t.Fatalf("%d×%d: %s[%d,%d] = %g, want %g", m, n, c.name, i, j, c.got, c.want)
				}
			}
		}
	})
}

// TestTwin compares all three with their twins; in the modes without assembly it holds trivially.
func TestTwin(t *testing.T) {
	shapes(func(m, n int) {
		a, b := newBatch(m, n), newBatch(m, n)
		Forward(a.y, a.s, a.logDet, a.x, a.st, m, n, bound)
		forwardPure(b.y, b.s, b.logDet, b.x, b.st, m, n, bound)
		Inverse(a.back, a.logDet, a.y, a.st, m, n, bound)
		inversePure(b.back, b.logDet, b.y, b.st, m, n, bound)
		Backward(a.gx, a.gst, a.gy, a.gl, a.x, a.s, m, n, bound)
		backwardPure(b.gx, b.gst, b.gy, b.gl, b.x, b.s, m, n, bound)
		for k, want := range b.guarded {
			for i, got := range a.guarded[k] {
				if !near(got, float64(want[i]), 1e-4*(1+math.Abs(float64(want[i])))) {
					t.Fatalf("%d×%d: slice %d, element %d: %g, twin %g", m, n, k, i-marks, got, want[i])
				}
			}
		}
	})
}

func TestInPlace(t *testing.T) {
	shapes(func(m, n int) {
		a, b := newBatch(m, n), newBatch(m, n)
		Forward(a.y, a.s, a.logDet, a.x, a.st, m, n, bound)
		Backward(a.gx, a.gst, a.gy, a.gl, a.x, a.s, m, n, bound)
		Backward(b.gy, b.gst, b.gy, b.gl, b.x, a.s, m, n, bound)
		Forward(b.x, b.s, b.logDet, b.x, b.st, m, n, bound)
		same(t, "y", b.x, a.y)
		same(t, "gx", b.gy, a.gx)
		same(t, "gst", b.gst, a.gst)
		Inverse(a.back, a.logDet, a.y, a.st, m, n, bound)
		Inverse(b.x, b.logDet, b.x, b.st, m, n, bound)
		same(t, "x", b.x, a.back)
	})
}

// TestRowsAreIndependent computes every row alone and asks for the same bits.
func TestRowsAreIndependent(t *testing.T) {
	shapes(func(m, n int) {
		a, b := newBatch(m, n), newBatch(m, n)
		run := func(c *batch, i, k int) {
			x, st := c.x[i*n:k*n], c.st[2*i*n:2*k*n]
			y, s, ld := c.y[i*n:k*n], c.s[i*n:k*n], c.logDet[i:k]
			Forward(y, s, ld, x, st, k-i, n, bound)
			Inverse(c.back[i*n:k*n], ld, x, st, k-i, n, bound)
			Backward(c.gx[i*n:k*n], c.gst[2*i*n:2*k*n], c.gy[i*n:k*n], c.gl[i:k], x, s, k-i, n, bound)
		}
		run(a, 0, m)
		for i := range m {
			run(b, i, i+1)
		}
		for k := range a.guarded {
			same(t, fmt.Sprintf("%d×%d: slice %d", m, n, k), a.guarded[k], b.guarded[k])
		}
	})
}

// TestPageEnd reads and writes up to the end of readable memory.
func TestPageEnd(t *testing.T) {
	const most = 20 * 21
	var end [8]func(n int) []float32
	for i := range end {
		end[i] = guard.AtPageEnd[float32](t, 2*most)
	}
	for n := 1; n <= 21; n++ {
		for m := 1; m <= 20; m++ {
			x, y, s, logDet, st := end[0](m*n), end[1](m*n), end[2](m*n), end[3](m), end[4](2*m*n)
			Forward(y, s, logDet, x, st, m, n, bound)
			Inverse(x, logDet, y, st, m, n, bound)
			Backward(end[5](m*n), end[6](2*m*n), y, logDet, x, s, m, n, bound)
		}
	}
}

// TestLargeBound takes bounds about the largest that the assembly takes, with scales
// that reach them.
func TestLargeBound(t *testing.T) {
	const m, n = 9, 5
	for _, bound := range []float32{20, 86.9, 87, 87.1, 1000} {
		b := newBatch(m, n)
		for k := range b.st {
			b.st[k] *= bound
		}
		Forward(b.y, b.s, b.logDet, b.x, b.st, m, n, bound)
		for k, x := range b.x {
			i, j := k/n, k%n
			s := float64(bound) * math.Tanh(float64(b.st[2*i*n+j])/float64(bound))
			shift := float64(b.st[(2*i+1)*n+j])
			// An error of s becomes one of its exponential.
			size := math.Abs(float64(x)) * math.Exp(s) * (8 + math.Abs(s))
			if y := float64(x)*math.Exp(s) + shift; math.Abs(y) < math.MaxFloat32 && !near(b.y[k], y, 8*eps*(size+math.Abs(shift))) {
				t.Errorf("bound %g: y[%d] = %g, want %g", bound, k, b.y[k], y)
			}
		}
	}
}

// TestBadRow puts NaN and ±Inf into one row; the others must not notice, and it must.
func TestBadRow(t *testing.T) {
	const m = 9
	for n := 1; n <= 20; n++ {
		for bad := range m {
			for _, value := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
				a, b := newBatch(m, n), newBatch(m, n)
				j := bad % n
				b.x[bad*n+j] = float32(value)
				b.st[2*bad*n+(j+1)%n] = float32(value)
				for _, c := range []*batch{a, b} {
					Forward(c.y, c.s, c.logDet, c.x, c.st, m, n, bound)
					Backward(c.gx, c.gst, c.gy, c.gl, c.x, c.s, m, n, bound)
				}
				for i := range m {
					if i == bad {
						continue
					}
					same(t, "y", b.y[i*n:][:n], a.y[i*n:][:n])
					same(t, "logDet", b.logDet[i:][:1], a.logDet[i:][:1])
					same(t, "gst", b.gst[2*i*n:][:2*n], a.gst[2*i*n:][:2*n])
				}
				if y := float64(b.y[bad*n+j]); !math.IsNaN(y) && !math.IsInf(y, 0) {
					t.Fatalf("n = %d: %g came out as %g", n, value, y)
				}
				if ld := float64(b.logDet[bad]); math.IsNaN(ld) != math.IsNaN(value) {
					t.Fatalf("n = %d: raw scale %g gives logDet %g", n, value, ld)
				}
			}
		}
	}
}

// FuzzElement puts one element among others and compares with the twins.
func FuzzElement(f *testing.F) {
	f.Add(float32(1), float32(0.5), float32(-2), uint8(4))
	f.Add(float32(math.MaxFloat32), float32(100), float32(1), uint8(13))
	f.Add(float32(1e-40), float32(-1e-40), float32(math.Inf(-1)), uint8(1))
	f.Add(float32(3), float32(math.NaN()), float32(0), uint8(19))
	f.Fuzz(func(t *testing.T, x, r, shift float32, size uint8) {
		m, n := 9, int(size%20)+1
		k, l := 8*n-1, 15*n-1 // the last element of row 7, and its raw scale
		a, b := newBatch(m, n), newBatch(m, n)
		for _, c := range []*batch{a, b} {
			c.x[k], c.st[l], c.st[l+n] = x, r, shift
		}
		Forward(a.y, a.s, a.logDet, a.x, a.st, m, n, bound)
		forwardPure(b.y, b.s, b.logDet, b.x, b.st, m, n, bound)
		Inverse(a.back, a.logDet, a.x, a.st, m, n, bound)
		inversePure(b.back, b.logDet, b.x, b.st, m, n, bound)
		Backward(a.gx, a.gst, a.gy, a.gl, a.x, a.s, m, n, bound)
		backwardPure(b.gx, b.gst, b.gy, b.gl, b.x, b.s, m, n, bound)
		a.checkGuards(t)

		largest := (math.Abs(float64(x)) + math.Abs(float64(shift))) * math.Exp(bound)
		for _, c := range []struct {
			what      string
			got, want float32
			size      float64
		}{
			{"s", a.s[k], b.s[k], math.Abs(float64(b.s[k]))},
			{"y", a.y[k], b.y[k], largest},
			{"x", a.back[k], b.back[k], largest},
			{"gx", a.gx[k], b.gx[k], 1 + math.Abs(float64(b.gx[k]))},
			{"gr", a.gst[l], b.gst[l], 1 + largest*math.Abs(float64(a.gy[k]))},
		} {
			// Overflow may come a rounding error sooner or later, and what it leads to.
			if c.size >= math.MaxFloat32/16 {
				continue
			}
			if isNaN := c.got != c.got; isNaN != (c.want != c.want) || !isNaN && c.got != c.want && !near(c.got, float64(c.want), 48*eps*c.size+1e-44) {
				t.Errorf("%s = %g, twin %g", c.what, c.got, c.want)
			}
		}
		for k := range a.x {
			if k/n != 7 && a.y[k] != a.y[k] {
				t.Errorf("y[%d] is NaN, in another row", k)
			}
		}
	})
}

func TestZeroScaleIsTheIdentity(t *testing.T) {
	b := newBatch(7, 5)
	clear(b.st)
	Forward(b.y, b.s, b.logDet, b.x, b.st, 7, 5, bound)
	same(t, "y", b.y, b.x)
	same(t, "logDet", b.logDet, b.start)
}

func TestProgrammerErrors(t *testing.T) {
	a, l := make([]float32, 6), make([]float32, 2)
	for name, f := range map[string]func(){
		"negative m":   func() { Forward(nil, nil, nil, nil, nil, -1, 3, 1) },
		"zero bound":   func() { Forward(a, nil, l, a, make([]float32, 12), 2, 3, 0) },
		"NaN bound":    func() { Forward(a, nil, l, a, make([]float32, 12), 2, 3, float32(math.NaN())) },
		"short st":     func() { Forward(a, nil, l, a, a, 2, 3, 1) },
		"short logDet": func() { Inverse(a, l[:1], a, make([]float32, 12), 2, 3, 1) },
		"short s":      func() { Backward(a, make([]float32, 12), a, l, a, a[:5], 2, 3, 1) },
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

func TestNoAllocation(t *testing.T) {
	b := newBatch(33, 5)
	if allocs := testing.AllocsPerRun(10, func() {
		Forward(b.y, b.s, b.logDet, b.x, b.st, 33, 5, bound)
		Inverse(b.back, b.logDet, b.y, b.st, 33, 5, bound)
		Backward(b.gx, b.gst, b.gy, b.gl, b.x, b.s, 33, 5, bound)
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func same(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if got[i] != want[i] && (got[i] == got[i] || want[i] == want[i]) {
			t.Fatalf("%s[%d] = %g, want %g", what, i, got[i], want[i])
		}
	}
}

// One event of three dimensions goes through a coupling and back.
func Example() {
	x := []float32{1, -2, 0.5}
	st := []float32{
		0.3, -0.2, 0, // raw scales
		1, 0, -1, // shifts
	}
	y, logDet := make([]float32, 3), make([]float32, 1)
	Forward(y, nil, logDet, x, st, 1, 3, 2)
	fmt.Printf("y = %.3f, log|det J| = %.3f\n", y, logDet[0])

	Inverse(x, logDet, y, st, 1, 3, 2)
	fmt.Printf("x = %.3f, log|det J| = %.3f\n", x, logDet[0])
	// Output:
	// y = [2.347 -1.639 -0.500], log|det J| = 0.098
	// x = [1.000 -2.000 0.500], log|det J| = 0.000
}
