package spline

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/eidolon-hep/eidolon/kernels/cpu"
	"github.com/eidolon-hep/eidolon/kernels/internal/guard"
)

const bound = 3

// reference is the spline of one element in float64, straight from section 3 of
// the paper: knots and slopes in full, then the quotient in the bin of x.
func reference(x float64, params []float64, bins int) (y, logSlope float64) {
	if !(math.Abs(x) <= bound) {
		return x, 0
	}
	xs, ys := knots(params[:bins]), knots(params[bins:2*bins])
	slopes := make([]float64, bins+1)
	slopes[0], slopes[bins] = 1, 1
	for k, logit := range params[2*bins:] {
		slopes[k+1] = 1e-3 + math.Log1p(math.Exp(logit+math.Log(math.Expm1(0.999))))
	}
	k := 0
	for k < bins-1 && xs[k+1] <= x {
		k++
	}
	w, h := xs[k+1]-xs[k], ys[k+1]-ys[k]
	s, xi := h/w, (x-xs[k])/w
	bottom := s + (slopes[k+1]+slopes[k]-2*s)*xi*(1-xi)
	y = ys[k] + h*(s*xi*xi+slopes[k]*xi*(1-xi))/bottom
	rise := s * s * (slopes[k+1]*xi*xi + 2*s*xi*(1-xi) + slopes[k]*(1-xi)*(1-xi))
	return y, math.Log(rise / (bottom * bottom))
}

// sharpness is how much logSlope changes when x moves by dx.
func sharpness(x, dx float64, params []float64, bins int) float64 {
	_, at := reference(x, params, bins)
	_, above := reference(min(x+dx, bound), params, bins)
	_, below := reference(max(x-dx, -bound), params, bins)
	return max(math.Abs(above-at), math.Abs(below-at))
}

func knots(logits []float64) []float64 {
	sum := 0.0
	for _, l := range logits {
		sum += math.Exp(l)
	}
	at := []float64{-bound}
	for _, l := range logits {
		share := 1e-3 + (1-1e-3*float64(len(logits)))*math.Exp(l)/sum
		at = append(at, at[len(at)-1]+2*bound*share)
	}
	return at
}

// batch is a random problem with slices between guard values, at unaligned
// starts. About one x in ten lies outside the bounds.
type batch struct {
	m, n, bins                  int
	x, y, back, logDet, start   []float32
	params, gx, gy, gl, gparams []float32
	guarded                     [][]float32
	params64                    []float64
	width                       int
}

const (
	mark  = -98765.5 // between which a slice lies
	marks = 9
)

func newBatch(m, n, bins int) *batch {
	rng := rand.New(rand.NewPCG(uint64(m), uint64(100*n+bins)))
	b := &batch{m: m, n: n, bins: bins, width: Params(bins)}
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
	b.x, b.y, b.back, b.logDet = slice(m*n, 1.8), slice(m*n, 0), slice(m*n, 0), slice(m, 1)
	b.params, b.gparams = slice(m*n*b.width, 1), slice(m*n*b.width, 0)
	b.gx, b.gy, b.gl = slice(m*n, 0), slice(m*n, 1), slice(m, 1)
	b.start = append([]float32(nil), b.logDet...)
	b.params64 = make([]float64, len(b.params))
	for k, p := range b.params {
		b.params64[k] = float64(p)
	}
	return b
}

func (b *batch) checkGuards(t *testing.T) {
	t.Helper()
	for k, buf := range b.guarded {
		for i := range marks {
			if buf[i] != mark || buf[len(buf)-1-i] != mark {
				t.Fatalf("%d×%d, %d bins: slice %d was written outside its bounds", b.m, b.n, b.bins, k)
			}
		}
	}
}

// shapes goes through element counts around the vector width and around block,
// row lengths that do and do not divide them, and bin counts.
func shapes(f func(m, n, bins int)) {
	for _, bins := range []int{1, 2, 3, 5, 8, 16} {
		for count := 0; count <= 70; count++ {
			f(count, 1, bins)
		}
		for n := 0; n <= 20; n++ {
			f(7, n, bins)
		}
	}
	f(1, 2*block+3, 4)
	f(block-1, 1, 4)
	f(block+1, 1, 4)
	f(100, 7, 8)
	f(3, 5, MaxBins)
}

