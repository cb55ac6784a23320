package analysis

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"

	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/analysis/task"
	"github.com/eidolon-hep/eidolon/internal/nearest"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Reweight is a task that puts a weight with which the events that are read are
// distributed as those of a target: see [task.Reweight].
//
// So that no event is weighted by a classifier that has seen it, the whole sample is
// needed before the first event: Reweight reads the files of the input stream itself, and
// the target's, when the job starts, and finds the weight of an event by its entry. There
// is one in-port, that of the entries, and one out-port, of a float64, or []float64 in
// batches.
//
// With a Ratio nothing is trained, and only the properties Ratio, Weight, Clip, Output and Ports count: the weight is the ratio of the event,
// times its weight. In-ports have the names and types of the columns of the ratio, or are slices of them, as at
// [Score]. These weights are not normalised.
type Reweight struct {
	fwk.TaskBase

	// Files and Tree are those of the TreeReader of the job, which has no Where.
	Files []string
	Tree  string
	// Target and TargetTree are the sample that the events shall be distributed as.
	Target     []string
	TargetTree string
	// Columns are what the classifier looks at; by default all branches with a number per
	// event that both samples have, but for numbers of events and runs.
	Columns []string
	// Weight and TargetWeight are the branches of the weights that the samples have
	// already, if they do; what is put is the product.
	Weight, TargetWeight string
	// Clip, when it is not 0, is the largest ratio of the densities.
	Clip float64
	// Entry is the port of entries, by default entry: the TreeReader needs the same.
	Entry string
	// Output is the name of the out-port; by default weight.
	Output string
	// Ratio is the file of a ratio, which [task.FitRatio] wrote; empty: it is learnt from Files and Target.
	Ratio string
	// Ports are in-ports, with a Ratio, whose type is neither that of its columns nor known to the job.
	Ports []fwk.Port

	ratio   *classify.Ratio
	in      inputs
	typ     reflect.Type // of Entry
	weights []float64    // by entry
}

func init() {
	job.RegisterTask(func(base fwk.TaskBase) fwk.Task { return &Reweight{TaskBase: base, Entry: "entry", Output: "weight"} })
}

// Reads returns the files of both samples, or that of the ratio.
func (t *Reweight) Reads() []string { return slices.Concat(t.Files, t.Target, given(t.Ratio)) }

// UsesModel returns the ratio.
func (t *Reweight) UsesModel() job.Model { return job.Model{Ratio: t.Ratio} }

// Complete finds the type of the port of entries, and adds that of the weights.
func (t *Reweight) Complete(known *job.Ports, force bool) (done bool, err error) {
	if t.Ratio != "" {
		return t.completeRatio(known, force)
	}
	if r, ok := known.Input.Streamer.(*TreeReader); ok && r.Where != "" {
		return false, errors.New("the input stream leaves out entries (Where), but weights are found by the number of the entry: select afterwards (TreeWriter's Select)")
	}
	t.typ = known.Type(t.Entry)
	if t.typ == nil && !force {
		return false, nil
	}
	if t.typ == nil {
		t.typ = entryType(false)
	}
	known.Add(t.output())
	return true, nil
}

func (t *Reweight) output() fwk.Port {
	return fwk.Port{Name: t.Output, Type: portType(rootio.Float64, t.Ratio == "" && t.typ == entryType(true) || t.in.done && t.in.layout.sliced)}
}

// completeRatio is Complete with a ratio.
func (t *Reweight) completeRatio(known *job.Ports, force bool) (done bool, err error) {
	if len(t.Files)+len(t.Target)+len(t.Columns) > 0 || t.TargetWeight != "" {
		return false, errors.New("with a Ratio nothing is learnt: there may be no Files, Target, Columns or TargetWeight")
	}
	if t.ratio == nil {
		if t.ratio, err = classify.Load(t.Ratio); err != nil {
			return false, err
		}
	}
	fields := t.ratio.Fields()
	if t.Weight != "" && !slices.Contains(t.ratio.Names(), t.Weight) {
		fields = append(fields, rootio.Field{Name: t.Weight, Kind: rootio.Float64})
	}
	if done, err = t.in.complete(fields, t.Ports, "", known, force); done {
		known.AddLike(t.in.layout.slices(), t.output())
	}
	return done, err
}

