package task

import (
	"context"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/internal/known"
	"github.com/eidolon-hep/eidolon/internal/origin"
	"github.com/eidolon-hep/eidolon/internal/output"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// exampleModel is a model of the table of [Example].
type exampleModel struct {
	name  string // of its file
	title string // in the figure
	ask   surrogate.Options
	of    string // the model before it that it refines by a ratio; empty: none
}

// exampleModels are the rows of the table, for n events to learn from. How long networks are trained is
// said by the events that they see, so that the time hardly depends on n.
func exampleModels(n int64) []exampleModel {
	seeing := func(events int64) training.Options { return training.Options{Epochs: int(max(1, events/max(n, 1)))} }
	sums := func(k int) surrogate.Options {
		return surrogate.Options{Model: "diffusion", Diffusion: surrogate.DiffusionOptions{KernelEvents: k}}
	}
	return []exampleModel{
		{name: "realnvp", title: "Real NVP", ask: surrogate.Options{Model: "realnvp"}},
		{name: "spline", title: "spline flow", ask: surrogate.Options{Model: "spline", Train: seeing(2e6)}},
		{name: "autoregressive", title: "autoregressive flow", ask: surrogate.Options{Model: "autoregressive", Layers: 2, Hidden: 64, Train: seeing(4e6)}},
		{name: "sums-300", title: "kernel sums, K = 300", ask: sums(300)},
		{name: "sums-5000", title: "kernel sums, K = 5,000", ask: sums(5_000)},
		{name: "sums-20000", title: "kernel sums, K = 20,000", ask: sums(20_000)},
		{name: "denoiser", title: "denoiser", ask: surrogate.Options{Model: "denoiser", Hidden: 128, Train: seeing(1e7)}},
		{name: "distilled", title: "one-step map", ask: surrogate.Options{Model: "distilled"}},
		{name: "ratio", title: "Real NVP × C/(1 − C)", of: "realnvp"},
	}
}

// Examples returns the names of the densities that [Example] knows.
func Examples() []string {
	return []string{"moons", "ring", "spirals", "checkerboard", "gaussians", "zmumu"}
}

// exampleKey is the key of the text in the file of the truth that says that a folder is of an example.
const exampleKey = "eidolon demo --example"

// fewestExample is the smallest number of events to learn from, and mostFresh the largest of events to judge by.
const (
	fewestExample = 1_000
	mostFresh     = 20_000
)

// ExampleOptions are what [Example] is asked for.
type ExampleOptions struct {
	// Name is one of [Examples].
	Name string
	// Models are the rows of the table; by default all.
	Models []string
	// Folder is where the files go. It is made if need be. By default it is eidolon-NAME.
	Folder string
	// N is the number of events to learn from.
	N int64
	// Seed is the seed of everything random.
	Seed uint64
	// Step, if it is not nil, is told in a line what begins.
	Step func(line string)
}

// Measured is a number with its statistical error.
type Measured struct {
	Value float64 `json:"value"`
	Error float64 `json:"error"`
}

// meanOf returns the mean of numbers.
func meanOf(x []float64) Measured {
	mean, std := stat.MeanStdDev(x, nil)
	return Measured{mean, stat.StdErr(std, float64(len(x)))}
}

// ExampleRow is what was measured of a model.
type ExampleRow struct {
	Model string `json:"model"`
	// KL is KL(truth ‖ model) in nats, and LogDensity the mean log-density of events of the truth;
	// nil for a model without a density. Impossible is the number of these events that the
	// model cannot make: they are left out of both, though with one of them KL is infinite.
	KL         *Measured `json:"kl_nats,omitempty"`
	LogDensity *Measured `json:"log_density,omitempty"`
	Impossible int       `json:"impossible"`
	// AUC is that of a classifier between events of the model and fresh ones of the truth.
	AUC Measured `json:"auc"`
	// Copies is the part of the events that are copies of training events; nil where there are none to copy.
	Copies  *float64 `json:"copies,omitempty"`
	Seconds float64  `json:"training_seconds"`
	Rate    float64  `json:"events_per_second"` // drawn, on all processors
}

// ExampleResult is what came of [Example].
type ExampleResult struct {
	Example    string       `json:"example"`
	Events     int          `json:"events"`      // learnt from
	Fresh      int          `json:"fresh"`       // judged by
	LogDensity Measured     `json:"log_density"` // the truth's own mean log-density
	Rows       []ExampleRow `json:"models"`
	Figure     string       `json:"figure"`
	Seconds    float64      `json:"seconds"`
}

// example is an [Example] on its way.
type example struct {
	ExampleOptions
	Progress
	density known.Density
	rows    []exampleModel
	fresh   *rootio.Table // events of the truth that no model has seen
	truth   []float64     // their log-density
	figure  *exampleFigure
}

// Example draws events from a density that is known in closed form, trains each kind of model on
// them, and says in a table and in a figure how near each of them comes to the truth.
func Example(ctx context.Context, o ExampleOptions, p Progress) (*ExampleResult, error) {
	start := time.Now()
	e := &example{ExampleOptions: o, Progress: p}
	if err := e.check(ctx); err != nil {
		return nil, err
	}
	if err := output.MakeFolder(e.Folder); err != nil {
		return nil, err
	}
	n := int(e.N)
	file := e.file(".root")
	e.step("%d events of %s → %s", n, e.density.Title, file)
	if err := rootio.WriteFile(file, "Events", e.density.Table(e.Seed, 0, n), rootio.WithText(exampleKey, origin.Version())); err != nil {
		return nil, err
	}
	fresh := min(n, mostFresh)
	e.fresh, e.truth = e.density.Table(e.Seed, uint64(n), fresh), make([]float64, fresh)
	e.density.LogDensity(e.truth, e.fresh)

	result := &ExampleResult{Example: e.Name, Events: n, Fresh: fresh, LogDensity: meanOf(e.truth), Figure: e.file(".png")}
	e.figure = e.newFigure()
	for _, m := range e.rows {
		row, err := e.measure(ctx, m)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		result.Rows = append(result.Rows, *row)
	}
	if err := e.figure.write(result.Figure); err != nil {
		return nil, err
	}
	result.Seconds = time.Since(start).Seconds()
	return result, nil
}

func (e *example) step(format string, args ...any) {
	if e.Step != nil {
		e.Step(fmt.Sprintf(format, args...))
	}
}

// file returns a file of the folder that is named after the example.
func (e *example) file(extension string) string { return filepath.Join(e.Folder, e.Name+extension) }

// model returns the file of a model.
func (e *example) model(m exampleModel) string {
	return filepath.Join(e.Folder, m.name+".eidolon")
}

// check completes the options, and checks that all files can be written, in the place of those of
// another run at most.
func (e *example) check(ctx context.Context) error {
	var ok bool
	if e.density, ok = known.Named(e.Name); !ok || !slices.Contains(Examples(), e.Name) {
		return Usage("no example is called %q; there are %s", e.Name, strings.Join(Examples(), ", "))
	}
	if e.N < fewestExample {
		return Usage("an example needs at least %d events to learn from, not %d", fewestExample, e.N)
	}
	if e.Folder == "" {
		e.Folder = "eidolon-" + e.Name
	}
	var names []string
	for _, m := range exampleModels(e.N) {
		names = append(names, m.name)
		k := m.ask.Diffusion.KernelEvents
		switch {
		case !e.wants(m.name):
		case 5*k > 4*int(e.N): // one event in ten is held out
			e.logf("note: no %s: there are only %d events", m.title, e.N)
		default:
			e.rows = append(e.rows, m)
		}
	}
	for _, name := range e.Models {
		if !slices.Contains(names, name) {
			return Usage("no model of an example is called %q; there are %s", name, strings.Join(names, ", "))
		}
	}
	if len(e.rows) == 0 {
		return Usage("no model is left: -n %d is too small for %s", e.N, strings.Join(e.Models, ", "))
	}
	files := []string{e.file(".root"), e.file(".png")}
	for _, m := range e.rows {
		files = append(files, e.model(m), CheckpointOf(e.model(m)))
	}
	ours := func(string) bool {
		_, err := rootio.ReadText(ctx, e.file(".root"), exampleKey)
		return err == nil
	}
	return output.CheckFolder(e.Folder, ours, func(name string) bool {
		return slices.Contains(files, filepath.Join(e.Folder, name))
	})
}

// wants reports whether a model is a row of the table: one that was asked for, or that such a one refines.
func (e *example) wants(name string) bool {
	return len(e.Models) == 0 || slices.ContainsFunc(exampleModels(e.N), func(m exampleModel) bool {
		return slices.Contains(e.Models, m.name) && (m.name == name || m.of == name)
	})
}

// measure trains a model, and measures how far it is from the truth.
func (e *example) measure(ctx context.Context, m exampleModel) (*ExampleRow, error) {
	e.step("%s → %s", m.title, e.model(m))
	begin := time.Now()
	model, err := e.train(ctx, m)
	if err != nil {
		return nil, err
	}
	row := &ExampleRow{Model: m.name, Seconds: time.Since(begin).Seconds()}

	n := e.fresh.Len()
	drawn := rootio.NewTable(model.Fields(), n)
	begin = time.Now()
	tails, err := model.Generate(ctx, drawn, nil, e.Seed, 0)
	if err != nil {
		return nil, err
	}
	row.Rate = float64(n) / time.Since(begin).Seconds()
	if tails.Copies != nil {
		share := float64(*tails.Copies) / float64(n)
		row.Copies = &share
	}
	judged, err := classify.CrossFit(ctx, classify.Sample{Table: e.fresh}, classify.Sample{Table: drawn}, classify.Options{Seed: e.Seed})
	if err != nil {
		return nil, err
	}
	row.AUC = Measured{judged.AUC, judged.AUCError}
	if _, isMap := model.Teacher(); !isMap && model.HasDensity() {
		if err := e.diverge(ctx, row, model); err != nil {
			return nil, err
		}
	}
	e.step("  %s, %.0f s of training", row.remark(), row.Seconds)
	return row, e.show(ctx, m, row, model, drawn)
}

// remark says how near to the truth the model is.
func (r *ExampleRow) remark() string {
	text := fmt.Sprintf("AUC %.3f", r.AUC.Value)
	if r.KL != nil {
		text = fmt.Sprintf("KL %.3f, %s", r.KL.Value, text)
	}
	return text
}

// train trains a model, or the ratio that refines another one, and writes it.
func (e *example) train(ctx context.Context, m exampleModel) (*surrogate.Surrogate, error) {
	truth := []string{e.file(".root")}
	if m.of == "" {
		m.ask.Seed, m.ask.Refine = e.Seed, surrogate.RefineOff // the table compares the models; its last row has a ratio
		return Train(ctx, TrainOptions{Inputs: truth, Model: m.ask, Output: e.model(m), Resume: ResumeAuto}, e.Progress)
	}
	model, err := surrogate.Load(filepath.Join(e.Folder, m.of+".eidolon"))
	if err != nil {
		return nil, err
	}
	one, err := rootio.ReadFile(ctx, "", truth...)
	if err != nil {
		return nil, err
	}
	zero := rootio.NewTable(model.Fields(), one.Len())
	if _, err := model.Generate(ctx, zero, nil, e.Seed, uint64(e.fresh.Len())); err != nil { // others than those that are judged
		return nil, err
	}
	ratio, _, err := classify.Fit(ctx, classify.Sample{Table: zero}, classify.Sample{Table: one}, classify.Options{Seed: e.Seed, Progress: e.percent})
	if err != nil {
		return nil, err
	}
	if err := model.Refine(ctx, ratio); err != nil {
		return nil, err
	}
	e.logf("%v", model.Ratio)
	return model, ratio.Save(e.model(m))
}

// diverge measures KL(truth ‖ model), the mean of log p_truth − log p_model over fresh events.
func (e *example) diverge(ctx context.Context, row *ExampleRow, model *surrogate.Surrogate) error {
	log := make([]float64, len(e.truth))
	if err := model.LogDensity(ctx, log, e.fresh, 0); err != nil {
		return err
	}
	var differences, possible []float64
	for i, l := range log {
		if math.IsInf(l, -1) {
			row.Impossible++
			continue
		}
		differences, possible = append(differences, e.truth[i]-l), append(possible, l)
	}
	kl, mean := meanOf(differences), meanOf(possible)
	row.KL, row.LogDensity = &kl, &mean
	return nil
}

// WriteText writes the table.
func (r *ExampleResult) WriteText(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "model\tKL [nats]\tAUC\tmean log-density\tcopies\ttraining [s]\tevents/s\t")
	fmt.Fprintf(w, "truth\t0\t0.5\t%.4f\t\t\t\t\n", r.LogDensity.Value)
	for _, row := range r.Rows {
		kl, log, copies := "–", "–", "–"
		if row.KL != nil {
			kl, log = fmt.Sprintf("%.4f ± %.4f", row.KL.Value, row.KL.Error), fmt.Sprintf("%.4f", row.LogDensity.Value)
		}
		if row.Impossible > 0 {
			kl = fmt.Sprintf("∞ (%d impossible)", row.Impossible)
		}
		if row.Copies != nil {
			copies = fmt.Sprintf("%.1f %%", 100**row.Copies)
		}
		fmt.Fprintf(w, "%s\t%s\t%.3f ± %.3f\t%s\t%s\t%.0f\t%.3g\t\n", row.Model, kl, row.AUC.Value, row.AUC.Error, log, copies, row.Seconds, row.Rate)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\n%d events to learn from, %d fresh ones to judge by; %s; all in %.0f s\n", r.Events, r.Fresh, r.Figure, r.Seconds)
	return err
}
