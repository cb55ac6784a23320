package known

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/integrate/quad"
)

// moons are two interleaved half circles of radius 1, smeared by 0.1: those of scikit-learn's
// make_moons with noise 0.1. The angle is uniform along each.
func moons() Density {
	upper := func(u float64) (x, y float64) { s, c := math.Sincos(math.Pi * u); return c, s }
	lower := func(u float64) (x, y float64) { s, c := math.Sincos(math.Pi * u); return 1 - c, 0.5 - s }
	return smeared("moons", "two moons", 0.1, 160, upper, lower)
}

// spirals are two arms (x, y) = ∓(r cos 3r, −r sin 3r) with r² uniform from 0 to π², so that they
// turn one and a half times, smeared by 0.1: those of the literature on flows (FFJORD, arXiv:1810.01367)
// without their second, uniform smearing.
func spirals() Density {
	arm := func(sign float64) func(u float64) (x, y float64) {
		return func(u float64) (x, y float64) {
			r := math.Pi * math.Sqrt(u)
			s, c := math.Sincos(3 * r)
			return -sign * r * c, sign * r * s
		}
	}
	return smeared("spirals", "two spirals", 0.1, 800, arm(1), arm(-1))
}

// smeared are curves in the plane with equal numbers of events, each a function of u, uniform from 0 to 1. The events
// are smeared by a normal of width sigma in both directions. The density is
//
//	p(x) = 1/C Σ_c ∫₀¹ du N(x; c(u), σ²),
//
// by Gauss–Legendre quadrature with so many nodes in √u that they are less than σ/3 apart on the
// curve: the integrand is a normal along the curve, for which that is exact to float64's last digits.
func smeared(name, title string, sigma float64, nodes int, curves ...func(u float64) (x, y float64)) Density {
	type normal struct{ x, y, log float64 } // log of its weight and of its height
	root, weight := make([]float64, nodes), make([]float64, nodes)
	quad.Legendre{}.FixedLocations(root, weight, 0, 1)
	var normals []normal
	for _, c := range curves {
		for i, s := range root {
			x, y := c(s * s)
			share := 2 * s * weight[i] / float64(len(curves))
			normals = append(normals, normal{x, y, math.Log(share) - math.Log(2*math.Pi*sigma*sigma)})
		}
	}
	return rows(name, title, 2,
		func(r *rand.Rand, x []float64) {
			x[0], x[1] = curves[r.IntN(len(curves))](r.Float64())
			x[0] += sigma * r.NormFloat64()
			x[1] += sigma * r.NormFloat64()
		},
		func(x []float64) float64 {
			log := func(n normal) float64 {
				dx, dy := (x[0]-n.x)/sigma, (x[1]-n.y)/sigma
				return n.log - 0.5*(dx*dx+dy*dy)
			}
			largest := math.Inf(-1)
			for _, n := range normals {
				largest = max(largest, log(n))
			}
			sum := 0.0
			for _, n := range normals {
				if d := log(n) - largest; d > -45 { // e⁻⁴⁵ of one is nothing to a thousand
					sum += math.Exp(d)
				}
			}
			return largest + math.Log(sum)
		})
}

// ring has a radius of 1 ± 0.1 and any direction.
func ring() Density {
	const width = 0.1
	return rows("ring", "ring", 2,
		func(r *rand.Rand, x []float64) {
			s, c := math.Sincos(2 * math.Pi * r.Float64())
			radius := 1 + width*r.NormFloat64()
			x[0], x[1] = radius*c, radius*s
		},
		func(x []float64) float64 {
			radius := math.Hypot(x[0], x[1])
			d := (radius - 1) / width
			return -0.5*d*d - math.Log(width*math.Sqrt(2*math.Pi)) - math.Log(2*math.Pi*radius)
		})
}

// checkerboard fills every second of the sixteen squares of side 2 between −4 and 4 evenly.
func checkerboard() Density {
	return rows("checkerboard", "checkerboard", 2,
		func(r *rand.Rand, x []float64) {
			column, row := r.IntN(4), 2*r.IntN(2)
			row += column % 2
			x[0] = 2*(float64(column)+r.Float64()) - 4
			x[1] = 2*(float64(row)+r.Float64()) - 4
		},
		func(x []float64) float64 {
			column, row := math.Floor((x[0]+4)/2), math.Floor((x[1]+4)/2)
			if math.Max(math.Abs(x[0]), math.Abs(x[1])) > 4 || math.Mod(column+row, 2) != 0 {
				return math.Inf(-1)
			}
			return -math.Log(8 * 4)
		})
}

// gaussians are eight normals of width 0.5, evenly on a circle of radius 4.
func gaussians() Density {
	const radius, width, count = 4, 0.5, 8
	var centres [count][2]float64
	for k := range centres {
		s, c := math.Sincos(2 * math.Pi * float64(k) / count)
		centres[k] = [2]float64{radius * c, radius * s}
	}
	return rows("gaussians", "eight normals", 2,
		func(r *rand.Rand, x []float64) {
			for j, c := range centres[r.IntN(count)] {
				x[j] = c + width*r.NormFloat64()
			}
		},
		func(x []float64) float64 {
			var logs [count]float64
			for k, c := range centres {
				d := math.Hypot(x[0]-c[0], x[1]-c[1]) / width
				logs[k] = -0.5 * d * d
			}
			return floats.LogSumExp(logs[:]) - math.Log(2*math.Pi*width*width*count)
		})
}

// triangle fills 0 < y < x < 1 evenly: it has an edge that follows no axis.
func triangle() Density {
	return rows("triangle", "triangle", 2,
		func(r *rand.Rand, x []float64) {
			a, b := r.Float64(), r.Float64()
			x[0], x[1] = max(a, b), min(a, b)
		},
		func(x []float64) float64 {
			if x[1] < 0 || x[1] > x[0] || x[0] > 1 {
				return math.Inf(-1)
			}
			return math.Ln2
		})
}

// edges are an exponential that begins at 1, a uniform variable on [0, 1], and one on
// [0, 1] with density 1 + (2u−1)(2v−1) given it.
func edges() Density {
	return rows("edges", "hard edges", 3,
		func(r *rand.Rand, x []float64) {
			x[0] = 1 + r.ExpFloat64()
			x[1] = r.Float64()
			for {
				x[2] = r.Float64()
				if 2*r.Float64() < 1+(2*x[1]-1)*(2*x[2]-1) {
					return
				}
			}
		},
		func(x []float64) float64 {
			if x[0] < 1 || math.Min(x[1], x[2]) < 0 || math.Max(x[1], x[2]) > 1 {
				return math.Inf(-1)
			}
			return -(x[0] - 1) + math.Log1p((2*x[1]-1)*(2*x[2]-1))
		})
}
