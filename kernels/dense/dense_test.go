package dense

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

const epsilon = 0x1p-24 // the relative error of one rounding

var activations = []Activation{None, ReLU, LeakyReLU, SiLU, Tanh}

// sizes holds every size up to 70 near which a block begins or ends.
var sizes = []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 17, 18, 19, 21, 23, 24, 25, 31, 32, 33, 40, 43, 47, 48, 49, 63, 64, 65, 66, 70}

// sweep calls f with each of the three sizes going through 0…70 while the
// other two are drawn from sizes.
func sweep(t *testing.T, f func(t *testing.T, rnd *rand.Rand, m, k, n int)) {
	rnd := rand.New(rand.NewPCG(1, 2))
	any := func() int { return sizes[rnd.IntN(len(sizes))] }
	for i := range 71 {
		for range 4 {
			f(t, rnd, i, any(), any())
			f(t, rnd, any(), i, any())
			f(t, rnd, any(), any(), i)
		}
	}
	for _, c := range [][3]int{{300, 8, 128}, {97, 128, 16}, {64, 600, 24}, {131, 17, 200}, {5, 300, 3}} {
		f(t, rnd, c[0], c[1], c[2])
	}
}

// TestPack finds every weight in its panel.
func TestPack(t *testing.T) {
	sweep(t, func(t *testing.T, rnd *rand.Rand, _, k, n int) {
		name := fmt.Sprintf("k=%d n=%d", k, n)
		w := normal(rnd, k*n)
		wp, wtp, twin := guarded(rnd, PackedLen(k, n)), guarded(rnd, PackedLen(n, k)), guarded(rnd, PackedLen(n, k))
		Pack(wp.inside, w.inside, k, n)
		PackT(wtp.inside, w.inside, k, n)
		packTPure(twin.inside, w.inside, k, n)
		same(t, name+" PackT", wtp.inside, twin.inside)

		transposed := make([]float32, k*n)
		for p := range k {
			for j := range n {
				transposed[j*k+p] = w.inside[p*n+j]
			}
		}
		Pack(twin.inside, transposed, n, k)
		same(t, name+" Pack of the transpose", wtp.inside, twin.inside)

		rest := wp.inside
		for j := 0; j < n; {
			start, width := panel(j, n)
			for p := range k {
				for c := range width {
					var want float32
					if start+c < n {
						want = w.inside[p*n+start+c]
					}
					if got := rest[p*width+c]; got != want {
						t.Fatalf("%s: weight [%d,%d] is %v, want %v", name, p, start+c, got, want)
					}
				}
			}
			rest = rest[k*width:]
			j = start + width
		}
		if len(rest) != 0 {
			t.Fatalf("%s: %d floats too many", name, len(rest))
		}
		for _, s := range []slice{w, wp, wtp, twin} {
			s.check(t, name)
		}
	})
}

func TestForward(t *testing.T) {
	sweep(t, func(t *testing.T, rnd *rand.Rand, m, k, n int) {
		act := activations[rnd.IntN(len(activations))]
		name := fmt.Sprintf("m=%d k=%d n=%d %v", m, k, n, act)
		x, w, b := normal(rnd, m*k), normal(rnd, k*n), normal(rnd, n)
		wp := guarded(rnd, PackedLen(k, n))
		y, z := guarded(rnd, m*n), guarded(rnd, m*n)
		Pack(wp.inside, w.inside, k, n)
		Forward(y.inside, z.inside, x.inside, wp.inside, b.inside, m, k, n, act)
		alone := guarded(rnd, m*n)
		Forward(alone.inside, nil, x.inside, wp.inside, b.inside, m, k, n, act)
		twinY, twinZ := guarded(rnd, m*n), guarded(rnd, m*n)
		forwardPure(twinY.inside, twinZ.inside, x.inside, wp.inside, b.inside, m, k, n, act)

		for i := range m {
			for j := range n {
				want, size := float64(b.inside[j]), math.Abs(float64(b.inside[j]))
				for p := range k {
					term := float64(x.inside[i*k+p]) * float64(w.inside[p*n+j])
					want += term
					size += math.Abs(term)
				}
				bound := float64(k+2) * epsilon * size
				at := i*n + j
				near(t, name, "z", at, z.inside, want, bound)
				near(t, name, "twin's z", at, twinZ.inside, want, bound)
				bound = 1.1*bound + 8*epsilon*math.Abs(want)
				near(t, name, "y", at, y.inside, activate(act, want), bound)
				near(t, name, "twin's y", at, twinY.inside, activate(act, want), bound)
			}
		}
		same(t, name+" without z", alone.inside, y.inside)
		for _, s := range []slice{x, w, b, wp, y, z, alone, twinY, twinZ} {
			s.check(t, name)
		}
	})
}

