package find

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/analysis/vectors"
	"github.com/eidolon-hep/eidolon/rootio"
)

// An example is data in which a pass must act. It must not where the column breaks, moved on by an
// event, has nothing to do with the others any more; or without the options, where it is "".
type example struct {
	table, given *rootio.Table
	options      Options
	breaks       string
}

const events = 2000

// columns returns a table whose columns have the values that draw gives, in the order of names.
func columns(names []string, draw func(r *rand.Rand) []float64) *rootio.Table {
	r := rand.New(rand.NewPCG(19, 1))
	x := make([][]float64, len(names))
	for range events {
		for j, v := range draw(r) {
			x[j] = append(x[j], v)
		}
	}
	table := &rootio.Table{}
	for j, name := range names {
		table.Columns = append(table.Columns, rootio.ColumnOf(name, x[j]))
	}
	return table
}

// momentum draws px, py, pz.
func momentum(r *rand.Rand) (x, y, z float64) {
	return 20 * r.NormFloat64(), 20 * r.NormFloat64(), 50 * r.NormFloat64()
}

// rounded returns a column of values that are rounded to thousandths.
func rounded(x float64) float64 { return math.Round(1000*x) / 1000 }

// examples are those of the passes, by their names.
var examples = map[string]func() example{
	"masses": func() example {
		return example{table: columns([]string{"p", "E", "m"}, func(r *rand.Rand) []float64 {
			x, y, z := momentum(r)
			p := math.Sqrt(x*x + y*y + z*z)
			e := math.Hypot(p, 0.938)
			return []float64{p, e, math.Sqrt((e - p) * (e + p))}
		}), breaks: "p"}
	},
	"directions": func() example {
		return example{table: columns([]string{"px", "py", "phi"}, func(r *rand.Rand) []float64 {
			x, y, _ := momentum(r)
			return []float64{x, y, math.Atan2(y, x)}
		}), breaks: "phi"}
	},
	"sums": func() example {
		return example{table: columns([]string{"a", "b", "sum"}, func(r *rand.Rand) []float64 {
			a, b := r.ExpFloat64(), r.NormFloat64()
			return []float64{a, b, a - 2*b}
		}), breaks: "sum"}
	},
	"formulas": func() example {
		return example{table: columns([]string{"a", "b", "ratio"}, func(r *rand.Rand) []float64 {
			a, b := 20+10*r.ExpFloat64(), 30+20*r.ExpFloat64()
			return []float64{rounded(a), rounded(b), rounded(a / b)}
		}), breaks: "ratio"}
	},
	"missing": func() example {
		return example{table: columns([]string{"jets", "pt2"}, func(r *rand.Rand) []float64 {
			n, pt := float64(r.IntN(4)), 30+20*r.ExpFloat64()
			if n < 2 {
				pt = -999
			}
			return []float64{n, pt}
		}), breaks: "pt2"}
	},
	"lookups": func() example {
		return example{table: columns([]string{"pdg", "charge"}, func(r *rand.Rand) []float64 {
			i := r.IntN(4)
			return []float64{[]float64{-13, -11, 11, 13}[i], []float64{1, 1, -1, -1}[i]}
		}), breaks: "charge"}
	},
	"equalities": func() example {
		return example{table: columns([]string{"jets", "leading", "sum"}, func(r *rand.Rand) []float64 {
			jets, leading := float64(1+r.IntN(3)), rounded(30+20*r.ExpFloat64())
			sum := leading
			if jets > 1 {
				sum = rounded(leading + jets*15*r.Float64())
			}
			return []float64{jets, leading, sum}
		}), breaks: "sum"}
	},
	"intervals": func() example {
		return example{table: columns([]string{"eta", "barrel"}, func(r *rand.Rand) []float64 {
			eta, barrel := 4*r.Float64()-2, 0.0
			if (math.Abs(eta) < 1.48) != (r.Float64() < 0.003) {
				barrel = 1
			}
			return []float64{eta, barrel}
		}), breaks: "barrel"}
	},
	"systems": func() example {
		vector := func(name string) step.Vector {
			return step.Vector{Name: name, Components: [3]string{"px" + name, "py" + name, "pz" + name}}
		}
		return example{table: columns([]string{"px1", "py1", "pz1", "px2", "py2", "pz2"}, func(r *rand.Rand) []float64 {
			x, y, z := momentum(r)
			x2, y2, z2 := momentum(r)
			return []float64{x, y, z, x2, y2, z2}
		}), options: Options{Systems: []*step.System{{Name: "Z", Vectors: []step.Vector{vector("1"), vector("2")}}}}}
	},
	"polar": func() example {
		return example{table: columns([]string{"px", "py", "pt"}, func(r *rand.Rand) []float64 {
			x, y, _ := momentum(r)
			return []float64{x, y, math.Hypot(x, y)}
		}), breaks: "pt"}
	},
	"fractions": func() example {
		return example{table: columns([]string{"pt1", "pt2"}, func(r *rand.Rand) []float64 {
			pt := 20 + 30*r.ExpFloat64()
			return []float64{pt, 20 + (pt-20)*r.Float64()}
		}), options: Options{As: map[string]string{"pt2": "below:pt1"}}}
	},
	"residuals": func() example {
		return example{table: columns([]string{"pt", "eta", "p"}, func(r *rand.Rand) []float64 {
			pt, eta := 5+20*r.ExpFloat64(), 2*r.NormFloat64()
			return []float64{rounded(pt), rounded(eta), rounded(pt * math.Cosh(eta) * (1 + 0.001*r.NormFloat64()))}
		}), breaks: "p"}
	},
	"harmonics": func() example {
		return example{table: columns([]string{"phi", "dxy"}, func(r *rand.Rand) []float64 {
			phi := math.Pi * (2*r.Float64() - 1)
			return []float64{phi, 0.07*math.Sin(phi-2) + 0.005*r.NormFloat64()/math.Sqrt(r.Float64())}
		}), breaks: "dxy"}
	},
	"choices": func() example {
		v, table := pairOfMuons(events)
		return example{table: table, options: Options{Vectors: vectors.Found{Vectors: v}, Choices: []Choice{{Kind: Mass, Vectors: []string{"a", "b"}}}}}
	},
	"relative numbers": func() example {
		return example{
			given: columns([]string{"true"}, func(r *rand.Rand) []float64 { return []float64{100 * r.NormFloat64()} }),
			table: columns([]string{"reco"}, func(r *rand.Rand) []float64 {
				truth := 100 * r.NormFloat64() // the same as in given
				return []float64{truth + math.Sin(truth)}
			}), breaks: "reco"}
	},
	"rotation": func() example {
		return example{table: columns([]string{"pt1", "phi1", "pt2", "phi2"}, func(r *rand.Rand) []float64 {
			phi := math.Pi * (2*r.Float64() - 1)
			return []float64{r.ExpFloat64(), phi, r.ExpFloat64(), math.Remainder(phi+math.Pi+0.1*r.NormFloat64(), 2*math.Pi)}
		}), options: Options{Choices: []Choice{{Kind: Rotation, Vectors: []string{"a"}}}, Vectors: vectors.Found{Vectors: []vectors.Vector{
			{Name: "a", PT: "pt1", Phi: "phi1", Transverse: true}, {Name: "b", PT: "pt2", Phi: "phi2", Transverse: true},
		}}}}
	},
	"relative angles": func() example {
		return example{table: columns([]string{"phi1", "phi2"}, func(r *rand.Rand) []float64 {
			phi := math.Pi * (2*r.Float64() - 1)
			return []float64{phi, math.Remainder(phi+math.Pi+0.1*r.NormFloat64(), 2*math.Pi)}
		}), breaks: "phi2"}
	},
}

