package compare

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// A response whose width is right on average, and wrong at either end, is found out in
// bins of what it depends on.
func TestBinsOfCondition(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	const n = 6000
	sample := func(slope float64) *rootio.Table {
		energy, response, code := make([]float64, n), make([]float64, n), make([]int32, n)
		for i := range n {
			energy[i] = rng.Float64()
			response[i] = rng.NormFloat64() * math.Exp(slope*(energy[i]-0.5))
			code[i] = int32(rng.IntN(3))
		}
		return table(rootio.ColumnOf("energy", energy), rootio.ColumnOf("response", response), rootio.ColumnOf("code", code))
	}
	opts := Options{Condition: []string{"energy", "code"}}
	wrong := compare(t, sample(0.7), sample(-0.7), opts)
	if wrong.column("response").Verdict != Compatible {
		t.Errorf("the response is %s on average", wrong.column("response").Verdict)
	}
	if len(wrong.Bins) != conditionBins+3 {
		t.Fatalf("%d bins", len(wrong.Bins))
	}
	total := 0
	for _, b := range wrong.Bins[:conditionBins] {
		total += b.Events[0]
	}
	if total != n {
		t.Errorf("%d events in bins of the energy", total)
	}
	for _, k := range []int{0, conditionBins - 1} {
		if b := wrong.Bins[k]; b.Verdict != Differs || b.Worst != "response" {
			t.Errorf("%s: %s, worst %q", b.String(), b.Verdict, b.Worst)
		}
	}
	var text bytes.Buffer
	if err := wrong.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "code = 2") || !strings.Contains(text.String(), "energy from 0.") {
		t.Errorf("bins are not in\n%s", &text)
	}
	for _, b := range compare(t, sample(0.7), sample(0.7), opts).Bins {
		if b.Verdict != Compatible {
			t.Errorf("equal: %s: %s", b.String(), b.Verdict)
		}
	}
	if _, err := Compare(context.Background(), sample(0), sample(0), Options{Condition: []string{"no"}}); err == nil {
		t.Error("no error for a condition that is missing")
	}
}
