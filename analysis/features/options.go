package features

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/features/find"
	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/internal/nearest"
)

// Options say what is known about the columns.
type Options struct {
	// Vectors declare four-vectors, each as name=pt,eta,phi,mass or
	// name=px,py,pz,mass, from the names of branches; the mass may be a number.
	// Whether it is pt, eta, phi (in radians) or px, py, pz is seen in the values:
	// no pt is negative and no azimuth is beyond 2π.
	Vectors []string `json:"vectors,omitempty"`

	// Systems declare sums of vectors, each as name=vector+vector+…. The density is
	// that of the coordinates of the system and its decay (see [step.System]), so that its
	// mass is learnt.
	Systems []string `json:"systems,omitempty"`

	// As says how branches are treated, by their names, where it is not to be seen
	// in the values: as one of [Treatments].
	As map[string]string `json:"as,omitempty"`

	// Numbers asks for columns that number events, runs or parts of these to be learnt as
	// others are. By default they are not, but for those of As.
	Numbers bool `json:"numbers,omitempty"`

	// Formulas asks for columns that formulas give from others, such as the mass of momenta, to be computed, not
	// learnt as others are.
	Formulas bool `json:"formulas,omitempty"`

	// Until, where it is not zero, is when looking for relations between columns ends;
	// [Spec.Cut] says of what there was no time for.
	Until time.Time `json:"-"`

	// Standard asks for continuous columns without spikes to be standardised only, to mean 0 and
	// standard deviation 1: no edges, no logarithms, no splines. As comes first.
	Standard bool `json:"standard,omitempty"`

	// Plain asks for [Spec.Plain].
	Plain bool `json:"plain,omitempty"`
}

// Check reports whether the options can be understood.
func (o Options) Check() error {
	for name, as := range o.As {
		if !slices.Contains(Treatments(), as) && !find.IsRequest(as) {
			return fmt.Errorf("branch %q cannot be treated as %q, but as %s", name, as, strings.Join(Treatments(), ", "))
		}
	}
	_, err := o.systems()
	return err
}

// systems returns the systems that are declared.
func (o Options) systems() ([]*step.System, error) {
	vectors := map[string]step.Vector{}
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
		v := step.Vector{Name: name, Components: [3]string(parts[:3])}
		if m, err := strconv.ParseFloat(parts[3], 64); err != nil {
			v.MassBranch = parts[3]
		} else if !(m >= 0) || math.IsInf(m, 0) {
			return nil, fmt.Errorf("the mass of vector %q cannot be %s", name, parts[3])
		} else {
			v.Mass = m
		}
		vectors[name], names = v, append(names, name)
	}
	var systems []*step.System
	used := map[string]string{}
	for _, text := range o.Systems {
		name, sum, _ := strings.Cut(text, "=")
		s := &step.System{Name: strings.TrimSpace(name)}
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
