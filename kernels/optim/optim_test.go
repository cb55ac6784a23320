package optim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// TestUpdate follows the formula of the docstring in float64 for some steps,
// for every length near a block's edge, at every alignment.
func TestUpdate(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for n := range 140 {
		a := Adam{Rate: 1e-2, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Decay: 0.05}
		w, m, v, g := guarded(rnd, n), guarded(rnd, n), guarded(rnd, n), guarded(rnd, n)
		pw, pm, pv := make([]float32, n), make([]float32, n), make([]float32, n)
		rw, rm, rv := make([]float64, n), make([]float64, n), make([]float64, n)
		for i := range n {
			w.inside[i] = float32(rnd.NormFloat64())
			m.inside[i], v.inside[i] = 0, 0
			pw[i], rw[i] = w.inside[i], float64(w.inside[i])
		}
		const scale = 0.25
		for a.Step = 1; a.Step <= 5; a.Step++ {
			for i := range n {
				g.inside[i] = float32(rnd.NormFloat64() * math.Exp(3*rnd.NormFloat64()))
				if i%7 == 3 {
					g.inside[i] = 0
				}
			}
			a.Update(w.inside, m.inside, v.inside, g.inside, scale)
			c := a.constants(scale)
			adamPure(pw, pm, pv, g.inside, &c)
			for i := range n {
				r := scale * float64(g.inside[i])
				b1, b2 := float64(a.Beta1), float64(a.Beta2)
				rm[i] = b1*rm[i] + (1-b1)*r
				rv[i] = b2*rv[i] + (1-b2)*r*r
				mHat := rm[i] / (1 - math.Pow(b1, float64(a.Step)))
				vHat := rv[i] / (1 - math.Pow(b2, float64(a.Step)))
				rw[i] -= float64(a.Rate) * (mHat/(math.Sqrt(vHat)+float64(a.Epsilon)) + float64(a.Decay)*rw[i])
				for _, got := range [][3]float32{{w.inside[i], m.inside[i], v.inside[i]}, {pw[i], pm[i], pv[i]}} {
					if math.Abs(float64(got[0])-rw[i]) > 1e-6*(math.Abs(rw[i])+float64(a.Rate)) ||
						math.Abs(float64(got[1])-rm[i]) > 1e-6*math.Sqrt(rv[i]) ||
						math.Abs(float64(got[2])-rv[i]) > 2e-6*rv[i] {
						t.Fatalf("n=%d step %d [%d]: w, m, v = %v, want %v %v %v", n, a.Step, i, got, rw[i], rm[i], rv[i])
					}
				}
			}
		}
		for _, s := range []slice{w, m, v, g} {
			s.check(t, fmt.Sprintf("n=%d", n))
		}
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

func TestSumSquares(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	lengths := []int{1000, 1 << 20}
	for n := range 140 {
		lengths = append(lengths, n)
	}
	for _, n := range lengths {
		g := guarded(rnd, n)
		var want float64
		for i := range g.inside {
			g.inside[i] = float32(1 + rnd.NormFloat64())
			want += float64(g.inside[i]) * float64(g.inside[i])
		}
		for name, got := range map[string]float64{"SumSquares": SumSquares(g.inside), "twin": sumSquaresPure(g.inside)} {
			if !(math.Abs(got-want) <= 1e-12*want) {
				t.Errorf("%s of %d: got %v, want %v", name, n, got, want)
			}
		}
		g.check(t, fmt.Sprintf("n=%d", n))
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

func TestWrongUsePanics(t *testing.T) {
	f := func(n int) []float32 { return make([]float32, n) }
	for name, call := range map[string]func(){
		"m":    func() { Adam{Step: 1}.Update(f(3), f(2), f(3), f(3), 1) },
		"v":    func() { Adam{Step: 1}.Update(f(3), f(3), f(4), f(3), 1) },
		"g":    func() { Adam{Step: 1}.Update(f(3), f(3), f(3), nil, 1) },
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

// slice is a slice of floats, at any alignment, between guards.
type slice struct {
	inside []float32
	all    []float32
	start  int
}

func guarded(rnd *rand.Rand, n int) slice {
	const guard = 24
	start := guard + rnd.IntN(8)
	all := make([]float32, start+n+guard)
	for i := range all {
		all[i] = float32(math.NaN())
	}
	return slice{all[start : start+n : start+n], all, start}
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
