package bench

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/eidolon-hep/eidolon/internal/limits"
	"github.com/eidolon-hep/eidolon/kernels/dense"
	"github.com/eidolon-hep/eidolon/kernels/optim"
	"github.com/eidolon-hep/eidolon/kernels/philox"
)

// row is a line of the table: a kernel at one size, and its limit. A unit of
// work is what unit counts 10⁹ of in a second.
type row struct {
	kernel, shape, unit string
	work, limit         func() limits.Work // make one thread's, with data of its own
}

// rows is the table. A new family of kernels adds a function to it.
func rows() []row {
	return slices.Concat(denseRows(), optimRows(), philoxRows())
}

// denseRows has the layers that networks are made of. Their unit of work is one
// floating-point operation of the matrix product; what bias and activation need
// comes on top.
func denseRows() []row {
	var rows []row
	add := func(kernel string, m, k, n int, act dense.Activation, call func(l layer) func()) {
		rows = append(rows, row{
			kernel: "dense." + kernel,
			shape:  fmt.Sprintf("m=%d k=%d n=%d %v", m, k, n, act),
			unit:   "GFLOP/s",
			work: func() limits.Work {
				return limits.Work{Amount: 2 * float64(m) * float64(k) * float64(n), Run: call(newLayer(m, k, n, act))}
			},
			limit: func() limits.Work { return limits.FMA(1) },
		})
	}
	for _, c := range [][3]int{
		{256, 128, 128}, {256, 256, 256}, {256, 512, 512}, {1024, 128, 128}, {64, 128, 128}, {256, 64, 64},
		{256, 8, 128}, {64, 8, 128}, {256, 16, 128}, {256, 128, 8}, {64, 128, 8}, {256, 128, 16},
		{256, 4, 128}, {256, 21, 128}, {256, 128, 4}, {256, 128, 43},
	} {
		add("Forward", c[0], c[1], c[2], dense.ReLU, layer.forward)
	}
	for _, act := range []dense.Activation{dense.SiLU, dense.Tanh} {
		add("Forward", 256, 128, 128, act, layer.forward)
	}
	add("GradInput", 256, 128, 128, dense.SiLU, layer.gradInput)
	for _, c := range [][3]int{
		{256, 128, 128}, {256, 256, 256}, {256, 512, 512}, {1024, 128, 128}, {64, 128, 128}, {256, 8, 128}, {256, 128, 8},
	} {
		add("GradInput", c[0], c[1], c[2], dense.ReLU, layer.gradInput)
		add("GradWeights", c[0], c[1], c[2], dense.None, layer.gradWeights)
	}
	return rows
}

// layer is the data of a dense layer and of its gradients.
type layer struct {
	m, k, n                                int
	act                                    dense.Activation
	x, w, wp, wtp, b, y, z, dz, dx, dw, db []float32
}

func newLayer(m, k, n int, act dense.Activation) layer {
	l := layer{
		m: m, k: k, n: n, act: act,
		x: random(m * k), w: random(k * n), b: random(n), y: random(m * n), z: random(m * n),
		dz: random(m * n), dx: random(m * k), dw: random(k * n), db: random(n),
		wp: make([]float32, dense.PackedLen(k, n)), wtp: make([]float32, dense.PackedLen(n, k)),
	}
	dense.Pack(l.wp, l.w, k, n)
	dense.PackT(l.wtp, l.w, k, n)
	return l
}

func (l layer) forward() func() {
	z := l.z
	if l.act != dense.SiLU {
		z = nil // as in training: only SiLU's gradient needs it
	}
	return func() { dense.Forward(l.y, z, l.x, l.wp, l.b, l.m, l.k, l.n, l.act) }
}

func (l layer) gradInput() func() {
	return func() { dense.GradInput(l.dx, l.dz, l.wtp, l.x, l.m, l.k, l.n, l.act) }
}

func (l layer) gradWeights() func() {
	return func() { dense.GradWeights(l.dw, l.db, l.x, l.dz, l.m, l.k, l.n) }
}

// parameters is how many an optimiser's row has: their four slices, or the one,
// lie in the second cache.
const parameters = 1 << 14

func optimRows() []row {
	return []row{{
		kernel: "optim.Adam.Update", shape: fmt.Sprintf("n=%d", parameters), unit: "G/s",
		work: func() limits.Work {
			w, m, v, g := random(parameters), make([]float32, parameters), make([]float32, parameters), random(parameters)
			adam := optim.Adam{Rate: 1e-6, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Step: 1}
			return limits.Work{Amount: parameters, Run: func() { adam.Update(w, m, v, g, 1) }}
		},
		limit: func() limits.Work { return limits.Divide(1) },
	}, {
		kernel: "optim.SumSquares", shape: fmt.Sprintf("n=%d", 4*parameters), unit: "G/s",
		work: func() limits.Work {
			g := random(4 * parameters)
			return limits.Work{Amount: 4 * parameters, Run: func() { optim.SumSquares(g) }}
		},
		limit: func() limits.Work { return limits.Read(4) },
	}}
}

// philoxRows has the deviates. The limit of the uniform ones is that of the
// generator, whose words of 32 bits they only have to convert.
func philoxRows() []row {
	return []row{
		deviates("Uniform", philox.Uniform, func() limits.Work { return limits.Philox(1) }),
		deviates("Uniform64", philox.Uniform64, func() limits.Work { return limits.Philox(2) }),
		deviates("Normal", philox.Normal, func() limits.Work { return limits.Normal(1) }),
	}
}

func deviates[T float32 | float64](function string, draw func(dst []T, seed, stream, first uint64), limit func() limits.Work) row {
	const n = 1 << 12
	return row{
		kernel: "philox." + function, shape: fmt.Sprintf("n=%d", n), unit: "G/s",
		work: func() limits.Work {
			dst := make([]T, n)
			return limits.Work{Amount: n, Run: func() { draw(dst, 1, 2, 3*n) }}
		},
		limit: limit,
	}
}

func random(n int) []float32 {
	rnd := rand.New(rand.NewPCG(1, uint64(n)))
	s := make([]float32, n)
	for i := range s {
		s[i] = float32(rnd.NormFloat64()) / 16
	}
	return s
}
