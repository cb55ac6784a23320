package surrogate

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/training"
)

// Chain is the density of events in model space as a product of factors. Each takes its own part
// of the features that come to it and hands on the rest; those after it get its part in their
// context. The log-density is the sum of the factors', and an event is drawn one factor after the
// other.
type Chain struct {
	Factors []factor.Factor
	dim     int // the number of features
	context int // the number of features of the context
}

// compose returns the chain for events: the factors that are found among the features, and the
// model of what they leave. steep are the features of the context that others may depend on
// steeply.
func compose(ctx context.Context, kind factor.Kind, events factor.Events, steep []int, s factor.Settings) (Chain, error) {
	c := Chain{dim: events.Dim, context: events.Context}
	for _, k := range factor.Kinds() {
		for k.Find != nil {
			f, err := k.Find(ctx, events, s)
			if err != nil {
				return c, err
			}
			if f == nil {
				break
			}
			c.Factors, events = append(c.Factors, f), after(f, events)
		}
	}
	if len(c.Factors) > 0 && events.Dim == 0 { // nothing is left for the model
		return c, nil
	}
	last, err := kind.Make(events.Dim, events.Context, steep, s)
	if err != nil {
		return c, err
	}
	c.Factors = append(c.Factors, last)
	return c, nil
}

// after returns the events for the factors after f.
func after(f factor.Factor, events factor.Events) factor.Events {
	next, cut := events, f.Cut()
	next.Features = cut.Rest(events.Features)
	next.Context += cut.Told()
	var rest []float32
	next.Rows = func() []float32 {
		if rest == nil {
			rest = make([]float32, events.N*cut.Left())
			cut.Split(make([]float32, events.N*f.Dim()), rest, nil, events.Rows())
		}
		return rest
	}
	return next
}

// Dim returns the number of features of an event, and Context that of what the density is
// conditional on.
func (c Chain) Dim() int     { return c.dim }
func (c Chain) Context() int { return c.context }

// String says what the chain consists of.
func (c Chain) String() string { return listed(c.names()) }

// names returns what each factor says of itself.
func (c Chain) names() []string {
	names := make([]string, len(c.Factors))
	for i, f := range c.Factors {
		names[i] = f.String()
	}
	return names
}

// listed joins the names of factors.
func listed(names []string) string { return strings.Join(names, ", then ") }

// FactorAs returns the first factor of a surrogate that is an A, one of the interfaces of package
// factor, and false where there is none.
func FactorAs[A any](s *Surrogate) (a A, ok bool) {
	for _, a := range factorsAs[A](s) {
		return a, true
	}
	return a, false
}

// factorsAs returns the factors that are an A, at most one of each part.
func factorsAs[A any](s *Surrogate) (all []A) {
	for _, p := range s.Parts {
		if a, at := find[A](p.Chain); at >= 0 {
			all = append(all, a)
		}
	}
	return all
}

// find returns the factor that is an A, and its place, −1 where there is none.
func find[A any](c Chain) (a A, at int) {
	for i, f := range c.Factors {
		if a, ok := f.(A); ok {
			return a, i
		}
	}
	return a, -1
}

// with returns the chain with another factor in a place.
func (c Chain) with(at int, f factor.Factor) Chain {
	c.Factors = slices.Clone(c.Factors)
	c.Factors[at] = f
	return c
}

// last returns the last factor.
func (c Chain) last() factor.Factor { return c.Factors[len(c.Factors)-1] }

// isWhole reports whether there is one factor, which takes all features as they are.
func (c Chain) isWhole() bool { return c.Factors[0].Cut() == nil }

// view is what a factor sees of some events: its own part of them and their context; and what it
// makes for the factors after it.
type view struct{ own, context, rest, next []float32 }

// split returns what each factor sees of n rows x with the contexts cx. It adds the logarithm of
// the density of what comes to a factor, relative to its own density and that of the rest, to the
// slice of the factor in logDet, unless that is nil. The memory is that of earlier views of as many
// rows, or new (nil).
func (c Chain) split(views []view, logDet [][]float64, n int, x, cx []float32) []view {
	isNew := views == nil
	if isNew {
		views = make([]view, len(c.Factors))
	}
	width := c.context
	for i, f := range c.Factors {
		v, cut := &views[i], f.Cut()
		v.context = cx
		if cut == nil {
			v.own = x
			break
		}
		if isNew {
			v.own, v.rest = make([]float32, n*f.Dim()), make([]float32, n*cut.Left())
		}
		var ld []float64
		if logDet != nil {
			ld = logDet[i]
		}
		cut.Split(v.own, v.rest, ld, x)
		if i == len(c.Factors)-1 {
			break
		}
		if isNew {
			v.next = make([]float32, n*(width+cut.Told()))
		}
		tell(v.next, cx, v.own, n, width, f)
		x, cx, width = v.rest, v.next, width+cut.Told()
	}
	return views
}

