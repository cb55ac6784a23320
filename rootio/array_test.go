package rootio_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/eidolon-hep/eidolon/internal/jsroot"
	"github.com/eidolon-hep/eidolon/rootio"
)

// collections returns n events with arrays of all kinds: fixed ones, those that a
// branch counts, and vectors. Some events have none.
func collections(n int) *rootio.Table {
	rng := rand.New(rand.NewPCG(11, uint64(n)))
	count := make([]uint32, n)
	offsets, free := make([]int, n+1), make([]int, n+1)
	for i := range n {
		count[i] = uint32(rng.IntN(5))
		offsets[i+1] = offsets[i] + int(count[i])
		free[i+1] = free[i] + rng.IntN(4)
	}
	scalars := everyKind(n, 12)
	table := &rootio.Table{Columns: []rootio.Column{scalars.Columns[10], rootio.ColumnOf("nObj", count)}}
	kinds := everyKind(max(offsets[n], free[n]), 13)
	i64, _ := kinds.Column("i64")
	more, _ := scalars.Column("i64")
	for _, values := range [][]int64{i64.Values().([]int64), more.Values().([]int64)} {
		for i, v := range values {
			values[i] = max(v, -1<<31) // JSROOT is wrong about some that are less
		}
	}
	for i, c := range kinds.Columns {
		j := rootio.Jagged{Column: c.Slice(0, offsets[n]), Offsets: offsets}
		j.Name, j.Counter = "Obj_"+c.Name, "nObj"
		v := rootio.Jagged{Column: c.Slice(0, free[n]), Offsets: free}
		v.Name, v.Counter = "vec_"+c.Name, rootio.Vector
		table.Jagged = append(table.Jagged, j, v)
		for e := range 6 {
			x := scalars.Columns[(i+e)%2+9].Slice(0, n)
			if e%2 == 1 {
				x = scalars.Columns[i].Slice(0, n)
			}
			if x.Kind != c.Kind {
				x = scalars.Columns[i].Slice(0, n)
			}
			x.Array = fmt.Sprintf("arr%s[2][3]", c.Name)
			x.Name, x.Index = fmt.Sprintf("arr%s_%d_%d", c.Name, e/3, e%3), e
			table.Columns = append(table.Columns, x)
		}
	}
	return table
}

// Arrays come back as they were written: types, lengths, values and counters.
func TestArrays(t *testing.T) {
	for _, c := range []struct {
		name string
		n    int
		opts []rootio.Option
	}{
		{"zlib", 5_000, nil},
		{"small baskets", 2_000, []rootio.Option{rootio.WithBasketSize(1_000)}},
		{"none", 300, []rootio.Option{rootio.WithCompression(rootio.NoCompression)}},
		{"one event", 1, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := collections(c.n)
			file := write(t, want, c.opts...)
			tr := open(t, "", file)
			all := tr.AllFields()
			if !reflect.DeepEqual(all, want.Fields()) {
				t.Fatalf("fields %v, want %v", all, want.Fields())
			}
			var names []string
			for _, f := range all {
				names = append(names, f.Name)
			}
			got, err := tr.Read(names, 0, tr.Len())
			if err != nil {
				t.Fatal(err)
			}
			equal(t, got, want)
			events := 0
			for chunk, err := range tr.Chunks(names, 700) {
				if err != nil {
					t.Fatal(err)
				}
				equal(t, chunk, want.Slice(events, events+chunk.Len()))
				events += chunk.Len()
			}
			if events != c.n {
				t.Errorf("%d events, want %d", events, c.n)
			}
			part, err := tr.Read([]string{"Obj_f32", "arrf64"}, int64(c.n/3), int64(c.n))
			if err != nil {
				t.Fatal(err)
			}
			if len(part.Columns) != 6 || len(part.Jagged) != 1 || part.Len() != c.n-c.n/3 {
				t.Errorf("part has %d columns, %d jagged ones, %d events", len(part.Columns), len(part.Jagged), part.Len())
			}
			if c.n > 2000 {
				sameAsJSROOT(t, file, "Events", want)
			}
		})
	}
}

