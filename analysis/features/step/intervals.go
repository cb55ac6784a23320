package step

import (
	"fmt"
	"slices"
	"sort"

	"github.com/eidolon-hep/eidolon/analysis/column"
)

// Intervals is for a code that nearly follows from a number, as a flag of the barrel follows from η: in each interval
// of the number another code is the usual one. In the place of the code comes how usual it is there: the first of the codes
// where it is the most frequent one of the interval, the second where it is the next, and so on. So events are
// drawn with the true rate of exceptions, and nothing else needs to know where the interval ends.
type Intervals struct {
	Variable string    `json:"variable"`
	Of       string    `json:"of"`
	Codes    []float64 `json:"codes"` // ascending
	Walls    []float64 `json:"walls"` // between the intervals, ascending; a number at a wall is above it

	// Usual are the places of the codes, the most frequent one first, in each interval.
	Usual [][]int `json:"usual"`
}

func (s *Intervals) Variables() (read, taken []string, made []Coordinate) {
	return []string{s.Of}, []string{s.Variable}, []Coordinate{{Name: s.Variable}}
}

func (s *Intervals) IsSound() bool {
	if len(s.Codes) < 2 || !column.Ascend(s.Codes) || !column.Ascend(s.Walls) || len(s.Usual) != len(s.Walls)+1 || s.Variable == s.Of {
		return false
	}
	for _, usual := range s.Usual {
		sorted := slices.Sorted(slices.Values(usual))
		if len(sorted) != len(s.Codes) {
			return false
		}
		for i, k := range sorted {
			if i != k {
				return false
			}
		}
	}
	return true
}

// usual returns the places of the codes where the number is x.
func (s *Intervals) usual(x float64) []int {
	return s.Usual[sort.Search(len(s.Walls), func(i int) bool { return x < s.Walls[i] })]
}

// Forward leaves a code that it does not know as it is.
func (s *Intervals) Forward(f *Frame, _ []float64, _ func([]float64)) {
	x, code := f.At(s.Of), f.At(s.Variable)
	for k, v := range code {
		if place, ok := slices.BinarySearch(s.Codes, v); ok {
			code[k] = s.Codes[slices.Index(s.usual(x[k]), place)]
		}
	}
}

func (s *Intervals) Inverse(f *Frame) {
	x, code := f.At(s.Of), f.At(s.Variable)
	for k, v := range code {
		if place, ok := slices.BinarySearch(s.Codes, v); ok {
			code[k] = s.Codes[s.usual(x[k])[place]]
		}
	}
}

// Describe names the walls, and the usual codes between them.
func (s *Intervals) Describe() string {
	text := fmt.Sprintf("follows from the interval of %s: usually %g", s.Of, s.Codes[s.Usual[0][0]])
	for i, wall := range s.Walls {
		text += fmt.Sprintf(", from %.6g on %g", wall, s.Codes[s.Usual[i+1][0]])
	}
	return text
}