func near(got float32, want, tolerance float64) bool {
	return math.Abs(float64(got)-want) <= tolerance
}

func TestForward(t *testing.T) {
	shapes(func(m, n, bins int) {
		b := newBatch(m, n, bins)
		Forward(b.y, b.logDet, b.x, b.params, m, n, bins, bound)
		b.checkGuards(t)
		for i := range m {
			sum, tolerance := float64(b.start[i]), 1e-5
			for j := range n {
				e := i*n + j
				x, p := float64(b.x[e]), b.params64[e*b.width:][:b.width]
				y, logSlope := reference(x, p, bins)
				sum += logSlope
				tolerance += 5e-6 + sharpness(x, 3e-6, p, bins)
				if !near(b.y[e], y, 3e-6*(1+math.Exp(logSlope))) {
					t.Fatalf("%d×%d, %d bins: y[%d,%d] = %g, want %g", m, n, bins, i, j, b.y[e], y)
				}
			}
			if !near(b.logDet[i], sum, tolerance) {
				t.Fatalf("%d×%d, %d bins: logDet[%d] = %g, want %g", m, n, bins, i, b.logDet[i], sum)
			}
		}
	})
}

// TestLogSlopeIsTheSlope holds the reference itself, and with it all that is tested against it, to the difference quotient.
func TestLogSlopeIsTheSlope(t *testing.T) {
	const h = 1e-6
	b := newBatch(200, 1, 6)
	for i := range b.m {
		p := b.params64[i*b.width:][:b.width]
		x := math.Mod(float64(b.x[i]), bound-0.01)
		y, logSlope := reference(x, p, 6)
		above, _ := reference(x+h, p, 6)
		below, _ := reference(x-h, p, 6)
		if slope := (above - below) / (2 * h); math.Abs(slope/math.Exp(logSlope)-1) > 1e-4 {
			t.Errorf("slope at %g is %g, want %g", x, math.Exp(logSlope), slope)
		}
		if !(below < y && y < above) {
			t.Errorf("not monotonic at %g", x)
		}
	}
}

func TestInverseUndoesForward(t *testing.T) {
	shapes(func(m, n, bins int) {
		b := newBatch(m, n, bins)
		Forward(b.y, b.logDet, b.x, b.params, m, n, bins, bound)
		clamped := Inverse(b.back, b.logDet, b.y, b.params, m, n, bins, bound)
		b.checkGuards(t)
		if clamped != 0 {
			t.Errorf("%d×%d, %d bins: %d discriminants clamped", m, n, bins, clamped)
		}
		for i, want := range b.start {
			tolerance := 1e-5
			for j := range n {
				e := i*n + j
				x, p := float64(b.x[e]), b.params64[e*b.width:][:b.width]
				// An error in y becomes one in x over the slope.
				_, logSlope := reference(x, p, bins)
				dx := 5e-6 * (1 + math.Exp(-logSlope))
				if !near(b.back[e], x, dx) {
					t.Fatalf("%d×%d, %d bins: x[%d] = %g came back as %g", m, n, bins, e, x, b.back[e])
				}
				tolerance += 1e-5 + sharpness(x, dx, p, bins)
			}
			if !near(b.logDet[i], float64(want), tolerance) {
				t.Fatalf("%d×%d, %d bins: logDet[%d] = %g came back as %g", m, n, bins, i, want, b.logDet[i])
			}
		}
	})
}

