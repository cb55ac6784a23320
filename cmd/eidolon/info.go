package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/analysis/task"
	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/internal/origin"
	"github.com/eidolon-hep/eidolon/internal/printable"
	"github.com/eidolon-hep/eidolon/rootio"
)

func newInfo() *cobra.Command {
	var plot string
	cmd := &cobra.Command{
		Use:   "info FILE",
		Short: "Say what is in a ROOT file, a model file or a ratio file",
		Long: `Info lists the trees and branches of a ROOT file. For a ratio file (reweight --fit) it prints
which samples and branches it is of. For a model file it prints where the
model comes from and how each branch is treated. It also draws the losses of the
training. For a model of kernel sums (--model diffusion) it also prints, for several widths σ,
how many training events contribute to a new event. If this number is about 1 at the
smallest σ, the model copies training events.`,
		Example: `  eidolon info zmumu.root
  eidolon info zmumu.eidolon --plot training.png`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			if plot != "" {
				if err := checkPlot(plot, args[0]); err != nil {
					return err
				}
			}
			return info(cmd, args[0], plot)
		},
	}
	cmd.Flags().StringVar(&plot, "plot", "", "draw the losses and the learning rate of a model's training to this PNG, SVG or PDF file")
	return cmd
}

func info(cmd *cobra.Command, file, plot string) error {
	if strings.Contains(file, "://") {
		if plot != "" {
			return task.Usage("--plot is for a model file, which %s is not", file)
		}
		return infoTrees(cmd, file)
	}
	if info, err := os.Stat(file); err != nil {
		return err
	} else if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", file)
	}
	model, err := surrogate.Load(file)
	if plot != "" {
		if errors.Is(err, surrogate.ErrNotModel) {
			return task.Usage("--plot is for a model file, which %s is not", file)
		}
		if err == nil {
			if err := plotHistory(plot, model.Card.History); err != nil {
				return err
			}
		}
	}
	switch {
	case err == nil && wantJSON(cmd):
		summary, err := task.Summarise(cmd.Context(), file, model)
		if err != nil {
			return err
		}
		return printJSON(cmd, summary)
	case err == nil:
		return printModel(cmd.Context(), cmd.OutOrStdout(), file, model)
	case classify.IsRatio(file):
		return infoRatio(cmd, file)
	case !errors.Is(err, surrogate.ErrNotModel) || surrogate.IsCheckpoint(file):
		return err
	}
	return infoTrees(cmd, file)
}

// infoRatio says what a ratio file is.
func infoRatio(cmd *cobra.Command, file string) error {
	r, err := classify.Load(file)
	if err != nil {
		return err
	}
	c := r.Card
	if wantJSON(cmd) {
		return printJSON(cmd, struct {
			File    string   `json:"file"`
			Columns []string `json:"columns"`
			classify.Card
		}{file, r.Names(), c})
	}
	list := func(names []string) string { return printable.Text(strings.Join(names, ", ")) }
	_, err = fmt.Fprintf(cmd.OutOrStdout(), `ratio %s: the density of the target over that of the source, p(x|1)/p(x|0), of %s
source: %d events of %s
target: %d events of %s
classifier AUC %.4f ± %.4f
by %q (version %s)
`, file, list(r.Names()), c.Events[0], list(c.Source), c.Events[1], list(c.Target), c.AUC, c.AUCError, c.Command, printable.Text(c.Version))
	return err
}

// infoTrees says what is in a ROOT file.
func infoTrees(cmd *cobra.Command, file string) error {
	trees, err := rootio.List(cmd.Context(), file)
	if err != nil {
		return err
	}
	from, err := origin.Of(cmd.Context(), file)
	if err != nil {
		return err
	}
	if wantJSON(cmd) {
		return printJSON(cmd, struct {
			File   string            `json:"file"`
			Origin *origin.Origin    `json:"origin,omitempty"`
			Trees  []rootio.TreeInfo `json:"trees"`
		}{file, from, trees})
	}
	if from != nil {
		from.Print(cmd.OutOrStdout())
	}
	return printTrees(cmd.OutOrStdout(), file, trees)
}

func printTrees(out io.Writer, file string, trees []rootio.TreeInfo) error {
	if len(trees) == 0 {
		fmt.Fprintf(out, "%s holds no tree\n", file)
	}
	for _, t := range trees {
		fmt.Fprintf(out, "tree %s: %d events, %d branches", t.Name, t.Entries, len(t.Branches))
		if t.Title != "" && t.Title != t.Name {
			fmt.Fprintf(out, " (%s)", t.Title)
		}
		fmt.Fprintln(out)
		if t.Reason != "" {
			fmt.Fprintf(out, "  cannot be read: %s\n", t.Reason)
		}
		w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
		for _, b := range t.Branches {
			fmt.Fprintf(w, "  %s\t%s\t%s\n", b.Name, b.Type, b.Reason+b.Note)
		}
		if err := w.Flush(); err != nil {
			return err
		}
		printBeside(out, t)
	}
	return nil
}

