package task

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// TestFewOfManyArrays looks at 40 columns of the arrays of a file at most.
func TestFewOfManyArrays(t *testing.T) {
	many := &rootio.Table{}
	for _, name := range strings.Split("A B C D E F G H I J K L M N O P Q R S T", " ") {
		for _, member := range []string{"pt", "eta", "phi", "mass"} {
			c := rootio.ColumnOf(name+"_"+member, []float32{1, 2})
			c.Counter = rootio.Vector
			many.Jagged = append(many.Jagged, rootio.Jagged{Column: c, Offsets: []int{0, 1, 2}})
		}
	}
	file := filepath.Join(t.TempDir(), "many.root")
	write(t, file, many)
	tree, err := rootio.Open(t.Context(), "", file)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	if names, left := ofArrays(tree); len(names) != 40 || len(left) < 60 {
		t.Errorf("%d columns of many arrays, %d branches left", len(names), len(left))
	}
}

// write writes a table to the tree Events of a new file.
func write(t *testing.T, file string, table *rootio.Table) {
	t.Helper()
	if err := rootio.WriteFile(file, "Events", table); err != nil {
		t.Fatal(err)
	}
}
