package vectors

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// sample is columns of random momenta.
type sample struct {
	n       int
	r       *rand.Rand
	columns []rootio.Column
}

func newSample(n int, seed uint64) *sample {
	return &sample{n: n, r: rand.New(rand.NewPCG(seed, 1))}
}

func (s *sample) add(name string, value func(k int) float64) []float64 {
	x := make([]float64, s.n)
	for k := range x {
		x[k] = value(k)
	}
	s.columns = append(s.columns, rootio.ColumnOf(name, x))
	return x
}

// polar adds pt, eta, phi with a suffix.
func (s *sample) polar(suffix string, scale float64) (pt, eta, phi []float64) {
	pt = s.add("pt"+suffix, func(int) float64 { return scale * (5 + 20*s.r.ExpFloat64()) })
	eta = s.add("eta"+suffix, func(int) float64 { return 4.8*s.r.Float64() - 2.4 })
	phi = s.add("phi"+suffix, func(int) float64 { return math.Pi * (2*s.r.Float64() - 1) })
	return pt, eta, phi
}

// cartesian adds px, py, pz of these, and the energy with a mass, as float32 where single.
func (s *sample) cartesian(suffix string, pt, eta, phi []float64, mass float64, single bool) {
	add := func(name string, value func(k int) float64) {
		if !single {
			s.add(name, value)
			return
		}
		x := make([]float32, s.n)
		for k := range x {
			x[k] = float32(value(k))
		}
		s.columns = append(s.columns, rootio.ColumnOf(name, x))
	}
	add("px"+suffix, func(k int) float64 { return pt[k] * math.Cos(phi[k]) })
	add("py"+suffix, func(k int) float64 { return pt[k] * math.Sin(phi[k]) })
	add("pz"+suffix, func(k int) float64 { return pt[k] * math.Sinh(eta[k]) })
	add("E"+suffix, func(k int) float64 { return math.Hypot(pt[k]*math.Cosh(eta[k]), mass) })
}

func (s *sample) find() Found { return Find(&rootio.Table{Columns: s.columns}, Options{}) }

func TestMasses(t *testing.T) {
	for seed := range uint64(5) {
		for _, c := range []struct {
			name   string
			mass   float64
			single bool
			scale  float64
			says   string
		}{
			{"a muon, by its energy", 0.1056583755, false, 1, "mass 0.1057 (a muon, by E1)"},
			{"a muon in MeV", 105.6583755, false, 1000, "mass 105.7 (a muon, by E1)"},
			{"a mass of no known particle", 0.3, false, 1, "mass 0.3 (from E1)"},
			{"a kaon as float32", 0.493677, true, 1, "mass 0.4937 (a kaon, by E1)"},
		} {
			s := newSample(2000, seed)
			pt, eta, phi := s.polar("1", c.scale)
			if strings.Contains(c.name, "MeV") {
				pt[0] = 60000
			}
			s.cartesian("1", pt, eta, phi, c.mass, c.single)
			f := s.find()
			if len(f.Vectors) != 1 || !strings.Contains(f.String(), c.says) || len(f.Notes) > 0 {
				t.Errorf("%s: %s", c.name, f.String())
			}
		}
	}
	s := newSample(500, 9)
	pt, eta, phi := s.polar("1", 1)
	s.add("E1", func(k int) float64 { return math.Hypot(pt[k]*math.Cosh(eta[k]), 5+s.r.Float64()) })
	s.polar("_mu", 1)
	_ = phi
	f := s.find()
	if got := f.String(); got != "p1: pt1, eta1, phi1, E1, mass from E1\nmu: pt_mu, eta_mu, phi_mu, mass 0.1057 (a muon, by its name)" {
		t.Error(got)
	}
}

