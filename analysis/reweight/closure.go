package reweight

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/compare"
)

// Closure says how far source and target are apart before and after reweighting.
type Closure struct {
	Columns []ColumnClosure `json:"columns"`
	Before  AUC             `json:"auc_before"`
	// After is of events that the weights were not learnt from: of one half of both samples,
	// with weights from the other half. It is nil if there are too few of them.
	After *AUC `json:"auc_after"`
}

// AUC is the area under the ROC curve of a classifier of the two samples.
type AUC struct {
	Value  float64 `json:"auc"`
	Error  float64 `json:"auc_error"`
	PValue float64 `json:"p_value"` // of one as far from one half, if the samples cannot be told apart
	Events [2]int  `json:"events"`
}

func aucOf(r *classify.Result) AUC { return AUC{r.AUC, r.AUCError, r.PValue, r.Events} }

// ColumnClosure is the distance of the distributions of a column: Kolmogorov and
// Smirnov's, or the total variation if it is one of codes. It is of all events.
type ColumnClosure struct {
	Name   string  `json:"name"`
	Codes  bool    `json:"codes,omitempty"`
	Before float64 `json:"before"`
	After  float64 `json:"after"`

	// How the column is judged before and after.
	VerdictBefore compare.Verdict `json:"verdict_before"`
	VerdictAfter  compare.Verdict `json:"verdict_after"`
}

// ErrNothingLearnt says that samples differ and the weights do not change that.
var ErrNothingLearnt = errors.New("reweight: the samples differ, and nothing was learnt of how")

// ErrWorse says that the weights leave next to nothing of the source, and that less like the
// target than it was.
var ErrWorse = errors.New("reweight: the samples differ by what weights cannot mend")

// Close compares source and target with the weights and without. It judges the way of
// reweighting by a new classifier, on events that the weights were not learnt from: weights
// that are learnt again from one half of the events are given to the other half. opts are
// those given to [Fit].
//
// Errors are [ErrNothingLearnt], [ErrWorse] and that of ctx. If there are too few events for the
// classifier, a note of w says so.
func (w *Weights) Close(ctx context.Context, source, target classify.Sample, opts Options) (*Closure, error) {
	columns := opts.columns(source, target)
	before, err := distances(ctx, source, target, columns)
	if err != nil {
		return nil, err
	}
	after, err := distances(ctx, classify.Sample{Table: source.Table, Weights: w.Weight}, target, columns)
	if err != nil {
		return nil, err
	}
	c := &Closure{Before: aucOf(w.Classifier), Columns: before}
	for i := range c.Columns {
		of := &c.Columns[i]
		for _, a := range after { // a column is missing where its values have no positive weight any more
			if a.Name == of.Name {
				of.After, of.VerdictAfter = a.Before, a.VerdictBefore
			}
		}
	}
	if names := c.unchanged(w.OutOfReach); names != nil {
		return nil, fmt.Errorf("%w: branch %s", ErrNothingLearnt, strings.Join(names, ", "))
	}
	if w.Effective < classify.FewestEvents && c.isWorse() {
		return nil, fmt.Errorf("%w: with weights its %d events are as good as %.3g, and the columns are further from the target than before; find what tells the samples apart (eidolon compare) and leave it out (--exclude)", ErrWorse, source.Table.Len(), w.Effective)
	}

	halves := opts
	halves.Classify.Folds = 2
	if tell := opts.Classify.Progress; tell != nil { // the halves first, then the judge
		halves.Classify.Progress = func(done float64) { tell(done / 2) }
		opts.Classify.Progress = func(done float64) { tell(0.5 + done/2) }
	}
	learnt, err := Fit(ctx, source, target, halves)
	if err == nil {
		halfSource, halfTarget := pick(source, learnt.Weight, learnt.Classifier.Folds[0]), pick(target, target.Weights, learnt.Classifier.Folds[1])
		opts.Classify.All = false
		var result *classify.Result
		if result, err = classify.CrossFit(ctx, halfSource, halfTarget, opts.Classify); err == nil {
			auc := aucOf(result)
			c.After = &auc
		}
	}
	if err != nil && ctx.Err() == nil { // the weights are right as far as they go
		w.Notes = append(w.Notes, fmt.Sprintf("The weights are not judged, for lack of events in one half of them (%v).", err))
	}
	return c, ctx.Err()
}

