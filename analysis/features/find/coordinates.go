package find

import (
	"math"
	"slices"
	"strings"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/analysis/vectors"
)

// Choice is one change of coordinates of momenta that were recognised: its kind, and the names of the
// vectors that it is about.
type Choice struct {
	Kind    string   `json:"kind"`
	Vectors []string `json:"vectors"`
}

// The kinds of choices.
const (
	// Polar: px, py and pz of a momentum become pT, η and φ.
	Polar = "polar"
	// Mass: the mass of several momenta takes the place of pT of the last one.
	Mass = "mass"
	// Ordered: pT of the second is measured between its edges, one of which is pT of the first.
	Ordered = "ordered"
	// Decay: the mass and momentum of the sum, and the angles of its decay.
	Decay = "decay"
	// Angles: the azimuths of the others are measured from that of the first.
	Angles = "angles"
	// Recoil: the azimuth of the first is measured from the recoil of the others.
	Recoil = "recoil"
	// Balance: the components of the first along and across the recoil of the others.
	Balance = "balance"
	// Rotation: azimuths and transverse components of all are measured from one azimuth, which is uniform whatever the rest is.
	Rotation = "rotation"
)

// choices is the table of the kinds: what each says, of all its vectors, the first and the last one; and what it does. do
// reports false, and may have changed nothing, where a choice cannot be made for these columns.
var choices = map[string]struct {
	words string
	do    func(s *Search, v []vectors.Vector) bool
}{
	Polar:    {"ALL by pT, η and φ", (*Search).choosePolar},
	Mass:     {"the mass of ALL in the place of pT of LAST", (*Search).chooseMass},
	Ordered:  {"pT of LAST between its edges, pT of FIRST the upper one", (*Search).chooseOrdered},
	Decay:    {"the mass, momentum and decay angles of ALL", (*Search).chooseDecay},
	Angles:   {"azimuths relative to that of FIRST", (*Search).chooseAngles},
	Recoil:   {"the azimuth of FIRST relative to the recoil of the others", (*Search).chooseRecoil},
	Rotation: {"all azimuths relative to one that is uniform", func(*Search, []vectors.Vector) bool { return true }}, // a pass of its own
	Balance:  {"FIRST along and across the recoil of the others", (*Search).chooseBalance},
}

// String says what is chosen.
func (c Choice) String() string {
	if !c.IsSound() {
		return c.Kind
	}
	names := strings.NewReplacer("ALL", strings.Join(c.Vectors, "+"), "FIRST", c.Vectors[0], "LAST", c.Vectors[len(c.Vectors)-1])
	return names.Replace(choices[c.Kind].words)
}

// IsSound reports whether a choice that was read from a file is one.
func (c Choice) IsSound() bool {
	_, ok := choices[c.Kind]
	return ok && len(c.Vectors) > 0
}

// makeChoices makes the choices that are asked for, one after the other: what is measured from the recoil of others first, that of
// most others before those.
func (s *Search) makeChoices() {
	others := func(c Choice) int {
		if c.Kind == Balance || c.Kind == Recoil {
			return len(c.Vectors)
		}
		return 0
	}
	for _, c := range slices.SortedStableFunc(slices.Values(s.options.Choices), func(a, b Choice) int { return others(b) - others(a) }) {
		var chosen []vectors.Vector
		for _, name := range c.Vectors {
			if i := slices.IndexFunc(s.options.Vectors.Vectors, func(v vectors.Vector) bool { return v.Name == name }); i >= 0 {
				chosen = append(chosen, s.options.Vectors.Vectors[i])
			}
		}
		kind, ok := choices[c.Kind]
		if !ok || len(chosen) != len(c.Vectors) || !kind.do(s, chosen) {
			s.Refused = append(s.Refused, c)
		}
	}
}

