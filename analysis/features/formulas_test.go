package features

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/rootio"
)

// collisions are events with two leptons, a missing momentum and up to three jets, of which the second and its
// quantities are −999 in events with fewer: all rounded to thousandths, as computed from what was there before.
func collisions(n int, change func(event int, row map[string]float64)) *rootio.Table {
	names := []string{
		"lep1_pt", "lep1_eta", "lep1_phi", "lep2_pt", "lep2_eta", "lep2_phi", "met", "met_phi", "jet_num",
		"jet_pt", "jet_eta", "jet_phi", "m_ll", "mt", "pt_tot", "dr", "ratio", "product", "centrality",
	}
	r := rand.New(rand.NewPCG(7, 1))
	columns := map[string][]float32{}
	for k := range n {
		angle := func() float64 { return math.Pi * (2*r.Float64() - 1) }
		pt1, eta1, phi1 := 25+20*r.ExpFloat64(), 1.2*r.NormFloat64(), angle()
		pt2, eta2, phi2 := 20+15*r.ExpFloat64(), 1.2*r.NormFloat64(), angle()
		met, metPhi := 30*r.ExpFloat64(), angle()
		jets := float64(r.IntN(3))
		jetPt, jetEta, jetPhi := 30+20*r.ExpFloat64(), 2*r.NormFloat64(), angle()
		x := pt1*math.Cos(phi1) + pt2*math.Cos(phi2) + met*math.Cos(metPhi)
		y := pt1*math.Sin(phi1) + pt2*math.Sin(phi2) + met*math.Sin(metPhi)
		z := (eta1 - (eta2+jetEta)/2) / (eta2 - jetEta)
		row := map[string]float64{
			"lep1_pt": pt1, "lep1_eta": eta1, "lep1_phi": phi1, "lep2_pt": pt2, "lep2_eta": eta2, "lep2_phi": phi2,
			"met": met, "met_phi": metPhi, "jet_num": jets, "jet_pt": jetPt, "jet_eta": jetEta, "jet_phi": jetPhi,
			"m_ll":  math.Sqrt(2 * pt1 * pt2 * (math.Cosh(eta1-eta2) - math.Cos(phi1-phi2))),
			"mt":    math.Sqrt(2 * pt1 * met * (1 - math.Cos(phi1-metPhi))),
			"dr":    math.Hypot(eta1-eta2, math.Remainder(phi1-phi2, 2*math.Pi)),
			"ratio": pt2 / pt1, "product": eta2 * jetEta, "centrality": math.Exp(-4 * z * z),
		}
		if jets == 0 {
			for _, name := range []string{"jet_pt", "jet_eta", "jet_phi", "product", "centrality"} {
				row[name] = -999
			}
		} else {
			x, y = x+jetPt*math.Cos(jetPhi), y+jetPt*math.Sin(jetPhi)
		}
		row["pt_tot"] = math.Hypot(x, y)
		if change != nil {
			change(k, row)
		}
		for _, name := range names {
			columns[name] = append(columns[name], float32(math.Round(1000*row[name])/1000))
		}
	}
	t := &rootio.Table{}
	for _, name := range names {
		t.Columns = append(t.Columns, rootio.ColumnOf(name, columns[name]))
	}
	return t
}

// computed returns the branches that formulas give, with these.
func computed(s *Spec) map[string]*step.Formula {
	found := map[string]*step.Formula{}
	for _, f := range s.Computed() {
		found[f.Variable] = f
	}
	return found
}

// TestFormulas checks that columns which follow from others are found to be computed, each with the right formula,
// that any point of the space of the features is an event in which they agree, and that values are missing exactly where
// they ought to be.
func TestFormulas(t *testing.T) {
	table := collisions(3000, nil)
	s, err := Fit(t.Context(), table, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	found := computed(s)
	for variable, name := range map[string]string{
		"m_ll": "mass", "mt": "transverse mass", "pt_tot": "pt of sum", "dr": "delta R", "ratio": "x/y", "product": "x·y", "centrality": "eta centrality",
	} {
		if f := found[variable]; f == nil || f.Name != name || f.Deviates || f.Within != 0 {
			t.Errorf("%s is not computed as the %s: %+v", variable, name, f)
		}
		delete(found, variable)
	}
	for variable, f := range found {
		t.Errorf("%s %s", variable, f.Describe())
	}

	for _, c := range s.Columns { // what stands for a missing value is no value that events share
		if len(c.Spikes) > 0 {
			t.Errorf("%s has %d spikes", c.Name, len(c.Spikes))
		}
	}

	logDet := make([]float64, table.Len())
	if err := s.Encode(t.Context(), make([]float32, table.Len()*s.Dim()), logDet, table, Noise{Seed: 1}); err != nil {
		t.Fatal(err)
	}
	if k := slices.IndexFunc(logDet, func(v float64) bool { return math.IsInf(v, 0) || v != v }); k >= 0 {
		t.Errorf("log|det| of event %d is %v", k, logDet[k])
	}

	const n = 5000
	r := rand.New(rand.NewPCG(3, 4))
	z := make([]float32, n*s.Dim())
	for i := range z {
		z[i] = float32(r.NormFloat64())
	}
	drawn := rootio.NewTable(s.Fields(), n)
	s.Decode(drawn, z, nil)
	column := func(name string) []float64 {
		c, _ := drawn.Column(name)
		return c.Float64s()
	}
	jets := column("jet_num")
	for _, name := range []string{"jet_pt", "jet_eta", "jet_phi", "product", "centrality"} {
		for k, v := range column(name) {
			if (v == -999) != (jets[k] == 0) {
				t.Fatalf("%s is %g where there are %g jets", name, v, jets[k])
			}
		}
	}
	pt1, pt2, met, phi1, metPhi := column("lep1_pt"), column("lep2_pt"), column("met"), column("lep1_phi"), column("met_phi")
	for k, v := range column("mt") {
		if want := math.Sqrt(2 * pt1[k] * met[k] * (1 - math.Cos(phi1[k]-metPhi[k]))); math.Abs(v-want) > 0.0006 {
			t.Fatalf("the transverse mass is %g, of its parents %g", v, want)
		}
	}
	for k, v := range column("ratio") {
		if want := pt2[k] / pt1[k]; math.Abs(v-want) > 0.0006 {
			t.Fatalf("the ratio is %g, of its parents %g", v, want)
		}
	}
}

// TestFormulasRefused checks that columns which nearly follow are not computed.
func TestFormulasRefused(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for _, test := range []struct {
		what, column string
		deviates     bool // the difference may be learnt
		change       func(event int, row map[string]float64)
	}{
		{"a mass with a resolution of 1 %", "m_ll", true, func(_ int, row map[string]float64) { row["m_ll"] *= 1 + 0.01*r.NormFloat64() }},
		{"a ratio that is wrong in one event of a thousand", "ratio", true, func(k int, row map[string]float64) {
			if k%1000 == 500 {
				row["ratio"] += 0.5
			}
		}},
		{"a distance that is wrong in every third event", "dr", false, func(k int, row map[string]float64) {
			if k%3 == 0 {
				row["dr"] += 0.2
			}
		}},
		{"a difference that cancels", "mt", false, func(_ int, row map[string]float64) {
			row["mt"] = 1e-3 * r.NormFloat64()
			row["met"] = row["lep1_pt"] + row["mt"]
		}},
	} {
		s, err := Fit(t.Context(), collisions(3000, test.change), nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if f := computed(s)[test.column]; f != nil && !(test.deviates && f.Deviates) {
			t.Errorf("%s is %s", test.what, f.Describe())
		}
	}
}