// TestRelative checks that two transverse momenta and the difference of their azimuths are taken for what they are, and for nothing more.
func TestRelative(t *testing.T) {
	s := newSample(500, 3)
	pt1 := s.add("pt1", func(int) float64 { return 20 + s.r.ExpFloat64() })
	pt2 := s.add("pt2", func(int) float64 { return 10 + s.r.ExpFloat64() })
	dphi := s.add("dphi", func(int) float64 { return math.Pi * s.r.Float64() })
	f := s.find()
	q := f.Quantities()
	if len(f.Vectors) != 2 || !f.Vectors[0].Relative || f.Vectors[1].Phi != "dphi" || len(q) == 0 || q[0].Name != "mT(p1,p2)" {
		t.Fatalf("%v, %v", &f, q)
	}
	got := [][]float64{make([]float64, 500)}
	Fill(got, q[:1], &rootio.Table{Columns: s.columns}, 0)
	for k, m := range got[0] {
		if want := math.Sqrt(2 * pt1[k] * pt2[k] * (1 - math.Cos(dphi[k]))); math.Abs(m-want) > 1e-9*want {
			t.Fatalf("the transverse mass is %g, want %g", m, want)
		}
	}
	s.columns[2].Name = "dphi_lep_met"
	if f := s.find(); len(f.Vectors) > 0 {
		t.Errorf("of lep and met it is, not of %v", &f)
	}
	s.columns[2].Name = "dphi"
	s.add("ptmiss", func(int) float64 { return s.r.ExpFloat64() })
	s.add("pt3", func(int) float64 { return s.r.ExpFloat64() })
	if f := s.find(); len(f.Vectors) > 0 {
		t.Errorf("of which two is dphi? %v", &f)
	}
	s = newSample(500, 4)
	s.polar("1", 1)
	s.polar("2", 1)
	s.add("dphi", func(int) float64 { return s.r.Float64() })
	if f := s.find(); len(f.Vectors) != 2 || f.Vectors[0].Transverse {
		t.Errorf("whole momenta are %v", &f)
	}
}

// TestValuesDecide checks that columns whose values are no momentum stay plain ones, and that it is said.
func TestValuesDecide(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(s *sample)
		says string
	}{
		{"a negative pt", func(s *sample) { pt, _, _ := s.polar("", 1); pt[7] = -1 }, `"pt" is negative, first in entry 7`},
		{"many negative pt", func(s *sample) {
			pt, _, _ := s.polar("", 1)
			for k := range pt {
				pt[k] -= 10
			}
		}, `"pt" is negative`},
		{"degrees", func(s *sample) {
			_, _, phi := s.polar("", 1)
			for k := range phi {
				phi[k] *= 180 / math.Pi
			}
		}, "degrees?"},
		{"no azimuth", func(s *sample) { _, _, phi := s.polar("", 1); phi[3] = 1000 }, "the azimuths"},
		{"NaN in some", func(s *sample) { _, eta, _ := s.polar("", 1); eta[5] = math.NaN() }, "NaN in entry 5"},
		{"infinite", func(s *sample) { pt, _, _ := s.polar("", 1); pt[5] = math.Inf(1) }, "infinite in entry 5"},
		{"theta in degrees as eta", func(s *sample) { _, eta, _ := s.polar("", 1); eta[4] = 90 }, `"eta" is 90 in entry 4`},
		{"MeV and GeV", func(s *sample) { s.polar("1", 1); s.polar("2", 1000) }, "one may be in MeV"},
	} {
		s := newSample(1000, 3)
		c.make(s)
		f := s.find()
		if len(f.Vectors) > 0 || !strings.Contains(strings.Join(f.Notes, "\n"), c.says) {
			t.Errorf("%s: %s, want a note that says %s", c.name, f.String(), c.says)
		}
	}
	// A momentum that is mismeasured does not make GeV of MeV.
	for _, gev := range []float64{1, 1000} {
		s := newSample(1000, 3)
		pt, _, _ := s.polar("1", gev)
		s.polar("2", gev)
		pt[5] = 30_000 * gev
		if f := s.find(); f.GeV != gev {
			t.Errorf("a GeV is %g in the unit of the momenta, not %g", f.GeV, gev)
		}
	}
	// Of three, the two in one unit are kept.
	s := newSample(1000, 3)
	s.polar("1", 1000)
	s.polar("2", 1)
	s.polar("3", 1)
	if f := s.find(); describe(f.Vectors) != "p2(pt2,eta2,phi2) p3(pt3,eta3,phi3)" {
		t.Error(f.String())
	}
	// Where the components disagree, the energy decides; the polar ones are kept if it says nothing.
	for _, isPolar := range []bool{true, false} {
		s = newSample(1000, 3)
		pt, eta, phi := s.polar("1", 1)
		s.cartesian("1", pt, eta, phi, 5, false)
		for k := range 20 { // mismeasured, by one or the other
			px := s.columns[3].Values().([]float64)
			if px[50*k] *= 5; !isPolar {
				px[50*k] /= 5
				pt[50*k] *= 5
			}
		}
		f := s.find()
		if len(f.Vectors) != 1 || f.Vectors[0].IsPolar() != isPolar || f.Vectors[0].IsCartesian() == isPolar || !strings.Contains(f.Notes[0], "in 20 of 1000 events") {
			t.Error(f.String())
		}
	}
	// An energy below the momentum is none.
	s = newSample(1000, 3)
	s.polar("1", 1)
	s.add("E1", func(int) float64 { return 3 })
	if f := s.find(); f.Vectors[0].E != "" || !strings.Contains(f.Notes[0], "less than the momentum") {
		t.Error(f.String())
	}
	if f := Find(&rootio.Table{Columns: s.columns}, Options{None: true}); len(f.Vectors) > 0 {
		t.Error("vectors were found though none were asked for")
	}
	for _, empty := range []*rootio.Table{{}, rootio.NewTable([]rootio.Field{{Name: "pt", Kind: rootio.Float32}}, 0)} {
		if f := Find(empty, Options{}); len(f.Vectors) > 0 || len(f.Quantities()) > 0 {
			t.Error("vectors in an empty table")
		}
	}
}