// tell stores in next (n×(width+Told)) the context c (n×width) and what the factors after f get of
// its own part.
func tell(next, c, own []float32, n, width int, f factor.Factor) {
	dim, cut := f.Dim(), f.Cut()
	wide := width + cut.Told()
	parallel.Ranges(n, 1<<10, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row := next[i*wide : (i+1)*wide]
			copy(row, c[i*width:(i+1)*width])
			cut.Tell(row[width:], own[i*dim:(i+1)*dim])
		}
	})
}

// inPieces gives the parts [lo, hi) of n rows, so short that what the factors see of them takes
// little memory.
func inPieces(n int, f func(lo, hi int) error) error {
	const piece = 1 << 14
	for lo := 0; lo < n; lo += piece {
		if err := f(lo, min(lo+piece, n)); err != nil {
			return err
		}
	}
	return nil
}

// LogDensity stores log p(x|c) of each row of x (n×Dim) in dst, given rows of the context (n×Context).
// The error is that of ctx.
func (c Chain) LogDensity(ctx context.Context, dst []float64, x, cx []float32) error {
	if c.isWhole() {
		return c.Factors[0].LogDensity(ctx, dst, x, cx)
	}
	return inPieces(len(dst), func(lo, hi int) error {
		return c.logDensity(ctx, dst[lo:hi], x[lo*c.dim:hi*c.dim], cx[lo*c.context:hi*c.context])
	})
}

func (c Chain) logDensity(ctx context.Context, dst []float64, x, cx []float32) error {
	clear(dst)
	last, err := c.toLast(ctx, dst, new([]view), x, cx)
	if err != nil {
		return err
	}
	p := make([]float64, len(dst))
	if err := c.last().LogDensity(ctx, p, last.own, last.context); err != nil {
		return err
	}
	for k, l := range p {
		dst[k] += l
	}
	return nil
}

// toLast returns what the last factor sees of rows x with the contexts cx, and adds to dst the logarithm of their density relative to
// that of the last factor. The memory is that of memory, where that is of as many rows.
func (c Chain) toLast(ctx context.Context, dst []float64, memory *[]view, x, cx []float32) (view, error) {
	views := c.split(*memory, slices.Repeat([][]float64{dst}, len(c.Factors)), len(dst), x, cx)
	*memory = views
	end, p := len(c.Factors)-1, make([]float64, len(dst))
	for i, f := range c.Factors[:end] {
		if err := f.LogDensity(ctx, p, views[i].own, views[i].context); err != nil {
			return view{}, err
		}
		for k, l := range p {
			dst[k] += l
		}
	}
	return views[end], nil
}

// Sample draws the events of the given numbers, one for each row of x (n×Dim), given rows of the
// context (n×Context). An event depends on (seed, attempt, number) and its context alone. The error
// is that of ctx.
func (c Chain) Sample(ctx context.Context, x, cx []float32, seed, attempt uint64, numbers []uint64) error {
	if c.isWhole() {
		return c.Factors[0].Sample(ctx, x, cx, seed, attempt, numbers)
	}
	return inPieces(len(numbers), func(lo, hi int) error {
		return c.sample(ctx, x[lo*c.dim:hi*c.dim], cx[lo*c.context:hi*c.context], seed, attempt, numbers[lo:hi])
	})
}

func (c Chain) sample(ctx context.Context, x, cx []float32, seed, attempt uint64, numbers []uint64) error {
	own, err := c.draw(len(numbers), cx, func(_ int, f factor.Factor, own, cx []float32) error {
		return f.Sample(ctx, own, cx, seed, attempt, numbers)
	})
	if err != nil {
		return err
	}
	c.join(x, own)
	return nil
}

// draw returns the own parts of n events with the contexts cx. Each is made by a function, which
// gets what was made before it in its context.
func (c Chain) draw(n int, cx []float32, makeOwn func(i int, f factor.Factor, own, cx []float32) error) ([][]float32, error) {
	own, width := make([][]float32, len(c.Factors)), c.context
	for i, f := range c.Factors {
		own[i] = make([]float32, n*f.Dim())
		if err := makeOwn(i, f, own[i], cx); err != nil {
			return nil, err
		}
		if i < len(c.Factors)-1 {
			told := f.Cut().Told()
			next := make([]float32, n*(width+told))
			tell(next, cx, own[i], n, width, f)
			cx, width = next, width+told
		}
	}
	return own, nil
}

// join stores the events with the given own parts in x: the inverse of split.
func (c Chain) join(x []float32, own [][]float32) {
	var rest []float32
	for i, f := range slices.Backward(c.Factors) {
		all := x
		switch {
		case f.Cut() == nil && i > 0:
			rest = own[i]
			continue
		case f.Cut() == nil:
			copy(x, own[i])
			return
		case i > 0:
			all = make([]float32, len(own[i])/f.Dim()*c.Factors[i-1].Cut().Left())
		}
		f.Cut().Join(all, own[i], rest)
		rest = all
	}
}

