package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/internal/atomicfile"
	"github.com/eidolon-hep/eidolon/internal/origin"
	"github.com/eidolon-hep/eidolon/internal/output"
	"github.com/eidolon-hep/eidolon/rootio"
)

// chunk is the number of events that are in memory at a time.
const chunk = 1 << 16

type generateFlags struct {
	model      string
	n          int64
	inputs     []string
	inTree     string
	oversample int
	seed       uint64
	direct     bool
	tree       string
	output     string
	reweightTo []string

	view        viewFlags
	compression compressionFlag
	basket      int
	histograms  bool
	keep        []string // branches of objects
	objects     int64    // that are drawn, if the model is of objects
	stayed      int64    // objects of the input that the model's selection leaves out
	foreign     int64    // events of the input that it leaves out

	outside string          // what becomes of conditions that the training events did not have
	strays  features.Strays // counts these
}

func newGenerate() *cobra.Command {
	f := generateFlags{oversample: 1, basket: rootio.DefaultBasketSize}
	cmd := &cobra.Command{
		Use:   "generate -m MODEL -n N | -i FILE[,FILE…] -o OUT.root",
		Short: "Draw new events from a model",
		Long: `Generate draws events from a model and writes them to a ROOT file, with the
names, the order and the types of the branches that the model was trained on.

With a conditional model it draws for every event of the input files instead, and
carries their other branches along, arrays too; those that are no numbers stay
behind, which is said. With --oversample R it draws R times for each, with one more
branch, event_index, that tells the event of the input: 0, 1, … along all its files.
An event_index that the input has is carried along like any other branch, and the
new one is called event_index_2 (or _3, …).

A model of objects (train --each) makes events with collections of them: with -n as
many in each as the training events had. With -i the objects of the input become new
ones, as many in each event; where the model was trained on a selection (--where), only
those that pass it do, and the others stay as they are. All branches of other objects and
of the events are carried along. Those of the collection that the model neither makes nor
reads are left out, for they told of the old objects; --keep keeps them.

A condition may be one that the training events did not have: a number beyond their
range, a code that none of them had, another value of what was constant, NaN. How many
are is printed, and a branch known (or known_2, …) is false where one is. By default an
unknown code and NaN are errors, and for a number the model is asked as for the nearest that
the training events had; --outside clip does so for codes, too, --outside skip leaves such
events out, and --outside refuse takes them all as errors.

With --reweight-to the events get a branch weight that makes them like those of
another sample, as “eidolon reweight” does.

Event i depends on the seed and on i alone: the same seed gives the same events. Without
--seed one is drawn, printed, and kept in the file: jobs that run side by side make
different events. “eidolon info” tells of the seed of a file.

An event with a value further outside the range of the training events than a tenth of a
standard deviation, as the model sees the branch, is drawn again, 20 times at most, and
then moved to that limit; a range that ends at zero ends there. How many were is
printed.`,
		Example: `  eidolon generate -m zmumu.eidolon -n 1000000 -o new.root
  eidolon generate -m zmumu.eidolon -n 1M --seed 7 -o new.root     # the same events each time
  eidolon generate -m response.eidolon -i generator.root --oversample 10 -o smeared.root`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := require(cmd, "model", "output"); err != nil {
				return err
			}
			switch {
			case len(f.inputs) > 0 && cmd.Flags().Changed("number"):
				return usagef("-n does not go with -i: there are as many events as in the input, times --oversample")
			case len(f.inputs) == 0 && !cmd.Flags().Changed("number"):
				return usagef("%s needs -n, or -i for a conditional model", cmd.CommandPath())
			}
			for _, name := range []string{"input-tree", "oversample", "outside", "keep"} {
				if len(f.inputs) == 0 && cmd.Flags().Changed(name) {
					return usagef("--%s goes with -i, not with -n", name)
				}
			}
			if !cmd.Flags().Changed("seed") {
				f.seed = origin.DrawSeed()
			}
			if err := features.Outside(f.outside).Check(); err != nil {
				return usageError{err}
			}
			if err := output.Check(f.output, output.ROOT, slices.Concat(f.inputs, f.reweightTo, []string{f.model})...); err != nil {
				return err
			}
			return f.run(cmd)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&f.model, "model", "m", "", "the model file")
	flags.VarP(wholeVar(&f.n, 0, rootio.MaxEntries), "number", "n", "the number of events to generate, such as 1000000, 1e6 or 1M")
	flags.StringSliceVarP(&f.inputs, "input", "i", nil, "ROOT files with the conditions, read as one chain")
	flags.StringVar(&f.inTree, "input-tree", "", "the tree in them; may be left out when a file holds one")
	flags.Var(wholeVar(&f.oversample, 1, 1<<20), "oversample", "draw so many times for each event of the input")
	flags.StringVar(&f.outside, "outside", "", "conditions that the training events did not have: clip, skip or refuse (default: clip numbers, refuse codes)")
	flags.StringVarP(&f.output, "output", "o", "", "the ROOT file to write")
	flags.Var(seed{&f.seed}, "seed", "the seed of the events (default: one is drawn, and printed)")
	flags.BoolVar(&f.direct, "direct", false, "draw from the mixture of kernels itself, without the equation (--model diffusion)")
	flags.StringVarP(&f.tree, "tree", "t", "", "the name of the tree to write (default: that of the training events)")
	flags.StringSliceVar(&f.reweightTo, "reweight-to", nil, "ROOT files with events that the generated ones are to be like, by a branch weight")
	flags.Var(&f.compression, "compression", "of the file to write: zlib, lz4, zstd, lzma or none")
	flags.Var(wholeVar(&f.basket, 1, 1<<30), "basket-size", "bytes of a branch that are compressed together")
	flags.StringSliceVar(&f.keep, "keep", nil, "with -i, branches of the old objects that the new ones in their places have, too")
	flags.BoolVar(&f.histograms, "histograms", false, "put a histogram of every branch beside the tree, in TREE_histograms")
	f.view.addNoVerify(cmd)
	return cmd
}

