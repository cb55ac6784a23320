package optim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/eidolon-hep/eidolon/kernels/internal/guard"
)

func TestUpdate(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for n := range 140 {
		checkUpdate(t, rnd, n)
	}
}

func FuzzUpdate(f *testing.F) {
	f.Add(uint64(1), uint16(77))
	f.Fuzz(func(t *testing.T, seed uint64, n uint16) {
		checkUpdate(t, rand.New(rand.NewPCG(seed, 0)), int(n)%2048)
	})
}

// checkUpdate follows the formula of the docstring in float64 for some steps, at
// any alignment.
func checkUpdate(t *testing.T, rnd *rand.Rand, n int) {
	a := Adam{Rate: 1e-2, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Decay: 0.05}
	w, m, v, g := guard.New[float32](rnd, n), guard.New[float32](rnd, n), guard.New[float32](rnd, n), guard.New[float32](rnd, n)
	pw, pm, pv := make([]float32, n), make([]float32, n), make([]float32, n)
	rw, rm, rv := make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range n {
		w.Inside[i] = float32(rnd.NormFloat64())
		m.Inside[i], v.Inside[i] = 0, 0
		pw[i], rw[i] = w.Inside[i], float64(w.Inside[i])
	}
	const scale = 0.25
	for a.Step = 1; a.Step <= 5; a.Step++ {
		for i := range n {
			g.Inside[i] = float32(rnd.NormFloat64() * math.Exp(3*rnd.NormFloat64()))
			if i%7 == 3 {
				g.Inside[i] = 0
			}
		}
		a.Update(w.Inside, m.Inside, v.Inside, g.Inside, scale)
		c := a.constants(scale)
		adamPure(pw, pm, pv, g.Inside, &c)
		for i := range n {
			r := scale * float64(g.Inside[i])
			b1, b2 := float64(a.Beta1), float64(a.Beta2)
			rm[i] = b1*rm[i] + (1-b1)*r
			rv[i] = b2*rv[i] + (1-b2)*r*r
			mHat := rm[i] / (1 - math.Pow(b1, float64(a.Step)))
			vHat := rv[i] / (1 - math.Pow(b2, float64(a.Step)))
			rw[i] -= float64(a.Rate) * (mHat/(math.Sqrt(vHat)+float64(a.Epsilon)) + float64(a.Decay)*rw[i])
			for _, got := range [][3]float32{{w.Inside[i], m.Inside[i], v.Inside[i]}, {pw[i], pm[i], pv[i]}} {
				// By Cauchy's inequality the terms of m sum up to 7·√v at most, and w
				// has moved by few rates.
				if math.Abs(float64(got[0])-rw[i]) > 1e-6*math.Abs(rw[i])+5e-6*float64(a.Rate) ||
					math.Abs(float64(got[1])-rm[i]) > 4e-6*math.Sqrt(rv[i]) ||
					math.Abs(float64(got[2])-rv[i]) > 2e-6*rv[i] {
					t.Fatalf("n=%d step %d [%d]: w, m, v = %v, want %v %v %v", n, a.Step, i, got, rw[i], rm[i], rv[i])
				}
			}
		}
	}
	for _, s := range []guard.Slice[float32]{w, m, v, g} {
		s.Filled(t, fmt.Sprintf("n=%d", n))
	}
}

// TestUpdateInPieces cuts the parameters at every place and wants the same bits.
func TestUpdateInPieces(t *testing.T) {
	const n = 77
	rnd := rand.New(rand.NewPCG(3, 4))
	a := Adam{Rate: 1e-3, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Step: 3}
	start := make([][]float32, 4)
	for s := range start {
		start[s] = make([]float32, n)
		for i := range start[s] {
			start[s][i] = rnd.Float32()
		}
	}
	clone := func() (c [4][]float32) {
		for s := range c {
			c[s] = append([]float32(nil), start[s]...)
		}
		return c
	}
	whole := clone()
	a.Update(whole[0], whole[1], whole[2], whole[3], 1)
	for cut := range n + 1 {
		c := clone()
		a.Update(c[0][:cut], c[1][:cut], c[2][:cut], c[3][:cut], 1)
		a.Update(c[0][cut:], c[1][cut:], c[2][cut:], c[3][cut:], 1)
		for s := range c {
			for i := range c[s] {
				if math.Float32bits(c[s][i]) != math.Float32bits(whole[s][i]) {
					t.Fatalf("cut at %d: slice %d [%d] is %v, want %v", cut, s, i, c[s][i], whole[s][i])
				}
			}
		}
	}
}

