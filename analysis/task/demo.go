package task

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/compare"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/internal/origin"
	"github.com/eidolon-hep/eidolon/internal/output"
	"github.com/eidolon-hep/eidolon/internal/zmumu"
	"github.com/eidolon-hep/eidolon/rootio"
)

// demoFeatures are the independent variables of an event; the muons' kinematics,
// which the file holds as well, follow from them.
var demoFeatures = []string{"mass", "y", "pt", "phi", "costheta", "phistar"}

// The files that the demo leaves behind. The first one says that it is the demo's.
const (
	demoTruth     = "zmumu.root"
	demoModel     = "zmumu.eidolon"
	demoGenerated = "generated.root"
	demoPicture   = "spectra.png"

	demoKey = "eidolon demo" // of the text that says so
)

// demoSample is a sample for the examples of the README and the tutorial.
type demoSample struct {
	file string
	make func(seed uint64, n int) *rootio.Table
}

func demoSamples() []demoSample {
	harder := zmumu.Default()
	harder.PtScale *= 1.15
	return []demoSample{
		{"detector.root", zmumu.Default().Detected},
		{"muons.root", zmumu.Default().Collections},
		{"harder.root", func(seed uint64, n int) *rootio.Table { return harder.Table(seed, 0, n) }},
	}
}

// checkDemo checks that the files of the demo can be written, in the place of those of another
// demo at most.
func checkDemo(ctx context.Context, dir string) error {
	ours := func(dir string) bool {
		_, err := rootio.ReadText(ctx, filepath.Join(dir, demoTruth), demoKey)
		return err == nil
	}
	files := []string{demoTruth, demoModel, demoGenerated, demoPicture}
	for _, s := range demoSamples() {
		files = append(files, s.file)
	}
	return output.CheckFolder(dir, ours, func(name string) bool { return slices.Contains(files, name) })
}

// DemoOptions are what [Demo] is asked for.
type DemoOptions struct {
	// Folder is where the files go. It is made if need be.
	Folder string
	// N is the number of events to learn from; ten times as many are generated.
	N int64
	// Seed is the seed of everything random.
	Seed uint64
	// Step, if it is not nil, is told in a line what begins.
	Step func(line string)
}

// DemoResult is what came of [Demo].
type DemoResult struct {
	KL      float64         `json:"kl_nats"`   // KL(truth ‖ model)
	Error   float64         `json:"kl_error"`  // its statistical error
	Events  int             `json:"kl_events"` // events of the truth that it was measured on
	Tails   surrogate.Tails `json:"tails"`
	Seconds float64         `json:"seconds"`
	Report  *compare.Report `json:"report"` // of the generated events beside the truth
}

// Demo draws events from a density that is known in closed form, learns them, generates ten
// times as many, compares the two, and measures how far the model is from the truth.
func Demo(ctx context.Context, o DemoOptions, p Progress) (*DemoResult, error) {
	start := time.Now()
	if err := checkDemo(ctx, o.Folder); err != nil {
		return nil, err
	}
	if err := output.MakeFolder(o.Folder); err != nil {
		return nil, err
	}
	step := func(format string, args ...any) {
		if o.Step != nil {
			o.Step(fmt.Sprintf(format, args...))
		}
	}
	var (
		truth     = filepath.Join(o.Folder, demoTruth)
		model     = filepath.Join(o.Folder, demoModel)
		generated = filepath.Join(o.Folder, demoGenerated)
		picture   = filepath.Join(o.Folder, demoPicture)
		physics   = zmumu.Default()
	)

	step("1. %d events of pp → Z/γ* → µ⁺µ⁻ → %s, and samples to try", o.N, truth)
	ours := rootio.WithText(demoKey, origin.Version())
	events := physics.Table(o.Seed, 0, int(o.N))
	if err := rootio.WriteFile(truth, "Events", events, ours); err != nil {
		return nil, err
	}

	for i, s := range demoSamples() {
		// Other seeds than that of the truth: no event is in two samples.
		if err := rootio.WriteFile(filepath.Join(o.Folder, s.file), "Events", s.make(o.Seed+uint64(i)+1, int(o.N/5)), ours); err != nil {
			return nil, err
		}
	}

	step("2. learn %v → %s", demoFeatures, model)
	options := surrogate.Options{Seed: o.Seed}
	options.Train.Epochs = 12
	m, err := Train(ctx, TrainOptions{Inputs: []string{truth}, Features: demoFeatures, Model: options, Output: model, Resume: ResumeAuto}, p)
	if err != nil {
		return nil, err
	}

	step("3. generate %d events → %s", 10*o.N, generated)
	drawn, err := Generate(ctx, GenerateOptions{Model: model, N: 10 * o.N, Seed: &o.Seed, Output: generated}, p)
	if err != nil {
		return nil, err
	}

	step("4. compare them → %s", picture)
	cand, err := rootio.ReadFile(ctx, "", generated)
	if err != nil {
		return nil, err
	}
	report, err := compare.Compare(ctx, events, cand, compare.Options{ReferenceLabel: "truth", CandidateLabel: "generated"})
	if err != nil {
		return nil, err
	}
	if err := report.Spectra(picture, demoFeatures...); err != nil {
		return nil, err
	}
	fresh := int(o.N / 2)
	kl, klError, err := divergence(ctx, physics, m, o.Seed, uint64(o.N), fresh)
	if err != nil {
		return nil, err
	}
	return &DemoResult{kl, klError, fresh, drawn.Tails, time.Since(start).Seconds(), report}, nil
}

// divergence returns KL(truth ‖ model), the mean of log p_truth − log p_model over
// events of the truth, and its statistical error.
func divergence(ctx context.Context, physics zmumu.Generator, m *surrogate.Surrogate, seed, first uint64, n int) (kl, sigma float64, err error) {
	events := make([]zmumu.Event, n)
	physics.Events(events, seed, first)
	p := make([]float64, n)
	if err := m.LogDensity(ctx, p, physics.Table(seed, first, n), 0); err != nil {
		return 0, 0, err
	}
	kl, sigma = physics.Divergence(events, p)
	return kl, sigma, nil
}
