package features

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/features/find"
	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/analysis/vectors"
	"github.com/eidolon-hep/eidolon/internal/nearest"
)

// Options say what is known about the columns.
type Options struct {
	// Vectors declare four-vectors, each as name=pt,eta,phi,mass or
	// name=px,py,pz,mass, from the names of branches; the mass may be a number.
	// Whether it is pt, eta, phi (in radians) or px, py, pz is seen in the values:
	// no pt is negative and no azimuth is beyond 2π.
	// They take the place of those that are recognised and share their branches.
	Vectors []string `json:"vectors,omitempty"`

	// NoVectors asks for no four-vectors to be recognised by the names and values of the branches: there are
	// only those of Vectors.
	NoVectors bool `json:"no_vectors,omitempty"`

	// Momenta, if it is not nil, is what package vectors has found in the same columns; else they are
	// looked for.
	Momenta *vectors.Found `json:"-"`

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

	// NoFormulas asks for all columns to be learnt. By default those that formulas give from others, such as the mass of
	// momenta, are computed, and values that a column has exactly where another one says so are put there.
	NoFormulas bool `json:"no_formulas,omitempty"`

	// Computed, if it is not nil, are the columns that formulas give: they were found before for the same events.
	Computed []*step.Formula `json:"-"`

	// Until, where it is not zero, is when looking for relations between columns ends;
	// [Spec.Cut] says of what there was no time for.
	Until time.Time `json:"-"`

	// Standard asks for continuous columns without spikes to be standardised only, to mean 0 and
	// standard deviation 1: no edges, no logarithms, no splines. As comes first.
	Standard bool `json:"standard,omitempty"`

	// Choices are changes of coordinates for the momenta among the columns. [Spec.Refused] are those
	// that cannot be made.
	Choices []find.Choice `json:"choices,omitempty"`

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

// declared returns the vectors that are declared.
func (o Options) declared() (all []vectors.Declared, err error) {
	for _, text := range o.Vectors {
		d, err := vectors.Parse(text)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(other vectors.Declared) bool { return other.Name == d.Name }) {
			return nil, fmt.Errorf("there are two vectors %q", d.Name)
		}
		all = append(all, d)
	}
	return all, nil
}

// systems returns the systems that are declared.
func (o Options) systems() ([]*step.System, error) {
	declared, err := o.declared()
	if err != nil {
		return nil, err
	}
	known := map[string]step.Vector{}
	var names []string
	for _, d := range declared {
		known[d.Name] = step.Vector{Name: d.Name, Components: d.Components, Mass: d.Mass, MassBranch: d.MassBranch}
		names = append(names, d.Name)
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
			v, ok := known[strings.TrimSpace(part)]
			if !ok {
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
	return systems, nil
}
