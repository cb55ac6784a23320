package rootio_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go-hep.org/x/hep/groot/rbase"
	"go-hep.org/x/hep/groot/riofs"
	"go-hep.org/x/hep/groot/root"
	"go-hep.org/x/hep/groot/rtree"

	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/rootio"
)

// grootFile writes a file with groot alone.
func grootFile(t *testing.T, fill func(f *riofs.File)) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "groot.root")
	f, err := riofs.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	fill(f)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return name
}

// grootTree writes n entries of the variables, all with the values they have.
func grootTree(t *testing.T, f *riofs.File, name string, n int, vars ...rtree.WriteVar) {
	t.Helper()
	w, err := rtree.NewWriter(f, name, vars)
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		if _, err := w.Write(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, err := os.ReadFile(write(t, smooth(100)))
	if err != nil {
		t.Fatal(err)
	}
	one := float32(1)
	x := rtree.WriteVar{Name: "x", Value: &one}
	several := grootFile(t, func(f *riofs.File) {
		grootTree(t, f, "signal", 1, x)
		grootTree(t, f, "background", 1, x)
	})
	unfinished := filepath.Join(dir, "unfinished.root")
	if f, err := riofs.Create(unfinished); err != nil {
		t.Fatal(err)
	} else {
		w, err := rtree.NewWriter(f, "t", []rtree.WriteVar{x})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil { // and the job dies here
			t.Fatal(err)
		}
	}
	none := filepath.Join(dir, "none.root")

	for _, c := range []struct {
		name, tree, file string
		texts            []string
	}{
		{"no such file", "", none, []string{none, "could not open"}},
		{"a remote file", "", "ftp://host/data.root", []string{"ftp://host/data.root", "remote"}},
		{"a directory", "", dir, []string{dir, "is a directory"}},
		{"an empty file", "", file("empty.root", nil), []string{"empty.root", "is empty"}},
		{"three bytes", "", file("three.root", good[:3]), []string{"three.root", "not a ROOT file"}},
		{"a text", "", file("text.root", []byte("pt,eta\n1,2\n")), []string{"text.root", "not a ROOT file"}},
		{"only the magic", "", file("magic.root", good[:4]), []string{"magic.root", "truncated"}},
		{"half a file", "", file("half.root", good[:len(good)/2]), []string{"half.root", "truncated", "copy or write it again"}},
		{"a file that was not closed", "", unfinished, []string{unfinished, "did not finish"}},
		{"no tree", "", grootFile(t, func(f *riofs.File) {
			if err := f.Put("hello", rbase.NewObjString("world")); err != nil {
				t.Fatal(err)
			}
		}), []string{"there is no tree", "TObjString hello"}},
		{"nothing", "", grootFile(t, func(*riofs.File) {}), []string{"there is no tree", "empty"}},
		{"a misspelt tree", "signals", several, []string{several, `no tree "signals"`, `did you mean "signal"?`, `"background"`}},
		{"another tree", "zzz", several, []string{several, `no tree "zzz"`, `"signal", "background"`}},
		{"an unnamed tree of two", "", several, []string{several, "2 trees", `"signal", "background"`}},
		{"no such cycle", "signal;7", several, []string{"no cycle 7", "only 1"}},
		{"no cycle", "signal;last", several, []string{`"last"`, "cycle"}},
		{"not a tree", "hello", grootFile(t, func(f *riofs.File) {
			if err := f.Put("hello", rbase.NewObjString("world")); err != nil {
				t.Fatal(err)
			}
		}), []string{`"hello"`, "TObjString, not a tree"}},
		{"no events", "", write(t, smooth(0)), []string{`"Events"`, "no events"}},
		{"an RNTuple", "", testenv.GrootFiles(t, "ntpl001_staff.root")[0], []string{"a version of RNTuple that cannot be read", "write it with ROOT 6.34"}},
		{"an RNTuple by name", "Staff", testenv.GrootFiles(t, "ntpl001_staff.root")[0], []string{"a version of RNTuple that cannot be read", "write it with ROOT 6.34"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr, err := rootio.Open(context.Background(), c.tree, c.file)
			complains(t, err, append(c.texts, "rootio: ")...)
			if err == nil {
				_ = tr.Close()
			}
		})
	}
	for _, damaged := range []string{"empty.root", "three.root", "text.root", "magic.root", "half.root", filepath.Base(unfinished)} {
		if _, err := rootio.Open(context.Background(), "", filepath.Join(dir, damaged)); !errors.Is(err, rootio.ErrDamaged) {
			t.Errorf("%s: the error is not rootio.ErrDamaged: %v", damaged, err)
		}
	}
	if _, err := rootio.Open(context.Background(), "t", none); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the error for a missing file is not fs.ErrNotExist: %v", err)
	}
	_, err = rootio.Open(context.Background(), "t")
	complains(t, err, "no file")
	_, err = rootio.List(context.Background(), none)
	complains(t, err, none)
}

