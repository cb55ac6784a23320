package classify

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

// codedEvents returns events with a code, a number that is 0 in some of them or NaN, and log r of a ratio that makes the codes 2 rare.
func codedEvents(n int) (*rootio.Table, []float64) {
	code, x, logs := make([]int32, n), make([]float32, n), make([]float64, n)
	u := make([]float64, 4)
	for i := range n {
		philox.Uniform64(u, 5, 0, uint64(i)*4)
		code[i], x[i], logs[i] = int32(3*u[0]), float32(u[1]), 0.5*u[2]
		switch {
		case u[3] < 0.2:
			x[i] = 0
		case u[3] < 0.3:
			x[i] = float32(math.NaN())
		}
		if code[i] == 2 {
			logs[i] -= 0.4
		}
		if x[i] == 0 {
			logs[i] += 0.3
		}
	}
	return &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("code", code), rootio.ColumnOf("x", x)}}, logs
}

// TestFrequencies checks that a ratio that is divided by its mean given codes and shared values leaves their frequencies as they are, in
// other events, too, and comes back from a file.
func TestFrequencies(t *testing.T) {
	const n = 40_000
	events, logs := codedEvents(2 * n)
	fitted, err := FitFrequencies([]string{"code", "x"}, [][]float64{{0, 1, 2}, {0}}, []*rootio.Table{events.Slice(0, n/2), events.Slice(n/2, n)}, logs[:n])
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(fitted)
	if err != nil {
		t.Fatal(err)
	}
	var f Frequencies
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatal(err)
	}
	if err := f.load([]string{"x", "code"}); err != nil {
		t.Fatal(err)
	}
	others := events.Slice(n, 2*n)
	divided := append([]float64(nil), logs[n:]...)
	if err := f.Divide(divided, others); err != nil {
		t.Fatal(err)
	}
	keys, err := f.keys(others)
	if err != nil {
		t.Fatal(err)
	}
	before, after, count := map[uint64]float64{}, map[uint64]float64{}, map[uint64]float64{}
	var z float64
	for i, key := range keys {
		before[key] += math.Exp(logs[n+i])
		after[key] += math.Exp(divided[i])
		count[key]++
		z += math.Exp(divided[i]) / n
	}
	if len(count) != 9 {
		t.Fatalf("%d combinations of three codes with 0, NaN and other numbers", len(count))
	}
	furthest := 0.0
	for key, k := range count {
		if share := after[key] / k / z; math.Abs(share-1) > 0.03 {
			t.Errorf("the combination %d becomes %.3f times as frequent", key, share)
		}
		furthest = max(furthest, math.Abs(before[key]/k/z-1))
	}
	if furthest < 0.2 {
		t.Errorf("without it frequencies changed by %.2f only: the test shows nothing", furthest)
	}
	if f.smallest() > 0.85 {
		t.Errorf("the smallest mean is %g", f.smallest())
	}

	for name, damage := range map[string]func(f *Frequencies){
		"no columns":      func(f *Frequencies) { f.Columns, f.Values = nil, nil },
		"another column":  func(f *Frequencies) { f.Columns = []string{"code", "z"} },
		"missing means":   func(f *Frequencies) { f.Means = f.Means[1:] },
		"a mean of 0":     func(f *Frequencies) { f.Means = make([]float64, len(f.Keys)) },
		"unsorted values": func(f *Frequencies) { f.Values = [][]float64{{2, 1}, {0}} },
	} {
		damaged := f
		if damage(&damaged); damaged.load([]string{"x", "code"}) == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestFrequenciesAreBounded checks that there are no more columns than fit into a key.
func TestFrequenciesAreBounded(t *testing.T) {
	events, logs := codedEvents(100)
	many := make([]float64, 1000)
	for i := range many {
		many[i] = float64(i)
	}
	columns, values := []string{"code"}, [][]float64{{0, 1, 2}}
	for range 6 {
		columns, values = append(columns, "x"), append(values, many)
	}
	f, err := FitFrequencies(columns, values, []*rootio.Table{events}, logs)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Columns) != 6 || f.Columns[0] != "code" {
		t.Errorf("the columns are %q", f.Columns)
	}
}
