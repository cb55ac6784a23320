package rootio

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
)

// TestIncompressible writes numbers that hardly compress: now and then a block
// comes out about as long as the data.
func TestIncompressible(t *testing.T) {
	for n := 64; n <= 160; n += 8 {
		compression := []Compression{Zlib, LZ4, LZMA, Zstd}[n/8%4]
		r := rand.New(rand.NewPCG(uint64(n), 1))
		table := &Table{}
		for j := range 20 {
			values := make([]float64, n)
			for i := range values {
				values[i] = r.NormFloat64()
			}
			table.Columns = append(table.Columns, ColumnOf(fmt.Sprint("x", j), values))
		}
		file := filepath.Join(t.TempDir(), "x.root")
		w, err := Create(file, "t", table.Fields(), WithCompression(compression))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(table); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*")); len(left) != 1 {
			t.Errorf("files left behind: %v", left)
		}
		tree, err := Open(context.Background(), "", file)
		if err != nil {
			t.Fatalf("%d events: %v", n, err)
		}
		got, err := tree.Read(nil, 0, tree.Len())
		_ = tree.Close()
		if err != nil {
			t.Fatal(err)
		}
		for j, c := range got.Columns {
			if !slices.Equal(c.Values().([]float64), table.Columns[j].Values().([]float64)) {
				t.Errorf("%d events: other values in column %d", n, j)
			}
		}
	}
}
