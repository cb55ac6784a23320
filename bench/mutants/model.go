package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/internal/mutate"
	"github.com/eidolon-hep/eidolon/internal/zmumu"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// modelFiles are models of all kinds, with features of all kinds. Each is loaded, looked at,
// and asked for a hundred events and their log-densities.
var modelFiles = kind{
	name: "model",
	samples: func(dir string) ([]string, error) {
		var files []string
		for _, s := range samples() {
			tr, err := surrogate.New(context.Background(), s.table, nil, s.options)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			m, err := tr.Run(context.Background())
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			if s.objects {
				m.Card.Collection, m.Card.Multiplicity = &rootio.Collection{Name: "Muon"}, []float64{0.5, 0.25, 0.25}
			}
			file := filepath.Join(dir, s.name+".eidolon")
			if err := m.Save(file); err != nil {
				return nil, err
			}
			files = append(files, file)
		}
		return files, nil
	},
	read: func(ctx context.Context, file string) error {
		m, err := surrogate.Load(file)
		if err != nil {
			return err
		}
		if err := look(ctx, m); err != nil {
			return err
		}
		return use(ctx, m)
	},
	harms: often("eidolon"),
}

// checkpoints are those of trainings of all kinds that have them. Each is loaded and
// finished.
var checkpoints = kind{
	name: "checkpoint",
	samples: func(dir string) ([]string, error) {
		var files []string
		for _, s := range trained() {
			file := filepath.Join(dir, s.name+".checkpoint")
			ctx, cancel := context.WithCancel(context.Background())
			s.options.Train.Progress = func(at training.Status) {
				if at.Step > 5 {
					cancel()
				}
			}
			tr, err := surrogate.New(context.Background(), s.table, nil, s.options)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			tr.CheckpointTo(file, nil)
			_, err = tr.Run(ctx)
			cancel()
			if !errors.Is(err, context.Canceled) {
				return nil, fmt.Errorf("%s was not interrupted: %w", s.name, err)
			}
			files = append(files, file)
		}
		return files, nil
	},
	read: func(ctx context.Context, file string) error {
		p, err := surrogate.LoadCheckpoint(file)
		if err != nil {
			return err
		}
		for _, s := range trained() {
			if !sameNames(p.Columns, s.table) {
				continue
			}
			tr, err := p.Finish(ctx, s.table, nil)
			if err != nil {
				return err
			}
			_, err = tr.Run(ctx)
			return err
		}
		return errors.New("no events fit")
	},
	harms: often("eidolon checkpoint"),
}

// often are harms to what a safetensors file says, as many as all others.
func often(key string) []harm {
	all := make([]harm, 3*len(harms))
	for i := range all {
		all[i] = harm{"what the file says", func(rng *rand.Rand, b []byte) []byte { return mutate.Safetensors(rng, b, key) }}
	}
	return all
}

func sameNames(names []string, t *rootio.Table) bool {
	if len(names) != len(t.Columns) {
		return false
	}
	for _, name := range names {
		if _, ok := t.Column(name); !ok {
			return false
		}
	}
	return true
}

// look does what info does.
func look(ctx context.Context, m *surrogate.Surrogate) error {
	_ = fmt.Sprint(m.Chain, m.Card, &m.Card.Plan, m.Warnings(), m.Remarks(), m.HasDensity())
	if m.Card.Plan.Choice != nil {
		_ = m.Card.Plan.Choice.String()
	}
	for _, t := range m.Features.Treatments() {
		_ = t.How
	}
	for i := range m.Context.Columns {
		_ = m.Context.Columns[i].Describe()
	}
	if k, ok := surrogate.FactorAs[factor.KernelSums](m); ok {
		if _, err := k.Effective(ctx, 64, 1); err != nil {
			return err
		}
	}
	return nil
}

// use draws events and scores them.
func use(ctx context.Context, m *surrogate.Surrogate) error {
	const n = 100
	given := rootio.NewTable(m.Context.Fields(), n)
	for i := range given.Columns {
		c := &m.Context.Columns[i]
		x := make([]float64, n)
		for k := range x {
			if x[k] = c.Min + (c.Max-c.Min)*float64(k)/n; c.As == column.Codes {
				x[k] = c.Codes[k%len(c.Codes)]
			}
		}
		given.Columns[i].SetFloats(0, x)
	}
	counts := make([]int, n)
	m.Multiplicities(counts, 1, 0)
	events := rootio.NewTable(m.Features.Fields(), n)
	if _, err := m.Generate(ctx, events, given, 1, 0); err != nil {
		return err
	}
	x := make([]float64, n)
	for _, c := range events.Columns {
		c.Floats(x, 0)
		for _, v := range x {
			if math.IsInf(v, 0) {
				panic("an event is not finite")
			}
		}
	}
	if !m.HasDensity() {
		return nil
	}
	all := &rootio.Table{Columns: append(events.Columns, given.Columns...)}
	if err := m.LogDensity(ctx, x, all, 0); err != nil {
		return err
	}
	for _, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 1) {
			panic("a log-density is not a number")
		}
	}
	return nil
}

