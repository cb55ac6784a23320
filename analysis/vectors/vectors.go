// Package vectors recognises the momenta among the columns of a table, by their names and by their values, and lists
// the quantities that physicists derive from them: masses, distances, sums.
//
// [Find] knows the habits of the experiments: pt1 eta1 phi1, Muon_pt, lep_PT, mu1_PX, B_TRUEP_X, MET_phi. Names
// propose, values decide: a column that does not fit stays a plain one, and [Found.Notes] say why.
package vectors

import (
	"fmt"
	"slices"
	"strings"

	"github.com/eidolon-hep/eidolon/rootio"
)

// Vector is a momentum whose components are columns. A component that the table does not have is "". It has PT, Eta and
// Phi, or PX, PY and PZ, or all of these, which then agree. Of a transverse one, as the missing momentum is, Eta and PZ are
// not there.
type Vector struct {
	Name string `json:"name"`

	PT  string `json:"pt,omitempty"`
	Eta string `json:"eta,omitempty"`
	Phi string `json:"phi,omitempty"` // in radians
	PX  string `json:"px,omitempty"`
	PY  string `json:"py,omitempty"`
	PZ  string `json:"pz,omitempty"`

	E      string `json:"e,omitempty"`
	P      string `json:"p,omitempty"` // the magnitude
	M      string `json:"m,omitempty"`
	Charge string `json:"charge,omitempty"`
	Code   string `json:"code,omitempty"` // of the Particle Data Group

	// The mass of each event is that of MassFrom, which is M or E, or the number Mass where MassFrom is "", in the
	// unit of the momenta. MassOf says in words where it is from.
	MassFrom string  `json:"mass_from,omitempty"`
	Mass     float64 `json:"mass,omitempty"`
	MassOf   string  `json:"mass_of,omitempty"`

	Transverse bool `json:"transverse,omitempty"`

	// Relative says that it is one of two transverse momenta of which the difference of the azimuths is known, as pt1, pt2 and dphi: that is
	// Phi of the second one. The first one has none, and its azimuth is 0.
	Relative bool `json:"relative,omitempty"`

	// Absent says that events may be without the object: PT is negative there, or all components are the same number, such
	// as −999, 999 or 0, or NaN.
	Absent bool `json:"absent,omitempty"`

	// Parts are the names of the vectors that it is the sum of, as a decayed particle is, be it roughly.
	Parts []string `json:"parts,omitempty"`

	// Level is "gen" where the name says that it is what was generated, else "".
	Level string `json:"level,omitempty"`
}

// IsSound reports whether momenta that were read from a file make sense: each has its components, and where the difference of
// azimuths is known there are two momenta.
func (f *Found) IsSound() bool {
	relative := 0
	for i := range f.Vectors {
		v := &f.Vectors[i]
		if o := v.Operand(); !v.IsPolar() && !v.IsCartesian() || !o.IsSound() {
			return false
		}
		if v.Relative {
			if relative++; !v.Transverse || v.PT == "" || (relative == 1) != (v.Phi == "") || relative > 1 && (i == 0 || !f.Vectors[i-1].Relative) {
				return false
			}
		}
	}
	return relative == 0 || relative == 2
}

// IsPolar reports whether the momentum is there as transverse momentum, pseudorapidity and azimuth, be it beside px, py
// and pz.
func (v *Vector) IsPolar() bool {
	return v.PT != "" && (v.Phi != "" && (v.Eta != "" || v.Transverse) || v.Relative)
}

// IsCartesian reports whether the momentum is there as px, py and pz, be it beside others.
func (v *Vector) IsCartesian() bool { return v.PX != "" && v.PY != "" && (v.PZ != "" || v.Transverse) }

// slot is where the name of the column of a role is.
func (v *Vector) slot(r role) *string {
	return [roles]*string{&v.PT, &v.Eta, &v.Phi, &v.PX, &v.PY, &v.PZ, &v.E, &v.P, &v.M, &v.Charge, &v.Code}[r]
}