// TestRoundTrip takes logits up to 3 either way. What an x loses on its way there
// and back is what its y, a float32, cannot tell: much where the curve is flat, and the
// slopes go down to 10⁻⁵ here.
func TestRoundTrip(t *testing.T) {
	const count = 10000
	rng := rand.New(rand.NewPCG(1, 2))
	normal := func() float64 { return min(max(rng.NormFloat64(), -3), 3) }
	uniform := func() float64 { return 6*rng.Float64() - 3 }
	for _, bins := range []int{2, 4, 8, 16, 32} {
		for name, c := range map[string]struct {
			logit func() float64
			lost  int // elements that may lose more than 10⁻⁵·bound
		}{"normal": {normal, count / 100}, "uniform": {uniform, count / 10}} {
			b := newBatch(count, 1, bins)
			clear(b.logDet)
			for k := range b.params {
				b.params[k] = float32(c.logit())
			}
			for e := range b.x {
				b.x[e] = float32(bound * (2*rng.Float64() - 1))
			}
			Forward(b.y, b.logDet, b.x, b.params, count, 1, bins, bound)
			slope := slices.Clone(b.logDet)
			Inverse(b.back, b.logDet, b.y, b.params, count, 1, bins, bound)
			lost := 0
			for e, x := range b.x {
				d := math.Abs(float64(b.back[e]) - float64(x))
				if d > 1e-5*bound {
					lost++
				}
				if d > 1e-5*bound*(1+math.Exp(-float64(slope[e]))) {
					t.Errorf("%d bins, %s logits: x = %g came back as %g, slope %g", bins, name, x, b.back[e], math.Exp(float64(slope[e])))
				}
			}
			if lost > c.lost {
				t.Errorf("%d bins, %s logits: %d of %d came back off by more than 10⁻⁵ of the bound", bins, name, lost, count)
			}
		}
	}
}

// TestEnds checks that the slope at both ends is 1, as outside.
func TestEnds(t *testing.T) {
	for _, bins := range []int{2, 5, 16} {
		b := newBatch(20, 1, bins)
		for e := range b.x {
			b.x[e] = bound * float32(1-e%2*2)
			b.gl[e] = 0
		}
		clear(b.logDet)
		Forward(b.y, b.logDet, b.x, b.params, 20, 1, bins, bound)
		Backward(b.gx, b.gparams, b.gy, b.gl, b.x, b.params, 20, 1, bins, bound)
		for e, x := range b.x {
			if !near(b.y[e], float64(x), 1e-6*bound) || !near(b.logDet[e], 0, 3e-5) {
				t.Errorf("%d bins: y(%g) = %g with slope %g", bins, x, b.y[e], math.Exp(float64(b.logDet[e])))
			}
			if !near(b.gx[e], float64(b.gy[e]), 3e-5*math.Abs(float64(b.gy[e]))) {
				t.Errorf("%d bins: dy/dx(%g) = %g", bins, x, b.gx[e]/b.gy[e])
			}
		}
	}
}

// TestPageEnd reads and writes up to the end of readable memory.
func TestPageEnd(t *testing.T) {
	const most, mostBins = 20, 11
	end := func(n int) func(n int) []float32 { return guard.AtPageEnd[float32](t, n) }
	x, y, logDet, params := end(most), end(most), end(most), end(most*Params(mostBins))
	gx, gparams := end(most), end(most*Params(mostBins))
	for bins := 1; bins <= mostBins; bins++ {
		for n := range most {
			p := params(n * Params(bins))
			Forward(y(n), logDet(n), x(n), p, n, 1, bins, bound)
			Inverse(x(n), logDet(n), y(n), p, n, 1, bins, bound)
			Backward(gx(n), gparams(n*Params(bins)), y(n), logDet(n), x(n), p, n, 1, bins, bound)
		}
	}
}

// TestBackward compares with central differences of the reference's
// L = Σ gy·y + Σ gl·logDet.
func TestBackward(t *testing.T) {
	const h = 1e-5
	shapes(func(m, n, bins int) {
		if m*n > 100 {
			n = min(n, 20)
			m = 5
		}
		b := newBatch(m, n, bins)
		Backward(b.gx, b.gparams, b.gy, b.gl, b.x, b.params, m, n, bins, bound)
		b.checkGuards(t)
		for e := range b.x {
			gy, gl := float64(b.gy[e]), float64(b.gl[e/n])
			p := append([]float64(nil), b.params64[e*b.width:][:b.width]...)
			loss := func(x float64) float64 {
				y, logSlope := reference(x, p, bins)
				return gy*y + gl*logSlope
			}
			x := float64(b.x[e])
			// The second derivative jumps at knots, where the quotient is of no use.
			if slices.ContainsFunc(knots(p[:bins]), func(knot float64) bool { return math.Abs(x-knot) < 1e-3 }) {
				continue
			}
			_, logSlope := reference(x, p, bins)
			size := (math.Abs(gy) + math.Abs(gl)) * (1 + math.Exp(logSlope)) * float64(bins)
			if want := (loss(x+h) - loss(x-h)) / (2 * h); !near(b.gx[e], want, 1e-4*(size+math.Abs(want))) {
				t.Fatalf("%d×%d, %d bins: gx[%d] = %g, want %g", m, n, bins, e, b.gx[e], want)
			}
			for k, keep := range p {
				p[k] = keep + h
				above := loss(x)
				p[k] = keep - h
				want := (above - loss(x)) / (2 * h)
				p[k] = keep
				if got := b.gparams[e*b.width+k]; !near(got, want, 1e-4*(size+math.Abs(want))) {
					t.Fatalf("%d×%d, %d bins: gparams[%d,%d] = %g, want %g", m, n, bins, e, k, got, want)
				}
			}
		}
	})
}

