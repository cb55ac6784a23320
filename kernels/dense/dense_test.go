package dense

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/kernels/cpu"
	"github.com/eidolon-hep/eidolon/kernels/internal/guard"
)

const epsilon = 0x1p-24 // the relative error of one rounding

var activations = []Activation{None, ReLU, LeakyReLU, SiLU, Tanh}

// sizes holds every size up to 70 near which a block begins or ends.
var sizes = []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 17, 18, 19, 21, 23, 24, 25, 31, 32, 33, 40, 43, 47, 48, 49, 63, 64, 65, 66, 70}

// sweep calls check with each of the three sizes going through 0…70 while the
// other two are drawn from sizes.
func sweep(t *testing.T, check func(t *testing.T, rnd *rand.Rand, m, k, n int)) {
	rnd := rand.New(rand.NewPCG(1, 2))
	any := func() int { return sizes[rnd.IntN(len(sizes))] }
	for i := range 71 {
		for range 4 {
			check(t, rnd, i, any(), any())
			check(t, rnd, any(), i, any())
			check(t, rnd, any(), any(), i)
		}
	}
	for _, c := range [][3]int{{300, 8, 128}, {97, 128, 16}, {64, 600, 24}, {131, 17, 200}, {5, 300, 3}} {
		check(t, rnd, c[0], c[1], c[2])
	}
}

func TestPack(t *testing.T)        { sweep(t, checkPack) }
func TestForward(t *testing.T)     { sweep(t, checkForward) }
func TestGradInput(t *testing.T)   { sweep(t, checkGradInput) }
func TestGradWeights(t *testing.T) { sweep(t, checkGradWeights) }

// The seeds of the fuzz targets are run by every test.
func FuzzPack(f *testing.F)        { fuzz(f, checkPack) }
func FuzzForward(f *testing.F)     { fuzz(f, checkForward) }
func FuzzGradInput(f *testing.F)   { fuzz(f, checkGradInput) }
func FuzzGradWeights(f *testing.F) { fuzz(f, checkGradWeights) }

func fuzz(f *testing.F, check func(t *testing.T, rnd *rand.Rand, m, k, n int)) {
	for _, size := range []uint8{1, 7, 16, 43, 130} {
		f.Add(uint64(size), size, size/2, 2*size+1)
	}
	f.Fuzz(func(t *testing.T, seed uint64, m, k, n uint8) {
		check(t, rand.New(rand.NewPCG(seed, 0)), int(m), int(k), int(n))
	})
}