func TestGradInput(t *testing.T) {
	sweep(t, func(t *testing.T, rnd *rand.Rand, m, k, n int) {
		act := activations[rnd.IntN(len(activations))]
		name := fmt.Sprintf("m=%d k=%d n=%d %v", m, k, n, act)
		dz, w, s := normal(rnd, m*n), normal(rnd, k*n), normal(rnd, m*k)
		if act != SiLU {
			activatePure(s.inside, act)
		}
		wtp := guarded(rnd, PackedLen(n, k))
		dx, twin := guarded(rnd, m*k), guarded(rnd, m*k)
		PackT(wtp.inside, w.inside, k, n)
		GradInput(dx.inside, dz.inside, wtp.inside, s.inside, m, k, n, act)
		gradInputPure(twin.inside, dz.inside, wtp.inside, s.inside, m, k, n, act)

		for i := range m {
			for p := range k {
				var want, size float64
				for j := range n {
					term := float64(dz.inside[i*n+j]) * float64(w.inside[p*n+j])
					want += term
					size += math.Abs(term)
				}
				d := derivative(act, float64(s.inside[i*k+p]))
				bound := float64(n+8) * epsilon * size * max(1, math.Abs(d))
				near(t, name, "dx", i*k+p, dx.inside, want*d, bound)
				near(t, name, "twin's dx", i*k+p, twin.inside, want*d, bound)
			}
		}
		for _, s := range []slice{dz, w, s, wtp, dx, twin} {
			s.check(t, name)
		}
	})
}

func TestGradWeights(t *testing.T) {
	sweep(t, func(t *testing.T, rnd *rand.Rand, m, k, n int) {
		name := fmt.Sprintf("m=%d k=%d n=%d", m, k, n)
		x, dz := normal(rnd, m*k), normal(rnd, m*n)
		dw, db := normal(rnd, k*n), normal(rnd, n)
		twinW, twinB := guarded(rnd, k*n), guarded(rnd, n)
		copy(twinW.inside, dw.inside)
		copy(twinB.inside, db.inside)
		startW := append([]float32(nil), dw.inside...)
		startB := append([]float32(nil), db.inside...)
		GradWeights(dw.inside, db.inside, x.inside, dz.inside, m, k, n)
		gradWeightsPure(twinW.inside, twinB.inside, x.inside, dz.inside, m, k, n)

		for j := range n {
			for p := -1; p < k; p++ { // −1 is the bias: a column of ones
				what, start, got, twin := "db", startB, db.inside, twinB.inside
				at := j
				if p >= 0 {
					what, start, got, twin = "dw", startW, dw.inside, twinW.inside
					at = p*n + j
				}
				want := float64(start[at])
				size := math.Abs(want)
				for i := range m {
					term := float64(dz.inside[i*n+j])
					if p >= 0 {
						term *= float64(x.inside[i*k+p])
					}
					want += term
					size += math.Abs(term)
				}
				bound := float64(m+2) * epsilon * size
				near(t, name, what, at, got, want, bound)
				near(t, name, "twin of "+what, at, twin, want, bound)
			}
		}
		for _, s := range []slice{x, dz, dw, db, twinW, twinB} {
			s.check(t, name)
		}
	})
}

// TestManyRows shows that the error of a weight's gradient does not grow with
// the number of rows: with all terms positive, one chain of 2¹⁸ float32 sums
// would be wrong by 1e-4 and more.
func TestManyRows(t *testing.T) {
	const m, k, n = 1 << 18, 3, 5
	rnd := rand.New(rand.NewPCG(3, 4))
	x, dz := make([]float32, m*k), make([]float32, m*n)
	for i := range x {
		x[i] = rnd.Float32()
	}
	for i := range dz {
		dz[i] = rnd.Float32()
	}
	dw, db := make([]float32, k*n), make([]float32, n)
	GradWeights(dw, db, x, dz, m, k, n)
	for j := range n {
		var want float64
		for i := range m {
			want += float64(dz[i*n+j])
		}
		near(t, "many rows", "db", j, db, want, 1e-5*want)
		for p := range k {
			var want float64
			for i := range m {
				want += float64(x[i*k+p]) * float64(dz[i*n+j])
			}
			near(t, "many rows", "dw", p*n+j, dw, want, 1e-5*want)
		}
	}
}

