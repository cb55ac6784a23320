package features

import (
	"math/rand/v2"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// TestRanges checks that a cut on a momentum which became part of a system is known, that
// events beyond it are found, and moved to it.
func TestRanges(t *testing.T) {
	const cut = 20
	r := rand.New(rand.NewPCG(6, 10))
	table := muons(20000, 2.5, r)
	var rows []int
	for i := range table.Len() {
		if a, b := table.Columns[0].Values().([]float32)[i], table.Columns[3].Values().([]float32)[i]; a > cut && b > cut {
			rows = append(rows, i)
		}
	}
	for j, c := range table.Columns {
		table.Columns[j] = c.Take(rows)
	}
	s, err := Fit(t.Context(), table, nil, pair)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Ranges) != 1 || s.Ranges[0].Name != "pt2" || s.Ranges[0].Min != cut || !s.Ranges[0].HardMin || s.Ranges[0].HardMax {
		t.Fatalf("ranges %+v", s.Ranges)
	}
	if rows := s.Outside(table, 0); len(rows) > 0 {
		t.Errorf("%d events of the training are outside", len(rows))
	}
	const n = 5000
	z := make([]float32, n*s.Dim())
	for i := range z {
		z[i] = float32(r.NormFloat64())
	}
	drawn := rootio.NewTable(s.Fields(), n)
	s.Decode(drawn, z, nil)
	pt := drawn.Columns[3].Values().([]float32)
	lo, hi := s.Ranges[0].limits(0.1, rootio.Float32)
	out := 0
	for _, v := range pt {
		if float64(v) < lo || float64(v) > hi {
			out++
		}
	}
	outside := s.Outside(drawn, 0.1)
	if out == 0 || len(outside) != out {
		t.Errorf("%d events are outside, %d were found", out, len(outside))
	}
	for _, i := range outside {
		s.Clip(drawn, i, 0.1)
	}
	if rows := s.Outside(drawn, 0.1); len(rows) > 0 {
		t.Errorf("%d events are outside after all", len(rows))
	}
}
