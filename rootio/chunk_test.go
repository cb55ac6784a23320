package rootio_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// TestChunksFitInMemory reads files of many columns and of long arrays in chunks whose size
// is left open: the values in memory are bounded.
func TestChunksFitInMemory(t *testing.T) {
	const most, events = 1 << 22, 3000
	long := make([]uint8, 4000*events)
	offsets := make([]int, events+1)
	for i := range offsets {
		offsets[i] = i * 4000
	}
	trace := rootio.ColumnOf("trace", long)
	trace.Counter = rootio.Vector
	x := rootio.ColumnOf("x", make([]float32, events))
	wide := &rootio.Table{}
	for i := range 1500 {
		c := rootio.ColumnOf(fmt.Sprint("c", i), make([]uint8, events))
		wide.Columns = append(wide.Columns, c)
	}
	for _, table := range []*rootio.Table{
		{Columns: []rootio.Column{x}, Jagged: []rootio.Jagged{{Column: trace, Offsets: offsets}}},
		wide,
		{Columns: []rootio.Column{x}},
	} {
		tr := open(t, "", write(t, table))
		var names []string
		values, seen, chunks := 0, 0, 0
		for _, f := range table.Fields() {
			names = append(names, f.Name)
			values++
		}
		if len(table.Jagged) > 0 {
			values += 4000
		}
		for chunk, err := range tr.Chunks(names, 0) {
			if err != nil {
				t.Fatal(err)
			}
			if n := chunk.Len() * values; n > most+most/10 {
				t.Errorf("%d values at a time", n)
			}
			seen += chunk.Len()
			chunks++
		}
		if seen != events || values == 1 && chunks != 1 {
			t.Errorf("%d events in %d chunks", seen, chunks)
		}
		v, err := tr.View(rootio.ViewOptions{Define: []string{"y=x"}})
		if err != nil {
			continue // wide
		}
		read, err := v.Read([]string{"y"})
		if err != nil || read.Len() != events || !slices.Equal(floats(read, "y"), make([]float64, events)) {
			t.Errorf("%d rows, %v", read.Len(), err)
		}
	}
}
