package main

import (
	"context"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go-hep.org/x/hep/groot"
	"go-hep.org/x/hep/groot/rtree"

	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

// mixedEvent has a branch of every sort.
type mixedEvent struct {
	Name string     `groot:"name"`
	MET  float32    `groot:"MET"`
	MEx  float32    `groot:"MEx"`
	Pos  [3]float64 `groot:"pos"`
	Vec  []int16    `groot:"Vec_q"`
	N    int32      `groot:"nJet"`
	Pt   []float32  `groot:"Jet_pt[nJet]"`
	Flag []bool     `groot:"Jet_flag[nJet]"`
	Note string     `groot:"note"`
}

func mixedEvents(t *testing.T, file string, n int) {
	t.Helper()
	f, err := groot.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	var e mixedEvent
	w, err := rtree.NewWriter(f, "Events", rtree.WriteVarsFromStruct(&e), rtree.WithBasketSize(1<<18))
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		h := philox.Uint64(3, 0, uint64(i))
		met, angle := 20+float64(h%1000)/20, 2*math.Pi*float64(h>>10%4096)/4096
		e.Name, e.Note = "event", "of a test"
		e.MET, e.MEx = float32(met), float32(met*math.Cos(angle))
		e.Pos = [3]float64{float64(i), angle, -met}
		e.N, e.Pt, e.Flag, e.Vec = int32(h>>22%4), nil, nil, nil
		for k := range e.N {
			e.Pt, e.Flag = append(e.Pt, float32(i)+float32(k)/8), append(e.Flag, k%2 == 0)
		}
		for k := range h >> 24 % 3 {
			e.Vec = append(e.Vec, int16(i)-int16(k))
		}
		if _, err := w.Write(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// everything reads all columns of a file, arrays too.
func everything(t *testing.T, file string) *rootio.Table {
	t.Helper()
	tree, err := rootio.Open(context.Background(), "", file)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	var names []string
	for _, f := range tree.AllFields() {
		names = append(names, f.Name)
	}
	table, err := tree.Read(names, 0, tree.Len())
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// TestCarried draws one branch for the events of a file and finds all others as they
// were: numbers, fixed arrays, counted ones and std::vectors.
func TestCarried(t *testing.T) {
	dir := t.TempDir()
	const n = 2500
	mixedEvents(t, filepath.Join(dir, "in.root"), n)
	small := []string{"--epochs", "2", "--hidden", "8", "--layers", "2", "--model", "spline"}
	must(t, dir, append([]string{"train", "-i", "in.root", "--features", "MEx", "--condition", "far=2*MET", "-o", "m.eidolon"}, small...)...)
	in := everything(t, "in.root")
	inTypes := types(t, "in.root")
	delete(inTypes, "name")
	delete(inTypes, "note")

	for _, oversample := range []int{1, 30} { // 75,000 events are more than one part
		args := []string{"generate", "-m", "m.eidolon", "-i", "in.root", "-o", "out.root"}
		wantTypes := inTypes
		if oversample > 1 {
			args = append(args, "--oversample", "30")
			wantTypes = map[string]string{"event_index": "int64 "}
			for k, v := range inTypes {
				wantTypes[k] = v
			}
		}
		_, stderr, code := eidolon(t, dir, args...)
		if code != 0 {
			t.Fatalf("%v: exit code %d, %s", args, code, stderr)
		}
		if strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "2 branches") || !strings.Contains(stderr, `"name"`) || !strings.Contains(stderr, "string") {
			t.Errorf("of what stays behind it says %q", stderr)
		}
		if got := types(t, "out.root"); !equalMaps(got, wantTypes) {
			t.Errorf("branches %v, want %v", got, wantTypes)
		}
		out := everything(t, "out.root")
		rows := make([]int, n*oversample)
		for i := range rows {
			rows[i] = i / oversample
		}
		want := in.Take(rows)
		for _, c := range want.Columns {
			got, ok := out.Column(c.Name)
			if same := reflect.DeepEqual(got.Values(), c.Values()); !ok || same == (c.Name == "MEx") {
				t.Errorf("%d times: the values of %s are the same: %v", oversample, c.Name, same)
			}
		}
		if len(out.Jagged) != len(want.Jagged) {
			t.Fatalf("%d jagged branches, want %d", len(out.Jagged), len(want.Jagged))
		}
		for i, j := range want.Jagged {
			if got := out.Jagged[i]; got.Name != j.Name || !reflect.DeepEqual(got.Offsets, j.Offsets) || !reflect.DeepEqual(got.Values(), j.Values()) {
				t.Errorf("%d times: the values of %s are others", oversample, j.Name)
			}
		}
	}

	// The counter is drawn: its arrays cannot come along.
	must(t, dir, append([]string{"train", "-i", "in.root", "--features", "nJet", "--condition", "MET", "-o", "n.eidolon"}, small...)...)
	_, stderr, code := eidolon(t, dir, "generate", "-m", "n.eidolon", "-i", "in.root", "-o", "counts.root")
	got := types(t, "counts.root")
	if code != 0 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "4 branches") || got["Jet_pt"] != "" || got["Vec_q"] == "" || got["nJet"] == "" {
		t.Errorf("a counter that is drawn: exit code %d, branches %v, %s", code, got, stderr)
	}
}

// TestEventIndex looks for the number of the input's event in events that are drawn for
// drawn events.
func TestEventIndex(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "in.root"), "Events", sample(500))
	must(t, dir, "train", "-i", "in.root", "--features", "pt", "--condition", "mass", "-o", "m.eidolon", "--model", "spline", "--epochs", "1", "--hidden", "8", "--layers", "2")
	must(t, dir, "generate", "-m", "m.eidolon", "-i", "in.root", "--oversample", "2", "-o", "a.root")
	must(t, dir, "generate", "-m", "m.eidolon", "-i", "a.root", "-o", "b.root")
	must(t, dir, "generate", "-m", "m.eidolon", "-i", "b.root", "--oversample", "3", "-o", "c.root")
	must(t, dir, "generate", "-m", "m.eidolon", "-i", "c.root", "--oversample", "2", "-o", "d.root")
	for _, file := range []struct {
		name    string
		indices map[string]int // how often each stands there in a row
		events  int
	}{
		{"a.root", map[string]int{"event_index": 2}, 1000},
		{"b.root", map[string]int{"event_index": 2}, 1000},
		{"c.root", map[string]int{"event_index": 6, "event_index_2": 3}, 3000},
		{"d.root", map[string]int{"event_index": 12, "event_index_2": 6, "event_index_3": 2}, 6000},
	} {
		out := open(t, file.name)
		if out.Len() != file.events || len(out.Columns) != 9+len(file.indices) {
			t.Errorf("%s: %d events with %d columns", file.name, out.Len(), len(out.Columns))
		}
		for name, times := range file.indices {
			c, ok := out.Column(name)
			if !ok {
				t.Fatalf("%s has no %s", file.name, name)
			}
			for i, v := range c.Values().([]int64) {
				if v != int64(i/times) {
					t.Fatalf("%s: %s of event %d is %d, want %d", file.name, name, i, v, i/times)
				}
			}
		}
	}
}

func TestChunkOf(t *testing.T) {
	for columns, want := range map[int]int{0: chunk, 1: chunk, 64: chunk, 128: chunk / 2, 1 << 20: 1 << 10} {
		if got := chunkOf(columns); got != want {
			t.Errorf("%d events of %d columns at a time, want %d", got, columns, want)
		}
	}
}