// TestRowsAreIndependent computes each row in every position of a batch, and
// alone, and wants the same bits.
func TestRowsAreIndependent(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for _, c := range [][2]int{{3, 3}, {7, 8}, {16, 12}, {43, 21}, {40, 64}} {
		k, n := c[0], c[1]
		const m = 37
		x, w, b, s := normal(rnd, m*k).inside, normal(rnd, k*n).inside, normal(rnd, n).inside, normal(rnd, m*k).inside
		dz := normal(rnd, m*n).inside
		wp, wtp := make([]float32, PackedLen(k, n)), make([]float32, PackedLen(n, k))
		Pack(wp, w, k, n)
		PackT(wtp, w, k, n)
		for _, act := range activations {
			y, dx := make([]float32, m*n), make([]float32, m*k)
			Forward(y, nil, x, wp, b, m, k, n, act)
			GradInput(dx, dz, wtp, s, m, k, n, act)
			for first := range m {
				for _, rows := range []int{1, 5, 6, 9, 13, m - first} {
					if first+rows > m {
						continue
					}
					last := first + rows
					part := make([]float32, rows*n)
					Forward(part, nil, x[first*k:last*k], wp, b, rows, k, n, act)
					same(t, fmt.Sprintf("Forward k=%d n=%d %v rows %d to %d", k, n, act, first, last), part, y[first*n:last*n])
					part = make([]float32, rows*k)
					GradInput(part, dz[first*n:last*n], wtp, s[first*k:last*k], rows, k, n, act)
					same(t, fmt.Sprintf("GradInput k=%d n=%d %v rows %d to %d", k, n, act, first, last), part, dx[first*k:last*k])
				}
			}
		}
	}
}

// TestNonFinite follows NaN and infinities through every activation.
func TestNonFinite(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	in := []float32{nan, inf, -inf, 0, 3e38, -3e38, 100, -100}
	want := map[Activation][]float32{
		None:      in,
		ReLU:      {nan, inf, 0, 0, 3e38, 0, 100, 0},
		LeakyReLU: {nan, inf, -inf, 0, 3e38, -3e36, 100, -1},
		Tanh:      {nan, 1, -1, 0, 1, -1, 1, -1},
		SiLU:      {nan, inf, nan, 0, 3e38, 0, 100, 0},
	}
	for _, act := range activations {
		for n := 1; n <= 20; n++ {
			y, b := make([]float32, 2*n), make([]float32, n)
			for i := range b {
				b[i] = in[i%len(in)]
			}
			Forward(y, nil, nil, nil, b, 2, 0, n, act)
			for i, v := range y {
				w := want[act][i%n%len(in)]
				if act == SiLU && math.IsInf(float64(b[i%n]), -1) {
					continue // −∞·0 may be NaN or the limit, 0
				}
				if math.IsNaN(float64(w)) != math.IsNaN(float64(v)) || math.Abs(float64(v-w)) > 1e-6*math.Abs(float64(w))+1e-38 {
					t.Errorf("%v(%v) = %v, want %v", act, b[i%n], v, w)
				}
			}
		}
	}
}

func TestNoAllocations(t *testing.T) {
	const m, k, n = 50, 21, 43
	rnd := rand.New(rand.NewPCG(7, 8))
	x, w, b := normal(rnd, m*k).inside, normal(rnd, k*n).inside, normal(rnd, n).inside
	y, z := make([]float32, m*n), make([]float32, m*n)
	wp, wtp := make([]float32, PackedLen(k, n)), make([]float32, PackedLen(n, k))
	allocs := testing.AllocsPerRun(5, func() {
		Pack(wp, w, k, n)
		PackT(wtp, w, k, n)
		Forward(y, z, x, wp, b, m, k, n, SiLU)
		GradInput(x, y, wtp, z[:m*k], m, k, n, SiLU)
		GradWeights(w, b, x, y, m, k, n)
	})
	if allocs != 0 {
		t.Errorf("%v allocations, want none", allocs)
	}
}

