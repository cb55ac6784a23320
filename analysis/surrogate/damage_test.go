package surrogate

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/internal/modelfile"
	"github.com/eidolon-hep/eidolon/internal/mutate"
	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/rootio"
)

// coded are events with codes, spikes, an angle and columns that follow from others.
func coded(n int) *rootio.Table {
	rng := rand.New(rand.NewPCG(1, 2))
	x, phi, twice, code := make([]float32, n), make([]float32, n), make([]float32, n), make([]int32, n)
	near, rounded := make([]float64, n), make([]float64, n)
	for i := range n {
		x[i], phi[i], code[i] = float32(5*rng.ExpFloat64()), float32(2*math.Pi*(rng.Float64()-0.5)), int32(rng.IntN(3))
		if rng.IntN(4) == 0 {
			x[i] = -1
		}
		twice[i] = 2 * phi[i]
		near[i] = float64(phi[i]) * (1 + 0.01*rng.NormFloat64())
		rounded[i] = math.Round(100*rng.NormFloat64()) / 100
	}
	return &rootio.Table{Columns: []rootio.Column{
		rootio.ColumnOf("x", x), rootio.ColumnOf("phi", phi), rootio.ColumnOf("twice", twice), rootio.ColumnOf("code", code),
		rootio.ColumnOf("near", near), rootio.ColumnOf("rounded", rounded),
	}}
}

// tiny are models of all kinds that are made in no time.
func tiny(t testing.TB) map[string]*Surrogate {
	t.Helper()
	models := map[string]*Surrogate{}
	for name, o := range map[string]Options{
		"autoregressive":    {Model: autoregressive, Condition: []string{"code", "phi"}},
		"spline":            {Model: spline, Layers: 2, Components: 3},
		"realnvp":           {Model: realNVP, Layers: 2},
		"denoiser":          {Model: denoiser, Components: 2},
		"distilled":         {Model: distilled, Diffusion: DiffusionOptions{Teacher: kernelSums}},
		"kernel sums":       {Model: kernelSums},
		"kernel sums given": {Model: kernelSums, Condition: []string{"code"}},
	} {
		if o.Uses("hidden") == nil {
			o.Hidden, o.Depth, o.Train.Epochs = 8, 1, 1
		}
		tr, err := New(t.Context(), coded(300), nil, o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if models[name], err = tr.Run(t.Context()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	refined := *models["spline"]
	refineBy(t, &refined, coded(300))
	models["refined"] = &refined
	return models
}

// mixedToo adds a mixture, which is no map, to some models.
func mixedToo(models map[string]*Surrogate) map[string]*Surrogate {
	m := *models["spline"]
	m.Parts = []Part{m.Parts[0], models["realnvp"].Parts[0]}
	m.Parts[0].Weight, m.Parts[1].Weight = 0.25, 0.75
	models["mixture"] = &m
	return models
}

// saved returns the bytes of a model file.
func saved(t testing.TB, m *Surrogate) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "m")
	must(t, m.Save(file))
	b, err := os.ReadFile(file)
	must(t, err)
	return b
}

// loaded loads a model file of these bytes, and returns how much memory was asked for.
func loaded(t *testing.T, b []byte) (*Surrogate, int64, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "m")
	must(t, os.WriteFile(file, b, 0o600))
	allocated := testenv.Allocated()
	m, err := Load(file)
	return m, allocated(), err
}

// A model file that says something that cannot be is refused, and what is not refused can be
// used: FuzzModel has more of them.
func TestMutantsOfModels(t *testing.T) {
	testenv.Slow(t, "it loads many damaged models")
	const each, n = 100, 20
	const memory = 64 << 20 // garbage included
	for name, m := range mixedToo(tiny(t)) {
		file := saved(t, m)
		refused := 0
		for i := range each {
			bad := mutate.Safetensors(rand.New(rand.NewPCG(3, uint64(i))), bytes.Clone(file), modelfile.Model)
			mutant, asked, err := loaded(t, bad)
			if asked > memory+10*int64(len(bad)) {
				t.Errorf("%s, mutant %d: %d MB for a file of %d kB (%v)", name, i, asked>>20, len(bad)>>10, err)
			}
			if err != nil {
				refused++
				if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNotModel) && !errors.Is(err, ErrVersion) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s, mutant %d: %v", name, i, err)
				}
				continue
			}
			given := coded(n)
			events := rootio.NewTable(mutant.Fields(), n)
			if _, err := mutant.Generate(t.Context(), events, given, 1, 0); err != nil {
				continue
			}
			p := make([]float64, n)
			events.Columns = append(events.Columns, given.Columns...)
			if err := mutant.LogDensity(t.Context(), p, events, 0); err != nil {
				continue
			}
			for _, v := range p {
				if math.IsNaN(v) || math.IsInf(v, 1) {
					t.Errorf("%s, mutant %d: a log-density is %v", name, i, v)
				}
			}
		}
		if refused < each/4 {
			t.Errorf("%s: %d of %d mutants were refused", name, refused, each)
		}
	}
}