// TestTwin compares with the twins, which the tests above hold to the reference
// more tightly; in the modes without assembly it holds trivially.
func TestTwin(t *testing.T) {
	shapes(func(m, n, bins int) {
		b := newBatch(m, n, bins)
		in := newInterval(bins, bound)
		count := m * n
		y, d := make([]float32, count), make([]float32, count)
		yPure, dPure := make([]float32, count), make([]float32, count)
		compare := func(what string, got, want []float32, tolerance float64) {
			t.Helper()
			for k := range want {
				if !near(got[k], float64(want[k]), tolerance*(1+math.Abs(float64(want[k])))) {
					t.Fatalf("%d×%d, %d bins: %s[%d] = %g, twin %g", m, n, bins, what, k, got[k], want[k])
				}
			}
		}
		forward(y, d, b.x, b.params, bins, in.bound, in.floor, in.free)
		forwardPure(yPure, dPure, b.x, b.params, bins, in.bound, in.floor, in.free)
		compare("y", y, yPure, 2e-5)
		compare("log dy/dx", d, dPure, 1e-3)
		inverse(y, d, b.x, b.params, bins, in.bound, in.floor, in.free)
		inversePure(yPure, dPure, b.x, b.params, bins, in.bound, in.floor, in.free)
		compare("x", y, yPure, 1e-4)
		compare("log dx/dy", d, dPure, 1e-3)
		g, p := make([]float32, len(b.params)), make([]float32, len(b.params))
		backward(y, g, b.gy, d, b.x, b.params, bins, in.bound, in.floor, in.free)
		backwardPure(yPure, p, b.gy, d, b.x, b.params, bins, in.bound, in.floor, in.free)
		compare("gx", y, yPure, 1e-3)
		compare("gparams", g, p, 1e-3)
	})
}

func TestZeroParametersMakeTheIdentity(t *testing.T) {
	for _, bins := range []int{1, 2, 8, 16, MaxBins} {
		b := newBatch(50, 3, bins)
		clear(b.params)
		Forward(b.y, b.logDet, b.x, b.params, 50, 3, bins, bound)
		for e, x := range b.x {
			if !near(b.y[e], float64(x), 1e-5) {
				t.Fatalf("%d bins: %g became %g", bins, x, b.y[e])
			}
		}
		for i, want := range b.start {
			if !near(b.logDet[i], float64(want), 1e-5*math.Sqrt(float64(bins))) {
				t.Fatalf("%d bins: logDet %g became %g", bins, want, b.logDet[i])
			}
		}
	}
}

