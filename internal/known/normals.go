package known

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distmv"
)

// mixture is a mixture of normals of equal weights, with means spread by 3 and
// covariances of random directions with standard deviations between 0.4 and 1.2.
func mixture(dim, components int) Density {
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
			panic("known: a covariance is not positive definite")
		}
		parts = append(parts, part)
	}
	return rows(fmt.Sprintf("mixture%d", dim), fmt.Sprintf("mixture of %d Gaussians", components), dim,
		func(r *rand.Rand, x []float64) {
			k := r.IntN(components)
			z := make([]float64, dim)
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

// normal is one normal, with correlations of some directions.
func normal(dim int) Density {
	r := rand.New(rand.NewPCG(uint64(dim), 3))
	cov := mat.NewSymDense(dim, nil)
	for i := range dim {
		cov.SetSym(i, i, 0.3)
	}
	for range dim {
		direction := mat.NewVecDense(dim, nil)
		for i := range dim {
			direction.SetVec(i, r.NormFloat64())
		}
		cov.SymRankOne(cov, 1/float64(dim), direction)
	}
	p, ok := distmv.NewNormal(make([]float64, dim), cov, nil)
	if !ok {
		panic("known: a covariance is not positive definite")
	}
	return rows(fmt.Sprintf("normal%d", dim), "correlated normal", dim,
		func(r *rand.Rand, x []float64) {
			z := make([]float64, dim)
			for j := range z {
				z[j] = r.NormFloat64()
			}
			p.TransformNormal(x, z)
		},
		p.LogProb)
}

// student is Student's t of two or three columns with ν degrees of freedom, correlated. With two of them it has no
// variance.
func student(name string, dim int, nu float64) Density {
	all := mat.NewSymDense(3, []float64{1, 0.7, 0.3, 0.7, 1, -0.2, 0.3, -0.2, 1})
	sigma := mat.NewSymDense(dim, nil)
	sigma.CopySym(all)
	t, _ := distmv.NewStudentsT(make([]float64, dim), sigma, nu, nil)
	var c mat.Cholesky
	c.Factorize(sigma)
	var l mat.TriDense
	c.LTo(&l)
	return rows(name, fmt.Sprintf("Student's t, %g degrees of freedom", nu), dim,
		func(r *rand.Rand, x []float64) {
			z := mat.NewVecDense(dim, nil)
			for j := range dim {
				z.SetVec(j, r.NormFloat64())
			}
			chi2 := 2 * r.ExpFloat64() // of 2 degrees; each further degree is the square of a normal
			for range int(nu) - 2 {
				v := r.NormFloat64()
				chi2 += v * v
			}
			y := mat.NewVecDense(dim, x)
			y.MulVec(&l, z)
			y.ScaleVec(math.Sqrt(nu/chi2), y)
		},
		t.LogProb)
}

// TwoNormals are two round normals of width 0.6 with the columns of the moons, which they cover: the density that the
// moons are made of by a ratio. They are no density to learn, and not in [All].
func TwoNormals() Density {
	const width = 0.6
	centres := [2][2]float64{{0, 0.5}, {1, 0}}
	return rows("two-normals", "two normals", 2,
		func(r *rand.Rand, x []float64) {
			c := centres[r.IntN(2)]
			x[0], x[1] = c[0]+width*r.NormFloat64(), c[1]+width*r.NormFloat64()
		},
		func(x []float64) float64 {
			sum := 0.0
			for _, c := range centres {
				sum += math.Exp(-(math.Pow(x[0]-c[0], 2)+math.Pow(x[1]-c[1], 2))/(2*width*width)) / 2
			}
			return math.Log(sum) - math.Log(2*math.Pi*width*width)
		})
}
