package rootio_test

import (
	"math"
	"slices"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// muons has a scalar, an array and two collections.
func muons() *rootio.Table {
	counted := func(name string, values any, offsets []int, counter string) rootio.Jagged {
		var c rootio.Column
		switch v := values.(type) {
		case []float32:
			c = rootio.ColumnOf(name, v)
		case []int32:
			c = rootio.ColumnOf(name, v)
		}
		c.Counter = counter
		return rootio.Jagged{Column: c, Offsets: offsets}
	}
	x0, x1 := rootio.ColumnOf("x_0", []float64{1, 2, 3, 4}), rootio.ColumnOf("x_1", []float64{5, 6, 7, 8})
	x0.Array, x1.Array, x1.Index = "x[2]", "x[2]", 1
	return &rootio.Table{
		Columns: []rootio.Column{rootio.ColumnOf("NMuon", []int32{2, 0, 1, 3}), rootio.ColumnOf("met", []float32{10, 20, 30, 40}), x0, x1},
		Jagged: []rootio.Jagged{
			counted("Muon_Px", []float32{1, 2, 3, 4, 5, 6}, []int{0, 2, 2, 3, 6}, "NMuon"),
			counted("Muon_Q", []int32{1, -1, 1, -1, 1, -1}, []int{0, 2, 2, 3, 6}, "NMuon"),
			counted("jet_pt", []float32{7, 8, 9}, []int{0, 0, 1, 2, 3}, rootio.Vector),
			counted("jet_odd", []float32{7, 8}, []int{0, 0, 1, 2, 2}, rootio.Vector),
		},
	}
}

func floats(t *rootio.Table, name string) []float64 {
	c, _ := t.Column(name)
	x := make([]float64, c.Len())
	c.Floats(x, 0)
	return x
}

func TestView(t *testing.T) {
	tr := open(t, "", write(t, muons()))
	for _, c := range []struct {
		name    string
		options rootio.ViewOptions
		columns []string
		want    map[string][]float64
	}{
		{"events", rootio.ViewOptions{}, []string{"met", "x"}, map[string][]float64{"met": {10, 20, 30, 40}, "x_0": {1, 2, 3, 4}, "x_1": {5, 6, 7, 8}}},
		{"where", rootio.ViewOptions{Where: "met > 15 && x[1] < 8"}, []string{"x_0"}, map[string][]float64{"x_0": {2, 3}}},
		{"define", rootio.ViewOptions{Define: []string{"s = x[0] + x_1", "r=s/met"}}, []string{"r"},
			map[string][]float64{"r": {6. / 10, 8. / 20, 10. / 30, 12. / 40}}},
		{"objects", rootio.ViewOptions{Each: "Muon"}, []string{"Px", "Muon_Q", "met", "event_index", "object_index"}, map[string][]float64{
			"Muon_Px": {1, 2, 3, 4, 5, 6}, "Muon_Q": {1, -1, 1, -1, 1, -1}, "met": {10, 10, 30, 40, 40, 40},
			"event_index": {0, 0, 2, 3, 3, 3}, "object_index": {0, 1, 0, 0, 1, 2},
		}},
		{"selected objects", rootio.ViewOptions{Each: "Muon", Define: []string{"f = Px / met"}, Where: "Q > 0 && f < 0.12"}, []string{"f", "Px"},
			map[string][]float64{"f": {0.1, 0.1}, "Muon_Px": {1, 3}}},
		{"only columns of the event", rootio.ViewOptions{Each: "Muon"}, []string{"met"}, map[string][]float64{"met": {10, 10, 30, 40, 40, 40}}},
		{"by the counter", rootio.ViewOptions{Each: "NMuon"}, []string{"Muon_Q"}, map[string][]float64{"Muon_Q": {1, -1, 1, -1, 1, -1}}},
		{"one branch", rootio.ViewOptions{Each: "jet_odd"}, []string{"jet_odd", "met"}, map[string][]float64{"jet_odd": {7, 8}, "met": {20, 30}}},
		{"nothing", rootio.ViewOptions{Where: "met < 0"}, []string{"met"}, map[string][]float64{"met": {}}},
		{"one value of several", rootio.ViewOptions{}, []string{"sum(Muon_Px)", "met", "len(jet_pt)", "Muon_Q[0]"}, map[string][]float64{
			"sum(Muon_Px)": {3, 0, 3, 15}, "met": {10, 20, 30, 40}, "len(jet_pt)": {0, 1, 1, 1}, "Muon_Q[0]": {1, math.NaN(), 1, -1}}},
		{"one value in expressions", rootio.ViewOptions{Define: []string{"h=sum(Muon_Px)/met", "l=Muon_Px[1]"}, Where: "len(jet_odd) > 0 || NMuon == 2 and Muon_Px[0] < 2"}, []string{"h", "l"}, map[string][]float64{
			"h": {0.3, 0, 0.1}, "l": {2, math.NaN(), math.NaN()}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			same := func(a, b float64) bool { return math.Abs(a-b) < 1e-7 || a != a && b != b }
			v, err := tr.View(c.options)
			if err != nil {
				t.Fatal(err)
			}
			got, err := v.Read(c.columns)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Columns) != len(c.want) || len(got.Jagged) != 0 {
				t.Errorf("%d columns, want %d", len(got.Columns), len(c.want))
			}
			for name, want := range c.want {
				if x := floats(got, name); !slices.EqualFunc(x, want, same) {
					t.Errorf("%s: %v, want %v", name, x, want)
				}
			}
			parts := make(map[string][]float64)
			for chunk, err := range v.Chunks(c.columns, 1) {
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range got.Fields() {
					parts[f.Name] = append(parts[f.Name], floats(chunk, f.Name)...)
				}
			}
			for _, f := range got.Fields() {
				if !slices.EqualFunc(parts[f.Name], floats(got, f.Name), same) {
					t.Errorf("%s: in chunks %v", f.Name, parts[f.Name])
				}
			}
		})
	}
	own := func(o rootio.ViewOptions) (names []string) {
		v, err := tr.View(o)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range v.Own() {
			names = append(names, f.Name)
		}
		return names
	}
	if got, want := own(rootio.ViewOptions{Define: []string{"a=met"}}), []string{"NMuon", "met", "x_0", "x_1", "a"}; !slices.Equal(got, want) {
		t.Errorf("columns of events %q, want %q", got, want)
	}
	if got, want := own(rootio.ViewOptions{Each: "Muon", Define: []string{"a=Px"}}), []string{"Muon_Px", "Muon_Q", "a"}; !slices.Equal(got, want) {
		t.Errorf("columns of objects %q, want %q", got, want)
	}
}

