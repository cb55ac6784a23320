package surrogate

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/kernels/dense"
	"github.com/eidolon-hep/eidolon/training"
)

// Options say what to train and how. Zero values ask for the defaults; where a zero would
// mean something else, that is [training.Off].
type Options struct {
	Model  string `json:"model"`  // one of [Models]; by default the one of the first two that a short trial says
	Layers int    `json:"layers"` // coupling layers of a flow; by default 8, fewer for small samples; rounds of an autoregressive one, by default 1
	Hidden int    `json:"hidden"` // width of the conditioners' hidden layers; by default 128, less for small samples; for a denoiser 256
	Depth  int    `json:"depth"`  // number of these layers, or residual blocks; by default 2, for a denoiser or a one-step map 3
	Seed   uint64 `json:"seed"`   // of everything random

	// Components is the number of normals in the base distribution of a flow
	// ([flows.Mixture]), or that a denoiser stands over; by default 1, or 16 where the
	// events come as islands, which sets Features.Plain, too.
	Components int `json:"components,omitempty"`

	// Activation is that of the hidden layers of a flow's conditioners: relu, the
	// default, leaky_relu, silu or tanh.
	Activation string `json:"activation,omitempty"`
	// Residual makes residual networks of a flow's conditioners, of Depth blocks of
	// two layers ([flows.Conditioner]).
	Residual bool `json:"residual,omitempty"`
	// Dropout is the probability with which an output of a hidden layer of a flow's
	// conditioners is dropped in training ([flows.Conditioner]), in [0, 1); by
	// default 0.
	Dropout float64 `json:"dropout,omitempty"`

	// Condition names the columns that the density of the others is conditional
	// on; by default none.
	Condition []string `json:"condition,omitempty"`

	// Features say what is known about the columns; by default nothing.
	Features features.Options `json:"features,omitzero"`

	// Diffusion are the settings of the models that are no flows.
	Diffusion DiffusionOptions `json:"diffusion,omitzero"`

	// Begin, where it is not zero, is from when on MaxTime counts: when reading the events
	// began. By default that is the beginning of [New].
	Begin time.Time `json:"-"`

	// fitted are features to take as they are, those of a training that goes on; nil: New
	// looks for them.
	fitted *features.Spec

	// Train says how to train. Its MaxTime is for all of New and [Training.Run].
	Train training.Options `json:"train"`

	// Log, when not nil, is told in a line what New does where that takes time, and
	// what came of it. What is to be known of the events begins with "note: ".
	Log func(line string) `json:"-"`
}

func (o Options) log(format string, a ...any) {
	if o.Log != nil {
		o.Log(fmt.Sprintf(format, a...))
	}
}

// Check says which option makes no sense, if any.
func (o Options) Check() error {
	_, err := o.withDefaults()
	return err
}

// withDefaults fills in what was left open.
func (o Options) withDefaults() (Options, error) {
	if o.Model != "" && !slices.Contains(Models(), o.Model) {
		return o, fmt.Errorf("no model is called %q; there are %s", o.Model, strings.Join(Models(), ", "))
	}
	if err := o.checkSettings(); err != nil {
		return o, err
	}
	open := o.Model == ""
	if open {
		o.Model = Models()[0]
	}
	hidden, depth := o.network()
	layers := 0
	switch {
	case o.Model == autoregressive:
		layers = 1
	case o.isFlow():
		layers = 8
	}
	for _, v := range []struct {
		value *int
		otherwise,
		most int
		name string
	}{
		{&o.Layers, layers, 1024, "layers"},
		{&o.Hidden, hidden, 1 << 14, "hidden"},
		{&o.Depth, depth, 64, "depth"},
		{&o.Components, 0, 1 << 12, "components"},
	} {
		if *v.value == 0 {
			*v.value = v.otherwise
		}
		if *v.value < 1 && *v.value != v.otherwise || *v.value > v.most {
			return o, fmt.Errorf("%s must be between 1 and %d, not %d", v.name, v.most, *v.value)
		}
	}
	networks := max(o.Layers, 1)
	if open { // a trial may choose splines
		networks = max(networks, 8)
	}
	if most := widest(networks * o.Depth); o.Hidden > most {
		return o, fmt.Errorf("hidden must be at most %d with %d layers of networks, depth %d: larger ones take more than 8 GiB of memory", most, networks, o.Depth)
	}
	if !(o.Dropout >= 0 && o.Dropout < 1) {
		return o, fmt.Errorf("dropout must be at least 0 and below 1, not %g", o.Dropout)
	}
	if _, err := o.activation(); err != nil {
		return o, err
	}
	if err := o.Diffusion.check(o); err != nil {
		return o, err
	}
	if err := o.Features.Check(); err != nil {
		return o, err
	}
	o.Train.Seed = o.Seed
	return o, o.Train.Check()
}

