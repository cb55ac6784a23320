package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/compare"
	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/internal/atomicfile"
	"github.com/eidolon-hep/eidolon/internal/output"
	"github.com/eidolon-hep/eidolon/rootio"
)

type compareFlags struct {
	reference, candidate []string
	referenceWeight      string
	candidateWeight      string
	tree                 string
	report               string
	condition            []string
	training             []string
	noClassifier         bool
	maxEvents            int
	features             []string
	left                 []rootio.BranchInfo // of the samples, not looked at
	view                 viewFlags
}

func newCompare() *cobra.Command {
	f := compareFlags{maxEvents: 50_000}
	cmd := &cobra.Command{
		Use:   "compare -r REFERENCE.root -c CANDIDATE.root",
		Short: "Put two samples side by side",
		Long: `Compare matches the scalar branches of two samples by name, and of arrays how many
objects there are, sums and the values of the first one, and prints how far
apart they are: Kolmogorov–Smirnov and Wasserstein distances, χ² in common bins,
values that the reference never takes, and correlations. A classifier then tries
to tell the two samples apart by all branches together: an AUC of 0.5 means that
it cannot. Events with the same event_index, as generate --oversample writes it, are
not independent: errors are then by blocks of them. With -o it also writes all that to an HTML file that needs no other, with
a plot of every branch, or, if the name does not end in .html, to a folder with the
report as HTML, text and JSON and every plot as a file.`,
		Example: `  eidolon compare -r zmumu.root -c new.root
  eidolon compare -r nano.root -c new.root --each Jet --where 'pt > 30'
  eidolon compare -r zmumu.root -c new.root --features 'm=sqrt(2*pt1*pt2*(cosh(eta1-eta2)-cos(phi1-phi2)))'
  eidolon compare -r zmumu.root -c new.root --training zmumu.root -o report.html
  eidolon compare -r reco.root -c fast.root --condition true_e,pdg -o report/ --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := require(cmd, "reference", "candidate"); err != nil {
				return err
			}
			if f.report != "" {
				if err := checkReport(f.report, slices.Concat(f.reference, f.candidate, f.training)...); err != nil {
					return err
				}
			}
			return f.run(cmd)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringSliceVarP(&f.reference, "reference", "r", nil, "ROOT files with the reference sample")
	flags.StringSliceVarP(&f.candidate, "candidate", "c", nil, "ROOT files with the sample to be judged")
	flags.StringVar(&f.referenceWeight, "reference-weight", "", "the branch of event weights in the reference")
	flags.StringVar(&f.candidateWeight, "candidate-weight", "", "the branch of event weights in the candidate")
	flags.StringVarP(&f.tree, "tree", "t", "", "the tree in both; may be left out when a file holds one")
	flags.Var(&list{values: &f.features}, "features", "the branches to compare, or name=expression (default: all scalar ones; of arrays len(Jet_pt), sum(Jet_pt), Jet_pt[0] and the like)")
	f.view.add(cmd)
	flags.StringVarP(&f.report, "report", "o", "", "an .html file for the whole report, or a folder for it and all plots, which is made if need be")
	flags.StringSliceVar(&f.condition, "condition", nil, "branches in bins of which the others are compared as well")
	flags.StringSliceVar(&f.training, "training", nil, "ROOT files that the candidate's model was trained on: how many events does it repeat?")
	flags.BoolVar(&f.noClassifier, "no-classifier", false, "leave the classifier out, which takes most of the time")
	flags.Var(wholeVar(&f.maxEvents, 1, 1e9), "max-events", "the classifier looks at no more events of each sample")
	return cmd
}

func (f *compareFlags) run(cmd *cobra.Command) error {
	ref, err := f.read(cmd.Context(), f.reference, f.referenceWeight)
	if err != nil {
		return err
	}
	cand, err := f.read(cmd.Context(), f.candidate, f.candidateWeight)
	if err != nil {
		return err
	}
	f.withoutNumbers(ref)
	f.withoutNumbers(cand)
	sayLeft(cmd.ErrOrStderr(), "not compared", f.left)
	if err := cmd.Context().Err(); err != nil {
		return err
	}
	blocks := f.blocks(ref, cand)
	report, err := compare.Compare(cmd.Context(), ref, cand, compare.Options{
		ReferenceLabel:  filepath.Base(f.reference[0]),
		CandidateLabel:  filepath.Base(f.candidate[0]),
		ReferenceWeight: f.referenceWeight,
		CandidateWeight: f.candidateWeight,
		Condition:       f.condition,
		Blocks:          blocks,
		Pairs:           f.view.options.Each == "", // else they are entries of two files
	})
	if err != nil {
		return err
	}
	var training *rootio.Table
	if len(f.training) > 0 {
		if training, err = f.read(cmd.Context(), f.training, ""); err != nil {
			return err
		}
	}
	if err := report.Measure(cmd.Context(), ref, cand, training); err != nil {
		return err
	}
	if !f.noClassifier {
		if err := report.Classify(cmd.Context(), ref, cand, classify.Options{MaxEvents: f.maxEvents, Progress: percent(cmd)}); err != nil {
			return err
		}
	}
	if f.report != "" {
		if err := writeReport(cmd.Context(), f.report, report, ref, cand); err != nil {
			return err
		}
	}
	if wantJSON(cmd) {
		return printJSON(cmd, report)
	}
	if err := report.WriteText(cmd.OutOrStdout()); err != nil {
		return err
	}
	if f.report != "" {
		fmt.Fprintf(cmd.OutOrStdout(), "report and plots: %s\n", f.report)
	}
	return nil
}

// read reads what is to be compared of a sample, and its weights if any. A column
// that is defined for both samples may be a branch of one of them.
func (f *compareFlags) read(ctx context.Context, files []string, weight string) (*rootio.Table, error) {
	t, err := f.view.open(ctx, f.tree, files)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	var names []string
	options := f.view.options
	for _, item := range f.features {
		name, _, ok := rootio.SplitDefinition(item)
		switch {
		case !ok:
			name = item
		case !slices.ContainsFunc(t.Fields(), func(f rootio.Field) bool { return f.Name == name }):
			options.Define = append(options.Define, item)
		}
		names = append(names, name)
	}
	for _, name := range f.condition {
		if len(f.features) > 0 && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	v, err := t.View(options)
	if err != nil {
		return nil, err
	}
	if names, err = v.Resolve(names); err != nil {
		return nil, err
	}
	var besides []string
	if weight != "" {
		besides = append(besides, weight)
	}
	if index := blockName(v.Fields()); index != "" {
		besides = append(besides, index)
	} else if options.Each != "" {
		besides = append(besides, rootio.EventIndex)
	}
	if besides, err = v.Resolve(besides); err != nil {
		return nil, err
	}
	if len(names) == 0 {
		for _, field := range v.Own() {
			names = append(names, field.Name)
		}
		left := t.Omitted()
		if v.Collection() == nil {
			arrays, others := ofArrays(t)
			names, left = append(names, arrays...), append(left, others...)
		}
		for _, b := range left {
			if !slices.ContainsFunc(f.left, func(have rootio.BranchInfo) bool { return have.Name == b.Name }) {
				f.left = append(f.left, b)
			}
		}
	}
	for _, name := range besides {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	table, err := v.Read(names)
	if err != nil || len(f.features) > 0 {
		return table, err
	}
	for _, number := range features.NumbersOf(table) {
		if slices.Contains(besides, number.Name) || slices.Contains(f.condition, number.Name) {
			continue
		}
		table.Columns = slices.DeleteFunc(table.Columns, func(c rootio.Column) bool { return c.Name == number.Name })
		if !slices.ContainsFunc(f.left, func(have rootio.BranchInfo) bool { return have.Name == number.Name }) {
			f.left = append(f.left, rootio.BranchInfo{Field: number, Reason: numbersEvents})
		}
	}
	return table, nil
}

// numbersEvents is why a branch is left out that says which event it is.
const numbersEvents = "numbers of events or runs (--features compares them all the same)"

// withoutNumbers leaves out what numbers events in the other sample, such as the one run of a
// simulation.
func (f *compareFlags) withoutNumbers(t *rootio.Table) {
	t.Columns = slices.DeleteFunc(t.Columns, func(c rootio.Column) bool {
		return slices.ContainsFunc(f.left, func(b rootio.BranchInfo) bool { return b.Name == c.Name && b.Reason == numbersEvents })
	})
}

// blocks is the column that says which events belong together, "" if there is none or
// it is to be compared itself.
func (f *compareFlags) blocks(ref, cand *rootio.Table) string {
	for _, t := range []*rootio.Table{cand, ref} {
		if name := blockName(t.Fields()); name != "" {
			if slices.Contains(f.features, name) || slices.Contains(f.condition, name) {
				return ""
			}
			return name
		}
	}
	return ""
}

// blockName is the last of event_index, event_index_2, …: an oversampled file may have
// carried along that of its input.
func blockName(fields []rootio.Field) string {
	name := ""
	for _, f := range fields {
		rest, ok := strings.CutPrefix(f.Name, eventIndex)
		if ok && (rest == "" || rest[0] == '_' && strings.Trim(rest[1:], "0123456789") == "") && len(f.Name) >= len(name) && f.Name > name {
			name = f.Name
		}
	}
	return name
}

// readAll reads all scalar branches of a chain of files.
func readAll(ctx context.Context, tree string, files []string) (*rootio.Table, error) {
	t, err := rootio.Open(ctx, tree, files...)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	return t.Read(nil, 0, t.Len())
}

// writeReport writes the report to an HTML file, if that is what the name says, or as
// HTML, text, JSON and plots into a folder.
func writeReport(ctx context.Context, dir string, report *compare.Report, ref, cand *rootio.Table) error {
	var page bytes.Buffer
	if err := report.WriteHTML(ctx, &page, ref, cand); err != nil {
		return err
	}
	if isHTML(dir) {
		return atomicfile.WriteFile(dir, page.Bytes())
	}
	if err := output.MakeFolder(dir); err != nil {
		return err
	}
	if err := atomicfile.WriteFile(filepath.Join(dir, "report.html"), page.Bytes()); err != nil {
		return err
	}
	var text bytes.Buffer
	if err := report.WriteText(&text); err != nil {
		return err
	}
	if err := atomicfile.WriteFile(filepath.Join(dir, "report.txt"), text.Bytes()); err != nil {
		return err
	}
	data, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return fmt.Errorf("could not write the report as JSON: %w", err)
	}
	if err := atomicfile.WriteFile(filepath.Join(dir, "report.json"), append(data, '\n')); err != nil {
		return err
	}
	return report.Plots(ctx, dir)
}

// checkReport checks that a report can be written, and that nothing of the user's is lost by
// that: in a folder that holds no report of ours, nothing is replaced.
func checkReport(name string, inputs ...string) error {
	if isHTML(name) {
		return output.Check(name, output.HTML, inputs...)
	}
	ours := func(dir string) bool {
		page := filepath.Join(dir, "report.html")
		return slices.ContainsFunc(compare.HTMLMarks(), func(mark string) bool { return output.Begins(page, mark) })
	}
	return output.CheckFolder(name, ours, func(file string) bool {
		return slices.Contains([]string{"report.html", "report.txt", "report.json"}, file) || filepath.Ext(file) == ".png"
	}, inputs...)
}

func isHTML(name string) bool {
	ext := strings.ToLower(filepath.Ext(name))
	return ext == ".html" || ext == ".htm"
}
