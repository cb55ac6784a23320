package vmath

import (
	"flag"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/eidolon-hep/eidolon/kernels/internal/guard"
)

var everyFloat = flag.Bool("every-float", false, "test all 2³² bit patterns (minutes)")

// functions holds for each function its twin, a float64 reference and the error that its docstring promises.
var functions = []struct {
	name   string
	f      func(dst, src []float32)
	pure   func(dst, src []float32)
	exact  func(x float64) float64
	maxULP float64
}{
	{"Exp", Exp, expPure, math.Exp, 2},
	{"Log", Log, logPure, math.Log, 2},
	{"Tanh", Tanh, tanhPure, math.Tanh, 4},
	{"Sigmoid", Sigmoid, sigmoidPure, sigmoid64, 4},
	{"Softplus", Softplus, softplusPure, softplus64, 4},
}

func sigmoid64(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// TestULP goes through the bit patterns of float32 in strides, so that every
// exponent of both signs is visited some thousand times, NaNs included, and
// through the close neighbourhood of the arguments where a function changes its way.
func TestULP(t *testing.T) {
	for _, fn := range functions {
		t.Run(fn.name, func(t *testing.T) {
			t.Parallel()
			worst := newWorst(fn.exact)
			pure := newWorst(fn.exact)
			sweep(1031, func(src, dst []float32) {
				fn.f(dst, src)
				worst.add(src, dst)
				fn.pure(dst, src)
				pure.add(src, dst)
			})
			if worst.ulp > fn.maxULP {
				t.Errorf("error of %.3g ULP at x = %g (%#08x): got %g, want %g", worst.ulp, worst.x, math.Float32bits(worst.x), worst.got, worst.want)
			}
			if pure.ulp > 0.501 {
				t.Errorf("the twin errs by %.3g ULP at x = %g: got %g, want %g", pure.ulp, pure.x, pure.got, pure.want)
			}
			t.Logf("largest error %.3f ULP at x = %g", worst.ulp, worst.x)
		})
	}
}

// sweep calls f with blocks of arguments, every so many of the bit patterns, and a
// scratch slice of the same length.
func sweep(stride uint64, f func(src, dst []float32)) {
	if *everyFloat {
		stride = 1
	}
	var src, dst [1021]float32
	n := 0
	put := func(x float32) {
		src[n] = x
		if n++; n == len(src) {
			f(src[:], dst[:])
			n = 0
		}
	}
	for bits := uint64(0); bits < 1<<32; bits += stride {
		put(math.Float32frombits(uint32(bits)))
	}
	for exponent := uint32(0); exponent < 256; exponent++ {
		for d := uint32(0); d < 16; d++ {
			for sign := uint32(0); sign < 2; sign++ {
				put(math.Float32frombits(sign<<31 | exponent<<23 + d - 8))
			}
		}
	}
	for _, edge := range []float32{
		0, 1, math.Sqrt2, math.Sqrt2 / 2, math.Ln2, math.Ln2 / 2, 3 * math.Ln2 / 2, 0.625, 9, 9.0109, 10, 17, 18, 88.0297, 88.3762, 88.72284,
		87, 87.33655, 103.2789, 103.97208, 104, 126 * math.Ln2, 127 * math.Ln2, 128 * math.Ln2, 149 * math.Ln2, 150 * math.Ln2,
	} {
		for d := uint32(0); d < 64; d++ {
			x := math.Float32frombits(math.Float32bits(edge) + d - 32)
			put(x)
			put(-x)
		}
	}
	f(src[:n], dst[:n])
}

// worst keeps the largest error of a function in ULP.
type worst struct {
	exact  func(float64) float64
	ulp    float64
	x, got float32
	want   float64
}

func newWorst(exact func(float64) float64) *worst { return &worst{exact: exact} }

func (w *worst) add(src, got []float32) {
	for i, x := range src {
		want := w.exact(float64(x))
		if e := ulpError(got[i], want); !(e <= w.ulp) {
			w.ulp, w.x, w.got, w.want = e, x, got[i], want
		}
	}
}

// ulpError is |got − want| in units in the last place of want. Overflow counts
// as 2¹²⁸, the number that would follow the largest; NaN must meet NaN, and an infinity that is no overflow its like.
func ulpError(got float32, want float64) float64 {
	g := float64(got)
	if math.IsNaN(g) || math.IsNaN(want) {
		if math.IsNaN(g) && math.IsNaN(want) {
			return 0
		}
		return math.Inf(1)
	}
	if math.IsInf(want, 0) && g == want {
		return 0
	}
	const over = 0x1p128
	g = min(max(g, -over), over)
	want = min(max(want, -over), over)
	_, e := math.Frexp(want)
	return math.Abs(g-want) / math.Ldexp(1, max(min(e, 128)-24, -149))
}

func TestSpecialValues(t *testing.T) {
	inf := float32(math.Inf(1))
	nan := float32(math.NaN())
	negZero := float32(math.Copysign(0, -1))
	for _, c := range []struct {
		name    string
		f       func(dst, src []float32)
		x, want float32
	}{
		{"Exp", Exp, 0, 1}, {"Exp", Exp, negZero, 1}, {"Exp", Exp, inf, inf}, {"Exp", Exp, -inf, 0}, {"Exp", Exp, nan, nan}, {"Exp", Exp, 89, inf}, {"Exp", Exp, -104, 0},
		{"Log", Log, 1, 0}, {"Log", Log, 0, -inf}, {"Log", Log, negZero, -inf}, {"Log", Log, inf, inf}, {"Log", Log, -inf, nan}, {"Log", Log, -1, nan}, {"Log", Log, nan, nan},
		{"Tanh", Tanh, 0, 0}, {"Tanh", Tanh, negZero, negZero}, {"Tanh", Tanh, inf, 1}, {"Tanh", Tanh, -inf, -1}, {"Tanh", Tanh, nan, nan}, {"Tanh", Tanh, 20, 1}, {"Tanh", Tanh, 1e-40, 1e-40},
		{"Sigmoid", Sigmoid, 0, 0.5}, {"Sigmoid", Sigmoid, inf, 1}, {"Sigmoid", Sigmoid, -inf, 0}, {"Sigmoid", Sigmoid, nan, nan}, {"Sigmoid", Sigmoid, 100, 1},
		{"Softplus", Softplus, inf, inf}, {"Softplus", Softplus, -inf, 0}, {"Softplus", Softplus, nan, nan}, {"Softplus", Softplus, 100, 100}, {"Softplus", Softplus, math.MaxFloat32, math.MaxFloat32},
	} {
		for _, n := range []int{1, 8, 9} {
			src, dst := make([]float32, n), make([]float32, n)
			for i := range src {
				src[i] = c.x
			}
			c.f(dst, src)
			for i, got := range dst {
				same := math.Float32bits(got) == math.Float32bits(c.want) || got != got && c.want != c.want
				if !same {
					t.Errorf("%s(%g)[%d of %d] = %g, want %g", c.name, c.x, i, n, got, c.want)
				}
			}
		}
	}
}

// TestEveryLength checks that nothing around dst is touched, that src stays as
// it is, that dst may be src, and that a value does not depend on its place.
func TestEveryLength(t *testing.T) {
	const mark = -12345
	for _, fn := range functions {
		for n := 0; n <= 70; n++ {
			for offset := range 8 {
				src := make([]float32, offset+n)
				for i := range src {
					src[i] = 0.1 + float32(i*i%97)/9
				}
				keep := append([]float32(nil), src...)
				buf := make([]float32, offset+n+16)
				for i := range buf {
					buf[i] = mark
				}
				dst := buf[offset+3:][:n:n]
				fn.f(dst, src[offset:])
				for i, x := range src {
					if x != keep[i] {
						t.Fatalf("%s, length %d: src[%d] was changed", fn.name, n, i)
					}
				}
				for i, x := range buf {
					if inside := i >= offset+3 && i < offset+3+n; !inside && x != mark {
						t.Fatalf("%s, length %d, offset %d: wrote outside dst, at %d", fn.name, n, offset, i-offset-3)
					}
				}
				for i, got := range dst {
					var alone [1]float32
					fn.f(alone[:], src[offset+i:][:1])
					if got != alone[0] {
						t.Fatalf("%s(%g) = %g at %d of %d, and %g alone", fn.name, src[offset+i], got, i, n, alone[0])
					}
				}
				fn.f(src[offset:], src[offset:])
				for i, got := range src[offset:] {
					if got != dst[i] {
						t.Fatalf("%s in place: [%d] = %g, want %g", fn.name, i, got, dst[i])
					}
				}
			}
		}
	}
}

// TestNeighbours asks for the same bits when every second number is replaced by
// one that the fast ways through a block do not take.
func TestNeighbours(t *testing.T) {
	for _, fn := range functions {
		t.Run(fn.name, func(t *testing.T) {
			t.Parallel()
			unusual := []float32{float32(math.NaN()), -1000, 1e-40, float32(math.Inf(1))}
			sweep(20011, func(src, dst []float32) {
				fn.f(dst, src)
				mixed := slices.Clone(src)
				for i := 1; i < len(mixed); i += 2 {
					mixed[i] = unusual[i/2%len(unusual)]
				}
				fn.f(mixed, mixed)
				for i := 0; i < len(mixed); i += 2 {
					if math.Float32bits(mixed[i]) != math.Float32bits(dst[i]) && dst[i] == dst[i] {
						t.Fatalf("%s(%g) = %g, and %g beside others", fn.name, src[i], dst[i], mixed[i])
					}
				}
			})
		})
	}
}

// TestPageEnd reads and writes up to the end of readable memory.
func TestPageEnd(t *testing.T) {
	const most = 70
	src, dst := guard.AtPageEnd[float32](t, most), guard.AtPageEnd[float32](t, most)
	for _, fn := range functions {
		for n := range most {
			fn.f(dst(n), src(n))
		}
	}
}

func FuzzULP(f *testing.F) {
	f.Add(uint32(0))
	f.Add(math.Float32bits(-103.97208))
	f.Add(math.Float32bits(87.00001))
	f.Add(math.Float32bits(1e-40))
	f.Add(uint32(0x7fc00001))
	f.Fuzz(func(t *testing.T, bits uint32) {
		x := math.Float32frombits(bits)
		for _, fn := range functions {
			// Within a block, and in what is left behind the last.
			src, dst := make([]float32, 41), make([]float32, 41)
			for i := range src {
				src[i] = 1
			}
			src[7], src[40] = x, x
			fn.f(dst, src)
			for _, got := range []float32{dst[7], dst[40]} {
				if want := fn.exact(float64(x)); ulpError(got, want) > fn.maxULP {
					t.Errorf("%s(%g) = %g, want %g", fn.name, x, got, want)
				}
			}
			if inside, behind := math.Float32bits(dst[7]), math.Float32bits(dst[40]); inside != behind && dst[7] == dst[7] {
				t.Errorf("%s(%g) = %#08x in a block and %#08x behind it", fn.name, x, inside, behind)
			}
		}
	})
}

func TestLengthMismatch(t *testing.T) {
	for _, fn := range functions {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s accepted slices of different lengths", fn.name)
				}
			}()
			fn.f(make([]float32, 3), make([]float32, 4))
		}()
	}
}

func TestNoAllocation(t *testing.T) {
	buf := make([]float32, 100)
	for _, fn := range functions {
		if n := testing.AllocsPerRun(10, func() { fn.f(buf, buf) }); n != 0 {
			t.Errorf("%s allocates %v times", fn.name, n)
		}
	}
}

func Example() {
	x := []float32{-1, 0, 1}
	Sigmoid(x, x)
	fmt.Printf("%.4f\n", x)
	// Output: [0.2689 0.5000 0.7311]
}
