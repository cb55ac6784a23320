// Package formula has the quantities that physicists compute from the columns of an event: masses, distances,
// sums, ratios, centralities. A formula is one row of a table, with a sentence.
package formula

import (
	"fmt"
	"math"
	"strings"
)

// Kind says what operands a formula takes.
type Kind int

const (
	Numbers     Kind = iota // any columns
	Angles                  // columns of azimuths
	Transverses             // momenta, of which only the transverse part is needed
	Directions              // pseudorapidities with azimuths
	Vectors                 // momenta with masses
	Momenta                 // momenta; the mass does not matter
	Leptons                 // columns of codes of leptons, of the Particle Data Group
)

// Formula is a quantity that follows from operands.
type Formula struct {
	Name string // in model files
	What string // what it is, with a %s for each operand, or one for all where they are Many
	Of   func(v []*Value) float64

	Operands []Kind
	Many     bool // of the kind Operands[0], two or more, and then the others of Operands
	Ordered  bool // operands of the same kind cannot be exchanged

	IsAngle bool // the result is an azimuth: modulo 2π
	IsSum   bool // over the operands: those that an event does not have may be left out
}

// Named returns the formula of a name; nil if there is none.
func Named(name string) *Formula {
	for i := range all {
		if all[i].Name == name {
			return &all[i]
		}
	}
	return nil
}

// All returns the formulas, those that are preferred first.
func All() []*Formula {
	list := make([]*Formula, len(all))
	for i := range all {
		list[i] = &all[i]
	}
	return list
}

// Takes reports whether a formula takes so many operands.
func (f *Formula) Takes(n int) bool {
	return n == len(f.Operands) || f.Many && n > len(f.Operands)
}

// Describe returns the formula of operands in words.
func (f *Formula) Describe(operands []Operand) string {
	var names []any
	for _, o := range operands {
		names = append(names, o.Name)
	}
	if f.Many {
		n := len(operands) - (len(f.Operands) - 1)
		var together []string
		for _, o := range operands[:n] {
			together = append(together, o.Name)
		}
		names = append([]any{strings.Join(together, " + ")}, names[n:]...)
	}
	return fmt.Sprintf(f.What, names...)
}

func x1(of func(x float64) float64) func([]*Value) float64 {
	return func(v []*Value) float64 { return of(v[0].X) }
}

func x2(of func(x, y float64) float64) func([]*Value) float64 {
	return func(v []*Value) float64 { return of(v[0].X, v[1].X) }
}

var (
	one   = []Kind{Numbers}
	two   = []Kind{Numbers, Numbers}
	three = []Kind{Numbers, Numbers, Numbers}
)