// Configure declares the ports.
func (t *Reweight) Configure(fwk.Context) error {
	if t.Ratio != "" {
		if err := t.in.configure(&t.TaskBase, t.Complete); err != nil {
			return err
		}
		out := t.output()
		return t.DeclOutPort(out.Name, out.Type)
	}
	if len(t.Files) == 0 || len(t.Target) == 0 {
		return errors.New("it needs the files that are read and those of the target (properties Files and Target)")
	}
	if t.typ == nil {
		if _, err := t.Complete(&job.Ports{}, true); err != nil {
			return err
		}
	}
	if err := t.DeclInPort(t.Entry, t.typ); err != nil {
		return err
	}
	out := t.output()
	return t.DeclOutPort(out.Name, out.Type)
}

// StartTask reads both samples and trains the classifier, unless there is a ratio.
func (t *Reweight) StartTask(ctx fwk.Context) error {
	if t.Ratio != "" {
		return nil
	}
	found, err := task.Reweight(job.Context(ctx), task.ReweightOptions{
		Source: t.Files, SourceTree: t.Tree, SourceWeight: t.Weight, Target: t.Target, TargetTree: t.TargetTree, TargetWeight: t.TargetWeight,
		Features: t.Columns, Clip: t.Clip,
	}, progressOf(ctx))
	if err != nil {
		return err
	}
	w := found.Weights
	ctx.Msg().Infof("AUC before reweighting %.4f ± %.4f; ratios %.3g to %.3g, %.0f effective events\n",
		w.Classifier.AUC, w.Classifier.AUCError, w.Smallest, w.Largest, w.Effective)
	for _, note := range w.Notes {
		ctx.Msg().Warnf("%s\n", note)
	}
	t.weights = w.Weight
	return nil
}

// StopTask does nothing.
func (t *Reweight) StopTask(fwk.Context) error { return nil }

// Process puts the weight of an event.
func (t *Reweight) Process(ctx fwk.Context) error {
	if t.Ratio != "" {
		return t.applyRatio(ctx)
	}
	v, err := ctx.Store().Get(t.Entry)
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case int64:
		w, err := t.weight(v)
		if err != nil {
			return err
		}
		return ctx.Store().Put(t.Output, w)
	case []int64:
		all := make([]float64, len(v))
		for i, entry := range v {
			if all[i], err = t.weight(entry); err != nil {
				return err
			}
		}
		return ctx.Store().Put(t.Output, all)
	}
	return fmt.Errorf("port %q holds a %T, not the number of an entry", t.Entry, v)
}

// applyRatio puts the weight of an event by the ratio.
func (t *Reweight) applyRatio(ctx fwk.Context) error {
	rows, numbers, err := t.in.get(ctx)
	if err != nil {
		return err
	}
	weights := make([]float64, rows.Len())
	var first uint64
	if len(numbers) > 0 {
		first = numbers[0]
	}
	if err := t.ratio.LogRatio(job.Context(ctx), weights, rows, first); err != nil {
		return err
	}
	before := slices.Repeat([]float64{1}, len(weights))
	if c, ok := rows.Column(t.Weight); ok {
		c.Floats(before, 0)
	}
	for i, s := range weights {
		r := math.Exp(s)
		if t.Clip > 0 {
			r = min(r, t.Clip)
		}
		weights[i] = r * before[i]
	}
	if t.in.layout.sliced {
		return ctx.Store().Put(t.Output, weights)
	}
	return ctx.Store().Put(t.Output, weights[0])
}

func (t *Reweight) weight(entry int64) (float64, error) {
	if entry < 0 || entry >= int64(len(t.weights)) {
		return 0, fmt.Errorf("entry %d is none of the %d of %s: Files are not those that are read", entry, len(t.weights), nearest.Quoted(t.Files, ", "))
	}
	return t.weights[entry], nil
}
