package step

import (
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
)

// Lookup leaves out a branch whose value is a function of another, which is one of
// codes: Values[i] where that is Keys[i]. An event in which it is something else is impossible.
type Lookup struct {
	Variable string    `json:"variable"`
	Of       string    `json:"of"`
	Keys     []float64 `json:"keys"` // ascending
	Values   []float64 `json:"values"`
}

func (l *Lookup) Variables() (read, taken []string, made []Coordinate) {
	return []string{l.Of}, []string{l.Variable}, nil
}

func (l *Lookup) IsSound() bool {
	return len(l.Keys) > 0 && len(l.Keys) == len(l.Values) && column.Ascend(l.Keys)
}

func (l *Lookup) Forward(f *Frame, logDet []float64, _ func([]float64)) {
	x, y := f.At(l.Of), f.Take(l.Variable)
	for k := range logDet {
		if i, ok := slices.BinarySearch(l.Keys, x[k]); !ok || l.Values[i] != y[k] {
			logDet[k] = math.Inf(-1)
		}
	}
}

func (l *Lookup) Inverse(f *Frame) {
	x, y := f.At(l.Of), f.Add(l.Variable)
	for k, key := range x {
		i, _ := slices.BinarySearch(l.Keys, key)
		y[k] = l.Values[min(i, len(l.Values)-1)]
	}
}

func (l *Lookup) Describe() string { return "a function of " + l.Of }
