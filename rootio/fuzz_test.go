package rootio

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eidolon-hep/eidolon/internal/testenv"
)

// Any bytes are a file that can be read, or an error in one line that names the file. What
// is read is as long as the file says, is the same in chunks of any length, and asks for
// memory that the size of the file justifies.
func FuzzRead(f *testing.F) {
	dir := f.TempDir()
	for _, c := range []Compression{NoCompression, Zlib, LZ4, Zstd} {
		f.Add(writeFile(f, filepath.Join(dir, "x.root"), WithCompression(c)), c == NoCompression)
	}
	objects, err := filepath.Glob("testdata/*.root")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(objects, testenv.GrootFiles(f, "*flat*.root")...) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if len(data) < 50_000 {
			f.Add(data, true)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, noVerify bool) {
		name := filepath.Join(t.TempDir(), "x.root")
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		defer time.AfterFunc(time.Minute, func() { panic("reading hangs") }).Stop()
		allocated := testenv.Allocated()
		sums, err := sumsOf(name, OpenOptions{NoVerify: noVerify}, 500)
		if asked := allocated(); asked > 256<<20 {
			t.Errorf("%d MB are asked for to read %d kB: %v", asked>>20, len(data)>>10, err)
		}
		if err != nil {
			if text := err.Error(); strings.Contains(text, "\n") || !strings.Contains(text, "x.root") {
				t.Errorf("the error is not one line with the name of the file: %q", text)
			}
			return
		}
		again, err := sumsOf(name, OpenOptions{NoVerify: noVerify}, 77)
		if err != nil || !slices.Equal(again, sums) {
			t.Errorf("in chunks of another length the values are others (%v)", err)
		}
	})
}

// sumsOf returns a checksum for each branch of a file that is read in chunks of so many entries.
func sumsOf(name string, o OpenOptions, chunk int) (sums []string, err error) {
	infos, err := List(context.Background(), name)
	if err != nil {
		return nil, err
	}
	for _, info := range infos {
		if info.Reason != "" || info.Entries == 0 {
			continue
		}
		of, err := sumsOfTree(name, info, o, chunk)
		if err != nil {
			return nil, err
		}
		sums = append(sums, of...)
	}
	return sums, nil
}

func sumsOfTree(name string, info TreeInfo, o OpenOptions, chunk int) (sums []string, err error) {
	tree, err := o.Open(context.Background(), info.Name, name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tree.Close()) }()
	var names []string
	hashes, lengths := map[string]hash.Hash64{}, map[string]hash.Hash64{}
	for _, f := range tree.AllFields() {
		names, hashes[f.Name], lengths[f.Name] = append(names, f.Name), fnv.New64a(), fnv.New64a()
	}
	if len(names) == 0 {
		return nil, nil
	}
	add := func(c Column) { _ = binary.Write(hashes[c.Name], binary.LittleEndian, c.Values()) }
	entries := int64(0)
	for table, err := range tree.Chunks(names, chunk) {
		if err != nil {
			return nil, err
		}
		entries += int64(table.Len())
		for _, c := range table.Columns {
			if add(c); c.Len() != table.Len() {
				return nil, fmt.Errorf("branch %q has %d values for %d entries", c.Name, c.Len(), table.Len())
			}
		}
		for _, j := range table.Jagged {
			add(j.Column)
			for i := range j.Events() {
				fmt.Fprintln(lengths[j.Name], j.Event(i).Len())
			}
		}
	}
	if entries != tree.Len() {
		return nil, fmt.Errorf("there are %d entries of %d", entries, tree.Len())
	}
	for _, name := range names {
		sums = append(sums, fmt.Sprintf("%s %s %x %x", info.Name, name, hashes[name].Sum64(), lengths[name].Sum64()))
	}
	return sums, nil
}
