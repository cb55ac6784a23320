package compare

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// Ten events for each of an input are not ten times as many: samples of one distribution are
// called different if that is not known, and compatible if it is.
func TestOversampledEventsAreNotIndependent(t *testing.T) {
	rng := rand.New(rand.NewPCG(71, 71))
	const inputs, times, repetitions = 200, 10, 20
	var wrong, naive int
	for range repetitions {
		var x, code []float64
		var index []int64
		for i := range inputs {
			truth := rng.NormFloat64()
			for range times {
				x = append(x, truth+0.1*rng.NormFloat64())
				code = append(code, math.Round(truth))
				index = append(index, int64(i))
			}
		}
		var codes []float64
		ref := normals(rng, 2000, 0)
		for i := range ref {
			ref[i] *= math.Sqrt(1.01)
			codes = append(codes, math.Round(rng.NormFloat64()))
		}
		a := table(rootio.ColumnOf("x", ref), rootio.ColumnOf("code", codes))
		b := table(rootio.ColumnOf("x", x), rootio.ColumnOf("code", code), rootio.ColumnOf("event_index", index))
		r := compare(t, a, b, Options{Blocks: "event_index"})
		if r.Verdict != Compatible {
			wrong++
		}
		if len(r.Columns) != 2 || r.Candidate.Blocks != inputs || math.Abs(r.Candidate.EffectiveEvents-inputs) > 1e-9 || !strings.Contains(strings.Join(r.Notes, " "), "by blocks") {
			t.Fatalf("%d columns, %+v, %q", len(r.Columns), r.Candidate, r.Notes)
		}
		if compare(t, a, b, Options{Columns: []string{"x", "code"}}).Verdict != Compatible {
			naive++
		}
	}
	if wrong > 1 || naive < repetitions/2 {
		t.Errorf("of %d pairs of one distribution, %d are called different, and %d if events were independent", repetitions, wrong, naive)
	}
}

// Pairs of events tell of smaller differences than independent ones, and no others.
func TestPairsOfEvents(t *testing.T) {
	rng := rand.New(rand.NewPCG(72, 72))
	const n, repetitions = 1000, 20
	for _, shift := range []float64{0, 0.03} {
		different := 0
		for range repetitions {
			x, y, index := normals(rng, n, 0), make([]float64, n), make([]int64, n)
			for i := range x {
				y[i] = x[i] + 0.1*rng.NormFloat64() + shift
				x[i] += 0.1 * rng.NormFloat64()
				index[i] = int64(i)
			}
			at := rootio.ColumnOf("event_index", index)
			r := compare(t, table(rootio.ColumnOf("x", x), at), table(rootio.ColumnOf("x", y), at), Options{Blocks: "event_index", Pairs: true})
			if r.Verdict != Compatible {
				different++
			}
		}
		if shift == 0 && different > 1 || shift > 0 && different < repetitions-2 {
			t.Errorf("with a shift of %v, %d of %d are called different", shift, different, repetitions)
		}
	}
}

// Integers that a float64 does not tell apart are different values.
func TestLargeIntegersAreDifferent(t *testing.T) {
	const big = 1 << 53
	var a, b []uint64
	for i := range 400 {
		a, b = append(a, big+uint64(i%2)*2), append(b, big+1+uint64(i%2)*2)
	}
	c := compareOne(t, a, b)
	if c.Verdict != Illegal || c.Proportions.Illegal != 400 || len(c.Codes) != 4 || c.Codes[1].Integer != "9007199254740993" {
		t.Errorf("%v, %+v, %+v", c.Verdict, c.Proportions, c.Codes)
	}
	top := uint64(math.MaxUint64)
	if c := compareOne(t, []uint64{top, top - 1, 0}, []uint64{top, top - 1, 0}); c.Verdict != Compatible || len(c.Codes) != 3 || c.Codes[2].Integer != "18446744073709551615" {
		t.Errorf("%v, %+v", c.Verdict, c.Codes)
	}
	if c := compareOne(t, []int64{-big - 1, 1}, []float64{-big, 1}); len(c.Codes) != 3 {
		t.Errorf("%+v", c.Codes)
	}
}
