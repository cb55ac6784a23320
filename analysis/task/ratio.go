package task

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/reweight"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/internal/origin"
	"github.com/eidolon-hep/eidolon/rootio"
)

// FitRatioResult is what came of [FitRatio].
type FitRatioResult struct {
	Output  string   `json:"output"`
	Columns []string `json:"columns"` // that the ratio depends on
	classify.Card
	// OutOfReach are the parts of the target where the source has no events.
	OutOfReach []reweight.Reach `json:"out_of_reach,omitempty"`
}

// FitRatio learns the ratio of the densities of target and source, for any event, and writes it to a file: see
// [classify.Fit]. Of the options, Branch and Clip are not used.
func FitRatio(ctx context.Context, o ReweightOptions, p Progress) (*FitRatioResult, error) {
	if err := classify.CheckOutput(o.Output, slices.Concat(o.Source, o.Target)...); err != nil {
		return nil, err
	}
	in, err := open(ctx, false, o.SourceTree, o.Source)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	pair, err := o.read(ctx, in, p)
	if err != nil {
		return nil, err
	}
	pair.say(p)
	ratio, out, err := reweight.FitRatio(ctx, pair.source, pair.target, pair.options)
	if err != nil {
		return nil, pair.failed(err)
	}
	ratio.Card.Version, ratio.Card.Command = origin.Version(), origin.Command()
	ratio.Card.Source, ratio.Card.Target = o.Source, o.Target
	if err := ratio.Save(o.Output); err != nil {
		return nil, err
	}
	for _, r := range out {
		p.logf("warning: %s: there the ratio can say nothing", r.String())
	}
	return &FitRatioResult{o.Output, ratio.Names(), ratio.Card, out}, nil
}

// ApplyRatioOptions are what [ApplyRatio] is asked for.
type ApplyRatioOptions struct {
	// Ratio is the file of the ratio.
	Ratio string
	// Inputs are ROOT files with the events, read as one chain, and Tree is the tree in them, which may be
	// empty where a file has one tree only.
	Inputs []string
	Tree   string
	// Weight is the branch of the weights that the events have already; empty: none.
	Weight string
	// Branch is the name of the branch to write; by default weight.
	Branch string
	// Clip is the largest ratio: larger ones become it. 0: no limit.
	Clip float64
	// Output is the ROOT file to write, and Format that of its tree.
	Output string
	Format rootio.Format
}

// ApplyRatioResult is what came of [ApplyRatio].
type ApplyRatioResult struct {
	Output    string  `json:"output"`
	Branch    string  `json:"branch"`
	Events    int64   `json:"events"`
	Mean      float64 `json:"mean_ratio"` // with the weights that the events have already
	Smallest  float64 `json:"smallest_ratio"`
	Largest   float64 `json:"largest_ratio"`
	Clipped   int64   `json:"clipped"` // events
	Sum       float64 `json:"sum_of_weights"`
	Effective float64 `json:"effective_events"` // (Σw)²/Σw²
}

