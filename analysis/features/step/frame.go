package step

import (
	"maps"
	"slices"
)

// Frame holds the values of variables, by their names, in some events. The zero value is
// a frame of no events.
type Frame struct {
	N      int // events
	values map[string][]float64
	spare  [][]float64 // memory to use again
}

// Names of variables for intermediate values, which no branch has.
const (
	Scratch  = ""
	Scratch2 = "\x00"
)

// Reset forgets all variables. From now on they are of n events.
func (f *Frame) Reset(n int) {
	if f.values == nil {
		f.values = map[string][]float64{}
	}
	for name := range f.values {
		f.Take(name)
	}
	f.N = n
}

// At returns the values of a variable, N of them; nil where there is no such variable.
func (f *Frame) At(name string) []float64 { return f.values[name] }

// Names returns those of the variables, in any order.
func (f *Frame) Names() []string { return slices.Collect(maps.Keys(f.values)) }

// Add returns a variable that is made if there is none. Its values are not zeroed.
func (f *Frame) Add(name string) []float64 {
	if x, ok := f.values[name]; ok {
		return x
	}
	var x []float64
	if last := len(f.spare) - 1; last >= 0 && cap(f.spare[last]) >= f.N {
		x, f.spare = f.spare[last][:f.N], f.spare[:last]
	} else {
		x = make([]float64, f.N)
	}
	f.values[name] = x
	return x
}

// replace puts a variable in the place of another one, with the values that of gives of event k
// and its value there.
func (f *Frame) replace(name, by string, of func(k int, v float64) float64) {
	x := f.Add(by)
	for k, v := range f.At(name) {
		x[k] = of(k, v)
	}
	f.Take(name)
}

// Take returns a variable and forgets it. Its values stay until the next is added.
func (f *Frame) Take(name string) []float64 {
	x, ok := f.values[name]
	if ok {
		delete(f.values, name)
		f.spare = append(f.spare, x)
	}
	return x
}