// Train fits the factors to the rows of train: those before the last, which are small, by the options
// each, and the last one by its own. The history is that of the last.
func (c Chain) Train(ctx context.Context, train, valid training.Data, each, last training.Options) (training.History, error) {
	begin := time.Now()
	trains, valids, width, err := c.trainHead(ctx, train, valid, each)
	if err != nil {
		return training.History{}, err
	}
	end := len(c.Factors) - 1
	f := c.Factors[end]
	ofLast := data(f, trains[end], width, train.W)
	if train.Refresh != nil {
		ofLast.Refresh = func(ctx context.Context, pass uint64) {
			train.Refresh(ctx, pass)
			c.split(trains, nil, train.Len(), train.X, train.C)
		}
	}
	return f.Train(ctx, ofLast, data(f, valids[end], width, valid.W), last.Since(begin))
}

// trainHead fits the factors before the last. It returns what each factor sees of the rows, and the number of features of
// the context of the last one.
func (c Chain) trainHead(ctx context.Context, train, valid training.Data, each training.Options) (trains, valids []view, width int, err error) {
	trains = c.split(nil, nil, train.Len(), train.X, train.C)
	valids = c.split(nil, nil, valid.Len(), valid.X, valid.C)
	width = c.context
	for i, f := range c.Factors[:len(c.Factors)-1] {
		if _, err := f.Train(ctx, data(f, trains[i], width, train.W), data(f, valids[i], width, valid.W), each); err != nil {
			return nil, nil, 0, err
		}
		width += f.Cut().Told()
	}
	return trains, valids, width, nil
}

// data returns what a factor sees, with the weights w, to train on.
func data(f factor.Factor, v view, width int, w []float32) training.Data {
	return training.Data{X: v.own, Dim: f.Dim(), C: v.context, Context: width, W: w}
}

// Tensors returns the parameters, those of each factor under its place, such as “0.base”.
func (c Chain) Tensors() []training.Tensor {
	var all []training.Tensor
	for i, f := range c.Factors {
		all = training.Prefixed(prefix(i), f.Tensors(), all)
	}
	return all
}

// described is a factor as a model file describes it.
type described struct {
	Kind        string          `json:"kind"`
	Features    int             `json:"features"` // that come to it
	Description json.RawMessage `json:"description"`
}

// MarshalJSON describes the factors, without their parameters.
func (c Chain) MarshalJSON() ([]byte, error) {
	list, err := c.describe()
	if err != nil {
		return nil, err
	}
	return json.Marshal(list)
}

func (c Chain) describe() ([]described, error) {
	list, dim := make([]described, len(c.Factors)), c.dim
	for i, f := range c.Factors {
		text, err := json.Marshal(f)
		if err != nil {
			return nil, fmt.Errorf("surrogate: could not describe %v: %w", f, err)
		}
		list[i] = described{f.Kind(), dim, text}
		if cut := f.Cut(); cut != nil {
			dim = cut.Left()
		}
	}
	return list, nil
}

// loadChain returns the chain of a list of factors, for features and so many features of the
// context.
func loadChain(list []described, tensors []training.Tensor, of factor.Features, context int) (Chain, error) {
	c := Chain{dim: of.Dim, context: context}
	for i, d := range list {
		kind, ok := factor.ByName(d.Kind)
		if !ok {
			return c, fmt.Errorf("surrogate: this program knows no factor that is called %q", d.Kind)
		}
		if d.Features != of.Dim {
			return c, fmt.Errorf("surrogate: the file says that factor %d (%s) gets %d features, there are %d", i, d.Kind, d.Features, of.Dim)
		}
		own, _ := training.Under(prefix(i), tensors)
		f, err := kind.Load(d.Description, own, of)
		if err != nil {
			return c, err
		}
		fits := f.Context() == context
		if f.Cut() == nil {
			fits = fits && f.Dim() == of.Dim
		} else {
			fits = fits || kind.Free && f.Context() == 0
		}
		if !fits {
			return c, fmt.Errorf("surrogate: factor %d (%s) is of %d features and %d context features, there are %d and %d", i, d.Kind, f.Dim(), f.Context(), of.Dim, context)
		}
		c.Factors = append(c.Factors, f)
		if f.Cut() == nil {
			of = factor.Features{}
			if i < len(list)-1 {
				return c, fmt.Errorf("surrogate: nothing is left after factor %d (%s), and there are %d", i, d.Kind, len(list))
			}
			break
		}
		of, context = f.Cut().Rest(of), context+f.Cut().Told()
	}
	if len(c.Factors) == 0 || of.Dim > 0 {
		return c, fmt.Errorf("surrogate: the factors of the file leave %d features", of.Dim)
	}
	return c, nil
}

// prefix begins the names of the tensors of the factor in a place.
func prefix(place int) string { return strconv.Itoa(place) + "." }
