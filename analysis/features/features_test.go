package features

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/rootio"
)

// draw returns n values of a distribution.
func draw(n int, f func(r *rand.Rand) float64) []float64 {
	r := rand.New(rand.NewPCG(1, 2))
	x := make([]float64, n)
	for i := range x {
		x[i] = f(r)
	}
	return x
}

// distributions are shapes that columns have.
var distributions = map[string]func(r *rand.Rand) float64{
	"normal":      func(r *rand.Rand) float64 { return 5 + 2*r.NormFloat64() },
	"uniform":     func(r *rand.Rand) float64 { return -3 + 7*r.Float64() },
	"exponential": func(r *rand.Rand) float64 { return r.ExpFloat64() },
	"below zero":  func(r *rand.Rand) float64 { return -r.ExpFloat64() },
	"log-normal":  func(r *rand.Rand) float64 { return math.Exp(1.5 * r.NormFloat64()) },
	"power tail":  func(r *rand.Rand) float64 { return math.Pow(1-r.Float64(), -0.5) },
	"Cauchy":      func(r *rand.Rand) float64 { return math.Tan(math.Pi * (r.Float64() - 0.5)) },
	"peak":        func(r *rand.Rand) float64 { return 91.2 + 1.25*math.Tan(math.Pi*0.9*(r.Float64()-0.5)) },
	"two peaks": func(r *rand.Rand) float64 {
		x := 0.1 * r.NormFloat64()
		if r.Float64() < 0.3 {
			x += 10
		}
		return x
	},
	"far away": func(r *rand.Rand) float64 { return 1e9 + r.NormFloat64() },
	"tiny":     func(r *rand.Rand) float64 { return 1e-12 * r.NormFloat64() },
}

