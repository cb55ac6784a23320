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
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/classify"
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

	Classifier *classify.Result `json:"classifier"` // before reweighting
}

// Fit finds the weights that take source to target.
//
// Errors are those of [classify.CrossFit].
func Fit(ctx context.Context, source, target classify.Sample, opts Options) (*Weights, error) {
	if opts.Clip < 0 || math.IsNaN(opts.Clip) {
		return nil, fmt.Errorf("reweight: weights cannot be clipped at %g", opts.Clip)
	}
	if opts.Classify.MaxEvents == 0 {
		opts.Classify.MaxEvents = maxEvents
	}
	opts.Classify.All = true
	result, err := classify.CrossFit(ctx, source, target, opts.Classify)
	if err != nil {
		return nil, err
	}
	w := &Weights{Classifier: result, Ratio: make([]float64, source.Table.Len())}
	for i, s := range result.LogRatio[0] {
		w.Ratio[i] = math.Exp(s)
	}
	given := source.Weights
	if given == nil {
		given = slices.Repeat([]float64{1}, len(w.Ratio))
	}
	w.clip(opts.Clip, given)
	w.normalise(given)
	return w, nil
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
func (w *Weights) normalise(given []float64) {
	var before, after float64
	for i, r := range w.Ratio {
		before += given[i]
		after += given[i] * r
	}
	w.Weight = make([]float64, len(w.Ratio))
	var sum2 float64
	for i := range w.Ratio {
		w.Ratio[i] *= before / after
		w.Weight[i] = given[i] * w.Ratio[i]
		w.Sum += w.Weight[i]
		sum2 += w.Weight[i] * w.Weight[i]
	}
	w.Effective = w.Sum * w.Sum / sum2
	w.Smallest, w.Largest = slices.Min(w.Ratio), slices.Max(w.Ratio)
}
