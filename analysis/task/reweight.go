package task

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/reweight"
	"github.com/eidolon-hep/eidolon/rootio"
)

// ReweightOptions are what [Reweight] is asked for.
type ReweightOptions struct {
	// Source are ROOT files with the events that get weights, and Target those with the
	// sample that they are to be like. Each is read as one chain.
	Source, Target []string
	// SourceTree and TargetTree are the trees in them. They may be empty where a file has one tree only.
	SourceTree, TargetTree string
	// SourceWeight and TargetWeight are the branches of the event weights that the samples
	// have already; empty: none.
	SourceWeight, TargetWeight string
	// Features are the branches to make alike; by default all scalar ones that both samples
	// have, but for numbers of events and runs. Exclude are left out of these.
	Features, Exclude []string
	// Branch is the name of the branch to write; by default weight.
	Branch string
	// Clip is the largest ratio of densities: larger ones become it. 0: no limit.
	Clip float64
	// MaxEvents is the number of events of each sample to train on, at most; by default
	// 200,000.
	MaxEvents int
	// Seed is the seed of everything random.
	Seed uint64
	// Output is the ROOT file to write; empty: the weights are only found, and not judged.
	// Format is that of its tree.
	Output string
	Format rootio.Format

	options []rootio.Option // of the file to write
}

// ReweightResult is what came of [Reweight].
type ReweightResult struct {
	Output string `json:"output,omitempty"`
	*reweight.Weights
	Closure *reweight.Closure `json:"closure"` // how far apart the samples are; nil without an output
}

// Reweight writes the events of the source, with all branches that can be carried along, and
// a weight with which they are distributed as those of the target: see [reweight.Fit].
// If the samples differ and nothing was learnt of how, that is an error, and nothing is
// written.
func Reweight(ctx context.Context, o ReweightOptions, p Progress) (*ReweightResult, error) {
	if !(o.Clip >= 0) {
		return nil, Usage("weights cannot be clipped at %g", o.Clip)
	}
	if o.Output != "" {
		if err := CheckOutput(ctx, o.Output, slices.Concat(o.Source, o.Target)...); err != nil {
			return nil, err
		}
	}
	o.Branch = cmp.Or(o.Branch, "weight")
	in, err := open(ctx, false, o.SourceTree, o.Source)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	carried := newCarriage(ctx, in, nil)
	if o.Output != "" {
		if slices.ContainsFunc(in.Branches(), func(b rootio.BranchInfo) bool { return b.Name == o.Branch }) {
			return nil, Usage("%s has a branch %q already: give another name with --branch", o.Source[0], o.Branch)
		}
		if err := o.Format.CheckFields(append(slices.Clone(carried.fields), rootio.Field{Name: o.Branch, Kind: rootio.Float64})); err != nil {
			return nil, fmt.Errorf("%s: %w", o.Output, err)
		}
		carried.say(p)
	}
	pair, err := o.read(ctx, in, p)
	if err != nil {
		return nil, err
	}
	pair.say(p)
	weights, err := reweight.Fit(ctx, pair.source, pair.target, pair.options)
	if err != nil {
		return nil, pair.failed(err)
	}
	if o.Output == "" {
		return &ReweightResult{Weights: weights}, nil
	}
	p.logf("judging: the way of reweighting is repeated on one half of the events, and a classifier tells the other half, with these weights, from the target")
	closure, err := weights.Close(ctx, pair.source, pair.target, pair.options)
	if err != nil {
		return nil, pair.failed(err)
	}
	column := rootio.ColumnOf(o.Branch, weights.Weight)
	column.Title = "event weight, to be like " + filepath.Base(o.Target[0])
	if err := o.write(in, carried, column); err != nil {
		return nil, err
	}
	return &ReweightResult{o.Output, weights, closure}, nil
}

// samples are a source and a target, and how the first is made like the second.
type samples struct {
	source, target classify.Sample
	options        reweight.Options
	files          [2]string // the first ones of both
}