// TestBounds checks the tails and the ends, where spline and identity meet.
func TestBounds(t *testing.T) {
	inf := float32(math.Inf(1))
	up := math.Nextafter32(bound, inf)
	for _, x := range []float32{bound, -bound, up, -up, 1e30, -1e30, inf, -inf, math.MaxFloat32} {
		for _, count := range []int{1, 8, 11} {
			b := newBatch(count, 1, 5)
			for e := range b.x {
				b.x[e] = x
			}
			Forward(b.y, b.logDet, b.x, b.params, count, 1, 5, bound)
			Backward(b.gx, b.gparams, b.gy, b.gl, b.x, b.params, count, 1, 5, bound)
			Inverse(b.back, b.logDet, b.x, b.params, count, 1, 5, bound)
			tail := x > bound || x < -bound
			for e, y := range b.y {
				tolerance := 1e-5
				if tail {
					tolerance = 0
				}
				if y != x && !near(y, float64(x), tolerance) || b.back[e] != x && !near(b.back[e], float64(x), tolerance) {
					t.Errorf("%g became %g, and %g by the inverse", x, y, b.back[e])
				}
				if tail && (b.gx[e] != b.gy[e] || b.logDet[e] != b.start[e]) {
					t.Errorf("%g: slope is not 1 in the tail", x)
				}
			}
			for k, g := range b.gparams {
				if tail && g != 0 || math.IsNaN(float64(g)) {
					t.Errorf("%g: gparams[%d] = %g", x, k, g)
				}
			}
		}
	}
}

// TestBadElement makes one element, or its parameters, NaN or infinite. The others must not notice.
func TestBadElement(t *testing.T) {
	const count, bins = 19, 4
	type results struct{ y, x, logDet, gx, gparams []float32 }
	run := func(b *batch) results {
		r := results{b.y, b.back, b.logDet, b.gx, b.gparams}
		Forward(b.y, b.logDet, b.x, b.params, count, 1, bins, bound)
		Inverse(b.back, b.logDet, b.x, b.params, count, 1, bins, bound)
		Backward(b.gx, b.gparams, b.gy, b.gl, b.x, b.params, count, 1, bins, bound)
		return r
	}
	want := run(newBatch(count, 1, bins))
	for bad := range count {
		for _, value := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			for k := -1; k < Params(bins); k++ {
				b := newBatch(count, 1, bins)
				if k < 0 {
					b.x[bad] = float32(value)
				} else {
					b.x[bad] = 0.3
					b.params[bad*b.width+k] = float32(value)
				}
				got := run(b)
				for e := range count {
					if e == bad {
						continue
					}
					same(t, "y", got.y[e:][:1], want.y[e:][:1])
					same(t, "x", got.x[e:][:1], want.x[e:][:1])
					same(t, "logDet", got.logDet[e:][:1], want.logDet[e:][:1])
					same(t, "gx", got.gx[e:][:1], want.gx[e:][:1])
					same(t, "gparams", got.gparams[e*b.width:][:b.width], want.gparams[e*b.width:][:b.width])
				}
				if k < 0 {
					same(t, "y of the bad element", got.y[bad:][:1], b.x[bad:][:1])
				}
				if k >= 0 && k < 2*bins && math.IsNaN(value) && !math.IsNaN(float64(got.y[bad])) {
					t.Errorf("parameter %d is NaN and y is %g", k, got.y[bad])
				}
			}
		}
	}
}

// TestExtremeParameters drives single logits far out: bins collapse to their
// least width, slopes reach their least or become steep, and the inverse still
// lands in the right place.
func TestExtremeParameters(t *testing.T) {
	const count, bins = 64, 6
	for _, size := range []float32{5, 20, 1000} {
		b := newBatch(count, 1, bins)
		for k := range b.params {
			b.params[k] *= size
			if k%b.width >= 2*bins {
				b.params[k] = min(b.params[k], 12)
			}
		}
		Forward(b.y, b.logDet, b.x, b.params, count, 1, bins, bound)
		Inverse(b.back, b.logDet, b.y, b.params, count, 1, bins, bound)
		Backward(b.gx, b.gparams, b.gy, b.gl, b.x, b.params, count, 1, bins, bound)
		b.checkGuards(t)
		again := newBatch(count, 1, bins)
		Forward(again.y, again.logDet, b.back, b.params, count, 1, bins, bound)
		for e, y := range b.y {
			// x may be known poorly where the curve is flat; its image must be known well.
			if !near(again.y[e], float64(y), 2e-4) {
				t.Errorf("logits × %g: y = %g came back as %g", size, y, again.y[e])
			}
			if inside := b.x[e] >= -bound && b.x[e] <= bound; inside && !(y >= -bound-1e-5 && y <= bound+1e-5) {
				t.Errorf("logits × %g: %g became %g, outside the bounds", size, b.x[e], y)
			}
		}
		for k, g := range b.gparams {
			if math.IsNaN(float64(g)) || math.IsInf(float64(g), 0) {
				t.Errorf("logits × %g: gparams[%d] = %g", size, k, g)
			}
		}
	}
}

