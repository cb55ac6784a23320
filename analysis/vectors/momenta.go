package vectors

import (
	"math"

	"github.com/eidolon-hep/eidolon/analysis/formula"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Operand returns the momentum as an operand of formulas: by the polar components where they are there, with the mass of
// each event.
func (v *Vector) Operand() formula.Operand {
	o := formula.Operand{Name: v.Name, Form: formula.PxPyPz, Columns: v.Components(), Mass: v.Mass}
	switch {
	case v.Relative && v.Phi == "":
		o.Form = formula.PT
	case v.IsPolar() && v.Transverse:
		o.Form = formula.Transverse
	case v.IsPolar():
		o.Form = formula.Polar
	case v.Transverse:
		o.Form = formula.PxPy
	}
	switch {
	case v.MassFrom == "" || v.Transverse:
	case v.MassFrom == v.M:
		o.Form, o.Columns = o.Form+" m", append(o.Columns, v.M)
	default:
		o.Form, o.Columns = o.Form+" e", append(o.Columns, v.E)
	}
	return o
}

// momenta are those of a vector in some events.
type momenta struct {
	of      *Vector
	read    func(p *formula.Value, x []float64)
	columns [][]float64
	x       []float64 // of an event
}

// fill reads n events of t from the first on. load returns all values of a column, if it is not nil.
func (m *momenta) fill(t *rootio.Table, v *Vector, first, n int, load func(string) []float64) {
	o := v.Operand()
	m.of, m.read, m.columns = v, o.Reader(), make([][]float64, len(o.Columns))
	m.x = make([]float64, len(o.Columns))
	for j, name := range o.Columns {
		if load != nil {
			m.columns[j] = load(name)[first : first+n]
			continue
		}
		m.columns[j] = make([]float64, n)
		if c, ok := t.Column(name); ok {
			c.Floats(m.columns[j], first)
		}
	}
}

// at stores the momentum of event k in p. It returns false if the event is without the object.
func (m *momenta) at(k int, p *formula.Value) bool {
	for j, c := range m.columns {
		m.x[j] = c[k]
	}
	if x := m.x; m.of.Absent && (m.of.IsPolar() && x[0] < 0 || !m.of.Transverse && x[0] == x[1] && x[1] == x[2]) {
		return false
	}
	m.read(p, m.x)
	return p.PT == p.PT
}

// size is |p| of event k, NaN if it is without the object.
func (m *momenta) size(k int) float64 {
	var p formula.Value
	if !m.at(k, &p) {
		return math.NaN()
	}
	return p.P()
}

// Quantities of pairs that have no row in package formula, for they are there of columns only.

func deltaEta(p []*formula.Value) float64 { return math.Abs(p[0].Eta - p[1].Eta) }

func deltaPhi(p []*formula.Value) float64 {
	return math.Abs(math.Remainder(p[0].Phi-p[1].Phi, 2*math.Pi))
}

func ratioOfPT(p []*formula.Value) float64 { return p[0].PT / max(p[1].PT, formula.Least) }