// acts reports whether a pass adds steps to those that the passes before it have made.
func acts(t *testing.T, name string, e example) bool {
	if e.given == nil {
		e.given = &rootio.Table{}
	}
	e.options.Uniform = func(_ string, u []float64) {
		r := rand.New(rand.NewPCG(1, 1))
		for k := range u {
			u[k] = r.Float64()
		}
	}
	s := newSearch(t.Context(), e.table, e.given, nil, e.options)
	for _, p := range passes {
		before := len(s.Steps)
		if err := s.run(p); err != nil {
			t.Fatalf("%s: %v", p.name, err)
		}
		if p.name == name {
			return len(s.Steps) > before
		}
	}
	return false
}

// TestPasses checks of each pass that it acts where it must, and not where it must not.
func TestPasses(t *testing.T) {
	for _, p := range passes {
		if examples[p.name] == nil {
			t.Errorf("%s: there is no example", p.name)
			continue
		}
		e := examples[p.name]()
		if !acts(t, p.name, e) {
			t.Errorf("%s: does nothing", p.name)
		}
		if e.breaks == "" {
			e.options = Options{}
		} else {
			c, _ := e.table.Column(e.breaks)
			x := make([]float64, events)
			c.Floats(x, 0)
			c.SetFloats(0, append(x[1:], x[0]))
		}
		if acts(t, p.name, e) {
			t.Errorf("%s: acts where it must not", p.name)
		}
	}
}