// What a file says of sizes is compared with what is in it before memory is asked for.
func TestSizesAreComparedFirst(t *testing.T) {
	testenv.Slow(t, "it loads many damaged models")
	const memory = 8 << 20
	tried := 0
	for name, m := range mixedToo(tiny(t)) {
		file := string(saved(t, m))
		for _, size := range []struct{ key, value string }{
			{"dim", "20000"}, {"dim", "1048576"}, {"dim", "4611686018427387904"}, {"context", "20000"}, {"hidden", "[16384,16384,16384]"}, {"hidden", "null"},
			{"components", "4096"}, {"cells", "4096"}, {"classes", "65536"}, {"events", "1073741824"}, {"bins", "16"},
		} {
			changed := setNumber(file, size.key, size.value)
			if changed == file {
				continue
			}
			tried++
			_, asked, err := loaded(t, []byte(changed))
			if asked > memory+10*int64(len(file)) {
				t.Errorf("%s with %s %s: %d MB are asked for (%v)", name, size.key, size.value, asked>>20, err)
			}
			if err == nil && size.key != "events" { // of the card, too
				t.Errorf("%s with %s %s is loaded", name, size.key, size.value)
			}
		}
	}
	if tried < 30 {
		t.Errorf("only %d sizes were there", tried)
	}
}

// setNumber returns a model file with another value of a key everywhere in the description
// of the density, and a header of the same length.
func setNumber(file, key, value string) string {
	at := strings.Index(file, `\"density\":`)
	end := strings.Index(file[at:], `\"card\":`) + at
	part := file[at:end]
	for lo := 0; ; {
		k := strings.Index(part[lo:], `\"`+key+`\":`)
		if k < 0 {
			break
		}
		lo += k + len(key) + 5
		hi := lo
		for depth := 0; depth > 0 || !strings.ContainsRune(",}", rune(part[hi])); hi++ {
			switch part[hi] {
			case '[', '{':
				depth++
			case ']', '}':
				depth--
			}
		}
		part = part[:lo] + value + part[hi:]
	}
	header := uint64(file[0]) | uint64(file[1])<<8 | uint64(file[2])<<16 | uint64(file[3])<<24
	header += uint64(len(part) - (end - at))
	changed := []byte(file[:at] + part + file[end:])
	for i := range 8 {
		changed[i] = byte(header >> (8 * i))
	}
	return string(changed)
}

// A weight that is no number is damage, in every kind of model.
func TestWeightsThatAreNoNumbers(t *testing.T) {
	for name, m := range tiny(t) {
		file := saved(t, m)
		copy(file[len(file)-4:], "\xff\xff\xff\x7f")
		if _, _, err := loaded(t, file); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Drawing and scoring end with the error of their context when that is cancelled, for every
// kind of model.
func TestCancelled(t *testing.T) {
	const n = 1 << 10
	given := coded(n)
	for name, m := range tiny(t) {
		for _, do := range []struct {
			what string
			do   func(ctx context.Context) error
		}{
			{"drawing", func(ctx context.Context) error {
				_, err := m.Generate(ctx, rootio.NewTable(m.Fields(), n), given, 1, 0)
				return err
			}},
			{"scoring", func(ctx context.Context) error { return m.LogDensity(ctx, make([]float64, n), given, 0) }},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			if err := do.do(ctx); err != nil {
				t.Errorf("%s, %s: %v", name, do.what, err)
			}
			cancel()
			if err := do.do(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("%s, %s, cancelled: %v", name, do.what, err)
			}
		}
	}
}

// A checkpoint that contradicts itself is refused, when it is loaded or when the training is
// to go on.
func TestMutantsOfCheckpoints(t *testing.T) {
	testenv.Slow(t, "it finishes many trainings")
	const each = 100
	for _, o := range []Options{
		{Model: spline, Layers: 2, Components: 2, Hidden: 8, Depth: 1},
		{Model: denoiser, Components: 1, Hidden: 8, Depth: 1},
	} {
		table := coded(300)
		good, file := interrupted(t, table, o), filepath.Join(t.TempDir(), "c")
		for i := range each {
			must(t, os.WriteFile(file, mutate.Safetensors(rand.New(rand.NewPCG(5, uint64(i))), bytes.Clone(good), modelfile.Checkpoint), 0o600))
			p, err := LoadCheckpoint(file)
			if err != nil {
				if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNotCheckpoint) && !errors.Is(err, ErrVersion) {
					t.Errorf("%s, mutant %d: %v", o.Model, i, err)
				}
				continue
			}
			if tr, err := p.Finish(t.Context(), table, nil); err == nil {
				_, _ = tr.Run(t.Context()) // must end
			}
		}
	}
}

// The search for the steps of a tolerance that no step keeps ends, and no file asks for more
// steps than are of use.
func TestStepsOfAFile(t *testing.T) {
	k := tiny(t)["kernel sums"].Parts[0].Chain.last()
	text, err := k.MarshalJSON()
	must(t, err)
	for _, steps := range []string{`"tolerance":1e-300`, `"tolerance":1e-9`, `"steps":1000000000`, `"steps":-1`} {
		bad := strings.Replace(string(text), `"solver":{`, `"solver":{`+steps+`,`, 1)
		if _, err := diffusion.Load([]byte(bad), k.Tensors()); err == nil || !strings.Contains(err.Error(), "solver") && !strings.Contains(err.Error(), "tolerance") {
			t.Errorf("%s: the error is %v", steps, err)
		}
	}
}
