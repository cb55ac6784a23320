package surrogate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/training"
)

// Options say what was asked for: what to train and how. Zero values ask for the defaults; where
// a zero would mean something else, that is [training.Off]. What was decided is the [Plan].
type Options struct {
	Model  string `json:"model"`  // one of [Models]; by default the one of the first three that a short trial says, and for small samples an ensemble
	Layers int    `json:"layers"` // coupling layers of a flow; by default 8, fewer for small samples; rounds of an autoregressive one, by default 1
	Hidden int    `json:"hidden"` // width of the conditioners' hidden layers; by default 128, less for small samples; for a denoiser 256
	Depth  int    `json:"depth"`  // number of these layers, or residual blocks; by default 2, for a denoiser or a one-step map 3
	Seed   uint64 `json:"seed"`   // of everything random

	// Components is the number of normals in the base distribution of a flow
	// ([flows.Mixture]), or that a denoiser stands over; by default 1, or 16 where the
	// events come as islands, which sets [Plan.Plain], too.
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

	// Coupling is the form of the couplings of a "realnvp": [factor.Steep] or [factor.Smooth], by
	// default the one that is better in a short trial; or [factor.Lecture], the textbook form
	// ([flows.LectureRealNVP]) of columns that are standardised only.
	Coupling string `json:"coupling,omitempty"`

	// Condition names the columns that the density of the others is conditional
	// on; by default none.
	Condition []string `json:"condition,omitempty"`

	// Coordinates says in which coordinates momenta are learnt, one of [CoordinatesOptions], of which
	// the first is the default.
	Coordinates string `json:"coordinates,omitempty"`

	// Features say what is known about the columns; by default nothing.
	Features features.Options `json:"features,omitzero"`

	// Diffusion are the settings of the models that are no flows.
	Diffusion DiffusionOptions `json:"diffusion,omitzero"`

	// Refine says whether the density is multiplied at last by a ratio that boosted trees learn, where held-out
	// events are more likely with it: [RefineAuto], the default, one round or two; [RefineOff]; or a number of rounds. The
	// textbook form of [factor.Lecture] is refined only where that is asked for.
	Refine string `json:"refine,omitempty"`

	// Effort says how much is spent on the training, one of [Efforts]: "quick" for a look at what comes of it; "normal", the default; or
	// "thorough", with larger networks, more passes over the events, more coordinates that are tried, and more trees.
	Effort string `json:"effort,omitempty"`

	// Begin, where it is not zero, is from when on MaxTime counts: when reading the events
	// began. By default that is the beginning of [New].
	Begin time.Time `json:"-"`

	// Train says how to train. Its MaxTime is for all of New and [Training.Run].
	Train training.Options `json:"train"`

	// Log, when not nil, is told in a line what New does where that takes time, and
	// what came of it. What is to be known of the events begins with "note: ".
	Log func(line string) `json:"-"`
}

// DiffusionOptions are the settings of the models "diffusion", "denoiser" and
// "distilled". Zero values ask for the defaults.
type DiffusionOptions struct {
	// Teacher is the model that a "distilled" one learns from: "denoiser" or "diffusion".
	// By default it is the one under which held-out events are more likely, where both can
	// be tried ([diffusion.NewEither]), otherwise "denoiser".
	Teacher string `json:"teacher,omitempty"`
	// SigmaMin is the width where the path ends, in units of the events' spread. For
	// "diffusion" it is the width of the kernels, by default the one for which
	// events that are left out are most likely; for others it is 0.01.
	SigmaMin *float64 `json:"sigma_min,omitempty"`
	// Epsilon is the part of the kernel sums that may be left out; by default
	// [diffusion.DefaultEpsilon], with [training.Off] none.
	Epsilon float64 `json:"epsilon,omitempty"`
	// KernelEvents is the number of training events that kernel sums are over, chosen at
	// random ([diffusion.KernelsOptions]); by default all.
	KernelEvents int `json:"kernel_events,omitempty"`
	// Solver is how the equation is solved.
	Solver diffusion.SolverOptions `json:"solver,omitzero"`
}

// Models returns the names of the models that can be trained; the first is the default.
func Models() []string { return factor.Names(factor.Models()) }

// Check says which option makes no sense, if any.
func (o Options) Check() error {
	if _, err := o.Diffusion.Solver.Apply(diffusion.Solver{}); err != nil {
		return err
	}
	if err := o.settings().Check(o.Model); err != nil {
		return err
	}
	if _, err := o.refineRounds(); err != nil {
		return err
	}
	if all := CoordinatesOptions(); o.Coordinates != "" && !slices.Contains(all, o.Coordinates) {
		return fmt.Errorf("coordinates cannot be %q, but %s", o.Coordinates, strings.Join(all, ", "))
	}
	if err := o.checkEffort(); err != nil {
		return err
	}
	return o.Features.Check()
}

// Uses returns an error if the model has no use for the option of that name: one that goes
// on after the name, “is for the models …”. The names are those of the JSON of [Options].
func (o Options) Uses(name string) error { return factor.CheckUse(o.Model, name, o.settings()) }

// settings returns what is asked of the factors.
func (o Options) settings() factor.Settings {
	d := o.Diffusion
	solver, _ := d.Solver.Apply(diffusion.Solver{}) // an error is for Check
	train := o.Train
	if passes := o.effort().passes; passes != 1 {
		train.Passes = passes
	}
	return factor.Settings{
		Layers: o.Layers, Hidden: o.Hidden, Depth: o.Depth, Components: o.Components,
		Activation: o.Activation, Residual: o.Residual, Dropout: o.Dropout, Coupling: o.Coupling,
		Teacher: d.Teacher, SigmaMin: d.SigmaMin, Epsilon: d.Epsilon, KernelEvents: d.KernelEvents, Solver: solver,
		Seed: o.Seed, Train: train,
	}
}

func (o Options) log(format string, a ...any) {
	if o.Log != nil {
		o.Log(fmt.Sprintf(format, a...))
	}
}
