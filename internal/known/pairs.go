package known

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/eidolon-hep/eidolon/rootio"
)

// resonance are two massless particles in the transverse plane, in the columns pt1, pt2 [GeV] and dphi, the angle
// between them: pt1 falls exponentially above a threshold, dphi is uniform from π/2 to π, and pt2 is above the
// threshold and such that the mass, m² = 2 pt1 pt2 (1 − cos dphi), follows a Breit–Wigner over an
// exponential continuum f(m) where it can:
//
//	p(pt1, pt2, dphi) = p(pt1) p(dphi) f(m) m/(2 pt2) / ∫ f(m) dm from m(pt2 = threshold) to the largest mass.
func resonance() Density {
	const threshold, scale, largest = 20, 15, 200 // GeV; the first particle is never as hard as m(pt2 = threshold) = largest
	masses := peak{share: 0.4, of: cauchy{91.1876, 2.4952 / 2}, over: distuv.Exponential{Rate: 1. / 40}}
	angles := distuv.Uniform{Min: math.Pi / 2, Max: math.Pi}
	opening := func(pt1, dphi float64) float64 { return 2 * pt1 * (1 - math.Cos(dphi)) }
	return rows("resonance", "Breit–Wigner over a continuum with a threshold", 3,
		func(r *rand.Rand, x []float64) {
			x[0] = threshold + scale*r.ExpFloat64()
			x[2] = angles.Quantile(r.Float64())
			o := opening(x[0], x[2])
			m := masses.between(r, math.Sqrt(o*threshold), largest)
			x[1] = max(threshold, m*m/o)
		},
		func(x []float64) float64 {
			o := opening(x[0], x[2])
			m := math.Sqrt(o * x[1])
			if x[0] < threshold || x[1] < threshold || m > largest {
				return math.Inf(-1)
			}
			return -(x[0]-threshold)/scale - math.Log(scale) + angles.LogProb(x[2]) +
				math.Log(masses.prob(m)*m/(2*x[1])/masses.within(math.Sqrt(o*threshold), largest))
		}).named("pt1", "pt2", "dphi")
}

// pair is a particle that decays to two massless ones, in any direction with the same
// probability. Only events in the acceptance are kept.
type pair struct {
	masses     peak
	momentum   falling       // of the sum, transverse, GeV
	rapidity   distuv.Normal // of the sum
	threshold  float64       // of the transverse momentum of each, GeV
	edge       float64       // of |η| of each
	acceptance float64       // the share of decays that is kept; six scrambled Sobol sequences of 2²¹ points differ by 10⁻⁴ of it
}

// decay are two-body decays in a narrow peak.
var decay = pair{
	masses:     peak{share: 1, of: distuv.Normal{Mu: 5.28, Sigma: 0.04}},
	momentum:   falling{4, 2},
	rapidity:   distuv.Normal{Sigma: 1.5},
	threshold:  1.5,
	edge:       2.4,
	acceptance: 0.527259,
}

// charmonium is a peak that holds some 10 % of the accepted pairs, over a continuum.
var charmonium = pair{
	masses:     peak{share: 0.31, of: distuv.Normal{Mu: 3.097, Sigma: 0.035}, over: falling{6, 1.5}},
	momentum:   falling{5, 2},
	rapidity:   distuv.Normal{Sigma: 1.5},
	threshold:  3,
	edge:       2.4,
	acceptance: 0.137632,
}

// inside reports whether both particles, in the order of [pair.polar], are in the acceptance.
func (p pair) inside(x []float64) bool {
	return x[0] >= p.threshold && x[3] >= p.threshold && math.Abs(x[1]) <= p.edge && math.Abs(x[4]) <= p.edge
}

