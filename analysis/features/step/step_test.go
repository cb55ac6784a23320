package step

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/formula"
	"github.com/eidolon-hep/eidolon/rootio"
)

// An example is a step with variables of an event that it can take.
type example struct {
	step Step
	draw func(r *rand.Rand) map[string]float64
}

// pair are two momenta in polar coordinates.
func pair() []Vector {
	return []Vector{
		{Name: "a", Components: [3]string{"pt1", "eta1", "phi1"}, Polar: true, From: -math.Pi, Mass: 0.1},
		{Name: "b", Components: [3]string{"pt2", "eta2", "phi2"}, Polar: true, From: -math.Pi, MassBranch: "m2"},
	}
}

// triple are these and a third, massless one, in front.
func triple() []Vector {
	first := Vector{Name: "c", Components: [3]string{"pt0", "eta0", "phi0"}, Polar: true, From: -math.Pi}
	return append([]Vector{first}, pair()...)
}

func massless() []Vector {
	v := pair()
	v[0].Mass, v[1].MassBranch = 0, ""
	return v
}

func drawPair(r *rand.Rand) map[string]float64 {
	return map[string]float64{
		"pt1": 10 + 20*r.ExpFloat64(), "eta1": r.NormFloat64(), "phi1": r.Float64(),
		"pt2": 10 + 20*r.ExpFloat64(), "eta2": r.NormFloat64(), "phi2": -1.5 - r.Float64(), "m2": 1 + r.Float64(),
	}
}

func drawMomentum(r *rand.Rand) map[string]float64 {
	x, y := 1+20*r.ExpFloat64(), r.NormFloat64()
	return map[string]float64{"x": x, "y": y, "z": x*math.Cosh(y) + 0.01*r.NormFloat64()}
}

// with adds to drawn variables one that follows from them.
func with(draw func(*rand.Rand) map[string]float64, name string, of func(v map[string]float64) float64) func(*rand.Rand) map[string]float64 {
	return func(r *rand.Rand) map[string]float64 {
		v := draw(r)
		v[name] = of(v)
		return v
	}
}

