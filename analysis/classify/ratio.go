package classify

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Ratio is the ratio of the densities of two samples, as a function of any event:
//
//	r(x) = p₁(x)/p₀(x) = C(x)/(1−C(x))
//
// It is the mean of the ratios of several classifiers, each of which was trained on a part of the
// events and calibrated with others. The events of the samples are no new events: some of the classifiers have
// learnt from them. Their own ratios are those of [Result.LogRatio].
type Ratio struct {
	Card Card

	sight   sight
	members []*classifier
	most    float64 // of |log r|: so many events cannot tell that a density is less than a part of another
}

// Card says where a ratio came from. The samples are 0, the source, and 1, the target.
type Card struct {
	Version string   `json:"version,omitempty"` // of the program
	Command string   `json:"command,omitempty"` // that made it
	Source  []string `json:"source,omitempty"`  // the names of the files of sample 0
	Target  []string `json:"target,omitempty"`  // and of sample 1

	Events   [2]int  `json:"events"` // that were trained on and judged, of the samples 0 and 1
	AUC      float64 `json:"auc"`    // of the classifiers, on events that they have not seen
	AUCError float64 `json:"auc_error"`
}

// Fit trains classifiers that tell sample 1 from sample 0, as [CrossFit] does, and returns the ratio of the
// densities for other events as well. How often a value is repeated, which is not known of an event alone, is not
// looked at.
//
// Errors are those of CrossFit, and that no column varies.
func Fit(ctx context.Context, zero, one Sample, opts Options) (*Ratio, *Result, error) {
	opts.forOthers = true
	f, err := newFolds(ctx, zero, one, opts)
	if err != nil {
		return nil, nil, err
	}
	if f.in.dim() == 0 {
		return nil, nil, errors.New("classify: no column varies, so there is no ratio to learn")
	}
	result, err := f.run(ctx)
	if err != nil {
		return nil, nil, err
	}
	r := &Ratio{sight: f.in.sight, members: f.classifiers, most: f.most()}
	r.Card.Events, r.Card.AUC, r.Card.AUCError = result.Events, result.AUC, result.AUCError
	return r, result, nil
}

// Fields returns the columns that the ratio depends on, with their types in sample 0.
func (r *Ratio) Fields() []rootio.Field {
	fields := make([]rootio.Field, len(r.sight.Columns))
	for i, c := range r.sight.Columns {
		fields[i] = c.Field
	}
	return fields
}

// Names returns the names of these columns.
func (r *Ratio) Names() []string { return rootio.Names(r.Fields()) }

// LogRatio stores log r(x) of the events of t in dst. The columns are found by name; a number beyond those of
// the samples is taken for the last of these. first is the number of the first event, for errors: a
// column that is missing, or has numbers with a fraction where the samples had none, a code that neither
// sample has, and a value that is missing where none was. The error may be that of ctx, too.
func (r *Ratio) LogRatio(ctx context.Context, dst []float64, t *rootio.Table, first uint64) error {
	const inputs = 1 << 22 // at a time
	n, piece := t.Len(), min(max(inputs/r.sight.dim(), 1<<8), 1<<14)
	if len(dst) != n {
		panic(fmt.Sprintf("classify: LogRatio of %d events into %d values", n, len(dst)))
	}
	x, s := make([]float32, min(n, piece)*r.sight.dim()), make([]float64, min(n, piece))
	for lo := 0; lo < n; lo += piece {
		if err := ctx.Err(); err != nil {
			return err
		}
		hi := min(lo+piece, n)
		x, s, dst := x[:(hi-lo)*r.sight.dim()], s[:hi-lo], dst[lo:hi]
		if err := r.sight.look(x, t.Slice(lo, hi), first+uint64(lo)); err != nil {
			return err
		}
		clear(dst)
		for _, m := range r.members {
			m.logRatios(s, x)
			for i, v := range s {
				if v != v { // a network overflows, so far out
					v = 0
				}
				dst[i] += math.Exp(min(max(-r.most, v), r.most))
			}
		}
		for i, sum := range dst {
			dst[i] = math.Log(sum / float64(len(r.members)))
		}
	}
	return nil
}

// look stores the inputs of the events of t in x (n×dim).
func (s *sight) look(x []float32, t *rootio.Table, first uint64) error {
	n, dim := t.Len(), s.dim()
	errs := make([]error, len(s.Columns))
	parallel.Ranges(len(s.Columns), 1, func(lo, _ int) {
		c := &s.Columns[lo]
		v, z, err := c.read(t, s.of(lo), first)
		if err != nil {
			errs[lo] = err
			return
		}
		for k, in := range s.Of {
			if in.Column == lo && in.Aspect != Relation {
				scatter(x[k:], dim, c.look(in, v, z))
			}
		}
	})
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	if n == 0 {
		return nil
	}
	for k, r := range s.Relations {
		r.store(x[dim-len(s.Relations)+k:], dim, r.left(x, dim))
	}
	return nil
}

// of returns the inputs of a column.
func (s *sight) of(column int) (of []input) {
	for _, in := range s.Of {
		if in.Column == column {
			of = append(of, in)
		}
	}
	return of
}

// read returns the values of the column in t, scaled, and their features.
func (s *seen) read(t *rootio.Table, of []input, first uint64) (x []float64, z []float32, err error) {
	c, ok := t.Column(s.Name)
	if !ok {
		return nil, nil, fmt.Errorf("classify: branch %q, which the ratio depends on, is missing", s.Name)
	}
	fail := func(i int, format string, args ...any) ([]float64, []float32, error) {
		return nil, nil, fmt.Errorf("classify: branch %q is %v in entry %d: %s", s.Name, x[i], first+uint64(i), fmt.Sprintf(format, args...))
	}
	x = c.Float64s()
	usable := make([]float64, 0, len(x))
	var places []int
	for i, v := range x {
		x[i] = v / s.Scale
		switch {
		case missing(v):
			if !mayBe(of, v) {
				return fail(i, "the samples of the ratio have a value in every event")
			}
			continue
		case s.Whole && v != math.Trunc(v):
			return fail(i, "the samples of the ratio have whole numbers")
		case s.Values != nil && s.Values.Columns[0].IsUnknown(x[i]):
			return fail(i, "the samples of the ratio have %s", s.Values.Columns[0].Had())
		}
		usable, places = append(usable, x[i]), append(places, i)
	}
	if s.Values == nil {
		return x, nil, nil
	}
	z = make([]float32, len(x)*s.Values.Dim())
	return x, z, s.encode(z, s.table(s.Name, usable), places)
}

// mayBe reports whether a value may be missing in this way.
func mayBe(of []input, v float64) bool {
	for _, in := range of {
		if in.Aspect == Missing && in.At == side(v) {
			return true
		}
	}
	return false
}