// read reads both samples and finds the columns that are made alike.
func (o *ReweightOptions) read(ctx context.Context, in *rootio.Tree, p Progress) (s samples, err error) {
	table, err := in.Read(nil, 0, in.Len())
	if err != nil {
		return s, err
	}
	other, err := open(ctx, false, o.TargetTree, o.Target)
	if err != nil {
		return s, err
	}
	defer other.Close()
	target, err := other.Read(nil, 0, other.Len())
	if err != nil {
		return s, err
	}
	s = samples{source: classify.Sample{Table: table}, target: classify.Sample{Table: target}, files: [2]string{o.Source[0], o.Target[0]}}
	if s.source.Weights, err = weightsOf(table, o.SourceWeight, o.Source[0]); err != nil {
		return s, err
	}
	if s.target.Weights, err = weightsOf(target, o.TargetWeight, o.Target[0]); err != nil {
		return s, err
	}
	s.options = reweight.Options{Clip: o.Clip, Classify: classify.Options{Seed: o.Seed, MaxEvents: cmp.Or(o.MaxEvents, 200_000), Columns: o.Features, Progress: p.percent}}
	if len(o.Features) > 0 {
		return s, nil
	}
	p.logOmitted("not made alike", arraysOf(in, "it has several values per event"))
	besides := append([]string{o.SourceWeight, o.TargetWeight, blockName(table.Fields())}, o.Exclude...)
	var numbers []rootio.BranchInfo
	for _, number := range append(column.NumbersOf(table), column.NumbersOf(target)...) { // in one of them at least
		if !slices.Contains(besides, number.Name) {
			besides = append(besides, number.Name)
			numbers = append(numbers, rootio.BranchInfo{Field: number.Field, Reason: "numbers of events or runs (--features takes them all the same)"})
		}
	}
	p.logOmitted("not made alike", numbers)
	for _, c := range table.Columns {
		if has(target.Fields(), c.Name) && !slices.Contains(besides, c.Name) {
			s.options.Classify.Columns = append(s.options.Classify.Columns, c.Name)
		}
	}
	if len(s.options.Classify.Columns) == 0 {
		return s, fmt.Errorf("%s and %s have no branch in common", o.Source[0], o.Target[0])
	}
	return s, nil
}

// say says what the classifiers are trained on.
func (s *samples) say(p Progress) {
	o := s.options.Classify
	n, m := s.source.Table.Len(), s.target.Table.Len()
	p.logf("training classifiers to tell %d events of %s from %d of %s, by %s",
		min(n, o.MaxEvents), s.files[0], min(m, o.MaxEvents), s.files[1], abbreviate(o.Columns, 12))
}

// failed tells of which files an error is.
func (s *samples) failed(err error) error {
	hint := ""
	if errors.Is(err, reweight.ErrNoOverlap) {
		hint = ": see --exclude and --features"
	}
	return fmt.Errorf("%s and %s: %w%s", s.files[0], s.files[1], err, hint)
}

// weightsOf returns the weights of the events in the named branch, nil if it has no
// name.
func weightsOf(t *rootio.Table, name, file string) ([]float64, error) {
	if name == "" {
		return nil, nil
	}
	c, ok := t.Column(name)
	if !ok {
		return nil, fmt.Errorf("%s has no branch %q with one number per event, for weights", file, name)
	}
	return c.Float64s(), nil
}

// write writes all that can be read of the source, and the weights.
func (o *ReweightOptions) write(source *rootio.Tree, carried carriage, weight rootio.Column) error {
	w, err := rootio.Create(o.Output, treeName(source.Name()), append(slices.Clone(carried.fields), weight.Field),
		append(slices.Clone(o.options), rootio.Like(source), rootio.WithFormat(o.Format))...)
	if err != nil {
		return err
	}
	defer w.Abort()
	lo := 0
	for table, err := range source.Chunks(rootio.Names(carried.fields), 0) {
		if err != nil {
			return err
		}
		hi := lo + table.Len()
		columns := append(table.Columns[:len(table.Columns):len(table.Columns)], weight.Slice(lo, hi))
		if err := w.Write(&rootio.Table{Columns: columns, Jagged: table.Jagged}); err != nil {
			return err
		}
		lo = hi
	}
	return w.Close()
}