// sample is a training.
type sample struct {
	name    string
	table   *rootio.Table
	options surrogate.Options
	objects bool
}

// samples are trainings of all kinds of models.
func samples() []sample {
	all := trained()
	table := all[0].table
	codes := table.Slice(0, 300)
	return append(all,
		sample{name: "kernels", table: table, options: surrogate.Options{Model: "diffusion"}},
		sample{name: "kernels-given", table: codes, options: surrogate.Options{Model: "diffusion", Condition: []string{"charge"}}},
		sample{name: "distilled-kernels", table: codes, options: small(surrogate.Options{Model: "distilled", Diffusion: surrogate.DiffusionOptions{Teacher: "diffusion"}})},
	)
}

func small(o surrogate.Options) surrogate.Options {
	o.Hidden, o.Depth, o.Train.Epochs = 8, 1, 1
	return o
}

// trained are trainings of those kinds that take steps.
var trained = sync.OnceValue(func() []sample {
	events := mixed(600)
	pairs := &rootio.Table{Columns: zmumu.Default().Table(1, 0, 600).Columns[6:]} // the muons
	pair := features.Options{
		Vectors: []string{"a=mu1_pt,mu1_eta,mu1_phi,0.1", "b=mu2_pt,mu2_eta,mu2_phi,0.1"},
		Systems: []string{"z=a+b"},
	}
	many := mixed(50_000) // as many as make a denoiser go around an angle
	many.Columns = slices.DeleteFunc(many.Columns, func(c rootio.Column) bool { return !slices.Contains([]string{"eta", "phi", "sector"}, c.Name) })
	return []sample{
		{name: "autoregressive", table: events, options: small(surrogate.Options{Model: "autoregressive"}), objects: true},
		{name: "autoregressive-given", table: events, options: small(surrogate.Options{Model: "autoregressive", Condition: []string{"charge", "pt", "phi"}})},
		{name: "spline", table: events, options: small(surrogate.Options{Model: "spline", Layers: 2, Residual: true})},
		{name: "realnvp", table: pairs, options: small(surrogate.Options{Model: "realnvp", Layers: 2, Components: 3, Features: pair})},
		{name: "denoiser", table: events, options: small(surrogate.Options{Model: "denoiser"})},
		{name: "denoiser-normals", table: pairs, options: small(surrogate.Options{Model: "denoiser", Components: 3, Features: pair})},
		{name: "around", table: many, options: small(surrogate.Options{Model: "denoiser"})},
		{name: "distilled", table: pairs, options: small(surrogate.Options{Model: "distilled"})},
	}
})

// mixed returns events with columns of all kinds, of which some follow from others.
func mixed(n int) *rootio.Table {
	rng := rand.New(rand.NewPCG(7, 11))
	t := rootio.NewTable([]rootio.Field{
		{Name: "spikes", Kind: rootio.Float32}, {Name: "pt", Kind: rootio.Float32}, {Name: "eta", Kind: rootio.Float32}, {Name: "phi", Kind: rootio.Float32},
		{Name: "px", Kind: rootio.Float64}, {Name: "py", Kind: rootio.Float64}, {Name: "pz", Kind: rootio.Float64}, {Name: "e", Kind: rootio.Float64},
		{Name: "charge", Kind: rootio.Int32}, {Name: "pdg", Kind: rootio.Int32}, {Name: "hits", Kind: rootio.Uint16}, {Name: "missing", Kind: rootio.Float64},
		{Name: "rounded", Kind: rootio.Float32}, {Name: "reco", Kind: rootio.Float32}, {Name: "one", Kind: rootio.Float64}, {Name: "heavy", Kind: rootio.Float64},
		{Name: "sector", Kind: rootio.Float32},
	}, n)
	row := make([]float64, 1)
	for i := range n {
		pt, eta := float64(float32(5+20*rng.ExpFloat64())), float64(float32(rng.NormFloat64()))
		phi := float64(float32(2*math.Pi*(rng.Float64()-0.5) + 1e-3))
		if phi > math.Pi {
			phi = 0
		}
		px, py, pz := pt*math.Cos(phi), pt*math.Sin(phi), pt*math.Sinh(eta)
		charge := float64(2*rng.IntN(2) - 1)
		spike := rng.NormFloat64()
		if rng.IntN(4) == 0 {
			spike = -9
		}
		missing := rng.NormFloat64()
		if rng.IntN(5) == 0 {
			missing = math.NaN()
		}
		for j, v := range []float64{
			spike, pt, eta, phi, px, py, pz, math.Sqrt(px*px + py*py + pz*pz + 0.01), charge, -13 * charge, float64(rng.IntN(500)), missing,
			math.Round(100*rng.ExpFloat64()) / 100, pt * (1 + 0.01*rng.NormFloat64()), 1, math.Sinh(3 * rng.NormFloat64()), math.Sin(8*phi) + 0.1*rng.NormFloat64(),
		} {
			row[0] = v
			t.Columns[j].SetFloats(i, row)
		}
	}
	return t
}
