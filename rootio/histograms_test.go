package rootio_test

import (
	"math"
	"path/filepath"
	"testing"

	"go-hep.org/x/hep/groot"
	"go-hep.org/x/hep/groot/rhist"
	"go-hep.org/x/hep/groot/riofs"

	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

// TestHistograms checks what histograms count, in any compression, which may mean
// that the file is written twice.
func TestHistograms(t *testing.T) {
	const n = 5000
	x, code, jets, offsets := make([]float64, n), make([]int32, n), []float32{}, []int{0}
	philox.Uniform64(x, 1, 0, 0)
	for i := range n {
		code[i] = []int32{-1, 1, 3}[i%3]
		for range i % 3 {
			jets = append(jets, float32(i))
		}
		offsets = append(offsets, len(jets))
	}
	x[7] = math.NaN()
	table := &rootio.Table{
		Columns: []rootio.Column{rootio.ColumnOf("x", x), rootio.ColumnOf("code", code)},
		Jagged:  []rootio.Jagged{{Column: rootio.ColumnOf("jet", jets), Offsets: offsets}},
	}
	table.Jagged[0].Counter = rootio.Vector
	for _, c := range []rootio.Compression{rootio.Zlib, rootio.Zstd, rootio.NoCompression} {
		name := filepath.Join(t.TempDir(), "h.root")
		fields := append(table.Fields()[:2:2], table.Jagged[0].Field)
		w, err := rootio.Create(name, "dir/Events", fields, rootio.WithCompression(c), rootio.WithHistograms(50))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := w.Write(table); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		file, err := groot.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		for branch, want := range map[string]struct {
			bins, entries int
			lo, hi        float64
		}{
			"x": {50, 2 * (n - 1), 0, 1}, "code": {5, 2 * n, -1.5, 3.5}, "jet": {50, 2 * len(jets), 1, n - 1},
		} {
			object, err := riofs.Dir(file).Get("dir/Events_histograms/" + branch)
			if err != nil {
				t.Fatal(c, branch, err)
			}
			h := object.(rhist.H1)
			axis := object.(*rhist.H1D).XAxis()
			if int(h.Entries()) != want.entries || axis.NBins() != want.bins || math.Abs(axis.XMin()-want.lo) > 0.01 || math.Abs(axis.XMax()-want.hi) > 0.01 {
				t.Errorf("%v, %s: %v entries in %d bins from %g to %g", c, branch, h.Entries(), axis.NBins(), axis.XMin(), axis.XMax())
			}
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}
}