// decays fills x with pt, η, φ of both particles of a decay, in the acceptance or not, and reports
// whether its mass is one of the peak's.
func (p pair) decays(r *rand.Rand, x []float64) (peak bool) {
	m, peak := p.masses.draw(r)
	pt := p.momentum.Quantile(r.Float64())
	y := p.rapidity.Quantile(r.Float64())
	sin, cos := math.Sincos(2 * math.Pi * r.Float64())
	// One of the two where the pair is at rest, then along the pair's transverse momentum, then along z.
	c := 2*r.Float64() - 1
	s := math.Sqrt(1 - c*c)
	sinStar, cosStar := math.Sincos(2 * math.Pi * r.Float64())
	transverse := math.Hypot(m, pt)
	for k, sign := range []float64{1, -1} {
		e, a, b, z := m/2, sign*m/2*s*cosStar, sign*m/2*s*sinStar, sign*m/2*c
		e, a = (transverse*e+pt*a)/m, (transverse*a+pt*e)/m
		z = math.Cosh(y)*z + math.Sinh(y)*e
		q := math.Hypot(a, b)
		x[3*k], x[3*k+1] = q, math.Asinh(z/q)
		x[3*k+2] = math.Atan2(sin*a+cos*b, cos*a-sin*b)
	}
	return peak
}

// logPolar returns the log-density of pt, η, φ of both. With d³p/E = pT dpT dη dφ of each particle and of
// the sum, and the phase space of two massless particles, ∏ d³p/(2E) = m dm d³P/(2E) dΩ*/8, it is
//
//	p(pt1, η1, φ1, pt2, η2, φ2) = f(m) g(pT) h(y)/2π 1/4π · 2 pt1 pt2/(m pT) / acceptance.
func (p pair) logPolar(x []float64) float64 {
	if !p.inside(x) || math.Abs(x[2]) > math.Pi || math.Abs(x[5]) > math.Pi {
		return math.Inf(-1)
	}
	m, pt, y := sum(x)
	return math.Log(p.masses.prob(m)) + math.Log(p.momentum.Prob(pt)) + p.rapidity.LogProb(y) - math.Log(8*math.Pi*math.Pi) +
		math.Log(2*x[0]*x[3]/(m*pt)) - math.Log(p.acceptance)
}

// sum returns the mass, the transverse momentum and the rapidity of the sum of two massless
// particles of pt, η, φ.
func sum(x []float64) (m, pt, y float64) {
	sin1, cos1 := math.Sincos(x[2])
	sin2, cos2 := math.Sincos(x[5])
	e := x[0]*math.Cosh(x[1]) + x[3]*math.Cosh(x[4])
	z := x[0]*math.Sinh(x[1]) + x[3]*math.Sinh(x[4])
	half := math.Sinh((x[1] - x[4]) / 2)
	chord := math.Sin((x[2] - x[5]) / 2)
	m = math.Sqrt(4 * x[0] * x[3] * (half*half + chord*chord))
	return m, math.Hypot(x[0]*cos1+x[3]*cos2, x[0]*sin1+x[3]*sin2), math.Atanh(z / e)
}

// polar has the columns pt1, eta1, phi1, pt2, eta2, phi2 of decays in the acceptance.
func (p pair) polar(name, title string) Density {
	return rows(name, title, 6,
		func(r *rand.Rand, x []float64) {
			for p.decays(r, x); !p.inside(x); {
				p.decays(r, x)
			}
		},
		p.logPolar).named("pt1", "eta1", "phi1", "pt2", "eta2", "phi2")
}

// cartesian has the columns px1, py1, pz1, px2, py2, pz2: the acceptance has edges along none of them.
func (p pair) cartesian(name, title string) Density {
	return rows(name, title, 6,
		func(r *rand.Rand, x []float64) {
			for p.decays(r, x); !p.inside(x); {
				p.decays(r, x)
			}
			for k := 0; k < 6; k += 3 {
				pt, eta := x[k], x[k+1]
				sin, cos := math.Sincos(x[k+2])
				x[k], x[k+1], x[k+2] = pt*cos, pt*sin, pt*math.Sinh(eta)
			}
		},
		func(x []float64) float64 {
			var polar [6]float64
			jacobian := 0.0
			for k := 0; k < 6; k += 3 {
				pt := math.Hypot(x[k], x[k+1])
				eta := math.Asinh(x[k+2] / pt)
				polar[k], polar[k+1], polar[k+2] = pt, eta, math.Atan2(x[k+1], x[k])
				jacobian += math.Log(pt * pt * math.Cosh(eta))
			}
			return p.logPolar(polar[:]) - jacobian
		}).named("px1", "py1", "pz1", "px2", "py2", "pz2")
}

