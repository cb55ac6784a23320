package rootio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// wants says what a column of a file of testdata/make.py holds: of entry i, the values.
type wants map[string]func(i int) []float64

// one, three and each make values: one, some of a fixed number, and one for each of n objects.
func one(f func(i float64) float64) func(int) []float64 {
	return func(i int) []float64 { return []float64{f(float64(i))} }
}

func each(n func(i int) int, f func(i, k float64) float64) func(int) []float64 {
	return func(i int) (values []float64) {
		for k := range n(i) {
			values = append(values, f(float64(i), float64(k)))
		}
		return values
	}
}

func same(i float64) float64 { return i }

// onGrid rounds as ROOT does where a member has a range and a number of bits.
func onGrid(x, lo, hi float64, bits int) float64 {
	factor := math.Exp2(float64(bits)) / (hi - lo)
	return math.Floor(0.5+factor*(x-lo))/factor + lo
}

func modulo(m int) func(i int) int { return func(i int) int { return i % m } }

// eventWants are the columns of class Event, with what comes before their names.
func eventWants(base, prefix string) wants {
	n, object := modulo(4), func(f func(i, k float64) float64) func(int) []float64 { return each(modulo(4), f) }
	at := func(i, k float64) float64 { return i + k/4 }
	w := wants{
		base + "run":        one(func(i float64) float64 { return 1000 + i }),
		prefix + "pt":       one(func(i float64) float64 { return 1.5 * i }),
		prefix + "ok":       func(i int) []float64 { return []float64{float64(i % 2)} },
		prefix + "h":        one(func(i float64) float64 { return float64(float32(onGrid(i-10, -10, 10, 12))) }),
		prefix + "d":        one(func(i float64) float64 { return onGrid(i, 0, 100, 20) }),
		prefix + "n":        func(i int) []float64 { return []float64{float64(n(i))} },
		prefix + "arr":      object(at),
		prefix + "v":        object(func(i, k float64) float64 { return -at(i, k) }),
		prefix + "hits.x":   object(at),
		prefix + "hits.id":  object(func(_, k float64) float64 { return k }),
		prefix + "hits.e":   object(func(_, k float64) float64 { return 10 * k }),
		prefix + "far.run":  object(func(_, k float64) float64 { return k }),
		prefix + "far.y":    object(func(i, k float64) float64 { return i - k }),
		prefix + "far.v_n1": object(func(_, k float64) float64 { return k }),
		prefix + "far.v": func(i int) (values []float64) {
			for k := range n(i) {
				values = append(values, slices.Repeat([]float64{float64(i)}, k)...)
			}
			return values
		},
		prefix + "map.first":  object(func(_, k float64) float64 { return k }),
		prefix + "map.second": object(func(i, k float64) float64 { return i + k }),
		prefix + "o.in.a":     one(func(i float64) float64 { return i / 2 }),
		prefix + "o.in.s":     one(same),
		prefix + "o.n":        one(func(i float64) float64 { return -i }),
	}
	for k := range 3 {
		w[fmt.Sprintf("%sfix_%d", prefix, k)] = one(func(i float64) float64 { return float64(10*k) + i })
	}
	for k := range 2 {
		w[fmt.Sprintf("%so.arr.a_%d", prefix, k)] = one(func(i float64) float64 { return float64(k+1) * i })
		w[fmt.Sprintf("%so.arr.s_%d", prefix, k)] = one(func(float64) float64 { return float64(k + 1) })
	}
	return w
}

