package rootio

import (
	"context"
	"math"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// testFiles returns the files of experiments that are here and those of groot.
func testFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "shared", "data", "*.root"))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "go-hep.org/x/hep").Output()
	if err != nil {
		t.Skipf("groot's test data are not here: %v", err)
	}
	more, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "groot", "testdata", "*.root"))
	if err != nil {
		t.Fatal(err)
	}
	return append(files, more...)
}

// Columns that are read a basket at a time are those that groot reads value by
// value, in every tree of many programs.
func TestPlainIsGroot(t *testing.T) {
	plain, others, kept := 0, 0, 0
	for _, file := range testFiles(t) {
		trees, err := List(context.Background(), file)
		if err != nil {
			t.Error(err)
		}
		for _, info := range trees {
			if info.Reason != "" || info.Entries == 0 {
				continue
			}
			tree, err := Open(context.Background(), info.Name, file)
			if err != nil {
				t.Error(err)
				continue
			}
			for i, c := range tree.columns {
				if keepsLast(tree.branches[c.branch].layout.spans) {
					kept++ // TestJSROOT has the last word on these
					continue
				}
				if len(tree.branches[c.branch].layout.spans) > 0 {
					plain++
				} else {
					others++
					continue
				}
				tree.grootOnly = true
				want, err := tree.Read([]string{c.Name}, 0, tree.Len())
				tree.grootOnly = false
				if err != nil {
					t.Error(err)
					continue
				}
				got, err := tree.Read([]string{c.Name}, 0, tree.Len())
				if err != nil {
					t.Error(err)
					continue
				}
				if !sameTable(got, want) {
					t.Errorf("%s: %s.%s (%s, column %d) differs", filepath.Base(file), info.Name, c.Name, tree.branches[c.branch].Type, i)
				}
			}
			_ = tree.Close()
		}
	}
	t.Log(plain, "columns are plain,", others, "are not,", kept, "are misread by groot")
	if plain < 4*others {
		t.Errorf("%d columns are plain, %d are not", plain, others)
	}
}

func sameTable(a, b *Table) bool {
	for i := range a.Columns {
		if !reflect.DeepEqual(bitsOf(a.Columns[i].values), bitsOf(b.Columns[i].values)) {
			return false
		}
	}
	for i := range a.Jagged {
		if !reflect.DeepEqual(a.Jagged[i].Offsets, b.Jagged[i].Offsets) || !reflect.DeepEqual(bitsOf(a.Jagged[i].values), bitsOf(b.Jagged[i].values)) {
			return false
		}
	}
	return reflect.DeepEqual(a.Fields(), b.Fields())
}

// bitsOf makes NaN equal to NaN.
func bitsOf(values any) any {
	switch v := values.(type) {
	case []float32:
		b := make([]uint32, len(v))
		for i, x := range v {
			b[i] = math.Float32bits(x)
		}
		return b
	case []float64:
		b := make([]uint64, len(v))
		for i, x := range v {
			b[i] = math.Float64bits(x)
		}
		return b
	}
	return values
}