// polar returns a momentum in polar coordinates by variables that are in use, rounded values made
// continuous. It turns px, py and pz into these if need be. ok is false where that is not possible.
func (s *Search) polar(v *vectors.Vector) (p step.Vector, ok bool) {
	p = step.Vector{Name: v.Name, Components: [3]string{v.PT, v.Eta, v.Phi}, Polar: true, Mass: v.Mass}
	isThere := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return name == "" || !s.isFree(name) })
	}
	switch {
	case v.Relative: // a difference of azimuths is no circle where it has edges
		if !isThere(v.PT) || v.Phi != "" && !isThere(v.Phi) {
			return p, false
		}
	case isThere(v.PT, v.Phi) && (v.Transverse || isThere(v.Eta)):
		if slices.Min(s.load(v.Phi)) < 0 {
			p.From = -math.Pi
		}
		if c, ok := s.circles[v.Phi]; ok {
			if c.Period != 2*math.Pi {
				return p, false
			}
			p.From = c.Start
		} else {
			s.circles[v.Phi] = column.Circle{Start: p.From, Period: 2 * math.Pi}
		}
	default:
		made, ok := s.polarOf(v)
		if !ok {
			if !isThere(v.PX, v.PY) || !v.Transverse && !isThere(v.PZ) {
				return p, false
			}
			next := &step.Polar{X: v.PX, Y: v.PY, Z: v.PZ}
			_, taken, _ := next.Variables()
			if !s.areContinuous(taken) {
				return p, false
			}
			for _, name := range taken {
				s.roundOnce(name)
			}
			s.apply(next)
			if made, ok = s.polarOf(v); !ok {
				return p, false
			}
		}
		p.Components, p.From = made, -math.Pi
	}
	names := slices.DeleteFunc(slices.Clone(p.Components[:]), func(name string) bool { return name == "" })
	if !isThere(names...) || !s.areContinuous(names) {
		return p, false
	}
	for _, name := range names {
		s.roundOnce(name)
	}
	if v.MassFrom != "" { // a mass that is not there any more is taken to be zero
		if p.Mass = 0; v.MassFrom == v.M && isThere(v.M) && slices.Min(s.load(v.M)) >= 0 && s.areContinuous([]string{v.M}) {
			s.roundOnce(v.M)
			p.MassBranch = v.M
		}
	}
	return p, true
}

// polarOf returns the coordinates that a step [step.Polar] has made of a momentum.
func (s *Search) polarOf(v *vectors.Vector) (names [3]string, ok bool) {
	for _, found := range s.Steps {
		p, is := found.(*step.Polar)
		if !is || p.X != v.PX || p.Y != v.PY || p.Z != v.PZ && !v.Transverse {
			continue
		}
		_, _, made := p.Variables()
		names[0], names[2] = made[0].Name, made[1].Name
		if len(made) > 2 {
			names[1] = made[2].Name
		}
		return names, true
	}
	return names, false
}

// areContinuous reports whether variables are continuous, with no spikes and no missing values.
func (s *Search) areContinuous(names []string) bool {
	for _, name := range names {
		x := s.load(name)
		if slices.ContainsFunc(x, math.IsNaN) {
			return false
		}
		c, ok := s.table.Column(name)
		if !ok || s.cells[name] != nil { // a coordinate, or rounded before
			continue
		}
		sample := column.NewSample(x, s.weights)
		if spikes, _ := sample.WithoutSpikes(); len(spikes) > 0 || !sample.IsContinuous(c.Field, "") {
			return false
		}
	}
	return true
}

// roundOnce is [Search.roundComponent] for a branch that is not rounded yet.
func (s *Search) roundOnce(name string) {
	if _, ok := s.table.Column(name); ok && s.cells[name] == nil {
		s.roundComponent(name)
	}
}

// allPolar is polar of several momenta.
func (s *Search) allPolar(v []vectors.Vector) (p []step.Vector, ok bool) {
	for i := range v {
		next, ok := s.polar(&v[i])
		if !ok {
			return nil, false
		}
		p = append(p, next)
	}
	return p, true
}

