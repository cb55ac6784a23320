package vectors

import (
	"math"
	"slices"
	"strings"

	"github.com/eidolon-hep/eidolon/analysis/formula"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Quantity is a number that follows from the momenta of an event.
type Quantity struct {
	Name    string   // m(mu1+mu2)
	Words   string   // mass of mu1 + mu2
	Angle   bool     // it is an azimuth, in (−π, π]
	Parents []string // the columns that it follows from

	vectors []*Vector
	of      func([]*formula.Value) float64
	sums    bool // over the objects that are there: it is not missing where some are
}

const (
	mostPaired     = 6  // vectors that are combined in pairs
	mostQuantities = 60 // of a table
)

// Quantities returns what physicists look at first: what is beside the columns for single vectors, masses, distances
// and sums of pairs, and those of all vectors. The most important ones come first; there are 60 at most. Vectors of what
// was generated are combined with each other only.
func (f *Found) Quantities() []Quantity {
	var all []Quantity
	add := func(name, words string, of func([]*formula.Value) float64, vectors ...*Vector) *Quantity {
		q := Quantity{Name: name, Words: words, of: of, vectors: vectors}
		for _, v := range vectors {
			q.Parents = append(q.Parents, v.Components()...)
			if v.MassFrom != "" {
				q.Parents = append(q.Parents, v.MassFrom)
			}
		}
		slices.Sort(q.Parents)
		q.Parents = slices.Compact(q.Parents)
		all = append(all, q)
		return &all[len(all)-1]
	}
	var full, missing []*Vector
	for i := range f.Vectors {
		if v := &f.Vectors[i]; v.Transverse {
			missing = append(missing, v)
		} else {
			full = append(full, v)
		}
	}
	for _, measured := range full {
		for _, generated := range full {
			if measured.Level == "" && generated.Level == "gen" && isSame(measured.Name, generated.Name) {
				f.response(measured, generated, add)
			}
		}
	}
	for _, level := range []string{"", "gen"} {
		var vs, met []*Vector
		for _, v := range full {
			if v.Level == level && len(v.Parts) == 0 {
				vs = append(vs, v)
			}
		}
		for _, v := range missing {
			if v.Level == level {
				met = append(met, v)
			}
		}
		f.quantities(vs, met, add)
	}
	// What is important comes first, whatever the level.
	slices.SortStableFunc(all, func(a, b Quantity) int { return a.rank() - b.rank() })
	return all[:min(len(all), mostQuantities)]
}

// ranks are the beginnings of the names of quantities, the most important ones first.
var ranks = [...]string{"pT(", "η(", "φ(", "m(", "ΔR(", "mT(", "ΣpT", "Δφ(", "Δη(", "pT/", "E(", "pz("}

func (q *Quantity) rank() int {
	i := slices.IndexFunc(ranks[:], func(begin string) bool { return strings.HasPrefix(q.Name, begin) })
	if ranks[i] == "pT(" && len(q.vectors) > 1 { // of a sum
		i = slices.Index(ranks[:], "ΔR(")
	}
	return i
}

// isSame reports whether two names, the second of which says that it is of what was generated, are of one object.
func isSame(measured, generated string) bool {
	words := func(name string) (all []string) {
		for _, w := range split(name) {
			if !slices.Contains(generatedWords, w.text) && w.text != "reco" && w.text != "rec" {
				all = append(all, w.text)
			}
		}
		return all
	}
	return slices.Equal(words(measured), words(generated))
}

// response adds what is measured of a momentum, relative to what was generated.
func (f *Found) response(measured, generated *Vector, add adder) {
	between := measured.Name + "," + generated.Name
	add("ΔR("+between+")", "distance ΔR of "+measured.Name+" and "+generated.Name, of("delta R"), measured, generated)
	add("pT/pT("+between+")", "ratio of the transverse momenta of "+measured.Name+" and "+generated.Name, ratioOfPT, measured, generated)
}

// of returns the function of a formula.
func of(name string) func([]*formula.Value) float64 { return formula.Named(name).Of }

// adder adds a quantity to a list.
type adder func(name, words string, of func([]*formula.Value) float64, vectors ...*Vector) *Quantity

func (f *Found) quantities(full, missing []*Vector, add adder) {
	for _, v := range slices.Concat(full, missing) {
		if !v.IsPolar() {
			add("pT("+v.Name+")", "transverse momentum of "+v.Name, of("pt"), v)
			add("φ("+v.Name+")", "azimuth of "+v.Name, of("phi"), v).Angle = true
			if !v.Transverse {
				add("η("+v.Name+")", "pseudorapidity of "+v.Name, of("eta"), v)
			}
		}
		if v.MassFrom != "" && v.MassFrom == v.E {
			add("m("+v.Name+")", "mass of "+v.Name, of("mass of one"), v)
		}
	}
	paired := full[:min(len(full), mostPaired)]
	for i, a := range paired {
		for _, b := range paired[i+1:] {
			sum := a.Name + "+" + b.Name
			both := a.Name + " + " + b.Name
			between := a.Name + "," + b.Name
			add("m("+sum+")", "mass of "+both, of("mass"), a, b)
			add("pT("+sum+")", "transverse momentum of "+both, of("pt of sum"), a, b)
			add("ΔR("+between+")", "distance ΔR of "+a.Name+" and "+b.Name, of("delta R"), a, b)
			add("Δφ("+between+")", "|Δφ| of "+a.Name+" and "+b.Name, deltaPhi, a, b)
			add("Δη("+between+")", "|Δη| of "+a.Name+" and "+b.Name, deltaEta, a, b)
			add("pT/pT("+between+")", "ratio of the transverse momenta of "+a.Name+" and "+b.Name, ratioOfPT, a, b)
		}
	}
	for i, met := range missing {
		with := paired
		switch {
		case met.Relative && met.Phi == "":
			continue // with the next one
		case met.Relative:
			with = missing[i-1 : i]
		}
		for _, v := range with {
			add("mT("+v.Name+","+met.Name+")", "transverse mass of "+v.Name+" and "+met.Name, of("transverse mass"), v, met)
			add("Δφ("+v.Name+","+met.Name+")", "|Δφ| of "+v.Name+" and "+met.Name, deltaPhi, v, met)
		}
	}
	if len(full) < 2 {
		return
	}
	names := func(vs []*Vector, sep string) string {
		var all []string
		for _, v := range vs {
			all = append(all, v.Name)
		}
		return strings.Join(all, sep)
	}
	if n := len(full); n > 2 {
		if n <= 5 && n > 3 {
			for i := range n {
				for j := range i {
					for k := range j {
						three := []*Vector{full[k], full[j], full[i]}
						add("m("+names(three, "+")+")", "mass of "+names(three, " + "), of("mass"), three...)
					}
				}
			}
		}
		total := func(name, words string, of func([]*formula.Value) float64) {
			add(name+"("+names(full, "+")+")", words+" of "+names(full, " + "), of, full...).sums = true
		}
		total("m", "mass", of("mass"))
		total("pT", "transverse momentum", of("pt of sum"))
	}
	add("ΣpT("+names(full, ",")+")", "sum of the transverse momenta of "+names(full, ", "), of("sum of pt"), full...).sums = true
	add("pz("+names(full, "+")+")", "longitudinal momentum of "+names(full, " + "), of("pz of sum"), full...).sums = true
	if len(missing) > 0 {
		met := missing[0]
		add("pT("+names(full, "+")+"+"+met.Name+")", "transverse momentum of "+names(full, " + ")+" + "+met.Name, of("pt of sum"), append(slices.Clone(full), met)...).sums = true
	}
}

// Fill stores the quantity of the events of t from the first on, one for each element of dst. It is NaN in events without
// one of the objects; a sum of all is that of those which are there.
func (q *Quantity) Fill(dst []float64, t *rootio.Table, first int) {
	Fill([][]float64{dst}, []Quantity{*q}, t, first)
}

// Fill does for several quantities what [Quantity.Fill] does for one, in less time: it computes the momenta once. All
// of dst have the same length.
func Fill(dst [][]float64, quantities []Quantity, t *rootio.Table, first int) {
	const chunk = 1024
	var vectors []*Vector
	places := make([][]int, len(quantities))
	for i, q := range quantities {
		for _, v := range q.vectors {
			at := slices.Index(vectors, v)
			if at < 0 {
				at, vectors = len(vectors), append(vectors, v)
			}
			places[i] = append(places[i], at)
		}
	}
	if len(vectors) == 0 {
		return
	}
	event, isThere, p := make([]formula.Value, len(vectors)), make([]bool, len(vectors)), make([]*formula.Value, 0, len(vectors))
	for at := 0; at < len(dst[0]); at += chunk {
		n := min(chunk, len(dst[0])-at)
		all := make([]momenta, len(vectors))
		for i, v := range vectors {
			all[i].fill(t, v, first+at, n, nil)
		}
		for k := range n {
			for i := range event {
				isThere[i] = all[i].at(k, &event[i])
			}
			for i := range quantities {
				q := &quantities[i]
				p = p[:0]
				for _, place := range places[i] {
					if isThere[place] {
						p = append(p, &event[place])
					}
				}
				if len(p) == len(q.vectors) || q.sums && len(p) > 0 {
					dst[i][at+k] = q.of(p)
				} else {
					dst[i][at+k] = math.NaN()
				}
			}
		}
	}
}