// all is the table of formulas.
var all = []Formula{
	// One momentum.
	{Name: "px", What: "px of %s", Operands: []Kind{Transverses}, Of: func(v []*Value) float64 { return v[0].PX }},
	{Name: "py", What: "py of %s", Operands: []Kind{Transverses}, Of: func(v []*Value) float64 { return v[0].PY }},
	{Name: "pz", What: "pz of %s", Operands: []Kind{Momenta}, Of: func(v []*Value) float64 { return v[0].PZ }},
	{Name: "pt", What: "pT of %s", Operands: []Kind{Transverses}, Of: func(v []*Value) float64 { return v[0].PT }},
	{Name: "phi", What: "φ of %s", Operands: []Kind{Transverses}, Of: func(v []*Value) float64 { return v[0].Phi }, IsAngle: true},
	{Name: "eta", What: "η of %s", Operands: []Kind{Momenta}, Of: func(v []*Value) float64 { return v[0].Eta }},
	{Name: "p", What: "momentum of %s", Operands: []Kind{Momenta}, Of: func(v []*Value) float64 { return v[0].P() }},
	{Name: "energy", What: "energy of %s", Operands: []Kind{Vectors}, Of: func(v []*Value) float64 { return v[0].E }},
	{Name: "mass of one", What: "mass of %s", Operands: []Kind{Vectors}, Of: func(v []*Value) float64 { return v[0].M }},
	{Name: "rapidity", What: "rapidity of %s", Operands: []Kind{Vectors}, Of: func(v []*Value) float64 { return v[0].Y }},
	{Name: "transverse mass of one", What: "transverse mass of %s", Operands: []Kind{Vectors}, Of: func(v []*Value) float64 { return v[0].MT }},
	{Name: "transverse energy", What: "E sin θ of %s", Operands: []Kind{Vectors}, Of: func(v []*Value) float64 { return v[0].E * v[0].PT / max(v[0].P(), Least) }},
	{Name: "cosine of the polar angle", What: "cos θ of %s", Operands: []Kind{Momenta}, Of: func(v []*Value) float64 { return v[0].PZ / max(v[0].P(), Least) }},
	{Name: "polar angle", What: "θ of %s", Operands: []Kind{Momenta}, Of: func(v []*Value) float64 { return math.Atan2(v[0].PT, v[0].PZ) }},
	{Name: "kinetic energy", What: "kinetic energy of %s", Operands: []Kind{Vectors}, Of: func(v []*Value) float64 { return v[0].P() * v[0].P() / max(v[0].E+v[0].M, Least) }},

	// Sums of momenta.
	{Name: "mass", What: "mass of %s", Many: true, Operands: []Kind{Vectors}, IsSum: true, Of: func(v []*Value) float64 { return math.Sqrt(mass2(v)) }},
	{Name: "squared mass", What: "squared mass of %s", Many: true, Operands: []Kind{Vectors}, Of: mass2},
	{Name: "pt of sum", What: "pT of %s", Many: true, Operands: []Kind{Transverses}, IsSum: true, Of: func(v []*Value) float64 {
		x, y, _, _ := sum(v)
		return math.Hypot(x, y)
	}},
	{Name: "sum of pt", What: "sum of the pT of %s", Many: true, Operands: []Kind{Transverses}, IsSum: true, Of: func(v []*Value) (s float64) {
		for _, a := range v {
			s += a.PT
		}
		return s
	}},
	{Name: "px of sum", What: "px of %s", Many: true, Operands: []Kind{Transverses}, IsSum: true, Of: func(v []*Value) float64 {
		x, _, _, _ := sum(v)
		return x
	}},
	{Name: "py of sum", What: "py of %s", Many: true, Operands: []Kind{Transverses}, IsSum: true, Of: func(v []*Value) float64 {
		_, y, _, _ := sum(v)
		return y
	}},
	{Name: "pz of sum", What: "pz of %s", Many: true, Operands: []Kind{Momenta}, IsSum: true, Of: func(v []*Value) float64 {
		_, _, z, _ := sum(v)
		return z
	}},
	{Name: "energy of sum", What: "energy of %s", Many: true, Operands: []Kind{Vectors}, IsSum: true, Of: func(v []*Value) float64 {
		_, _, _, e := sum(v)
		return e
	}},
	{Name: "p of sum", What: "momentum of %s", Many: true, Operands: []Kind{Momenta}, IsSum: true, Of: func(v []*Value) float64 {
		x, y, z, _ := sum(v)
		return math.Sqrt(x*x + y*y + z*z)
	}},
	{Name: "phi of sum", What: "φ of %s", Many: true, Operands: []Kind{Transverses}, IsAngle: true, IsSum: true, Of: func(v []*Value) float64 {
		x, y, _, _ := sum(v)
		return math.Atan2(y, x)
	}},
	{Name: "eta of sum", What: "η of %s", Many: true, Operands: []Kind{Momenta}, IsSum: true, Of: func(v []*Value) float64 {
		x, y, z, _ := sum(v)
		return math.Asinh(z / max(math.Hypot(x, y), Least))
	}},
	{Name: "rapidity of sum", What: "rapidity of %s", Many: true, Operands: []Kind{Vectors}, IsSum: true, Of: func(v []*Value) float64 {
		_, _, z, e := sum(v)
		return math.Atanh(z / max(e, Least))
	}},
	{Name: "balance", What: "|Σ pT|/Σ|pT| of %s", Many: true, Operands: []Kind{Transverses}, Of: func(v []*Value) float64 {
		x, y, _, _ := sum(v)
		s := 0.0
		for _, a := range v {
			s += a.PT
		}
		return math.Hypot(x, y) / max(s, Least)
	}},

	// Transverse masses: mT² = 2 pT pT' (1 − cos Δφ), and that with the masses of what is seen.
	{Name: "transverse mass", What: "transverse mass of %s and %s", Operands: []Kind{Transverses, Transverses}, Of: func(v []*Value) float64 {
		return 2 * math.Sqrt(v[0].PT*v[1].PT) * math.Abs(math.Sin(deltaPhi(v)/2))
	}},
	{Name: "transverse mass of massive", What: "transverse mass of %s and %s, with the mass of the first", Operands: []Kind{Vectors, Transverses}, Ordered: true, Of: func(v []*Value) float64 {
		s := math.Sin(deltaPhi(v) / 2)
		return math.Sqrt(max(v[0].M*v[0].M+2*v[1].PT*(v[0].MT-v[0].PT)+4*v[0].PT*v[1].PT*s*s, 0))
	}},
	{Name: "transverse mass of sum", What: "transverse mass of %s with %s", Many: true, Operands: []Kind{Vectors, Transverses}, Of: func(v []*Value) float64 {
		n := len(v) - 1
		x, y, _, _ := sum(v[:n])
		et := math.Sqrt(mass2(v[:n]) + x*x + y*y)
		x, y = x+v[n].PX, y+v[n].PY
		return math.Sqrt(max((et+v[n].PT)*(et+v[n].PT)-x*x-y*y, 0))
	}},

	// Distances.
	{Name: "delta R", What: "ΔR of %s and %s", Operands: []Kind{Directions, Directions}, Of: func(v []*Value) float64 { return math.Hypot(v[0].Eta-v[1].Eta, deltaPhi(v)) }},
	{Name: "delta R by rapidity", What: "ΔR of %s and %s by rapidity", Operands: []Kind{Vectors, Vectors}, Of: func(v []*Value) float64 { return math.Hypot(v[0].Y-v[1].Y, deltaPhi(v)) }},
	{Name: "delta y", What: "Δy of %s and %s", Operands: []Kind{Vectors, Vectors}, Ordered: true, Of: func(v []*Value) float64 { return v[0].Y - v[1].Y }},
	{Name: "|delta y|", What: "|Δy| of %s and %s", Operands: []Kind{Vectors, Vectors}, Of: func(v []*Value) float64 { return math.Abs(v[0].Y - v[1].Y) }},
	{Name: "cosine between", What: "cosine of the angle between %s and %s", Operands: []Kind{Momenta, Momenta}, Of: cosBetween},
	{Name: "angle between", What: "angle between %s and %s", Operands: []Kind{Momenta, Momenta}, Of: func(v []*Value) float64 { return math.Acos(cosBetween(v)) }},
	{Name: "delta phi", What: "Δφ of %s and %s", Operands: []Kind{Angles, Angles}, Ordered: true, IsAngle: true, Of: func(v []*Value) float64 { return math.Remainder(v[0].X-v[1].X, 2*math.Pi) }},
	{Name: "|delta phi|", What: "|Δφ| of %s and %s", Operands: []Kind{Angles, Angles}, Of: absDeltaPhi},
	{Name: "acoplanarity", What: "acoplanarity π − |Δφ| of %s and %s", Operands: []Kind{Angles, Angles}, Of: func(v []*Value) float64 { return math.Pi - absDeltaPhi(v) }},
	{Name: "acoplanarity of pi", What: "acoplanarity 1 − |Δφ|/π of %s and %s", Operands: []Kind{Angles, Angles}, Of: func(v []*Value) float64 { return 1 - absDeltaPhi(v)/math.Pi }},
	{Name: "cos delta phi", What: "cos Δφ of %s and %s", Operands: []Kind{Angles, Angles}, Of: func(v []*Value) float64 { return math.Cos(v[0].X - v[1].X) }},

	// Centralities. Of the azimuth, where the first is between the two others: (A + B)/√(A² + B²), with
	// A = sin(φ − φ₁) and B = sin(φ₂ − φ), both with the sign of sin(φ₂ − φ₁) (the Higgs machine-learning challenge).
	{Name: "phi centrality", What: "φ centrality of %s between %s and %s", Operands: []Kind{Angles, Angles, Angles}, Ordered: true, Of: func(v []*Value) float64 {
		sign := math.Copysign(1, math.Sin(v[2].X-v[1].X))
		a, b := sign*math.Sin(v[0].X-v[1].X), sign*math.Sin(v[2].X-v[0].X)
		return (a + b) / max(math.Hypot(a, b), Least)
	}},
	{Name: "eta centrality", What: "η centrality of %s between %s and %s", Operands: three, Ordered: true, Of: func(v []*Value) float64 {
		z := (v[0].X - (v[1].X+v[2].X)/2) / (v[1].X - v[2].X)
		return math.Exp(-4 * z * z)
	}},
	{Name: "zeppenfeld", What: "%s from the middle of %s and %s", Operands: three, Ordered: true, Of: func(v []*Value) float64 { return v[0].X - (v[1].X+v[2].X)/2 }},
	{Name: "|zeppenfeld|", What: "distance of %s from the middle of %s and %s", Operands: three, Ordered: true, Of: func(v []*Value) float64 { return math.Abs(v[0].X - (v[1].X+v[2].X)/2) }},

	// Scattering: Q² = 2 E (E' − p' cos θ) − m², of the energies of the incoming and the outgoing lepton.
	{Name: "Q2", What: "Q² of %s, %s and %s", Operands: three, Ordered: true, Of: func(v []*Value) float64 { return q2(v, 0) }},
	{Name: "Q2 of electrons", What: "Q² of %s, %s and %s, of an electron", Operands: three, Ordered: true, Of: func(v []*Value) float64 { return q2(v, 0.51099895e-3) }},
	{Name: "Q2 by code", What: "Q² of %s, %s and %s, of the lepton %s", Operands: []Kind{Numbers, Numbers, Numbers, Leptons}, Ordered: true, Of: func(v []*Value) float64 { return q2(v, leptonMass(v[3].X)) }},
	{Name: "Q2 by code, MeV", What: "Q² of %s, %s and %s, of the lepton %s", Operands: []Kind{Numbers, Numbers, Numbers, Leptons}, Ordered: true, Of: func(v []*Value) float64 { return q2(v, 1000*leptonMass(v[3].X)) }},
	{Name: "Q2 of muons", What: "Q² of %s, %s and %s, of a muon", Operands: three, Ordered: true, Of: func(v []*Value) float64 { return q2(v, 0.1056583755) }},

	// Two columns.
	{Name: "x − y", What: "%s − %s", Operands: two, Ordered: true, Of: x2(func(x, y float64) float64 { return x - y })},
	{Name: "|x − y|", What: "|%s − %s|", Operands: two, Of: x2(func(x, y float64) float64 { return math.Abs(x - y) })},
	{Name: "x/y", What: "%s/%s", Operands: two, Ordered: true, Of: x2(func(x, y float64) float64 { return x / y })},
	{Name: "x·y", What: "%s·%s", Operands: two, Of: x2(func(x, y float64) float64 { return x * y })},
	{Name: "asymmetry", What: "(%[1]s − %[2]s)/(%[1]s + %[2]s)", Operands: two, Ordered: true, Of: x2(func(x, y float64) float64 { return (x - y) / (x + y) })},
	{Name: "part", What: "%[1]s/(%[1]s + %[2]s)", Operands: two, Ordered: true, Of: x2(func(x, y float64) float64 { return x / (x + y) })},
	{Name: "relative difference", What: "(%[1]s − %[2]s)/%[2]s", Operands: two, Ordered: true, Of: x2(func(x, y float64) float64 { return (x - y) / y })},
	{Name: "mean", What: "mean of %s and %s", Operands: two, Of: x2(func(x, y float64) float64 { return (x + y) / 2 })},
	{Name: "larger", What: "the larger of %s and %s", Operands: two, Of: x2(math.Max)},
	{Name: "smaller", What: "the smaller of %s and %s", Operands: two, Of: x2(math.Min)},
	{Name: "hypot", What: "√(%s² + %s²)", Operands: two, Of: x2(math.Hypot)},
	{Name: "leg", What: "√(%s² − %s²)", Operands: two, Ordered: true, Of: x2(func(x, y float64) float64 { return math.Sqrt(max((x-y)*(x+y), 0)) })},
	{Name: "geometric mean", What: "√(%s·%s)", Operands: two, Of: x2(func(x, y float64) float64 { return math.Sqrt(x * y) })},
	{Name: "x cosh y", What: "%s·cosh(%s)", Operands: two, Ordered: true, Of: x2(func(x, y float64) float64 { return x * math.Cosh(y) })},
	{Name: "x sinh y", What: "%s·sinh(%s)", Operands: two, Ordered: true, Of: x2(func(x, y float64) float64 { return x * math.Sinh(y) })},
	{Name: "x cos y", What: "%s·cos(%s)", Operands: two, Ordered: true, Of: x2(func(x, y float64) float64 { return x * math.Cos(y) })},
	{Name: "x sin y", What: "%s·sin(%s)", Operands: two, Ordered: true, Of: x2(func(x, y float64) float64 { return x * math.Sin(y) })},
	{Name: "x/cosh y", What: "%s/cosh(%s)", Operands: two, Ordered: true, Of: x2(func(x, y float64) float64 { return x / math.Cosh(y) })},
	{Name: "atan2", What: "atan2(%s, %s)", Operands: two, Ordered: true, IsAngle: true, Of: x2(math.Atan2)},

	// Sums of columns.
	{Name: "sum", What: "%s", Many: true, Operands: one, IsSum: true, Of: func(v []*Value) (s float64) {
		for _, a := range v {
			s += a.X
		}
		return s
	}},

	// One column.
	{Name: "copy", What: "%s", Operands: one, Of: x1(func(x float64) float64 { return x })},
	{Name: "−x", What: "−%s", Operands: one, Of: x1(func(x float64) float64 { return -x })},
	{Name: "|x|", What: "|%s|", Operands: one, Of: x1(math.Abs)},
	{Name: "1000 x", What: "1000·%s", Operands: one, Of: x1(func(x float64) float64 { return 1000 * x })},
	{Name: "x/1000", What: "%s/1000", Operands: one, Of: x1(func(x float64) float64 { return x / 1000 })},
	{Name: "degrees", What: "%s in degrees", Operands: one, Of: x1(func(x float64) float64 { return x * 180 / math.Pi })},
	{Name: "radians", What: "%s in radians", Operands: one, Of: x1(func(x float64) float64 { return x * math.Pi / 180 })},
	{Name: "x²", What: "%s²", Operands: one, Of: x1(func(x float64) float64 { return x * x })},
	{Name: "√x", What: "√%s", Operands: one, Of: x1(math.Sqrt)},
	{Name: "1/x", What: "1/%s", Operands: one, Of: x1(func(x float64) float64 { return 1 / x })},
	{Name: "log", What: "log(%s)", Operands: one, Of: x1(math.Log)},
	{Name: "log10", What: "log10(%s)", Operands: one, Of: x1(math.Log10)},
	{Name: "log1p", What: "log(1 + %s)", Operands: one, Of: x1(math.Log1p)},
	{Name: "exp", What: "exp(%s)", Operands: one, Of: x1(math.Exp)},
	{Name: "10^x", What: "10^%s", Operands: one, Of: x1(func(x float64) float64 { return math.Pow(10, x) })},
	{Name: "cos", What: "cos(%s)", Operands: one, Of: x1(math.Cos)},
	{Name: "sin", What: "sin(%s)", Operands: one, Of: x1(math.Sin)},
	{Name: "acos", What: "acos(%s)", Operands: one, Of: x1(math.Acos)},
	{Name: "cosh", What: "cosh(%s)", Operands: one, Of: x1(math.Cosh)},
	{Name: "tanh", What: "tanh(%s), a cosine of η", Operands: one, Of: x1(math.Tanh)},
	{Name: "theta of eta", What: "θ of the pseudorapidity %s", Operands: one, Of: x1(func(x float64) float64 { return 2 * math.Atan(math.Exp(-x)) })},
	{Name: "eta of theta", What: "η of the polar angle %s", Operands: one, Of: x1(func(x float64) float64 { return -math.Log(math.Tan(x / 2)) })},
}

func absDeltaPhi(v []*Value) float64 { return math.Abs(math.Remainder(v[0].X-v[1].X, 2*math.Pi)) }

// cosBetween is the cosine of the angle between two momenta, from that of their directions.
func cosBetween(v []*Value) float64 {
	a, b := v[0], v[1]
	p := a.P() * b.P()
	return min(max((a.PX*b.PX+a.PY*b.PY+a.PZ*b.PZ)/max(p, Least), -1), 1)
}

// IsLepton reports whether a number is the code of a lepton.
func IsLepton(code float64) bool {
	code = math.Abs(code)
	return code >= 11 && code <= 16 && code == math.Floor(code)
}

// leptonMass is the mass of the lepton of a code, in GeV.
func leptonMass(code float64) float64 {
	switch math.Abs(code) {
	case 11:
		return 0.51099895e-3
	case 13:
		return 0.1056583755
	case 15:
		return 1.77693
	}
	return 0
}

func q2(v []*Value, m float64) float64 {
	e, out, cos := v[0].X, v[1].X, v[2].X
	return 2*e*(out-math.Sqrt(max((out-m)*(out+m), 0))*cos) - m*m
}
