package features

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/rootio"
)

// distance of two angles on a circle.
func distance(a, b, period float64) float64 {
	return math.Abs(math.Remainder(a-b, period))
}

// TestAngle checks that columns which fill a circle are angles, and others not; that
// they come back, whatever their range, unit and rounding, and where the circle is
// cut; and that the density is normalised on the circle.
func TestAngle(t *testing.T) {
	const n = 20000
	peak := func(at, width float64) func(r *rand.Rand) float64 {
		return func(r *rand.Rand) float64 {
			if r.Float64() < 0.3 {
				return math.Pi * (2*r.Float64() - 1)
			}
			return math.Remainder(at+width*r.NormFloat64(), 2*math.Pi)
		}
	}
	flat := func(start, period float64) func(r *rand.Rand) float64 {
		return func(r *rand.Rand) float64 { return start + period*r.Float64() }
	}
	for _, c := range []struct {
		name   string
		n      int
		kind   rootio.Kind
		f      func(r *rand.Rand) float64
		period float64 // 0: no angle
		cut    float64 // NaN: wherever
	}{
		{"azimuth", n, rootio.Float32, flat(-math.Pi, 2*math.Pi), 2 * math.Pi, -math.Pi},
		{"from zero", n, rootio.Float64, flat(0, 2*math.Pi), 2 * math.Pi, 0},
		{"degrees", n, rootio.Float64, flat(-180, 360), 360, -180},
		{"azimuth from zero in degrees", n, rootio.Float32, flat(0, 360), 360, 0},
		{"rounded", n, rootio.Float32, func(r *rand.Rand) float64 { return math.Round(2*math.Pi*r.Float64()*1000) / 1000 }, 2 * math.Pi, 0},
		{"rounded, both signs", n, rootio.Float64, func(r *rand.Rand) float64 { return math.Round(math.Pi*(2*r.Float64()-1)*1000) / 1000 }, 2 * math.Pi, -math.Pi},
		{"peak at the cut", n, rootio.Float32, peak(math.Pi, 0.3), 2 * math.Pi, math.NaN()},
		{"peak at zero", n, rootio.Float64, peak(0, 0.3), 2 * math.Pi, -math.Pi},
		{"mu_phi", 200, rootio.Float32, flat(-math.Pi, 2*math.Pi), 2 * math.Pi, math.NaN()},
		{"polar", n, rootio.Float64, flat(0, math.Pi), 0, 0},
		{"normal", n, rootio.Float64, func(r *rand.Rand) float64 { return 0.7 * r.NormFloat64() }, 0, 0},
		{"cosine", n, rootio.Float64, flat(-1, 2), 0, 0},
		{"half_phi", n, rootio.Float64, flat(0, math.Pi), 0, 0},
	} {
		col := columnOf(c.kind, draw(c.n, c.f))
		col.Name = c.name
		s := fitOne(t, col)
		a := &s.Columns[0]
		if (a.As == column.Angle) != (c.period > 0) {
			t.Errorf("%s: %s", c.name, a.Describe())
		}
		if a.As != column.Angle {
			continue
		}
		if math.Abs(a.Circle.Period-c.period) > 1e-12 || math.Abs(*a.Low-c.cut) > 1e-12 {
			t.Errorf("%s: period %g, cut at %g", c.name, a.Circle.Period, *a.Low)
		}
		if c.name == "peak at the cut" && math.Abs(*a.Low) > 2 {
			t.Errorf("%s: cut at %g", c.name, *a.Low)
		}
		before, after, _ := roundTrip(t, s, &rootio.Table{Columns: []rootio.Column{col}})
		for i, v := range before[0] {
			tolerance := 1e-6 * c.period
			if len(s.Steps) > 0 {
				tolerance = 0
			}
			if distance(after[0][i], v, c.period) > tolerance || after[0][i] < a.Circle.Start-1e-3 || after[0][i] > a.Circle.Start+c.period+1e-3 {
				t.Errorf("%s: %.9g comes back as %.9g", c.name, v, after[0][i])
				break
			}
		}
		sum := 0.0
		const steps = 20000
		for i := range steps {
			z, ld := a.encode(a.Circle.Start+c.period*(float64(i)+0.5)/steps, 0)
			sum += math.Exp(logNormal(z)+ld) * c.period / steps
		}
		if math.Abs(sum-1) > 5e-3 {
			t.Errorf("%s: the density integrates to %g", c.name, sum)
		}
	}
}

