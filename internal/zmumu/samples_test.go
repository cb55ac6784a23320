package zmumu

import (
	"math"
	"reflect"
	"testing"

	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/rootio"
)

// TestDetected checks the response: its width and shift in the middle and forward, as
// [Response] states them, and that an event does not depend on how many there are.
func TestDetected(t *testing.T) {
	const n = 50_000
	events := Default().Detected(3, n)
	column := func(name string) []float64 {
		c, ok := events.Column(name)
		if !ok {
			t.Fatalf("there is no column %s", name)
		}
		x := make([]float64, n)
		c.Floats(x, 0)
		return x
	}
	truth, reco, eta, phi := column("true_pt"), column("reco_pt"), column("true_eta"), column("reco_phi")
	var middle, forward []float64
	for i := range n {
		if math.Abs(phi[i]) > math.Pi+1e-6 {
			t.Fatalf("an azimuth is %v", phi[i])
		}
		switch response := reco[i] / truth[i]; {
		case math.Abs(eta[i]) > 2.5:
			forward = append(forward, response)
		case math.Abs(eta[i]) < 0.5:
			middle = append(middle, response)
		}
	}
	for _, c := range []struct {
		name      string
		response  []float64
		low, high float64 // of the resolution
	}{{"|η| < 0.5", middle, 0.02, 0.026}, {"|η| > 2.5", forward, 0.05, 0.05}} {
		mean, std := stat.MeanStdDev(c.response, nil)
		width := func(sigma float64) float64 { // of the sum of two normals
			return math.Sqrt(0.95*sigma*sigma + 0.05*9*sigma*sigma + 0.05*0.95*0.01)
		}
		if math.Abs(mean-0.995) > 0.002 || std < 0.97*width(c.low) || std > 1.03*width(c.high) {
			t.Errorf("%s: the response is %.4f ± %.4f", c.name, mean, std)
		}
	}
	if !reflect.DeepEqual(Default().Detected(3, 100).Columns, events.Slice(0, 100).Columns) {
		t.Error("the first hundred events depend on the number of events")
	}
}

// TestCollections checks that the muons are those of [Generator.Table] in the acceptance, in
// descending order of pT.
func TestCollections(t *testing.T) {
	const n = 2000
	events, truth := Default().Collections(5, n), Default().Table(5, 0, n)
	of := func(columns []rootio.Column, name string) []float32 {
		for _, c := range columns {
			if c.Name == name {
				return c.Values().([]float32)
			}
		}
		t.Fatalf("there is no column %s", name)
		return nil
	}
	offsets := events.Jagged[0].Offsets
	pt, eta := events.Jagged[0].Values().([]float32), events.Jagged[1].Values().([]float32)
	pt1, pt2 := of(truth.Columns, "mu1_pt"), of(truth.Columns, "mu2_pt")
	eta1, eta2 := of(truth.Columns, "mu1_eta"), of(truth.Columns, "mu2_eta")
	for i := range n {
		var want []float32
		for _, m := range [][2]float32{{pt1[i], eta1[i]}, {pt2[i], eta2[i]}} {
			if math.Abs(float64(m[1])) < 2.4 {
				want = append(want, m[0])
			}
		}
		if len(want) == 2 && want[0] < want[1] {
			want[0], want[1] = want[1], want[0]
		}
		got := pt[offsets[i]:offsets[i+1]]
		if len(want) != len(got) || len(want) > 0 && !reflect.DeepEqual(want, got) {
			t.Fatalf("event %d has muons of pT %v, not %v", i, got, want)
		}
		for _, e := range eta[offsets[i]:offsets[i+1]] {
			if math.Abs(float64(e)) >= 2.4 {
				t.Fatalf("event %d has a muon at η = %v", i, e)
			}
		}
	}
}
