package features

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/internal/nearest"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Options say what is known about the columns.
type Options struct {
	// Vectors declare four-vectors, each as name=pt,eta,phi,mass or
	// name=px,py,pz,mass, from the names of branches; the mass may be a number.
	// Whether it is pt, eta, phi (in radians) or px, py, pz is seen in the values:
	// no pt is negative and no azimuth is beyond 2π.
	Vectors []string `json:"vectors,omitempty"`

	// Systems declare sums of vectors, each as name=vector+vector+…. The density is
	// that of the coordinates of the system and its decay (see [System]), so that its
	// mass is learnt.
	Systems []string `json:"systems,omitempty"`

	// As says how branches are treated, by their names, where it is not to be seen
	// in the values: as one of [Treatments].
	As map[string]string `json:"as,omitempty"`

	// Numbers asks for columns that number events, runs or parts of these to be learnt as
	// others are. By default they are not, but for those of As.
	Numbers bool `json:"numbers,omitempty"`

	// Until, where it is not zero, is when looking for relations between columns ends;
	// [Spec.Cut] says of what there was no time for.
	Until time.Time `json:"-"`

	// Plain asks for [Spec.Plain].
	Plain bool `json:"plain,omitempty"`

	// Periodic asks for [Spec.Periodic].
	Periodic bool `json:"periodic,omitempty"`
}

// How columns can be asked to be treated.
const (
	asCodes      = "codes"      // each value is one of a few
	asInteger    = "integer"    // whole numbers
	asContinuous = "continuous" // between edges or with tails, as is seen
	asStandard   = "standard"   // without edges, logarithm or asinh
	asLog        = "log"        // above an edge, or zero
	asAsinh      = "asinh"      // with two heavy tails
	asAngle      = "angle"      // in radians or degrees
)

// Treatments returns what a column can be asked to be treated as.
func Treatments() []string {
	return []string{asCodes, asInteger, asContinuous, asStandard, asLog, asAsinh, asAngle}
}

// Check reports whether the options can be understood.
func (o Options) Check() error {
	for name, as := range o.As {
		if !slices.Contains(Treatments(), as) {
			return fmt.Errorf("branch %q cannot be treated as %q, but as %s", name, as, strings.Join(Treatments(), ", "))
		}
	}
	_, err := o.systems()
	return err
}

// checkAs reports whether the values of a branch can be treated as is asked for.
func (f *fitting) checkAs(name, as string) error {
	i := slices.Index(f.spec.Names(), name)
	if i < 0 {
		return fmt.Errorf("features: branch %q, to be treated as %s, is not among those to learn%s", name, as, nearest.Hint(name, f.spec.Names()))
	}
	x := f.load(name)
	defer f.take(name)
	s := column.NewSample(x, f.w)
	if len(s.Values) < 2 {
		return nil // constant, whatever was asked for
	}
	fail := func(format string, args ...any) error {
		return fmt.Errorf("features: branch %q cannot be treated as %s: %s", name, as, fmt.Sprintf(format, args...))
	}
	lo, hi := s.Values[0], s.Values[len(s.Values)-1]
	switch as {
	case asCodes:
		if len(s.Values) > column.MaxUneven {
			return fail("it has %d different values, more than %d", len(s.Values), column.MaxUneven)
		}
	case asInteger:
		if !f.spec.Branches[i].Kind.IsInteger() {
			return fail("its type is %v", f.spec.Branches[i].Kind)
		}
	case asLog:
		c := Column{Column: column.Column{As: column.Continuous}}
		if c.findEdges(s.Monotone(), lo, hi); c.Low == nil && lo <= 0 {
			return fail("it has values down to %g, and no edge there", lo)
		}
	case asAngle:
		if s.Missing > 0 {
			return fail("it has missing values")
		}
		for _, c := range column.Circles {
			if slack := c.Period / 100; lo >= c.Start-slack && hi <= c.Start+c.Period+slack {
				f.circles[name] = c
				return nil
			}
		}
		return fail("it goes from %g to %g", lo, hi)
	}
	return nil
}

