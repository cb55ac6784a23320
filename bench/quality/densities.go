package main

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distmv"

	"github.com/eidolon-hep/eidolon/internal/zmumu"
	"github.com/eidolon-hep/eidolon/rootio"
)

// density is a density that is known in closed form and can be drawn from.
type density struct {
	name string
	// events draws n events; different seeds give independent ones.
	events func(seed uint64, n int) *rootio.Table
	// log stores the log-density of the events of t in dst.
	log func(dst []float64, t *rootio.Table)
	bar float64 // the largest allowed KL(truth ‖ spline), in nats
}

// densities returns the known densities of the table.
func densities() []density {
	return []density{
		demo(),
		mixture(2, 8, 0.02),
		mixture(8, 10, 0.02),
		mixture(20, 10, 0.05),
		rows("ring", 2, 0.02, ringDraw, ringLog),
		heavyTail(),
		rows("hard edges", 3, 0.02, edgeDraw, edgeLog),
		rows("triangle", 2, 0.02, triangleDraw, triangleLog),
	}
}

// demo is the physics of eidolon demo: six independent variables of Z/γ* → µ⁺µ⁻.
func demo() density {
	physics := zmumu.Default()
	const seed = 7
	return density{
		name: "demo physics, D = 6",
		bar:  0.02,
		events: func(s uint64, n int) *rootio.Table {
			return &rootio.Table{Columns: physics.Table(seed+s, 0, n).Columns[:6]}
		},
		log: func(dst []float64, t *rootio.Table) {
			x := matrix(t)
			for i := range dst {
				r := x[i*6 : (i+1)*6]
				dst[i] = physics.LogDensity(zmumu.Event{Mass: r[0], Y: r[1], Pt: r[2], Phi: r[3], CosTheta: r[4], PhiStar: r[5]})
			}
		},
	}
}

// rows is a density given row by row.
func rows(name string, dim int, bar float64, draw func(r *rand.Rand, x []float64), log func(x []float64) float64) density {
	return density{
		name: fmt.Sprintf("%s, D = %d", name, dim),
		bar:  bar,
		events: func(seed uint64, n int) *rootio.Table {
			r := rand.New(rand.NewPCG(seed, 1))
			columns := make([][]float64, dim)
			for j := range columns {
				columns[j] = make([]float64, n)
			}
			x := make([]float64, dim)
			for i := range n {
				draw(r, x)
				for j, v := range x {
					columns[j][i] = v
				}
			}
			t := &rootio.Table{}
			for j, c := range columns {
				t.Columns = append(t.Columns, rootio.ColumnOf(fmt.Sprintf("x%d", j), c))
			}
			return t
		},
		log: func(dst []float64, t *rootio.Table) {
			x := matrix(t)
			for i := range dst {
				dst[i] = log(x[i*dim : (i+1)*dim])
			}
		},
	}
}

// matrix returns the events of a table of float64 columns as rows.
func matrix(t *rootio.Table) []float64 {
	dim := len(t.Columns)
	x := make([]float64, t.Len()*dim)
	for j, c := range t.Columns {
		for i, v := range c.Values().([]float64) {
			x[i*dim+j] = v
		}
	}
	return x
}

// mixture is a mixture of Gaussians of equal weights, with means spread by 3 and
// covariances of random directions with standard deviations between 0.4 and 1.2.
func mixture(dim, components int, bar float64) density {
	r := rand.New(rand.NewPCG(uint64(dim), 2))
	var parts []*distmv.Normal
	for range components {
		mean := make([]float64, dim)
		for j := range mean {
			mean[j] = 3 * r.NormFloat64()
		}
		a := mat.NewDense(dim, dim, nil)
		for i := range dim {
			for j := range dim {
				a.Set(i, j, r.NormFloat64())
			}
		}
		var qr mat.QR
		qr.Factorize(a)
		var q mat.Dense
		qr.QTo(&q)
		cov := mat.NewSymDense(dim, nil)
		for k := range dim {
			std := 0.4 + 0.8*r.Float64()
			cov.SymRankOne(cov, std*std, q.ColView(k))
		}
		part, ok := distmv.NewNormal(mean, cov, nil)
		if !ok {
			panic("a covariance is not positive definite")
		}
		parts = append(parts, part)
	}
	z := make([]float64, dim)
	return rows(fmt.Sprintf("mixture of %d Gaussians", components), dim, bar,
		func(r *rand.Rand, x []float64) {
			k := r.IntN(components)
			for j := range z {
				z[j] = r.NormFloat64()
			}
			parts[k].TransformNormal(x, z)
		},
		func(x []float64) float64 {
			logs := make([]float64, components)
			for k, p := range parts {
				logs[k] = p.LogProb(x)
			}
			return floats.LogSumExp(logs) - math.Log(float64(components))
		})
}

// The ring: a radius of 1 ± 0.1, any direction.
const ringWidth = 0.1

func ringDraw(r *rand.Rand, x []float64) {
	s, c := math.Sincos(2 * math.Pi * r.Float64())
	radius := 1 + ringWidth*r.NormFloat64()
	x[0], x[1] = radius*c, radius*s
}

func ringLog(x []float64) float64 {
	radius := math.Hypot(x[0], x[1])
	d := (radius - 1) / ringWidth
	return -0.5*d*d - math.Log(ringWidth*math.Sqrt(2*math.Pi)) - math.Log(2*math.Pi*radius)
}

// heavyTail is Student's t with two degrees of freedom, correlated: it has no
// variance.
func heavyTail() density {
	const dim, nu = 3, 2.0
	sigma := mat.NewSymDense(dim, []float64{1, 0.7, 0.3, 0.7, 1, -0.2, 0.3, -0.2, 1})
	t, _ := distmv.NewStudentsT(make([]float64, dim), sigma, nu, nil)
	var c mat.Cholesky
	c.Factorize(sigma)
	var l mat.TriDense
	c.LTo(&l)
	y := mat.NewVecDense(dim, nil)
	return rows("Student's t, 2 degrees of freedom", dim, 0.02,
		func(r *rand.Rand, x []float64) {
			z := mat.NewVecDense(dim, []float64{r.NormFloat64(), r.NormFloat64(), r.NormFloat64()})
			y.MulVec(&l, z)
			scale := math.Sqrt(nu / (2 * r.ExpFloat64())) // χ² of 2 degrees is twice an exponential deviate
			for j := range x {
				x[j] = y.AtVec(j) * scale
			}
		},
		t.LogProb)
}

// Hard edges: an exponential that begins at 1, a uniform variable on [0, 1], and
// one on [0, 1] with density 1 + (2u−1)(2v−1) given it.
func edgeDraw(r *rand.Rand, x []float64) {
	x[0] = 1 + r.ExpFloat64()
	x[1] = r.Float64()
	for {
		x[2] = r.Float64()
		if 2*r.Float64() < 1+(2*x[1]-1)*(2*x[2]-1) {
			return
		}
	}
}

func edgeLog(x []float64) float64 {
	return -(x[0] - 1) + math.Log1p((2*x[1]-1)*(2*x[2]-1))
}

// The triangle 0 < y < x < 1 is filled evenly: an edge that follows no axis.
func triangleDraw(r *rand.Rand, x []float64) {
	a, b := r.Float64(), r.Float64()
	x[0], x[1] = max(a, b), min(a, b)
}

func triangleLog(x []float64) float64 {
	if x[1] < 0 || x[1] > x[0] || x[0] > 1 {
		return math.Inf(-1)
	}
	return math.Log(2)
}
