package factor

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/kernels/dense"
	"github.com/eidolon-hep/eidolon/training"
)

// Settings are what factors are made and trained with. Those that are asked for have zeros
// where the default is wanted; [Kind.Decide] makes them complete.
type Settings struct {
	Layers     int     `json:"layers,omitempty"`     // coupling layers of a flow, or rounds of an autoregressive one
	Hidden     int     `json:"hidden,omitempty"`     // width of the hidden layers of networks
	Depth      int     `json:"depth,omitempty"`      // number of these layers, or of residual blocks
	Components int     `json:"components,omitempty"` // normals in the base distribution
	Activation string  `json:"activation,omitempty"` // of the hidden layers
	Residual   bool    `json:"residual,omitempty"`   // whether networks are residual
	Dropout    float64 `json:"dropout,omitempty"`    // in the hidden layers, while training
	Coupling   string  `json:"coupling,omitempty"`   // the form of affine couplings: [Steep], [Smooth] or [Lecture]; "" is steep
	Normals    bool    `json:"-"`                    // an ensemble of mixtures of normals only, which are found fast

	Teacher      string           `json:"teacher,omitempty"`       // the kind that is learnt from
	SigmaMin     *float64         `json:"sigma_min,omitempty"`     // the width where the path of a diffusion ends
	Epsilon      float64          `json:"epsilon,omitempty"`       // the part of kernel sums that may be left out
	KernelEvents int              `json:"kernel_events,omitempty"` // the number of events that kernel sums are over
	Solver       diffusion.Solver `json:"solver,omitzero"`         // of the equation of a diffusion

	Seed  uint64           `json:"seed"`
	Train training.Options `json:"train"`
}

// option is a setting that not every kind has a use for, by its name in JSON, and whether it is
// asked for.
type option struct {
	name  string
	asked func(s Settings) bool
}

var options = []option{
	{"layers", func(s Settings) bool { return s.Layers != 0 }},
	{"hidden", func(s Settings) bool { return s.Hidden != 0 }},
	{"depth", func(s Settings) bool { return s.Depth != 0 }},
	{"components", func(s Settings) bool { return s.Components != 0 }},
	{"activation", func(s Settings) bool { return s.Activation != "" }},
	{"residual", func(s Settings) bool { return s.Residual }},
	{"dropout", func(s Settings) bool { return s.Dropout != 0 }},
	{"coupling", func(s Settings) bool { return s.Coupling != "" }},
	{"teacher", func(s Settings) bool { return s.Teacher != "" }},
	{"sigma_min", func(s Settings) bool { return s.SigmaMin != nil }},
	{"epsilon", func(s Settings) bool { return s.Epsilon != 0 }},
	{"kernel_events", func(s Settings) bool { return s.KernelEvents != 0 }},
	{"schedule", func(s Settings) bool { return s.Solver.Schedule != diffusion.Linear() }},
	{"solver", func(s Settings) bool { return s.Solver.Method != 0 || s.Solver.Grid != nil }},
	{"order", func(Settings) bool { return false }}, // it stands for a solver
	{"steps", func(s Settings) bool { return s.Solver.Steps != 0 }},
	{"tolerance", func(s Settings) bool { return s.Solver.Tolerance != 0 }},
	{"epochs", func(s Settings) bool { return s.Train.Epochs != 0 }},
	{"max_time", func(s Settings) bool { return s.Train.MaxTime != 0 }},
	{"batch", func(s Settings) bool { return s.Train.Batch != 0 }},
	{"rate", func(s Settings) bool { return s.Train.Rate != 0 }},
	{"clip", func(s Settings) bool { return s.Train.Clip != 0 }},
	{"patience", func(s Settings) bool { return s.Train.Patience != 0 }},
	{"decay", func(s Settings) bool { return s.Train.Decay != 0 }},
	{"average", func(s Settings) bool { return s.Train.Average != 0 }},
}

