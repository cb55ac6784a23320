package task

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/compare"
	"github.com/eidolon-hep/eidolon/internal/atomicfile"
	"github.com/eidolon-hep/eidolon/internal/origin"
	"github.com/eidolon-hep/eidolon/internal/output"
	"github.com/eidolon-hep/eidolon/rootio"
)

// CompareOptions are what [Compare] is asked for.
type CompareOptions struct {
	// Reference and Candidate are the ROOT files of the two samples, each read as one chain.
	Reference, Candidate []string
	// ReferenceWeight and CandidateWeight are the branches of event weights; empty: none.
	ReferenceWeight, CandidateWeight string
	// Tree is the tree in all files. It may be empty where a file has one tree only.
	Tree string
	// Features are the branches to compare, or name=expression; by default all scalar ones,
	// and of arrays how many objects there are, sums and the values of the first object.
	Features []string
	// View says which rows there are: see [rootio.ViewOptions].
	View rootio.ViewOptions
	// NoDerived leaves out the quantities derived from momenta, such as masses.
	NoDerived bool
	// Condition are branches in bins of which the others are compared as well.
	Condition []string
	// Training are the ROOT files that the candidate's model was trained on: how many events
	// does the candidate repeat? Empty: it is not asked.
	Training []string
	// NoClassifier leaves out the classifier, which takes most of the time.
	NoClassifier bool
	// MaxEvents is the number of events of each sample that the classifier looks at, at
	// most; by default 50,000.
	MaxEvents int
	// Report is an .html file for the whole report, or a folder for it and all plots, which
	// is made if need be; empty: neither.
	Report string
	// NoVerify leaves out the comparison of the records of files before they are read: see [rootio.OpenOptions].
	NoVerify bool
}

// comparison is a comparison on its way.
type comparison struct {
	CompareOptions
	omitted []rootio.BranchInfo // branches of the samples that are not compared
	sources [][]string          // where the samples come from, in the order in which they were read
}

// Compare puts two samples side by side, and writes the report if it is asked for.
func Compare(ctx context.Context, o CompareOptions, p Progress) (*compare.Report, error) {
	if o.Report != "" {
		if err := checkReport(o.Report, slices.Concat(o.Reference, o.Candidate, o.Training)...); err != nil {
			return nil, err
		}
	}
	c := &comparison{CompareOptions: o}
	ref, err := c.read(ctx, o.Reference, o.ReferenceWeight)
	if err != nil {
		return nil, err
	}
	cand, err := c.read(ctx, o.Candidate, o.CandidateWeight)
	if err != nil {
		return nil, err
	}
	c.withoutNumbers(ref)
	c.withoutNumbers(cand)
	p.logOmitted("not compared", c.omitted)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	report, err := compare.Compare(ctx, ref, cand, compare.Options{
		ReferenceLabel:  filepath.Base(o.Reference[0]),
		CandidateLabel:  filepath.Base(o.Candidate[0]),
		ReferenceSource: c.sources[0],
		CandidateSource: c.sources[1],
		ReferenceWeight: o.ReferenceWeight,
		CandidateWeight: o.CandidateWeight,
		Condition:       o.Condition,
		NoDerived:       o.NoDerived,
		Blocks:          c.blocks(ref, cand),
		Pairs:           o.View.Each == "", // else they are entries of two files
	})
	if err != nil {
		return nil, err
	}
	var training *rootio.Table
	if len(o.Training) > 0 {
		if training, err = c.read(ctx, o.Training, ""); err != nil {
			return nil, err
		}
	}
	if err := report.Measure(ctx, ref, cand, training); err != nil {
		return nil, err
	}
	if !o.NoClassifier {
		if err := report.Classify(ctx, ref, cand, classify.Options{MaxEvents: cmp.Or(o.MaxEvents, 50_000), Progress: p.percent}); err != nil {
			return nil, err
		}
	}
	if o.Report != "" {
		if err := writeReport(ctx, o.Report, report, ref, cand); err != nil {
			return nil, err
		}
	}
	return report, nil
}

// read reads what is to be compared of a sample, and its weights if any. A column
// that is defined for both samples may be a branch of one of them.
func (c *comparison) read(ctx context.Context, files []string, weight string) (*rootio.Table, error) {
	t, err := open(ctx, c.NoVerify, c.Tree, files)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	c.sources = append(c.sources, provenance(ctx, t))
	var names []string
	options := c.View
	for _, item := range c.Features {
		name, _, ok := rootio.SplitDefinition(item)
		switch {
		case !ok:
			name = item
		case !has(t.Fields(), name):
			options.Define = append(slices.Clip(options.Define), item)
		}
		names = append(names, name)
	}
	if len(c.Features) > 0 {
		names = union(names, c.Condition)
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
		names = rootio.Names(v.Own())
		omitted := t.Omitted()
		if v.Collection() == nil {
			arrays, others := ofArrays(t)
			names, omitted = append(names, arrays...), append(omitted, others...)
		}
		for _, b := range omitted {
			c.omit(b)
		}
	}
	names = union(names, besides)
	table, err := v.Read(names)
	if err != nil || len(c.Features) > 0 {
		return table, err
	}
	for _, number := range column.NumbersOf(table) {
		if slices.Contains(besides, number.Name) || slices.Contains(c.Condition, number.Name) {
			continue
		}
		table.Columns = slices.DeleteFunc(table.Columns, func(column rootio.Column) bool { return column.Name == number.Name })
		c.omit(rootio.BranchInfo{Field: number.Field, Reason: numbersEvents})
	}
	return table, nil
}

// omit leaves out a branch, for the reason that was found first.
func (c *comparison) omit(b rootio.BranchInfo) {
	if !slices.ContainsFunc(c.omitted, func(have rootio.BranchInfo) bool { return have.Name == b.Name }) {
		c.omitted = append(c.omitted, b)
	}
}

// numbersEvents is why a branch is left out that says which event it is.
const numbersEvents = "numbers of events or runs (--features compares them all the same)"

// provenance says where the events of a tree come from: the files, and what made the first one, as
// far as it says so itself.
func provenance(ctx context.Context, t *rootio.Tree) []string {
	const most = 3
	files := t.Files()
	named := strings.Join(files[:min(len(files), most)], ", ")
	if more := len(files) - most; more > 0 {
		named += fmt.Sprintf(" and %d more files", more)
	}
	said := []string{fmt.Sprintf("%s, tree %s, %d entries", named, t.Name(), t.Len())}
	if o, err := origin.Of(ctx, files[0]); err == nil && o != nil { // an error is none of the events
		var words strings.Builder
		o.Print(&words)
		said = append(said, strings.Split(strings.TrimSpace(words.String()), "\n")...)
	}
	return said
}

// withoutNumbers leaves out what numbers events in the other sample, such as the one run of a
// simulation.
func (c *comparison) withoutNumbers(t *rootio.Table) {
	t.Columns = slices.DeleteFunc(t.Columns, func(column rootio.Column) bool {
		return slices.ContainsFunc(c.omitted, func(b rootio.BranchInfo) bool { return b.Name == column.Name && b.Reason == numbersEvents })
	})
}

// blocks is the column that says which events belong together, "" if there is none or
// it is to be compared itself.
func (c *comparison) blocks(ref, cand *rootio.Table) string {
	for _, t := range []*rootio.Table{cand, ref} {
		if name := blockName(t.Fields()); name != "" {
			if slices.Contains(c.Features, name) || slices.Contains(c.Condition, name) {
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
