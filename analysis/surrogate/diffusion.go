package surrogate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/rows"
	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/training"
)

// The models of package diffusion.
const (
	kernelSums = "diffusion"
	denoiser   = "denoiser"
	distilled  = "distilled"
)

// DiffusionOptions are the settings of the models "diffusion", "denoiser" and
// "distilled". Zero values ask for the defaults.
type DiffusionOptions struct {
	// Teacher is the model that a "distilled" one learns from: "denoiser", the
	// default, or "diffusion".
	Teacher string `json:"teacher,omitempty"`
	// SigmaMin is the width where the path ends, in units of the events' spread. For
	// "diffusion" it is the width of the kernels, by default the one for which
	// events that are left out are most likely; for others it is 0.01.
	SigmaMin *float64 `json:"sigma_min,omitempty"`
	// Epsilon is the part of the kernel sums that may be left out; by default
	// [diffusion.DefaultEpsilon], with [training.Off] none.
	Epsilon float64 `json:"epsilon,omitempty"`
	// Solver is how the equation is solved.
	Solver diffusion.Solver `json:"solver,omitzero"`
}

func (d DiffusionOptions) check(o Options) error {
	if d.Teacher != "" && !slices.Contains([]string{denoiser, kernelSums}, d.Teacher) {
		return fmt.Errorf("a teacher is %q or %q, not %q", denoiser, kernelSums, d.Teacher)
	}
	if s := d.Solver; s.Tolerance > 0 && (s.Steps != 0 || s.Method != 0 || s.Grid != nil) {
		return errors.New("a tolerance chooses the steps of a solver: neither their number nor another solver goes with it")
	}
	if err := (diffusion.KernelsOptions{Width: d.SigmaMin, Epsilon: d.Epsilon, Solver: d.Solver}).Check(); err != nil {
		return err
	}
	kernels := o.Model == kernelSums || o.Model == distilled && d.Teacher == kernelSums
	if d.SigmaMin != nil && *d.SigmaMin == 0 && !kernels {
		return fmt.Errorf("σ_min of the model %q must be positive", o.Model)
	}
	return nil
}

// goesAround reports whether the model of n events is, or learns from, a denoiser of what is
// around an angle ([around]): a density of the angle given a condition is not known, with
// islands it depends on these, and few events are learnt by heart by their angles.
func (o Options) goesAround(n int) bool {
	const enough = 50_000
	return n >= enough && o.Components < 2 && len(o.Condition) == 0 && (o.Model == denoiser || o.Model == distilled && o.Diffusion.Teacher != kernelSums)
}

// newDiffusion returns one of the models of package diffusion.
func newDiffusion(dim, context int, o Options) (Density, error) {
	d := o.Diffusion
	model := o.Model
	var teacherHidden []int
	if model == distilled {
		if model = d.Teacher; model == "" {
			model = denoiser
		}
	} else {
		teacherHidden = o.hidden()
	}
	var teacher interface {
		Density
		diffusion.Teacher
	}
	var err error
	if model == kernelSums {
		teacher, err = diffusion.NewKernels(dim, context, diffusion.KernelsOptions{Width: d.SigmaMin, Epsilon: d.Epsilon, Solver: d.Solver})
	} else {
		options := diffusion.DenoiserOptions{Hidden: teacherHidden, Components: o.Components, Solver: d.Solver}
		if d.SigmaMin != nil {
			options.Width = *d.SigmaMin
		}
		teacher, err = diffusion.NewDenoiser(dim, context, o.Seed, options)
	}
	if err != nil || o.Model != distilled {
		return teacher, err
	}
	return diffusion.NewDistilled(teacher, o.Seed, diffusion.DistilledOptions{Hidden: o.hidden()})
}

func loadDiffusion(text []byte, tensors []training.Tensor) (Density, error) {
	m, err := diffusion.Load(text, tensors)
	if err != nil {
		return nil, err
	}
	d, ok := m.(Density)
	if !ok {
		return nil, fmt.Errorf("surrogate: a %v is no density", m)
	}
	return d, nil
}

// Inner returns the density of what is left beside an angle and codes, nil where nothing is.
func (s *Surrogate) Inner() Density { return innermost(s.Density) }

// Direct makes a model of kernel sums draw from its mixture directly. Other models
// have none.
func (s *Surrogate) Direct() error {
	k, ok := s.Inner().(*diffusion.Kernels)
	if !ok {
		return errors.New("only a model of kernel sums (--model diffusion) can be drawn from directly")
	}
	s.Density = withInnermost(s.Density, k.Direct())
	return nil
}