// sameAsJSROOT compares a file with what JSROOT reads in it.
func sameAsJSROOT(t *testing.T, file, tree string, want *rootio.Table) {
	t.Helper()
	got := jsroot.ReadAll(t, file, tree)
	floats := func(c rootio.Column) []float64 {
		x := make([]float64, c.Len())
		c.Floats(x, 0)
		return x
	}
	arrays := make(map[string][][]float64)
	for _, c := range want.Columns {
		if c.Array == "" {
			sameFloats(t, c.Name, got[c.Name].Values, floats(c))
			continue
		}
		name := c.Array[:slices.Index([]byte(c.Array), '[')]
		arrays[name] = append(arrays[name], floats(c))
	}
	delete(arrays, "arri8") // for JSROOT, characters of a text
	for name, elements := range arrays {
		var flat []float64
		for i := range want.Len() {
			for _, e := range elements {
				flat = append(flat, e[i])
			}
		}
		sameFloats(t, name, got[name].Values, flat)
	}
	for _, j := range want.Jagged {
		sameFloats(t, j.Name, got[j.Name].Values, floats(j.Slice(j.Offsets[0], j.Offsets[want.Len()])))
		for i, n := range got[j.Name].Lengths {
			if n != j.Offsets[i+1]-j.Offsets[i] {
				t.Errorf("branch %q has %d values in entry %d, not %d", j.Name, n, i, j.Offsets[i+1]-j.Offsets[i])
				break
			}
		}
	}
}

func TestWriteArrayErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.root")
	jet := rootio.Field{Name: "Jet_pt", Kind: rootio.Float32, Counter: "nJet"}
	for _, c := range []struct {
		fields []rootio.Field
		text   string
	}{
		{[]rootio.Field{jet}, `counted by "nJet", which is not among the columns before it`},
		{[]rootio.Field{jet, {Name: "nJet", Kind: rootio.Int32}}, "not among the columns before it"},
		{[]rootio.Field{{Name: "nJet", Kind: rootio.Float32}, jet}, "no integer per event"},
	} {
		_, err := rootio.Create(file, "t", c.fields)
		complains(t, err, file, c.text)
	}
	count := rootio.ColumnOf("nJet", []int32{1, 2})
	j := rootio.Jagged{Column: rootio.ColumnOf("Jet_pt", []float32{1, 2}), Offsets: []int{0, 1, 2}}
	j.Counter = "nJet"
	table := &rootio.Table{Columns: []rootio.Column{count}, Jagged: []rootio.Jagged{j}}
	w, err := rootio.Create(file, "t", table.Fields())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	complains(t, w.Write(table), `"Jet_pt" has 1 values where "nJet" is 2`)
}

// Several trees and texts share a file.
func TestSeveralTrees(t *testing.T) {
	a, b := collections(100), everyKind(50, 3)
	file := filepath.Join(t.TempDir(), "x.root")
	w, err := rootio.Create(file, "dir/a", a.Fields(), rootio.WithText("note", `{"seed": 7}`))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	w2, err := w.Add("dir/b", "the second", b.Fields())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Add("dir/a", "", b.Fields()); err == nil {
		t.Error("no error for a second tree of the same name")
	}
	for i := range 10 { // in turn
		if err := w.Write(a.Slice(10*i, 10*i+10)); err != nil {
			t.Fatal(err)
		}
		if err := w2.Write(b.Slice(5*i, 5*i+5)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]*rootio.Table{"dir/a": a, "dir/b": b} {
		tr := open(t, name, file)
		var names []string
		for _, f := range tr.AllFields() {
			names = append(names, f.Name)
		}
		got, err := tr.Read(names, 0, tr.Len())
		if err != nil {
			t.Fatal(err)
		}
		equal(t, got, want)
	}
	if text, err := rootio.ReadText(context.Background(), file, "note"); err != nil || text != `{"seed": 7}` {
		t.Errorf("text %q, error %v", text, err)
	}
	if _, err := rootio.ReadText(context.Background(), file, "nothing"); err == nil {
		t.Error("no error for a text that is not there")
	}
	complains(t, func() error { _, err := rootio.ReadText(context.Background(), file, "dir/a"); return err }(), "no text")
}

// TestTake takes events of a table, some twice, and compares them one by one.
func TestTake(t *testing.T) {
	table := &rootio.Table{
		Columns: []rootio.Column{rootio.ColumnOf("n", []int32{2, 0, 3})},
		Jagged:  []rootio.Jagged{{Column: rootio.ColumnOf("x", []float32{1, 2, 3, 4, 5, 6}), Offsets: []int{1, 3, 3, 6}}},
	}
	places := []int{2, 0, 0, 1, 2}
	taken := table.Take(places)
	if taken.Len() != len(places) {
		t.Fatalf("%d events, want %d", taken.Len(), len(places))
	}
	for i, k := range places {
		if got, want := taken.Columns[0].Values().([]int32)[i], table.Columns[0].Values().([]int32)[k]; got != want {
			t.Errorf("event %d: %d, want %d", i, got, want)
		}
		if got, want := taken.Jagged[0].Event(i).Values().([]float32), table.Jagged[0].Event(k).Values().([]float32); !slices.Equal(got, want) {
			t.Errorf("event %d: %v, want %v", i, got, want)
		}
	}
	if none := table.Take(nil); none.Len() != 0 || none.Jagged[0].Events() != 0 {
		t.Errorf("no event: %+v", none)
	}
}
