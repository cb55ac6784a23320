package features

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// conditions are of every kind that a condition can be.
func conditions(n int) *rootio.Table {
	r := rand.New(rand.NewPCG(1, 6))
	pdg, beam, run, phi, e, mass := make([]int32, n), make([]float64, n), make([]int32, n), make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range n {
		pdg[i] = []int32{-11, 13, 22}[r.IntN(3)]
		beam[i], run[i] = 6500, 7
		phi[i] = math.Pi * (2*r.Float64() - 1)
		e[i] = 10 + 90*r.Float64()
		mass[i] = []float64{0.1, 0.5, 0.9}[r.IntN(3)]
	}
	return &rootio.Table{Columns: []rootio.Column{
		rootio.ColumnOf("pdg", pdg), rootio.ColumnOf("beam", beam), rootio.ColumnOf("run", run),
		rootio.ColumnOf("phi", phi), rootio.ColumnOf("e", e), rootio.ColumnOf("mass", mass),
	}}
}

// Conditions that no training event had are recognised, counted, and met as asked for.
func TestAdmit(t *testing.T) {
	table := conditions(2000)
	x, err := FitContext(t.Context(), table, nil)
	if err != nil {
		t.Fatal(err)
	}
	entries := []uint64{100, 101, 102, 103, 104}
	inside, err := x.Admit(table.Slice(0, 5), Refuse, entries)
	if err != nil || inside.Strays.Outside != 0 || slices.Contains(inside.Known, false) || !slices.Equal(inside.Rows, []int{0, 1, 2, 3, 4}) {
		t.Fatalf("the training events: %+v, %v", inside.Strays, err)
	}
	for _, c := range []struct {
		column         string
		value          any // that entry 103 has
		known          bool
		refused        bool // by default
		cannotBeNearer bool
	}{
		{"e", 1e30, false, false, false},
		{"e", 100.001, false, false, false},
		{"e", -3.0, false, false, false},
		{"e", math.NaN(), false, true, true},
		{"e", math.Inf(1), false, true, true},
		{"e", 55.5, true, false, false},
		{"phi", 5.0, true, false, false}, // 2π less is in the circle
		{"phi", 1e6, false, false, false},
		{"pdg", int32(111), false, true, false},
		{"run", int32(8), false, true, false},
		{"beam", 6800.0, false, false, false},
		{"mass", 0.7, false, true, false},
		{"mass", float64(float32(0.1)), true, false, false}, // a file of less precision
	} {
		given := table.Slice(0, 5).Take([]int{0, 1, 2, 3, 4})
		col, _ := given.Column(c.column)
		switch v := c.value.(type) {
		case float64:
			col.Values().([]float64)[3] = v
		case int32:
			col.Values().([]int32)[3] = v
		}
		for _, how := range []Outside{"", Clip, Skip, Refuse} {
			a, err := x.Admit(given, how, entries)
			refused := !c.known && (how == Refuse || how == "" && c.refused || how == Clip && c.cannotBeNearer)
			if refused {
				if !errors.Is(err, ErrOutside) || !strings.Contains(err.Error(), `"`+c.column+`"`) || !strings.Contains(err.Error(), "entry 103") {
					t.Errorf("%s = %v, %q: the error is %v", c.column, c.value, how, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s = %v, %q: %v", c.column, c.value, how, err)
				continue
			}
			rows, known := []int{0, 1, 2, 3, 4}, []bool{true, true, true, c.known, true}
			if how == Skip && !c.known {
				rows, known = []int{0, 1, 2, 4}, []bool{true, true, true, true}
			}
			outside := int64(1)
			if c.known {
				outside = 0
			}
			if !slices.Equal(a.Rows, rows) || !slices.Equal(a.Known, known) || a.Strays.Outside != outside || a.Len() != len(rows) {
				t.Errorf("%s = %v, %q: rows %v, known %v, %+v", c.column, c.value, how, a.Rows, a.Known, a.Strays)
			}
			if outside > 0 && !strings.Contains(a.Strays.String(), "1 of 5") {
				t.Errorf("it says %q", a.Strays)
			}
			z := make([]float32, len(rows)*x.Dim())
			if err := x.Encode(z, a.Table, 0); err != nil {
				t.Errorf("%s = %v, %q: the network cannot be asked: %v", c.column, c.value, how, err)
			}
			for _, v := range z {
				if !(math.Abs(float64(v)) < 5) {
					t.Errorf("%s = %v, %q: the network sees %v", c.column, c.value, how, v)
				}
			}
		}
	}
	if Outside("maybe").Check() == nil || Skip.Check() != nil || Outside("").Check() != nil {
		t.Error("Check does not know what there is")
	}
}
