package compare

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Classify lets a classifier tell the two samples of the report apart by all their
// common columns, and the quantities derived from them, at once, and judges again. It takes longer than all else: up to a
// minute on two cores for 50,000 events of each sample, the most that it looks at
// unless opts says otherwise. If there are too few events for it, a note says so.
//
// Errors are those of [classify.CrossFit].
func (r *Report) Classify(ctx context.Context, ref, cand *rootio.Table, opts classify.Options) error {
	if len(opts.Columns) == 0 {
		for _, c := range r.Columns {
			opts.Columns = append(opts.Columns, c.Name)
		}
	}
	sample := func(t *rootio.Table, in sampled) classify.Sample {
		return classify.Sample{Table: t, Weights: in.w, Blocks: in.block}
	}
	result, err := classify.CrossFit(ctx, sample(r.withDerived(0, ref), r.in[0]), sample(r.withDerived(1, cand), r.in[1]), opts)
	if errors.Is(err, classify.ErrFewEvents) {
		few := r.Reference
		if r.Candidate.EffectiveEvents < few.EffectiveEvents {
			few = r.Candidate
		}
		r.note("The classifier is left out: %s is worth %.3g events, and it needs %d.", few.Label, few.EffectiveEvents, classify.FewestEvents)
		return nil
	}
	if err != nil {
		return err
	}
	r.Classifier = result
	if shared := result.Copies - r.copies; shared > 0 {
		r.note("%s events of one sample are equal to one of the other, in all columns: they are in one fold, so that the classifier does not know them.", grouped(shared))
	}
	r.judge()
	return nil
}

// aucMeaning says what the AUC is.
const aucMeaning = "The AUC is the probability that the classifier finds the candidate's event among two events, one of each sample. With 0.5 it guesses: it cannot tell the samples apart."

// writeClassifier says whether the classifier can tell the samples apart, and by
// which columns.
func (r *Report) writeClassifier(b *bytes.Buffer) {
	c := r.Classifier
	if c == nil {
		return
	}
	fmt.Fprintf(b, "\nclassifier AUC %.4f ± %.4f (%s), %s and %s events, cross-fitted\n",
		c.AUC, c.AUCError, classify.Apart(c.AUC, c.PValue), grouped(c.Events[0]), grouped(c.Events[1]))
	fold(b, "The", strings.Fields(aucMeaning)[1:])
	if c.PValue >= significance {
		return
	}
	const most = 8
	told := r.tellingColumns()
	var words []string
	for _, k := range told[:min(len(told), most)] {
		words = append(words, fmt.Sprintf("%s %.3f%s", cut(k.Name, longestName), k.Importance, aspectWords(k.Aspect)))
	}
	if len(words) > 0 {
		wrap(b, "Without one column the AUC falls by:", words)
	}
}

// tellingColumns returns the columns that the classifier tells the samples apart by,
// the most important first.
func (r *Report) tellingColumns() []classify.Column {
	told := slices.DeleteFunc(slices.Clone(r.Classifier.Columns), func(k classify.Column) bool { return k.Importance < 3*k.Error || k.Importance <= 0 })
	slices.SortStableFunc(told, func(p, q classify.Column) int { return cmp.Compare(q.Importance, p.Importance) })
	return told
}

func aspectWords(a classify.Aspect) string {
	switch a {
	case classify.Rounding:
		return " (its rounding)"
	case classify.Missing:
		return " (missing values)"
	case classify.Spike:
		return " (a value that many events share)"
	case classify.Relation:
		return " (its relation to the other columns)"
	}
	return ""
}

// curve returns the ROC curve: the fractions of the candidate and of the reference
// above each score.
func (r *Report) curve() (wrong, right []float64) {
	type event struct {
		score, weight float64
		candidate     bool
	}
	var events []event
	var sums [2]float64
	for s, scores := range r.Classifier.LogRatio {
		for i, v := range scores {
			w := r.in[s].weight(i)
			if v == v { // not every event has a score
				events = append(events, event{v, w, s == 1})
				sums[s] += w
			}
		}
	}
	slices.SortFunc(events, func(a, b event) int { return cmp.Compare(b.score, a.score) })
	wrong, right = []float64{0}, []float64{0}
	var above [2]float64
	for i, e := range events {
		if e.candidate {
			above[1] += e.weight / sums[1]
		} else {
			above[0] += e.weight / sums[0]
		}
		last := i == len(events)-1
		if last || events[i+1].score != e.score && (i+1)%(1+len(events)/500) == 0 {
			wrong, right = append(wrong, above[0]), append(right, above[1])
		}
	}
	return wrong, right
}