// widest returns the largest width of so many hidden layers whose training has its place in memory:
// parameters, their moments, averages and best values, and the gradients of each goroutine.
func widest(layers int) int {
	const memory, perParameter = 8 << 30, 4 * 16
	return int(math.Sqrt(memory / perParameter / float64(max(layers, 1))))
}

// activation returns that of the conditioners.
func (o Options) activation() (act dense.Activation, err error) {
	if o.Activation == "" {
		return dense.ReLU, nil
	}
	if err = act.UnmarshalText([]byte(o.Activation)); err != nil || act == dense.None {
		return act, fmt.Errorf("no activation is called %q; there are %v, %v, %v, %v", o.Activation, dense.ReLU, dense.LeakyReLU, dense.SiLU, dense.Tanh)
	}
	return act, nil
}

// withDefaultsFor fills in what was left open, for a sample of n events of dim features.
// Full-sized networks learn a small sample by heart, and take too long for each of
// hundreds of features. And the parameters of flows are averaged: a
// small sample is learnt better so, and a large one no worse.
func (o Options) withDefaultsFor(n, dim int) (Options, error) {
	given := o
	o, err := o.withDefaults()
	if err != nil || !o.isFlow() {
		return o, err
	}
	if o.Train.Average == 0 {
		o.Train.Average = 0.998
	}
	if o.Model == autoregressive {
		// Networks with tables want to be learnt fast, and then to forget what is in a few
		// events only.
		if o.Train.Rate == 0 {
			o.Train.Rate = 3e-3
		}
		if o.Train.Decay == 0 {
			o.Train.Decay = 0.2
		}
	}
	layers, hidden := 0, 0
	switch {
	case n < 4_000:
		layers, hidden = 4, 16
	case n < 20_000:
		layers, hidden = 8, 32
	case n < 60_000:
		layers, hidden = 6, 64
	}
	if given.Layers == 0 && layers > 0 && o.Model != autoregressive {
		o.Layers = layers
	}
	if given.Hidden == 0 && hidden > 0 {
		o.Hidden = hidden
	}
	if given.Hidden == 0 && o.Model == autoregressive {
		const most, least = 1 << 22, 4 // values of all first layers; units
		for dim*dim/2*o.Hidden > most && o.Hidden > least {
			o.Hidden /= 2
		}
	}
	return o, nil
}

func (o Options) isFlow() bool { return o.Model == "" || slices.Contains(flowModels(), o.Model) }

// Models returns the names of the models that can be trained; the first is the
// default.
func Models() []string { return append(flowModels(), kernelSums, denoiser, distilled) }

// The kinds of flows.
const (
	autoregressive = "autoregressive"
	spline         = "spline"
	realNVP        = "realnvp"
)

func flowModels() []string { return []string{autoregressive, spline, realNVP} }

// cells returns the number of cells of the tables of an autoregressive flow of dim
// features: fewer where there were too many tables, and none at last.
func (o Options) cells(dim int) int {
	const most = 1 << 22 // values of all tables
	cells := 32
	for cells > 0 && dim*dim/2*cells*o.Hidden > most {
		cells /= 2
	}
	if cells == 0 {
		return -1
	}
	return cells
}

// Conditioners tells of the conditioners of a flow, such as “2 hidden layers of 128,
// relu”; nothing for other models.
func (o Options) Conditioners() string {
	act, err := o.activation()
	if err != nil || !o.isFlow() {
		return ""
	}
	kind := "hidden layers"
	if o.Residual {
		kind = "residual blocks"
	}
	text := fmt.Sprintf("%d %s of %d, %v", o.Depth, kind, o.Hidden, act)
	if o.Dropout > 0 {
		text += fmt.Sprintf(", dropout %g", o.Dropout)
	}
	return text
}