func (f *generateFlags) run(cmd *cobra.Command) error {
	model, err := surrogate.Load(f.model)
	if err != nil {
		return err
	}
	if err := keepTraining(cmd.Context(), f.output, model); err != nil {
		return err
	}
	if err := keepTraining(cmd.Context(), f.output, model); err != nil {
		return err
	}
	if f.direct {
		if err := model.Direct(); err != nil {
			return usageError{err}
		}
	}
	output := f.output
	if len(f.reweightTo) > 0 { // the file without weights is not what is asked for
		target, err := rootio.Open(cmd.Context(), "", f.reweightTo...)
		if err != nil {
			return err
		}
		_ = target.Close() // it was only read
		if f.output, err = atomicfile.Temp(output); err != nil {
			return err
		}
		defer atomicfile.Discard(f.output)
	}
	start := time.Now()
	var tails surrogate.Tails
	switch {
	case model.Card.Collection != nil && f.oversample > 1:
		return usagef("--oversample does not go with a model of objects")
	case model.Card.Collection != nil && len(f.inputs) > 0:
		tails, err = f.generateObjectsFor(cmd, model)
	case len(f.keep) > 0:
		return usagef("--keep is for a model of objects and -i: all other branches are kept")
	case len(f.inputs) > 0 && len(model.Context.Names()) == 0:
		return usagef("%s is not conditional: give -n, not -i", f.model)
	case len(f.inputs) > 0:
		tails, err = f.generateFor(cmd, model)
	case !model.Context.IsConstant():
		return usagef("%s is conditional on %s: give -i, not -n", f.model, strings.Join(model.Context.Names(), ", "))
	case model.Card.Collection != nil:
		tails, err = f.generateObjects(cmd, model)
	default:
		tails, err = f.generate(cmd, model)
	}
	if err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	var weights *weighed
	if len(f.reweightTo) > 0 {
		if weights, err = f.reweight(cmd, output); err != nil {
			return err
		}
	}
	if wantJSON(cmd) {
		return printJSON(cmd, struct {
			Output  string `json:"output"`
			Events  int64  `json:"events"`
			Objects int64  `json:"objects,omitempty"`
			Stayed  int64  `json:"objects_as_they_were,omitempty"`
			Foreign int64  `json:"events_not_selected,omitempty"` // by the model's selection
			Seed    uint64 `json:"seed"`
			surrogate.Tails
			Seconds float64 `json:"seconds"`

			Conditions *features.Strays `json:"conditions,omitempty"`
			Reweighted *weighed         `json:"reweighted,omitempty"`
		}{output, f.n, f.objects, f.stayed, f.foreign, f.seed, tails, seconds, f.looked(), weights})
	}
	if weights != nil {
		if err := weights.WriteText(cmd.OutOrStdout(), weights.Closure); err != nil {
			return err
		}
	}
	objects := ""
	if model.Card.Collection != nil {
		objects = fmt.Sprintf(" with %d new objects", f.objects)
		if f.stayed > 0 {
			objects += fmt.Sprintf(" and %d as they were", f.stayed)
		}
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %d events%s with seed %d (%s events/s); outside the range of the training events: %d drawn again, %d clipped\n",
		output, f.n, objects, f.seed, siFormat(float64(f.n)/seconds), tails.Redrawn, tails.Clipped)
	if tails.Copies != nil && f.n > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "%d of them (%.3g %%) are copies: nearer to a training event than 99 %% of these are to each other\n",
			*tails.Copies, 100*float64(*tails.Copies)/float64(f.n))
	} else if share := model.Card.Copies; share != nil { // the model does not hold the training events
		fmt.Fprintf(cmd.OutOrStdout(), "%.3g %% of the model's events are copies, as counted after its training: nearer to a training event than 99 %% of these are to each other\n", 100**share)
	}
	if tails.Clamped > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "%d values of splines were corrected for rounding\n", tails.Clamped)
	}
	return nil
}