// TestRelative checks angles that are back to back: the second is measured from the
// first, both come back, and when the features are drawn independently, the angles
// are still back to back.
func TestRelative(t *testing.T) {
	const n = 20000
	for _, unit := range []float64{0, 0.001} { // rounded or not
		r := rand.New(rand.NewPCG(1, 9))
		x := make([][]float32, 4)
		for j := range x {
			x[j] = make([]float32, n)
		}
		round := func(v float64) float32 {
			if unit > 0 {
				v = math.Round(v/unit) * unit
			}
			return float32(v)
		}
		for i := range n {
			phi := math.Pi * (2*r.Float64() - 1)
			x[0][i] = round(phi)
			x[1][i] = round(math.Remainder(phi+math.Pi+0.1*r.NormFloat64(), 2*math.Pi))
			x[2][i] = round(math.Pi * (2*r.Float64() - 1))
			x[3][i] = round(math.Remainder(float64(x[1][i])+0.05*r.NormFloat64(), 2*math.Pi))
		}
		table := &rootio.Table{}
		for j, name := range []string{"a", "b", "c", "d"} {
			table.Columns = append(table.Columns, rootio.ColumnOf(name, x[j]))
		}
		s, err := Fit(t.Context(), table, nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"b": "relative to a", "d": "relative to b"} {
			if got := how(s, name); got != want {
				t.Errorf("%s: %s", name, got)
			}
		}
		if s.Dim() != 4 {
			t.Errorf("%d features", s.Dim())
		}
		before, after, z := roundTrip(t, s, table)
		for j := range before {
			for i, v := range before[j] {
				if distance(after[j][i], v, 2*math.Pi) > 3e-6 {
					t.Fatalf("%s: %.9g comes back as %.9g", s.Branches[j].Name, v, after[j][i])
				}
			}
		}
		for i := range z {
			z[i] = float32(r.NormFloat64())
		}
		drawn := rootio.NewTable(s.Fields(), n)
		s.Decode(drawn, z, nil)
		a, b := drawn.Columns[0].Values().([]float32), drawn.Columns[1].Values().([]float32)
		var spread float64
		for i := range n {
			d := math.Remainder(float64(a[i]-b[i])-math.Pi, 2*math.Pi)
			spread += d * d / n
		}
		if math.Abs(math.Sqrt(spread)-0.1) > 0.01 {
			t.Errorf("drawn angles are back to back within %.3f, want 0.1", math.Sqrt(spread))
		}
	}
}

// TestAngleContext checks that an angle is a direction in a condition.
func TestAngleContext(t *testing.T) {
	phi := draw(5000, func(r *rand.Rand) float64 { return 360 * r.Float64() })
	table := &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("phi", phi)}}
	c, err := FitContext(t.Context(), table, nil)
	if err != nil || c.Dim() != 2 {
		t.Fatalf("%d features, error %v", c.Dim(), err)
	}
	z := make([]float32, 2*len(phi))
	if err := c.Encode(z, table, 0); err != nil {
		t.Fatal(err)
	}
	for i, v := range phi {
		sin, cos := math.Sincos(v * math.Pi / 180)
		if math.Abs(float64(z[2*i])-math.Sqrt2*cos) > 1e-6 || math.Abs(float64(z[2*i+1])-math.Sqrt2*sin) > 1e-6 {
			t.Fatalf("%g° becomes (%g, %g)", v, z[2*i], z[2*i+1])
		}
	}
}

