package measure

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go-hep.org/x/hep/groot/riofs"
	"go-hep.org/x/hep/groot/rtree"

	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

// IOResult is how fast a file is read, in million events per second: by groot alone,
// value by value into the same columns; by rootio; and by rootio when it compares the
// records of the file with each other first, as it does by default. Ratio is that of the second to the first,
// the median over rounds in which both ran in turn.
type IOResult struct {
	File     string  `json:"file"` // its compression and columns
	Bytes    int64   `json:"bytes"`
	Groot    float64 `json:"groot"`
	Read     float64 `json:"read"`
	Verified float64 `json:"verified"`
	Ratio    float64 `json:"ratio"`
}

// IO writes files of events with ten columns of float32, or with a collection of
// objects with five, in a temporary folder, and measures how fast they are read into
// memory. progress may be nil.
func IO(ctx context.Context, events int, progress func(file string, done, total int)) ([]IOResult, error) {
	const rounds = 5
	dir, err := os.MkdirTemp("", "eidolon-bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	flat, jagged := flatEvents(events), objectEvents(events/4)
	type file struct {
		name        string
		compression rootio.Compression
		table       *rootio.Table
	}
	files := []file{
		{"10 columns, no compression", rootio.NoCompression, flat},
		{"10 columns, zstd", rootio.Zstd, flat},
		{"10 columns, lz4", rootio.LZ4, flat},
		{"10 columns, zlib", rootio.Zlib, flat},
		{"objects, no compression", rootio.NoCompression, jagged},
		{"objects, zlib", rootio.Zlib, jagged},
	}
	var results []IOResult
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return results, err
		}
		name := filepath.Join(dir, "events.root")
		if err := rootio.WriteFile(name, "events", f.table, rootio.WithCompression(f.compression)); err != nil {
			return results, err
		}
		info, err := os.Stat(name)
		if err != nil {
			return results, err
		}
		n := f.table.Len()
		r := IOResult{File: f.name, Bytes: info.Size()}
		var ratios []float64
		for range rounds {
			speeds := [3]float64{}
			for i, read := range []func() error{
				func() error { return readWithGroot(name, f.table) },
				func() error { return readWithRootio(name, f.table, true) },
				func() error { return readWithRootio(name, f.table, false) },
			} {
				start := time.Now()
				if err := read(); err != nil {
					return results, err
				}
				speeds[i] = float64(n) / float64(time.Since(start).Microseconds())
			}
			r.Groot, r.Read, r.Verified = max(r.Groot, speeds[0]), max(r.Read, speeds[1]), max(r.Verified, speeds[2])
			ratios = append(ratios, speeds[1]/speeds[0])
		}
		r.Ratio = median(ratios)
		results = append(results, r)
		if progress != nil {
			progress(f.name, len(results), len(files))
		}
	}
	return results, nil
}

// flatEvents has ten columns of normal deviates, five of them with 10 bits of the
// mantissa, as NanoAOD keeps them: the others do not compress.
func flatEvents(n int) *rootio.Table {
	t := &rootio.Table{}
	for j := range 10 {
		x := make([]float32, n)
		philox.Normal(x, 1, uint64(j), 0)
		if j%2 == 1 {
			const lost = 1<<13 - 1
			for i, v := range x {
				x[i] = math.Float32frombits(math.Float32bits(v) &^ lost)
			}
		}
		t.Columns = append(t.Columns, rootio.ColumnOf(fmt.Sprint("x", j), x))
	}
	return t
}

// objectEvents has up to 7 objects per event, with five columns.
func objectEvents(n int) *rootio.Table {
	count, offsets := make([]int32, n), make([]int, n+1)
	for i := range n {
		count[i] = int32(philox.Uint64(1, 99, uint64(i)) % 8)
		offsets[i+1] = offsets[i] + int(count[i])
	}
	t := &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("n", count)}}
	for j := range 5 {
		x := make([]float32, offsets[n])
		philox.Normal(x, 2, uint64(j), 0)
		c := rootio.ColumnOf(fmt.Sprint("o_", j), x)
		c.Counter = "n"
		t.Jagged = append(t.Jagged, rootio.Jagged{Column: c, Offsets: offsets})
	}
	return t
}

func readWithRootio(name string, like *rootio.Table, trusted bool) error {
	t, err := rootio.OpenOptions{NoVerify: trusted}.Open(context.Background(), "events", name)
	if err != nil {
		return err
	}
	defer t.Close()
	_, err = t.Read(rootio.Names(like.Fields()), 0, t.Len())
	return err
}

// readWithGroot reads the events into columns by groot's reader.
func readWithGroot(name string, like *rootio.Table) error {
	f, err := riofs.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	tree, err := riofs.Get[rtree.Tree](f, "events")
	if err != nil {
		return err
	}
	n := like.Len()
	vars := make([]rtree.ReadVar, 0, len(like.Fields()))
	values, columns := make([]float32, len(like.Columns)), make([][]float32, len(like.Columns))
	var count int32
	for j, c := range like.Columns {
		if c.Kind == rootio.Int32 {
			vars = append(vars, rtree.ReadVar{Name: c.Name, Value: &count})
			continue
		}
		columns[j] = make([]float32, n)
		vars = append(vars, rtree.ReadVar{Name: c.Name, Value: &values[j]})
	}
	arrays, objects := make([][]float32, len(like.Jagged)), make([][]float32, len(like.Jagged))
	for j, c := range like.Jagged {
		vars = append(vars, rtree.ReadVar{Name: c.Name, Value: &arrays[j]})
	}
	r, err := rtree.NewReader(tree, vars)
	if err != nil {
		return err
	}
	defer r.Close()
	return r.Read(func(ctx rtree.RCtx) error {
		for j, column := range columns {
			if column != nil {
				column[ctx.Entry] = values[j]
			}
		}
		for j, a := range arrays {
			objects[j] = append(objects[j], a...)
		}
		return nil
	})
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return x[len(x)/2]
}
