package features

import (
	"errors"
	"fmt"
	"slices"
)

// This file checks what was read from a file, once and completely, so that whatever uses
// a specification afterwards needs no checks: each variable is there when it is read, and
// each slice has the length that it must have. JSON has no numbers that are not finite.

// Check reports whether a specification that was read from a file is sound. given are the
// columns of the condition of the density.
func (s *Spec) Check(given *Context) error {
	v := variables{}
	for _, b := range s.Branches {
		if b.Kind == 0 || !v.make(b.Name) {
			return fmt.Errorf("features: the specification of branch %q is damaged", b.Name)
		}
	}
	if len(s.Branches) == 0 {
		return errors.New("features: there are no branches")
	}
	conditions := given.Names()
	for _, name := range s.Given {
		if !slices.Contains(conditions, name) || !v.make(name) {
			return fmt.Errorf("features: the maps read %q, which is no branch of the condition", name)
		}
	}
	for i := range s.Maps {
		if err := s.Maps[i].check(v, s.Given); err != nil {
			return err
		}
	}
	for _, name := range s.Given {
		delete(v, name)
	}
	periodic := 0
	for i := range s.Columns {
		c := &s.Columns[i]
		if !v.take(c.Name) || !c.isSound() {
			return fmt.Errorf("features: the specification of %q is damaged", c.Name)
		}
		if c.Periodic {
			periodic++
		}
	}
	if periodic > 1 {
		return errors.New("features: there is more than one periodic angle")
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
	v := variables{}
	for i := range x.Columns {
		if c := &x.Columns[i]; !v.make(c.Name) || !c.isSound() || c.Periodic {
			return fmt.Errorf("features: the specification of branch %q of the condition is damaged", c.Name)
		}
	}
	return nil
}

// check reports whether a map that was read from a file is sound, and replaces the
// variables that there are before it by those after it. Those that are given stay.
func (m *Map) check(v variables, given []string) error {
	kinds := 0
	for _, is := range []bool{
		m.Sum != nil, m.Lookup != nil, m.System != nil, m.Mass != nil, m.Direction != nil, m.Polar != nil, m.Rounded != nil, m.Precision != nil,
		m.Residual != nil, m.Relative != nil, m.Near != nil,
	} {
		if is {
			kinds++
		}
	}
	if kinds != 1 {
		return errors.New("features: there is a map that this program does not know, or one that is two")
	}
	its := m.mapping()
	if !its.isSound() {
		return errors.New("features: the specification of a map is damaged")
	}
	read, taken, made := its.variables()
	for _, name := range read {
		if !v[name] || slices.Contains(taken, name) {
			return fmt.Errorf("features: the map of %q reads %q, which is not there", taken, name)
		}
	}
	for _, name := range taken {
		if slices.Contains(given, name) || !v.take(name) {
			return fmt.Errorf("features: a map takes %q, which is not there", name)
		}
	}
	for _, name := range made {
		if !v.make(name) {
			return fmt.Errorf("features: a map makes %q, which is there already", name)
		}
	}
	return nil
}

// variables are the names of those that there are.
type variables map[string]bool

// make adds a variable, and reports false if there is one of that name.
func (v variables) make(name string) bool {
	if v[name] || name == scratch || name == scratch2 {
		return false
	}
	v[name] = true
	return true
}

// take removes a variable, and reports false if there is none of that name.
func (v variables) take(name string) bool {
	there := v[name]
	delete(v, name)
	return there
}
