package column

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// examples has data of which a column is of each kind.
var examples = map[Kind]struct {
	field rootio.Field
	value func(r *rand.Rand, event int) float64
}{
	Constant:   {rootio.Field{Name: "charge", Kind: rootio.Int32}, func(*rand.Rand, int) float64 { return -1 }},
	Number:     {rootio.Field{Name: "event", Kind: rootio.Int64}, func(_ *rand.Rand, event int) float64 { return float64(1000 + event) }},
	Codes:      {rootio.Field{Name: "pdg", Kind: rootio.Int32}, func(r *rand.Rand, _ int) float64 { return []float64{-13, -11, 11, 13}[r.IntN(4)] }},
	Integer:    {rootio.Field{Name: "channel", Kind: rootio.Int32}, func(r *rand.Rand, _ int) float64 { return float64(r.IntN(5000)) - 77 }},
	Count:      {rootio.Field{Name: "hits", Kind: rootio.Int32}, func(r *rand.Rand, _ int) float64 { return math.Floor(30 / (0.01 + r.Float64())) }},
	Angle:      {rootio.Field{Name: "phi", Kind: rootio.Float64}, func(r *rand.Rand, _ int) float64 { return math.Pi * (2*r.Float64() - 1) }},
	Continuous: {rootio.Field{Name: "x", Kind: rootio.Float64}, func(r *rand.Rand, _ int) float64 { return r.NormFloat64() }},
}

// askedFor are the kinds that [Find] does not recognise.
var askedFor = map[Kind]bool{Number: true, Count: true}

func exampleOf(t *testing.T, k Kind) (Data, Kind) {
	t.Helper()
	e, ok := examples[k]
	if !ok {
		t.Fatalf("there is no example of the kind %s", k)
	}
	r := rand.New(rand.NewPCG(3, 5))
	x := make([]float64, 20000)
	for i := range x {
		x[i] = e.value(r, i)
	}
	asked := Kind{}
	if askedFor[k] {
		asked = k
	}
	return DataOf(e.field, x, nil), asked
}

// TestKinds checks that what each kind does it does exactly, and that a file keeps it.
func TestKinds(t *testing.T) {
	for _, k := range Kinds() {
		d, asked := exampleOf(t, k)
		c, variable := Find(d, asked)
		if c.As != k {
			t.Errorf("%s: found to be %s", k, c.As)
			continue
		}
		if named, ok := Named(k.String()); !ok || named != k {
			t.Errorf("%s: its name is that of %s", k, named)
		}
		if flaw := d.Refuse(k); k.IsLearnt() && flaw != "" {
			t.Errorf("%s: refused: %s", k, flaw)
		}
		var again Column
		if text, err := json.Marshal(c); err != nil {
			t.Errorf("%s: %v", k, err)
		} else if err := json.Unmarshal(text, &again); err != nil || !reflect.DeepEqual(again, c) {
			t.Errorf("%s: of %+v a file keeps %+v (%v)", k, c, again, err)
		}
		if !c.IsSound() {
			t.Errorf("%s: not sound", k)
		}
		if c.Describe() == "" || c.Had() == "" {
			t.Errorf("%s: not described", k)
		}
		if got := variable != nil; got != (c.As.IsLearnt() && !c.As.IsUniform()) {
			t.Errorf("%s: a variable to be treated: %v", k, got)
		}
		if !c.As.IsLearnt() {
			continue
		}
		r := rand.New(rand.NewPCG(7, 1))
		for _, x := range d.Values[:1000] {
			u := r.Float64()
			y, logSlope := c.Open(x, u)
			if got := c.Close(y); math.Abs(got-x) > 1e-12 {
				t.Fatalf("%s: %g comes back as %g", k, x, got)
			}
			if c.As.IsUniform() && !(y >= 0 && y < 1) {
				t.Fatalf("%s: %g becomes %g, outside of the unit interval", k, x, y)
			}
			const h = 1e-6 // of the deviate, where that matters, or of the value
			dx, du := h, 0.0
			if c.IsNoisy() {
				dx, du = 0, h
			}
			above, _ := c.Open(x+dx, u+du)
			below, _ := c.Open(x-dx, u-du)
			if slope := (above - below) / (2 * h); math.Abs(slope-math.Exp(logSlope)) > 1e-6 {
				t.Fatalf("%s: the slope at %g is %g, not %g", k, x, slope, math.Exp(logSlope))
			}
			if c.Nearest(x) != x || c.IsUnknown(x) {
				t.Fatalf("%s: %g is said to be none of the values", k, x)
			}
		}
	}
}

// TestKindsAreToldApart checks that no kind takes the values of another one: that the table's order
// is right.
func TestKindsAreToldApart(t *testing.T) {
	if _, ok := Named("magic"); ok {
		t.Error("there is a kind that there is not")
	}
	for _, c := range []struct {
		what  string
		field rootio.Field
		x     func(r *rand.Rand, event int) float64
		want  Kind
	}{
		{"a few floats, each once", rootio.Field{Name: "x", Kind: rootio.Float64}, func(r *rand.Rand, _ int) float64 { return r.Float64() }, Continuous},
		{"always missing", rootio.Field{Name: "x", Kind: rootio.Float64}, func(*rand.Rand, int) float64 { return math.NaN() }, Constant},
		{"a bool", rootio.Field{Name: "trigger", Kind: rootio.Bool}, func(r *rand.Rand, _ int) float64 { return float64(r.IntN(2)) }, Codes},
		{"an angle with a spike", rootio.Field{Name: "phi", Kind: rootio.Float64}, func(r *rand.Rand, _ int) float64 {
			if r.IntN(10) == 0 {
				return 0
			}
			return math.Pi * (2*r.Float64() - 1)
		}, Continuous},
		{"half a circle", rootio.Field{Name: "theta", Kind: rootio.Float64}, func(r *rand.Rand, _ int) float64 { return math.Acos(2*r.Float64() - 1) }, Continuous},
	} {
		r := rand.New(rand.NewPCG(3, 5))
		x := make([]float64, 5000)
		for i := range x {
			x[i] = c.x(r, i)
		}
		if found, _ := Find(DataOf(c.field, x, nil), Kind{}); found.As != c.want {
			t.Errorf("%s: found to be %s, not %s", c.what, found.As, c.want)
		}
	}
}
