package known

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// TestPairs checks the densities of pairs by the mean of q/p over their events, which is 1 for each density q that
// is 0 wherever p is. An even density in a box is no good q for a narrow peak. So q is even in pt1, η1, φ1 and the differences
// of η and φ in a box, and in it gives pt2 the distribution that has the peak's mass, with a derivative that is taken
// numerically. The charges are opposite.
func TestPairs(t *testing.T) {
	const n = 200_000
	for _, c := range []struct {
		name       string
		pair       pair
		columns    [6]int // pt1, η1, φ1, pt2, η2, φ2
		charges    float64
		hardest    float64 // pt1, such that a pt2 at the threshold has a mass below the peak's
		eta, deta  float64 // |η1| and |Δη| are below
		near, wide float64 // |Δφ| is between
	}{
		{"decay", decay, [6]int{0, 1, 2, 3, 4, 5}, 1, 2.4, 0.8, 1.6, 1, math.Pi},
		{"jpsi", charmonium, [6]int{0, 1, 2, 4, 5, 6}, 0.5, 4, 1.9, 0.5, 0.35, 0.65},
	} {
		d, _ := Named(c.name)
		events := d.Table(12, 0, n)
		logs := make([]float64, n)
		d.LogDensity(logs, events)
		volume := (c.hardest - c.pair.threshold) * 2 * c.eta * 2 * math.Pi * 2 * c.deta * 2 * (c.wide - c.near)
		ratios := make([]float64, n)
		var columns [][]float64
		for _, c := range events.Columns {
			columns = append(columns, c.Float64s())
		}
		for i := range n {
			var x [6]float64
			for j, k := range c.columns {
				x[j] = columns[k][i]
			}
			delta := math.Abs(math.Remainder(x[5]-x[2], 2*math.Pi))
			if x[0] > c.hardest || math.Abs(x[1]) > c.eta || math.Abs(x[4]-x[1]) > c.deta || delta < c.near || delta > c.wide {
				continue
			}
			if d.Dim() == 8 && columns[3][i] == columns[7][i] {
				continue
			}
			mass := func(pt2 float64) float64 {
				y := x
				y[3] = pt2
				m, _, _ := sum(y[:])
				return m
			}
			slope := (mass(x[3]*1.0001) - mass(x[3]*0.9999)) / (0.0002 * x[3])
			peak := c.pair.masses.of
			q := c.charges * slope * peak.Prob(mass(x[3])) / (1 - peak.CDF(mass(c.pair.threshold))) / volume
			ratios[i] = q * math.Exp(-logs[i])
		}
		mean, std := stat.MeanStdDev(ratios, nil)
		if sigma := stat.StdErr(std, n); math.Abs(mean-1) > 4*sigma || sigma > 0.05 {
			t.Errorf("%s: the mean of q/p is %.4f ± %.4f", c.name, mean, sigma)
		}
	}
}

// TestCartesian checks that both columns of the same events have the same density, by the determinant of the
// derivatives of px, py, pz by pt, η, φ, taken numerically.
func TestCartesian(t *testing.T) {
	polar, _ := Named("decay")
	cartesian, _ := Named("decay_xyz")
	of := func(x []float64) (y [6]float64) {
		for k := 0; k < 6; k += 3 {
			sin, cos := math.Sincos(x[k+2])
			y[k], y[k+1], y[k+2] = x[k]*cos, x[k]*sin, x[k]*math.Sinh(x[k+1])
		}
		return y
	}
	const step = 1e-5
	events := polar.Table(7, 0, 100)
	for i := range 100 {
		x := make([]float64, 6)
		for j, c := range events.Columns {
			x[j] = c.Float64s()[i]
		}
		slopes := mat.NewDense(6, 6, nil)
		for j := range x {
			v := x[j]
			x[j] = v + step
			above := of(x)
			x[j] = v - step
			below := of(x)
			x[j] = v
			for k := range above {
				slopes.Set(k, j, (above[k]-below[k])/(2*step))
			}
		}
		y := of(x)
		want := polar.log(x) - math.Log(math.Abs(mat.Det(slopes)))
		if got := cartesian.log(y[:]); math.Abs(got-want) > 1e-6 {
			t.Fatalf("event %d has the log-density %.8f of px, py, pz and not %.8f", i, got, want)
		}
	}
}