func (s *Search) choosePolar(v []vectors.Vector) bool {
	before := len(s.Steps)
	_, ok := s.allPolar(v)
	return ok && len(s.Steps) > before
}

// bounds returns the edges of a transverse momentum: those of its own values, and others that it is never above or never
// below.
func (s *Search) bounds(name string, others ...string) (b step.Bounds) {
	sample := s.sample(name)
	first, last := sample.Values[0], sample.Values[len(sample.Values)-1]
	if c := s.cells[name]; c != nil {
		first, last = c[0], c[1]
	}
	if e, ok := sample.Edge(first, false); ok && e.At > 0 {
		b.Low = &e.At
	}
	if e, ok := sample.Edge(last, true); ok {
		b.High = &e.At
	}
	for _, other := range others {
		switch x, y := s.load(name), s.load(other); {
		case b.Below == "" && s.isOrdered(y, x):
			b.Below = other
		case b.Above == "" && s.isOrdered(x, y):
			b.Above = other
		}
	}
	return b
}

// isOrdered reports whether x ≥ y in every event, and not because all of x is above all of y.
func (s *Search) isOrdered(x, y []float64) bool {
	const part = 0.02 // of events that are not, if x and y are of different ones
	not := 0
	for k, v := range y {
		if v > x[k]*(1+1e-3) { // rounded values may be equal
			return false
		}
		if v > x[(k+1)%len(x)] {
			not++
		}
	}
	return float64(not) > part*float64(len(y))
}

// softness of edges, in units of the logarithm of what is learnt: larger than the width of most peaks in a mass would move
// these where they are near to an edge; smaller makes a step of the edge, which is hard to learn.
const softness = 0.02

func (s *Search) chooseMass(v []vectors.Vector) bool {
	if len(v) < 2 {
		return false
	}
	p, ok := s.allPolar(v)
	if !ok {
		return false
	}
	if slices.ContainsFunc(v, func(v vectors.Vector) bool { return v.Transverse }) {
		for i := range p {
			p[i].Components[1], p[i].Mass, p[i].MassBranch = "", 0, ""
		}
	}
	m := &step.Mass{Name: joined(v), Vectors: p, Softness: softness}
	if !m.IsSound() {
		return false
	}
	for i := range m.Vectors {
		s.load(m.Vectors[i].Components[0])
	}
	if !m.IsOneToOne(&s.Frame) {
		for i := range m.Vectors {
			m.Vectors[i].Mass, m.Vectors[i].MassBranch = 0, ""
		}
		if !m.IsOneToOne(&s.Frame) {
			return false
		}
	}
	m.Name = s.freeName(m.Name)
	last := p[len(p)-1].Components[0]
	var others []string
	for _, v := range p[:len(p)-1] {
		others = append(others, v.Components[0])
	}
	m.PT = s.bounds(last, others...)
	m.Window = s.window(m)
	s.measureFrom(last, componentsOf(p))
	s.apply(m)
	return true
}

// window returns the edges of the mass itself.
func (s *Search) window(m *step.Mass) (w step.Bounds) {
	bare := &step.Mass{Name: m.Name, Vectors: m.Vectors}
	f := &step.Frame{}
	f.Reset(s.N)
	read, taken, made := bare.Variables()
	for _, name := range append(read, taken...) {
		copy(f.Add(name), s.load(name))
	}
	bare.Forward(f, nil, nil)
	sample := column.NewSample(f.At(made[0].Name), s.weights)
	first, last := sample.Values[0], sample.Values[len(sample.Values)-1]
	if e, ok := sample.Edge(first, false); ok && e.At > 0 {
		w.Low = &e.At
	}
	if e, ok := sample.Edge(last, true); ok {
		w.High = &e.At
	}
	return w
}

// componentsOf returns the variables that momenta consist of.
func componentsOf(p []step.Vector) (names []string) {
	for _, v := range p {
		names = append(append(names, v.Components[:]...), v.MassBranch)
	}
	return names
}