// examples are those of each kind of step, by its name.
var examples = map[string][]example{
	"sum": {
		{&Sum{Variable: "s", Kind: rootio.Float64, Terms: []Term{{"x", 2}, {"y", -1}}, Offset: 3},
			with(drawMomentum, "s", func(v map[string]float64) float64 { return 2*v["x"] - v["y"] + 3 })},
		{&Sum{Variable: "s", Kind: rootio.Float64, Terms: []Term{{"x", 1}, {"y", 1}}, Squares: true, Unit: 1024},
			with(drawMomentum, "s", func(v map[string]float64) float64 { return math.Hypot(v["x"], v["y"]) })},
	},
	"lookup": {{&Lookup{Variable: "charge", Of: "pdg", Keys: []float64{-11, 11, 22}, Values: []float64{1, -1, 0}}, func(r *rand.Rand) map[string]float64 {
		i := r.IntN(3)
		return map[string]float64{"pdg": []float64{-11, 11, 22}[i], "charge": []float64{1, -1, 0}[i]}
	}}},
	"difference": {{&Difference{Variable: "z", From: "x"}, drawMomentum}},
	"intervals": {{&Intervals{Variable: "barrel", Of: "eta", Codes: []float64{0, 1}, Walls: []float64{-1.5, 1.5}, Usual: [][]int{{0, 1}, {1, 0}, {0, 1}}}, func(r *rand.Rand) map[string]float64 {
		return map[string]float64{"eta": 2 * r.NormFloat64(), "barrel": float64(r.IntN(2))}
	}}},
	"direction": {
		{&Direction{Variable: "phi", Kind: rootio.Float64, X: "x", Y: "y"},
			with(drawMomentum, "phi", func(v map[string]float64) float64 { return math.Atan2(v["y"], v["x"]) })},
		{&Direction{Variable: "eta", Kind: rootio.Float32, Eta: true, X: "x", Y: "y"},
			with(drawMomentum, "eta", func(v map[string]float64) float64 { return float64(float32(math.Asinh(v["y"] / v["x"]))) })},
	},
	"polar":  {{&Polar{X: "x", Y: "y"}, drawMomentum}, {&Polar{X: "x", Y: "y", Z: "z"}, drawMomentum}},
	"system": {{&System{Name: "Z", Vectors: pair()}, drawPair}},
	"mass": {
		{&Mass{Name: "Z", Vectors: pair()}, drawPair},
		{&Mass{Name: "Z", Vectors: pair(), Softness: 0.1, PT: Bounds{Low: new(9.9), High: new(1e3)}, Window: Bounds{Low: new(2.0)}}, drawPair},
		{&Mass{Name: "Z", Vectors: pair(), Softness: 0.5, PT: Bounds{Low: new(9.0), Below: "most"}}, with(drawPair, "most", func(v map[string]float64) float64 { return 1.5 * v["pt2"] })},
		{&Mass{Name: "Z", Vectors: massless(), Softness: 0.1, PT: Bounds{Below: "most"}}, with(drawPair, "most", func(v map[string]float64) float64 { return 1.5 * v["pt2"] })},
		{&Mass{Name: "X", Vectors: triple(), Softness: 0.02, PT: Bounds{Low: new(1.0)}, Window: Bounds{High: new(1e4)}}, with(with(with(drawPair, "pt0", func(v map[string]float64) float64 { return v["pt1"] / 3 }), "eta0", func(v map[string]float64) float64 { return v["eta2"] - v["eta1"] }), "phi0", func(v map[string]float64) float64 { return 2 + v["phi1"] })},
	},
	"rounded": {
		{&Rounded{Variable: "x", Decimals: &column.Decimals{Digits: 2, Step: 5, Origin: -100, Last: 400}, Except: []float64{-999}},
			func(r *rand.Rand) map[string]float64 {
				return map[string]float64{"x": (-100 + 5*float64(r.IntN(400))) / 100}
			}},
		{&Rounded{Variable: "x", Significant: threeDigits(), Except: []float64{-999}}, func(r *rand.Rand) map[string]float64 {
			return map[string]float64{"x": threeDigits().Round(math.Exp(5 * r.NormFloat64()))}
		}},
		{&Rounded{Variable: "x", Bits: new(column.Bits), Except: []float64{-999}, Within: &column.Circle{Start: -180, Period: 360}},
			func(r *rand.Rand) map[string]float64 { return map[string]float64{"x": -math.Ldexp(1, r.IntN(6))} }},
	},
	"formula": {
		{&Formula{Variable: "mt", Name: "transverse mass", Precision: thousandths(), Operands: []formula.Operand{
			{Name: "lep", Form: formula.PxPyPz, Columns: []string{"x", "y", "z"}}, {Name: "met", Form: formula.Transverse, Columns: []string{"a", "b"}, Absent: new(float64)},
		}, Parents: map[string]column.Precision{"x": thousandths(), "y": thousandths(), "z": thousandths(), "a": thousandths(), "b": thousandths()}, Else: new(float64)},
			drawTransverse},
		{&Formula{Variable: "d", Name: "x − y", Precision: column.Precision{Kind: rootio.Float64}, Operands: []formula.Operand{
			{Name: "x", Form: formula.Number, Columns: []string{"x"}}, {Name: "y", Form: formula.Number, Columns: []string{"y"}},
		}, Parents: map[string]column.Precision{"x": {Kind: rootio.Float64}, "y": {Kind: rootio.Float64}}, Deviates: true},
			with(drawMomentum, "d", func(v map[string]float64) float64 { return v["x"] - v["y"] + math.Max(v["z"], 0) })},
	},
	"missing": {{&Missing{Variable: "pt", Value: new(float64), Of: "n", High: new(float64), Fill: []float64{20, 25, 40}}, func(r *rand.Rand) map[string]float64 {
		return map[string]float64{"n": 1 + float64(r.IntN(3)), "pt": 20 + 10*r.ExpFloat64()}
	}}},
	"residual": {{&Residual{Variable: "z", Relation: "x cosh y", Of: []string{"x", "y"}}, drawMomentum}},
	"harmonic": {{&Harmonic{Variable: "z", Angle: "y", Period: 3, Offset: 1, Cosine: -2, Sine: 5}, drawMomentum}},
	"relative_angle": {{&RelativeAngle{Circle: column.Circle{Start: -180, Period: 360}, Variable: "phi2", To: "phi1"}, func(r *rand.Rand) map[string]float64 {
		return map[string]float64{"phi1": 360*r.Float64() - 180, "phi2": 360*r.Float64() - 180}
	}}},
	"relative_number": {
		{&RelativeNumber{Variable: "z", To: "x"}, drawMomentum},
		{&RelativeNumber{Variable: "z", To: "x", Ratio: true}, drawMomentum},
	},
	"between": {
		{&Between{Variable: "pt2", Softness: 0.3, Bounds: Bounds{Low: new(9.0), Below: "most"}}, with(drawPair, "most", func(v map[string]float64) float64 { return 1.2 * v["pt2"] })},
		{&Between{Variable: "pt2", Softness: 0.01, Bounds: Bounds{High: new(1e3), Above: "least"}}, with(drawPair, "least", func(v map[string]float64) float64 { return 0.9 * v["pt2"] })},
	},
	"recoil": {
		{&Recoil{Name: "b", PT: "pt2", Phi: "phi2", From: -math.Pi, Of: [][2]string{{"pt1", "phi1"}, {"pt0", "eta1"}}}, with(drawPair, "pt0", func(map[string]float64) float64 { return -999 })},
		{&Recoil{Name: "b", PT: "pt2", Phi: "phi2", From: -math.Pi, Of: [][2]string{{"pt1", "phi1"}, {"pt0", "eta1"}}, Components: true}, with(drawPair, "pt0", func(map[string]float64) float64 { return 3 })},
	},
	"rotated": {{&Rotated{X: "x", Y: "y", To: "phi"}, with(drawMomentum, "phi", func(v map[string]float64) float64 { return 2 - v["z"] })}},
	"fraction": {{&Fraction{Variable: "pt2", Of: "pt1", From: 20}, func(r *rand.Rand) map[string]float64 {
		room := 1 + 30*r.ExpFloat64()
		return map[string]float64{"pt1": 20 + room, "pt2": 20 + room*r.Float64()}
	}}},
}

