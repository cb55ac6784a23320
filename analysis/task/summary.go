package task

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/internal/printable"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Summary is what there is to say of a model file.
type Summary struct {
	Model     string           `json:"model"` // the file
	Card      surrogate.Card   `json:"card"`
	Condition features.Context `json:"condition,omitzero"`
	Parts     []PartSummary    `json:"parts"` // of the mixture; one of most models

	// Effective is of how many training events the posterior mean is the mean, along the
	// paths of a model of kernel sums; nil for other models.
	Effective []diffusion.Effective `json:"effective_events,omitempty"`
}

// PartSummary is what there is to say of a part of a model.
type PartSummary struct {
	Weight   float64       `json:"weight"`
	Features features.Spec `json:"features"`
	Density  any           `json:"density"` // a description of the factors
}

// Summarise says what a model file holds.
func Summarise(ctx context.Context, file string, m *surrogate.Surrogate) (*Summary, error) {
	s := &Summary{Model: file, Card: m.Card, Condition: m.Context}
	for _, p := range m.Parts {
		s.Parts = append(s.Parts, PartSummary{p.Weight, p.Features, p.Chain})
	}
	k, ok := surrogate.FactorAs[factor.KernelSums](m)
	if !ok {
		return s, nil
	}
	const paths = 256
	var err error
	s.Effective, err = k.Effective(ctx, paths, m.Card.Options.Seed)
	return s, err
}

// WriteTreatments writes a table of how each branch of a model is treated, and which of them were taken for momenta. Of the parts of a
// mixture after the first, it has what they treat in another way.
func WriteTreatments(out io.Writer, m *surrogate.Surrogate) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	how := map[string]string{} // in the first part
	for k, p := range m.Parts {
		if len(m.Parts) > 1 {
			but := ""
			if k > 0 {
				but = "; what is not listed is treated as in part 1"
			}
			fmt.Fprintf(w, "part %d of %d, %.0f %% of the events%s\n", k+1, len(m.Parts), 100*p.Weight, but)
		}
		fmt.Fprintln(w, "branch\ttype\tfrom\tto\ttreated as")
		for _, v := range p.Features.Treatments() {
			if k == 0 {
				how[v.Name] = v.How
			} else if first, ok := how[v.Name]; ok && first == v.How {
				continue
			}
			fmt.Fprintf(w, "%s\t%v\t%s\t%s\t%s\n", printable.Text(v.Name), v.Kind, number(v.Kind, v.Min), number(v.Kind, v.Max), printable.Text(v.How))
		}
	}
	for _, c := range m.Context.Columns {
		fmt.Fprintf(w, "%s\t%v\t%s\t%s\tcondition\n", printable.Text(c.Name), c.Kind, number(c.Kind, c.Min), number(c.Kind, c.Max))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if momenta := m.Parts[0].Features.Momenta; momenta != nil {
		for line := range strings.Lines(momenta.String()) {
			if _, err := fmt.Fprintf(out, "%s\n", printable.Text(strings.TrimSuffix(line, "\n"))); err != nil {
				return err
			}
		}
	}
	return nil
}

// number writes a value of a column: integers in full, nothing for NaN.
func number(kind rootio.Kind, x float64) string {
	switch {
	case math.IsNaN(x):
		return ""
	case kind.IsFloat():
		return fmt.Sprintf("%.6g", x)
	}
	return fmt.Sprintf("%.0f", x)
}
