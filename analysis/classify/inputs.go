package classify

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Aspect is what an input of the classifier tells of a column.
type Aspect string

// The aspects of a column.
const (
	Value    Aspect = "value"    // where it is, or which code
	Missing  Aspect = "missing"  // that it is not finite, or beyond ±1e75
	Spike    Aspect = "spike"    // that it is exactly a value that many events share
	Relation Aspect = "relation" // how far it is from what the other columns say that it should be
	Rounding Aspect = "rounding" // that it is rounded, or that other events have the very same value
)

// input is one input of the classifier: an aspect of a column.
type input struct {
	Column int    `json:"column"` // in the list of columns
	Aspect Aspect `json:"aspect"`
	// At says more: which kind of missing (0 NaN, ±1 beyond ±1e75), which of the features of the value,
	// the value of the spike, and the step that the value is a multiple of, 0 for how many events have
	// the same value.
	At float64 `json:"at,omitempty"`
}

// sight is how a classifier sees events: as rows of numbers of order one.
type sight struct {
	Columns []seen  `json:"columns"`
	Of      []input `json:"inputs"` // those of relations last, in the order of these
	// Relations say what columns should be, given others.
	Relations []*relation `json:"relations,omitempty"`
}

// seen is a column as a classifier sees it.
type seen struct {
	rootio.Field
	// Whole says that the values are integers in both samples.
	Whole bool `json:"whole,omitempty"`
	// Scale is what the values are divided by, where they are so small that their squares are zero.
	Scale float64 `json:"scale"`
	// Values is how the values are treated that are there; nil where all of them are the same.
	Values *features.Context `json:"values,omitempty"`

	shared map[float64]float32 // the logarithm of the number of events that have a value
}

// inputs are the events of two samples as a classifier sees them, those of sample 0 before those of
// sample 1.
type inputs struct {
	sight
	x []float32 // n×dim
}

// dim is the number of inputs.
func (s *sight) dim() int { return len(s.Of) }

// row returns the inputs of event i.
func (in *inputs) row(i int) []float32 { return in.x[i*in.dim() : (i+1)*in.dim()] }

// newInputs looks at the named columns of both samples together, so that nothing
// in the coordinates knows which sample an event is from. How many events have the same value is an
// input only if shared: it is not known of events of other samples.
func newInputs(ctx context.Context, names []string, samples [2]Sample, shared bool) (*inputs, error) {
	in := &inputs{sight: sight{Columns: make([]seen, len(names))}}
	parts := make([][][]float32, len(names)) // of each column, its inputs
	of := make([][]input, len(names))
	errs := make([]error, len(names))
	parallel.Ranges(len(names), 1, func(lo, _ int) {
		a, _ := samples[0].Table.Column(names[lo])
		b, _ := samples[1].Table.Column(names[lo])
		parts[lo], of[lo], errs[lo] = in.Columns[lo].fit(ctx, a, b, shared)
		for k := range of[lo] {
			of[lo][k].Column = lo
		}
	})
	for j := range names {
		if errs[j] != nil {
			return nil, fmt.Errorf("classify: branch %q: %w", names[j], errs[j])
		}
		in.Of = append(in.Of, of[j]...)
	}
	n := samples[0].Table.Len() + samples[1].Table.Len()
	in.x = make([]float32, n*in.dim())
	f := 0
	for _, column := range parts {
		for _, values := range column {
			scatter(in.x[f:], in.dim(), values)
			f++
		}
	}
	return in, nil
}

// scatter stores values in x[0], x[stride], …
func scatter(x []float32, stride int, values []float32) {
	for i, v := range values {
		x[i*stride] = v
	}
}

// fit finds how a column is seen, and returns the inputs that it makes for the events of a and then
// those of b. A column that is the same in all events makes none.
func (s *seen) fit(ctx context.Context, a, b rootio.Column, shared bool) (parts [][]float32, of []input, err error) {
	na, n := a.Len(), a.Len()+b.Len()
	x := make([]float64, n)
	a.Floats(x[:na], 0)
	b.Floats(x[na:], 0)
	s.Field, s.Scale = rootio.Field{Name: a.Name, Kind: a.Kind}, 1
	add := func(z []float32, aspect Aspect, at float64) {
		in := input{Aspect: aspect, At: at}
		if values := s.look(in, x, z); aspect == Value || slices.Min(values) < slices.Max(values) {
			parts, of = append(parts, values), append(of, in)
		}
	}

	for _, kind := range []float64{0, 1, -1} {
		add(nil, Missing, kind)
	}
	var places []int // of usable values
	largest := 0.0
	for i, v := range x {
		if math.Abs(v) <= beyond {
			places = append(places, i)
			largest = max(largest, math.Abs(v))
		}
	}
	if largest > 0 && largest < 1/beyond { // squares would be zero
		s.Scale = largest
	}
	usable := make([]float64, len(places))
	for k, i := range places {
		x[i] /= s.Scale
		usable[k] = x[i]
	}
	if len(usable) == 0 || slices.Min(usable) == slices.Max(usable) {
		return parts, of, nil
	}

	// One kind of number for both samples; integers beyond 2⁵³ are rounded.
	s.Whole = !a.Kind.IsFloat() && !b.Kind.IsFloat() && slices.Max(usable) <= 1<<53 && slices.Min(usable) >= -1<<53
	table := s.table("", usable) // what its name would suggest is no matter
	if s.Values, err = features.FitContext(ctx, table, nil); err != nil {
		return nil, nil, err
	}
	z := make([]float32, n*s.Values.Dim())
	if err := s.encode(z, table, places); err != nil {
		return nil, nil, err
	}
	c := &s.Values.Columns[0]
	c.Name = s.Name
	for f := range s.Values.Dim() {
		add(z, Value, float64(f))
	}
	if c.As == column.Codes {
		return parts, of, nil
	}
	const most = 4 // spikes
	spikes := slices.Clone(c.Spikes)
	slices.SortStableFunc(spikes, func(p, q column.Spike) int { return cmp.Compare(q.Fraction, p.Fraction) })
	for _, spike := range spikes[:min(len(spikes), most)] {
		add(nil, Spike, spike.Value)
	}
	if !s.Whole {
		if step := gridOf(x[:na], x[na:]); step > 0 {
			add(nil, Rounding, step)
		}
		if s.shared = multiplicities(usable); shared && s.shared != nil {
			parts, of = append(parts, s.look(input{Aspect: Rounding}, x, nil)), append(of, input{Aspect: Rounding})
		}
	}
	return parts, of, nil
}

