package rootio_test

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/eidolon-hep/eidolon/internal/jsroot"
	"github.com/eidolon-hep/eidolon/rootio"
)

// JSROOT shares no code with groot. It must find the same values, of all
// kinds, in one and several baskets, in directories and under odd names.
func TestJSROOT(t *testing.T) {
	all := everyKind(5_000, 6)
	i64, _ := all.Column("i64")
	for i, v := range i64.Values().([]int64) {
		i64.Values().([]int64)[i] = max(v, math.MinInt32) // JSROOT is wrong about some that are less
	}
	all.Columns = append(all.Columns, rootio.ColumnOf("jet.pt_{#mu} (GeV)", all.Columns[9].Values().([]float32)))

	for _, c := range []struct {
		name, tree string
		events     int
		opts       []rootio.Option
	}{
		{"one basket", "Events", 5_000, nil},
		{"many baskets", "Events", 5_000, []rootio.Option{rootio.WithBasketSize(2_000)}},
		{"full last basket", "Events", 128, []rootio.Option{rootio.WithBasketSize(1024)}},
		{"directory", "dir/sub/Events", 3, nil},
		{"no event", "Events", 0, nil},
		{"no compression", "Events", 5_000, []rootio.Option{rootio.WithCompression(rootio.NoCompression)}},
		{"LZ4", "Events", 5_000, []rootio.Option{rootio.WithCompression(rootio.LZ4)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := all.Slice(0, c.events)
			file := filepath.Join(t.TempDir(), "test.root")
			writeTo(t, file, c.tree, want, c.opts...)
			got := jsroot.Read(t, file, c.tree)
			if len(got) != len(want.Columns) {
				t.Errorf("JSROOT finds %d branches, not %d", len(got), len(want.Columns))
			}
			for _, column := range want.Columns {
				ref := make([]float64, c.events)
				column.Floats(ref, 0)
				sameFloats(t, column.Name, got[column.Name], ref)
			}
		})
	}
}

func sameFloats(t *testing.T, name string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("branch %q has %d values, not %d", name, len(got), len(want))
		return
	}
	for i, x := range want {
		if math.Float64bits(got[i]) != math.Float64bits(x) && !(math.IsNaN(got[i]) && math.IsNaN(x)) {
			t.Errorf("branch %q, entry %d is %v, not %v", name, i, got[i], x)
			return
		}
	}
}
