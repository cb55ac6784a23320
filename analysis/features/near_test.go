package features

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/rootio"
)

// detector returns true values and what a detector with a good resolution makes of them.
func detector(n int, r *rand.Rand) (truth, reco *rootio.Table) {
	x := make([][]float64, 8)
	for j := range x {
		x[j] = make([]float64, n)
	}
	for i := range n {
		pt, eta, phi, vertex := 5+20*r.ExpFloat64(), 1.5*r.NormFloat64(), math.Pi*(2*r.Float64()-1), 50*r.NormFloat64()
		for j, v := range []float64{
			pt, eta, phi, vertex,
			pt * math.Exp(0.01*r.NormFloat64()), eta + 0.002*r.NormFloat64(),
			math.Remainder(phi+0.001*r.NormFloat64(), 2*math.Pi), vertex + 0.5*r.NormFloat64(),
		} {
			x[j][i] = v
		}
	}
	truth, reco = &rootio.Table{}, &rootio.Table{}
	for j, name := range []string{"true_pt", "true_eta", "true_phi", "true_z"} {
		truth.Columns = append(truth.Columns, rootio.ColumnOf(name, x[j]))
	}
	for j, name := range []string{"pt", "eta", "phi", "z"} {
		reco.Columns = append(reco.Columns, rootio.ColumnOf(name, x[4+j]))
	}
	return truth, reco
}

// TestNear checks that what a detector reports is measured from what is true, be that in
// the condition or beside it, that it comes back, with the resolution that it had, and
// that log|det| is that of finite differences.
func TestNear(t *testing.T) {
	const n = 20000
	r := rand.New(rand.NewPCG(1, 3))
	truth, reco := detector(n, r)
	both := &rootio.Table{Columns: slices.Concat(truth.Columns, reco.Columns)}
	for _, c := range []struct {
		name  string
		table *rootio.Table
		given *rootio.Table
	}{{"condition", reco, truth}, {"beside", both, nil}} {
		s, err := Fit(t.Context(), c.table, nil, Options{})
		if c.given != nil {
			s, err = FitGiven(t.Context(), c.table, c.given, nil, Options{})
		}
		if err != nil {
			t.Fatal(err)
		}
		conditions := &Context{}
		if c.given != nil {
			if conditions, err = FitContext(t.Context(), c.given, nil); err != nil {
				t.Fatal(err)
			}
			if s.Check(&Context{}) == nil {
				t.Error("no error for maps that read a branch of a condition that there is not")
			}
		}
		if err := s.Check(conditions); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"pt", "eta", "phi", "z"} {
			if got := how(s, name); got != "relative to true_"+name {
				t.Errorf("%s: %s is %s", c.name, name, got)
			}
		}
		if !slices.ContainsFunc(s.Steps, func(st step.Step) bool {
			n, ok := st.(*step.RelativeNumber)
			return ok && n.Variable == "pt" && n.Ratio
		}) {
			t.Errorf("%s: pt is no ratio", c.name)
		}

		z, logDet := make([]float32, n*s.Dim()), make([]float64, n)
		if err := s.Encode(t.Context(), z, logDet, both, Noise{}); err != nil {
			t.Fatal(err)
		}
		back := rootio.NewTable(s.Fields(), n)
		s.Decode(back, z, c.given)
		for _, col := range back.Columns {
			want, _ := both.Column(col.Name)
			scale := map[string]float64{"pt": 1, "eta": 1e-3, "phi": 1e-3, "z": 0.5}[col.Name] // of what is told from the truth
			if strings.HasPrefix(col.Name, "true") {
				scale = 10
			}
			if c.given == nil { // float32 features of the truth
				scale = 10
			}
			a, b := col.Values().([]float64), want.Values().([]float64)
			for i, v := range a {
				if math.Abs(v-b[i]) > 1e-5*scale*(1+math.Abs(b[i])) {
					t.Fatalf("%s: %s = %g comes back as %g", c.name, col.Name, b[i], v)
				}
			}
		}

		// Only the column itself changes its feature, so slopes multiply.
		want := make([]float64, n)
		for _, b := range s.Branches {
			h := map[string]float64{"pt": 1e-3, "eta": 2e-4, "phi": 1e-4, "z": 0.05}[strings.TrimPrefix(b.Name, "true_")]
			if c.given == nil { // columns move together, and the Jacobian is triangular
				continue
			}
			var side [2][]float32
			for k := range side {
				moved := &rootio.Table{Columns: slices.Clone(both.Columns)}
				for j, col := range moved.Columns {
					if col.Name == b.Name {
						x := slices.Clone(col.Values().([]float64))
						for i := range x {
							x[i] += h * float64(2*k-1)
						}
						moved.Columns[j] = rootio.ColumnOf(b.Name, x)
					}
				}
				side[k] = make([]float32, len(z))
				if err := s.Encode(t.Context(), side[k], nil, moved, Noise{}); err != nil {
					t.Fatal(err)
				}
			}
			for i := range n {
				d := 0.0
				for j := range s.Dim() {
					d += float64(side[1][i*s.Dim()+j]) - float64(side[0][i*s.Dim()+j])
				}
				want[i] += math.Log(d / (2 * h))
			}
		}
		if c.given != nil {
			wrong := 0
			for i, v := range logDet {
				if !(math.Abs(v-want[i]) < 0.1) { // finite differences of curved maps in float32
					wrong++
				}
			}
			if wrong > n/50 {
				t.Errorf("log|det| of %d of %d events is not that of finite differences, first %g, %g", wrong, n, logDet[0], want[0])
			}
		}
	}
}

// TestNotNear checks that columns which are only correlated stay what they are, and that
// a ratio to a negative number is impossible, and no harm.
func TestNotNear(t *testing.T) {
	const n = 5000
	r := rand.New(rand.NewPCG(1, 4))
	x, y, spiked := make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range x {
		x[i] = r.NormFloat64()
		y[i] = x[i] + 0.3*r.NormFloat64()
		if spiked[i] = x[i] + 0.001*r.NormFloat64(); i%10 == 0 {
			spiked[i] = -999
		}
	}
	table := &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", x), rootio.ColumnOf("y", y), rootio.ColumnOf("spiked", spiked)}}
	s, err := Fit(t.Context(), table, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Steps) > 0 {
		t.Errorf("steps %+v", s.Steps)
	}

	truth, reco := detector(n, r)
	if s, err = FitGiven(t.Context(), reco, truth, nil, Options{}); err != nil {
		t.Fatal(err)
	}
	both := &rootio.Table{Columns: slices.Concat(truth.Columns, reco.Columns)}
	pt := both.Columns[0].Values().([]float64)
	pt[0], pt[1] = -1, 0
	z, logDet := make([]float32, n*s.Dim()), make([]float64, n)
	if err := s.Encode(t.Context(), z, logDet, both, Noise{}); err != nil {
		t.Fatal(err)
	}
	if !math.IsInf(logDet[0], -1) || !math.IsInf(logDet[1], -1) || math.IsInf(logDet[2], 0) {
		t.Errorf("log|det| %v", logDet[:3])
	}
	back := rootio.NewTable(s.Fields(), n)
	s.Decode(back, z, truth)
	for _, c := range back.Columns {
		for i, v := range c.Values().([]float64) {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("%s is %g in event %d", c.Name, v, i)
			}
		}
	}
	pt[2] = math.NaN()
	if err := s.Encode(t.Context(), z, nil, both, Noise{}); err == nil || !strings.Contains(err.Error(), `"true_pt", of the condition, is NaN in entry 2`) {
		t.Errorf("error %v", err)
	}
}