// looked returns the count of the conditions, nil where there are none.
func (f *generateFlags) looked() *features.Strays {
	if f.strays.Rows == 0 {
		return nil
	}
	return &f.strays
}

// admit returns the rows that can be drawn for; entries are their numbers in the input.
func (f *generateFlags) admit(model *surrogate.Surrogate, given *rootio.Table, entries []uint64) (features.Admitted, error) {
	a, err := model.Context.Admit(given, features.Outside(f.outside), entries)
	f.strays.Add(a.Strays)
	return a, err
}

// following returns n numbers that follow each other.
func following(first int64, n int) []uint64 {
	numbers := make([]uint64, n)
	for i := range numbers {
		numbers[i] = uint64(first) + uint64(i)
	}
	return numbers
}

// sayStrays says which conditions the training events did not have.
func (f *generateFlags) sayStrays(out io.Writer, known string) {
	if f.strays.Outside > 0 {
		fmt.Fprintf(out, "note: %v; branch %s is false where the condition was none of theirs\n", f.strays, known)
	}
}

// reweight writes the generated events with weights.
func (f *generateFlags) reweight(cmd *cobra.Command, output string) (*weighed, error) {
	options, err := f.fileOptions()
	if err != nil {
		return nil, err
	}
	r := reweightFlags{
		source: []string{f.output}, target: f.reweightTo, branch: "weight",
		maxEvents: 200_000, seed: f.seed, output: output, options: options,
	}
	return r.weigh(cmd)
}

// create starts the file to write, with a note of where it comes from.
func (f *generateFlags) create(tree string, fields []rootio.Field) (*rootio.Writer, error) {
	options, err := f.fileOptions()
	if err != nil {
		return nil, err
	}
	return rootio.Create(f.output, tree, fields, options...)
}

func (f *generateFlags) fileOptions() ([]rootio.Option, error) {
	from, err := origin.New(f.inputs, origin.Model{File: f.model, Seed: &f.seed})
	if err != nil {
		return nil, err
	}
	text, err := from.Option()
	if err != nil {
		return nil, err
	}
	options := []rootio.Option{rootio.WithCompression(f.compression.Compression), rootio.WithBasketSize(f.basket), text}
	if f.histograms {
		options = append(options, rootio.WithHistograms(100))
	}
	return options, nil
}

// compressionFlag is a compression as a flag.
type compressionFlag struct{ rootio.Compression }

func (c *compressionFlag) Set(name string) (err error) {
	c.Compression, err = rootio.ParseCompression(name)
	return err
}

func (c *compressionFlag) Type() string { return "name" }

// treeName is the name of a tree without its cycle. Directories are part of it.
func treeName(full string) string {
	name, _, _ := strings.Cut(strings.Trim(full, "/"), ";")
	if name == "" {
		return "Events"
	}
	return name
}

