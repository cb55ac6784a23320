package nn

import (
	"math"
	"testing"

	"github.com/eidolon-hep/eidolon/kernels/dense"
	"github.com/eidolon-hep/eidolon/kernels/philox"
)

// reference evaluates a perceptron in float64.
func reference(n *MLP, params, x []float64, m int) []float64 {
	for i, l := range n.layers {
		y := make([]float64, m*l.out)
		w := params[l.weight.Offset:]
		b := params[l.bias.Offset:]
		for r := range m {
			for j := range l.out {
				sum := b[j]
				for k := range l.in {
					sum += x[r*l.in+k] * w[k*l.out+j]
				}
				if i < len(n.layers)-1 {
					switch n.act {
					case dense.ReLU:
						sum = max(sum, 0)
					case dense.LeakyReLU:
						sum = max(sum, 0.01*sum)
					case dense.SiLU:
						sum /= 1 + math.Exp(-sum)
					case dense.Tanh:
						sum = math.Tanh(sum)
					}
				}
				y[r*l.out+j] = sum
			}
		}
		x = y
	}
	return x
}

func normals(n int, seed uint64) []float32 {
	x := make([]float32, n)
	philox.Normal(x, seed, 0, 0)
	return x
}

func floats(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// TestMLPGradient compares the output with float64 and all gradients with finite
// differences of the float64 reference.
func TestMLPGradient(t *testing.T) {
	for _, act := range []dense.Activation{dense.None, dense.ReLU, dense.LeakyReLU, dense.SiLU, dense.Tanh} {
		for _, shape := range []struct {
			in, out, m int
			hidden     []int
		}{
			{3, 4, 7, []int{5, 6}}, {0, 2, 3, []int{4}}, {1, 1, 1, nil}, {5, 18, 64, []int{17}},
		} {
			var p Params
			n := NewMLP(&p, "net", shape.in, shape.hidden, shape.out, act)
			if want := MLPLen(shape.in, shape.hidden, shape.out); len(p.Value) != want {
				t.Fatalf("%d parameters, MLPLen says %d", len(p.Value), want)
			}
			copy(p.Value, normals(len(p.Value), 1))
			n.Pack()
			m := shape.m
			x, dy := normals(m*shape.in, 2), normals(m*shape.out, 3)
			s := n.NewState(Tile)
			y := n.Forward(s, x, m)

			params, x64 := floats(p.Value), floats(x)
			for i, want := range reference(n, params, x64, m) {
				if d := math.Abs(float64(y[i]) - want); d > 1e-4*(1+math.Abs(want)) {
					t.Fatalf("%v %v: y[%d] = %g, want %g", act, shape, i, y[i], want)
				}
			}

			loss := func() float64 {
				sum := 0.0
				for i, v := range reference(n, params, x64, m) {
					sum += v * float64(dy[i])
				}
				return sum
			}
			grad, dx := make([]float32, len(p.Value)), make([]float32, len(x))
			n.Backward(s, grad, dx, x, dy, m)
			check := func(what string, at []float64, got []float32) {
				const h = 1e-6
				for i := range at {
					old := at[i]
					at[i] = old + h
					up := loss()
					at[i] = old - h
					down := loss()
					at[i] = old
					want := (up - down) / (2 * h)
					if d := math.Abs(float64(got[i]) - want); d > 2e-4*(1+math.Abs(want)) {
						t.Errorf("%v %v: ∂L/∂%s[%d] = %g, want %g", act, shape, what, i, got[i], want)
						return
					}
				}
			}
			check("param", params, grad)
			check("x", x64, dx)
		}
	}
}

func TestMLPStartsAsZero(t *testing.T) {
	var p Params
	n := NewMLP(&p, "net", 4, []int{32, 32}, 6, dense.ReLU)
	n.Init(7, 0)
	n.Pack()
	for _, y := range n.Forward(n.NewState(Tile), normals(5*4, 1), 5) {
		if y != 0 {
			t.Fatalf("the output of an untrained network is %g", y)
		}
	}
}
