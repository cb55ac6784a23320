package diffusion

import (
	"errors"
	"fmt"
)

// SolverOptions are what a user says of a [Solver]: what is zero stays as it is.
type SolverOptions struct {
	// Schedule is the name of one: linear, sqrt or shifted:σ₀ ([Schedule.UnmarshalText]).
	Schedule string `json:"schedule,omitempty"`
	// Method is the name of one: dpm1, dpm2m, dpm3m, dpm2s, dpm3s, euler or heun.
	Method string `json:"method,omitempty"`
	// Order is that of the method, 1, 2 or 3. Without Method it stands for the multistep
	// method of DPM-Solver++ of that order.
	Order int `json:"order,omitempty"`
	// Steps is their number.
	Steps int `json:"steps,omitempty"`
	// Tolerance chooses method and steps: see [Solver].
	Tolerance float64 `json:"tolerance,omitempty"`
}

// IsZero reports whether nothing is asked for.
func (o SolverOptions) IsZero() bool { return o == SolverOptions{} }

// Apply returns the solver with what the options say. A tolerance takes the place of method,
// grid and steps, and these take that of a tolerance. Errors are unknown names, numbers out
// of range, options that do not go together, and an order that the method does not have or
// that no step of so few is of.
func (o SolverOptions) Apply(s Solver) (Solver, error) {
	if o.Schedule != "" {
		if err := s.Schedule.UnmarshalText([]byte(o.Schedule)); err != nil {
			return s, err
		}
	}
	bySteps := o.Method != "" || o.Order != 0 || o.Steps != 0
	switch {
	case o.Tolerance != 0 && bySteps:
		return s, errors.New("diffusion: a tolerance chooses the steps of a solver, of order 3: neither their number nor another solver or order goes with it")
	case o.Tolerance != 0:
		s = Solver{Schedule: s.Schedule, Tolerance: o.Tolerance}
	case bySteps:
		s.Tolerance = 0
	}
	if o.Steps != 0 {
		s.Steps = o.Steps
	}
	if o.Method != "" {
		if err := s.Method.UnmarshalText([]byte(o.Method)); err != nil {
			return s, err
		}
	}
	if o.Order != 0 {
		if err := s.setOrder(o.Order, o.Method != ""); err != nil {
			return s, err
		}
	}
	return s, s.Check()
}

// setOrder chooses the method of an order, unless it was asked for.
func (s *Solver) setOrder(order int, asked bool) error {
	if order < 1 || order > 3 {
		return fmt.Errorf("diffusion: no solver is of order %d: there are orders 1, 2 and 3", order)
	}
	if !asked {
		s.Method = [...]Method{DPM1, DPM2M, DPM3M}[order-1]
	}
	if has := s.Method.Order(); has != order {
		return fmt.Errorf("diffusion: the solver %v is of order %d, not %d", s.Method, has, order)
	}
	if fewest, steps := methods[s.Method].fewest, s.Complete().Steps; steps < fewest {
		return fmt.Errorf("diffusion: the solver %v has order %d from %d steps on, not in %d: the first step comes from pure noise and is of order 2 at most", s.Method, order, fewest, steps)
	}
	return nil
}

// String says in words how the equation is solved, such as “dpm3m in 24 steps, schedule linear”.
func (s Solver) String() string {
	s = s.Complete()
	if s.Tolerance > 0 {
		return fmt.Sprintf("%v with tolerance %g, schedule %v", s.Method, s.Tolerance, s.Schedule)
	}
	return fmt.Sprintf("%v in %d steps, schedule %v", s.Method, s.Steps, s.Schedule)
}