// generate writes the events, chunk by chunk.
func (f *generateFlags) generate(cmd *cobra.Command, model *surrogate.Surrogate) (tails surrogate.Tails, err error) {
	tree := f.tree
	if tree == "" {
		tree = treeName(model.Card.Tree)
	}
	constants := model.Context.Constants(int(min(chunk, f.n)))
	w, err := f.create(tree, slices.Concat(constants.Fields(), model.Features.Fields()))
	if err != nil {
		return tails, err
	}
	defer w.Abort()
	table := rootio.NewTable(model.Features.Fields(), int(min(chunk, f.n)))
	bar := newCounter(cmd.ErrOrStderr(), f.n)
	defer bar.finish()
	for first := int64(0); first < f.n; first += chunk {
		if err := cmd.Context().Err(); err != nil {
			return tails, err
		}
		n := int(min(chunk, f.n-first))
		part, given := table.Slice(0, n), constants.Slice(0, n)
		t, err := model.Generate(cmd.Context(), part, given, f.seed, uint64(first))
		if err != nil {
			return tails, err
		}
		tails.Add(t)
		if err := w.Write(&rootio.Table{Columns: slices.Concat(given.Columns, part.Columns)}); err != nil {
			return tails, err
		}
		bar.add(n)
	}
	return tails, w.Close()
}

// knownBranch is the branch that tells whether the condition of an event was among those of the
// training events.
const knownBranch = "known"

// eventIndex is the branch that tells which event of the input another was drawn
// for.
const eventIndex = "event_index"

// freeName returns a name that no field has: the given one, or with _2, _3, … after it.
func freeName(name string, fields []rootio.Field) string {
	free := name
	for k := 2; slices.ContainsFunc(fields, func(f rootio.Field) bool { return f.Name == free }); k++ {
		free = fmt.Sprintf("%s_%d", name, k)
	}
	return free
}

// generateFor writes the events of the input with new values of the model's
// features in each, as often as asked for. Its other branches are carried along.
func (f *generateFlags) generateFor(cmd *cobra.Command, model *surrogate.Surrogate) (tails surrogate.Tails, err error) {
	in, err := f.view.open(cmd.Context(), f.inTree, f.inputs)
	if err != nil {
		return tails, err
	}
	defer in.Close()
	conditions := model.Context.Names()
	view, err := f.ofCondition(cmd, in, model)
	if err != nil {
		return tails, err
	}
	// What numbers the events is that of the input, if it has such a branch.
	numbered := slices.DeleteFunc(model.Features.Numbers(), func(name string) bool {
		return !slices.ContainsFunc(in.Fields(), func(f rootio.Field) bool { return f.Name == name })
	})
	isDrawn := func(name string) bool { return !slices.Contains(numbered, name) }
	carried := newCarriage(cmd.Context(), in, slices.DeleteFunc(model.Features.Names(), func(name string) bool { return !isDrawn(name) }))
	generated := model.Features.Fields()
	fields := slices.Clone(carried.fields)
	for _, field := range generated {
		if isDrawn(field.Name) {
			fields = append(fields, field)
		}
	}
	known := freeName(knownBranch, fields)
	fields = append(fields, rootio.Field{Name: known, Title: "the condition is among those of the training events", Kind: rootio.Bool})
	if f.oversample > 1 {
		fields = append(fields, rootio.Field{Name: freeName(eventIndex, fields), Title: "event of the input", Kind: rootio.Int64})
	}
	tree := f.tree
	if tree == "" {
		tree = treeName(in.Name())
	}
	w, err := f.create(tree, fields)
	if err != nil {
		return tails, err
	}
	defer w.Abort()

	f.n = 0
	bar := newCounter(cmd.ErrOrStderr(), in.Len()*int64(f.oversample))
	defer bar.finish()
	for chunk, err := range view.Parts(conditions, carried.names(), 0) {
		if err != nil {
			return tails, err
		}
		asked, passed, err := f.asked(chunk, model.Card.View.Where)
		if err != nil {
			return tails, fmt.Errorf("%s: %w", source(f.inputs, in.Name()), err)
		}
		entries := make([]uint64, len(asked))
		for i, row := range asked {
			entries[i] = uint64(chunk.First) + uint64(row)
		}
		admitted, err := f.admit(model, chunk.All.Take(asked), entries)
		if err != nil {
			return tails, fmt.Errorf("%s: %w", source(f.inputs, in.Name()), err)
		}
		size := chunk.All.Len()
		for lo, all := 0, admitted.Len()*f.oversample; lo < all; lo += size {
			if err := cmd.Context().Err(); err != nil {
				return tails, err
			}
			n := min(size, all-lo)
			rows, places := make([]int, n), make([]int, n) // of those admitted, of the chunk of the input
			numbers, events, isKnown := make([]uint64, n), make([]int64, n), make([]bool, n)
			for i := range n {
				rows[i] = (lo + i) / f.oversample
				places[i] = asked[admitted.Rows[rows[i]]]
				isKnown[i] = admitted.Known[rows[i]] && passed[places[i]]
				events[i] = chunk.First + int64(places[i])
				numbers[i] = uint64(events[i])*uint64(f.oversample) + uint64((lo+i)%f.oversample)
			}
			drawn := rootio.NewTable(generated, n)
			t, err := model.GenerateRows(cmd.Context(), drawn, admitted.Take(rows), f.seed, numbers)
			if err != nil {
				return tails, fmt.Errorf("%s: %w", source(f.inputs, in.Name()), err)
			}
			tails.Add(t)
			part := chunk.Events.Take(places)
			for _, c := range drawn.Columns {
				if isDrawn(c.Name) {
					part.Columns = append(part.Columns, c)
				}
			}
			part.Columns = append(part.Columns, rootio.ColumnOf(known, isKnown))
			if f.oversample > 1 {
				part.Columns = append(part.Columns, rootio.ColumnOf(fields[len(fields)-1].Name, events))
			}
			if err := w.Write(part); err != nil {
				return tails, err
			}
			f.n += int64(n)
			bar.add(n)
		}
	}
	if err := w.Close(); err != nil {
		return tails, err
	}
	bar.finish()
	carried.say(cmd.ErrOrStderr())
	if f.foreign > 0 {
		what := fmt.Sprintf("branch %s is false for them", known)
		if f.outside == string(features.Skip) {
			what = "they were left out"
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "note: %d of the %d events of the input do not pass %q: the model was trained on none like them; %s\n", f.foreign, in.Len(), model.Card.View.Where, what)
	}
	f.sayStrays(cmd.ErrOrStderr(), known)
	if index := fields[len(fields)-1].Name; f.oversample > 1 && index != eventIndex {
		fmt.Fprintf(cmd.ErrOrStderr(), "the events have an %s already: the event of the input is in %s\n", eventIndex, index)
	}
	return tails, nil
}

