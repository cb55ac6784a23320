package nn

import (
	"math"
	"slices"
	"testing"

	"github.com/eidolon-hep/eidolon/kernels/dense"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/kernels/table"
	"github.com/eidolon-hep/eidolon/training"
)

// reference evaluates a perceptron in float64, with the dropout of s if that is
// not nil.
func reference(n *MLP, s *MLPState, params, x []float64, m int) []float64 {
	act := func(x []float64) []float64 {
		y := slices.Clone(x)
		for i, v := range y {
			switch n.act {
			case dense.ReLU:
				y[i] = max(v, 0)
			case dense.LeakyReLU:
				y[i] = max(v, 0.01*v)
			case dense.SiLU:
				y[i] = v / (1 + math.Exp(-v))
			case dense.Tanh:
				y[i] = math.Tanh(v)
			}
		}
		return y
	}
	linear := func(i int, x []float64) []float64 {
		l := n.layers[i]
		y := make([]float64, m*l.out)
		w, b := params[l.weight.Offset:], params[l.bias.Offset:]
		for r := range m {
			for j := range l.out {
				sum := b[j]
				for k := range l.in {
					sum += x[r*l.in+k] * w[k*l.out+j]
				}
				y[r*l.out+j] = sum
			}
			for k := range n.tabled {
				if i > 0 {
					break
				}
				at := float64(n.cells) / (1 + math.Exp(-1.702*x[r*l.in+k]))
				cell := min(int(at), n.cells-1)
				row := params[n.tables.Offset+(k*(n.cells+1)+cell)*l.out:]
				for j := range l.out {
					y[r*l.out+j] += row[j] + (at-float64(cell))*(row[l.out+j]-row[j])
				}
			}
		}
		return y
	}
	hidden := func(i int, x []float64) []float64 {
		y := act(linear(i, x))
		if s != nil && s.mask[i] != nil {
			for j := range y {
				y[j] *= float64(s.mask[i][j])
			}
		}
		return y
	}
	last := len(n.layers) - 1
	if !n.residual {
		for i := range last {
			x = hidden(i, x)
		}
		return linear(last, x)
	}
	h := linear(0, x)
	for i := 1; i < last; i += 2 {
		for j, v := range linear(i+1, hidden(i, act(h))) {
			h[j] += v
		}
	}
	return linear(last, h)
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
// differences of the float64 reference: plain and residual, with dropout and without.
func TestMLPGradient(t *testing.T) {
	for _, act := range []dense.Activation{dense.None, dense.ReLU, dense.LeakyReLU, dense.SiLU, dense.Tanh} {
		for _, shape := range []struct {
			in, out, m int
			hidden     []int
			residual   bool
			dropout    float64
			tabled     int
		}{
			{3, 4, 7, []int{5, 6}, false, 0, 0}, {0, 2, 3, []int{4}, false, 0, 0}, {1, 1, 1, nil, false, 0, 0}, {5, 18, 64, []int{17}, false, 0, 0},
			{3, 4, 7, []int{5, 6}, false, 0.3, 0}, {2, 3, 5, nil, false, 0.5, 0},
			{3, 4, 7, []int{9, 9}, true, 0, 0}, {2, 3, 5, []int{4, 4, 4}, true, 0.3, 0}, {0, 2, 3, []int{4}, true, 0, 0}, {2, 2, 3, nil, true, 0, 0},
			{3, 4, 7, []int{5, 6}, false, 0, 2}, {3, 4, 7, []int{9, 9}, true, 0.3, 3}, {2, 2, 3, nil, false, 0, 1},
		} {
			var p Params
			create, length := NewMLP, MLPLen
			if shape.residual {
				create, length = NewResidualMLP, ResidualMLPLen
			}
			n := create(&p, "net", shape.in, shape.hidden, shape.out, act)
			n.Dropout = shape.dropout
			want := length(shape.in, shape.hidden, shape.out)
			if shape.tabled > 0 {
				n.AddTables("net", shape.tabled, 3)
				want += table.Len(shape.tabled, 3, n.layers[0].out)
			}
			if len(p.Value) != want {
				t.Fatalf("%d parameters, MLPLen says %d", len(p.Value), want)
			}
			copy(p.Value, normals(len(p.Value), 1))
			for i := range p.Value {
				p.Value[i] *= 0.7
			}
			n.Pack()
			m := shape.m
			x, dy := normals(m*shape.in, 2), normals(m*shape.out, 3)
			s := n.NewState(training.Tile)
			s.Train(training.Rows{Seed: 1, Pass: 2, Index: numbers(3, shape.m)}, 4)
			y := n.Forward(s, x, m)

			params, x64 := floats(p.Value), floats(x)
			for i, want := range reference(n, s, params, x64, m) {
				if d := math.Abs(float64(y[i]) - want); d > 1e-4*(1+math.Abs(want)) {
					t.Fatalf("%v %v: y[%d] = %g, want %g", act, shape, i, y[i], want)
				}
			}

			loss := func() float64 {
				sum := 0.0
				for i, v := range reference(n, s, params, x64, m) {
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

// numbers are those of n rows from the first on.
func numbers(first, n int) []int32 {
	all := make([]int32, n)
	for i := range all {
		all[i] = int32(first + i)
	}
	return all
}

// TestDropout checks that what is dropped depends on the seed, the pass and the
// number of the row alone, that it is as much as was asked for, and nothing where
// there is no training.
func TestDropout(t *testing.T) {
	var p Params
	n := NewMLP(&p, "net", 3, []int{50}, 2, dense.Tanh)
	n.Dropout = 0.2
	copy(p.Value, normals(len(p.Value), 1))
	n.Pack()
	const rows = 60
	x := normals(rows*3, 2)
	state := n.NewState(training.Tile)
	whole := func(r training.Rows) []float32 {
		state.Train(r, 1)
		return slices.Clone(n.Forward(state, x, rows))
	}
	want := whole(training.Rows{Seed: 5, Pass: 7, Index: numbers(100, rows)})
	dropped := 0
	for _, factor := range state.mask[0][:rows*50] {
		if factor == 0 {
			dropped++
		}
	}
	if mean := float64(dropped) / (rows * 50); math.Abs(mean-0.2) > 0.03 {
		t.Errorf("%g of the outputs are dropped, want 0.2", mean)
	}
	for i := range rows {
		state.Train(training.Rows{Seed: 5, Pass: 7, Index: numbers(100+i, 1)}, 1)
		if got := n.Forward(state, x[i*3:(i+1)*3], 1); !slices.Equal(got, want[i*2:(i+1)*2]) {
			t.Fatalf("row %d is %v alone and %v in a tile", i, got, want[i*2:(i+1)*2])
		}
	}
	for _, other := range []training.Rows{
		{Seed: 5, Pass: 8, Index: numbers(100, rows)}, {Seed: 6, Pass: 7, Index: numbers(100, rows)}, {Seed: 5, Pass: 7, Index: numbers(101, rows)},
	} {
		if slices.Equal(whole(other), want) {
			t.Errorf("%+v drops the same", other)
		}
	}
	n.Dropout = 0
	none := n.Forward(n.NewState(training.Tile), x, rows)
	if got := whole(training.Rows{}); !slices.Equal(got, none) {
		t.Error("outputs are dropped without training")
	}
}

func TestMLPStartsAsZero(t *testing.T) {
	var p Params
	n := NewMLP(&p, "net", 4, []int{32, 32}, 6, dense.ReLU)
	n.Init(7, 0)
	n.Pack()
	for _, y := range n.Forward(n.NewState(training.Tile), normals(5*4, 1), 5) {
		if y != 0 {
			t.Fatalf("the output of an untrained network is %g", y)
		}
	}
}
