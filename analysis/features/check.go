package features

import (
	"errors"
	"fmt"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/features/step"
)

// This file checks what was read from a file, once and completely, so that whatever uses
// a specification afterwards needs no checks: each variable is there when it is read, and
// each slice has the length that it must have. JSON has no numbers that are not finite.

// Check reports whether a specification that was read from a file is sound. given are the
// columns of the condition of the density.
func (s *Spec) Check(given *Context) error {
	v := step.Names{}
	for _, b := range s.Branches {
		if b.Kind == 0 || !v.Add(b.Name) {
			return fmt.Errorf("features: the specification of branch %q is damaged", b.Name)
		}
	}
	if len(s.Branches) == 0 {
		return errors.New("features: there are no branches")
	}
	if s.Momenta != nil && !s.Momenta.IsSound() {
		return errors.New("features: the momenta are damaged")
	}
	conditions := given.Names()
	for _, name := range s.Given {
		if !slices.Contains(conditions, name) || !v.Add(name) {
			return fmt.Errorf("features: the steps read %q, which is no branch of the condition", name)
		}
	}
	if err := s.Steps.Check(v, s.Given); err != nil {
		return err
	}
	for _, name := range s.Given {
		delete(v, name)
	}
	for _, name := range s.Numbers() { // which are not read
		for _, st := range s.Steps {
			if read, taken, _ := st.Variables(); slices.Contains(slices.Concat(read, taken), name) {
				return fmt.Errorf("features: a step reads %q, which numbers events", name)
			}
		}
	}
	periodic, independent := 0, 0
	for i := range s.Columns {
		c := &s.Columns[i]
		if !v.Remove(c.Name) || !c.isSound() {
			return fmt.Errorf("features: the specification of %q is damaged", c.Name)
		}
		if c.Periodic {
			periodic++
		}
		if c.Independent {
			independent++
		}
	}
	if periodic > 1 || independent > 1 {
		return errors.New("features: there is more than one periodic or independent angle")
	}
	for name := range v {
		return fmt.Errorf("features: the specification of %q is missing", name)
	}
	for i := range s.Ranges {
		if r := &s.Ranges[i]; !slices.Contains(s.Names(), r.Name) || !r.isSound() {
			return fmt.Errorf("features: the range of %q is damaged", r.Name)
		}
	}
	return nil
}

// Check reports whether a specification that was read from a file is sound.
func (x *Context) Check() error {
	v := step.Names{}
	for i := range x.Columns {
		if c := &x.Columns[i]; !v.Add(c.Name) || !c.isSound() || c.Periodic || c.Independent {
			return fmt.Errorf("features: the specification of branch %q of the condition is damaged", c.Name)
		}
	}
	return nil
}
