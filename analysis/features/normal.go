package features

import "math"

// normalCDF is Φ, the distribution function of the standard normal.
func normalCDF(z float64) float64 { return 0.5 * math.Erfc(-z/math.Sqrt2) }

// normalQuantile is Φ⁻¹. Its argument is kept 1e-15 away from 0 and 1.
func normalQuantile(u float64) float64 {
	u = min(max(u, 1e-15), 1-1e-15)
	return -math.Sqrt2 * math.Erfcinv(2*u)
}

// quantileOf is Φ⁻¹ of the point with the given probabilities on either side.
func quantileOf(below, above float64) float64 {
	if below < above {
		return normalQuantile(below)
	}
	return -normalQuantile(above)
}

// logNormal is the logarithm of the density of the standard normal.
func logNormal(z float64) float64 { return -0.5*z*z - 0.5*math.Log(2*math.Pi) }

// remote is where features begin to be pulled in: no value of a sample is there, but
// what is beyond all of them has a density too, however far it is.
const remote = 8

// pull brings features in that are remote: they grow as the logarithm of the distance. It
// returns the logarithm of the slope, too.
func pull(z float64) (pulled, logSlope float64) {
	d := math.Abs(z) - remote
	if !(d > 0) {
		return z, 0
	}
	log := math.Log1p(min(d, math.MaxFloat64))
	return math.Copysign(remote+log, z), -log
}

// push is the inverse of pull.
func push(z float64) float64 {
	d := math.Abs(z) - remote
	if !(d > 0) {
		return z
	}
	return math.Copysign(remote+math.Expm1(d), z)
}