// printBeside says what ROOT knows of a tree and eidolon does not use.
func printBeside(out io.Writer, t rootio.TreeInfo) {
	for _, f := range t.Friends {
		where := fmt.Sprintf("tree %s", f.Tree)
		if f.File != "" {
			where += " of " + f.File
		}
		fmt.Fprintf(out, "  friend %s: %s; its branches are not read\n", f.Name, where)
	}
	for _, a := range t.Aliases {
		fmt.Fprintf(out, "  alias %s = %s: carried along, not read; as a feature write %[1]s=%[2]s\n", a.Name, a.Expression)
	}
	if t.Index != "" {
		fmt.Fprintf(out, "  index of the events (%s): not used\n", t.Index)
	}
	switch {
	case t.Lost > 0:
		fmt.Fprintf(out, "  user information (%d objects): %d are neither names, texts nor numbers, and are not carried along\n", t.Extras, t.Lost)
	case t.Extras > 0:
		fmt.Fprintf(out, "  user information (%d objects)\n", t.Extras)
	}
}

func printModel(ctx context.Context, out io.Writer, file string, m *surrogate.Surrogate) error {
	shown := *m
	shown.Card = printableCard(m.Card)
	m = &shown
	c, h := m.Card, m.Card.History
	fmt.Fprintf(out, "model %s: %v\n", file, &c.Plan)
	if c.Plan.Choice != nil {
		fmt.Fprintln(out, c.Plan.Choice)
	}
	rows := "events"
	if c.Collection != nil {
		rows = "objects " + c.Collection.Name
	}
	where := "" // of what did not come from a file, nothing is known
	if len(c.Inputs) > 0 {
		where = fmt.Sprintf(" of tree %q in %s", c.Tree, strings.Join(c.Inputs, ", "))
	}
	fmt.Fprintf(out, "trained on %d %s%s\n", c.Events, rows, where)
	if c.Weights != nil {
		fmt.Fprintln(out, c.Weights)
	}
	if c.View.Where != "" {
		fmt.Fprintf(out, "where %s\n", c.View.Where)
	}
	for _, d := range c.View.Define {
		fmt.Fprintf(out, "with %s\n", d)
	}
	fmt.Fprintf(out, "by %q (version %s)\n", c.Command, c.Version)
	fmt.Fprintln(out, outcome(m))
	for _, warning := range m.Warnings() {
		fmt.Fprintf(out, "warning: %s\n", warning)
	}
	for _, remark := range m.Remarks() {
		fmt.Fprintln(out, remark)
	}
	summary, err := task.Summarise(ctx, file, m)
	if err != nil {
		return err
	}
	if len(summary.Effective) > 0 {
		fmt.Fprintln(out, describeEffective(summary.Effective))
	}
	printRoundTrip(out, h)
	if err := task.WriteTreatments(out, m); err != nil {
		return err
	}
	return drawHistory(out, h)
}

// describeEffective tells of a few points of the path, in one line.
func describeEffective(path []diffusion.Effective) string {
	const points = 5
	last := len(path) - 1
	parts := []string{fmt.Sprintf("%.0f in noise alone", path[0].Median)}
	for k := 1; k < points; k++ {
		if at := path[k*last/points]; k*last/points > 0 {
			parts = append(parts, fmt.Sprintf("%.3g at σ/α = %.2g", at.Median, at.Sigma/at.Alpha))
		}
	}
	end := path[last]
	parts = append(parts, fmt.Sprintf("%.3g at σ_min = %.3g", end.Median, end.Sigma/end.Alpha))
	return "training events that contribute to the posterior mean (effective number, median of the paths): " + strings.Join(parts, ", ")
}

// printableCard returns the card with its texts, which are whoever's who wrote the file, each in
// one line.
func printableCard(c surrogate.Card) surrogate.Card {
	lines := func(texts []string) (all []string) {
		for _, text := range texts {
			all = append(all, printable.Text(text))
		}
		return all
	}
	c.Version, c.Inputs = printable.Text(c.Version), lines(c.Inputs)
	c.View.Where, c.View.Define = printable.Text(c.View.Where), lines(c.View.Define)
	c.History.Stopped = printable.Text(c.History.Stopped)
	if c.Collection != nil {
		again := *c.Collection
		again.Name = printable.Text(again.Name)
		c.Collection = &again
	}
	return c
}
