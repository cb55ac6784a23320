package task

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/internal/atomicfile"
	"github.com/eidolon-hep/eidolon/internal/origin"
	"github.com/eidolon-hep/eidolon/rootio"
)

// GenerateOptions are what [Generate] is asked for.
type GenerateOptions struct {
	// Model is the model file.
	Model string
	// N is the number of events to draw, where there are no inputs.
	N int64
	// Inputs are ROOT files with the conditions, read as one chain, and InputTree is the tree
	// in them, which may be empty where a file has one tree only.
	Inputs    []string
	InputTree string
	// Oversample is how often is drawn for each event of the inputs; 0 is 1.
	Oversample int
	// Outside says what becomes of conditions that the training events did not have.
	Outside features.Outside
	// Keep are branches of the old objects, in the inputs, that the new ones in their places
	// have, too.
	Keep []string
	// NoVerify leaves out the comparison of the records of files before they are read: see [rootio.OpenOptions].
	NoVerify bool
	// Seed is the seed of the events; nil: one is drawn, see GenerateResult.
	Seed *uint64
	// Ratio is the file of a ratio that multiplies the density of the model ([FitRatio]); empty: none.
	Ratio string
	// Direct draws from the mixture of kernels itself, without the equation: for a model of
	// kernel sums only.
	Direct bool
	// Solver says how the equation of a model that solves one is solved; what is zero stays as it
	// was trained.
	Solver diffusion.SolverOptions
	// Output is the ROOT file to write, and Tree the name of the tree in it: by default that of
	// the inputs, or else of the training events.
	Output, Tree string
	// ReweightTo are ROOT files with events that the generated ones are to be like, by a
	// branch weight; empty: no weights.
	ReweightTo []string
	// Compression and Format are those of the output, BasketSize the bytes of a branch that are compressed
	// together (0: [rootio.DefaultBasketSize]), and Histograms puts a histogram of each branch beside the tree.
	Compression rootio.Compression
	Format      rootio.Format
	BasketSize  int
	Histograms  bool
}

// GenerateResult is what came of [Generate].
type GenerateResult struct {
	Output  string `json:"output"`
	Events  int64  `json:"events"`
	Objects int64  `json:"objects,omitempty"`              // that were drawn, if the model is of objects
	Stayed  int64  `json:"objects_as_they_were,omitempty"` // objects of the inputs that the model's selection leaves out
	Foreign int64  `json:"events_not_selected,omitempty"`  // events of the inputs that it leaves out
	Seed    uint64 `json:"seed"`
	// Solver is how the equation of the model was solved; nil where none was.
	Solver *diffusion.Solver `json:"solver,omitempty"`
	surrogate.Tails
	Seconds float64 `json:"seconds"` // of drawing and writing

	Conditions *features.Strays `json:"conditions,omitempty"` // nil without inputs
	Reweighted *ReweightResult  `json:"reweighted,omitempty"` // nil without ReweightTo
	Ratio      *surrogate.Ratio `json:"ratio,omitempty"`      // nil without a ratio

	// Model is the model that was drawn from.
	Model *surrogate.Surrogate `json:"-"`
}

// generation is a generation on its way.
type generation struct {
	GenerateOptions
	Progress
	ctx    context.Context
	model  *surrogate.Surrogate
	result *GenerateResult
	strays features.Strays // of the conditions
}

// Generate draws events from a model and writes them to a ROOT file: N of them, or new values
// for each event of the inputs, with all their branches that can be copied. Event i depends on
// (Seed, i) alone.
func Generate(ctx context.Context, o GenerateOptions, p Progress) (*GenerateResult, error) {
	o.Oversample, o.BasketSize = cmp.Or(o.Oversample, 1), cmp.Or(o.BasketSize, rootio.DefaultBasketSize)
	if err := o.check(); err != nil {
		return nil, err
	}
	if err := CheckOutput(ctx, o.Output, slices.Concat(o.Inputs, o.ReweightTo, []string{o.Model, o.Ratio})...); err != nil {
		return nil, err
	}
	model, err := surrogate.Load(o.Model)
	if err != nil {
		return nil, err
	}
	if o.Direct {
		if err := model.Direct(); err != nil {
			return nil, Usage("%w", err)
		}
	}
	if err := model.SetSolver(o.Solver); err != nil {
		return nil, Usage("%s: %w", o.Model, err)
	}
	if err := refine(ctx, model, o.Model, o.Ratio, p); err != nil {
		return nil, err
	}
	g := &generation{GenerateOptions: o, Progress: p, ctx: ctx, model: model}
	g.result = &GenerateResult{Output: o.Output, Model: model, Ratio: model.Ratio}
	if !o.Direct {
		g.result.Solver = model.Solver()
	}
	if o.Seed != nil {
		g.result.Seed = *o.Seed
	} else {
		g.result.Seed = origin.DrawSeed()
	}
	if len(o.ReweightTo) > 0 { // the file without weights is not what is asked for
		target, err := open(ctx, false, "", o.ReweightTo)
		if err != nil {
			return nil, err
		}
		_ = target.Close() // it was only read
		if g.Output, err = atomicfile.Temp(o.Output); err != nil {
			return nil, err
		}
		defer atomicfile.Discard(g.Output)
	}
	start := time.Now()
	if err := g.run(); err != nil {
		return nil, err
	}
	g.result.Seconds = time.Since(start).Seconds()
	if g.strays.Rows > 0 {
		g.result.Conditions = &g.strays
	}
	if len(o.ReweightTo) > 0 {
		if g.result.Reweighted, err = g.reweight(o.Output); err != nil {
			return nil, err
		}
	}
	return g.result, nil
}

