package features

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/features/find"
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