// Components returns the columns of the momentum: the polar ones where they are there, else px, py and pz.
func (v *Vector) Components() []string {
	all := []string{v.PX, v.PY, v.PZ}
	if v.IsPolar() {
		all = []string{v.PT, v.Eta, v.Phi}
	}
	return slices.DeleteFunc(all, func(name string) bool { return name == "" })
}

// Columns returns all columns of the vector.
func (v *Vector) Columns() (all []string) {
	for r := range roles {
		if name := *v.slot(r); name != "" {
			all = append(all, name)
		}
	}
	return all
}

// String says what was taken for what: "mu1: pt1, eta1, phi1, mass 0.1057 (a muon, by its name)".
func (v *Vector) String() (said string) {
	var parts []string
	if v.IsPolar() {
		parts = v.Components()
	}
	if v.IsCartesian() {
		parts = append(parts, v.PX, v.PY)
		if v.PZ != "" {
			parts = append(parts, v.PZ)
		}
	}
	for _, name := range [...]string{v.P, v.E, v.Charge, v.Code} {
		if name != "" {
			parts = append(parts, name)
		}
	}
	text := v.Name + ": " + strings.Join(parts, ", ")
	if len(v.Parts) > 0 {
		defer func() { said += ", the sum of " + strings.Join(v.Parts, " and ") }()
	}
	switch {
	case v.Relative && v.Phi == "":
		return text + ", transverse, from which the azimuth of the next one is measured"
	case v.Transverse:
		return text + ", transverse"
	case v.MassFrom == "" && v.Mass == 0 && v.MassOf == "":
		return text + ", taken as massless"
	case v.MassFrom == "":
		return fmt.Sprintf("%s, mass %.4g (%s)", text, v.Mass, v.MassOf)
	case v.MassFrom == v.M:
		return text + ", mass " + v.M
	}
	return text + ", mass from " + v.E
}

// Options say what a user knows.
type Options struct {
	// None asks for no vectors but those declared.
	None bool

	// Declared are vectors in the place of those whose columns they share.
	Declared []Declared
}

// Found are the momenta of a table.
type Found struct {
	Vectors []Vector `json:"vectors,omitempty"`

	// Notes say which columns look like momenta by their names and were not taken for them, and why.
	Notes []string `json:"notes,omitempty"`

	// GeV is what a GeV is in the unit of the momenta: 1 or 1000.
	GeV float64 `json:"gev,omitempty"`
}

// String says what was taken for what, a vector a line, and then the notes.
func (f *Found) String() string {
	var lines []string
	for i := range f.Vectors {
		lines = append(lines, f.Vectors[i].String())
	}
	for _, note := range f.Notes {
		lines = append(lines, "note: "+note)
	}
	return strings.Join(lines, "\n")
}

// Find recognises the momenta among the columns of t. It looks at all events; 50,000 with 30 columns take a small
// part of a second.
func Find(t *rootio.Table, opts Options) Found {
	f := Found{GeV: 1}
	if t.Len() == 0 {
		return f
	}
	c := newChecker(t)
	var used []string // columns
	isFree := func(v *Vector) bool {
		return !slices.ContainsFunc(v.Components(), func(name string) bool { return slices.Contains(used, name) })
	}
	take := func(v Vector) {
		used = append(used, v.Columns()...)
		f.Vectors = append(f.Vectors, v)
	}
	for i := range opts.Declared {
		if v, ok := c.declared(&opts.Declared[i]); ok {
			take(v)
		}
	}
	declared := len(f.Vectors)
	if !opts.None {
		proposed := propose(t.Fields())
		for i := range proposed {
			if v := &proposed[i]; isFree(v) && c.check(v) {
				take(*v)
			}
		}
		if pair := proposeRelative(t.Fields()); len(pair) > 0 && len(f.Vectors) == 0 && isFree(&pair[0]) && isFree(&pair[1]) && c.check(&pair[0]) && c.check(&pair[1]) {
			take(pair[0])
			take(pair[1])
		}
	}
	f.Vectors, f.GeV = c.units(f.Vectors, declared)
	for i := range f.Vectors[declared:] {
		c.findMass(&f.Vectors[declared+i], f.GeV)
	}
	c.findParts(f.Vectors)
	f.Notes = c.notes
	return f
}