func TestWrongLengthsPanic(t *testing.T) {
	f := func(n int) []float32 { return make([]float32, n) }
	const m, k, n = 2, 3, 4
	for name, call := range map[string]func(){
		"Pack dst":         func() { Pack(f(k*n), f(k*n), k, n) },
		"Pack w":           func() { Pack(f(PackedLen(k, n)), f(k*n+1), k, n) },
		"PackT dst":        func() { PackT(f(PackedLen(k, n)), f(k*n), k, n) },
		"Forward y":        func() { Forward(f(1), nil, f(m*k), f(PackedLen(k, n)), f(n), m, k, n, None) },
		"Forward z":        func() { Forward(f(m*n), f(1), f(m*k), f(PackedLen(k, n)), f(n), m, k, n, None) },
		"Forward x":        func() { Forward(f(m*n), nil, f(m*k-1), f(PackedLen(k, n)), f(n), m, k, n, None) },
		"Forward wp":       func() { Forward(f(m*n), nil, f(m*k), f(k*n), f(n), m, k, n, None) },
		"Forward b":        func() { Forward(f(m*n), nil, f(m*k), f(PackedLen(k, n)), nil, m, k, n, None) },
		"Forward act":      func() { Forward(f(m*n), nil, f(m*k), f(PackedLen(k, n)), f(n), m, k, n, Tanh+1) },
		"GradInput s":      func() { GradInput(f(m*k), f(m*n), f(PackedLen(n, k)), nil, m, k, n, ReLU) },
		"GradWeights dw":   func() { GradWeights(f(1), f(n), f(m*k), f(m*n), m, k, n) },
		"GradWeights rows": func() { GradWeights(f(k*n), f(n), f(m*k), f(m*n), m+1, k, n) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
}

func TestActivationText(t *testing.T) {
	for _, act := range activations {
		text, err := json.Marshal(act)
		if err != nil {
			t.Fatal(err)
		}
		var back Activation
		if err := json.Unmarshal(text, &back); err != nil || back != act {
			t.Errorf("%s: %v became %v, %v", text, act, back, err)
		}
	}
	back := SiLU
	if err := back.UnmarshalText([]byte("gelu")); err == nil || back != SiLU {
		t.Errorf("gelu: %v, %v", back, err)
	}
	if _, err := (Tanh + 1).MarshalText(); err == nil {
		t.Error("an unknown activation has a text")
	}
}

// Forward with a weight matrix that swaps the two columns.
func ExampleForward() {
	w := []float32{0, 1, 1, 0}
	packed := make([]float32, PackedLen(2, 2))
	Pack(packed, w, 2, 2)

	x := []float32{1, 2, 3, -4}
	y := make([]float32, 4)
	Forward(y, nil, x, packed, []float32{0.5, 0}, 2, 2, 2, ReLU)
	fmt.Println(y)
	// Output: [2.5 1 0 3]
}

// activate and derivative are the activations in float64.
func activate(act Activation, v float64) float64 {
	switch act {
	case ReLU:
		return math.Max(0, v)
	case LeakyReLU:
		return math.Max(0.01*v, v)
	case SiLU:
		return v / (1 + math.Exp(-v))
	case Tanh:
		return math.Tanh(v)
	}
	return v
}

func derivative(act Activation, s float64) float64 {
	switch {
	case act == ReLU && s <= 0:
		return 0
	case act == LeakyReLU && s <= 0:
		return 0.01
	case act == SiLU:
		e := math.Exp(-s)
		return 1/(1+e) + s*e/((1+e)*(1+e))
	case act == Tanh:
		return 1 - s*s
	}
	return 1
}

// slice is a slice of floats, at any alignment, between guards.
type slice struct {
	inside []float32
	all    []float32
	start  int
}

const guard = 24

func guarded(rnd *rand.Rand, n int) slice {
	start := guard + rnd.IntN(8)
	all := make([]float32, start+n+guard)
	for i := range all {
		all[i] = float32(math.NaN())
	}
	return slice{all[start : start+n : start+n], all, start}
}

func normal(rnd *rand.Rand, n int) slice {
	s := guarded(rnd, n)
	for i := range s.inside {
		s.inside[i] = float32(rnd.NormFloat64())
	}
	return s
}

// check reports a write outside the slice or a NaN in it.
func (s slice) check(t *testing.T, name string) {
	t.Helper()
	for i, v := range s.all {
		inside := i >= s.start && i < s.start+len(s.inside)
		if math.IsNaN(float64(v)) == inside {
			t.Fatalf("%s: found %v at %d of a slice of %d", name, v, i-s.start, len(s.inside))
		}
	}
}

// near reports that element at of a result is further than bound from want.
func near(t *testing.T, name, what string, at int, got []float32, want, bound float64) {
	if !(math.Abs(float64(got[at])-want) <= bound+1e-38) {
		t.Helper()
		t.Fatalf("%s: %s[%d] is %v, want %v ± %.2g", name, what, at, got[at], want, bound)
	}
}

func same(t *testing.T, name string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: [%d] is %v, want %v", name, i, got[i], want[i])
		}
	}
}
