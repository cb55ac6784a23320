package features

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// TestJoint checks that codes which depend on each other are joined, that others are
// not, that they come back, and that only combinations of the data are drawn, in the
// right proportions.
func TestJoint(t *testing.T) {
	const n = 20000
	r := rand.New(rand.NewPCG(5, 5))
	q1, q2, free, flag := make([]int32, n), make([]int8, n), make([]int16, n), make([]bool, n)
	for i := range n {
		q1[i] = int32(2*r.IntN(2) - 1)
		q2[i] = int8(-q1[i])
		if r.Float64() < 0.04 {
			q2[i] = int8(q1[i])
		}
		free[i] = int16(r.IntN(5))
		flag[i] = q1[i] > 0 && q2[i] < 0 && r.Float64() < 0.5
	}
	table := &rootio.Table{Columns: []rootio.Column{
		rootio.ColumnOf("q1", q1), rootio.ColumnOf("free", free), rootio.ColumnOf("flag", flag), rootio.ColumnOf("q2", q2),
	}}
	s, err := Fit(table, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Maps) != 1 || s.Maps[0].Joint == nil || s.Maps[0].Joint.name() != "q1 × flag × q2" || s.Dim() != 2 {
		t.Fatalf("treated as %v", s.Treatments())
	}
	before, after, z := roundTrip(t, s, table)
	for j := range before {
		for i, v := range before[j] {
			if after[j][i] != v {
				t.Fatalf("%s: %g comes back as %g", s.Branches[j].Name, v, after[j][i])
			}
		}
	}
	for i := range z {
		z[i] = float32(r.NormFloat64())
	}
	drawn := rootio.NewTable(s.Fields(), n)
	s.Decode(drawn, z)
	opposite := 0
	for i := range n {
		a, b := drawn.Columns[0].Values().([]int32)[i], drawn.Columns[3].Values().([]int8)[i]
		if int(a) == -int(b) {
			opposite++
		}
		if drawn.Columns[2].Values().([]bool)[i] && (a < 0 || b > 0) {
			t.Fatal("a combination is drawn that the data do not have")
		}
	}
	if d := math.Abs(float64(opposite)/n - 0.96); d > 0.01 {
		t.Errorf("%d of %d drawn pairs have opposite charges", opposite, n)
	}

	flag[0], q1[0], q2[0] = true, -1, 1
	logDet := make([]float64, n)
	if err := s.Encode(z, logDet, table, Noise{}); err != nil || !math.IsInf(logDet[0], -1) || math.IsInf(logDet[1], 0) {
		t.Errorf("log|det| of an unknown combination is %g, error %v", logDet[0], err)
	}
}