// pick returns the events of fold 0, with weights.
func pick(s classify.Sample, weights []float64, folds []int) classify.Sample {
	var places []int
	var picked classify.Sample
	for i, k := range folds {
		if k != 0 {
			continue
		}
		places = append(places, i)
		if weights != nil {
			picked.Weights = append(picked.Weights, weights[i])
		}
	}
	picked.Table = s.Table.Take(places)
	return picked
}

// isWorse reports whether the weights have taken the columns further from the target, in the
// mean.
func (c *Closure) isWorse() bool {
	sum := 0.0
	for _, k := range c.Columns {
		sum += k.After - k.Before
	}
	return sum > 0
}

// unchanged returns the columns that differ, if weights have not brought any of them
// nearer. What is out of reach cannot be.
func (c *Closure) unchanged(out []Reach) (names []string) {
	const nearer = 0.9
	differ := func(v compare.Verdict) bool { return v != compare.Compatible && v != compare.NoValues }
	reach := map[string]bool{}
	for _, r := range out {
		reach[r.Column] = true
	}
	for _, k := range c.Columns {
		if !differ(k.VerdictBefore) || reach[k.Name] {
			continue
		}
		if !differ(k.VerdictAfter) || k.After < nearer*k.Before {
			return nil
		}
		names = append(names, k.Name)
	}
	return names
}

// distances returns the distances of the columns as those before.
func distances(ctx context.Context, source, target classify.Sample, columns []string) ([]ColumnClosure, error) {
	r, err := compare.Compare(ctx, target.Table, source.Table, compare.Options{
		Columns: columns, ReferenceWeights: target.Weights, CandidateWeights: source.Weights,
		ReferenceLabel: "target", CandidateLabel: "source", NoDerived: true,
	})
	if err != nil {
		return nil, fmt.Errorf("reweight: %w", err)
	}
	var found []ColumnClosure
	for _, c := range r.Columns {
		switch {
		case c.Distance != nil:
			found = append(found, ColumnClosure{Name: c.Name, Before: c.Distance.KS, VerdictBefore: c.Verdict})
		case c.Proportions != nil:
			found = append(found, ColumnClosure{Name: c.Name, Codes: true, Before: c.Proportions.TotalVariation, VerdictBefore: c.Verdict})
		}
	}
	return found, nil
}

// WriteText writes what the weights are and how well they do.
func (w *Weights) WriteText(out io.Writer, c *Closure) error {
	var b bytes.Buffer
	p := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	p("%-24s %12s %12s\n", "column", "KS before %", "KS after %")
	codes := false
	for _, k := range c.Columns {
		mark := ""
		if k.Codes {
			mark, codes = " *", true
		}
		p("%-24s %12.3f %12.3f%s\n", k.Name, 100*k.Before, 100*k.After, mark)
	}
	if codes {
		p("* codes: total variation instead of KS\n")
	}
	p("\nclassifier AUC %.4f ± %.4f before (%s)\n", c.Before.Value, c.Before.Error, classify.Apart(c.Before.Value, c.Before.PValue))
	if a := c.After; a != nil {
		p("%.4f ± %.4f after (%s), on %d and %d events that the weights were not learnt from\n",
			a.Value, a.Error, classify.Apart(a.Value, a.PValue), a.Events[0], a.Events[1])
	}
	p("%d events, sum of weights %.6g, effective events %.6g (%.1f %%); ratios from %.3g to %.3g\n",
		len(w.Weight), w.Sum, w.Effective, 100*w.Effective/math.Max(1, float64(len(w.Weight))), w.Smallest, w.Largest)
	if w.Clipped > 0 {
		p("%d ratios clipped: %.3g %% of the sum of weights taken away\n", w.Clipped, 100*w.ClippedBy)
	}
	for _, note := range w.Notes {
		p("%s\n", note)
	}
	_, err := out.Write(b.Bytes())
	return err
}
