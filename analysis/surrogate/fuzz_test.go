package surrogate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/internal/modelfile"
	"github.com/eidolon-hep/eidolon/internal/mutate"
	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// Any bytes are a model or an error in one line that says what is wrong with the file. A
// model that is loaded says how it treats its columns, and is saved and loaded as the same;
// it draws events that are finite, and scores them with log-densities that are no NaN. Where
// harm is not 0, it also damages what the file says of itself.
func FuzzModel(f *testing.F) {
	models := tiny(f)
	for i, name := range slices.Sorted(maps.Keys(models)) {
		f.Add(saved(f, models[name]), uint64(0))
		for harm := range uint64(4) {
			f.Add(saved(f, models[name]), 1+harm+4*uint64(i))
		}
	}
	f.Fuzz(func(t *testing.T, file []byte, harm uint64) {
		if harm != 0 {
			file = mutate.Safetensors(rand.New(rand.NewPCG(harm, 0)), slices.Clone(file), modelfile.Model)
		}
		defer time.AfterFunc(time.Minute, func() { panic("the model hangs") }).Stop()
		m, asked, err := loaded(t, file)
		if asked > 256<<20 {
			t.Errorf("%d MB are asked for to load %d kB: %v", asked>>20, len(file)>>10, err)
		}
		if err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNotModel) && !errors.Is(err, ErrVersion) || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error is %q", err)
			}
			return
		}
		if _, _, err := loaded(t, saved(t, m)); err != nil {
			t.Errorf("saved again it is refused: %v", err)
		}
		_ = fmt.Sprint(m.Parts[0].Chain, m.Card, &m.Card.Plan, m.Warnings(), m.Remarks(), m.Parts[0].Features.Treatments()) // none panics
		if k, ok := FactorAs[factor.KernelSums](m); ok {
			if _, err := k.Effective(t.Context(), 16, 1); err != nil {
				oneLine(t, err)
			}
		}
		const n = 20
		given := coded(n)
		events := rootio.NewTable(m.Fields(), n)
		if _, err := m.Generate(t.Context(), events, given, 1, 0); err != nil {
			oneLine(t, err)
			return
		}
		x := make([]float64, n)
		for _, c := range events.Columns {
			c.Floats(x, 0)
			for i, v := range x {
				if math.IsInf(v, 0) {
					t.Errorf("%q of event %d is %v", c.Name, i, v)
				}
			}
		}
		events.Columns = append(events.Columns, given.Columns...)
		if err := m.LogDensity(t.Context(), x, events, 0); err != nil {
			oneLine(t, err)
			return
		}
		for i, v := range x {
			if math.IsNaN(v) || math.IsInf(v, 1) {
				t.Errorf("the log-density of event %d is %v", i, v)
			}
		}
	})
}

// Any bytes are a checkpoint or an error in one line. A training that is taken up from one
// ends: with a model, or with an error in one line.
func FuzzCheckpoint(f *testing.F) {
	table := coded(300)
	for i, o := range []Options{
		{Model: spline, Layers: 2, Components: 2, Hidden: 8, Depth: 1},
		{Model: denoiser, Components: 1, Hidden: 8, Depth: 1},
	} {
		file := interrupted(f, table, o)
		for harm := range uint64(4) {
			f.Add(file, harm+4*uint64(i))
		}
	}
	f.Fuzz(func(t *testing.T, file []byte, harm uint64) {
		if harm != 0 {
			file = mutate.Safetensors(rand.New(rand.NewPCG(harm, 0)), slices.Clone(file), modelfile.Checkpoint)
		}
		defer time.AfterFunc(time.Minute, func() { panic("the training hangs") }).Stop()
		name := filepath.Join(t.TempDir(), "c")
		must(t, os.WriteFile(name, file, 0o600))
		allocated := testenv.Allocated()
		p, err := LoadCheckpoint(name)
		if asked := allocated(); asked > 256<<20 {
			t.Errorf("%d MB are asked for to load %d kB: %v", asked>>20, len(file)>>10, err)
		}
		if err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNotCheckpoint) && !errors.Is(err, ErrVersion) || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error is %q", err)
			}
			return
		}
		// The training may rightly be one of many epochs.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		tr, err := p.Finish(ctx, table, nil)
		if err == nil {
			_, err = tr.Run(ctx)
		}
		if err != nil {
			oneLine(t, err)
		}
	})
}

// interrupted returns the checkpoint of a training that was interrupted.
func interrupted(tb testing.TB, table *rootio.Table, o Options) []byte {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "c")
	ctx, cancel := context.WithCancel(tb.Context())
	defer cancel()
	o.Train = training.Options{Epochs: 2, Progress: func(s training.Status) {
		if s.Step == 3 {
			cancel()
		}
	}}
	tr, err := New(tb.Context(), table, nil, o)
	must(tb, err)
	tr.CheckpointTo(file, nil)
	if _, err := tr.Run(ctx); !errors.Is(err, context.Canceled) {
		tb.Fatal(err)
	}
	text, err := os.ReadFile(file)
	must(tb, err)
	return text
}

func oneLine(t *testing.T, err error) {
	t.Helper()
	if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "panic") {
		t.Errorf("the error is %q", err)
	}
}