// systems returns the systems that are declared.
func (o Options) systems() ([]*System, error) {
	vectors := map[string]Vector{}
	var names []string
	for _, text := range o.Vectors {
		name, list, ok := strings.Cut(text, "=")
		parts := strings.Split(list, ",")
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
		name = strings.TrimSpace(name)
		if !ok || name == "" || len(parts) != 4 || slices.Contains(parts, "") {
			return nil, fmt.Errorf("vector %q must be name=pt,eta,phi,mass or name=px,py,pz,mass", text)
		}
		if slices.Contains(names, name) {
			return nil, fmt.Errorf("there are two vectors %q", name)
		}
		v := Vector{Name: name, Components: [3]string(parts[:3])}
		if m, err := strconv.ParseFloat(parts[3], 64); err != nil {
			v.MassBranch = parts[3]
		} else if !(m >= 0) || math.IsInf(m, 0) {
			return nil, fmt.Errorf("the mass of vector %q cannot be %s", name, parts[3])
		} else {
			v.Mass = m
		}
		vectors[name], names = v, append(names, name)
	}
	var systems []*System
	used := map[string]string{}
	for _, text := range o.Systems {
		name, sum, _ := strings.Cut(text, "=")
		s := &System{Name: strings.TrimSpace(name)}
		parts := strings.Split(sum, "+")
		if s.Name == "" || len(parts) < 2 {
			return nil, fmt.Errorf("system %q must be name=vector+vector", text)
		}
		for _, part := range parts {
			v, known := vectors[strings.TrimSpace(part)]
			if !known {
				return nil, fmt.Errorf("system %q is of a vector %q, which is not declared%s", s.Name, part, nearest.Hint(part, names))
			}
			for _, c := range v.Components {
				if other, taken := used[c]; taken {
					return nil, fmt.Errorf("branch %q is in system %q more than once, or in %q too", c, s.Name, other)
				}
				used[c] = s.Name
			}
			s.Vectors = append(s.Vectors, v)
		}
		systems = append(systems, s)
	}
	for _, s := range systems {
		for _, v := range s.Vectors {
			if _, taken := used[v.MassBranch]; taken {
				return nil, fmt.Errorf("branch %q cannot be a mass and a component of a momentum", v.MassBranch)
			}
		}
	}
	if len(systems) == 0 && len(vectors) > 0 {
		return nil, errors.New("vectors are declared, but no system of them")
	}
	return systems, nil
}

// branches returns the names of the branches that a system is made of.
func (s *System) branches() []string {
	read, taken, _ := s.variables()
	return slices.Concat(read, taken)
}

// roundComponent adds the map of a component of a momentum if its values are rounded.
func (f *fitting) roundComponent(name string) {
	f.addRounding(name, column.FindRounding(f.field(name), f.sample(name).Values), nil, true)
}

// addSystems adds the maps of the systems that are declared.
func (f *fitting) addSystems(systems []*System) error {
	for _, system := range systems {
		if err := f.addSystem(system); err != nil {
			return err
		}
	}
	return nil
}