// checkPack finds every weight in its panel.
func checkPack(t *testing.T, rnd *rand.Rand, _, k, n int) {
	name := fmt.Sprintf("k=%d n=%d", k, n)
	w := guard.Normal[float32](rnd, k*n)
	wp, wtp, twin := guard.New[float32](rnd, PackedLen(k, n)), guard.New[float32](rnd, PackedLen(n, k)), guard.New[float32](rnd, PackedLen(n, k))
	Pack(wp.Inside, w.Inside, k, n)
	PackT(wtp.Inside, w.Inside, k, n)
	packTPure(twin.Inside, w.Inside, k, n)
	same(t, name+" PackT", wtp.Inside, twin.Inside)

	transposed := make([]float32, k*n)
	for p := range k {
		for j := range n {
			transposed[j*k+p] = w.Inside[p*n+j]
		}
	}
	Pack(twin.Inside, transposed, n, k)
	same(t, name+" Pack of the transpose", wtp.Inside, twin.Inside)

	rest := wp.Inside
	for j := 0; j < n; {
		start, width := panel(j, n)
		for p := range k {
			for c := range width {
				var want float32
				if start+c < n {
					want = w.Inside[p*n+start+c]
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
	for _, s := range []guard.Slice[float32]{w, wp, wtp, twin} {
		s.Filled(t, name)
	}
}

// checkForward compares a layer, with and without z, with float64.
func checkForward(t *testing.T, rnd *rand.Rand, m, k, n int) {
	act := activations[rnd.IntN(len(activations))]
	name := fmt.Sprintf("m=%d k=%d n=%d %v", m, k, n, act)
	x, w, b := guard.Normal[float32](rnd, m*k), guard.Normal[float32](rnd, k*n), guard.Normal[float32](rnd, n)
	wp := guard.New[float32](rnd, PackedLen(k, n))
	y, z := guard.New[float32](rnd, m*n), guard.New[float32](rnd, m*n)
	Pack(wp.Inside, w.Inside, k, n)
	Forward(y.Inside, z.Inside, x.Inside, wp.Inside, b.Inside, m, k, n, act)
	alone := guard.New[float32](rnd, m*n)
	Forward(alone.Inside, nil, x.Inside, wp.Inside, b.Inside, m, k, n, act)
	twinY, twinZ := guard.New[float32](rnd, m*n), guard.New[float32](rnd, m*n)
	forwardPure(twinY.Inside, twinZ.Inside, x.Inside, wp.Inside, b.Inside, m, k, n, act)

	for i := range m {
		for j := range n {
			want, size := float64(b.Inside[j]), math.Abs(float64(b.Inside[j]))
			for p := range k {
				term := float64(x.Inside[i*k+p]) * float64(w.Inside[p*n+j])
				want += term
				size += math.Abs(term)
			}
			bound := float64(k+2) * epsilon * size
			at := i*n + j
			near(t, name, "z", at, z.Inside, want, bound)
			near(t, name, "twin's z", at, twinZ.Inside, want, bound)
			bound = 1.1*bound + 8*epsilon*math.Abs(want)
			near(t, name, "y", at, y.Inside, activate(act, want), bound)
			near(t, name, "twin's y", at, twinY.Inside, activate(act, want), bound)
		}
	}
	same(t, name+" without z", alone.Inside, y.Inside)
	for _, s := range []guard.Slice[float32]{x, w, b, wp, y, z, alone, twinY, twinZ} {
		s.Filled(t, name)
	}
}

// checkGradInput compares the gradient of the inputs with float64.
func checkGradInput(t *testing.T, rnd *rand.Rand, m, k, n int) {
	act := activations[rnd.IntN(len(activations))]
	name := fmt.Sprintf("m=%d k=%d n=%d %v", m, k, n, act)
	dz, w, s := guard.Normal[float32](rnd, m*n), guard.Normal[float32](rnd, k*n), guard.Normal[float32](rnd, m*k)
	if act != SiLU {
		activatePure(s.Inside, act)
	}
	wtp := guard.New[float32](rnd, PackedLen(n, k))
	dx, twin := guard.New[float32](rnd, m*k), guard.New[float32](rnd, m*k)
	PackT(wtp.Inside, w.Inside, k, n)
	GradInput(dx.Inside, dz.Inside, wtp.Inside, s.Inside, m, k, n, act)
	gradInputPure(twin.Inside, dz.Inside, wtp.Inside, s.Inside, m, k, n, act)

	for i := range m {
		for p := range k {
			var want, size float64
			for j := range n {
				term := float64(dz.Inside[i*n+j]) * float64(w.Inside[p*n+j])
				want += term
				size += math.Abs(term)
			}
			d := derivative(act, float64(s.Inside[i*k+p]))
			bound := float64(n+8) * epsilon * size * max(1, math.Abs(d))
			near(t, name, "dx", i*k+p, dx.Inside, want*d, bound)
			near(t, name, "twin's dx", i*k+p, twin.Inside, want*d, bound)
		}
	}
	for _, s := range []guard.Slice[float32]{dz, w, s, wtp, dx, twin} {
		s.Filled(t, name)
	}
}

// checkGradWeights compares the gradients of weights and bias with float64.
func checkGradWeights(t *testing.T, rnd *rand.Rand, m, k, n int) {
	name := fmt.Sprintf("m=%d k=%d n=%d", m, k, n)
	x, dz := guard.Normal[float32](rnd, m*k), guard.Normal[float32](rnd, m*n)
	dw, db := guard.Normal[float32](rnd, k*n), guard.Normal[float32](rnd, n)
	twinW, twinB := guard.New[float32](rnd, k*n), guard.New[float32](rnd, n)
	copy(twinW.Inside, dw.Inside)
	copy(twinB.Inside, db.Inside)
	startW := append([]float32(nil), dw.Inside...)
	startB := append([]float32(nil), db.Inside...)
	GradWeights(dw.Inside, db.Inside, x.Inside, dz.Inside, m, k, n)
	gradWeightsPure(twinW.Inside, twinB.Inside, x.Inside, dz.Inside, m, k, n)

	for j := range n {
		for p := -1; p < k; p++ { // −1 is the bias: a column of ones
			what, start, got, twin := "db", startB, db.Inside, twinB.Inside
			at := j
			if p >= 0 {
				what, start, got, twin = "dw", startW, dw.Inside, twinW.Inside
				at = p*n + j
			}
			want := float64(start[at])
			size := math.Abs(want)
			for i := range m {
				term := float64(dz.Inside[i*n+j])
				if p >= 0 {
					term *= float64(x.Inside[i*k+p])
				}
				want += term
				size += math.Abs(term)
			}
			bound := float64(m+2) * epsilon * size
			near(t, name, what, at, got, want, bound)
			near(t, name, "twin of "+what, at, twin, want, bound)
		}
	}
	for _, s := range []guard.Slice[float32]{x, dz, dw, db, twinW, twinB} {
		s.Filled(t, name)
	}
}

// TestActivateAndAdd compares the passes over a slice with what a layer does, in
// all bits, with the twins and with a plain sum.
func TestActivateAndAdd(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 10))
	for n := range 140 {
		z, x := guard.Normal[float32](rnd, n), guard.Normal[float32](rnd, n)
		if n > 2 {
			z.Inside[0], z.Inside[1] = float32(math.Inf(1)), float32(math.Inf(-1))
		}
		one, zero := []float32{1}, make([]float32, PackedLen(1, n))
		Pack(zero, make([]float32, n), 1, n)
		y := guard.New[float32](rnd, n)
		for _, act := range activations {
			name := fmt.Sprintf("n=%d %v", n, act)
			want := make([]float32, n)
			Forward(want, nil, one, zero, z.Inside, 1, 1, n, act)
			Activate(y.Inside, z.Inside, act)
			for i, w := range want {
				if got := y.Inside[i]; got != w {
					t.Errorf("%s: [%d] is %v, a layer gives %v", name, i, got, w)
				}
			}
			y.Filled(t, name)
		}
		copy(y.Inside, z.Inside)
		Add(y.Inside, x.Inside)
		for i, got := range y.Inside {
			if want := z.Inside[i] + x.Inside[i]; got != want {
				t.Errorf("n=%d: %v + %v = %v", n, z.Inside[i], x.Inside[i], got)
			}
		}
		y.Filled(t, "Add")
	}
	for _, act := range activations {
		y := []float32{float32(math.NaN()), 1}
		Activate(y, y, act)
		if y[0] == y[0] || y[1] != y[1] {
			t.Errorf("%v: NaN and 1 become %v", act, y)
		}
	}
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
		x, w, b, s := guard.Normal[float32](rnd, m*k).Inside, guard.Normal[float32](rnd, k*n).Inside, guard.Normal[float32](rnd, n).Inside, guard.Normal[float32](rnd, m*k).Inside
		dz := guard.Normal[float32](rnd, m*n).Inside
		wp, wtp := make([]float32, PackedLen(k, n)), make([]float32, PackedLen(n, k))
		Pack(wp, w, k, n)
		PackT(wtp, w, k, n)
		for _, act := range activations {
			y, dx := make([]float32, m*n), make([]float32, m*k)
			Forward(y, nil, x, wp, b, m, k, n, act)
			GradInput(dx, dz, wtp, s, m, k, n, act)
			for first := range m {
				for _, rows := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, m - first} {
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

// TestActivations has every activation, and the derivative of SiLU, of numbers
// of all magnitudes, compared with float64.
func TestActivations(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 10))
	var z []float32
	for exponent := range uint32(256) {
		for range 150 {
			z = append(z, math.Float32frombits(exponent<<23|rnd.Uint32()&(1<<31|1<<23-1)))
		}
	}
	for _, v := range []float64{0, 1, 10, 17.3, 21.9, 22, 22.1, 87.3, 88.7, 103.9, 104, 108.7, 108.8, 109, math.MaxFloat32, math.Inf(1)} {
		z = append(z, float32(v), float32(-v))
	}
	checkActivations(t, z)
}

func FuzzActivations(f *testing.F) {
	for _, z := range []float32{-1.2784645, -103.97, 1e-45, 3e38} {
		f.Add(math.Float32bits(z))
	}
	f.Fuzz(func(t *testing.T, bits uint32) { checkActivations(t, []float32{math.Float32frombits(bits)}) })
}

func checkActivations(t *testing.T, z []float32) {
	n := len(z)
	ones, y, dx := make([]float32, n), make([]float32, n), make([]float32, n)
	for i := range ones {
		ones[i] = 1
	}
	wtp := make([]float32, PackedLen(1, n))
	PackT(wtp, ones, n, 1)
	for _, act := range activations {
		Forward(y, nil, nil, nil, z, 1, 0, n, act)
		for i, z := range z {
			want := activate(act, float64(z))
			if bound := 4 * spacing(want); !close(float64(y[i]), want, bound) {
				t.Fatalf("%v(%v) = %v, want %v ± %v", act, z, y[i], want, bound)
			}
		}
	}
	GradInput(dx, ones[:1], wtp, z, 1, n, 1, SiLU)
	for i, z := range z {
		want := derivative(SiLU, float64(z))
		if bound := 6 * spacing(max(math.Abs(want), min(math.Abs(float64(z)), 1)*math.Exp(min(0, float64(z))))); !close(float64(dx[i]), want, bound) {
			t.Fatalf("SiLU'(%v) = %v, want %v ± %v", z, dx[i], want, bound)
		}
	}
}

// spacing is the distance of the float32 around v.
func spacing(v float64) float64 {
	_, exponent := math.Frexp(v)
	return math.Ldexp(1, max(exponent-24, -149))
}

// close tells whether got is want as near as bound, infinite with it or NaN
// with it.
func close(got, want, bound float64) bool {
	if math.IsInf(want, 0) || math.IsNaN(want) {
		return got == want || math.IsNaN(got) && math.IsNaN(want)
	}
	return math.Abs(got-want) <= bound
}

// TestNothingIsReadOutside lets every slice end where readable memory ends.
func TestNothingIsReadOutside(t *testing.T) {
	slices := make([]func(int) []float32, 9)
	for i := range slices {
		slices[i] = guard.AtPageEnd[float32](t, 1<<11)
	}
	for _, m := range []int{1, 2, 5, 6, 7, 11, 12, 13, 25} {
		for _, k := range []int{0, 1, 3, 4, 5, 7, 8, 9, 16, 17, 21} {
			for _, n := range []int{1, 2, 3, 7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 32, 33, 47, 48, 49, 65} {
				y, z, x, b, w := slices[0](m*n), slices[1](m*n), slices[2](m*k), slices[3](n), slices[4](k*n)
				wp, wtp := slices[5](PackedLen(k, n)), slices[6](PackedLen(n, k))
				dx, db := slices[7](m*k), slices[8](n)
				Pack(wp, w, k, n)
				PackT(wtp, w, k, n)
				for _, act := range activations {
					Forward(y, z, x, wp, b, m, k, n, act)
					Forward(y, nil, x, wp, b, m, k, n, act)
					GradInput(dx, y, wtp, x, m, k, n, act)
				}
				GradWeights(w, db, x, y, m, k, n)
			}
		}
	}
}

// TestWideIsNarrow wants the same bits with AVX-512 as without: the events of a seed
// are those of any processor.
func TestWideIsNarrow(t *testing.T) {
	if !cpu.AVX512 {
		testenv.Impossible(t, "AVX-512 is not in use")
	}
	sweep(t, func(t *testing.T, rnd *rand.Rand, m, k, n int) {
		x, w, b := guard.Normal[float32](rnd, m*k), guard.Normal[float32](rnd, k*n), guard.Normal[float32](rnd, n)
		dz, s := guard.Normal[float32](rnd, m*n), guard.Normal[float32](rnd, m*k)
		wp, wtp := make([]float32, PackedLen(k, n)), make([]float32, PackedLen(n, k))
		Pack(wp, w.Inside, k, n)
		PackT(wtp, w.Inside, k, n)
		act := activations[rnd.IntN(len(activations))]
		both(t, rnd, fmt.Sprintf("Forward m=%d k=%d n=%d %v", m, k, n, act), [][]float32{nil, nil}, []int{m * n, m * n}, func(out [][]float32) {
			Forward(out[0], out[1], x.Inside, wp, b.Inside, m, k, n, act)
		})
		both(t, rnd, fmt.Sprintf("GradInput m=%d k=%d n=%d %v", m, k, n, act), [][]float32{nil}, []int{m * k}, func(out [][]float32) {
			GradInput(out[0], dz.Inside, wtp, s.Inside, m, k, n, act)
		})
		both(t, rnd, fmt.Sprintf("GradWeights m=%d k=%d n=%d", m, k, n), [][]float32{w.Inside, b.Inside}, []int{k * n, n}, func(out [][]float32) {
			GradWeights(out[0], out[1], x.Inside, dz.Inside, m, k, n)
		})
	})

	rnd := rand.New(rand.NewPCG(11, 12))
	for n := range 300 {
		z, x := guard.Normal[float32](rnd, n), guard.Normal[float32](rnd, n)
		for i := range z.Inside {
			if scale := rnd.IntN(40) - 20; scale > -8 {
				z.Inside[i] = float32(math.Ldexp(float64(z.Inside[i]), scale))
			} else if scale < -16 {
				z.Inside[i] = float32(math.Inf(rnd.IntN(2) - 1))
			}
		}
		for _, act := range activations {
			both(t, rnd, fmt.Sprintf("Activate n=%d %v", n, act), [][]float32{nil}, []int{n}, func(out [][]float32) {
				Activate(out[0], z.Inside, act)
			})
			wtp := make([]float32, PackedLen(1, n))
			PackT(wtp, x.Inside, n, 1)
			both(t, rnd, fmt.Sprintf("GradInput n=%d %v", n, act), [][]float32{nil}, []int{n}, func(out [][]float32) {
				GradInput(out[0], []float32{1}, wtp, z.Inside, 1, n, 1, act)
			})
		}
		both(t, rnd, fmt.Sprintf("Add n=%d", n), [][]float32{z.Inside}, []int{n}, func(out [][]float32) { Add(out[0], x.Inside) })
	}
}

// both calls f with AVX-512 and without, with slices of the lengths that begin as start
// has them, and compares what is in these then.
func both(t *testing.T, rnd *rand.Rand, name string, start [][]float32, lengths []int, f func(out [][]float32)) {
	t.Helper()
	defer func() { cpu.AVX512 = true }()
	var results [2][]guard.Slice[float32]
	for tier, with := range []bool{true, false} {
		var out [][]float32
		for i, n := range lengths {
			s := guard.New[float32](rnd, n)
			copy(s.Inside, start[i])
			results[tier], out = append(results[tier], s), append(out, s.Inside)
		}
		cpu.AVX512 = with
		f(out)
	}
	for i, wide := range results[0] {
		wide.Intact(t, name)
		same(t, name, wide.Inside, results[1][i].Inside)
	}
}

func TestNoAllocations(t *testing.T) {
	const m, k, n = 50, 21, 43
	rnd := rand.New(rand.NewPCG(7, 8))
	x, w, b := guard.Normal[float32](rnd, m*k).Inside, guard.Normal[float32](rnd, k*n).Inside, guard.Normal[float32](rnd, n).Inside
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

// activate and derivative are the activations in float64, with SiLU's limits at
// infinity.
func activate(act Activation, v float64) float64 {
	switch act {
	case ReLU:
		return math.Max(0, v)
	case LeakyReLU:
		return math.Max(0.01*v, v)
	case SiLU:
		if v < -700 {
			return 0
		}
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
	case act == SiLU && math.Abs(s) > 700:
		return (1 + math.Copysign(1, s)) / 2
	case act == SiLU:
		e := math.Exp(-s)
		return 1/(1+e) + s*e/((1+e)*(1+e))
	case act == Tanh:
		return 1 - s*s
	}
	return 1
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
