package known

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/eidolon-hep/eidolon/rootio"
)

// of returns the log-densities of events that are rows.
func of(d Density, dst []float64, rows ...[]float64) []float64 {
	t := rootio.NewTable(d.Fields, len(rows))
	for i, r := range rows {
		for j, v := range r {
			t.Columns[j].SetFloats(i, []float64{v})
		}
	}
	d.LogDensity(dst[:len(rows)], t)
	return dst[:len(rows)]
}

// fitsGrid reports whether a density is in the plane and without long tails.
func fitsGrid(d Density) bool { return d.Dim() == 2 && d.Name != "student2" }

// isPair reports whether TestPairs checks a density: even boxes are too wide for its peak.
func isPair(d Density) bool { return slices.Contains([]string{"decay", "decay_xyz", "jpsi"}, d.Name) }

// TestPlane checks the densities in the plane by quadrature on a fine grid: that the integral
// is 1, and, by χ², that events fall where it says.
func TestPlane(t *testing.T) {
	const n, coarse, fine = 100_000, 24, 10 // cells of a side; points of a side of each
	for _, d := range All() {
		if !fitsGrid(d) {
			continue
		}
		events := d.Table(12, 0, n)
		var lo, width [2]float64
		for j, c := range events.Columns {
			x := c.Float64s()
			lo[j] = floats.Min(x) - 0.2
			width[j] = (floats.Max(x) + 0.2 - lo[j]) / coarse
		}
		seen, want := make([]float64, coarse*coarse), make([]float64, coarse*coarse)
		x, y := events.Columns[0].Float64s(), events.Columns[1].Float64s()
		for i := range n {
			seen[int((x[i]-lo[0])/width[0])*coarse+int((y[i]-lo[1])/width[1])]++
		}
		log := make([]float64, fine*fine)
		rows := make([][]float64, 0, fine*fine)
		for k := range want {
			rows = rows[:0]
			for p := range fine * fine {
				rows = append(rows, []float64{
					lo[0] + (float64(k/coarse)+(float64(p/fine)+0.5)/fine)*width[0],
					lo[1] + (float64(k%coarse)+(float64(p%fine)+0.5)/fine)*width[1],
				})
			}
			for _, l := range of(d, log, rows...) {
				want[k] += n * math.Exp(l) * width[0] * width[1] / fine / fine
			}
		}
		// A cell that an edge cuts is known to about one point in fine.
		sharp := math.IsInf(of(d, log, []float64{lo[0], lo[1]})[0], -1)
		bound := 1e-4
		if sharp {
			bound = 0.02
		}
		if integral := floats.Sum(want) / n; math.Abs(integral-1) > bound {
			t.Errorf("%s: the integral is %.6f", d.Name, integral)
		}
		chi2, cells := 0.0, 0.0
		for k, e := range want {
			if e < 10 || sharp && edgeIn(d, lo, width, k, coarse) {
				continue
			}
			chi2 += (seen[k] - e) * (seen[k] - e) / e
			cells++
		}
		if p := (distuv.ChiSquared{K: cells}).Survival(chi2); cells < 20 || p < 1e-3 {
			t.Errorf("%s: χ² is %.0f for %.0f cells: p = %.1g", d.Name, chi2, cells, p)
		}
	}
}

// edgeIn reports whether the density of a cell is nil at one corner and not at another.
func edgeIn(d Density, lo, width [2]float64, k, side int) bool {
	var inside int
	for corner := range 4 {
		x := []float64{
			lo[0] + float64(k/side+corner%2)*width[0],
			lo[1] + float64(k%side+corner/2)*width[1],
		}
		if l := of(d, make([]float64, 1), x); !math.IsInf(l[0], -1) {
			inside++
		}
	}
	return inside%4 != 0
}

// TestSpace checks the other densities by the mean of q/p over the events, which
// is 1 for each density q that is 0 wherever p is. For q it takes the even density in a box
// that holds the middle half of each column, and where that would hold no event, p shifted.
func TestSpace(t *testing.T) {
	for _, d := range All() {
		if fitsGrid(d) || isPair(d) {
			continue
		}
		n := 100_000
		if d.Dim() > 6 {
			n = 5000
		}
		events := d.Table(12, 0, n)
		log := make([]float64, n)
		d.LogDensity(log, events)
		ratio := make([]float64, n)
		if d.Dim() <= 6 {
			volume := 1.0
			inside := slices.Repeat([]bool{true}, n)
			for _, c := range events.Columns {
				x := c.Float64s()
				sorted := slices.Sorted(slices.Values(x))
				lo, hi := sorted[n/4], sorted[3*n/4]
				volume *= hi - lo
				for i, v := range x {
					inside[i] = inside[i] && v >= lo && v < hi
				}
			}
			for i, in := range inside {
				if in {
					ratio[i] = math.Exp(-log[i]) / volume
				}
			}
		} else {
			shifted := d.Table(12, 0, n)
			for j, c := range shifted.Columns {
				x := c.Float64s()
				floats.AddConst(0.1*float64(1-2*(j%2)), x)
				c.SetFloats(0, x)
			}
			d.LogDensity(ratio, shifted)
			for i := range ratio {
				ratio[i] = math.Exp(ratio[i] - log[i])
			}
		}
		mean, std := stat.MeanStdDev(ratio, nil)
		if sigma := stat.StdErr(std, float64(n)); math.Abs(mean-1) > 4*sigma || sigma > 0.05 {
			t.Errorf("%s: the mean of q/p is %.4f ± %.4f", d.Name, mean, sigma)
		}
	}
}

// TestEvents checks that event i depends on (seed, i) alone, and that seeds differ.
func TestEvents(t *testing.T) {
	for _, d := range All() {
		whole := d.Table(3, 0, 3000)
		if part := d.Table(3, 2500, 100); !reflect.DeepEqual(part.Columns, whole.Slice(2500, 2600).Columns) {
			t.Errorf("%s: events 2500 to 2600 depend on the others", d.Name)
		}
		if other := d.Table(4, 0, 3000); slices.Equal(other.Columns[0].Float64s(), whole.Columns[0].Float64s()) {
			t.Errorf("%s: two seeds have the same events", d.Name)
		}
	}
}