// ApplyRatio writes the events of the inputs, with all branches that can be carried along, and the ratio of each, times the weight
// that it has already. Weights are not normalised: the mean ratio is 1 for events that are distributed as the source of the ratio.
// The events are read in chunks.
func ApplyRatio(ctx context.Context, o ApplyRatioOptions, p Progress) (*ApplyRatioResult, error) {
	if !(o.Clip >= 0) {
		return nil, Usage("weights cannot be clipped at %g", o.Clip)
	}
	o.Branch = cmp.Or(o.Branch, "weight")
	if err := CheckOutput(ctx, o.Output, append(slices.Clone(o.Inputs), o.Ratio)...); err != nil {
		return nil, err
	}
	ratio, err := classify.Load(o.Ratio)
	if err != nil {
		return nil, err
	}
	in, err := open(ctx, false, o.Tree, o.Inputs)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	carried := newCarriage(ctx, in, nil)
	if has(carried.fields, o.Branch) {
		return nil, Usage("%s has a branch %q already: give another name with --branch", o.Inputs[0], o.Branch)
	}
	for _, name := range ratio.Names() {
		if !has(in.Fields(), name) {
			return nil, fmt.Errorf("%s has no branch %q with one number per event, which the ratio %s depends on", o.Inputs[0], name, o.Ratio)
		}
	}
	if o.Weight != "" && !has(in.Fields(), o.Weight) {
		return nil, fmt.Errorf("%s has no branch %q with one number per event, for weights", o.Inputs[0], o.Weight)
	}
	carried.say(p)
	from, err := origin.New(o.Inputs, origin.Model{Ratio: o.Ratio})
	if err != nil {
		return nil, err
	}
	text, err := from.Option()
	if err != nil {
		return nil, err
	}
	field := rootio.Field{Name: o.Branch, Title: "event weight: ratio of two densities", Kind: rootio.Float64}
	w, err := rootio.Create(o.Output, treeName(in.Name()), append(slices.Clone(carried.fields), field), rootio.Like(in), text, rootio.WithFormat(o.Format))
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	r := &ApplyRatioResult{Output: o.Output, Branch: o.Branch, Smallest: math.Inf(1), Largest: math.Inf(-1)}
	var given, squares float64
	for table, err := range in.Chunks(rootio.Names(carried.fields), 0) {
		if err != nil {
			return nil, err
		}
		weights := make([]float64, table.Len())
		if err := ratio.LogRatio(ctx, weights, table, uint64(r.Events)); err != nil {
			return nil, fmt.Errorf("%s: %w", source(o.Inputs, in.Name()), err)
		}
		own, err := weightsOf(table, o.Weight, o.Inputs[0])
		if err != nil {
			return nil, err
		}
		for i, s := range weights {
			v, before := math.Exp(s), 1.0
			if o.Clip > 0 && v > o.Clip {
				v = o.Clip
				r.Clipped++
			}
			if own != nil {
				if before = own[i]; before-before != 0 {
					return nil, fmt.Errorf("%s: the weight, branch %q, is %v in entry %d", source(o.Inputs, in.Name()), o.Weight, before, r.Events+int64(i))
				}
			}
			r.Smallest, r.Largest = min(r.Smallest, v), max(r.Largest, v)
			given += before
			weights[i] = before * v
			r.Sum += weights[i]
			squares += weights[i] * weights[i]
		}
		r.Events += int64(table.Len())
		table.Columns = append(table.Columns[:len(table.Columns):len(table.Columns)], rootio.ColumnOf(o.Branch, weights))
		if err := w.Write(table); err != nil {
			return nil, err
		}
		p.count(r.Events, in.Len())
	}
	if r.Events == 0 {
		r.Smallest, r.Largest = 0, 0
	} else {
		r.Mean, r.Effective = r.Sum/given, r.Sum*r.Sum/squares
	}
	if r.Mean-r.Mean != 0 || r.Effective-r.Effective != 0 {
		return nil, fmt.Errorf("%s: the weights add up to %g with the ratio, and %g without", source(o.Inputs, in.Name()), r.Sum, given)
	}
	return r, w.Close()
}

// refine multiplies the density of a model by the ratio in a file, unless it has no name, and says what that does.
func refine(ctx context.Context, model *surrogate.Surrogate, modelFile, file string, p Progress) error {
	if file == "" {
		return nil
	}
	ratio, err := classify.Load(file)
	if err != nil {
		return err
	}
	switch err := model.Refine(ctx, ratio); {
	case errors.Is(err, surrogate.ErrOtherRatio):
		return Usage("%s and %s: %w", modelFile, file, err)
	case err != nil:
		return fmt.Errorf("%s and %s: %w", modelFile, file, err)
	}
	p.logf("ratio %s: %v", file, model.Ratio)
	if !model.Ratio.IsOfModel() {
		p.logf("note: Z is not near 1: the events of %s are not distributed as those that %s was fitted with as the source (%v)", modelFile, file, ratio.Card.Source)
	}
	return nil
}