func fitOne(t *testing.T, col rootio.Column) *Spec {
	t.Helper()
	s, err := Fit(t.Context(), &rootio.Table{Columns: []rootio.Column{col}}, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestContinuous checks, for each distribution, that the feature is a standard
// normal, that decoding undoes encoding, that log|∂z/∂x| is the derivative, and
// that the density of a standard normal in model space integrates to one in x.
func TestContinuous(t *testing.T) {
	for name, f := range distributions {
		x := draw(20000, f)
		s := fitOne(t, rootio.ColumnOf("x", x))
		c := &s.Columns[0]
		if c.As != column.Continuous {
			t.Errorf("%s: treated as %s", name, c.Describe())
			continue
		}
		table := &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", x)}}
		z, logDet := make([]float32, len(x)), make([]float64, len(x))
		if err := s.Encode(t.Context(), z, logDet, table, Noise{}); err != nil {
			t.Fatal(err)
		}
		var m1, m2, m4 float64
		for _, v := range z {
			v := float64(v)
			m1 += v / float64(len(z))
			m2 += v * v / float64(len(z))
			m4 += v * v * v * v / float64(len(z))
		}
		if math.Abs(m1) > 0.02 || math.Abs(m2-1) > 0.05 || math.Abs(m4-3) > 0.5 {
			t.Errorf("%s (%s): moments of the feature are %.3f, %.3f, %.3f, not 0, 1, 3", name, c.Describe(), m1, m2, m4)
		}

		back := rootio.NewTable(s.Fields(), len(x))
		s.Decode(back, z, nil)
		got := back.Columns[0].Values().([]float64)
		for i, v := range x {
			// A float32 feature moves x by its rounding, times the slope.
			tolerance := 4e-7 * (1 + math.Abs(float64(z[i]))) * math.Exp(-logDet[i])
			if d := math.Abs(got[i] - v); d > tolerance+1e-12*math.Abs(v) {
				t.Errorf("%s: %.9g comes back as %.9g (off by %.2g, allowed %.2g)", name, v, got[i], d, tolerance)
				break
			}
		}

		sorted := slices.Sorted(slices.Values(x))
		for _, p := range []float64{0.001, 0.1, 0.5, 0.77, 0.999} {
			at := sorted[int(p*float64(len(x)))]
			_, logSlope := c.encode(at, 0)
			h := 1e-4 * math.Exp(-logSlope)
			up, _ := c.encode(at+h, 0)
			down, _ := c.encode(at-h, 0)
			if want := math.Log((up - down) / (2 * h)); math.Abs(logSlope-want) > 1e-3+1e-15*math.Abs(at)/h {
				t.Errorf("%s: log slope %g at %g, want %g", name, logSlope, at, want)
			}
		}

		// ∫ p(x) dx, substituting x = decode(u) with u over ±8 standard deviations.
		const steps = 4000
		sum, before := 0.0, c.decode(-8)
		for i := range steps {
			after := c.decode(-8 + 16*float64(i+1)/steps)
			z, ld := c.encode((before+after)/2, 0)
			sum += math.Exp(logNormal(z)+ld) * (after - before)
			before = after
		}
		if math.Abs(sum-1) > 2e-3 {
			t.Errorf("%s: the density integrates to %g", name, sum)
		}
	}
}

func TestEdges(t *testing.T) {
	type edge struct {
		name      string
		f         func(r *rand.Rand) float64
		low, high float64 // NaN: none
	}
	const n = 50000
	none := math.NaN()
	for _, e := range []edge{
		{"cosine", func(r *rand.Rand) float64 { return 2*r.Float64() - 1 }, -1, 1},
		{"polar angle", func(r *rand.Rand) float64 { return math.Pi * r.Float64() }, 0, math.Pi},
		{"pt above 3.3", func(r *rand.Rand) float64 { return 3.3 + 0.3*r.ExpFloat64() }, 3.3, none},
		{"pt", func(r *rand.Rand) float64 { return math.Hypot(r.NormFloat64(), r.NormFloat64()) }, 0, none},
		{"cut", func(r *rand.Rand) float64 { return 20 + 10*r.ExpFloat64() }, 20, none},
		{"normal", func(r *rand.Rand) float64 { return r.NormFloat64() }, none, none},
		{"mass window", func(r *rand.Rand) float64 { return 60 + 60*(math.Sqrt(0.25+2*r.Float64())-0.5) }, 60, 120},
		{"upper", func(r *rand.Rand) float64 { return 1 - r.ExpFloat64() }, none, 1},
	} {
		c := fitOne(t, rootio.ColumnOf("x", draw(n, e.f))).Columns[0]
		for _, side := range []struct {
			name string
			got  *float64
			want float64
		}{{"low", c.Low, e.low}, {"high", c.High, e.high}} {
			switch {
			case side.got == nil && math.IsNaN(side.want):
			case side.got == nil || math.IsNaN(side.want) || math.Abs(*side.got-side.want) > 1e-12:
				t.Errorf("%s: %s edge of “%s”, want %g", e.name, side.name, c.Describe(), side.want)
			}
		}
		for _, v := range []float64{e.low, e.high} {
			if math.IsNaN(v) {
				continue
			}
			z, _ := c.encode(v, 0)
			if beyond := normalCDF(-math.Abs(z)); beyond > 1.0/n || beyond < 1e-3/n {
				t.Errorf("%s: %.3g of the events are beyond the edge at %g of %d events", e.name, beyond, v, n)
			}
		}
	}
}

// TestCodes checks columns of few values of every type: legal codes in the right
// proportions come out of a standard normal, all of them come back, and the
// log-density is that of value + uniform deviate.
func TestCodes(t *testing.T) {
	const n = 20000
	r := rand.New(rand.NewPCG(3, 4))
	pdg := []int32{-14, 11, 12, 2212}
	share := []float64{0.1, 0.2, 0.05, 0.65}
	values := make([]int32, n)
	flags := make([]bool, n)
	charge := make([]float64, n)
	for i := range values {
		u := r.Float64()
		k := 0
		for ; u >= share[k]; k++ {
			u -= share[k]
		}
		values[i] = pdg[k]
		flags[i] = r.Float64() < 0.25
		charge[i] = float64(2*r.IntN(2) - 1)
	}
	table := &rootio.Table{Columns: []rootio.Column{
		rootio.ColumnOf("pdg", values), rootio.ColumnOf("flag", flags), rootio.ColumnOf("charge", charge),
	}}
	s, err := Fit(t.Context(), table, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	z, logDet := make([]float32, 3*n), make([]float64, n)
	if err := s.Encode(t.Context(), z, logDet, table, Noise{Seed: 5}); err != nil {
		t.Fatal(err)
	}
	back := rootio.NewTable(s.Fields(), n)
	s.Decode(back, z, nil)
	for j, col := range table.Columns {
		if !equal(col, back.Columns[j]) {
			t.Errorf("column %s does not come back", col.Name)
		}
	}

	// Uniform within a cell: the density is the proportion of the code.
	for i := range 100 {
		want := 0.0
		for j, c := range s.Columns {
			want -= logNormal(float64(z[3*i+j]))
			x := make([]float64, 1)
			table.Columns[j].Floats(x, i)
			k := slices.Index(c.Codes, x[0])
			p := c.Cumulative[k]
			if k > 0 {
				p -= c.Cumulative[k-1]
			}
			want += math.Log(p)
		}
		if math.Abs(logDet[i]-want) > 1e-4 {
			t.Fatalf("log|det| %g in event %d, want %g", logDet[i], i, want)
		}
	}

	for i := range z {
		z[i] = float32(r.NormFloat64())
	}
	s.Decode(back, z, nil)
	count := map[int32]int{}
	for _, v := range back.Columns[0].Values().([]int32) {
		count[v]++
	}
	for k, code := range pdg {
		sigma := math.Sqrt(n * share[k] * (1 - share[k]) * 2)
		if d := float64(count[code]) - n*share[k]; math.Abs(d) > 4*sigma {
			t.Errorf("code %d: %d of %d events", code, count[code], n)
		}
		delete(count, code)
	}
	if len(count) > 0 {
		t.Errorf("illegal codes %v", count)
	}

	// Fresh noise for another pass, the same noise for the same pass.
	a, b := make([]float32, 3*n), make([]float32, 3*n)
	_ = s.Encode(t.Context(), a, nil, table, Noise{Seed: 5, Pass: 1})
	_ = s.Encode(t.Context(), b, nil, table, Noise{Seed: 5, Pass: 2})
	if slices.Equal(a, b) {
		t.Error("the noise of two passes is the same")
	}
	_ = s.Refresh(t.Context(), b, table, Noise{Seed: 5, Pass: 1})
	if !slices.Equal(a, b) {
		t.Error("Refresh and Encode draw different noise")
	}
	// The noise of an event does not depend on how events are cut.
	_ = s.Encode(t.Context(), b[:3*100], nil, table.Slice(50, 150), Noise{Seed: 5, Pass: 1, First: 50})
	if !slices.Equal(a[150:450], b[:300]) {
		t.Error("the noise of an event depends on the table that it comes in")
	}

	unknown := &rootio.Table{Columns: []rootio.Column{
		rootio.ColumnOf("pdg", []int32{13}), rootio.ColumnOf("flag", []bool{true}), rootio.ColumnOf("charge", []float64{1}),
	}}
	if err := s.Encode(t.Context(), make([]float32, 3), logDet[:1], unknown, Noise{}); err != nil || !math.IsInf(logDet[0], -1) {
		t.Errorf("an unknown code has log|det| %g, error %v", logDet[0], err)
	}
}

func equal(a, b rootio.Column) bool {
	x, y := make([]float64, a.Len()), make([]float64, b.Len())
	a.Floats(x, 0)
	b.Floats(y, 0)
	return a.Kind == b.Kind && slices.Equal(x, y)
}

// TestInteger checks a column of many integers, and that what a model draws are
// integers of its range.
func TestInteger(t *testing.T) {
	x := draw(30000, func(r *rand.Rand) float64 { return math.Floor(1000 * r.ExpFloat64()) })
	values := make([]int64, len(x))
	for i, v := range x {
		values[i] = int64(v)
	}
	table := &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("n", values)}}
	s := fitOne(t, table.Columns[0])
	if s.Columns[0].As != column.Integer {
		t.Fatalf("treated as %s", s.Columns[0].Describe())
	}
	z := make([]float32, len(x))
	if err := s.Encode(t.Context(), z, nil, table, Noise{Seed: 1}); err != nil {
		t.Fatal(err)
	}
	back := rootio.NewTable(s.Fields(), len(x))
	s.Decode(back, z, nil)
	wrong := 0
	for i, v := range back.Columns[0].Values().([]int64) {
		if v != values[i] {
			wrong++
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d integers do not come back", wrong, len(x))
	}
	for i := range z {
		z[i] = float32(20 * (float64(i)/float64(len(z)) - 0.5))
	}
	s.Decode(back, z, nil)
	got := back.Columns[0].Values().([]int64)
	if slices.Min(got) != slices.Min(values) || slices.Max(got) != slices.Max(values) {
		t.Errorf("drawn from %d to %d, data from %d to %d", slices.Min(got), slices.Max(got), slices.Min(values), slices.Max(values))
	}
	// The dequantised density is that of the integers: Σ over cells of ∫ p = 1.
	c, sum := s.Columns[0], 0.0
	for k := c.Min; k <= c.Max; k++ {
		for _, u := range []float64{0.5 - 0.5/math.Sqrt(3), 0.5 + 0.5/math.Sqrt(3)} { // Gauss, two points
			z, ld := c.encode(k, u)
			sum += 0.5 * math.Exp(logNormal(z)+ld)
		}
	}
	if math.Abs(sum-1) > 5e-3 {
		t.Errorf("Σ p = %g", sum)
	}
}

func TestConstant(t *testing.T) {
	table := &rootio.Table{Columns: []rootio.Column{
		rootio.ColumnOf("run", []uint32{7, 7, 7}), rootio.ColumnOf("x", []float32{1, 2, 3}),
	}}
	s, err := Fit(t.Context(), table, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Dim() != 1 {
		t.Errorf("%d features, want 1", s.Dim())
	}
	back := rootio.NewTable(s.Fields(), 2)
	s.Decode(back, []float32{0, 1}, nil)
	if got := back.Columns[0].Values().([]uint32); !slices.Equal(got, []uint32{7, 7}) {
		t.Errorf("a constant column comes back as %v", got)
	}
	table.Columns[1] = rootio.ColumnOf("x", []float32{2, 2, 2})
	if _, err := Fit(t.Context(), table, nil, Options{}); err == nil {
		t.Error("no error where all columns are constant")
	}
}

func TestWeights(t *testing.T) {
	// Half of the events have no weight; the rest are normal.
	x := draw(40000, func(r *rand.Rand) float64 { return r.NormFloat64() })
	w := make([]float64, len(x))
	code := make([]int8, len(x))
	for i := range x {
		if i%2 == 0 {
			x[i] += 100
			code[i] = 1
		} else {
			w[i] = 0.5
		}
	}
	w[0] = -3 // as if absent
	s, err := Fit(t.Context(), &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", x), rootio.ColumnOf("code", code)}}, w, Options{As: map[string]string{"code": "codes"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []float64{-1, 0, 1} {
		if z, _ := s.Columns[0].encode(v, 0); math.Abs(z-v) > 0.05 {
			t.Errorf("the feature of %g is %g", v, z)
		}
	}
	if p := s.Columns[1].Cumulative[0]; p < 0.999999 || p >= 1 {
		t.Errorf("the code with all of the weight has the share %g", p)
	}
}

func TestErrors(t *testing.T) {
	column := rootio.ColumnOf("x", []float64{1, 2, 3, 4})
	for name, c := range map[string]struct {
		table *rootio.Table
		says  string
	}{
		"no event":  {&rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", []float64{})}}, "no event"},
		"no column": {&rootio.Table{}, "no event"},
		"infinite":  {&rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", []float64{1, 2, math.Inf(-1), 4})}}, `"x" is not finite in 1 of 4 events, first in entry 2`},
		"huge":      {&rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", []int64{1, 1 << 60})}}, "2⁵³"},
	} {
		if _, err := Fit(t.Context(), c.table, nil, Options{}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want one that says %q", name, err, c.says)
		}
	}
	s := fitOne(t, column)
	z := make([]float32, 4)
	for name, c := range map[string]struct {
		column rootio.Column
		says   string
	}{
		"missing":    {rootio.ColumnOf("y", []float64{1, 2, 3, 4}), `"x" is missing`},
		"other type": {rootio.ColumnOf("x", []float32{1, 2, 3, 4}), "float32"},
		"infinite":   {rootio.ColumnOf("x", []float64{1, 2, 3, math.Inf(1)}), "entry 13"},
		"NaN":        {rootio.ColumnOf("x", []float64{1, 2, math.NaN(), 4}), "is NaN in entry 12"},
	} {
		err := s.Encode(t.Context(), z, nil, &rootio.Table{Columns: []rootio.Column{c.column}}, Noise{First: 10})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want one that says %q", name, err, c.says)
		}
	}
}

// TestSpecSurvivesJSON checks that a stored specification does exactly the same.
func TestSpecSurvivesJSON(t *testing.T) {
	for name, f := range distributions {
		x := draw(5000, f)
		s := fitOne(t, rootio.ColumnOf("x", x))
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back Spec
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if err := back.Check(&Context{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, v := range x[:100] {
			a, b := s.Columns[0], back.Columns[0]
			if za, _ := a.encode(v, 0); true {
				if zb, _ := b.encode(v, 0); za != zb {
					t.Fatalf("%s: feature %g before, %g after", name, za, zb)
				}
			}
		}
	}
	var magic Spec
	if err := json.Unmarshal([]byte(`{"columns":[{"name":"x","kind":"float64","as":"magic"}]}`), &magic); err == nil {
		t.Error("a column of a kind that there is not can be read")
	}
	if err := (&Spec{Columns: make([]Column, 1)}).Check(&Context{}); err == nil {
		t.Error("a damaged specification passes the check")
	}
}

func TestSpline(t *testing.T) {
	s := NewSpline([]float64{-2, -1, 0.5, 3}, []float64{-1, 0, 0.1, 4})
	for x := -4.0; x < 5; x += 0.01 {
		y, slope := s.Forward(x)
		if back := s.Inverse(y); math.Abs(back-x) > 1e-10 {
			t.Fatalf("s⁻¹(s(%g)) = %g", x, back)
		}
		up, _ := s.Forward(x + 1e-6)
		down, _ := s.Forward(x - 1e-6)
		if want := (up - down) / 2e-6; math.Abs(slope-want) > 1e-4*(1+want) {
			t.Fatalf("slope %g at %g, want %g", slope, x, want)
		}
	}
	var id Spline
	if y, slope := id.Forward(3); y != 3 || slope != 1 || id.Inverse(3) != 3 {
		t.Error("the zero spline is not the identity")
	}
}

// TestSpikes checks columns of which many events share values: these come back
// exactly and in the right proportion, what is between them comes back, and the
// density of all is normalised.
func TestSpikes(t *testing.T) {
	const n = 40000
	for name, c := range map[string]struct {
		spikes map[float64]float64 // proportions
		rest   func(r *rand.Rand) float64
		kind   rootio.Kind
	}{
		"isolation":      {map[float64]float64{0: 0.6}, func(r *rand.Rand) float64 { return 0.1 + r.ExpFloat64() }, rootio.Float64},
		"two sentinels":  {map[float64]float64{-999: 0.2, -99: 0.1}, func(r *rand.Rand) float64 { return r.NormFloat64() }, rootio.Float32},
		"missing value":  {map[float64]float64{-999: 0.2}, func(r *rand.Rand) float64 { return r.NormFloat64() }, rootio.Float32},
		"in the middle":  {map[float64]float64{0.25: 0.05, 0.5: 0.02}, func(r *rand.Rand) float64 { return r.NormFloat64() }, rootio.Float64},
		"at an edge":     {map[float64]float64{1: 0.1}, func(r *rand.Rand) float64 { return 2*r.Float64() - 1 }, rootio.Float64},
		"both ends":      {map[float64]float64{-1: 0.3, 7: 0.3}, func(r *rand.Rand) float64 { return 6 * r.Float64() }, rootio.Float64},
		"of an integer":  {map[float64]float64{-1: 0.3}, func(r *rand.Rand) float64 { return math.Floor(5000 * r.Float64()) }, rootio.Int32},
		"nearly nothing": {map[float64]float64{0: 0.98}, func(r *rand.Rand) float64 { return 1 + r.ExpFloat64() }, rootio.Float64},
	} {
		x := draw(n, func(r *rand.Rand) float64 {
			u := r.Float64()
			for v, p := range c.spikes {
				if u -= p; u < 0 {
					return v
				}
			}
			return c.rest(r)
		})
		column := rootio.NewColumn(rootio.Field{Name: "x", Kind: c.kind}, n)
		column.SetFloats(0, x)
		column.Floats(x, 0) // rounded to the type
		table := &rootio.Table{Columns: []rootio.Column{column}}
		s := fitOne(t, column)
		if got := s.Columns[0].Spikes; len(got) != len(c.spikes) {
			t.Errorf("%s: spikes %v, want %v", name, got, c.spikes)
			continue
		}
		z, logDet := make([]float32, n), make([]float64, n)
		if err := s.Encode(t.Context(), z, logDet, table, Noise{Seed: 1}); err != nil {
			t.Fatal(err)
		}
		var m1, m2 float64
		for _, v := range z {
			m1 += float64(v) / n
			m2 += float64(v) * float64(v) / n
		}
		if math.Abs(m1) > 0.03 || math.Abs(m2-1) > 0.05 {
			t.Errorf("%s: the feature has mean %.3f and mean square %.3f", name, m1, m2)
		}
		back := rootio.NewTable(s.Fields(), n)
		s.Decode(back, z, nil)
		got := make([]float64, n)
		back.Columns[0].Floats(got, 0)
		wrong := 0
		for i, v := range x {
			_, isSpike := c.spikes[v]
			switch d := math.Abs(got[i] - v); {
			case isSpike && d != 0, c.kind.IsInteger() && d != 0:
				wrong++
			case d > 1e-5*(1+math.Abs(v))+1e-6*math.Exp(-logDet[i]):
				t.Fatalf("%s: %g comes back as %g", name, v, got[i])
			}
		}
		if wrong > 0 {
			t.Errorf("%s: %d spikes or integers do not come back", name, wrong)
		}

		r := rand.New(rand.NewPCG(7, 8))
		for i := range z {
			z[i] = float32(r.NormFloat64())
		}
		s.Decode(back, z, nil)
		back.Columns[0].Floats(got, 0)
		count := map[float64]int{}
		for _, v := range got {
			count[v]++
		}
		for v, p := range c.spikes {
			if d := math.Abs(float64(count[v]) - n*p); d > 5*math.Sqrt(2*n*p*(1-p)) {
				t.Errorf("%s: %g in %d of %d events, want %g", name, v, count[v], n, n*p)
			}
		}
		if _, ld := s.Columns[0].encode(x[0], 0.5); math.IsNaN(ld) || math.IsInf(ld, 0) {
			t.Errorf("%s: log-density %g", name, ld)
		}
		lo, hi := s.Limits(0.5)
		if !(lo[0] < hi[0]) {
			t.Errorf("%s: limits %g to %g", name, lo[0], hi[0])
		}
	}

	// Rounded values are no spikes.
	rounded := draw(n, func(r *rand.Rand) float64 { return math.Round(r.NormFloat64()*150) / 100 })
	if c := fitOne(t, rootio.ColumnOf("x", rounded)).Columns[0]; len(c.Spikes) > 0 {
		t.Errorf("rounded values have the spikes %v", c.Spikes)
	}
}

// TestOwnEventsAreInside checks that no edge is placed within the data, whatever
// the values are rounded to.
func TestOwnEventsAreInside(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for range 200 {
		unit := math.Pow(10, -float64(r.IntN(5)))
		lo, width := 20*(r.Float64()-0.5), 10*r.Float64()
		x := make([]float64, 1000)
		for i := range x {
			x[i] = math.Round((lo+width*r.Float64())/unit) * unit
		}
		table := &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", x), rootio.ColumnOf("y", draw(1000, distributions["normal"]))}}
		s, err := Fit(t.Context(), table, nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		z, logDet := make([]float32, s.Dim()*1000), make([]float64, 1000)
		if err := s.Encode(t.Context(), z, logDet, table, Noise{}); err != nil {
			t.Fatal(err)
		}
		for i, ld := range logDet {
			if math.IsInf(ld, 0) || math.IsNaN(ld) {
				t.Fatalf("log|det| %g at %v, %s", ld, x[i], s.Columns[0].Describe())
			}
		}
	}
}

// TestNoFalseEdges checks how often a normal distribution is said to have an edge.
func TestNoFalseEdges(t *testing.T) {
	testenv.Slow(t, "it looks for edges in many samples")
	for _, n := range []int{300, 500, 1000, 2000, 10000} {
		r := rand.New(rand.NewPCG(uint64(n), 1))
		samples := min(200, 400_000/n)
		edges := 0
		for range samples {
			x := make([]float64, n)
			for i := range x {
				x[i] = r.NormFloat64()
			}
			c := fitOne(t, rootio.ColumnOf("x", x)).Columns[0]
			if c.Low != nil {
				edges++
			}
			if c.High != nil {
				edges++
			}
		}
		if edges > 2*samples*3/100 {
			t.Errorf("%d events: %d false edges in %d samples", n, edges, samples)
		}
	}
}

func TestContext(t *testing.T) {
	const n = 3000
	r := rand.New(rand.NewPCG(1, 5))
	pdg, many, x, run := make([]int32, n), make([]int16, n), make([]float32, n), make([]uint8, n)
	for i := range n {
		pdg[i] = []int32{-11, 13, 22}[r.IntN(3)]
		many[i] = int16(r.IntN(40))
		x[i] = float32(r.NormFloat64())
	}
	table := &rootio.Table{Columns: []rootio.Column{
		rootio.ColumnOf("pdg", pdg), rootio.ColumnOf("many", many), rootio.ColumnOf("run", run), rootio.ColumnOf("x", x),
	}}
	c, err := FitContext(t.Context(), table, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Dim() != 3+1+0+1 {
		t.Fatalf("%d features", c.Dim())
	}
	z := make([]float32, n*5)
	if err := c.Encode(z, table, 0); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		for k, code := range []int32{-11, 13, 22} {
			if (z[5*i+k] == 1) != (pdg[i] == code) || z[5*i+k] != 0 && z[5*i+k] != 1 {
				t.Fatalf("pdg %d becomes %v", pdg[i], z[5*i:5*i+3])
			}
		}
		if d := math.Abs(float64(z[5*i+4] - x[i])); d > 0.5 {
			t.Fatalf("x = %g becomes %g", x[i], z[5*i+4])
		}
	}
	again := make([]float32, n*5)
	if err := c.Encode(again, table, 7); err != nil || !slices.Equal(again, z) {
		t.Errorf("the context has noise (%v)", err)
	}
	x[4] = float32(math.NaN())
	if _, err := FitContext(t.Context(), table, nil); err == nil || !strings.Contains(err.Error(), `"x" is not finite`) {
		t.Errorf("NaN in a condition gives the error %v", err)
	}
	x[4], x[5] = 0, 1e30
	pdg[17] = 111
	last := z[5*slices.Index(x, slices.Max(slices.Concat(x[:5], x[6:])))+4]
	if err := c.Encode(z[:50], table.Slice(0, 10), 0); err != nil || z[5*5+4] != last {
		t.Errorf("a value far out becomes %g, the last one %g, error %v", z[5*5+4], last, err)
	}
	if err := c.Encode(z, table, 100); err == nil || !strings.Contains(err.Error(), `"pdg" is 111 in entry 117`) {
		t.Errorf("an unknown code gives the error %v", err)
	}
}

// TestOutlier checks that an event at a million standard deviations leaves the others
// what they are: in model space, in what is drawn, and in the density.
func TestOutlier(t *testing.T) {
	const n = 20000
	for _, far := range []float64{1e6, -1e6, 1e12} {
		x := draw(n, func(r *rand.Rand) float64 { return 3 + r.NormFloat64() })
		x[7] = far
		s := fitOne(t, rootio.ColumnOf("x", x))
		c := &s.Columns[0]
		for _, v := range []float64{1, 2, 3, 4, 5} {
			z, ld := c.encode(v, 0)
			if math.Abs(z-(v-3)) > 0.1 || math.Abs(ld) > 0.3 {
				t.Errorf("with an event at %g, %g has the feature %.3f and the slope %.3f", far, v, z, math.Exp(ld))
			}
		}
		before, after, _ := roundTrip(t, s, &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", x)}})
		for i, v := range before[0] {
			if math.Abs(after[0][i]-v) > 1e-5*(1+math.Abs(v)) && math.Abs(v) < 6 {
				t.Fatalf("%g comes back as %g", v, after[0][i])
			}
		}
		r := rand.New(rand.NewPCG(5, 1))
		out := 0
		const draws = 50 * n
		for range draws {
			if v := c.decode(r.NormFloat64()); math.Abs(v-3) > 7 {
				out++
			}
		}
		if out > 2*draws/n {
			t.Errorf("with an event at %g of %d, %d of %d drawn ones are outliers", far, n, out, draws)
		}
	}
}

// decode returns the value with the feature z.
func (c *Column) decode(z float64) float64 { return c.decodeAmong(c.cells(), z) }
