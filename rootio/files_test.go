package rootio_test

import (
	"path/filepath"
	"reflect"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// Files of many programs are read in full, or are refused for a reason that
// is known; nothing panics, and nothing is called damaged.
func TestFiles(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "shared", "data", "*.root"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Log("there are no files of experiments here")
	}
	more, err := filepath.Glob(filepath.Join(filepath.Dir(grootData(t, "padding.root")), "*.root"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, more...) {
		trees, err := rootio.List(file)
		if err != nil {
			t.Errorf("List: %v", err)
		}
		for _, info := range trees {
			if info.Reason != "" || info.Entries == 0 {
				continue
			}
			readTwice(t, info, file)
		}
	}
}

// readTwice reads all columns of a tree at once and in chunks.
func readTwice(t *testing.T, info rootio.TreeInfo, file string) {
	t.Helper()
	tr := open(t, info.Name, file)
	if len(tr.Fields()) == 0 {
		_, err := tr.Read(nil, 0, tr.Len())
		complains(t, err, "no branch with one number per event")
		return
	}
	all, err := tr.Read(nil, 0, tr.Len())
	if err != nil {
		t.Error(err)
		return
	}
	events := 0
	for chunk, err := range tr.Chunks(nil, 10_000) {
		if err != nil {
			t.Error(err)
			return
		}
		part := all.Slice(events, events+chunk.Len())
		for i, c := range chunk.Columns {
			if !reflect.DeepEqual(bits(c), bits(part.Columns[i])) {
				t.Errorf("%s: column %q differs at event %d and after", file, c.Name, events)
			}
		}
		events += chunk.Len()
	}
	if int64(events) != info.Entries {
		t.Errorf("%s: %d events of %d", file, events, info.Entries)
	}
}