// TestNegativeDiscriminant goes through all y beside the end of a steep bin with a
// flat slope, where in float32 the discriminant, then 10⁻⁸ of its terms, comes out negative.
func TestNegativeDiscriminant(t *testing.T) {
	const count, bins = 256, 3
	b := newBatch(count, 1, bins)
	logits := []float64{0, -17, 7, 10, -11, -12, -10, -5}
	knot := math.Float32bits(float32(knots(logits[bins : 2*bins])[1]))
	for e := range b.y {
		b.y[e] = math.Float32frombits(knot - count/2 + uint32(e))
		for k, l := range logits {
			b.params[e*b.width+k] = float32(l)
		}
	}
	clamped := Inverse(b.back, b.logDet, b.y, b.params, count, 1, bins, bound)
	if cpu.AVX2 && clamped == 0 {
		t.Error("no discriminant was negative: find logits that make one so")
	}
	again := newBatch(count, 1, bins)
	Forward(again.y, again.logDet, b.back, b.params, count, 1, bins, bound)
	for e, y := range b.y {
		if !near(again.y[e], float64(y), 1e-3) {
			t.Errorf("y = %g came back as %g", y, again.y[e])
		}
		clamped -= Inverse(b.back[:1], b.logDet[:1], b.y[e:][:1], b.params[:b.width], 1, 1, bins, bound)
	}
	if clamped != 0 {
		t.Errorf("%d more clamped in one call than one by one", clamped)
	}
}

// FuzzElement holds one spline, among neighbours that are the identity, to what
// is true of any: it stays within its bounds, its inverse finds the way back, its gradient is finite.
func FuzzElement(f *testing.F) {
	f.Add(float32(0.5), float32(1), float32(-1), float32(2), float32(0), float32(-3))
	f.Add(float32(-2.9999), float32(90), float32(-90), float32(-90), float32(90), float32(8))
	f.Add(float32(math.Inf(1)), float32(0), float32(1e-40), float32(-1e-40), float32(0), float32(0))
	f.Fuzz(func(t *testing.T, x, w0, w1, h0, h1, slope float32) {
		const count, bins = 11, 2
		for _, logit := range []float32{w0, w1, h0, h1} {
			if !(logit >= -1e6 && logit <= 1e6) {
				return
			}
		}
		if !(slope >= -1e6 && slope <= 10) {
			return
		}
		b := newBatch(count, 1, bins)
		clear(b.params)
		b.x[9] = x
		copy(b.params[9*b.width:], []float32{w0, w1, h0, h1, slope})
		Forward(b.y, b.logDet, b.x, b.params, count, 1, bins, bound)
		Inverse(b.back, b.logDet, b.y, b.params, count, 1, bins, bound)
		Backward(b.gx, b.gparams, b.gy, b.gl, b.x, b.params, count, 1, bins, bound)
		b.checkGuards(t)
		if outside(x, bound) {
			same(t, "y", b.y[9:10], b.x[9:10])
			return
		}
		if y := b.y[9]; !(y >= -bound-1e-5 && y <= bound+1e-5) {
			t.Errorf("%g became %g", x, y)
		}
		again := newBatch(count, 1, bins)
		Forward(again.y, again.logDet, b.back, b.params, count, 1, bins, bound)
		if !near(again.y[9], float64(b.y[9]), 1e-2) {
			t.Errorf("%g came back as %g", b.y[9], again.y[9])
		}
		for k, g := range b.gparams {
			if math.IsNaN(float64(g)) || math.IsInf(float64(g), 0) {
				t.Errorf("gparams[%d] = %g", k, g)
			}
		}
	})
}