// All numbers in objects are columns, whatever of them is split into branches: members, those
// of base classes, arrays, collections and what is in those. ROOT 6.40 wrote the files.
func TestNumbersInObjects(t *testing.T) {
	of := func(f func(i, k float64) float64) func(int) []float64 { return each(modulo(3), f) }
	files := []struct {
		file, tree string
		wants      wants
		more       []string // columns beside these
	}{
		{"event.root", "split0", eventWants("ev.", "ev."), nil},
		{"event.root", "split1", eventWants("Base.", ""), nil},
		{"event.root", "dot", eventWants("ev.Base.", "ev."), []string{"ev.Base.fUniqueID", "ev.Base.fBits", "ev.hits_", "ev.far_", "ev.far.fUniqueID", "ev.far.fBits", "ev.map_"}},
		{"clones.root", "t", wants{
			"a.pt":  of(func(i, k float64) float64 { return i + k/2 }),
			"a.q_0": of(func(_, k float64) float64 { return k }),
			"a.q_1": of(func(_, k float64) float64 { return -k }),
			"b.pt":  of(func(i, k float64) float64 { return i + k/2 }),
			"b.q_0": of(func(_, k float64) float64 { return k }),
			"b.q_1": of(func(_, k float64) float64 { return -k }),
		}, []string{"b_", "b.fUniqueID", "b.fBits"}},
		{"leaves.root", "t", wants{
			"n":         func(i int) []float64 { return []float64{float64(i % 4)} },
			"a_0":       each(modulo(4), func(i, k float64) float64 { return 10*i + 2*k }),
			"a_1":       each(modulo(4), func(i, k float64) float64 { return 10*i + 2*k + 1 }),
			"r.n":       func(i int) []float64 { return []float64{float64(i % 3)} },
			"r.x":       of(func(i, k float64) float64 { return i + k }),
			"y":         one(func(i float64) float64 { return -min(i, 4) }),
			"p.first":   one(same),
			"q.first":   one(func(i float64) float64 { return -i }),
			"p.hits.id": each(modulo(2), func(i, _ float64) float64 { return i }),
			"q.hits.id": each(modulo(2), func(i, _ float64) float64 { return i }),
		}, []string{"p.hits_", "p.hits.x", "p.hits.e", "q.hits_", "q.hits.x", "q.hits.e"}},
		{"vectors.root", "t", wants{
			"p.px": one(same), "p.py": one(func(i float64) float64 { return 2 * i }), "p.pz": one(func(i float64) float64 { return 3 * i }), "p.E": one(func(i float64) float64 { return 4 * i }),
			"v3.x": one(same), "v3.y": one(func(i float64) float64 { return -i }), "v3.z": one(func(float64) float64 { return 7 }),
			"l.px": of(func(i, _ float64) float64 { return i }), "l.py": of(func(_, k float64) float64 { return k }),
			"l.pz": of(func(float64, float64) float64 { return 3 }), "l.E": of(func(i, _ float64) float64 { return 100 + i }),
			"w0.pt": of(func(i, _ float64) float64 { return i + 1 }), "w0.eta": of(func(float64, float64) float64 { return .5 }),
			"w0.phi": of(func(float64, float64) float64 { return .25 }), "w0.m": of(func(_, k float64) float64 { return k }),
			"w99.fCoordinates.fPt": of(func(i, _ float64) float64 { return i + 1 }), "w99.fCoordinates.fM": of(func(_, k float64) float64 { return k }),
			"g.pt": one(func(i float64) float64 { return i + 1 }), "g.eta": one(func(float64) float64 { return .5 }),
			"g.phi": one(func(float64) float64 { return .25 }), "g.m": one(same),
			"vv": func(i int) (values []float64) {
				for k := range i % 3 {
					values = append(values, slices.Repeat([]float64{float64(i)}, k)...)
				}
				return values
			},
			"vv_n1": of(func(_, k float64) float64 { return k }),
			"vvv": func(i int) (values []float64) {
				for k := range i % 3 {
					values = append(values, float64(i), float64(k), float64(i))
				}
				return values
			},
			"vvv_n1": func(i int) []float64 { return slices.Repeat([]float64{1, 2}, i%3) },
			"vvv_n2": of(func(float64, float64) float64 { return 2 }),
			"bits":   each(func(int) int { return 3 }, func(i, k float64) float64 { return float64(int(i) >> int(k) & 1) }),
		}, []string{"w99_", "w99.fCoordinates.fEta", "w99.fCoordinates.fPhi"}},
	}
	for _, f := range files {
		tree, err := Open(context.Background(), f.tree, "testdata/"+f.file)
		if err != nil {
			t.Fatal(err)
		}
		defer tree.Close()
		for _, b := range tree.Omitted() {
			if !strings.Contains(b.Type, "tring") {
				t.Errorf("%s, %s: %s (%s) is left out: %s", f.file, f.tree, b.Name, b.Type, b.Reason)
			}
		}
		for _, field := range tree.AllFields() {
			want := f.wants[field.Name]
			if want == nil {
				if !slices.Contains(f.more, field.Name) {
					t.Errorf("%s, %s: there is a column %s", f.file, f.tree, field.Name)
				}
				continue
			}
			delete(f.wants, field.Name)
			table, err := tree.Read([]string{field.Name}, 0, tree.Len())
			if err != nil {
				t.Error(err)
				continue
			}
			for i := range int(tree.Len()) {
				var got []float64
				if field.IsJagged() {
					got = table.Jagged[0].Event(i).Float64s()
				} else {
					got = table.Columns[0].Slice(i, i+1).Float64s()
				}
				if !slices.Equal(got, want(i)) {
					t.Errorf("%s, %s: %s of entry %d is %v, want %v", f.file, f.tree, field.Name, i, got, want(i))
					break
				}
			}
		}
		for name := range f.wants {
			t.Errorf("%s, %s: there is no column %s", f.file, f.tree, name)
		}
	}
}