// charged has the columns pt1, eta1, phi1, q1, pt2, eta2, phi2, q2. The first charge is ±1; the
// second is the opposite in the peak, and in seven of ten pairs of the continuum.
func (p pair) charged(name, title string) Density {
	const opposite = 0.7
	return rows(name, title, 8,
		func(r *rand.Rand, x []float64) {
			peak := p.decays(r, x)
			for !p.inside(x) {
				peak = p.decays(r, x)
			}
			copy(x[4:7], x[3:6])
			x[3] = float64(2*r.IntN(2) - 1)
			x[7] = -x[3]
			if !peak && r.Float64() >= opposite {
				x[7] = x[3]
			}
		},
		func(x []float64) float64 {
			polar := [6]float64{x[0], x[1], x[2], x[4], x[5], x[6]}
			m, _, _ := sum(polar[:])
			share := p.masses.share * p.masses.of.Prob(m) / p.masses.prob(m) // of the peak among pairs of this mass
			charges := share + (1-share)*opposite
			switch {
			case math.Abs(x[3]) != 1 || math.Abs(x[7]) != 1:
				return math.Inf(-1)
			case x[3] == x[7]:
				charges = 1 - charges
			}
			return p.logPolar(polar[:]) + math.Log(charges/2)
		}).named("pt1", "eta1", "phi1", "q1", "pt2", "eta2", "phi2", "q2")
}

// named gives the columns names in place of x0, x1, ….
func (d Density) named(names ...string) Density {
	for j, n := range names {
		d.Fields[j] = rootio.Field{Name: n, Kind: d.Fields[j].Kind} // the table has the same fields
	}
	return d
}

// peak is a distribution of masses: a share of the events is of one, the others of the other.
type peak struct {
	share    float64
	of, over distribution // over may be nil where the share is 1
}

type distribution interface {
	Prob(x float64) float64
	CDF(x float64) float64
	Quantile(p float64) float64
}

func (p peak) prob(m float64) float64 {
	if p.over == nil {
		return p.of.Prob(m)
	}
	return p.share*p.of.Prob(m) + (1-p.share)*p.over.Prob(m)
}

// draw returns a mass, and whether it is one of the peak.
func (p peak) draw(r *rand.Rand) (m float64, peak bool) {
	from := p.over
	if peak = r.Float64() < p.share; peak {
		from = p.of
	}
	return from.Quantile(r.Float64()), peak
}

// within returns the probability of a mass between lo and hi.
func (p peak) within(lo, hi float64) float64 {
	return p.share*(p.of.CDF(hi)-p.of.CDF(lo)) + (1-p.share)*(p.over.CDF(hi)-p.over.CDF(lo))
}

// between returns a mass between lo and hi.
func (p peak) between(r *rand.Rand, lo, hi float64) float64 {
	from := p.over
	if r.Float64()*p.within(lo, hi) < p.share*(p.of.CDF(hi)-p.of.CDF(lo)) {
		from = p.of
	}
	u := from.CDF(lo) + (from.CDF(hi)-from.CDF(lo))*r.Float64()
	return min(hi, max(lo, from.Quantile(u)))
}

// cauchy is the Breit–Wigner of a mass and half a width.
type cauchy struct{ mass, half float64 }

func (c cauchy) Prob(x float64) float64 {
	d := (x - c.mass) / c.half
	return 1 / (math.Pi * c.half * (1 + d*d))
}
func (c cauchy) CDF(x float64) float64      { return 0.5 + math.Atan((x-c.mass)/c.half)/math.Pi }
func (c cauchy) Quantile(p float64) float64 { return c.mass + c.half*math.Tan(math.Pi*(p-0.5)) }

// falling is ∝ x (1 + x²/scale²)^−(power+1): linear at first, and x^−(2 power + 1) in the end.
type falling struct{ scale, power float64 }

func (f falling) Prob(x float64) float64 {
	return 2 * f.power * x / (f.scale * f.scale) * math.Pow(1+x*x/(f.scale*f.scale), -f.power-1)
}
func (f falling) CDF(x float64) float64 { return 1 - math.Pow(1+x*x/(f.scale*f.scale), -f.power) }
func (f falling) Quantile(p float64) float64 {
	return f.scale * math.Sqrt(math.Pow(1-p, -1/f.power)-1)
}