// table returns a table of one column of the values.
func (s *seen) table(name string, values []float64) *rootio.Table {
	c := rootio.ColumnOf(name, values)
	if s.Whole {
		const most = 1 << 53 // other samples may have larger ones
		whole := make([]float64, len(values))
		for i, v := range values {
			whole[i] = min(max(v, -most), most)
		}
		c = rootio.NewColumn(rootio.Field{Name: name, Kind: rootio.Int64}, len(values))
		c.SetFloats(0, whole)
	}
	return &rootio.Table{Columns: []rootio.Column{c}}
}

// encode stores the features of the values in a table at some places of z; elsewhere it stays.
func (s *seen) encode(z []float32, t *rootio.Table, places []int) error {
	dim := s.Values.Dim()
	some := make([]float32, len(places)*dim)
	if err := s.Values.Encode(some, t, 0); err != nil {
		return err
	}
	for k, i := range places {
		copy(z[i*dim:(i+1)*dim], some[k*dim:])
	}
	return nil
}

// look returns an input for the values x with the features z.
func (s *seen) look(in input, x []float64, z []float32) []float32 {
	values := make([]float32, len(x))
	for i, v := range x {
		switch in.Aspect {
		case Missing:
			values[i] = indicator(missing(v) && in.At == side(v))
		case Value:
			values[i] = z[i*(len(z)/len(x))+int(in.At)]
		case Spike:
			values[i] = indicator(v == in.At)
		case Rounding:
			if in.At > 0 {
				values[i] = offGrid(v, in.At)
			} else {
				values[i] = s.shared[v]
			}
		}
	}
	return values
}

// missing reports whether a value means that there is none; side is how it does so: 0 by NaN, ±1 by
// being beyond ±1e75.
func missing(v float64) bool { return !(math.Abs(v) <= beyond) }

func side(v float64) float64 {
	switch {
	case v > beyond:
		return 1
	case v < -beyond:
		return -1
	}
	return 0
}

func indicator(yes bool) float32 {
	if yes {
		return 1
	}
	return 0
}

// gridOf returns the coarsest power of ten that nine in ten values of a sample are
// multiples of, or 0 if there is none.
func gridOf(samples ...[]float64) float64 {
	for e := 3; e >= -8; e-- {
		step := math.Pow10(e)
		for _, x := range samples {
			on, off := 0, 0
			for i := range min(len(x), 10_000) {
				switch offGrid(x[i], step) {
				case 0:
					on++
				case 1:
					off++
				}
			}
			if on > 9*off && on > len(x)/4 && on > 20 {
				return step
			}
		}
	}
	return 0
}

// offGrid returns 0 if x is a multiple of step to within the precision of
// float32, 1 if it is not, and ½ if that precision, or x, cannot tell.
func offGrid(x, step float64) float32 {
	const (
		precision = 1.0 / (1 << 23)
		coarse    = 0.02 // steps
	)
	k := x / step
	tolerance := math.Abs(k) * precision
	if !(tolerance < coarse) || math.Abs(k) < 0.5 {
		return 0.5
	}
	if math.Abs(k-math.RoundToEven(k)) <= tolerance {
		return 0
	}
	return 1
}

// multiplicities returns for the values that several events have the logarithm of the number of these, or
// nil if hardly any are shared.
func multiplicities(x []float64) map[float64]float32 {
	sorted := slices.Clone(x)
	slices.Sort(sorted)
	count := make(map[float64]float32)
	shared := 0
	for lo := 0; lo < len(sorted); {
		hi := lo + 1
		for hi < len(sorted) && sorted[hi] == sorted[lo] {
			hi++
		}
		if hi > lo+1 {
			count[sorted[lo]] = float32(math.Log(float64(hi - lo)))
			shared += hi - lo
		}
		lo = hi
	}
	if shared < len(x)/100 {
		return nil
	}
	return count
}
