package reweight

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/compare"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Closure says how far source and target are apart before and after reweighting.
type Closure struct {
	Columns []ColumnClosure `json:"columns"`
	Before  AUC             `json:"auc_before"`
	After   AUC             `json:"auc_after"`
}

// AUC is the area under the ROC curve of a classifier of the two samples.
type AUC struct {
	Value float64 `json:"auc"`
	Error float64 `json:"auc_error"`
}

// ColumnClosure is the distance of the distributions of a column: Kolmogorov and
// Smirnov's, or the total variation if it is one of codes.
type ColumnClosure struct {
	Name   string  `json:"name"`
	Codes  bool    `json:"codes,omitempty"`
	Before float64 `json:"before"`
	After  float64 `json:"after"`
}

// Close compares source and target with the weights and without, and trains a
// new classifier on the weighted events. opts are those given to [Fit].
func (w *Weights) Close(ctx context.Context, source, target classify.Sample, opts Options) (*Closure, error) {
	before, err := distances(source, target, opts.Classify.Columns)
	if err != nil {
		return nil, err
	}
	weighted := classify.Sample{Table: source.Table, Weights: w.Weight}
	after, err := distances(weighted, target, opts.Classify.Columns)
	if err != nil {
		return nil, err
	}
	c := &Closure{Before: AUC{w.Classifier.AUC, w.Classifier.AUCError}, Columns: before}
	for i := range c.Columns {
		c.Columns[i].After = after[i].Before
	}
	opts.Classify.All = false
	result, err := classify.CrossFit(ctx, weighted, target, opts.Classify)
	if err != nil {
		return nil, err
	}
	c.After = AUC{result.AUC, result.AUCError}
	return c, nil
}

// distances returns the distances of the columns as those before.
func distances(source, target classify.Sample, columns []string) ([]ColumnClosure, error) {
	const weight = "\x00weight" // no branch is called that
	table := func(s classify.Sample) *rootio.Table {
		w := s.Weights
		if w == nil {
			w = make([]float64, s.Table.Len())
			for i := range w {
				w[i] = 1
			}
		}
		t := *s.Table
		t.Columns = append(t.Columns[:len(t.Columns):len(t.Columns)], rootio.ColumnOf(weight, w))
		return &t
	}
	r, err := compare.Compare(table(target), table(source), compare.Options{
		Columns: columns, ReferenceWeight: weight, CandidateWeight: weight,
	})
	if err != nil {
		return nil, fmt.Errorf("reweight: %w", err)
	}
	var found []ColumnClosure
	for _, c := range r.Columns {
		switch {
		case c.Distance != nil:
			found = append(found, ColumnClosure{Name: c.Name, Before: c.Distance.KS})
		case c.Proportions != nil:
			found = append(found, ColumnClosure{Name: c.Name, Codes: true, Before: c.Proportions.TotalVariation})
		}
	}
	return found, nil
}

// WriteText writes what the weights are and how well they do.
func (w *Weights) WriteText(out io.Writer, c *Closure) error {
	p := &printer{Writer: out}
	p.printf("%-24s %12s %12s\n", "column", "KS before %", "KS after %")
	codes := false
	for _, k := range c.Columns {
		mark := ""
		if k.Codes {
			mark, codes = " *", true
		}
		p.printf("%-24s %12.3f %12.3f%s\n", k.Name, 100*k.Before, 100*k.After, mark)
	}
	if codes {
		p.printf("* codes: total variation instead of KS\n")
	}
	p.printf("\nclassifier AUC %.4f ± %.4f before, %.4f ± %.4f after (0.5: cannot be told apart)\n",
		c.Before.Value, c.Before.Error, c.After.Value, c.After.Error)
	p.printf("%d events, sum of weights %.6g, effective events %.6g (%.1f %%); ratios from %.3g to %.3g\n",
		len(w.Weight), w.Sum, w.Effective, 100*w.Effective/math.Max(1, float64(len(w.Weight))), w.Smallest, w.Largest)
	if w.Clipped > 0 {
		p.printf("%d ratios clipped: %.3g %% of the sum of weights taken away\n", w.Clipped, 100*w.ClippedBy)
	}
	return p.err
}

// printer remembers the first error.
type printer struct {
	io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.Writer, format, args...)
	}
}