// Lists of lists are read, but are no objects of an event.
func TestNestedIsNoCollection(t *testing.T) {
	tree, err := Open(context.Background(), "t", "testdata/vectors.root")
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	if _, err := tree.Collection("vv"); err == nil || !strings.Contains(err.Error(), "lists of lists") {
		t.Errorf("%v", err)
	}
}

// Lists of lists are written as they were read, if all of their columns are.
func TestNestedRoundTrip(t *testing.T) {
	ctx := context.Background()
	before, err := ReadFile(ctx, "t", "testdata/vectors.root")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "x.root")
	if err := WriteFile(name, "t", before); err != nil {
		t.Fatal(err)
	}
	after, err := ReadFile(ctx, "t", name)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(after, before) {
		t.Errorf("fields %v, want %v", after.Fields(), before.Fields())
	}
	tree, err := Open(ctx, "t", name)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	types := map[string]string{"vv": "[][]float32", "vvv": "[][][]int16"}
	for _, b := range tree.Branches() {
		if want, ok := types[b.Name]; ok && b.Type != want {
			t.Errorf("%s is written as %s, want %s", b.Name, b.Type, want)
		}
	}

	for i := range before.Jagged {
		if j := &before.Jagged[i]; j.Name == "vv_n1" {
			j.Column.Values().([]int32)[0]++
		}
	}
	if err := WriteFile(name, "t", before); err == nil || !strings.Contains(err.Error(), "do not add up") {
		t.Errorf("lengths that are wrong: %v", err)
	}
}

// A member is found by what ROOT calls it, too.
func TestNamesOfROOT(t *testing.T) {
	tree, err := Open(context.Background(), "t", "testdata/vectors.root")
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	table, err := tree.Read([]string{"p.fP.fY", "l.fE"}, 0, tree.Len())
	if err != nil {
		t.Fatal(err)
	}
	if table.Columns[0].Name != "p.py" || table.Jagged[0].Name != "l.E" {
		t.Errorf("%v", Names(table.Fields()))
	}
}

// TestDamagedObject checks that damage of the first objects is said to who reads them, and no column is left out for it without a word.
func TestDamagedObject(t *testing.T) {
	ctx := context.Background()
	file := filepath.Join(t.TempDir(), "damaged.root")
	good, err := os.ReadFile("testdata/vectors.root")
	if err != nil {
		t.Fatal(err)
	}
	before, err := ReadFile(ctx, "t", "testdata/vectors.root")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for at := range good {
		if !bytes.HasPrefix(good[at:], []byte("ZL\x08")) {
			continue
		}
		bad := bytes.Clone(good)
		bad[at+15] ^= 0x10 // within a compressed block
		if err := os.WriteFile(file, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		after, err := ReadFile(ctx, "t", file)
		switch {
		case errors.Is(err, ErrDamaged):
			found++
		case err != nil:
			t.Errorf("byte %d: %v", at, err)
		case len(after.Columns) != len(before.Columns) || len(after.Jagged) != len(before.Jagged):
			t.Errorf("byte %d: %d columns, %d of them of lists, instead of %d and %d", at, len(after.Columns)+len(after.Jagged), len(after.Jagged), len(before.Columns)+len(before.Jagged), len(before.Jagged))
		}
	}
	if found < 3 {
		t.Errorf("damage was found in %d blocks", found)
	}
}
