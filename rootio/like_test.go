package rootio

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

// What ROOT knows of a tree comes along with its branches, in their order.
func TestLike(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first.root"), filepath.Join(dir, "second.root")
	like := TreeInfo{
		Title:   "a tree with a title",
		Aliases: []Alias{{"pt2", "pt*pt"}, {"twice", "2*n"}},
		carried: []userObject{
			{class: "TNamed", name: "author", text: "me"}, {class: "TObjString", text: "a text"},
			{class: "TParameter<double>", name: "luminosity", value: binary.BigEndian.AppendUint64(nil, math.Float64bits(1.5))},
		},
	}
	pt, n := ColumnOf("pt", []float64{1, 2, 3}), ColumnOf("n", []int32{2, 0, 1})
	eta := Jagged{ColumnOf("eta", []float32{1, 2, 3}), []int{0, 2, 2, 3}}
	eta.Counter = "n"
	id := ColumnOf("id", []int64{7, 8, 9})
	table := &Table{Columns: []Column{pt, n, id}, Jagged: []Jagged{eta}}
	if err := WriteFile(first, "dir/t", table, func(o *options) { o.like = like }); err != nil {
		t.Fatal(err)
	}
	in, err := Open(context.Background(), "dir/t", first)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	fresh := ColumnOf("fresh", []float32{1, 2, 3})
	other := &Table{Columns: []Column{fresh, id, n, pt}, Jagged: []Jagged{eta}}
	if err := WriteFile(second, in.Name(), other, Like(in)); err != nil {
		t.Fatal(err)
	}
	infos, err := List(context.Background(), second)
	if err != nil {
		t.Fatal(err)
	}
	got := infos[0]
	if got.Name != "dir/t" || got.Title != like.Title || !reflect.DeepEqual(got.Aliases, like.Aliases) || !reflect.DeepEqual(got.carried, like.carried) || got.Lost != 0 {
		t.Errorf("what came along is %+v", got)
	}
	var names []string
	for _, b := range got.Branches {
		names = append(names, b.Name)
	}
	if want := []string{"pt", "n", "id", "eta", "fresh"}; !slices.Equal(names, want) {
		t.Errorf("the branches are %v, not %v", names, want)
	}
}

// All branches have a basket that ends where a cluster does, however the events come.
func TestClusters(t *testing.T) {
	const events = 20_000
	n, wide, offsets := make([]int8, events), make([]float64, events), make([]int, events+1)
	for i := range events {
		n[i], wide[i] = int8(i%5), float64(i)
		offsets[i+1] = offsets[i] + i%5
	}
	many := Jagged{NewColumn(Field{Name: "many", Kind: Float32, Counter: Vector}, offsets[events]), offsets}
	table := &Table{Columns: []Column{ColumnOf("n", n), ColumnOf("wide", wide)}, Jagged: []Jagged{many}}
	sizes := make(map[int64]bool)
	for _, step := range []int{events, 777} {
		file := filepath.Join(t.TempDir(), "test.root")
		w, err := Create(file, "t", table.Fields(), WithBasketSize(10_000))
		if err != nil {
			t.Fatal(err)
		}
		for lo := 0; lo < events; lo += step {
			if err := w.Write(table.Slice(lo, min(lo+step, events))); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		cluster := w.cluster.events
		sizes[cluster] = true
		if bytes := cluster * (2*4 + 10); bytes < 9_900 || bytes > 10_100 {
			t.Errorf("a cluster has %d events, of one branch %d bytes", cluster, bytes)
		}
		for _, b := range w.branches {
			var ends []int64
			for _, place := range b.baskets {
				ends = append(ends, place.entries)
			}
			for at := cluster; at < events; at += cluster {
				if !slices.Contains(ends, at) {
					t.Fatalf("branch %q has no basket that ends at %d: %v", b.name, at, ends)
				}
			}
		}
	}
	if len(sizes) != 1 {
		t.Errorf("the size of clusters depends on the tables: %v", sizes)
	}
}

// Shortened numbers are stored again as they were, to the bit.
func TestStored(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for _, text := range []string{"f", "f[0,200]", "f[0,200,12]", "f[-pi,pi,16]", "f[0,0,10]", "d", "d[0,200,16]", "d[0,0,8]", "d[-1,1]"} {
		kind := Float32
		if text[0] == 'd' {
			kind = Float64
		}
		field := Field{Name: "x", Kind: kind, Stored: text}
		lo, hi, _ := valueRange(rangeText(text))
		if lo >= hi {
			lo, hi = -1e3, 1e3
		}
		values := make([]float64, 1_000)
		for i := range values {
			values[i] = lo + (hi-lo)*rng.Float64()
		}
		var last []float64
		for turn := range 3 {
			c := NewColumn(field, len(values))
			c.SetFloats(0, values)
			file := filepath.Join(t.TempDir(), fmt.Sprint(turn, ".root"))
			if err := WriteFile(file, "t", &Table{Columns: []Column{c}}); err != nil {
				t.Fatal(err)
			}
			got, err := ReadFile(context.Background(), "t", file)
			if err != nil {
				t.Fatal(err)
			}
			if f := got.Columns[0].Field; f != field && text != "f[0,200]" {
				t.Fatalf("%s: the field is %+v", text, f)
			}
			values = got.Columns[0].Float64s()
			if turn > 0 && !slices.Equal(values, last) {
				t.Errorf("%s: written again, the numbers are others", text)
			}
			if last == nil {
				for i, x := range c.Float64s() {
					if math.Abs(values[i]-x) > (hi-lo)*0x1p-8 {
						t.Fatalf("%s: %v is stored as %v", text, x, values[i])
					}
				}
			}
			last = values
		}
	}
}