// hidden returns the widths of the hidden layers of a network.
func (o Options) hidden() []int { return slices.Repeat([]int{o.Hidden}, o.Depth) }

// leastParameters returns how many parameters a checkpoint with these options has at least,
// whatever the networks read. The one-step map is not there while its teacher learns.
func (o Options) leastParameters() int {
	if o.Model == distilled {
		return 0
	}
	return max(o.Layers, 1)*(max(o.Depth-1, 0)*o.Hidden*o.Hidden+o.Hidden) + max(o.Components-1, 0)
}

// network returns the default width and number of hidden layers.
func (o Options) network() (hidden, depth int) {
	switch o.Model {
	case kernelSums: // which has none
		return 0, 0
	case denoiser:
		return 256, 3
	case distilled:
		return 128, 3
	default:
		return 128, 2
	}
}

// checkSettings reports the first option that was given though the model has no use for it.
func (o Options) checkSettings() error {
	d, t := o.Diffusion, o.Train
	solver := d.Solver
	solver.Steps, solver.Tolerance = 0, 0
	for _, v := range []struct {
		name  string
		given bool
	}{
		{"layers", o.Layers != 0},
		{"hidden", o.Hidden != 0},
		{"depth", o.Depth != 0},
		{"components", o.Components != 0},
		{"activation", o.Activation != ""},
		{"residual", o.Residual},
		{"dropout", o.Dropout != 0},
		{"teacher", d.Teacher != ""},
		{"sigma_min", d.SigmaMin != nil},
		{"epsilon", d.Epsilon != 0},
		{"solver", solver != diffusion.Solver{}},
		{"steps", d.Solver.Steps != 0},
		{"tolerance", d.Solver.Tolerance != 0},
		{"epochs", t.Epochs != 0},
		{"max_time", t.MaxTime != 0},
		{"batch", t.Batch != 0},
		{"rate", t.Rate != 0},
		{"clip", t.Clip != 0},
		{"patience", t.Patience != 0},
		{"decay", t.Decay != 0},
		{"average", t.Average != 0},
	} {
		if v.given {
			if err := o.Uses(v.name); err != nil {
				return fmt.Errorf("%s %w", v.name, err)
			}
		}
	}
	return nil
}

// Uses returns an error if the model has no use for the option of that name: one that goes
// on after the name, “is for the models …”. The names are those of the JSON of [Options].
func (o Options) Uses(name string) error {
	if o.Model != "" && !slices.Contains(Models(), o.Model) || o.has(name) {
		return nil
	}
	var models []string
	for _, m := range Models() {
		if (Options{Model: m}).has(name) {
			models = append(models, m)
		} else if with := (Options{Model: m, Diffusion: DiffusionOptions{Teacher: kernelSums}}); m == distilled && with.has(name) {
			models = append(models, with.kind())
		}
	}
	s := "s"
	if len(models) == 1 {
		s = ""
	}
	return fmt.Errorf("is for the model%s %s: %s has no use for it", s, list(models), o.the())
}

// has reports whether the model has a use for an option.
func (o Options) has(name string) bool {
	fromSums := o.Model == distilled && o.Diffusion.Teacher == kernelSums
	switch name {
	case "layers", "activation", "residual", "dropout":
		return o.isFlow()
	case "components":
		return o.Model != kernelSums && !fromSums
	case "teacher":
		return o.Model == distilled
	case "sigma_min", "solver", "steps", "tolerance":
		return !o.isFlow()
	case "epsilon":
		return o.Model == kernelSums || fromSums
	case "hidden", "depth", "epochs", "max_time", "batch", "rate", "clip", "patience", "decay", "average":
		return o.Model != kernelSums
	}
	return true
}

// kind is the model, and what it is distilled from if that is not the default.
func (o Options) kind() string {
	if o.Model == distilled && o.Diffusion.Teacher == kernelSums {
		return distilled + " from " + kernelSums
	}
	return o.Model
}

func (o Options) the() string {
	if o.Model == "" {
		return "the default, a flow,"
	}
	return fmt.Sprintf("the model %q", o.kind())
}

// list is “a, b and c”.
func list(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