// joined is the name of the sum of vectors.
func joined(v []vectors.Vector) string {
	var names []string
	for i := range v {
		names = append(names, v[i].Name)
	}
	return strings.Join(names, "+")
}

// freeName returns a name of a sum that no other step has.
func (s *Search) freeName(name string) string {
	for s.At("m("+name+")") != nil || s.At("log m("+name+") between its edges") != nil {
		name += "'"
	}
	return name
}

func (s *Search) chooseOrdered(v []vectors.Vector) bool {
	p, ok := s.allPolar(v)
	if !ok || len(p) != 2 {
		return false
	}
	b := s.bounds(p[1].Components[0], p[0].Components[0])
	if b.Below == "" {
		return false
	}
	s.apply(&step.Between{Variable: p[1].Components[0], Softness: softness, Bounds: b})
	return true
}

func (s *Search) chooseDecay(v []vectors.Vector) bool {
	p, ok := s.allPolar(v)
	if !ok || len(p) < 2 || slices.ContainsFunc(v, func(v vectors.Vector) bool { return v.Transverse }) {
		return false
	}
	s.apply(&step.System{Name: s.freeName(joined(v)), Vectors: p})
	return true
}

func (s *Search) chooseAngles(v []vectors.Vector) bool {
	p, ok := s.allPolar(v)
	if !ok || len(p) < 2 || v[0].Relative {
		return false
	}
	for i := range p[1:] {
		s.apply(&step.RelativeAngle{
			Circle: column.Circle{Start: p[i+1].From, Period: 2 * math.Pi}, Variable: p[i+1].Components[2], To: p[0].Components[2],
		})
	}
	return true
}

func (s *Search) chooseRecoil(v []vectors.Vector) bool { return s.addRecoil(v, false) }

func (s *Search) chooseBalance(v []vectors.Vector) bool { return s.addRecoil(v, true) }

// azimuthWhereThere is polar of a momentum that may be absent, of which only the azimuth can be used: its missing values are taken
// out.
func (s *Search) azimuthWhereThere(v *vectors.Vector) (p step.Vector, ok bool) {
	c, isBranch := s.table.Column(v.Phi)
	if v.PT == "" || !isBranch || !s.isFree(v.Phi) {
		return p, false
	}
	s.takeOutMissing(c.Field, s.saysWhere())
	circle, isAngle := s.circles[v.Phi]
	if !s.changed[v.Phi] || !isAngle || circle.Period != 2*math.Pi || slices.ContainsFunc(s.load(v.Phi), func(phi float64) bool {
		return !(phi >= circle.Start && phi <= circle.Start+circle.Period)
	}) {
		return p, false
	}
	return step.Vector{Components: [3]string{v.PT, v.Eta, v.Phi}, From: circle.Start}, true
}

// addRecoil measures the first of some momenta from the recoil of the others. These may be absent.
func (s *Search) addRecoil(v []vectors.Vector, components bool) bool {
	if len(v) < 2 || !v[0].Transverse && components || v[0].Relative {
		return false
	}
	p, ok := s.polar(&v[0])
	if !ok && v[0].Absent {
		p, ok = s.azimuthWhereThere(&v[0])
	}
	if !ok {
		return false
	}
	r := &step.Recoil{Name: v[0].Name, PT: p.Components[0], Phi: p.Components[2], From: p.From, Components: components}
	for i := range v[1:] {
		other, ok := s.polar(&v[i+1])
		if ok {
			r.Of = append(r.Of, [2]string{other.Components[0], other.Components[2]})
			continue
		}
		// What may be absent has spikes. It is read as it is.
		pt, phi := v[i+1].PT, v[i+1].Phi
		if pt == "" || phi == "" || !s.isFree(pt) || !s.isFree(phi) {
			return false
		}
		for _, name := range []string{pt, phi} {
			c, _ := s.table.Column(name)
			s.round(c.Field)
		}
		r.Of = append(r.Of, [2]string{pt, phi})
	}
	s.apply(r)
	return true
}