func TestInPlace(t *testing.T) {
	shapes(func(m, n, bins int) {
		a, b := newBatch(m, n, bins), newBatch(m, n, bins)
		Backward(a.gx, a.gparams, a.gy, a.gl, a.x, a.params, m, n, bins, bound)
		Backward(b.gy, b.gparams, b.gy, b.gl, b.x, b.params, m, n, bins, bound)
		same(t, "gx", b.gy, a.gx)
		same(t, "gparams", b.gparams, a.gparams)
		Forward(a.y, a.logDet, a.x, a.params, m, n, bins, bound)
		Forward(b.x, b.logDet, b.x, b.params, m, n, bins, bound)
		same(t, "y", b.x, a.y)
		Inverse(a.back, a.logDet, a.y, a.params, m, n, bins, bound)
		Inverse(b.x, b.logDet, b.x, b.params, m, n, bins, bound)
		same(t, "x", b.x, a.back)
		same(t, "logDet", b.logDet, a.logDet)
	})
}

// TestRowsAreIndependent computes every row alone and asks for the same bits. The
// more bins, the fewer elements the assembly takes at a time.
func TestRowsAreIndependent(t *testing.T) {
	for n := 1; n <= 17; n++ {
		rowsAlone(t, 40, n, 5)
	}
	for _, bins := range []int{1, 2, 16, 17, 31, 32, 33, 43, 64, 65, MaxBins} {
		rowsAlone(t, 67, 1, bins)
	}
}

func rowsAlone(t *testing.T, m, n, bins int) {
	t.Helper()
	a, b := newBatch(m, n, bins), newBatch(m, n, bins)
	run := func(c *batch, i, k int) {
		x, p := c.x[i*n:k*n], c.params[i*n*c.width:k*n*c.width]
		Forward(c.y[i*n:k*n], c.logDet[i:k], x, p, k-i, n, bins, bound)
		Inverse(c.back[i*n:k*n], c.logDet[i:k], x, p, k-i, n, bins, bound)
		Backward(c.gx[i*n:k*n], c.gparams[i*n*c.width:k*n*c.width], c.gy[i*n:k*n], c.gl[i:k], x, p, k-i, n, bins, bound)
	}
	run(a, 0, m)
	for i := range m {
		run(b, i, i+1)
	}
	a.checkGuards(t)
	b.checkGuards(t)
	for k := range a.guarded {
		same(t, fmt.Sprintf("n = %d, %d bins: slice %d", n, bins, k), b.guarded[k], a.guarded[k])
	}
}

func TestProgrammerErrors(t *testing.T) {
	a, p := make([]float32, 6), make([]float32, 6*Params(4))
	for name, f := range map[string]func(){
		"negative n":    func() { Forward(nil, nil, nil, nil, 1, -1, 4, 1) },
		"no bins":       func() { Forward(a, a, a, nil, 6, 1, 0, 1) },
		"too many bins": func() { Forward(a, a, a, make([]float32, 6*Params(MaxBins+1)), 6, 1, MaxBins+1, 1) },
		"zero bound":    func() { Forward(a, a, a, p, 6, 1, 4, 0) },
		"short params":  func() { Inverse(a, a, a, p[1:], 6, 1, 4, 1) },
		"short gl":      func() { Backward(a, p, a, a[1:], a, p, 6, 1, 4, 1) },
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
	b := newBatch(33, 5, 8)
	if allocs := testing.AllocsPerRun(10, func() {
		Forward(b.y, b.logDet, b.x, b.params, 33, 5, 8, bound)
		Inverse(b.back, b.logDet, b.y, b.params, 33, 5, 8, bound)
		Backward(b.gx, b.gparams, b.gy, b.gl, b.x, b.params, 33, 5, 8, bound)
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

// One event of two dimensions goes through splines of two bins and back.
func Example() {
	x := []float32{0.5, -4}
	params := []float32{
		1, 0, // widths of the first column's bins
		0, 0, // heights
		0.5,           // slope between them
		0, 0, 0, 0, 0, // the second column's; x = −4 is in the tail anyway
	}
	y, logDet := make([]float32, 2), make([]float32, 1)
	Forward(y, logDet, x, params, 1, 2, 2, 3)
	fmt.Printf("y = %.3f, log|det J| = %.3f\n", y, logDet[0])

	Inverse(x, logDet, y, params, 1, 2, 2, 3)
	fmt.Printf("x = %.3f, log|det J| = %.3f\n", x, logDet[0])
	// Output:
	// y = [-0.870 -4.000], log|det J| = -0.302
	// x = [0.500 -4.000], log|det J| = 0.000
}
