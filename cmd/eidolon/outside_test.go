package main

import (
	"encoding/json"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// withoutRows returns a table without some rows.
func withoutRows(t *rootio.Table, rows ...int) *rootio.Table {
	var rest []int
	for i := range t.Len() {
		if !slices.Contains(rows, i) {
			rest = append(rest, i)
		}
	}
	return t.Take(rest)
}

// Conditions far outside of those of the training events are counted, said and marked, and
// what becomes of the events is as asked for.
func TestOutside(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "in.root"), "Events", sample(2000))
	must(t, dir, "train", "-i", "in.root", "--features", "pt", "--condition", "mass,pdg,run", "-o", "m.eidolon",
		"--model", "realnvp", "--epochs", "1", "--hidden", "8", "--layers", "2")
	must(t, dir, "generate", "-m", "m.eidolon", "-i", "in.root", "-o", "all.root", "--seed", "4", "--outside", "refuse")
	all := open(t, filepath.Join(dir, "all.root"))
	isKnown := func(table *rootio.Table) []bool {
		t.Helper()
		c, ok := table.Column("known")
		if !ok {
			t.Fatalf("no branch known among %v", table.Fields())
		}
		return c.Values().([]bool)
	}
	if slices.Contains(isKnown(all), false) {
		t.Error("training events are not known")
	}

	far := sample(2000)
	mass, _ := far.Column("mass")
	pdg, _ := far.Column("pdg")
	run, _ := far.Column("run")
	mass.Values().([]float64)[3] = 1e30
	write(t, filepath.Join(dir, "number.root"), "Events", far)
	pdg.Values().([]int32)[7] = 9999
	write(t, filepath.Join(dir, "code.root"), "Events", far)
	run.Values().([]uint32)[9] = 1
	mass.Values().([]float64)[11] = math.NaN()
	write(t, filepath.Join(dir, "nan.root"), "Events", far)

	generate := func(in, outside string, more ...string) (table *rootio.Table, stderr string, code int) {
		t.Helper()
		args := append([]string{"generate", "-m", "m.eidolon", "-i", in, "-o", "out.root", "--seed", "4"}, more...)
		if outside != "" {
			args = append(args, "--outside", outside)
		}
		_, stderr, code = eidolon(t, dir, args...)
		if code == 0 {
			table = open(t, filepath.Join(dir, "out.root"))
		}
		return table, stderr, code
	}
	for _, c := range []struct {
		in, outside string
		far         []int    // the rows
		texts       []string // of the error, or of what is said
		code        int
	}{
		{"number.root", "", []int{3}, []string{"1 of 2000", "mass", "1e+30"}, 0},
		{"number.root", "clip", []int{3}, []string{"1 of 2000", "mass"}, 0},
		{"number.root", "skip", []int{3}, []string{"1 of 2000", "left out"}, 0},
		{"number.root", "refuse", nil, []string{`"mass"`, "1e+30", "entry 3"}, exitError},
		{"code.root", "", nil, []string{`"pdg"`, "9999", "entry 7", "--outside"}, exitError},
		{"code.root", "clip", []int{3, 7}, []string{"2 of 2000", "mass", "pdg"}, 0},
		{"code.root", "skip", []int{3, 7}, []string{"2 of 2000"}, 0},
		{"nan.root", "clip", nil, []string{`"mass"`, "NaN", "entry 11"}, exitError},
		{"nan.root", "skip", []int{3, 7, 9, 11}, []string{"4 of 2000", "run"}, 0},
		{"number.root", "perhaps", nil, []string{"perhaps", "skip"}, exitUsage},
	} {
		table, stderr, code := generate(c.in, c.outside)
		if code != c.code {
			t.Errorf("%s %s: exit code %d, %s", c.in, c.outside, code, stderr)
			continue
		}
		for _, text := range c.texts {
			if !strings.Contains(stderr, text) {
				t.Errorf("%s %s: %q does not say %q", c.in, c.outside, stderr, text)
			}
		}
		switch {
		case code != 0:
		case c.outside == "skip":
			if !reflect.DeepEqual(table, withoutRows(all, c.far...)) {
				t.Errorf("%s: the events that are left are not those of the input without the others", c.in)
			}
		default:
			for i, known := range isKnown(table) {
				if known == slices.Contains(c.far, i) {
					t.Errorf("%s %s: event %d is known: %v", c.in, c.outside, i, known)
				}
			}
			pt, _ := table.Column("pt")
			was, _ := all.Column("pt")
			x := make([]float64, table.Len())
			before := slices.Clone(x)
			pt.Floats(x, 0)
			was.Floats(before, 0)
			for i := range x {
				if math.IsNaN(x[i]) || math.IsInf(x[i], 0) || !slices.Contains(c.far, i) && x[i] != before[i] {
					t.Fatalf("%s %s: event %d has pt %g, %g without the others", c.in, c.outside, i, x[i], before[i])
				}
			}
		}
	}

	// score tells the same.
	for _, c := range []struct {
		in, outside string
		code, rows  int
	}{{"number.root", "", 0, 2000}, {"number.root", "skip", 0, 1999}, {"code.root", "", exitError, 0}, {"code.root", "clip", 0, 2000}, {"nan.root", "skip", 0, 1996}} {
		args := []string{"score", "-m", "m.eidolon", "-i", c.in, "-o", "scored.root", "--outside", c.outside}
		_, stderr, code := eidolon(t, dir, args...)
		if code != c.code || code == 0 && !strings.Contains(stderr, "of 2000 conditions") {
			t.Errorf("score %s %s: exit code %d, %s", c.in, c.outside, code, stderr)
		}
		if code != 0 {
			continue
		}
		scored := open(t, filepath.Join(dir, "scored.root"))
		if scored.Len() != c.rows || (c.outside != "skip") == isKnown(scored)[3] {
			t.Errorf("score %s %s: %d events, event 3 is known: %v", c.in, c.outside, scored.Len(), isKnown(scored)[3])
		}
	}

	// As often as each is drawn, an event that is left out is not there.
	table, _, _ := generate("number.root", "skip", "--oversample", "3")
	index, _ := table.Column("event_index")
	if table.Len() != 3*1999 || slices.Contains(index.Values().([]int64), 3) {
		t.Errorf("%d events, drawn thrice", table.Len())
	}
	// A branch that is called so already is carried along.
	far.Columns = append(far.Columns, rootio.ColumnOf("known", make([]int32, far.Len())))
	write(t, filepath.Join(dir, "named.root"), "Events", far)
	table, _, _ = generate("named.root", "skip")
	if c, ok := table.Column("known"); !ok || c.Kind != rootio.Int32 {
		t.Error("the branch known of the input is lost")
	}
	if c, ok := table.Column("known_2"); !ok || c.Kind != rootio.Bool {
		t.Errorf("no branch known_2 among %v", table.Fields())
	}
	var report struct {
		Conditions struct{ Rows, Outside int }
	}
	text := must(t, dir, "generate", "-m", "m.eidolon", "-i", "number.root", "-o", "out.root", "--json")
	if err := json.Unmarshal([]byte(text), &report); err != nil || report.Conditions.Outside != 1 || report.Conditions.Rows != 2000 {
		t.Errorf("%s: %v", text, err)
	}
	if _, stderr, code := eidolon(t, dir, "generate", "-m", "m.eidolon", "-n", "10", "-o", "out.root", "--outside", "clip"); code != exitUsage {
		t.Errorf("--outside without conditions: exit code %d, %s", code, stderr)
	}
}

