package features

import "math"

// normalCDF is Φ, the distribution function of the standard normal.
func normalCDF(z float64) float64 { return 0.5 * math.Erfc(-z/math.Sqrt2) }

// normalQuantile is Φ⁻¹. Its argument is kept 1e-15 away from 0 and 1.
func normalQuantile(u float64) float64 {
	u = min(max(u, 1e-15), 1-1e-15)
	return -math.Sqrt2 * math.Erfcinv(2*u)
}

// logNormal is the logarithm of the density of the standard normal.
func logNormal(z float64) float64 { return -0.5*z*z - 0.5*math.Log(2*math.Pi) }