func TestAbsentObjects(t *testing.T) {
	for _, code := range []float64{-999, -1, math.NaN(), 0, 999} {
		s := newSample(1000, 4)
		s.polar("1", 1)
		pt, eta, phi := s.polar("2", 1)
		for k := 0; k < s.n; k += 3 {
			pt[k], eta[k], phi[k] = code, code, code
		}
		f := s.find()
		if len(f.Vectors) != 2 || f.Vectors[0].Absent || !f.Vectors[1].Absent || len(f.Notes) > 0 || f.GeV != 1 {
			t.Fatalf("%g: %s, a GeV is %g", code, f.String(), f.GeV)
		}
		table := &rootio.Table{Columns: s.columns}
		x := make([]float64, s.n)
		for _, q := range f.Quantities() {
			q.Fill(x, table, 0)
			if math.IsNaN(x[1]) || math.IsNaN(x[3]) == strings.HasPrefix(q.Name, "ΣpT") && q.Name != "pz(p1+p2)" {
				t.Errorf("%g: %s is %g with both and %g with one", code, q.Name, x[1], x[3])
			}
		}
	}
}

// A mass that is −999 where the object is absent is a mass, unless it is negative where the object is there.
func TestMassOfAbsentObjects(t *testing.T) {
	for _, isNegative := range []bool{false, true} {
		s := newSample(1000, 4)
		pt, eta, phi := s.polar("_jet", 1)
		m := s.add("m_jet", func(int) float64 { return 5 + s.r.Float64() })
		for k := 0; k < s.n; k += 3 {
			pt[k], eta[k], phi[k], m[k] = -999, -999, -999, -999
		}
		if isNegative {
			m[7] = -2
		}
		f := s.find()
		if len(f.Vectors) != 1 || (f.Vectors[0].M == "") != isNegative || strings.Contains(strings.Join(f.Notes, ""), "-2 in entry 7") != isNegative {
			t.Error(f.String())
		}
	}
}

