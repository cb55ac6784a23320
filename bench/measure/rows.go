package measure

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/eidolon-hep/eidolon/internal/limits"
	"github.com/eidolon-hep/eidolon/kernels/coupling"
	"github.com/eidolon-hep/eidolon/kernels/dense"
	"github.com/eidolon-hep/eidolon/kernels/gauss"
	"github.com/eidolon-hep/eidolon/kernels/optim"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/kernels/spline"
	"github.com/eidolon-hep/eidolon/kernels/table"
	"github.com/eidolon-hep/eidolon/kernels/vmath"
)

// row is a line of the table: a kernel at one size, and its limit. A unit of
// work is what unit counts 10⁹ of in a second.
type row struct {
	kernel, shape, unit string
	work, limit         func() limits.Work // make one thread's, with data of its own
}

// rows is the table. A new family of kernels adds a function to it.
func rows() []row {
	return slices.Concat(denseRows(), vmathRows(), tableRows(), couplingRows(), splineRows(), gaussRows(), optimRows(), philoxRows())
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

// vmathRows has the exponential function, of which all others are made.
func vmathRows() []row {
	const n = 1 << 11
	return []row{{
		kernel: "vmath.Exp", shape: fmt.Sprintf("n=%d", n), unit: "G/s",
		work: func() limits.Work {
			dst, src := make([]float32, n), random(n)
			return limits.Work{Amount: n, Run: func() { vmath.Exp(dst, src) }}
		},
		limit: func() limits.Work { return limits.Exp(1) },
	}}
}

// tableRows has layers of tables on a tile of 64 events; the tables lie in the second
// cache. A unit of work is a function's value: it needs two numbers of a table, and its
// gradients two of the table and two of its gradient.
func tableRows() []row {
	const m, k, cells = 64, 8, 32
	var rows []row
	for _, n := range []int{64, 128} {
		add := func(function string, bytes float64, call func(x, dx, y, t, dt []float32)) {
			rows = append(rows, row{
				kernel: "table." + function, shape: fmt.Sprintf("m=%d k=%d cells=%d n=%d", m, k, cells, n), unit: "G/s",
				work: func() limits.Work {
					tables := table.Len(k, cells, n)
					x, dx, y, t, dt := random(m*k), random(m*k), random(m*n), random(tables), random(tables)
					for i := range x {
						x[i] *= 16 // of variance 1, so that all cells have their share
					}
					return limits.Work{Amount: float64(m * k * n), Run: func() { call(x, dx, y, t, dt) }}
				},
				limit: func() limits.Work { return limits.Read(bytes) },
			})
		}
		add("Forward", 8, func(x, _, y, t, _ []float32) { table.Forward(y, x, t, m, k, k, cells, n) })
		add("Backward", 16, func(x, dx, y, t, dt []float32) { table.Backward(dx, dt, y, x, t, m, k, k, cells, n) })
	}
	return rows
}

// couplingRows and splineRows have the transforms of coupling layers on a tile of
// 64 events. Their limits count the instructions of the formulas that go through
// the multiply-add pipes; the benchmarks of the packages say which these are.
func couplingRows() []row {
	const m, bound = 64, 2
	var rows []row
	for _, n := range []int{4, 8} {
		add := func(function string, slots float64, call func(x, y, s, g, st, logDet []float32)) {
			rows = append(rows, row{
				kernel: "coupling." + function, shape: fmt.Sprintf("m=%d n=%d", m, n), unit: "G/s",
				work: func() limits.Work {
					x, y, s, g, st, logDet := random(m*n), random(m*n), random(m*n), random(m*n), random(2*m*n), random(m)
					return limits.Work{Amount: float64(m * n), Run: func() { call(x, y, s, g, st, logDet) }}
				},
				limit: func() limits.Work { return limits.FMA(2 * slots) },
			})
		}
		add("Forward", 22, func(x, y, s, _, st, logDet []float32) { coupling.Forward(y, s, logDet, x, st, m, n, bound) })
		add("Inverse", 22, func(x, y, _, _, st, logDet []float32) { coupling.Inverse(x, logDet, y, st, m, n, bound) })
		add("Backward", 12, func(x, y, s, g, st, logDet []float32) { coupling.Backward(g, st, y, logDet, x, s, m, n, bound) })
	}
	return rows
}

func splineRows() []row {
	const m, n, bins, bound = 64, 4, 8, 3
	var rows []row
	add := func(function string, slots float64, call func(x, y, g, p, gp, logDet []float32)) {
		rows = append(rows, row{
			kernel: "spline." + function, shape: fmt.Sprintf("m=%d n=%d bins=%d", m, n, bins), unit: "G/s",
			work: func() limits.Work {
				k := m * n * spline.Params(bins)
				x, y, g, p, gp, logDet := random(m*n), random(m*n), random(m*n), random(k), random(k), random(m)
				return limits.Work{Amount: m * n, Run: func() { call(x, y, g, p, gp, logDet) }}
			},
			limit: func() limits.Work { return limits.FMA(2 * slots) },
		})
	}
	add("Forward", 27*bins+93, func(x, y, _, p, _, logDet []float32) { spline.Forward(y, logDet, x, p, m, n, bins, bound) })
	add("Inverse", 27*bins+105, func(x, y, _, p, _, logDet []float32) { spline.Inverse(x, logDet, y, p, m, n, bins, bound) })
	add("Backward", 33*bins+144, func(x, y, g, p, gp, logDet []float32) {
		spline.Backward(g, gp, y, logDet, x, p, m, n, bins, bound)
	})
	return rows
}

// gaussRows has the posterior mean of 96 queries over many events. A unit of work
// is a pair of a query and an event; its limit is 2D + 6 multiply-adds: D squares, D
// products with the weight, one for the scale and 5 for the exponential.
func gaussRows() []row {
	const m, part = 96, 32 // queries, blocks of events in a call
	var rows []row
	for _, k := range []int{1 << 14, 1 << 20} {
		for _, dim := range []int{1, 2, 4, 8, 16, 32, 64} {
			if k > 1<<14 && dim > 8 {
				continue // as for fewer events, and 256 MB of them
			}
			rows = append(rows, row{
				kernel: "gauss.Sums", shape: fmt.Sprintf("D=%d K=%d", dim, k), unit: "Gpairs/s",
				work: func() limits.Work {
					events, err := gauss.NewEvents(random(k*dim), nil, k, dim)
					if err != nil {
						panic(err) // random numbers are finite
					}
					x := random(m * dim)
					out := gauss.Result{LogSum: make([]float64, m), Mean: make([]float32, m*dim)}
					s, at := gauss.NewSums(m, dim), 0
					s.Start(out, x, m, 0.8, 0.6)
					return limits.Work{Amount: m * part * gauss.BlockLen, Run: func() {
						if at+part > events.Blocks() {
							s.Finish()
							s.Start(out, x, m, 0.8, 0.6)
							at = 0
						}
						s.Add(events, at, at+part)
						at += part
					}}
				},
				limit: func() limits.Work { return limits.FMA(2 * float64(2*dim+6)) },
			})
		}
	}
	return rows
}

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
	}, {
		kernel: "optim.Drain", shape: fmt.Sprintf("n=%d", 2*parameters), unit: "G/s",
		work: func() limits.Work {
			dst, src := make([]float32, 2*parameters), random(2*parameters)
			return limits.Work{Amount: 2 * parameters, Run: func() { optim.Drain(dst, src) }}
		},
		limit: func() limits.Work { return limits.Read(8) },
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
