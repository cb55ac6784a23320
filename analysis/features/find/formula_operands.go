package find

import (
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/formula"
	"github.com/eidolon-hep/eidolon/analysis/vectors"
)

// This file makes the operands of formulas: numbers, angles, momenta in each of the ways to read them.

// makeLists makes the operands.
func (g *formulaSearch) makeLists() {
	g.lists = map[formula.Kind][][]*formulaOperand{}
	var numbers, azimuths, leptons []*formulaOperand
	for _, c := range g.columns {
		o := g.operand(c.Name, formula.Number, 0, c.Name)
		numbers = append(numbers, o)
		if c.isAzimuth {
			azimuths = append(azimuths, o)
		}
		if c.isLepton {
			leptons = append(leptons, o)
		}
	}
	for kind, list := range map[formula.Kind][]*formulaOperand{formula.Numbers: numbers, formula.Angles: azimuths, formula.Leptons: leptons} {
		g.lists[kind] = [][]*formulaOperand{list}
	}
	for _, level := range []string{"", "gen"} {
		var of []vectors.Vector
		for _, v := range g.options.Vectors.Vectors {
			if v.Level == level && g.isLeft(&v) {
				of = append(of, v)
			}
		}
		g.listMomenta(of)
	}
}

// isLeft reports whether the columns of a vector that earlier passes have left say what it is, and takes the others out of
// it. A mass that is left out because it hardly varies is a number.
func (g *formulaSearch) isLeft(v *vectors.Vector) bool {
	for _, name := range [...]*string{&v.PT, &v.Eta, &v.Phi, &v.PX, &v.PY, &v.PZ} {
		if g.byName[*name] == nil {
			*name = ""
		}
	}
	if v.MassFrom != "" && g.byName[v.MassFrom] == nil {
		c, _ := g.table.Column(v.MassFrom)
		v.Mass, v.MassOf, v.MassFrom = quantile(column.NewSample(c.Float64s(), nil).Values, 0.5), v.MassFrom, ""
	}
	return v.IsPolar() || v.IsCartesian()
}

// listMomenta makes the operands that are momenta, in each of the ways to read them.
func (g *formulaSearch) listMomenta(vs []vectors.Vector) {
	add := func(kind formula.Kind, list []*formulaOperand) {
		list = slices.DeleteFunc(list, func(o *formulaOperand) bool { return o == nil })
		if len(list) > 0 {
			g.lists[kind] = append(g.lists[kind], list)
		}
	}
	var directions []*formulaOperand
	hasBoth := false
	for i := range vs {
		v := &vs[i]
		for _, name := range v.Components() {
			g.isLearnt[name] = true
		}
		if v.IsPolar() && v.Eta != "" {
			directions = append(directions, g.operand(v.Name, formula.Direction, 0, v.Eta, v.Phi))
		}
		hasBoth = hasBoth || v.IsPolar() && v.IsCartesian()
	}
	add(formula.Directions, directions)
	for _, polar := range []bool{true, false} {
		if !polar && !hasBoth {
			break // all were read so
		}
		var transverse, momenta []*formulaOperand
		for i := range vs {
			v := &vs[i]
			isPolar := v.IsPolar() && (polar || !v.IsCartesian())
			if isPolar {
				transverse = append(transverse, g.operand(v.Name, formula.Transverse, 0, v.PT, v.Phi))
			} else {
				transverse = append(transverse, g.operand(v.Name, formula.PxPy, 0, v.PX, v.PY))
			}
			if !v.Transverse {
				momenta = append(momenta, g.momentum(v, isPolar, "", 0))
			}
		}
		add(formula.Transverses, transverse)
		add(formula.Momenta, momenta)
		// The masses: as they were recognised, none, and those of particles that are often taken for all.
		for _, assumed := range []float64{-1, 0, 0.51099895e-3, 0.1056583755, 0.13957039, 0.493677, 0.93827208816} {
			var list []*formulaOperand
			differs := assumed < 0
			for i := range vs {
				v := &vs[i]
				if v.Transverse {
					continue
				}
				isPolar := v.IsPolar() && (polar || !v.IsCartesian())
				isKnown := v.MassFrom != "" || v.MassOf != ""
				switch {
				case assumed < 0 && v.MassFrom == "":
					list = append(list, g.momentum(v, isPolar, "", v.Mass))
				case assumed < 0:
					list = append(list, g.momentum(v, isPolar, v.MassFrom, 0))
				case assumed == 0 && (v.MassFrom != "" || v.Mass != 0), assumed > 0 && !isKnown:
					differs = true
					list = append(list, g.momentum(v, isPolar, "", assumed*g.options.Vectors.GeV))
				case isKnown && v.MassFrom != "":
					list = append(list, g.momentum(v, isPolar, v.MassFrom, 0))
				default:
					list = append(list, g.momentum(v, isPolar, "", v.Mass))
				}
			}
			if differs {
				add(formula.Vectors, list)
			}
		}
	}
}

// momentum makes an operand of a vector, with the mass from a column or a number.
func (g *formulaSearch) momentum(v *vectors.Vector, polar bool, massFrom string, mass float64) *formulaOperand {
	form, columns := formula.PxPyPz, []string{v.PX, v.PY, v.PZ}
	if polar {
		form, columns = formula.Polar, []string{v.PT, v.Eta, v.Phi}
	}
	switch massFrom {
	case "":
	case v.M:
		form, columns = form+" m", append(columns, v.M)
	default:
		form, columns = form+" e", append(columns, v.E)
	}
	return g.operand(v.Name, form, mass, columns...)
}

// operand makes an operand; nil if one of its columns is not there, or constant.
func (g *formulaSearch) operand(name, form string, mass float64, columns ...string) *formulaOperand {
	o := &formulaOperand{Operand: formula.Operand{Name: name, Form: form, Columns: columns, Mass: mass}}
	for _, c := range columns {
		if g.byName[c] == nil {
			return nil
		}
	}
	o.Absent = g.byName[columns[0]].absent
	read := o.Reader()
	x := make([]float64, len(columns))
	for i, k := range g.events {
		for j, c := range columns {
			x[j] = g.byName[c].x[k]
		}
		if o.there[i] = !o.IsAbsent(x); o.there[i] {
			read(&o.value[i], x)
		}
	}
	return o
}
