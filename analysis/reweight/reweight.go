// Package reweight gives the events of one sample weights with which they are
// distributed as those of another: the ratio of the two densities, from a classifier
// (Cranmer, Pavez and Louppe, arXiv:1506.02169).
//
// With C(x) the probability that the classifier gives an event to be one of the
// target, when both samples count as much, the weight is
//
//	w(x) = p_target(x)/p_source(x) = C/(1−C)
//
// No event is weighted by a classifier that has seen it, and C is calibrated:
// see package classify. Weights that the source has already, of either sign, are
// multiplied by it.
package reweight

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/rows"
)

// Options say how events are reweighted. Zero values ask for the defaults.
type Options struct {
	// Classify are the options of the classifier; by default it is trained on up to
	// 200,000 events of each sample. All is implied.
	Classify classify.Options
	// Clip, when not 0, is the largest w(x): larger ones become it.
	Clip float64
}

const maxEvents = 200_000

// Weights are the outcome.
type Weights struct {
	// Ratio is w(x) for each event of the source. Its mean, with the weights that the
	// source has already, is one: yields are left alone.
	Ratio []float64 `json:"-"`
	// Weight is the product of that and the weight that the event has already.
	Weight []float64 `json:"-"`

	Sum       float64 `json:"sum_of_weights"`
	Effective float64 `json:"effective_events"` // (Σw)²/Σw²
	Smallest  float64 `json:"smallest_ratio"`
	Largest   float64 `json:"largest_ratio"`
	Clipped   int     `json:"clipped"`          // events
	ClippedBy float64 `json:"clipped_fraction"` // the part of the sum of weights that this took away

	// OutOfReach are the parts of the target where the source has no events, by columns,
	// the largest first. No weight mends that.
	OutOfReach []Reach `json:"out_of_reach,omitempty"`
	// Covered is the sum of the ratios before they were normalised, in units of the number
	// of events: the part of the target that lies where the source has events.
	Covered float64 `json:"covered"`
	// Notes say what else is to be known.
	Notes []string `json:"notes,omitempty"`

	Classifier *classify.Result `json:"classifier"` // before reweighting
}

// ErrNoOverlap says that hardly any of the target's events are where the source has some.
var ErrNoOverlap = errors.New("reweight: no weight makes the samples alike")

// Fit finds the weights that take source to target.
//
// Errors are [ErrNoOverlap], which comes before the work, and those of
// [classify.CrossFit].
func Fit(ctx context.Context, source, target classify.Sample, opts Options) (*Weights, error) {
	if opts.Clip < 0 || math.IsNaN(opts.Clip) {
		return nil, fmt.Errorf("reweight: weights cannot be clipped at %g", opts.Clip)
	}
	opts.Classify.All = true
	w := &Weights{Ratio: make([]float64, source.Table.Len())}
	var err error
	if w.OutOfReach, err = opts.reach(ctx, source, target); err != nil {
		return nil, err
	}
	result, err := classify.CrossFit(ctx, source, target, opts.Classify)
	if err != nil {
		return nil, err
	}
	w.Classifier = result
	for i, s := range result.LogRatio[0] {
		w.Ratio[i] = math.Exp(s)
	}
	given := source.Weights
	if given == nil {
		given = slices.Repeat([]float64{1}, len(w.Ratio))
	}
	w.clip(opts.Clip, given)
	if err := w.normalise(given); err != nil {
		return nil, err
	}
	for _, r := range w.OutOfReach {
		w.Notes = append(w.Notes, r.String()+": no weight mends that.")
	}
	if len(w.OutOfReach) == 0 && w.Covered < poorlyCovered {
		w.Notes = append(w.Notes, fmt.Sprintf("The ratios add up to %s of the target: much of it is where the source has hardly any events, in several columns together.", rows.Percent(w.Covered)))
	}
	if few := rows.WeightsOf(w.Weight).Few(); few != "" {
		w.Notes = append(w.Notes, few+".")
	}
	return w, nil
}

// FitRatio finds the ratio of the densities of target and source for any event ([classify.Fit]), and
// which parts of the target are where the source has no events. Options.Clip is not used.
//
// Errors are [ErrNoOverlap], which comes before the work, and those of classify.Fit.
func FitRatio(ctx context.Context, source, target classify.Sample, opts Options) (*classify.Ratio, []Reach, error) {
	out, err := opts.reach(ctx, source, target)
	if err != nil {
		return nil, nil, err
	}
	ratio, _, err := classify.Fit(ctx, source, target, opts.Classify)
	return ratio, out, err
}

// reach completes the options, and returns the parts of the target that are out of reach. The error is ErrNoOverlap.
func (o *Options) reach(ctx context.Context, source, target classify.Sample) ([]Reach, error) {
	if o.Classify.MaxEvents == 0 {
		o.Classify.MaxEvents = maxEvents
	}
	out := outOfReach(ctx, source, target, o.columns(source, target))
	for _, r := range out {
		if r.Fraction >= allOut {
			return nil, fmt.Errorf("%w: %s; leave the column out of what is made alike", ErrNoOverlap, &r)
		}
	}
	return out, nil
}

// poorlyCovered is the part of the target below which it is said.
const poorlyCovered = 0.85

// columns are those that are made alike.
func (o Options) columns(source, target classify.Sample) []string {
	if len(o.Classify.Columns) > 0 {
		return o.Classify.Columns
	}
	var names []string
	for _, c := range source.Table.Columns {
		if _, ok := target.Table.Column(c.Name); ok {
			names = append(names, c.Name)
		}
	}
	return names
}

// clip bounds the ratios.
func (w *Weights) clip(most float64, given []float64) {
	if most == 0 {
		return
	}
	var sum, lost float64
	for i, r := range w.Ratio {
		sum += given[i] * r
		if r > most {
			w.Clipped++
			lost += given[i] * (r - most)
			w.Ratio[i] = most
		}
	}
	w.ClippedBy = lost / sum
}

// normalise makes the mean ratio one and sums up.
func (w *Weights) normalise(given []float64) error {
	var before, after float64
	for i, r := range w.Ratio {
		before += given[i]
		after += given[i] * r
	}
	if w.Covered = after / before; !(w.Covered > 0) || math.IsInf(w.Covered, 0) {
		return fmt.Errorf("reweight: the weights of the source add up to %g after, and %g before", after, before)
	}
	w.Weight = make([]float64, len(w.Ratio))
	var sum2 float64
	for i := range w.Ratio {
		w.Ratio[i] /= w.Covered
		w.Weight[i] = given[i] * w.Ratio[i]
		w.Sum += w.Weight[i]
		sum2 += w.Weight[i] * w.Weight[i]
	}
	w.Effective = w.Sum * w.Sum / sum2
	w.Smallest, w.Largest = slices.Min(w.Ratio), slices.Max(w.Ratio)
	return nil
}