func TestViewErrors(t *testing.T) {
	file := write(t, muons())
	tr := open(t, "", file)
	for _, c := range []struct {
		options rootio.ViewOptions
		names   []string
		texts   []string
	}{
		{rootio.ViewOptions{Each: "Muonn"}, nil, []string{`no collection "Muonn"`, `did you mean "Muon"?`}},
		{rootio.ViewOptions{Where: "mett > 1"}, nil, []string{`no branch "mett"`, `did you mean "met"?`}},
		{rootio.ViewOptions{Where: "Muon_Px > 1"}, nil, []string{`"Muon_Px"`, "--each"}},
		{rootio.ViewOptions{Where: "Muon_Px > 1"}, nil, []string{"Muon_Px[0], sum(Muon_Px)"}},
		{rootio.ViewOptions{Where: "sum(met) > 1"}, nil, []string{`no branch "sum(met)"`}},
		{rootio.ViewOptions{Where: "sum(met + 1) > 1"}, nil, []string{"is no name"}},
		{rootio.ViewOptions{Where: "x > 1"}, nil, []string{`"x"`, "x[0]"}},
		{rootio.ViewOptions{Each: "Muon", Where: "jet_pt > 1"}, nil, []string{`"jet_pt"`, "several values"}},
		{rootio.ViewOptions{Define: []string{"met = x_0"}}, nil, []string{`"met" cannot be defined`}},
		{rootio.ViewOptions{Define: []string{"a = a + 1"}}, nil, []string{`no branch "a"`}},
		{rootio.ViewOptions{Define: []string{"a + 1"}}, nil, []string{"no definition"}},
		{rootio.ViewOptions{Define: []string{"a = (met"}}, nil, []string{`"(met"`, "at character"}},
		{rootio.ViewOptions{}, []string{"met", "met"}, []string{`"met"`, "twice"}},
		{rootio.ViewOptions{Each: "Muon"}, []string{"Pxx"}, []string{`"Pxx"`, `did you mean "Px"?`}},
		{rootio.ViewOptions{Each: "jet"}, []string{"pt", "odd"}, []string{file, "event 3", `1 values of "jet_pt" and 0 of "jet_odd"`}},
	} {
		v, err := tr.View(c.options)
		if err == nil {
			_, err = v.Read(c.names)
		}
		complains(t, err, c.texts...)
	}
}

// TestParts reads rows and what comes along with their events, in pieces of any size.
func TestParts(t *testing.T) {
	tr := open(t, "", write(t, muons()))
	v, err := tr.View(rootio.ViewOptions{Each: "Muon", Define: []string{"f = Px / met"}, Where: "Q > 0"})
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, 3, 100} {
		var f, passed, events, first []float64
		var px, jets []float32
		objects := 0
		for p, err := range v.Parts([]string{"f"}, []string{"Muon_Px", "met", "jet_pt"}, size) {
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Events.Columns) != 1 || len(p.Events.Jagged) != 2 || p.First != int64(len(first)) {
				t.Errorf("%d at a time: event %d: %d columns, %d jagged ones", size, p.First, len(p.Events.Columns), len(p.Events.Jagged))
			}
			f = append(f, floats(p.Rows(), "f")...)
			for i, event := range p.EventOf(p.Passed) {
				passed, events = append(passed, float64(objects+p.Passed[i])), append(events, float64(p.First)+float64(event))
			}
			objects += p.All.Len()
			first = append(first, floats(p.Events, "met")...)
			px = append(px, p.Events.Jagged[0].Values().([]float32)...)
			jets = append(jets, p.Events.Jagged[1].Values().([]float32)...)
		}
		for _, c := range []struct {
			what      string
			got, want []float64
		}{
			{"f", f, []float64{0.1, 0.1, 0.125}}, {"places", passed, []float64{0, 2, 4}}, {"events", events, []float64{0, 2, 3}}, {"met", first, []float64{10, 20, 30, 40}},
		} {
			if !slices.EqualFunc(c.got, c.want, func(a, b float64) bool { return math.Abs(a-b) < 1e-7 }) {
				t.Errorf("%d at a time: %s are %v, want %v", size, c.what, c.got, c.want)
			}
		}
		if !slices.Equal(px, []float32{1, 2, 3, 4, 5, 6}) || !slices.Equal(jets, []float32{7, 8, 9}) {
			t.Errorf("%d at a time: along came %v and %v", size, px, jets)
		}
	}
	c := rootio.ColumnOf("q", []int64{1, 2, 3})
	c.Put([]int{2, 0}, rootio.ColumnOf("", []int64{1<<62 + 1, 7}))
	if got := c.Values().([]int64); !slices.Equal(got, []int64{7, 2, 1<<62 + 1}) {
		t.Errorf("put: %d", got)
	}
}