// TestQuantities checks values with the textbook's formulas, and that chunks give what the whole does.
func TestQuantities(t *testing.T) {
	s := newSample(3000, 5)
	pt1, eta1, phi1 := s.polar("_mu1", 1)
	pt2, eta2, phi2 := s.polar("_K", 1)
	met := s.add("met", func(int) float64 { return 20 * s.r.ExpFloat64() })
	metphi := s.add("met_phi", func(int) float64 { return math.Pi * (2*s.r.Float64() - 1) })
	f := s.find()
	const mMu, mK = 0.1056583755, 0.493677
	want := map[string]func(k int) float64{
		"m(mu1+K)": func(k int) float64 {
			e := math.Hypot(pt1[k]*math.Cosh(eta1[k]), mMu) + math.Hypot(pt2[k]*math.Cosh(eta2[k]), mK)
			x := pt1[k]*math.Cos(phi1[k]) + pt2[k]*math.Cos(phi2[k])
			y := pt1[k]*math.Sin(phi1[k]) + pt2[k]*math.Sin(phi2[k])
			z := pt1[k]*math.Sinh(eta1[k]) + pt2[k]*math.Sinh(eta2[k])
			return math.Sqrt(e*e - x*x - y*y - z*z)
		},
		"pT(mu1+K)": func(k int) float64 {
			return math.Sqrt(pt1[k]*pt1[k] + pt2[k]*pt2[k] + 2*pt1[k]*pt2[k]*math.Cos(phi1[k]-phi2[k]))
		},
		"ΔR(mu1,K)": func(k int) float64 {
			d := math.Acos(math.Cos(phi1[k] - phi2[k]))
			return math.Sqrt(d*d + (eta1[k]-eta2[k])*(eta1[k]-eta2[k]))
		},
		"mT(mu1,met)": func(k int) float64 {
			return math.Sqrt(2 * pt1[k] * met[k] * (1 - math.Cos(phi1[k]-metphi[k])))
		},
		"ΣpT(mu1,K)": func(k int) float64 { return pt1[k] + pt2[k] },
		"pz(mu1+K)":  func(k int) float64 { return pt1[k]*math.Sinh(eta1[k]) + pt2[k]*math.Sinh(eta2[k]) },
	}
	table := &rootio.Table{Columns: s.columns}
	x, part := make([]float64, s.n), make([]float64, 100)
	seen := 0
	together := make([][]float64, len(f.Quantities()))
	for i := range together {
		together[i] = make([]float64, s.n)
	}
	Fill(together, f.Quantities(), table, 0)
	for i, q := range f.Quantities() {
		q.Fill(x, table, 0)
		q.Fill(part, table, 1500)
		if !slices.Equal(part, x[1500:1600]) {
			t.Errorf("%s of a part differs", q.Name)
		}
		if !slices.Equal(together[i], x) {
			t.Errorf("%s with others differs", q.Name)
		}
		of := want[q.Name]
		if of == nil {
			continue
		}
		seen++
		for k := range x {
			if w := of(k); !(math.Abs(x[k]-w) <= 1e-6*(1+w*w)/max(w, 0.1)) {
				t.Errorf("%s is %g, want %g", q.Name, x[k], w)
				break
			}
		}
	}
	if seen != len(want) {
		t.Errorf("%d of %d quantities are there", seen, len(want))
	}
}

