package main

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/eidolon-hep/eidolon/rootio"
)

// rootFiles are ROOT files: some that rootio writes, compressed and not, and small ones of
// other programs where they are at hand.
var rootFiles = kind{
	name: "root",
	samples: func(dir string) ([]string, error) {
		var files []string
		for _, c := range []rootio.Compression{rootio.NoCompression, rootio.Zlib, rootio.LZ4} {
			file := filepath.Join(dir, c.String()+".root")
			if err := writeSample(file, c); err != nil {
				return nil, err
			}
			files = append(files, file)
		}
		const most = 300_000 // bytes
		for _, pattern := range []string{"root", "root_interop", "reports"} {
			found, err := filepath.Glob(filepath.Join("..", "shared", "cases", pattern, "*.root"))
			if err != nil {
				return nil, err
			}
			for _, file := range found {
				if info, err := os.Stat(file); err == nil && info.Size() < most {
					files = append(files, file)
				}
			}
		}
		return files, nil
	},
	read: func(ctx context.Context, file string) error {
		trees, err := rootio.List(ctx, file)
		if err != nil {
			return err
		}
		for _, info := range trees {
			for _, noVerify := range []bool{false, true} {
				if err := readTree(ctx, info, file, noVerify); err != nil {
					return err
				}
			}
		}
		return nil
	},
	harms: []harm{{"a number of 4 bytes", func(rng *rand.Rand, b []byte) []byte {
		at := rng.IntN(len(b) - 4)
		x := binary.BigEndian.Uint32(b[at:])
		binary.BigEndian.PutUint32(b[at:], []uint32{x + 1, x - 1, 2 * x, -x, x << 16, x | 1<<30}[rng.IntN(6)])
		return b
	}}},
}

// readTree reads all branches of a tree, chunk by chunk.
func readTree(ctx context.Context, info rootio.TreeInfo, file string, noVerify bool) error {
	if info.Reason != "" || info.Entries == 0 {
		return nil
	}
	t, err := rootio.OpenOptions{NoVerify: noVerify}.Open(ctx, info.Name, file)
	if err != nil {
		return err
	}
	defer t.Close()
	var names []string
	for _, f := range t.AllFields() {
		names = append(names, f.Name)
	}
	if len(names) == 0 {
		return nil
	}
	for _, err := range t.Chunks(names, 1<<12) {
		if err != nil {
			return err
		}
	}
	return nil
}

// writeSample writes a file with branches of all kinds.
func writeSample(file string, c rootio.Compression) error {
	const n = 400
	rng := rand.New(rand.NewPCG(3, 5))
	fields := []rootio.Field{
		{Name: "x", Kind: rootio.Float64}, {Name: "nJet", Kind: rootio.Int32}, {Name: "flag", Kind: rootio.Bool},
		{Name: "a_0", Kind: rootio.Float32, Array: "a[2]"}, {Name: "a_1", Kind: rootio.Float32, Array: "a[2]", Index: 1},
		{Name: "Jet_pt", Kind: rootio.Float32, Counter: "nJet"}, {Name: "v", Kind: rootio.Float32, Counter: rootio.Vector},
	}
	t := rootio.NewTable(fields, n)
	for _, c := range t.Columns {
		if c.Name == "nJet" {
			continue
		}
		values := make([]float64, n)
		for i := range values {
			values[i] = rng.NormFloat64()
		}
		c.SetFloats(0, values)
	}
	counts := make([]float64, n)
	for k := range t.Jagged {
		j := &t.Jagged[k]
		for i := range n {
			count := i % 4
			counts[i] = float64(count)
			j.Offsets[i+1] = j.Offsets[i] + count
		}
		values := make([]float32, j.Offsets[n])
		for i := range values {
			values[i] = rng.Float32()
		}
		f := j.Field
		j.Column = rootio.ColumnOf(f.Name, values)
		j.Field = f
	}
	nJet, _ := t.Column("nJet")
	nJet.SetFloats(0, counts)
	return rootio.WriteFile(file, "dir/Events", t, rootio.WithCompression(c), rootio.WithBasketSize(1000), rootio.WithText("note", "sample"))
}