// In events with objects, a condition of an event or of one of its objects counts.
func TestOutsideOfObjects(t *testing.T) {
	dir := t.TempDir()
	const n = 1000
	write(t, filepath.Join(dir, "in.root"), "Events", jets(n))
	small := []string{"--model", "realnvp", "--epochs", "1", "--hidden", "8", "--layers", "2", "--features", "pt"}
	for _, c := range []struct {
		condition string
		harm      func(t *rootio.Table, jet int)
	}{
		{"MET", func(t *rootio.Table, _ int) { t.Columns[0].Values().([]float32)[5] = float32(math.NaN()) }},
		{"flavour", func(t *rootio.Table, jet int) { t.Jagged[2].Column.Values().([]int32)[jet] = 9 }},
	} {
		must(t, dir, append([]string{"train", "-i", "in.root", "--each", "Jet", "--condition", c.condition, "-o", "m.eidolon"}, small...)...)
		must(t, dir, "generate", "-m", "m.eidolon", "-i", "in.root", "-o", "all.root", "--seed", "4")
		far := jets(n)
		if far.Jagged[2].Event(5).Len() == 0 {
			t.Fatal("event 5 has no jets")
		}
		c.harm(far, far.Jagged[2].Offsets[5])
		write(t, filepath.Join(dir, "far.root"), "Events", far)
		if _, stderr, code := eidolon(t, dir, "generate", "-m", "m.eidolon", "-i", "far.root", "-o", "out.root"); code != exitError || !strings.Contains(stderr, "entry 5") {
			t.Errorf("%s: exit code %d, %s", c.condition, code, stderr)
		}
		must(t, dir, "generate", "-m", "m.eidolon", "-i", "far.root", "-o", "out.root", "--seed", "4", "--outside", "skip")
		all, got := open(t, filepath.Join(dir, "all.root")), open(t, filepath.Join(dir, "out.root"))
		if want := withoutRows(all, 5); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %d events are left, want those without event 5", c.condition, got.Len())
		}
	}
	must(t, dir, "generate", "-m", "m.eidolon", "-i", "far.root", "-o", "out.root", "--outside", "clip")
	known, _ := open(t, filepath.Join(dir, "out.root")).Column("known")
	for i, k := range known.Values().([]bool) {
		if k == (i == 5) {
			t.Errorf("event %d is known: %v", i, k)
		}
	}
}
