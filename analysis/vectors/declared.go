package vectors

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Declared is a four-vector that a user declares: pt, eta, phi or px, py, pz, which is seen in the values.
type Declared struct {
	Name       string
	Components [3]string
	Mass       float64 // where MassBranch is ""
	MassBranch string
}

// Parse reads a declaration, name=pt,eta,phi,mass or name=px,py,pz,mass, where the mass is a number or a branch.
func Parse(text string) (Declared, error) {
	name, list, ok := strings.Cut(text, "=")
	d := Declared{Name: strings.TrimSpace(name)}
	parts := strings.Split(list, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	if !ok || d.Name == "" || len(parts) != 4 || slices.Contains(parts, "") {
		return d, fmt.Errorf("vector %q must be name=pt,eta,phi,mass or name=px,py,pz,mass", text)
	}
	d.Components = [3]string(parts[:3])
	if m, err := strconv.ParseFloat(parts[3], 64); err != nil {
		d.MassBranch = parts[3]
	} else if !(m >= 0) || math.IsInf(m, 0) {
		return d, fmt.Errorf("the mass of vector %q cannot be %s", d.Name, parts[3])
	} else {
		d.Mass = m
	}
	return d, nil
}

// Columns returns the branches of a declaration.
func (d *Declared) Columns() []string {
	if d.MassBranch == "" {
		return d.Components[:]
	}
	return append(d.Components[:], d.MassBranch)
}

// ArePolar reports whether the values of three components are pt, eta and phi, not px, py and pz: no pt is negative, and no
// azimuths are farther apart than 2π.
func ArePolar(first, third []float64) bool {
	return slices.Min(first) >= 0 && slices.Max(third)-slices.Min(third) <= 2*math.Pi+0.01
}

// declared returns the vector of a declaration; ok is false if the table lacks a column, or the values are none of a momentum.
func (c *checker) declared(d *Declared) (v Vector, ok bool) {
	for _, name := range d.Columns() {
		if _, ok := c.table.Column(name); !ok {
			return v, false
		}
	}
	v = Vector{Name: d.Name, Mass: d.Mass, MassOf: "declared", M: d.MassBranch, MassFrom: d.MassBranch}
	if ArePolar(c.load(d.Components[0]), c.load(d.Components[2])) {
		v.PT, v.Eta, v.Phi = d.Components[0], d.Components[1], d.Components[2]
	} else {
		v.PX, v.PY, v.PZ = d.Components[0], d.Components[1], d.Components[2]
	}
	ok = c.check(&v)
	if v.M == "" { // it was none
		v.MassFrom = ""
	}
	return v, ok
}
