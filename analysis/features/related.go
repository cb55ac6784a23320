package features

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Residual is the map that leaves of a column what a relation between momenta does
// not say:
//
//	d = y − relation(x…),  log|∂d/∂y| = 0
//
// as in a file that has p, pT and η, each rounded. Such events lie so close to a curved
// surface that no density finds it; d is as wide as the rounding.
type Residual struct {
	Variable string   `json:"variable"`
	Relation string   `json:"relation"`
	Of       []string `json:"of"`
}

// relations are those that columns are tried for.
var relations = []struct {
	name      string
	of        func(x, y float64) float64
	symmetric bool
}{
	{"x cosh y", func(x, y float64) float64 { return x * math.Cosh(y) }, false}, // p of pT and η
	{"x sinh y", func(x, y float64) float64 { return x * math.Sinh(y) }, false}, // pz
	{"x cos y", func(x, y float64) float64 { return x * math.Cos(y) }, false},   // px of pT and φ
	{"x sin y", func(x, y float64) float64 { return x * math.Sin(y) }, false},   // py
	{"√(x² + y²)", math.Hypot, true},                                            // pT of px and py
}

func (r *Residual) relation() func(x, y float64) float64 {
	for _, relation := range relations {
		if relation.name == r.Relation {
			return relation.of
		}
	}
	return nil
}

// name of the coordinate.
func (r *Residual) name() string {
	return fmt.Sprintf("%s − its value from %s, %s", r.Variable, r.Of[0], r.Of[1])
}

func (r *Residual) variables() (read, taken, made []string) {
	return r.Of, []string{r.Variable}, []string{r.name()}
}

func (r *Residual) isNoisy() bool { return false }

func (r *Residual) isSound() bool { return len(r.Of) == 2 && r.relation() != nil }

func (r *Residual) forward(f *frame, _ []float64, _ func([]float64)) {
	d, of, x, y := f.add(r.name()), r.relation(), f.at(r.Of[0]), f.at(r.Of[1])
	for k, v := range f.at(r.Variable) {
		d[k] = v - of(x[k], y[k])
	}
	f.take(r.Variable)
}

func (r *Residual) inverse(f *frame) {
	v, of, x, y := f.add(r.Variable), r.relation(), f.at(r.Of[0]), f.at(r.Of[1])
	for k, d := range f.at(r.name()) {
		v[k] = d + of(x[k], y[k])
	}
	f.take(r.name())
}

const (
	// related is the part of a column's standard deviation below which what is left
	// of it shows that it is related to others.
	related = 0.02
	// better is the part that is left of what would be left if the column were
	// measured from one of the others alone.
	better = 0.3
	// mostRelated is the number of columns up to which relations are looked for.
	mostRelated = 60
)

// relateMomenta replaces columns that are nearly given by others. Branches that are
// kept stay as they are.
func (f *fitting) relateMomenta(kept []string) {
	var fields []rootio.Field
	for _, field := range f.spec.Branches {
		if !field.Kind.IsFloat() || f.gone[field.Name] || slices.Contains(kept, field.Name) {
			continue
		}
		s := f.sample(field.Name)
		if _, isAngle := f.circles[field.Name]; isAngle || s.Missing == 0 && f.kindOf(field, s) == column.Continuous {
			if fields = append(fields, field); len(fields) > mostRelated {
				f.cut = fmt.Sprintf("there are more than %d columns", mostRelated)
				return
			}
		}
	}
	for {
		r := f.findResidual(fields)
		if r == nil {
			return
		}
		for _, field := range fields {
			if field.Name == r.Variable || slices.Contains(r.Of, field.Name) {
				f.round(field)
			}
		}
		f.apply(Map{Residual: r})
		f.coordinates = append(f.coordinates, rootio.Field{Name: r.name(), Kind: rootio.Float64})
		fields = slices.DeleteFunc(fields, func(field rootio.Field) bool { return field.Name == r.Variable })
	}
}

// apart returns the standard deviation of y − x.
func apart(y, x []float64) float64 {
	d := make([]float64, len(y))
	for k, v := range y {
		d[k] = v - x[k]
	}
	return stat.StdDev(d, nil)
}

// findResidual returns the map that leaves least of a column; nil if there is none.
func (f *fitting) findResidual(fields []rootio.Field) (best *Residual) {
	const few, many = 50, 5000
	n := min(f.n, many)
	if n < few {
		return nil
	}
	least := related
	d := make([]float64, n)
	for _, y := range fields {
		if _, isAngle := f.circles[y.Name]; isAngle {
			continue
		}
		v := f.load(y.Name)
		std := stat.StdDev(v[:n], nil)
		for i, a := range fields {
			if f.over() {
				return nil
			}
			for j, b := range fields {
				if a.Name == y.Name || b.Name == y.Name || i == j {
					continue
				}
				p, q := f.load(a.Name), f.load(b.Name)
				for _, relation := range relations {
					if relation.symmetric && i > j {
						continue
					}
					// A few events rule most of them out.
					size := few
					for k := range size {
						d[k] = v[k] - relation.of(p[k], q[k])
					}
					if !(stat.StdDev(d[:size], nil) < 2*least*std) {
						continue
					}
					for k := range n {
						d[k] = v[k] - relation.of(p[k], q[k])
					}
					left := stat.StdDev(d, nil) / std
					// pT is no √(pT'² + η²), if it is close to pT'.
					if left < least && left < better*min(apart(v[:n], p), apart(v[:n], q))/std {
						least = left
						best = &Residual{y.Name, relation.name, []string{a.Name, b.Name}}
					}
				}
			}
		}
	}
	return best
}
