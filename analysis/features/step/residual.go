package step

import (
	"fmt"
	"math"
	"strings"
)

// Residual measures a column from what a relation between momenta says of it:
//
//	d = y − relation(x…),  log|∂d/∂y| = 0
//
// as in a file that has p, pT and η, each rounded. Such events lie so close to a curved
// surface that no density finds it; d is as wide as the rounding.
type Residual struct {
	Variable string   `json:"variable"`
	Relation string   `json:"relation"` // the name of one of [Relations]
	Of       []string `json:"of"`
}

// Relation gives a quantity from two others.
type Relation struct {
	Name      string
	Of        func(x, y float64) float64
	Symmetric bool // in x and y
}

// Relations are those that columns are tried for.
func Relations() []Relation {
	return []Relation{
		{"x cosh y", func(x, y float64) float64 { return x * math.Cosh(y) }, false}, // p of pT and η
		{"x sinh y", func(x, y float64) float64 { return x * math.Sinh(y) }, false}, // pz
		{"x cos y", func(x, y float64) float64 { return x * math.Cos(y) }, false},   // px of pT and φ
		{"x sin y", func(x, y float64) float64 { return x * math.Sin(y) }, false},   // py
		{"√(x² + y²)", math.Hypot, true},                                            // pT of px and py
	}
}

func (r *Residual) relation() func(x, y float64) float64 {
	for _, relation := range Relations() {
		if relation.Name == r.Relation {
			return relation.Of
		}
	}
	return nil
}

// name of the coordinate.
func (r *Residual) name() string {
	return fmt.Sprintf("%s − its value from %s, %s", r.Variable, r.Of[0], r.Of[1])
}

func (r *Residual) Variables() (read, taken []string, made []Coordinate) {
	return r.Of, []string{r.Variable}, []Coordinate{{Name: r.name()}}
}

func (r *Residual) IsSound() bool { return len(r.Of) == 2 && r.relation() != nil }

func (r *Residual) Forward(f *Frame, _ []float64, _ func([]float64)) {
	of, x, y := r.relation(), f.At(r.Of[0]), f.At(r.Of[1])
	f.replace(r.Variable, r.name(), func(k int, v float64) float64 { return v - of(x[k], y[k]) })
}

func (r *Residual) Inverse(f *Frame) {
	of, x, y := r.relation(), f.At(r.Of[0]), f.At(r.Of[1])
	f.replace(r.name(), r.Variable, func(k int, d float64) float64 { return d + of(x[k], y[k]) })
}

func (r *Residual) Describe() string { return "relative to its value from " + strings.Join(r.Of, ", ") }
