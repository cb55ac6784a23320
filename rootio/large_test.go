package rootio_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go-hep.org/x/hep/groot"
	"go-hep.org/x/hep/groot/rtree"

	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

// TestLarge writes a file beyond 2 GB, where places in a ROOT file take 8 bytes, and
// reads all of it; groot reads its end. It needs EIDOLON_TEST_LONG=1.
func TestLarge(t *testing.T) {
	testenv.Huge(t, "it writes a file of 2.5 GB")
	const columns, chunk, chunks = 8, 1 << 20, 38
	name := filepath.Join(t.TempDir(), "large.root")
	values := rootio.NewTable(nil, chunk)
	var names []string
	for j := range columns {
		names = append(names, fmt.Sprint("x", j))
		values.Columns = append(values.Columns, rootio.ColumnOf(names[j], make([]float64, chunk)))
	}
	draw := func(c int) {
		for j, column := range values.Columns {
			philox.Uniform64(column.Values().([]float64), 1, uint64(j), uint64(c*chunk))
		}
	}
	w, err := rootio.Create(name, "Events", values.Fields(), rootio.WithCompression(rootio.NoCompression))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for c := range chunks {
		draw(c)
		if err := w.Write(values); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || info.Size() < 1<<31 {
		t.Fatal(info.Size(), err)
	}
	tree, err := rootio.Open(context.Background(), "", name)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	c := 0
	for got, err := range tree.Chunks(names, chunk) {
		if err != nil {
			t.Fatal(err)
		}
		draw(c)
		for j, column := range got.Columns {
			if !slices.Equal(column.Values().([]float64), values.Columns[j].Values().([]float64)) {
				t.Fatalf("column %d differs in part %d", j, c)
			}
		}
		c++
	}
	if c != chunks {
		t.Errorf("%d parts came back, not %d", c, chunks)
	}
	file, err := groot.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	object, err := file.Get("Events")
	if err != nil {
		t.Fatal(err)
	}
	var x float64
	reader, err := rtree.NewReader(object.(rtree.Tree), []rtree.ReadVar{{Name: "x3", Value: &x}}, rtree.WithRange(chunks*chunk-1000, -1))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	last := values.Columns[3].Values().([]float64)[chunk-1000:]
	read := 0
	if err := reader.Read(func(rtree.RCtx) error {
		if x != last[read] {
			return fmt.Errorf("%g for %g", x, last[read])
		}
		read++
		return nil
	}); err != nil || read != 1000 {
		t.Errorf("groot reads %d of the last events: %v", read, err)
	}
}