func TestReadErrors(t *testing.T) {
	var (
		n      = int32(2)
		array  = [3]float64{1, 2, 3}
		jagged = []float32{1, 2}
		vector = []int16{1, 2}
		text   = "text"
		x      = 1.5
	)
	name := grootFile(t, func(f *riofs.File) {
		grootTree(t, f, "t", 3, rtree.WriteVar{Name: "n", Value: &n}, rtree.WriteVar{Name: "array", Value: &array},
			rtree.WriteVar{Name: "jagged", Value: &jagged, Count: "n"}, rtree.WriteVar{Name: "vector", Value: &vector},
			rtree.WriteVar{Name: "text", Value: &text}, rtree.WriteVar{Name: "muon_pt", Value: &x})
	})

	infos, err := rootio.List(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	types := make(map[string]string)
	for _, b := range infos[0].Branches {
		types[b.Name] = b.Type
		if (b.Kind == 0) != (b.Reason != "") {
			t.Errorf("branch %q of type %s has kind %v and reason %q", b.Name, b.Type, b.Kind, b.Reason)
		}
	}
	want := map[string]string{
		"n": "int32", "array": "[3]float64", "jagged": "[]float32", "vector": "[]int16", "text": "string", "muon_pt": "float64",
	}
	if !reflect.DeepEqual(types, want) || infos[0].Name != "t" || infos[0].Entries != 3 {
		t.Errorf("List: %+v", infos[0])
	}

	tr := open(t, "", name)
	var names []string
	for _, f := range tr.Fields() {
		names = append(names, f.Name)
	}
	if want := []string{"n", "array_0", "array_1", "array_2", "muon_pt"}; !slices.Equal(names, want) {
		t.Errorf("Fields: %q, want %q", names, want)
	}
	for branch, texts := range map[string][]string{
		"text":    {"cannot be read as a column", "string"},
		"muon_px": {"no branch", `did you mean "muon_pt"?`},
		"zzzzzzz": {"no branch", `columns: "n", "array_0", "array_1", "array_2", "jagged", "vector", "muon_pt"`},
	} {
		_, err := tr.Read([]string{"n", branch}, 0, 1)
		complains(t, err, append(texts, branch, name, `"t"`)...)
		for table, err := range tr.Chunks([]string{branch}, 10) {
			complains(t, err, texts...)
			if table != nil {
				t.Error("an error comes with a table")
			}
		}
	}
	_, err = tr.Read([]string{"n", "n"}, 0, 1)
	complains(t, err, `"n"`, "twice")
	for _, r := range [][2]int64{{-1, 1}, {2, 1}, {0, 4}} {
		_, err = tr.Read(nil, r[0], r[1])
		complains(t, err, "events", "[0, 3)")
	}
	for _, err := range tr.Chunks(nil, -1) {
		complains(t, err, "chunks of -1 events")
	}
}

// Of two branches of a name groot finds the first.
func TestSameName(t *testing.T) {
	one, two := 1.0, 2.0
	tr := open(t, "", grootFile(t, func(f *riofs.File) {
		grootTree(t, f, "t", 1, rtree.WriteVar{Name: "x", Value: &one}, rtree.WriteVar{Name: "x", Value: &two})
	}))
	got, err := tr.Read(nil, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", []float64{1})}})
	if b := tr.Branches(); len(b) != 2 || !strings.Contains(b[1].Reason, "same name") {
		t.Errorf("Branches: %+v", b)
	}
}

// A tree that claims more events than its branches have, in a file without checksums, is
// an error before memory for them is asked for.
func TestFalseEntries(t *testing.T) {
	const n = 4321
	name := write(t, smooth(n), rootio.WithCompression(rootio.NoCompression))
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	true8, false8 := binary.BigEndian.AppendUint64(nil, n), binary.BigEndian.AppendUint64(nil, 1<<40)
	if err := os.WriteFile(name, bytes.Replace(data, true8, false8, 1), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, o := range []rootio.OpenOptions{{}, {NoVerify: true}} {
		_, err := o.Open(context.Background(), "", name)
		complains(t, err, name, `"Events"`, "4321 entries, the tree 1099511627776")
		if !errors.Is(err, rootio.ErrDamaged) {
			t.Errorf("it is no damage: %v", err)
		}
	}
	if err := os.WriteFile(name, bytes.ReplaceAll(data, true8, false8), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = rootio.Open(context.Background(), "", name)
	complains(t, err, name, `"Events"`, "it has 4321 entries")
	tr, err := rootio.OpenOptions{NoVerify: true}.Open(context.Background(), "", name)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	_, err = tr.Read(nil, 0, tr.Len())
	complains(t, err, name, `"Events"`, "entry 1099511627775")
	if !errors.Is(err, rootio.ErrDamaged) {
		t.Errorf("it is no damage: %v", err)
	}
}

func TestClosedTree(t *testing.T) {
	tr, err := rootio.Open(context.Background(), "", write(t, smooth(3)))
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Close(); err != nil {
		t.Fatal(err)
	}
	if err := tr.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	_, err = tr.Read(nil, 0, 0)
	complains(t, err, "closed")
}

func TestCycles(t *testing.T) {
	var x int32
	name := grootFile(t, func(f *riofs.File) {
		for x = 1; x <= 3; x++ {
			grootTree(t, f, "t", 1, rtree.WriteVar{Name: "x", Value: &x})
		}
	})
	for tree, want := range map[string]int32{"": 3, "t": 3, "/t": 3, "t;1": 1, "t;2": 2, "t;3": 3} {
		got, err := open(t, tree, name).Read(nil, 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		if v := got.Columns[0].Values().([]int32)[0]; v != want {
			t.Errorf("tree %q is cycle %d, not %d", tree, v, want)
		}
	}
	if infos, err := rootio.List(context.Background(), name); err != nil || len(infos) != 1 {
		t.Errorf("List: %v, %v", infos, err)
	}
}

// A branch with several leaves is one column per leaf, by branch and leaf.
func TestLeaves(t *testing.T) {
	tr := open(t, "", testenv.GrootFiles(t, "padding.root")[0])
	var names []string
	for _, f := range tr.Fields() {
		names = append(names, f.Name+" "+f.Kind.String())
	}
	want := []string{"pad.x1 int8", "pad.x2 int64", "pad.x3 int8", "nop.x1 int64", "nop.x2 int8", "nop.x3 int8"}
	if !reflect.DeepEqual(names, want) {
		t.Fatalf("columns: %q", names)
	}
	got, err := tr.Read([]string{"nop.x3", "nop.x1"}, 0, tr.Len())
	if err != nil {
		t.Fatal(err)
	}

	f, err := riofs.Open(testenv.GrootFiles(t, "padding.root")[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tree, err := riofs.Get[rtree.Tree](f, "tree")
	if err != nil {
		t.Fatal(err)
	}
	var ref struct {
		Nop struct {
			X1 int64 `groot:"x1"`
			X2 int8  `groot:"x2"`
			X3 int8  `groot:"x3"`
		} `groot:"nop"`
	}
	r, err := rtree.NewReader(tree, rtree.ReadVarsFromStruct(&ref))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Read(func(ctx rtree.RCtx) error {
		x3, x1 := got.Columns[0].Values().([]int8)[ctx.Entry], got.Columns[1].Values().([]int64)[ctx.Entry]
		if x3 != ref.Nop.X3 || x1 != ref.Nop.X1 {
			t.Errorf("entry %d: x1 = %d, x3 = %d, want %d and %d", ctx.Entry, x1, x3, ref.Nop.X1, ref.Nop.X3)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// The members of a split object are columns, and so is what stands behind a string
// in a list of leaves.
func TestObjects(t *testing.T) {
	tr := open(t, "", testenv.GrootFiles(t, "small-evnt-tree-fullsplit.root")[0])
	got, err := tr.Read([]string{"I16", "U64", "F64"}, 0, tr.Len())
	if err != nil {
		t.Fatal(err)
	}
	for i := range got.Len() { // entry i holds i in all its members
		i16, u64, f64 := got.Columns[0].Values().([]int16)[i], got.Columns[1].Values().([]uint64)[i], got.Columns[2].Values().([]float64)[i]
		if i16 != int16(i) || u64 != uint64(i) || f64 != float64(i) {
			t.Fatalf("entry %d: %d, %d, %v", i, i16, u64, f64)
		}
	}
	tr = open(t, "", testenv.GrootFiles(t, "x-flat-bufevt.root")[0])
	if got, err = tr.Read([]string{"Event.I32"}, 0, tr.Len()); err != nil {
		t.Fatal(err)
	}
	for i, x := range got.Columns[0].Float64s() {
		if x != -float64(i) {
			t.Fatalf("entry %d: Event.I32 is %v", i, x)
		}
	}
}

// ROOT's shortened floating-point numbers are columns of the numbers that they
// stand for. These values need no more bits than are stored.
func TestShortened(t *testing.T) {
	f16, d32 := root.Float16(1.5), root.Double32(-0.0625)
	name := grootFile(t, func(f *riofs.File) {
		grootTree(t, f, "t", 2, rtree.WriteVar{Name: "f16", Value: &f16}, rtree.WriteVar{Name: "d32", Value: &d32})
	})
	got, err := open(t, "", name).Read(nil, 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	want := &rootio.Table{Columns: []rootio.Column{
		rootio.ColumnOf("f16", []float32{1.5, 1.5}), rootio.ColumnOf("d32", []float64{-0.0625, -0.0625}),
	}}
	want.Columns[0].Stored, want.Columns[1].Stored = "f", "d"
	equal(t, got, want)
}

func TestAbort(t *testing.T) {
	table := smooth(1000)
	t.Run("new file", func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "new.root")
		w, err := rootio.Create(name, "t", table.Fields())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(table); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(name); err == nil {
			t.Error("the file is there before Close")
		}
		w.Abort()
		w.Abort()
		onlyFiles(t, filepath.Dir(name))
		complains(t, w.Write(table), "closed")
	})
	t.Run("old file", func(t *testing.T) {
		name := write(t, table)
		before, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		w, err := rootio.Create(name, "t", table.Fields())
		if err != nil {
			t.Fatal(err)
		}
		w.Abort()
		if after, err := os.ReadFile(name); err != nil || string(after) != string(before) {
			t.Errorf("the old file has changed (%v)", err)
		}
		onlyFiles(t, filepath.Dir(name), "test.root")
	})
	t.Run("failed write", func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "new.root")
		w, err := rootio.Create(name, "t", table.Fields())
		if err != nil {
			t.Fatal(err)
		}
		first := w.Write(&rootio.Table{Columns: table.Columns[:2]})
		complains(t, first, name, `"t"`, "2 columns")
		if err := w.Write(table); err != first {
			t.Errorf("the next Write returns %v", err)
		}
		if err := w.Close(); err != first {
			t.Errorf("Close returns %v", err)
		}
		onlyFiles(t, filepath.Dir(name))
	})
	t.Run("abort after close", func(t *testing.T) {
		name := write(t, table) // it has a deferred Abort
		if err := open(t, "", name).Close(); err != nil {
			t.Error(err)
		}
	})
}

// A program may write onto the file that it reads.
func TestWriteOntoInput(t *testing.T) {
	want := smooth(3000)
	name := write(t, want, rootio.WithBasketSize(4000))
	tr := open(t, "", name)
	w, err := rootio.Create(name, "Events", tr.Fields())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for chunk, err := range tr.Chunks(nil, 100) {
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := open(t, "", name).Read(nil, 0, 3000)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, again, want)
}

func onlyFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if !reflect.DeepEqual(names, want) {
		t.Errorf("the directory holds %q, not %q", names, want)
	}
}

func TestCreateErrors(t *testing.T) {
	dir := t.TempDir()
	x := rootio.Field{Name: "x", Kind: rootio.Float64}
	target := filepath.Join(dir, "out.root")
	for _, c := range []struct {
		name, file, tree string
		fields           []rootio.Field
		text             string
	}{
		{"no columns", target, "t", nil, "no columns"},
		{"no name", target, "t", []rootio.Field{{Kind: rootio.Bool}}, "no name"},
		{"no kind", target, "t", []rootio.Field{{Name: "x"}}, "no type"},
		{"two of a name", target, "t", []rootio.Field{x, x}, `"x"`},
		{"only brackets", target, "t", []rootio.Field{{Name: "[]", Kind: rootio.Bool}}, "brackets"},
		{"no tree", target, "", []rootio.Field{x}, "name of a tree"},
		{"no tree in a directory", target, "a//b", []rootio.Field{x}, "name of a tree"},
		{"a directory", dir, "t", []rootio.Field{x}, "is a directory"},
		{"in no directory", filepath.Join(dir, "none", "out.root"), "t", []rootio.Field{x}, "no directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, err := rootio.Create(c.file, c.tree, c.fields)
			complains(t, err, c.text, "rootio: ", c.file)
			if err == nil {
				w.Abort()
			}
			parts, err := filepath.Glob(filepath.Join(dir, "*.part"))
			if err != nil || len(parts) > 0 {
				t.Errorf("%q are left, %v", parts, err)
			}
		})
	}
}

func TestWriteErrors(t *testing.T) {
	fields := []rootio.Field{{Name: "x", Kind: rootio.Float64}, {Name: "n", Kind: rootio.Int32}}
	x, n := rootio.ColumnOf("x", []float64{1}), rootio.ColumnOf("n", []int32{1})
	for text, columns := range map[string][]rootio.Column{
		`"n", not "x"`:             {n, x},
		`"n" is uint32, not int32`: {x, rootio.ColumnOf("n", []uint32{1})},
		`"n" has 2 values`:         {x, rootio.ColumnOf("n", []int32{1, 2})},
	} {
		w, err := rootio.Create(filepath.Join(t.TempDir(), "out.root"), "t", fields)
		if err != nil {
			t.Fatal(err)
		}
		complains(t, w.Write(&rootio.Table{Columns: columns}), text)
		w.Abort()
	}
}

// The full range of float64 fits through the conversion to it and back.
func TestFloats(t *testing.T) {
	table := everyKind(10, 9)
	for _, c := range table.Columns {
		x := make([]float64, 6)
		c.Floats(x, 2)
		back := rootio.NewColumn(c.Field, c.Len())
		if c.Kind == rootio.Int64 || c.Kind == rootio.Uint64 {
			continue // not all of them are float64
		}
		back.SetFloats(2, x)
		if !reflect.DeepEqual(bits(back.Slice(2, 8)), bits(c.Slice(2, 8))) {
			t.Errorf("%v: %v became %v by way of %v", c.Kind, c.Slice(2, 8).Values(), back.Slice(2, 8).Values(), x)
		}
	}
	huge := rootio.ColumnOf("n", []uint64{math.MaxUint64})
	x := make([]float64, 1)
	if huge.Floats(x, 0); x[0] != 1<<64 {
		t.Errorf("%d became %v", uint64(math.MaxUint64), x[0])
	}
}

func TestKind(t *testing.T) {
	for k := rootio.Bool; k <= rootio.Float64; k++ {
		text, err := k.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back rootio.Kind
		if err := back.UnmarshalText(text); err != nil || back != k {
			t.Errorf("%v became %v: %v", k, back, err)
		}
		c := rootio.NewColumn(rootio.Field{Name: "x", Kind: k}, 3)
		if elem := reflect.TypeOf(c.Values()).Elem().String(); elem != k.String() || c.Len() != 3 {
			t.Errorf("a column of %v holds %d of %s", k, c.Len(), elem)
		}
	}
	var k rootio.Kind
	complains(t, k.UnmarshalText([]byte("")), `""`)
	complains(t, k.UnmarshalText([]byte("complex128")), "complex128")
}

// Reading and writing take no memory per event.
func TestMemory(t *testing.T) {
	testenv.Slow(t, "it counts allocations of a long job")
	const n = 200_000
	name := write(t, smooth(n))
	tr := open(t, "", name)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	events := 0
	for chunk, err := range tr.Chunks(nil, 1000) {
		if err != nil {
			t.Fatal(err)
		}
		events += chunk.Len()
	}
	runtime.ReadMemStats(&after)
	if allocs := after.Mallocs - before.Mallocs; events != n || allocs > n/20 {
		t.Errorf("%d allocations for %d events", allocs, events)
	}
}
