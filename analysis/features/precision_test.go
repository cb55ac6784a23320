package features

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/rootio"
)

// reduce rounds to a number of bits of mantissa.
func reduce(x float64, bits int) float64 {
	if x == 0 || math.IsNaN(x) {
		return x
	}
	unit := math.Pow(2, math.Floor(math.Log2(math.Abs(x)))-float64(bits))
	return math.Round(x/unit) * unit
}

// TestPrecisionComesBack checks columns of few bits of mantissa: their values come back, what
// is drawn has the same bits, and its density is that of the values.
func TestPrecisionComesBack(t *testing.T) {
	testenv.Slow(t, "it transforms many columns")
	const n = 30000
	densities := map[string]func(r *rand.Rand) float64{
		"pt":       func(r *rand.Rand) float64 { return 20 + 30*r.ExpFloat64() },
		"eta":      func(r *rand.Rand) float64 { return r.NormFloat64() },
		"phi":      func(r *rand.Rand) float64 { return math.Pi * (2*r.Float64() - 1) },
		"tail":     func(r *rand.Rand) float64 { return math.Exp(2 * r.NormFloat64()) },
		"spikes":   func(r *rand.Rand) float64 { return []float64{-999.9, 0, r.ExpFloat64(), r.ExpFloat64()}[r.IntN(4)] },
		"missing":  func(r *rand.Rand) float64 { return []float64{math.NaN(), r.NormFloat64()}[r.IntN(2)] },
		"outliers": func(r *rand.Rand) float64 { return r.NormFloat64() },
	}
	for name, f := range densities {
		for _, c := range []struct {
			kind rootio.Kind
			bits column.Bits
		}{{rootio.Float32, 7}, {rootio.Float32, 10}, {rootio.Float32, 13}, {rootio.Float64, 10}, {rootio.Float64, 23}} {
			what := fmt.Sprintf("%s, %d bits of %v", name, c.bits, c.kind)
			x := draw(n, func(r *rand.Rand) float64 {
				v := f(r)
				if v == -999.9 {
					return v
				}
				return reduce(v, int(c.bits))
			})
			if name == "outliers" {
				x[77] = 1e12
			}
			col := columnOf(c.kind, x)
			s := fitOne(t, col)
			if p, ok := only[*step.Rounded](s); !ok || p.Bits == nil || *p.Bits != c.bits || !strings.Contains(s.Treatments()[0].How, "bits of mantissa") {
				t.Errorf("%s: treated as %s", what, s.Treatments()[0].How)
				continue
			}
			before, after, z := roundTrip(t, s, &rootio.Table{Columns: []rootio.Column{col}})
			others := 0
			for i, v := range before[0] {
				if got := after[0][i]; got != v && !(math.IsNaN(v) && math.IsNaN(got)) {
					others++
					tolerance := 1.1*math.Ldexp(math.Abs(v), -int(c.bits)) + 1e-6
					if c.bits == 23 { // as of any float32 feature
						tolerance = 1e-5 * (1 + math.Abs(v))
					}
					if math.Abs(got-v) > tolerance && math.Abs(math.Abs(got-v)-2*math.Pi) > 0.1 {
						t.Errorf("%s: %.9g comes back as %.9g", what, v, got)
						break
					}
				}
			}
			if c.bits < 23 && others > n/200 { // an azimuth beyond π is one on the other side
				t.Errorf("%s: %d of %d values do not come back", what, others, n)
			}
			r := rand.New(rand.NewPCG(1, 1))
			for i := range z {
				z[i] = float32(r.NormFloat64())
			}
			drawn := rootio.NewTable(s.Fields(), n)
			s.Decode(drawn, z, nil)
			got := make([]float64, n)
			drawn.Columns[0].Floats(got, 0)
			for _, v := range got {
				if v != float64(float32(-999.9)) && v != -999.9 && v < 1e11 && reduce(v, int(c.bits)) != v && !math.IsNaN(v) {
					t.Errorf("%s: %.12g is drawn", what, v)
					break
				}
			}
		}
	}
}

// TestPrecisionCells checks that the cells of the values share the line between them.
func TestPrecisionCells(t *testing.T) {
	p := column.Bits(5)
	for _, sign := range []float64{1, -1} {
		v := sign * 0.11
		for v = p.Round(v); math.Abs(v) < 40; {
			lo, hi := p.Cell(v)
			if !(lo < v && v < hi) {
				t.Fatalf("the cell of %g is from %g to %g", v, lo, hi)
			}
			outer := hi
			if sign < 0 {
				outer = lo
			}
			if got := p.Round(math.Nextafter(outer, 0)); got != v {
				t.Errorf("%g within the cell of %g is rounded to %g", outer, v, got)
			}
			next := p.Round(outer)
			lo, hi = p.Cell(next)
			if inner := min(math.Abs(lo), math.Abs(hi)); inner != math.Abs(outer) || math.Abs(next) <= math.Abs(v) {
				t.Fatalf("after the cell of %g, up to %g, is that of %g, from %g", v, outer, next, inner)
			}
			v = next
		}
	}
}

// TestPrecisionDensity checks that the density of a value, times its cell, is its probability.
func TestPrecisionDensity(t *testing.T) {
	const n = 100000
	x := draw(n, func(r *rand.Rand) float64 { return reduce(3*math.Exp(0.5*r.NormFloat64()), 6) })
	col := columnOf(rootio.Float32, x)
	s := fitOne(t, col)
	z, logDet := make([]float32, n), make([]float64, n)
	if err := s.Encode(t.Context(), z, logDet, &rootio.Table{Columns: []rootio.Column{col}}, Noise{}); err != nil {
		t.Fatal(err)
	}
	for i, v := range x {
		log := math.Log(v/3) / 0.5
		want := logNormal(log) - math.Log(0.5*v)
		if got := logNormal(float64(z[i])) + logDet[i]; math.Abs(log) < 2 && math.Abs(got-want) > 0.15 {
			t.Fatalf("the log-density at %g is %.3f, not %.3f", v, got, want)
		}
	}
}