func threeDigits() *column.Significant {
	digits := column.Significant(3)
	return &digits
}

func thousandths() column.Precision {
	decimals := 3
	return column.Precision{Kind: rootio.Float64, Decimals: &decimals}
}

// drawTransverse draws a momentum, a transverse one, and their transverse mass, rounded.
func drawTransverse(r *rand.Rand) map[string]float64 {
	round := func(x float64) float64 { return math.Round(1000*x) / 1000 }
	v := map[string]float64{"a": round(30 * r.ExpFloat64()), "b": round(6*r.Float64() - 3)}
	for _, name := range []string{"x", "y", "z"} {
		v[name] = round(20 * r.NormFloat64())
	}
	x, y := v["x"]/math.Hypot(v["x"], v["y"]), v["y"]/math.Hypot(v["x"], v["y"])
	sin, cos := math.Sincos(v["b"])
	v["mt"] = round(math.Sqrt(2 * math.Hypot(v["x"], v["y"]) * v["a"] * (1 - x*cos - y*sin)))
	return v
}

// frameOf returns a frame of events that are drawn.
func frameOf(n int, draw func(r *rand.Rand) map[string]float64) *Frame {
	f, r := &Frame{}, rand.New(rand.NewPCG(1, 9))
	f.Reset(n)
	for k := range n {
		for name, v := range draw(r) {
			f.Add(name)[k] = v
		}
	}
	return f
}

// TestKinds checks of each kind of step that its example comes back from JSON and does the same,
// that its zero value is not sound, that it takes and makes the variables that it names, that
// the way back undoes it, and that its log|det| is that of finite differences.
func TestKinds(t *testing.T) {
	for _, kind := range kinds {
		if len(examples[kind.name]) == 0 {
			t.Errorf("%s: there is no example", kind.name)
		}
		if kind.make().IsSound() {
			t.Errorf("%s: the zero value is sound", kind.name)
		}
		for _, e := range examples[kind.name] {
			if got := KindOf(e.step); got != kind.name {
				t.Errorf("%s: the example is a %s", kind.name, got)
			}
			text, err := json.Marshal(Steps{e.step})
			if err != nil {
				t.Fatal(err)
			}
			var back Steps
			if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, Steps{e.step}) {
				t.Errorf("%s: %s comes back as %+v, error %v", kind.name, text, back, err)
			}
			if e.step.Describe() == "" {
				t.Errorf("%s has no words", kind.name)
			}
			checkExample(t, kind.name, e)
		}
	}
}