// addSystem adds the map of a system to the specification.
func (f *fitting) addSystem(s *System) error {
	for i := range s.Vectors {
		v := &s.Vectors[i]
		for _, name := range append(v.Components[:], v.MassBranch) {
			if name == "" {
				continue
			}
			k := slices.IndexFunc(f.spec.Branches, func(b rootio.Field) bool { return b.Name == name })
			if k < 0 {
				return fmt.Errorf("features: vector %q: there is no branch %q to learn%s", v.Name, name, nearest.Hint(name, f.spec.Names()))
			}
			if k := slices.IndexFunc(f.load(name), math.IsNaN); k >= 0 {
				return fmt.Errorf("features: vector %q: branch %q is NaN in entry %d: leave such events out", v.Name, name, k)
			}
		}
		first, third := f.load(v.Components[0]), f.load(v.Components[2])
		v.Polar = slices.Min(first) >= 0 && slices.Max(third)-slices.Min(third) <= 2*math.Pi+0.01
		if v.Polar {
			if slices.Min(third) < 0 {
				v.From = -math.Pi
			}
			f.circles[v.Components[2]] = column.Circle{Start: v.From, Period: 2 * math.Pi}
		}
		if v.MassBranch != "" && slices.Min(f.load(v.MassBranch)) < 0 {
			return fmt.Errorf("features: vector %q: its mass, branch %q, is negative in some events", v.Name, v.MassBranch)
		}
	}
	if f.addMass(s) {
		return nil
	}
	for _, v := range s.Vectors {
		for _, name := range v.Components {
			f.roundComponent(name)
			delete(f.circles, name)
		}
	}
	f.apply(Map{System: s})
	lightest := 0.0 // what the masses that do not vary add up to
	for _, v := range s.Vectors {
		lightest += v.Mass
	}
	for i, name := range s.names() {
		f.coordinates = append(f.coordinates, rootio.Field{Name: name, Kind: rootio.Float64})
		inf := math.Inf(1)
		switch {
		case i == 0:
			f.legal[name] = &[2]float64{lightest, inf}
		case i == 1:
			f.legal[name] = &[2]float64{0, inf}
		case i == 3, i > 3 && i%3 == 2:
			f.circles[name] = column.Circle{Start: -math.Pi, Period: 2 * math.Pi}
		case i > 3 && i%3 == 1:
			f.legal[name] = &[2]float64{-1, 1}
		case i > 3:
			f.legal[name] = &[2]float64{0, 1}
		}
	}
	return nil
}

// Suggest returns options that declare the momenta which the names of the branches
// speak of, and their sum as a system; none if there are fewer than two momenta. The
// names of the vectors are what is left of those of the branches; where these do not
// say what the particles are, the masses are "MASS".
func Suggest(names []string) Options {
	lower := map[string]string{}
	for _, name := range names {
		lower[strings.ToLower(name)] = name
	}
	var o Options
	var parts []string
	for _, stem := range [][3]string{{"pt", "eta", "phi"}, {"px", "py", "pz"}} {
		for _, name := range names {
			low := strings.ToLower(name)
			i := strings.LastIndex(low, stem[0])
			if i < 0 {
				continue
			}
			second, ok := lower[low[:i]+stem[1]+low[i+len(stem[0]):]]
			third, ok3 := lower[low[:i]+stem[2]+low[i+len(stem[0]):]]
			part := strings.Trim(name[:i]+name[i+len(stem[0]):], "_.")
			if !ok || !ok3 || slices.Contains(parts, part) {
				continue
			}
			if part == "" || part[0] >= '0' && part[0] <= '9' {
				part = "p" + part
			}
			parts = append(parts, part)
			o.Vectors = append(o.Vectors, fmt.Sprintf("%s=%s,%s,%s,%s", part, name, second, third, massOf(part)))
		}
	}
	if len(parts) < 2 {
		return Options{}
	}
	o.Systems = []string{"sum=" + strings.Join(parts, "+")}
	return o
}

// massOf returns the mass, in GeV, of the particle that a name speaks of.
func massOf(name string) string {
	name = strings.ToLower(name)
	for _, p := range [...]struct{ name, mass string }{
		{"mu", "0.10566"}, {"ele", "0.000511"}, {"e", "0.000511"}, {"pi", "0.13957"}, {"kaon", "0.49368"}, {"k", "0.49368"},
		{"tau", "1.7769"}, {"proton", "0.93827"}, {"gamma", "0"}, {"photon", "0"}, {"ph", "0"},
	} {
		if rest, ok := strings.CutPrefix(name, p.name); ok && strings.Trim(rest, "0123456789_pm+-") == "" {
			return p.mass
		}
	}
	return "MASS"
}
