package main

import (
	"context"
	"errors"
	"maps"
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

// TestCarried draws one branch for the events of a file and finds all others as they
// were: numbers, fixed arrays, counted ones and std::vectors.
func TestCarried(t *testing.T) {
	dir := t.TempDir()
	const n = 2500
	mixedEvents(t, filepath.Join(dir, "in.root"), n)
	small := []string{"--epochs", "2", "--hidden", "8", "--layers", "2", "--model", "spline", "--refine", "off"}
	must(t, dir, append([]string{"train", "-i", "in.root", "--features", "MEx", "--condition", "far=2*MET", "-o", "m.eidolon"}, small...)...)
	in := open(t, "in.root")
	inTypes := types(t, "in.root")
	delete(inTypes, "name")
	delete(inTypes, "note")

	for _, oversample := range []int{1, 30} { // 75,000 events are more than one part
		args := []string{"generate", "-m", "m.eidolon", "-i", "in.root", "-o", "out.root"}
		wantTypes := map[string]string{"known": "bool "}
		maps.Copy(wantTypes, inTypes)
		if oversample > 1 {
			args = append(args, "--oversample", "30")
			wantTypes["event_index"] = "int64 "
		}
		_, stderr, code := eidolon(t, dir, args...)
		if code != 0 {
			t.Fatalf("%v: exit code %d, %s", args, code, stderr)
		}
		if strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "2 branches") || !strings.Contains(stderr, "(name, note)") || !strings.Contains(stderr, "string") {
			t.Errorf("of what stays behind it says %q", stderr)
		}
		if got := types(t, "out.root"); !equalMaps(got, wantTypes) {
			t.Errorf("branches %v, want %v", got, wantTypes)
		}
		out := open(t, "out.root")
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
	if code != 0 || strings.Count(stderr, "\n") != 2 || !strings.Contains(stderr, "(Jet_pt, Jet_flag)") || got["Jet_pt"] != "" || got["Vec_q"] == "" || got["nJet"] == "" {
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
		known   int            // branches of that sort, one for each time that events were drawn
		events  int
	}{
		{"a.root", map[string]int{"event_index": 2}, 1, 1000},
		{"b.root", map[string]int{"event_index": 2}, 2, 1000},
		{"c.root", map[string]int{"event_index": 6, "event_index_2": 3}, 3, 3000},
		{"d.root", map[string]int{"event_index": 12, "event_index_2": 6, "event_index_3": 2}, 4, 6000},
	} {
		out := open(t, file.name)
		if out.Len() != file.events || len(out.Columns) != 9+len(file.indices)+file.known {
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

// TestScoreCarries scores events and objects, and finds all that was there before.
func TestScoreCarries(t *testing.T) {
	dir := t.TempDir()
	mixedEvents(t, filepath.Join(dir, "in.root"), 1200)
	small := []string{"--epochs", "1", "--hidden", "8", "--layers", "2", "--model", "spline", "--refine", "off"}
	must(t, dir, append([]string{"train", "-i", "in.root", "--features", "MEx,r=MET^2", "--weight", "pos_1", "-o", "m.eidolon"}, small...)...)
	_, stderr, code := eidolon(t, dir, "score", "-m", "m.eidolon", "-i", "in.root", "--where", "MET > 40", "-o", "a.root")
	if code != 0 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "2 branches are not carried along") {
		t.Errorf("score: exit code %d, %s", code, stderr)
	}
	in, out := open(t, "in.root"), open(t, "a.root")
	met, _ := in.Column("MET")
	var rows []int
	for i, v := range met.Values().([]float32) {
		if v > 40 {
			rows = append(rows, i)
		}
	}
	want := in.Take(rows)
	for i, c := range want.Columns { // first in the output, in the order of the input
		if got := out.Columns[i]; got.Field != c.Field || !reflect.DeepEqual(got.Values(), c.Values()) {
			t.Errorf("branch %s is other than in the input", c.Name)
		}
	}
	for i, j := range want.Jagged {
		if got := out.Jagged[i]; got.Field != j.Field || !reflect.DeepEqual(got.Offsets, j.Offsets) || !reflect.DeepEqual(got.Values(), j.Values()) {
			t.Errorf("branch %s is other than in the input", j.Name)
		}
	}
	var added []string
	for _, c := range out.Columns[len(want.Columns):] {
		added = append(added, c.Name)
	}
	if got := strings.Join(added, " "); got != "r log_prob" {
		t.Errorf("score adds %s", got)
	}

	// The same once more: the first log-density stays.
	if _, stderr, code = eidolon(t, dir, "score", "-m", "m.eidolon", "-i", "in.root", "-o", "b.root"); code != 0 {
		t.Fatal(stderr)
	}
	must(t, dir, append([]string{"train", "-i", "in.root", "--features", "MEx", "-o", "n.eidolon"}, small...)...)
	_, stderr, code = eidolon(t, dir, "score", "-m", "n.eidolon", "-i", "b.root", "-o", "c.root")
	first, _ := open(t, "b.root").Column("log_prob")
	again := open(t, "c.root")
	kept, _ := again.Column("log_prob")
	if _, ok := again.Column("log_prob_2"); code != 0 || !ok || !strings.Contains(stderr, "log_prob_2") || !reflect.DeepEqual(kept.Values(), first.Values()) {
		t.Errorf("scoring what is scored: exit code %d, %s", code, stderr)
	}

	must(t, dir, append([]string{"train", "-i", "in.root", "--each", "Jet", "--features", "pt", "-o", "o.eidolon"}, small...)...)
	_, stderr, code = eidolon(t, dir, "score", "-m", "o.eidolon", "-i", "in.root", "--where", "flag", "-o", "d.root")
	if code != 0 || !strings.Contains(stderr, "1 branch is not carried along (Vec_q)") {
		t.Errorf("scoring objects: exit code %d, %s", code, stderr)
	}
	var wantMET, wantPt []float32
	var event []int64
	offsets, pt := in.Jagged[1].Offsets, in.Jagged[1].Values().([]float32)
	for i := range in.Len() {
		for k := offsets[i]; k < offsets[i+1]; k += 2 { // flag
			wantMET, wantPt, event = append(wantMET, met.Values().([]float32)[i]), append(wantPt, pt[k]), append(event, int64(i))
		}
	}
	objects := open(t, "d.root")
	for name, want := range map[string]any{"MET": wantMET, "Jet_pt": wantPt, "event_index": event} {
		if c, ok := objects.Column(name); !ok || !reflect.DeepEqual(c.Values(), want) {
			t.Errorf("objects: %s is other than in the input", name)
		}
	}
	if n := len(objects.Columns); n != 1+1+3+1+2+3 { // MET, MEx, pos, nJet, Jet_…, new ones
		t.Errorf("objects: %d columns", n)
	}
}

// TestDirectories trains on a tree in a directory; all that is written of it is there,
// too.
func TestDirectories(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "in.root"), "one/two/tree", jets(600))
	small := []string{"--epochs", "1", "--hidden", "8", "--layers", "2", "--model", "spline", "--refine", "off"}
	for _, args := range [][]string{
		append([]string{"train", "-i", "in.root", "-o", "m.eidolon"}, small...),
		append([]string{"train", "-i", "in.root", "--condition", "nJet", "-o", "c.eidolon"}, small...),
		append([]string{"train", "-i", "in.root", "--each", "Jet", "-o", "o.eidolon"}, small...),
		{"generate", "-m", "m.eidolon", "-n", "700", "--seed", "1", "--histograms", "-o", "a.root"},
		{"generate", "-m", "c.eidolon", "-i", "in.root", "-o", "b.root"},
		{"generate", "-m", "o.eidolon", "-i", "in.root", "-o", "c.root"},
		{"generate", "-m", "o.eidolon", "-n", "10", "-o", "d.root"},
		{"score", "-m", "m.eidolon", "-i", "a.root", "-t", "one/two/tree;1", "-o", "e.root"},
		{"reweight", "-s", "a.root", "-r", "in.root", "-o", "f.root"},
		{"generate", "-m", "m.eidolon", "-n", "700", "--seed", "2", "--reweight-to", "in.root", "-o", "g.root"},
	} {
		must(t, dir, args...)
	}
	for _, file := range []string{"a.root", "b.root", "c.root", "d.root", "e.root", "f.root", "g.root"} {
		infos, err := rootio.List(context.Background(), file)
		if err != nil || len(infos) != 1 || infos[0].Name != "one/two/tree" {
			t.Errorf("%s: %v, trees %+v", file, err, infos)
		}
	}
	must(t, dir, "generate", "-m", "m.eidolon", "-n", "5", "-t", "tree", "-o", "h.root")
	if infos, err := rootio.List(context.Background(), "h.root"); err != nil || infos[0].Name != "tree" {
		t.Errorf("another name: %v, trees %+v", err, infos)
	}
}

// TestSaysWhatIsLeft asks each command that reads events what it does not look at or carry
// along.
func TestSaysWhatIsLeft(t *testing.T) {
	dir := t.TempDir()
	mixedEvents(t, filepath.Join(dir, "in.root"), 300)
	mixedEvents(t, filepath.Join(dir, "ref.root"), 280)
	small := []string{"--epochs", "1", "--hidden", "8", "--layers", "2", "--model", "spline", "--refine", "off"}
	for _, c := range []struct {
		args []string
		want []string
	}{
		{append([]string{"train", "-i", "in.root", "-o", "a.eidolon"}, small...), []string{"(name, note)", "(Vec_q, Jet_pt, Jet_flag)"}},
		{append([]string{"train", "-i", "in.root", "--each", "Jet", "-o", "o.eidolon"}, small...), []string{"(name, note)"}},
		{append([]string{"train", "-i", "in.root", "--features", "MEx", "--condition", "MET", "-o", "c.eidolon"}, small...), nil},
		{[]string{"generate", "-m", "c.eidolon", "-i", "in.root", "-o", "c.root"}, []string{"(name, note)"}},
		{[]string{"generate", "-m", "o.eidolon", "-i", "in.root", "-o", "o.root"}, []string{"(name, note)"}},
		{[]string{"score", "-m", "a.eidolon", "-i", "in.root", "-o", "s.root"}, []string{"(name, note)"}},
		{[]string{"compare", "-r", "in.root", "-c", "c.root", "--no-classifier"}, []string{"(name, note)", "(Jet_flag)"}},
		{[]string{"reweight", "-s", "in.root", "-r", "ref.root", "-o", "w.root"}, []string{"(name, note)", "(Vec_q, Jet_pt, Jet_flag)"}},
	} {
		_, stderr, code := eidolon(t, dir, c.args...)
		for _, want := range c.want {
			if code != 0 || strings.Count(stderr, want) != 1 {
				t.Errorf("%v: exit code %d, no %s in %s", c.args, code, want, stderr)
			}
		}
	}
	w, err := rootio.Create("two.root", "dir/Events", sample(300).Fields())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := w.Add("Runs", "", sample(1).Fields()[:1]); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(sample(300)), w.Close()); err != nil {
		t.Fatal(err)
	}
	must(t, dir, append([]string{"train", "-i", "two.root", "-t", "dir/Events", "--features", "pt", "--condition", "mass", "-o", "t.eidolon"}, small...)...)
	if _, stderr, code := eidolon(t, dir, "generate", "-m", "t.eidolon", "-i", "two.root", "--input-tree", "dir/Events", "-o", "x.root"); code != 0 || !strings.Contains(stderr, "along: Runs\n") {
		t.Errorf("of another tree: exit code %d, %s", code, stderr)
	}
	if got, want := types(t, "w.root")["Jet_pt"], types(t, "in.root")["Jet_pt"]; got != want {
		t.Errorf("reweight makes Jet_pt %q of %q", got, want)
	}
}
