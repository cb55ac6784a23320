package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/eidolon-hep/eidolon/analysis/compare"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
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

type demoFlags struct {
	dir     string
	n       int64 // events to learn from; ten times as many are generated
	options surrogate.Options
}

func newDemo() *cobra.Command {
	f := demoFlags{n: 100_000}
	f.options.Train.Epochs, f.options.Seed = 12, 1
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the main job on built-in physics, start to finish",
		Long: `Demo generates events of pp → Z/γ* → µ⁺µ⁻ from a density that is known in
closed form, learns them, generates ten times as many, and compares the two. As
the truth is known, it also prints the Kullback–Leibler divergence of the model
from the truth, on half as many events that were not used before.

It leaves behind the two ROOT files, the model and a picture, and three samples of a
fifth as many events, with which the examples of the README can be tried:
detector.root (muons before and after a detector), muons.root (events with a
collection of muons) and harder.root (as zmumu.root, with larger transverse momenta).`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd)
		},
	}
	cmd.Flags().StringVarP(&f.dir, "output", "o", "eidolon-demo", "the folder for the files, which is made if need be")
	cmd.Flags().VarP(wholeVar(&f.n, 100, 1e8), "number", "n", "the number of events to learn from")
	cmd.Flags().Var(seed{&f.options.Seed}, "seed", "the seed of everything random")
	return cmd
}

func (f *demoFlags) run(cmd *cobra.Command) error {
	start := time.Now()
	if err := checkDemo(cmd.Context(), f.dir); err != nil {
		return err
	}
	out := cmd.ErrOrStderr()
	if !wantJSON(cmd) {
		out = cmd.OutOrStdout()
	}
	if err := output.MakeFolder(f.dir); err != nil {
		return err
	}
	var (
		truth     = filepath.Join(f.dir, demoTruth)
		model     = filepath.Join(f.dir, demoModel)
		generated = filepath.Join(f.dir, demoGenerated)
		picture   = filepath.Join(f.dir, demoPicture)
		physics   = zmumu.Default()
	)

	fmt.Fprintf(out, "1. %d events of pp → Z/γ* → µ⁺µ⁻ → %s, and samples to try\n", f.n, truth)
	if err := writeTable(truth, physics.Table(f.options.Seed, 0, int(f.n))); err != nil {
		return err
	}

	for i, s := range demoSamples() {
		// Other seeds than that of the truth: no event is in two samples.
		if err := writeTable(filepath.Join(f.dir, s.file), s.make(f.options.Seed+uint64(i)+1, int(f.n/5))); err != nil {
			return err
		}
	}

	fmt.Fprintf(out, "2. learn %v → %s\n", demoFeatures, model)
	train := trainFlags{inputs: []string{truth}, features: demoFeatures, output: model, checkpoint: model + ".checkpoint", resume: resumeAuto, options: f.options}
	m, err := train.fit(cmd)
	if err != nil {
		return err
	}

	fmt.Fprintf(out, "3. generate %d events → %s\n", 10*f.n, generated)
	generate := generateFlags{model: model, n: 10 * f.n, seed: f.options.Seed, output: generated, basket: rootio.DefaultBasketSize}
	tails, err := generate.generate(cmd, m)
	if err != nil {
		return err
	}

	fmt.Fprintf(out, "4. compare them → %s\n", picture)
	report, err := compareDemo(cmd.Context(), truth, generated)
	if err != nil {
		return err
	}
	if err := report.Spectra(picture, demoFeatures...); err != nil {
		return err
	}
	fresh := int(f.n / 2)
	kl, klError, err := divergence(cmd.Context(), physics, m, f.options.Seed, uint64(f.n), fresh)
	if err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	if wantJSON(cmd) {
		return printJSON(cmd, struct {
			KL      float64         `json:"kl_nats"`
			Error   float64         `json:"kl_error"`
			Events  int             `json:"kl_events"`
			Tails   surrogate.Tails `json:"tails"`
			Seconds float64         `json:"seconds"`
			Report  *compare.Report `json:"report"`
		}{kl, klError, fresh, tails, seconds, report})
	}
	if err := report.WriteText(out); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nKL(truth ‖ model) = %.4f ± %.4f nats on %d fresh events; all in %.0f s\n", kl, klError, fresh, seconds)
	return nil
}

// compareDemo compares the two files of the demo.
func compareDemo(ctx context.Context, truth, generated string) (*compare.Report, error) {
	ref, err := readAll(ctx, "", []string{truth})
	if err != nil {
		return nil, err
	}
	cand, err := readAll(ctx, "", []string{generated})
	if err != nil {
		return nil, err
	}
	return compare.Compare(ctx, ref, cand, compare.Options{ReferenceLabel: "truth", CandidateLabel: "generated"})
}

// writeTable writes the events of t to a tree Events, as those of a demo.
func writeTable(file string, t *rootio.Table) error {
	w, err := rootio.Create(file, "Events", t.Fields(), rootio.WithText(demoKey, version()))
	if err != nil {
		return err
	}
	defer w.Abort()
	if err := w.Write(t); err != nil {
		return err
	}
	return w.Close()
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
