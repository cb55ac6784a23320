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

// input is one input of the classifier.
type input struct {
	column int // in the list of names
	aspect Aspect
}

// inputs are events as the classifier sees them: a row of numbers of order one per
// event, those of sample 0 before those of sample 1.
type inputs struct {
	names []string
	of    []input
	dim   int
	x     []float32 // n×dim
}

// row returns the inputs of event i.
func (in *inputs) row(i int) []float32 { return in.x[i*in.dim : (i+1)*in.dim] }

// newInputs looks at the named columns of both samples together, so that nothing
// in the coordinates knows which sample an event is from.
func newInputs(ctx context.Context, names []string, samples [2]Sample) (*inputs, error) {
	in := &inputs{names: names}
	parts := make([][][]float32, len(names)) // of each column, its inputs
	aspects := make([][]Aspect, len(names))
	errs := make([]error, len(names))
	parallel.Ranges(len(names), 1, func(lo, _ int) {
		a, _ := samples[0].Table.Column(names[lo])
		b, _ := samples[1].Table.Column(names[lo])
		parts[lo], aspects[lo], errs[lo] = inputsOf(ctx, a, b)
	})
	for j := range names {
		if errs[j] != nil {
			return nil, fmt.Errorf("classify: branch %q: %w", names[j], errs[j])
		}
		for _, a := range aspects[j] {
			in.of = append(in.of, input{j, a})
		}
	}
	in.dim = len(in.of)
	n := samples[0].Table.Len() + samples[1].Table.Len()
	in.x = make([]float32, n*in.dim)
	f := 0
	for _, column := range parts {
		for _, values := range column {
			for i, v := range values {
				in.x[i*in.dim+f] = v
			}
			f++
		}
	}
	return in, nil
}

// inputsOf returns the inputs that a column makes, for the events of a and then
// those of b. A column that is the same in all events makes none.
func inputsOf(ctx context.Context, a, b rootio.Column) (parts [][]float32, aspects []Aspect, err error) {
	na, n := a.Len(), a.Len()+b.Len()
	x := make([]float64, n)
	a.Floats(x[:na], 0)
	b.Floats(x[na:], 0)
	add := func(aspect Aspect, f func(i int) float32) {
		values := make([]float32, n)
		for i := range values {
			values[i] = f(i)
		}
		if slices.Min(values) < slices.Max(values) {
			parts, aspects = append(parts, values), append(aspects, aspect)
		}
	}

	add(Missing, func(i int) float32 { return indicator(math.IsNaN(x[i])) })
	add(Missing, func(i int) float32 { return indicator(x[i] > beyond) })
	add(Missing, func(i int) float32 { return indicator(x[i] < -beyond) })
	var places []int // of usable values
	for i, v := range x {
		if math.Abs(v) <= beyond {
			places = append(places, i)
		}
	}
	usable := make([]float64, len(places))
	largest := 0.0
	for k, i := range places {
		usable[k] = x[i]
		largest = max(largest, math.Abs(x[i]))
	}
	if largest > 0 && largest < 1/beyond { // squares would be zero
		for k, i := range places {
			x[i] /= largest
			usable[k] = x[i]
		}
	}
	if len(usable) == 0 || slices.Min(usable) == slices.Max(usable) {
		return parts, aspects, nil
	}

	// One kind of number for both samples; integers beyond 2⁵³ are rounded.
	one := rootio.ColumnOf("", usable)
	if !a.Kind.IsFloat() && !b.Kind.IsFloat() && slices.Max(usable) <= 1<<53 && slices.Min(usable) >= -1<<53 {
		one = rootio.NewColumn(rootio.Field{Kind: rootio.Int64}, len(usable))
		one.SetFloats(0, usable)
	}
	table := &rootio.Table{Columns: []rootio.Column{one}}
	spec, err := features.FitContext(ctx, table, nil)
	if err != nil {
		return nil, nil, err
	}
	dim := spec.Dim()
	z := make([]float32, len(usable)*dim)
	if err := spec.Encode(z, table, 0); err != nil {
		return nil, nil, err
	}
	for f := range dim {
		values := make([]float32, n)
		for k, i := range places {
			values[i] = z[k*dim+f]
		}
		parts, aspects = append(parts, values), append(aspects, Value)
	}
	c := spec.Columns[0]
	if c.As == column.Codes {
		return parts, aspects, nil
	}
	const most = 4 // spikes
	spikes := slices.Clone(c.Spikes)
	slices.SortStableFunc(spikes, func(p, q column.Spike) int { return cmp.Compare(q.Fraction, p.Fraction) })
	for _, s := range spikes[:min(len(spikes), most)] {
		add(Spike, func(i int) float32 { return indicator(x[i] == s.Value) })
	}
	if one.Kind.IsFloat() {
		if step := gridOf(x[:na], x[na:]); step > 0 {
			add(Rounding, func(i int) float32 { return offGrid(x[i], step) })
		}
		if shared := multiplicities(usable); shared != nil {
			values := make([]float32, n)
			for k, i := range places {
				values[i] = shared[k]
			}
			parts, aspects = append(parts, values), append(aspects, Rounding)
		}
	}
	return parts, aspects, nil
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

// multiplicities returns for each value the logarithm of the number of events that
// have it, or nil if hardly any are shared.
func multiplicities(x []float64) []float32 {
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
	m := make([]float32, len(x))
	for i, v := range x {
		m[i] = count[v]
	}
	return m
}
