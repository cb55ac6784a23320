package surrogate

import (
	"fmt"

	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/diffusion"
)

// Solver returns how the equation is solved by which events are drawn, complete; nil for a model
// that solves none.
func (s *Surrogate) Solver() *diffusion.Solver {
	f, at := find[factor.PathSolver](s.Chain)
	if at < 0 {
		return nil
	}
	solver := f.Solver().Complete()
	return &solver
}

// SetSolver changes how that equation is solved. The density of the model stays what it is, but for
// the errors of the solver. Options that ask for nothing change nothing; others are an error for a
// model that solves none. It is not for while the model is in use.
func (s *Surrogate) SetSolver(o diffusion.SolverOptions) error {
	if o.IsZero() {
		return nil
	}
	f, at := find[factor.PathSolver](s.Chain)
	if at < 0 {
		return fmt.Errorf("the model %q solves no equation: it maps noise to events directly, so there is no solver to change", s.Card.Plan.Model)
	}
	solver, err := o.Apply(f.Solver())
	if err != nil {
		return err
	}
	return f.SetSolver(solver)
}

// DensitySolver returns how the equation is solved along which the log-density is integrated,
// nil for a model that has it in closed form.
func (s *Surrogate) DensitySolver() *diffusion.Solver {
	f := s.densitySolver()
	if f == nil {
		return nil
	}
	solver := f.DensitySolver().Complete()
	return &solver
}

// SetDensitySolver changes how that equation is solved, as [Surrogate.SetSolver].
func (s *Surrogate) SetDensitySolver(o diffusion.SolverOptions) error {
	if o.IsZero() {
		return nil
	}
	f := s.densitySolver()
	if f == nil {
		return fmt.Errorf("the model %q has its log-density in closed form: no equation is solved for it, so there is no solver to change", s.Card.Plan.Model)
	}
	solver, err := o.Apply(f.DensitySolver())
	if err != nil {
		return err
	}
	return f.SetDensitySolver(solver)
}

// densitySolver returns the factor that integrates its log-density, or the one that a one-step map
// has it from; nil where there is none.
func (s *Surrogate) densitySolver() factor.DensitySolver {
	if teacher, ok := s.Teacher(); ok {
		s = teacher
	}
	f, _ := find[factor.DensitySolver](s.Chain)
	return f
}
