package features

import "math"

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
