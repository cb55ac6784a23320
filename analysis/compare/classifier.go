package compare

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Classify lets a classifier tell the two samples of the report apart by all their
// common columns at once, and judges again. It takes longer than all else: up to a
// minute on two cores for 50,000 events of each sample, the most that it looks at
// unless opts says otherwise.
//
// Errors are those of [classify.CrossFit].
func (r *Report) Classify(ctx context.Context, ref, cand *rootio.Table, opts classify.Options) error {
	if len(opts.Columns) == 0 {
		for _, c := range r.Columns {
			opts.Columns = append(opts.Columns, c.Name)
		}
	}
	sample := func(s Sample, t *rootio.Table) classify.Sample {
		of := classify.Sample{Table: t}
		if s.Weight != "" {
			c, _ := t.Column(s.Weight)
			of.Weights = make([]float64, t.Len())
			c.Floats(of.Weights, 0)
		}
		return of
	}
	result, err := classify.CrossFit(ctx, sample(r.Reference, ref), sample(r.Candidate, cand), opts)
	if err != nil {
		return err
	}
	r.Classifier = result
	r.judge()
	return nil
}

// writeClassifier says whether the classifier can tell the samples apart, and by
// which columns.
func (r *Report) writeClassifier(b *bytes.Buffer) {
	c := r.Classifier
	if c == nil {
		return
	}
	verdict := "p = " + fmt.Sprintf("%.2g", c.PValue)
	if c.PValue >= significance {
		verdict = "0.5: cannot be told apart"
	}
	fmt.Fprintf(b, "\nclassifier AUC %.4f ± %.4f (%s), %s and %s events, cross-fitted\n",
		c.AUC, c.AUCError, verdict, grouped(c.Events[0]), grouped(c.Events[1]))
	if c.PValue >= significance {
		return
	}
	const most = 8
	told := slices.DeleteFunc(slices.Clone(c.Columns), func(k classify.Column) bool { return k.Importance < 3*k.Error })
	slices.SortStableFunc(told, func(p, q classify.Column) int { return cmp.Compare(q.Importance, p.Importance) })
	var words []string
	for _, k := range told[:min(len(told), most)] {
		word := fmt.Sprintf("%s %.3f", cut(k.Name, longestName), k.Importance)
		if k.Aspect != "" && k.Aspect != classify.Value {
			word += fmt.Sprintf(" (%s)", k.Aspect)
		}
		words = append(words, word)
	}
	if len(words) > 0 {
		wrap(b, "It falls by so much without", words)
	}
}