// TestParts checks that what is the sum of others is seen and not combined with these, and that what was generated is
// compared with what was measured only.
func TestParts(t *testing.T) {
	s := newSample(1000, 7)
	var of [3][3][]float64
	for i, name := range []string{"K", "pi", "mu"} {
		for j, c := range []string{"X", "Y", "Z"} {
			of[i][j] = s.add(name+"_P"+c, func(int) float64 { return (1 + 9*float64(j/2)) * s.r.NormFloat64() })
			s.add(name+"_TRUEP_"+c, func(k int) float64 { return of[i][j][k] * (1 + 0.01*s.r.NormFloat64()) })
		}
	}
	for j, c := range []string{"X", "Y", "Z"} {
		s.add("D_P"+c, func(k int) float64 { return (of[0][j][k] + of[1][j][k]) * (1 + 0.02*s.r.NormFloat64()) })
	}
	s.add("D_M", func(k int) float64 { return 1.8 + 0.1*s.r.Float64() })
	f := s.find()
	for _, v := range f.Vectors {
		if want := v.Name == "D"; slices.Equal(v.Parts, []string{"K", "pi"}) != want || (len(v.Parts) > 0) != want {
			t.Error(v.String())
		}
	}
	var names []string
	for _, q := range f.Quantities() {
		names = append(names, q.Name)
	}
	all := strings.Join(names, "; ")
	for _, want := range []string{"m(K+pi); ", "m(K+pi+mu); ", "ΔR(K,K_TRUE); ", "m(K_TRUE+pi_TRUE); "} {
		if !strings.Contains(all, want) {
			t.Errorf("no %s in %s", want, all)
		}
	}
	for _, not := range []string{"m(D+", "+D)", "m(K+pi_TRUE)", "m(K+K_TRUE)"} {
		if strings.Contains(all, not) {
			t.Errorf("%s in %s", not, all)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	s := newSample(50000, 6)
	for i := range 10 {
		s.polar(string(rune('a'+i)), 1)
	}
	for b.Loop() {
		if f := s.find(); len(f.Vectors) != 10 {
			b.Fatal(f.String())
		}
	}
}

// TestOddTables checks that no values and no kinds of columns do harm.
func TestOddTables(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	odd := []float64{0, math.NaN(), math.Inf(1), -999, 1e300, -1e-300, 3, 1e39}
	for range 300 {
		c := conventions[r.IntN(len(conventions))]
		n := r.IntN(5)
		table := &rootio.Table{}
		for _, name := range strings.Fields(c.names) {
			x := make([]float64, n)
			one := odd[r.IntN(len(odd))]
			kind := r.IntN(4)
			for k := range x {
				switch kind {
				case 0:
					x[k] = one
				case 1:
					x[k] = odd[r.IntN(len(odd))]
				default:
					x[k] = r.Float64()
				}
			}
			column := rootio.NewColumn(rootio.Field{Name: name, Kind: []rootio.Kind{rootio.Float64, rootio.Float64, rootio.Float32, rootio.Bool}[r.IntN(4)]}, n)
			column.SetFloats(0, x)
			table.Columns = append(table.Columns, column)
		}
		f := Find(table, Options{})
		x := make([]float64, n)
		for _, q := range f.Quantities() {
			q.Fill(x, table, 0)
		}
		_ = f.String()
	}
}

// TestIsSound checks that momenta from a damaged file are told from those that were found.
func TestIsSound(t *testing.T) {
	pair := []Vector{{Name: "p1", PT: "pt1", Transverse: true, Relative: true}, {Name: "p2", PT: "pt2", Phi: "dphi", Transverse: true, Relative: true}}
	for name, c := range map[string]struct {
		vectors []Vector
		want    bool
	}{
		"none":                         {nil, true},
		"polar":                        {[]Vector{{Name: "a", PT: "pt", Eta: "eta", Phi: "phi"}}, true},
		"energy":                       {[]Vector{{Name: "a", PX: "x", PY: "y", PZ: "z", E: "e", MassFrom: "e"}}, true},
		"a pair":                       {pair, true},
		"the second alone":             {pair[1:], false},
		"the first alone":              {pair[:1], false},
		"in another order":             {[]Vector{pair[1], pair[0]}, false},
		"another between":              {[]Vector{pair[0], {Name: "met", PT: "met", Phi: "metphi", Transverse: true}, pair[1]}, false},
		"no direction":                 {[]Vector{{Name: "a", PT: "x"}}, false},
		"a mass of nowhere":            {[]Vector{{Name: "a", PT: "pt", Eta: "eta", Phi: "phi", MassFrom: "m"}}, false},
		"a mass that is not a number":  {[]Vector{{Name: "a", PT: "pt", Eta: "eta", Phi: "phi", Mass: math.NaN()}}, false},
		"a column that has not a name": {[]Vector{{Name: "a", PT: "pt", Eta: "", Phi: "phi"}}, false},
	} {
		if f := (Found{Vectors: c.vectors}); f.IsSound() != c.want {
			t.Errorf("%s: sound: %v", name, !c.want)
		}
	}
}
