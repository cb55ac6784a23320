package features

import (
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// The deviates of a branch depend on its name, not on its place among the coordinates: sets of coordinates are compared, and mixed, by the
// log-densities of the same point of the cell of an integer.
func TestDeviatesGoByName(t *testing.T) {
	const n = 3000
	counts, decimals := make([]int32, n), make([]float32, n)
	x := make([]float64, n)
	for i := range n {
		counts[i], decimals[i], x[i] = int32(i*i%997), float32(i*7%331)/8, float64(i)
	}
	of := []rootio.Column{rootio.ColumnOf("n", counts), rootio.ColumnOf("d", decimals)}
	var features [2]map[string][]float32
	for k, columns := range [][]rootio.Column{of, {rootio.ColumnOf("x", x), of[1], of[0]}} {
		table := &rootio.Table{Columns: columns}
		s, err := Fit(t.Context(), table, nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		z := make([]float32, n*s.Dim())
		if err := s.Encode(t.Context(), z, nil, table, Noise{Seed: 3, Pass: 2, First: 10}); err != nil {
			t.Fatal(err)
		}
		features[k] = map[string][]float32{}
		for j, name := range s.Learnt() {
			for i := range n {
				features[k][name] = append(features[k][name], z[i*s.Dim()+j])
			}
		}
	}
	for _, name := range []string{"n", "d"} {
		for i, v := range features[0][name] {
			if w := features[1][name][i]; v != w {
				t.Fatalf("%s of event %d has the feature %v, and %v where it is another column", name, i, v, w)
			}
		}
	}
}