// Teacher returns the surrogate with the density that a one-step map was learnt from in
// place of the map, and false where there is no such map.
func (s *Surrogate) Teacher() (*Surrogate, bool) {
	d, ok := s.Inner().(*diffusion.Distilled)
	if !ok {
		return nil, false
	}
	taught := *s
	taught.Density = withInnermost(s.Density, d.Teacher().(Density)) // see newDiffusion
	return &taught, true
}

// copies counts copies of training events, where the model knows these.
func (s *Surrogate) copies(ctx context.Context, z, c []float32) (*int64, error) {
	k, ok := s.Inner().(*diffusion.Kernels)
	if !ok {
		return nil, nil
	}
	n := int64(0)
	if len(z) > 0 {
		z, c = left(s.Density, z, c)
		share, err := k.Copies(ctx, z, c)
		if err != nil {
			return nil, err
		}
		n = int64(math.Round(share * float64(len(z)/k.Dim())))
	}
	return &n, nil
}

// countsCopies reports whether the model is of a kind that might make copies, and not
// conditional.
func (tr *Training) countsCopies() bool {
	return slices.Contains([]string{kernelSums, denoiser, distilled}, tr.Card.Options.Model) && tr.Context.Dim() == 0 && tr.Features.Dim() > 0
}

// countCopies finds the share of copies among events that the model draws.
func (tr *Training) countCopies(ctx context.Context, train []float32) error {
	if !tr.countsCopies() {
		return nil
	}
	o, dim := tr.Card.Options, tr.Features.Dim()
	const most, part = 1 << 13, 1 << 9
	n := min(most, tr.Card.Learnt())
	z := make([]float32, n*dim)
	begin := time.Now()
	for lo := 0; lo < n; lo += part {
		if limit := o.Train.MaxTime; limit > 0 && lo > 0 && time.Since(begin) > limit/20 {
			z = z[:lo*dim]
			break
		}
		if err := tr.Density.Sample(ctx, z[lo*dim:min(lo+part, n)*dim], nil, o.Seed, 0, uint64(lo)); err != nil {
			return err
		}
	}
	inner := tr.Inner()
	if inner == nil {
		return nil
	}
	// Codes are the same in many events, and have noise in model space; and an event that is
	// turned around the detector is a copy, too.
	dim = inner.Dim()
	train, _ = left(tr.Density, train, nil)
	z, _ = left(tr.Density, z, nil)
	share, err := diffusion.Copies(ctx, train, z, dim)
	if err != nil {
		return fmt.Errorf("surrogate: could not count copies: %w", err)
	}
	tr.Card.Copies = &share
	return nil
}

// HasDensity reports whether there is a log-density: copies of training events have none.
func (s *Surrogate) HasDensity() bool {
	model := any(s.Inner())
	if m, ok := model.(*diffusion.Distilled); ok {
		model = m.Teacher()
	}
	k, ok := model.(*diffusion.Kernels)
	return !ok || k.Width() > 0
}

// Warnings are what a user must be told of the density and its training.
func (s *Surrogate) Warnings() []string {
	var warnings []string
	h := s.Card.History
	if untouched(h) {
		warnings = append(warnings, "nothing was learnt: no parameters were better than the first ones, so the features alone are the model; more events, a smaller --hidden or a lower --rate may help")
	}
	const reversible = 1e-2 // standard deviations
	if p, ok := h.Kept(); ok && p.RoundTrip > reversible {
		warnings = append(warnings, fmt.Sprintf("the flow is not reversible: there and back, events move by %.2g standard deviations on average, so neither its events nor its log-densities can be trusted; with weights of both signs the loss may have no lower limit: a smaller --hidden or fewer --epochs may do better", p.RoundTrip))
	}
	if h.Rollbacks > 0 {
		warnings = append(warnings, fmt.Sprintf("the loss was not finite %s, where the training went back to its best parameters with half of the rate: a lower --rate may do better", times(h.Rollbacks)))
	}
	if !s.HasDensity() {
		events := "the events"
		if s.Card.Options.Model == distilled {
			events = "the events that the map was learnt from"
		}
		warnings = append(warnings, "σ_min is 0: "+events+" are copies of training events, and have no density")
	}
	return warnings
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// Remarks are what else there is to say of the density.
func (s *Surrogate) Remarks() []string {
	var remarks []string
	if m := s.Card.Copies; m != nil {
		remarks = append(remarks, rows.Percent(*m)+" of generated events are copies: nearer to a training event than 99 % of these are to each other")
	}
	if m, ok := s.Inner().(*diffusion.Distilled); ok {
		remarks = append(remarks, fmt.Sprintf("the one-step map is %.3g standard deviations from its teacher, in the root mean square", math.Sqrt(m.Loss())))
	}
	return remarks
}