func checkExample(t *testing.T, name string, e example) {
	const n = 100
	f := frameOf(n, e.draw)
	before, there := copyFrame(f), Names{}
	for v := range f.values {
		there.Add(v)
	}
	read, taken, made := e.step.Variables()
	if err := (Steps{e.step}).Check(there, nil); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	deviates := rand.New(rand.NewPCG(2, 9))
	uniform := func(u []float64) {
		for k := range u {
			u[k] = deviates.Float64()
		}
	}
	logDet := make([]float64, n)
	e.step.Forward(f, logDet, uniform)
	f.Take(Scratch)
	f.Take(Scratch2)
	after := copyFrame(f)
	for v := range there {
		if f.At(v) == nil {
			t.Fatalf("%s: there is no %s afterwards", name, v)
		}
	}
	if len(f.values) != len(there) {
		t.Errorf("%s: %d variables afterwards, want %d", name, len(f.values), len(there))
	}
	e.step.Inverse(f)
	for _, v := range append(read, taken...) {
		for k, want := range before.At(v) {
			if got := f.At(v)[k]; math.Abs(got-want) > 1e-6*(1+math.Abs(want)) {
				t.Fatalf("%s: %s = %g comes back as %g", name, v, want, got)
			}
		}
	}

	// Where something is left out its value is no matter of density: an event in which it is
	// something else is impossible.
	if len(made) < len(taken) {
		other := copyFrame(before)
		for k := range n {
			other.At(taken[0])[k] += 7
		}
		impossible := make([]float64, n)
		e.step.Forward(other, impossible, uniform)
		for k := range n {
			if logDet[k] != 0 || !math.IsInf(impossible[k], -1) {
				t.Fatalf("%s: log|det| %g, and %g where the value is another", name, logDet[k], impossible[k])
			}
		}
		return
	}
	if made[0].Name == taken[0] {
		return // a deviate has moved it within its cell
	}
	d := len(taken)
	var ends [2][]*Frame // each variable that is taken, on either side of what it is
	var h [][]float64
	for _, v := range taken {
		size := make([]float64, n)
		for k, x := range before.At(v) {
			size[k] = 1e-5 * (1 + math.Abs(x))
		}
		h = append(h, size)
		for side := range ends {
			g := copyFrame(before)
			for k := range n {
				g.At(v)[k] += size[k] * float64(2*side-1)
			}
			e.step.Forward(g, nil, uniform)
			ends[side] = append(ends[side], g)
		}
	}
	jacobian := mat.NewDense(d, d, nil)
	for k := range n {
		for j := range taken {
			for i, c := range made {
				diff := ends[1][j].At(c.Name)[k] - ends[0][j].At(c.Name)[k]
				if c.Circle != nil {
					diff = math.Remainder(diff, c.Circle.Period)
				}
				jacobian.Set(i, j, diff/(2*h[j][k]))
			}
		}
		if want, _ := mat.LogDet(jacobian); math.Abs(logDet[k]-want) > 1e-3 {
			t.Fatalf("%s: log|det| %g, finite differences %g", name, logDet[k], want)
		}
		for _, c := range made {
			if v := after.At(c.Name)[k]; c.Legal != nil && !(v >= c.Legal[0] && v <= c.Legal[1]) || c.Circle != nil && !(v >= c.Circle.Start && v <= c.Circle.Start+c.Circle.Period) {
				t.Errorf("%s: %s = %g is not where it can be", name, c.Name, v)
			}
		}
	}
}

// TestUnknownSteps checks that an object that is no step, or two, is refused.
func TestUnknownSteps(t *testing.T) {
	for _, text := range []string{`[{}]`, `[{"nosuch":{}}]`, `[{"polar":{"x":"x","y":"y"},"sum":{}}]`, `{}`, `[7]`, `[{"sum":{"terms":7}}]`} {
		var s Steps
		if err := json.Unmarshal([]byte(text), &s); err == nil {
			t.Errorf("%s is read as %+v", text, s)
		}
	}
}