// check refuses options that do not go together, whatever the model.
func (o GenerateOptions) check() error {
	if len(o.Inputs) > 0 {
		if o.N != 0 {
			return Usage("-n does not go with -i: there are as many events as in the input, times --oversample")
		}
	} else {
		for _, v := range []struct {
			name  string
			given bool
		}{{"input-tree", o.InputTree != ""}, {"oversample", o.Oversample != 1}, {"outside", o.Outside != ""}, {"keep", len(o.Keep) > 0}} {
			if v.given {
				return Usage("--%s goes with -i, not with -n", v.name)
			}
		}
	}
	if o.Direct && !o.Solver.IsZero() {
		return Usage("--direct solves no equation: no schedule, solver, order, steps or tolerance goes with it")
	}
	if o.N < 0 || o.Oversample < 1 {
		return Usage("%d events, drawn %d times each, cannot be drawn", o.N, o.Oversample)
	}
	if err := o.Outside.Check(); err != nil {
		return Usage("%w", err)
	}
	return nil
}

// run draws and writes as the model asks for.
func (g *generation) run() error {
	model := g.model
	ofObjects, hasInputs := model.Card.Collection != nil, len(g.Inputs) > 0
	switch {
	case ofObjects && g.Oversample > 1:
		return Usage("--oversample does not go with a model of objects")
	case ofObjects && hasInputs:
		return g.objectsFor()
	case len(g.Keep) > 0:
		return Usage("--keep is for a model of objects and -i: all other branches are kept")
	case hasInputs && len(model.Context.Names()) == 0:
		return Usage("%s is not conditional: give -n, not -i", g.Model)
	case hasInputs:
		return g.eventsFor()
	case !model.Context.IsConstant():
		return Usage("%s is conditional on %s: give -i, not -n", g.Model, strings.Join(model.Context.Names(), ", "))
	case ofObjects:
		return g.newObjectEvents()
	}
	return g.events()
}

// reweight writes the generated events with weights.
func (g *generation) reweight(output string) (*ReweightResult, error) {
	options, err := g.fileOptions()
	if err != nil {
		return nil, err
	}
	r, err := Reweight(g.ctx, ReweightOptions{
		Source: []string{g.Output}, Target: g.ReweightTo, Seed: g.result.Seed, Output: output, options: options,
	}, g.Progress)
	if err != nil {
		return nil, err
	}
	return &ReweightResult{Weights: r.Weights, Closure: r.Closure}, nil
}

// create starts the file to write, with a note of where it comes from. tree is its name
// unless another is asked for.
func (g *generation) create(tree string, fields []rootio.Field, more ...rootio.Option) (*rootio.Writer, error) {
	options, err := g.fileOptions()
	if err != nil {
		return nil, err
	}
	return rootio.Create(g.Output, cmp.Or(g.Tree, treeName(tree)), fields, append(options, more...)...)
}

// write writes some of the events, of which there will be total.
func (g *generation) write(w *rootio.Writer, events *rootio.Table, tails surrogate.Tails, total int64) error {
	if err := w.Write(events); err != nil {
		return err
	}
	g.result.Tails.Add(tails)
	g.result.Events += int64(events.Len())
	g.count(g.result.Events, total)
	return g.ctx.Err()
}

func (g *generation) fileOptions() ([]rootio.Option, error) {
	from, err := origin.New(g.Inputs, origin.Model{File: g.Model, Ratio: g.Ratio, Seed: &g.result.Seed, Solver: g.result.Solver})
	if err != nil {
		return nil, err
	}
	text, err := from.Option()
	if err != nil {
		return nil, err
	}
	options := []rootio.Option{rootio.WithFormat(g.Format), rootio.WithCompression(g.Compression), rootio.WithBasketSize(g.BasketSize), text}
	if g.Histograms {
		options = append(options, rootio.WithHistograms(100))
	}
	return options, nil
}

// events writes events that are drawn without inputs, chunk by chunk.
func (g *generation) events() error {
	constants := g.model.Context.Constants(int(min(chunk, g.N)))
	w, err := g.create(g.model.Card.Tree, slices.Concat(constants.Fields(), g.model.Fields()))
	if err != nil {
		return err
	}
	defer w.Abort()
	table := rootio.NewTable(g.model.Fields(), int(min(chunk, g.N)))
	for first := int64(0); first < g.N; first += chunk {
		n := int(min(chunk, g.N-first))
		part, given := table.Slice(0, n), constants.Slice(0, n)
		tails, err := g.model.Generate(g.ctx, part, given, g.result.Seed, uint64(first))
		if err != nil {
			return err
		}
		if err := g.write(w, &rootio.Table{Columns: slices.Concat(given.Columns, part.Columns)}, tails, g.N); err != nil {
			return err
		}
	}
	return w.Close()
}