// TestPeriodic checks that features which are linear in an angle come back from anywhere on
// the line, that their density is that of the angle, and that an angle with a peak is none of
// them, and none around which nothing repeats.
func TestPeriodic(t *testing.T) {
	const n = 20000
	flat := columnOf(rootio.Float64, draw(n, func(r *rand.Rand) float64 { return 360*r.Float64() - 180 }))
	flat.Name = "phi"
	peak := columnOf(rootio.Float64, draw(n, func(r *rand.Rand) float64 {
		return math.Remainder(0.4*r.NormFloat64(), 2*math.Pi) + math.Pi*float64(r.IntN(2))
	}))
	peak.Name = "dphi"
	r := rand.New(rand.NewPCG(3, 3))
	at := 0
	segments := func(k, depth float64) rootio.Column { // k times around
		at = 0
		c := columnOf(rootio.Float64, draw(n, func(*rand.Rand) float64 {
			phi := flat.Values().([]float64)[at] * math.Pi / 180
			at++
			return r.NormFloat64() * (1 + depth*math.Cos(k*phi+1))
		}))
		c.Name = "x"
		return c
	}
	fit := func(x rootio.Column, w []float64) *Spec {
		table := &rootio.Table{Columns: []rootio.Column{x, peak, flat}}
		s, err := Fit(t.Context(), table, w, Options{As: map[string]string{"dphi": "angle"}})
		if err == nil {
			s, err = s.Periodic(t.Context(), table, w)
		}
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	ones := make([]float64, n)
	for i := range ones {
		ones[i] = 1 + r.Float64()
	}
	for _, c := range []struct {
		k, depth float64
		repeats  bool
	}{{18, 0, false}, {2, 0.3, false}, {4, 0.3, true}, {60, 0.3, true}} {
		for _, w := range [][]float64{nil, ones} {
			if _, got := fit(segments(c.k, c.depth), w).Angle(); got != c.repeats {
				t.Errorf("a spread that changes by %g %g times around: periodic %v", c.depth, c.k, got)
			}
		}
	}
	s := fit(segments(18, 0.3), nil)
	if feature, ok := s.Angle(); !ok || feature != 2 {
		t.Fatalf("linear angle: feature %d, %v, want 2", feature, ok)
	}
	table := &rootio.Table{Columns: []rootio.Column{segments(18, 0.3), peak, flat}}
	again, err := s.Periodic(t.Context(), table, nil)
	if err != nil {
		t.Fatal(err)
	}
	if feature, ok := again.Angle(); !ok || feature != 2 {
		t.Errorf("of a periodic specification: feature %d, %v", feature, ok)
	}
	c := &s.Columns[2]
	if how := c.Describe(); !strings.Contains(how, "angle") || !strings.Contains(how, "linear") {
		t.Errorf("described as %q", how)
	}
	z := make([]float32, n*3)
	logDet := make([]float64, n)
	if err := s.Encode(t.Context(), z, logDet, table, Noise{Seed: 1}); err != nil {
		t.Fatal(err)
	}
	sum, squares := 0.0, 0.0
	for i := range n {
		v := float64(z[3*i+2])
		sum, squares = sum+v, squares+v*v
		if math.Abs(v) > Period/2+1e-6 {
			t.Fatalf("feature %g of an angle", v)
		}
	}
	if math.Abs(sum/n) > 0.05 || math.Abs(squares/n-1) > 0.05 {
		t.Errorf("mean %g, variance %g", sum/n, squares/n)
	}
	for _, v := range []float64{-180, -3, 0, 77, 179.5} {
		feature, ld := c.encode(v, 0.5)
		if want := math.Log(Period / 360); math.Abs(ld-want) > 1e-12 {
			t.Errorf("log slope %g, want %g", ld, want)
		}
		for turns := -2.0; turns <= 2; turns++ {
			if got := c.decode(feature + turns*Period); distance(got, v, 360) > 1e-9 || got < -180 || got >= 180 {
				t.Errorf("%g comes back as %g after %g turns", v, got, turns)
			}
		}
	}
}