// asked returns the rows of a part that are to be drawn for, and for all rows whether they
// pass the selection of the training. Those that do not are outside of what was learnt.
func (f *generateFlags) asked(part *rootio.Part, where string) (rows []int, passed []bool, err error) {
	n := part.All.Len()
	passed = make([]bool, n)
	for _, i := range part.Passed {
		passed[i] = true
	}
	f.foreign += int64(n - len(part.Passed))
	switch first := slices.Index(passed, false); {
	case first < 0 || f.outside != string(features.Refuse) && f.outside != string(features.Skip):
		return upTo(n), passed, nil
	case f.outside == string(features.Refuse):
		return nil, nil, fmt.Errorf("%w: entry %d does not pass %q; --outside skip leaves such events out", features.ErrOutside, part.First+int64(first), where)
	}
	return part.Passed, passed, nil
}

// ofCondition returns the view of the input that has the columns of the condition and
// tells which events pass the selection of the training.
func (f *generateFlags) ofCondition(cmd *cobra.Command, in *rootio.Tree, model *surrogate.Surrogate) (*rootio.View, error) {
	options, conditions := model.Card.View, model.Context.Names()
	view, err := ofModel(in, options, conditions, cmd.ErrOrStderr())
	if err == nil || options.Where == "" {
		return view, err
	}
	cannot := err
	options.Where = ""
	if view, err = ofModel(in, options, conditions, io.Discard); err == nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: the model was trained on events with %q, which the input cannot tell: %s\n",
			model.Card.View.Where, strings.TrimPrefix(cannot.Error(), "rootio: "))
	}
	return view, err
}

// keepTraining refuses an output that is one of the files that the model was trained on. A
// file of such a name that was drawn from a model, in another folder for one, may be replaced.
func keepTraining(ctx context.Context, out string, model *surrogate.Surrogate) error {
	if _, err := os.Stat(out); err != nil {
		return nil // there is no such file yet
	}
	for _, input := range model.Card.Inputs {
		if !slices.ContainsFunc(output.Local(input), func(name string) bool { return output.Same(name, out) }) {
			continue
		}
		if from, err := origin.Of(ctx, out); err != nil || from == nil {
			return usagef("the model was trained on %s, which would be lost: give the output another name", out)
		}
	}
	return nil
}