// TestNothingIsReadOutside lets every slice end where readable memory ends.
func TestNothingIsReadOutside(t *testing.T) {
	slices := make([]func(int) []float32, 4)
	for i := range slices {
		slices[i] = guard.AtPageEnd[float32](t, 100)
	}
	for n := range 100 {
		g := slices[3](n)
		Adam{Step: 1}.Update(slices[0](n), slices[1](n), slices[2](n), g, 1)
		SumSquares(g)
		Drain(slices[0](n), g)
	}
}

func TestDrain(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	for n := range 140 {
		dst, src, want := guard.New[float32](rnd, n), guard.New[float32](rnd, n), make([]float32, n)
		for i := range n {
			dst.Inside[i], src.Inside[i] = rnd.Float32(), rnd.Float32()
			want[i] = dst.Inside[i] + src.Inside[i]
		}
		Drain(dst.Inside, src.Inside)
		for i, w := range want {
			if dst.Inside[i] != w || src.Inside[i] != 0 {
				t.Errorf("n=%d [%d]: %v, %v is left, want %v, 0", n, i, dst.Inside[i], src.Inside[i], w)
			}
		}
		dst.Filled(t, fmt.Sprintf("dst n=%d", n))
		src.Filled(t, fmt.Sprintf("src n=%d", n))
	}
}

func TestSumSquares(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	lengths := []int{1000, 1 << 20}
	for n := range 140 {
		lengths = append(lengths, n)
	}
	for _, n := range lengths {
		checkSumSquares(t, rnd, n)
	}
	for _, n := range []int{1, 8, 40} {
		g := make([]float32, n)
		g[n-1] = math.MaxFloat32
		if got, want := SumSquares(g), math.MaxFloat32*math.MaxFloat32; got != want {
			t.Errorf("the largest float32: %v, want %v", got, want)
		}
		g[n-1] = float32(math.NaN())
		if got := SumSquares(g); !math.IsNaN(got) {
			t.Errorf("NaN: %v", got)
		}
	}
}

func FuzzSumSquares(f *testing.F) {
	f.Add(uint64(1), uint16(1000))
	f.Fuzz(func(t *testing.T, seed uint64, n uint16) {
		checkSumSquares(t, rand.New(rand.NewPCG(seed, 0)), int(n))
	})
}

// checkSumSquares compares the sum with one in float64, element after element.
func checkSumSquares(t *testing.T, rnd *rand.Rand, n int) {
	g := guard.New[float32](rnd, n)
	var want float64
	for i := range g.Inside {
		g.Inside[i] = float32(1 + rnd.NormFloat64())
		want += float64(g.Inside[i]) * float64(g.Inside[i])
	}
	for name, got := range map[string]float64{"SumSquares": SumSquares(g.Inside), "twin": sumSquaresPure(g.Inside)} {
		if !(math.Abs(got-want) <= 1e-12*want) {
			t.Errorf("%s of %d: got %v, want %v", name, n, got, want)
		}
	}
	g.Filled(t, fmt.Sprintf("n=%d", n))
}

func TestWrongUsePanics(t *testing.T) {
	f := func(n int) []float32 { return make([]float32, n) }
	for name, call := range map[string]func(){
		"m":    func() { Adam{Step: 1}.Update(f(3), f(2), f(3), f(3), 1) },
		"v":    func() { Adam{Step: 1}.Update(f(3), f(3), f(4), f(3), 1) },
		"g":    func() { Adam{Step: 1}.Update(f(3), f(3), f(3), nil, 1) },
		"src":  func() { Drain(f(3), f(2)) },
		"step": func() { Adam{}.Update(f(3), f(3), f(3), f(3), 1) },
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

func TestNoAllocations(t *testing.T) {
	w, m, v, g := make([]float32, 99), make([]float32, 99), make([]float32, 99), make([]float32, 99)
	a := Adam{Rate: 1e-3, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Step: 1}
	var sum float64
	if n := testing.AllocsPerRun(5, func() {
		sum += SumSquares(g)
		Drain(v, g)
		a.Update(w, m, v, g, 1)
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// The first step goes by Rate against the gradient's sign, whatever its size.
func ExampleAdam_Update() {
	w, m, v := make([]float32, 3), make([]float32, 3), make([]float32, 3)
	adam := Adam{Rate: 0.5, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Step: 1}
	adam.Update(w, m, v, []float32{1e-3, -2, 1e4}, 1)
	fmt.Printf("%.3f\n", w)
	// Output: [-0.500 0.500 -0.500]
}