// propose returns the momenta that the names speak of: first those whose names are made of words, in the order of their
// columns.
func propose(fields []rootio.Field) (found []Vector) {
	type group struct {
		vector Vector
		exact  bool
		named  [roles]bool // by a word of its own
	}
	groups := map[string]*group{}
	var order []*group
	for _, field := range fields {
		if field.IsJagged() {
			continue
		}
		for _, r := range readings(field.Name) {
			g := groups[r.rest]
			if g == nil {
				g = &group{vector: Vector{Name: r.name}, exact: true}
				groups[r.rest], order = g, append(order, g)
			}
			slot := g.vector.slot(r.role)
			if *slot == "" || r.exact && !g.named[r.role] {
				if r.exact && r.role <= pz {
					g.vector.Name = r.name
				}
				*slot, g.named[r.role] = field.Name, r.exact
			}
		}
	}
	for rest, g := range groups {
		v := &g.vector
		ws := strings.Fields(rest)
		// Recoils are known in full at lepton colliders; the η of a missing transverse momentum means nothing.
		if isMissing(ws) && v.PZ == "" && (v.Eta == "" || slices.ContainsFunc(ws, func(w string) bool { return strings.HasSuffix(w, "et") })) {
			v.Transverse, v.Eta = true, ""
			v.E, v.P, v.M, v.Charge, v.Code = "", "", "", "", ""
		}
		for _, w := range ws {
			if slices.Contains(generatedWords, w) {
				v.Level = "gen"
			}
		}
		for r := range pz + 1 {
			g.exact = g.exact && (g.named[r] || *v.slot(r) == "")
		}
	}
	// A pseudorapidity beside px and py alone is none of these.
	order = slices.DeleteFunc(order, func(g *group) bool { return !g.vector.IsPolar() && !g.vector.IsCartesian() })
	slices.SortStableFunc(order, func(a, b *group) int {
		switch {
		case a.exact == b.exact:
			return 0
		case a.exact:
			return -1
		}
		return 1
	})
	names := map[string]bool{}
	all := make([]string, len(order))
	for i, g := range order {
		all[i] = g.vector.Name
	}
	common := len(commonStart(all))
	for _, g := range order {
		v := g.vector
		v.Name = v.Name[common:]
		if !v.IsPolar() {
			v.PT, v.Eta, v.Phi = "", "", ""
		}
		if !v.IsCartesian() {
			v.PX, v.PY, v.PZ = "", "", ""
		}
		for names[v.Name] {
			v.Name += "'"
		}
		names[v.Name] = true
		found = append(found, v)
	}
	return found
}

// proposeRelative returns two transverse momenta and the difference of their azimuths, where the names speak of these and of nothing
// else.
func proposeRelative(fields []rootio.Field) (pair []Vector) {
	complete := map[string]bool{}
	for _, v := range propose(fields) {
		complete[v.PT] = true
	}
	difference := ""
	for _, f := range fields {
		switch rs := readings(f.Name); {
		case f.IsJagged():
		case isAzimuthalDifference(f.Name):
			if difference != "" {
				return nil
			}
			difference = f.Name
		case len(rs) > 0 && rs[0].role == pt && rs[0].exact && !complete[f.Name]:
			pair = append(pair, Vector{Name: rs[0].name, PT: f.Name, Transverse: true, Relative: true})
		}
	}
	if len(pair) != 2 || difference == "" || pair[0].Name == pair[1].Name {
		return nil
	}
	pair[1].Phi = difference
	return pair
}

// commonStart returns the words with which all names begin, up to the separator before what tells them apart: PRI_ of PRI_tau
// and PRI_lep.
func commonStart(names []string) string {
	if len(names) < 2 {
		return ""
	}
	start := names[0]
	for _, name := range names[1:] {
		for !strings.HasPrefix(name, start) {
			start = start[:len(start)-1]
		}
	}
	start = start[:strings.LastIndexAny(start, "_.")+1]
	for _, name := range names {
		if rest := name[len(start):]; rest == "" || rest[0] >= '0' && rest[0] <= '9' {
			return ""
		}
	}
	return start
}
