package rootio

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"testing"

	"go-hep.org/x/hep/groot/riofs"
	"go-hep.org/x/hep/groot/rtree"
	_ "go-hep.org/x/hep/groot/ztypes" // the classes that may stand beside or inside a tree

	"github.com/eidolon-hep/eidolon/internal/testenv"
)

// Columns are those that groot, which shares no code with our reader, reads value by value,
// in every tree of many programs.
func TestColumnsAreThoseOfGroot(t *testing.T) {
	testenv.Slow(t, "it reads many files twice")
	same, others := 0, 0
	for _, name := range append(testenv.SharedFiles(t, "data/*.root"), testenv.GrootFiles(t, "*.root")...) {
		trees, err := List(context.Background(), name)
		if err != nil {
			t.Error(err)
		}
		file, err := riofs.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, info := range trees {
			if info.Reason != "" || info.Entries == 0 {
				continue
			}
			tree, err := Open(context.Background(), info.Name, name)
			if err != nil {
				t.Error(err)
				continue
			}
			for _, b := range tree.branches {
				if !b.isColumn() {
					continue
				}
				got, err := tree.Read([]string{b.Name}, 0, tree.Len())
				if err != nil {
					t.Error(err)
					continue
				}
				want, err := readWithGroot(file, info.Name, b)
				if err != nil {
					others++ // TestJSROOT has the last word on these
					t.Logf("%s: %s.%s: %v", filepath.Base(name), info.Name, b.Name, err)
					continue
				}
				same++
				columns := got.Columns
				for _, j := range got.Jagged {
					columns = append(columns, j.Column)
				}
				row := NewColumn(columns[0].Field, 0)
				for i := range columns[0].Len() { // the elements of an array one after the other
					for _, c := range columns {
						row.values = row.values.append(c.Slice(i, i+1).values)
					}
				}
				values := bitsOf(row.Values())
				if !reflect.DeepEqual(values, bitsOf(want)) {
					t.Errorf("%s: %s.%s (%s) differs", filepath.Base(name), info.Name, b.Name, b.Type)
				}
			}
			_ = tree.Close()
		}
		_ = file.Close()
	}
	t.Log(same, "branches are those of groot,", others, "it cannot read")
	if same < 4*others {
		t.Errorf("%d branches are compared, %d are not", same, others)
	}
}

// readWithGroot reads all values of a branch, one after the other.
func readWithGroot(file *riofs.File, path string, b branch) (values any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("groot fails: %.60v", r)
		}
	}()
	object, err := riofs.Dir(file).Get(path)
	if err != nil {
		return nil, err
	}
	tree := object.(rtree.Tree)
	if last := b.layout.spans; len(last) > 1 && last[len(last)-1].kept != nil {
		return nil, errors.New("groot misreads a basket that is kept with the tree") // v0.40.0
	}
	i := -1
	vars := rtree.NewReadVars(tree)
	for k, v := range vars {
		if v.Name == b.of && (v.Leaf == b.Name || v.Name+"."+v.Leaf == b.Name || b.Name == b.of) {
			i = k
			break
		}
	}
	if i < 0 {
		return nil, errors.New("groot does not find it")
	}
	r, err := rtree.NewReader(tree, vars[i:i+1])
	if err != nil {
		return nil, err
	}
	defer r.Close()
	c := NewColumn(Field{Kind: b.Kind}, 0)
	value := reflect.ValueOf(vars[i].Value).Elem()
	all := reflect.ValueOf(c.Values())
	var add func(v reflect.Value)
	add = func(v reflect.Value) {
		if k := v.Kind(); k != reflect.Slice && k != reflect.Array {
			all = reflect.Append(all, v.Convert(all.Type().Elem()))
			return
		}
		for i := range v.Len() {
			add(v.Index(i))
		}
	}
	err = r.Read(func(rtree.RCtx) error { add(value); return nil })
	return all.Interface(), err
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