// Options that kinds have in common.
var (
	ofNetwork  = []string{"hidden", "depth"}
	ofFlow     = []string{"layers", "components", "activation", "residual", "dropout"}
	ofPath     = []string{"sigma_min", "schedule", "solver", "order", "steps", "tolerance"}
	ofTraining = []string{"epochs", "max_time", "batch", "rate", "clip", "patience", "decay", "average"}
	ofTeacher  = append([]string{"components", "epsilon", "kernel_events"}, ofPath...) // that go on to a teacher
)

// Check says which setting makes no sense for a model, if any. Where the model is left open
// (model is "") it is the default.
func (s Settings) Check(model string) error {
	_, err := s.complete(model)
	return err
}

// complete fills in the settings that were not asked for, for a large sample.
func (s Settings) complete(model string) (Settings, error) {
	kind, ok := byNameOrDefault(model)
	if !ok || kind.Help == "" {
		return s, fmt.Errorf("no model is called %q; there are %s", model, strings.Join(Names(Models()), ", "))
	}
	for _, o := range options {
		if o.asked(s) {
			if err := CheckUse(model, o.name, s); err != nil {
				return s, fmt.Errorf("%s %w", o.name, err)
			}
		}
	}
	d := kind.Default
	for _, v := range []struct {
		value           *int
		otherwise, most int
		name            string
	}{
		{&s.Layers, d.Layers, 1024, "layers"},
		{&s.Hidden, d.Hidden, 1 << 14, "hidden"},
		{&s.Depth, d.Depth, 64, "depth"},
		{&s.Components, 0, 1 << 12, "components"},
	} {
		*v.value = cmp.Or(*v.value, v.otherwise)
		if *v.value < 1 && *v.value != v.otherwise || *v.value > v.most {
			return s, fmt.Errorf("%s must be between 1 and %d, not %d", v.name, v.most, *v.value)
		}
	}
	networks := max(s.Layers, 1)
	if model == "" { // another one of the trial may have more layers
		for _, k := range Models() {
			if k.Trial {
				networks = max(networks, k.Default.Layers)
			}
		}
	}
	if most := widest(networks * s.Depth); s.Hidden > most {
		return s, fmt.Errorf("hidden must be at most %d with %d layers of networks, depth %d: larger ones take more than 8 GiB of memory", most, networks, s.Depth)
	}
	if kind.Check != nil {
		if err := kind.Check(s); err != nil {
			return s, err
		}
	}
	s.Train.Seed = s.Seed
	return s, s.Train.Check()
}

// Decide returns the settings, complete, for n events of dim features.
func (k Kind) Decide(asked Settings, n, dim int) (Settings, error) {
	s, err := asked.complete(k.Name)
	if err == nil && k.Adapt != nil {
		k.Adapt(&s, asked, n, dim)
	}
	return s, err
}

// widest returns the largest width of so many hidden layers whose training has its place in memory:
// parameters, their moments, averages and best values, and the gradients of each goroutine.
func widest(layers int) int {
	const memory, perParameter = 8 << 30, 4 * 16
	return int(math.Sqrt(memory / perParameter / float64(max(layers, 1))))
}

// LeastParameters returns how many parameters the training of a kind has at least, whatever the
// networks read. What learns from a teacher has only the teacher's at first.
func (k Kind) LeastParameters(s Settings) int {
	if len(k.Teachers) > 0 {
		return 0
	}
	return max(s.Layers, 1)*(max(s.Depth-1, 0)*s.Hidden*s.Hidden+s.Hidden) + max(s.Components-1, 0)
}

// activation returns that of the hidden layers.
func (s Settings) activation() (act dense.Activation, err error) {
	if s.Activation == "" {
		return dense.ReLU, nil
	}
	if err = act.UnmarshalText([]byte(s.Activation)); err != nil || act == dense.None {
		return act, fmt.Errorf("no activation is called %q; there are %v, %v, %v, %v", s.Activation, dense.ReLU, dense.LeakyReLU, dense.SiLU, dense.Tanh)
	}
	return act, nil
}

// hidden returns the widths of the hidden layers of a network.
func (s Settings) hidden() []int { return slices.Repeat([]int{s.Hidden}, s.Depth) }
