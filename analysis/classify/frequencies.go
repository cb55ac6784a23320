package classify

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/rootio"
)

// Frequencies keeps how often the codes of a sample are, and the values that many of its events share, in every combination: a
// ratio is divided by its mean given them,
//
//	r(x) / E[r | codes of x].
//
// The density that is refined has these frequencies right. But the bounds of a ratio take most from the events that are hardest to learn,
// such as those with many jets, and would make them rarer.
type Frequencies struct {
	Columns []string    `json:"columns"`
	Values  [][]float64 `json:"values"` // of each column, ascending; all others are alike
	// Keys are combinations of values, and Means E[r | combination]/E[r] of each. Combinations that are not
	// there have 1.
	Keys  []uint64  `json:"keys"`
	Means []float64 `json:"means"`

	mean map[uint64]float64
}

const (
	// smallestMean and largestMean bound E[r | combination]/E[r]: a small one costs as many events.
	smallestMean = 0.5
	largestMean  = 4.0
)

// FitFrequencies finds the means of a ratio given the values of some columns, by events of the density that is refined: their columns, a
// table for each piece of them, and log r of all. The means of rare combinations are near 1. The last columns are left out if the
// combinations do not fit into a key. It returns nil where no combination is frequent. The error is that a column is missing.
func FitFrequencies(columns []string, values [][]float64, events []*rootio.Table, logs []float64) (*Frequencies, error) {
	const (
		prior = 100 // events, with the mean of all
		least = 10
	)
	f := &Frequencies{Columns: columns, Values: values}
	for !f.hasKeys() {
		f.Columns, f.Values = f.Columns[:len(f.Columns)-1], f.Values[:len(f.Values)-1]
	}
	overall := 0.0
	sums, counts := map[uint64]float64{}, map[uint64]float64{}
	at := 0
	for _, t := range events {
		keys, err := f.keys(t)
		if err != nil {
			return nil, err
		}
		for i, key := range keys {
			r := math.Exp(logs[at+i])
			overall += r / float64(len(logs))
			sums[key] += r
			counts[key]++
		}
		at += len(keys)
	}
	for key, n := range counts {
		if n >= least {
			f.Keys = append(f.Keys, key)
		}
	}
	if len(f.Keys) == 0 {
		return nil, nil
	}
	slices.Sort(f.Keys)
	for _, key := range f.Keys {
		mean := (sums[key]/overall + prior) / (counts[key] + prior)
		f.Means = append(f.Means, min(max(mean, smallestMean), largestMean))
	}
	f.index()
	return f, nil
}

// Divide subtracts the logarithms of the means, given the events of t, from log. The error is that a column is missing.
func (f *Frequencies) Divide(log []float64, t *rootio.Table) error {
	keys, err := f.keys(t)
	if err != nil {
		return err
	}
	for i, key := range keys {
		if mean, ok := f.mean[key]; ok {
			log[i] -= math.Log(mean)
		}
	}
	return nil
}

// smallest returns the smallest mean.
func (f *Frequencies) smallest() float64 { return min(1, slices.Min(f.Means)) }

// keys returns the combinations of the events of t. Of each column a key has the place of its value: 0 for NaN, 1 for what is
// not among the values, or 2, 3, …
func (f *Frequencies) keys(t *rootio.Table) ([]uint64, error) {
	keys, x := make([]uint64, t.Len()), make([]float64, t.Len())
	for j, name := range f.Columns {
		c, ok := t.Column(name)
		if !ok {
			return nil, fmt.Errorf("classify: branch %q, which the ratio depends on, is missing", name)
		}
		c.Floats(x, 0)
		for i, v := range x {
			place := uint64(1)
			if k, found := slices.BinarySearch(f.Values[j], v); v != v {
				place = 0
			} else if found {
				place = uint64(2 + k)
			}
			keys[i] = keys[i]*uint64(len(f.Values[j])+2) + place
		}
	}
	return keys, nil
}

// hasKeys reports whether all combinations have a key.
func (f *Frequencies) hasKeys() bool {
	all := 1.0
	for _, values := range f.Values {
		all *= float64(len(values) + 2)
	}
	return all < 1<<53
}

func (f *Frequencies) index() {
	f.mean = make(map[uint64]float64, len(f.Keys))
	for k, key := range f.Keys {
		f.mean[key] = f.Means[k]
	}
}

// load checks what was read from a file, of a ratio of some columns.
func (f *Frequencies) load(columns []string) error {
	if len(f.Columns) == 0 || len(f.Values) != len(f.Columns) || len(f.Keys) == 0 || len(f.Means) != len(f.Keys) || !f.hasKeys() {
		return errors.New("the frequencies of the ratio are damaged")
	}
	for j, name := range f.Columns {
		if !slices.Contains(columns, name) || !slices.IsSorted(f.Values[j]) {
			return fmt.Errorf("the frequencies of %q are damaged", name)
		}
	}
	for _, mean := range f.Means {
		if !(mean >= smallestMean && mean <= largestMean) {
			return fmt.Errorf("the frequencies of the ratio have a mean %g", mean)
		}
	}
	f.index()
	return nil
}
