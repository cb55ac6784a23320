package surrogate

import (
	"fmt"

	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/diffusion"
)

// Solver returns how the equation is solved by which events are drawn, complete; nil for a model
// that solves none.
func (s *Surrogate) Solver() *diffusion.Solver {
	f, ok := FactorAs[factor.PathSolver](s)
	if !ok {
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
	all := factorsAs[factor.PathSolver](s)
	if len(all) == 0 {
		return fmt.Errorf("the model %q solves no equation: it maps noise to events directly, so there is no solver to change", s.Card.Plan.Model)
	}
	for _, f := range all {
		solver, err := o.Apply(f.Solver())
		if err != nil {
			return err
		}
		if err := f.SetSolver(solver); err != nil {
			return err
		}
	}
	return nil
}

// DensitySolver returns how the equation is solved along which the log-density is integrated,
// nil for a model that has it in closed form.
func (s *Surrogate) DensitySolver() *diffusion.Solver {
	all := s.densitySolvers()
	if len(all) == 0 {
		return nil
	}
	solver := all[0].DensitySolver().Complete()
	return &solver
}

// SetDensitySolver changes how that equation is solved, as [Surrogate.SetSolver].
func (s *Surrogate) SetDensitySolver(o diffusion.SolverOptions) error {
	if o.IsZero() {
		return nil
	}
	all := s.densitySolvers()
	if len(all) == 0 {
		return fmt.Errorf("the model %q has its log-density in closed form: no equation is solved for it, so there is no solver to change", s.Card.Plan.Model)
	}
	for _, f := range all {
		solver, err := o.Apply(f.DensitySolver())
		if err != nil {
			return err
		}
		if err := f.SetDensitySolver(solver); err != nil {
			return err
		}
	}
	return nil
}

// densitySolvers returns the factors that integrate their log-density, or those that one-step maps
// have it from.
func (s *Surrogate) densitySolvers() []factor.DensitySolver {
	if teacher, ok := s.Teacher(); ok {
		s = teacher
	}
	return factorsAs[factor.DensitySolver](s)
}
