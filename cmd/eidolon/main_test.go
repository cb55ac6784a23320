package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/analysis/task"
	"github.com/eidolon-hep/eidolon/internal/atomicfile"
	"github.com/eidolon-hep/eidolon/internal/jsroot"
	"github.com/eidolon-hep/eidolon/internal/zmumu"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

// eidolon runs the command line in dir and returns what a shell would see.
func eidolon(t *testing.T, dir string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	t.Chdir(dir)
	var out, err bytes.Buffer
	code = run(context.Background(), args, &out, &err)
	return out.String(), err.String(), code
}

// must is eidolon for what has to work.
func must(t *testing.T, dir string, args ...string) string {
	t.Helper()
	stdout, stderr, code := eidolon(t, dir, args...)
	if code != 0 {
		t.Fatalf("eidolon %s: exit code %d\n%s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

// sample returns events with columns of many types.
func sample(n int) *rootio.Table {
	t := zmumu.Default().Table(1, 0, n)
	pdg, flag, run, hits := make([]int32, n), make([]bool, n), make([]uint32, n), make([]uint16, n)
	for i := range n {
		h := philox.Uint64(2, 0, uint64(i))
		pdg[i] = []int32{-13, 13, 2212}[h%3]
		flag[i] = h>>8%4 == 0
		run[i] = 160955
		hits[i] = uint16(h >> 16 % 1000)
	}
	t.Columns = append(t.Columns[:4:4], t.Columns[6], rootio.ColumnOf("pdg", pdg), rootio.ColumnOf("flag", flag),
		rootio.ColumnOf("run", run), rootio.ColumnOf("hits", hits))
	return t
}

// TestDemo runs the whole chain in small; .ci/run runs it as a user would, and
// holds it to the quality that the README states.
func TestDemo(t *testing.T) {
	dir := t.TempDir()
	var report struct {
		KL     float64 `json:"kl_nats"`
		Events int     `json:"kl_events"`
	}
	if err := json.Unmarshal([]byte(must(t, dir, "demo", "-n", "4000", "-o", "demo", "--json")), &report); err != nil {
		t.Fatal(err)
	}
	// Over six seeds the divergence is 0.081 ± 0.012; five standard deviations are allowed.
	if report.Events != 2000 || !(report.KL > 0 && report.KL < 0.14) {
		t.Errorf("the demo in small: %+v", report)
	}
	for _, name := range []string{"zmumu.root", "zmumu.eidolon", "generated.root", "spectra.png"} {
		if _, err := os.Stat(filepath.Join(dir, "demo", name)); err != nil {
			t.Error(err)
		}
	}
	if got := open(t, filepath.Join(dir, "demo", "generated.root")); got.Len() != 40_000 {
		t.Errorf("%d events are generated, not 40,000", got.Len())
	}
}

func write(t *testing.T, file, tree string, table *rootio.Table) {
	t.Helper()
	if err := rootio.WriteFile(file, tree, table); err != nil {
		t.Fatal(err)
	}
}

// trained returns a folder with a ROOT file in.root and a model m.eidolon of it.
func trained(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "in.root"), "Events", sample(5000))
	must(t, dir, "train", "-i", "in.root", "-o", "m.eidolon", "--epochs", "3", "--hidden", "16", "--layers", "4", "--refine", "off")
	return dir
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestMainJob goes from a ROOT file to a ROOT file, and checks what each command
// leaves behind.
func TestMainJob(t *testing.T) {
	dir := trained(t)
	must(t, dir, "generate", "-m", "m.eidolon", "-n", "70000", "--seed", "3", "-o", "out.root")
	must(t, dir, "score", "-m", "m.eidolon", "-i", "in.root", "-o", "scored.root")
	text := must(t, dir, "compare", "-r", "in.root", "-c", "out.root", "-o", "report", "--max-events", "500")
	if !strings.Contains(text, "mass") || !strings.Contains(text, "pdg") {
		t.Errorf("compare prints no table:\n%s", text)
	}
	if !strings.Contains(text, "in.root, tree Events, 5000 entries\n") || !strings.Contains(text, "with seed 3 from model m.eidolon") {
		t.Errorf("compare does not say where the samples come from:\n%s", text)
	}
	if !strings.Contains(text, "classifier AUC") || !strings.Contains(text, "coverage") {
		t.Errorf("compare says nothing of all columns together:\n%s", text)
	}
	for _, file := range []string{"report.html", "report.txt", "report.json"} {
		if !slices.Contains(names(t, filepath.Join(dir, "report")), file) {
			t.Errorf("the report has no %s: %v", file, names(t, filepath.Join(dir, "report")))
		}
	}
	text = must(t, dir, "info", "m.eidolon", "--plot", "report/training.svg")
	for _, want := range []string{"spline", "3 codes", "there and back", "loss of training"} {
		if !strings.Contains(text, want) {
			t.Errorf("info of a model does not say %q:\n%s", want, text)
		}
	}
	if svg, err := os.ReadFile(filepath.Join(dir, "report", "training.svg")); err != nil || !bytes.Contains(svg, []byte("learning rate")) {
		t.Errorf("the plot of a training is %.200q (%v)", svg, err)
	}
	if text := must(t, dir, "info", "out.root"); !strings.Contains(text, "tree Events: 70000 events, 9 branches") {
		t.Errorf("info of a ROOT file:\n%s", text)
	}
	if got, want := names(t, dir), []string{"in.root", "m.eidolon", "out.root", "report", "scored.root"}; !slices.Equal(got, want) {
		t.Errorf("files left behind: %v, want %v", got, want)
	}

	in, out := open(t, filepath.Join(dir, "in.root")), open(t, filepath.Join(dir, "out.root"))
	if !slices.Equal(in.Fields(), out.Fields()) {
		t.Errorf("generated branches %v, want %v", out.Fields(), in.Fields())
	}
	legal := map[int32]bool{-13: true, 13: true, 2212: true}
	pdg, _ := out.Column("pdg")
	for _, v := range pdg.Values().([]int32) {
		if !legal[v] {
			t.Fatalf("generated the illegal code %d", v)
		}
	}

	scored := open(t, filepath.Join(dir, "scored.root"))
	if fields := scored.Fields(); fields[len(fields)-1].Name != "log_prob" || fields[len(fields)-1].Kind != rootio.Float64 {
		t.Errorf("scored branches %v", fields)
	}
	p, _ := scored.Column("log_prob")
	for i, v := range p.Values().([]float64) {
		if math.IsNaN(v) || math.IsInf(v, 1) {
			t.Fatalf("log_prob %g in event %d", v, i)
		}
	}
}

// TestConditional learns a response, draws it for another file, and finds the other
// branches carried along.
func TestConditional(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "in.root"), "Events", sample(4000))
	must(t, dir, "train", "-i", "in.root", "--features", "pt,hits", "--condition", "mass,pdg", "-o", "m.eidolon",
		"--model", "spline", "--epochs", "2", "--hidden", "16", "--layers", "2", "--residual", "--dropout", "0.1", "--activation", "tanh")
	gen := sample(1000)
	gen.Columns = slices.Clone(gen.Columns[:6:6]) // there is no hits, pt is to be replaced
	write(t, filepath.Join(dir, "gen.root"), "gen", gen)
	must(t, dir, "generate", "-m", "m.eidolon", "-i", "gen.root", "--oversample", "3", "-o", "out.root")
	out := open(t, filepath.Join(dir, "out.root"))
	var got []string
	for _, f := range out.Fields() {
		got = append(got, f.Name)
	}
	if want := []string{"mass", "y", "pt", "phi", "mu1_pt", "pdg", "hits", "known", "event_index"}; !slices.Equal(got, want) {
		t.Errorf("branches %v, want %v", got, want)
	}
	if out.Len() != 3000 {
		t.Fatalf("%d events, want 3000", out.Len())
	}
	mass, _ := out.Column("mass")
	index, _ := out.Column("event_index")
	for i, m := range mass.Values().([]float64) {
		if index.Values().([]int64)[i] != int64(i/3) || m != gen.Columns[0].Values().([]float64)[i/3] {
			t.Fatalf("event %d carries the mass %g of event %d", i, m, index.Values().([]int64)[i])
		}
	}
	pt, _ := out.Column("pt")
	if v := pt.Values().([]float64); v[0] == v[1] {
		t.Error("an event that is drawn twice comes out the same")
	}
	must(t, dir, "score", "-m", "m.eidolon", "-i", "in.root", "-o", "scored.root")
	if text := must(t, dir, "info", "m.eidolon"); !strings.Contains(text, "networks of 2 residual blocks of 16, tanh, dropout 0.1\n") {
		t.Errorf("info says: %s", text)
	}
	for _, args := range [][]string{
		{"generate", "-m", "m.eidolon", "-n", "10", "-o", "x.root"},
		{"generate", "-m", "m.eidolon", "-i", "gen.root", "-n", "10", "-o", "x.root"},
		{"generate", "-m", "m.eidolon", "-i", "gen.root", "--oversample", "0", "-o", "x.root"},
	} {
		if _, stderr, code := eidolon(t, dir, args...); code != exitUsage {
			t.Errorf("%v: exit code %d, %s", args, code, stderr)
		}
	}
	if _, stderr, code := eidolon(t, dir, "generate", "-m", "m.eidolon", "-i", "scored.root", "-o", "x.root"); code != 0 {
		t.Errorf("conditions from scored events: exit code %d, %s", code, stderr)
	}
}

func open(t *testing.T, file string) *rootio.Table {
	t.Helper()
	table, err := rootio.ReadFile(t.Context(), "", file)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// TestJSROOTReadsGenerated compares every value of a generated file as JSROOT and
// as we read it.
func TestJSROOTReadsGenerated(t *testing.T) {
	dir := trained(t)
	must(t, dir, "generate", "-m", "m.eidolon", "-n", "1000", "-o", "out.root")
	file := filepath.Join(dir, "out.root")
	columns := jsroot.Read(t, file, "Events")
	for _, c := range open(t, file).Columns {
		want := make([]float64, c.Len())
		c.Floats(want, 0)
		if !slices.Equal(columns[c.Name], want) {
			t.Errorf("JSROOT reads branch %s otherwise", c.Name)
		}
	}
}

// TestSameSeedSameEvents checks reproducibility through files.
func TestSameSeedSameEvents(t *testing.T) {
	dir := trained(t)
	must(t, dir, "train", "-i", "in.root", "-o", "again.eidolon", "--epochs", "3", "--hidden", "16", "--layers", "4", "--refine", "off")
	for i, args := range [][]string{
		{"-m", "m.eidolon", "--seed", "5"}, {"-m", "again.eidolon", "--seed", "5"}, {"-m", "m.eidolon", "--seed", "6"},
	} {
		must(t, dir, append([]string{"generate", "-n", "2000", "-o", fmt.Sprint(i, ".root")}, args...)...)
	}
	mass := func(i int) []float64 {
		c, _ := open(t, filepath.Join(dir, fmt.Sprint(i, ".root"))).Column("mass")
		return c.Values().([]float64)
	}
	if !slices.Equal(mass(0), mass(1)) {
		t.Error("the same seeds give other events")
	}
	if slices.Equal(mass(0), mass(2)) {
		t.Error("another seed gives the same events")
	}
}

// TestJSON checks that --json prints one object on standard output.
func TestJSON(t *testing.T) {
	dir := trained(t)
	for _, args := range [][]string{
		{"train", "-i", "in.root", "-o", "n.eidolon", "--epochs", "1", "--hidden", "8", "--layers", "2"},
		{"generate", "-m", "m.eidolon", "-n", "100", "-o", "out.root"},
		{"score", "-m", "m.eidolon", "-i", "in.root", "-o", "scored.root"},
		{"compare", "-r", "in.root", "-c", "out.root", "--no-classifier"},
		{"info", "in.root"},
		{"info", "m.eidolon"},
	} {
		stdout, stderr, code := eidolon(t, dir, append(args, "--json")...)
		if code != 0 {
			t.Errorf("%s: exit code %d: %s", args[0], code, stderr)
		}
		var object map[string]any
		if err := json.Unmarshal([]byte(stdout), &object); err != nil || len(object) == 0 {
			t.Errorf("%s prints no JSON object: %v\n%s", args[0], err, stdout)
		}
	}
}

func TestCard(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "in.root"), "Events", sample(500))
	card := "input: in.root\noutput: m.eidolon\nfeatures: [mass, pt]\nepochs: 2\nhidden: 8\nmax-time: 1m\nseed: 7\nas: {pt: asinh}\n"
	if err := os.WriteFile(filepath.Join(dir, "card.yaml"), []byte(card), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, dir, "train", "-c", "card.yaml", "--seed", "8")
	var info struct {
		Card struct {
			Options struct{ Hidden, Seed int }
		}
		Parts []struct {
			Features struct {
				Columns []struct {
					Name  string
					Width float64 // of asinh
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(must(t, dir, "info", "m.eidolon", "--json")), &info); err != nil {
		t.Fatal(err)
	}
	if o := info.Card.Options; o.Hidden != 8 || o.Seed != 8 || len(info.Parts) != 1 || len(info.Parts[0].Features.Columns) != 2 || info.Parts[0].Features.Columns[1].Width == 0 {
		t.Errorf("trained with %+v; the command line has precedence over the card", info)
	}
	for _, bad := range []string{"epoch: 3", "epochs: many", "a: [b", "- list", "weight:", "features: {a: b}", "as: {pt: [log]}"} {
		if err := os.WriteFile(filepath.Join(dir, "bad.yaml"), []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, stderr, code := eidolon(t, dir, "train", "-c", "bad.yaml"); code == 0 || !strings.Contains(stderr, "bad.yaml") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("card %q: exit code %d, %s", bad, code, stderr)
		}
	}
}

// TestErrors runs what cannot work: one line on standard error that says what is
// wrong, the right exit code, and no file left behind.
func TestErrors(t *testing.T) {
	dir := trained(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	good := sample(300)
	empty := rootio.NewTable(good.Fields(), 0)
	infinite := sample(300)
	infinite.Columns[2].Values().([]float64)[17] = math.Inf(1)
	constant := &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", make([]float32, 300))}}
	write(t, in("empty.root"), "Events", empty)
	write(t, in("infinite.root"), "Events", infinite)
	write(t, in("constant.root"), "Events", constant)
	data, err := os.ReadFile(in("in.root"))
	if err != nil {
		t.Fatal(err)
	}
	flipped := slices.Clone(data)
	flipped[len(data)/3] ^= 0x10
	for name, bytes := range map[string][]byte{
		"cut.root": data[:len(data)/2], "flipped.root": flipped, "text.root": []byte("hello, world\n"), "nothing.root": nil,
	} {
		if err := os.WriteFile(in(name), bytes, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := names(t, dir)

	train := func(args ...string) []string { return append([]string{"train", "-o", "x.eidolon"}, args...) }
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"fly"}, 2, `"fly"`},
		{[]string{"train"}, 2, "-i"},
		{[]string{"train", "-i", "in.root"}, 2, "-o"},
		{[]string{"train", "--colour"}, 2, "colour"},
		{[]string{"train", "in.root"}, 2, "in.root"},
		{[]string{"info"}, 2, "one file"},
		{[]string{"info", "m.eidolon", "--plot", "x.txt"}, 2, "x.txt"},

		{[]string{"info", "in.root", "--plot", "x.png"}, 2, "in.root"},
		{[]string{"generate", "-m", "m.eidolon", "-n", "-3", "-o", "x.root"}, 2, "-3"},
		{[]string{"generate", "-m", "m.eidolon", "-n", "many", "-o", "x.root"}, 2, "many"},
		{[]string{"generate", "-m", "m.eidolon", "-n", "3", "-o", "m.eidolon"}, 2, "would be lost"},
		{[]string{"score", "-m", "m.eidolon", "-i", "in.root", "-o", "in.root"}, 2, "would be lost"},
		{[]string{"train", "-i", "in.root", "-o", "./in.root"}, 2, "would be lost"},
		{train("-i", "missing.root"), 3, "missing.root"},
		{train("-i", "text.root"), 3, "text.root"},
		{train("-i", "nothing.root"), 3, "nothing.root"},
		{train("-i", "cut.root"), 3, "cut.root"},
		{train("-i", "flipped.root"), 3, "flipped.root"},
		{train("-i", "empty.root"), 1, "empty.root"},
		{train("-i", "in.root", "--as", "pt=magic"), 2, `branch "pt" cannot be treated as "magic"`},
		{train("-i", "in.root", "--as", "mass=integer"), 1, "its type is float64"},
		{train("-i", "in.root", "--system", "Z=a+b"), 2, `a vector "a", which is not declared`},
		{train("-i", "infinite.root"), 1, `"pt" is not finite in 1 of 300 events, first in entry 17`},
		{train("-i", "constant.root"), 1, "constant"},
		{train("-i", "in.root", "-t", "Event"), 1, "Events"},
		{train("-i", "in.root", "--features", "mas,pt"), 1, `mass`},
		{train("-i", "in.root", "--weight", "w"), 1, `"w"`},
		{train("-i", "in.root", "--features", "pt,mass", "--weight", "pt"), 2, `"pt"`},
		{train("-i", "in.root", "--model", "magic"), 2, "magic"},
		{train("-i", "in.root", "--layers", "-1"), 2, "layers"},
		{train("-i", "in.root", "--activation", "none"), 2, "leaky_relu"},
		{train("-i", "in.root", "--dropout", "1"), 2, "below 1"},
		{train("-i", "in.root", "--model", "denoiser", "--residual"), 2, `--residual is for the models autoregressive, spline and realnvp: the model "denoiser" has no use for it`},
		{train("-i", "in.root", "--coupling", "lecture"), 2, "--coupling is for the model realnvp: the default, a flow, has no use for it"},
		{train("-i", "in.root", "--model", "realnvp", "--coupling", "best"), 2, `no form of couplings is called "best"; there are steep, smooth and lecture`},
		{train("-i", "in.root", "--model", "realnvp", "--coupling", "lecture", "--components", "2"), 2, "components cannot be 2 with the couplings of the lecture"},
		{train("-i", "in.root", "--model", "diffusion", "--components", "3"), 2, "--components is for the models autoregressive, spline, realnvp, denoiser and distilled"},
		{train("-i", "in.root", "--model", "spline", "--sigma-min", "0.1"), 2, `--sigma-min is for the models diffusion, denoiser and distilled: the model "spline"`},
		{train("-i", "in.root", "--solver", "dpm3m"), 2, "--solver is for the models diffusion, denoiser and distilled: the default, a flow,"},
		{train("-i", "in.root", "--model", "spline", "--steps", "5"), 2, "--steps"},
		{train("-i", "in.root", "--model", "denoiser", "--epsilon", "0"), 2, "--epsilon is for"},
		{train("-i", "in.root", "--model", "denoiser", "--tolerance", "0.1", "--steps", "5"), 2, "tolerance"},
		{train("-i", "in.root", "--model", "denoiser", "--tolerance", "0.1", "--order", "3"), 2, "tolerance"},
		{train("-i", "in.root", "--model", "denoiser", "--tolerance", "0"), 2, "above 0"},
		{train("-i", "in.root", "--model", "denoiser", "--order", "4"), 2, "orders 1, 2 and 3"},
		{train("-i", "in.root", "--model", "denoiser", "--order", "1", "--solver", "heun"), 2, "heun is of order 2, not 1"},
		{train("-i", "in.root", "--model", "diffusion", "--order", "3", "--steps", "2"), 2, "from 4 steps on"},
		{train("-i", "in.root", "--model", "diffusion", "--schedule", "shifted:0"), 2, "σ₀ of a shifted schedule"},
		{train("-i", "in.root", "--model", "diffusion", "--schedule", "shifted:1"), 2, "σ₀ of a shifted schedule"},
		{train("-i", "in.root", "--model", "diffusion", "--schedule", "shifted:x"), 2, "is not a number"},
		{train("-i", "in.root", "--model", "denoiser", "--schedule", "shifted:0.1", "--sigma-min", "0.05"), 2, "ends at σ₀ = 0.1, above σ_min = 0.05"},
		{train("-i", "in.root", "--model", "spline", "--schedule", "sqrt"), 2, "--schedule is for the models diffusion, denoiser and distilled"},
		{train("-i", "in.root", "--model", "distilled", "--kernel-events", "10"), 2, "--kernel-events is for the models diffusion and distilled from diffusion"},
		{train("-i", "in.root", "--model", "diffusion", "--kernel-events", "5000"), 1, "kernel sums over 5000 events"},
		{[]string{"generate", "-m", "m.eidolon", "-n", "3", "-o", "x.root", "--steps", "5"}, 2, "solves no equation"},
		{[]string{"score", "-m", "m.eidolon", "-i", "in.root", "-o", "x.root", "--order", "2"}, 2, "in closed form"},
		{train("-i", "in.root", "--model", "diffusion", "--epochs", "5"), 2, "--epochs is for"},
		{train("-i", "in.root", "--model", "diffusion", "--max-time", "5s"), 2, "--max-time is for"},
		{train("-i", "in.root", "--model", "diffusion", "--average", "0"), 2, "--average is for"},
		{train("-i", "in.root", "--epochs", "-5"), 2, "-5"},
		{train("-i", "in.root", "--max-time", "-5m"), 2, "-5m"},
		{train("-i", "in.root", "--epochs", "0"), 2, "--epochs cannot be 0"},
		{train("-i", "in.root", "--depth", "0"), 2, "--depth cannot be 0"},
		{train("-i", "in.root", "--average", "-1"), 2, "--average cannot be -1"},
		{train("-c", "missing.yaml"), 3, "missing.yaml"},
		{[]string{"train", "-i", "in.root", "-o", "no/such/folder/x.eidolon"}, 73, "no/such/folder"},
		{[]string{"generate", "-m", "in.root", "-n", "3", "-o", "x.root"}, 3, "in.root"},
		{[]string{"generate", "-m", "missing", "-n", "3", "-o", "x.root"}, 3, "missing"},
		{[]string{"generate", "-m", "m.eidolon", "-n", "3", "-o", "no/x.root"}, 73, "no/x.root"},
		{[]string{"score", "-m", "m.eidolon", "-i", "constant.root", "-o", "x.root"}, 1, `"mass"`},
		{[]string{"score", "-m", "m.eidolon", "-i", "infinite.root", "-o", "x.root"}, 1, "entry 17"},
		{[]string{"compare", "-r", "in.root", "-c", "constant.root"}, 1, "in common"},
		{[]string{"info", "text.root"}, 3, "text.root"},
	} {
		_, stderr, code := eidolon(t, dir, c.args...)
		if code != c.code || !strings.Contains(stderr, c.says) || !strings.HasPrefix(stderr, "eidolon: ") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("eidolon %s: exit code %d (want %d), says\n%s\nwant a line with %q", strings.Join(c.args, " "), code, c.code, stderr, c.says)
		}
	}
	if after := names(t, dir); !slices.Equal(after, before) {
		t.Errorf("files left behind: %v", after)
	}
}

// TestEarlyInterrupt stops a training that has learnt nothing yet: an older model
// of the same name stays.
func TestEarlyInterrupt(t *testing.T) {
	dir := trained(t)
	before, err := os.ReadFile(filepath.Join(dir, "m.eidolon"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out bytes.Buffer
	if code := run(ctx, []string{"train", "-i", "in.root", "-o", "m.eidolon"}, &out, &out); code != exitInterrupted {
		t.Errorf("exit code %d, want %d", code, exitInterrupted)
	}
	if after, err := os.ReadFile(filepath.Join(dir, "m.eidolon")); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the old model has gone (%v)", err)
	}
}

// TestStandardOutputFull checks that what cannot be printed is an error.
func TestStandardOutputFull(t *testing.T) {
	dir := trained(t)
	t.Chdir(dir)
	var stderr bytes.Buffer
	if code := run(context.Background(), []string{"info", "m.eidolon"}, full{}, &stderr); code != exitOutput {
		t.Errorf("exit code %d with a full standard output", code)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// TestReaderLeft checks that a reader that has left standard output is no error with a word.
func TestReaderLeft(t *testing.T) {
	dir := trained(t)
	t.Chdir(dir)
	var stderr bytes.Buffer
	if code := run(context.Background(), []string{"info", "m.eidolon"}, leaving{}, &stderr); code != exitReaderLeft || stderr.Len() > 0 {
		t.Errorf("exit code %d, %q", code, stderr.String())
	}
}

type leaving struct{}

func (leaving) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// TestExitCodes checks that each kind of error has its exit code, and the signal that
// stopped the program, too.
func TestExitCodes(t *testing.T) {
	dir := trained(t)
	t.Chdir(dir)
	for _, signal := range stopSignals() {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(signal)
		var out, err bytes.Buffer
		code := run(ctx, []string{"score", "-m", "m.eidolon", "-i", "in.root", "-o", "x.root"}, &out, &err)
		if want := "eidolon: stopped by " + signal.name + "\n"; code != signal.code || err.String() != want {
			t.Errorf("%s: exit code %d, %q", signal.name, code, err.String())
		}
	}
	for _, c := range []struct {
		err  error
		code int
	}{
		{task.Usage("no"), 2},
		{fmt.Errorf("x: %w", rootio.ErrDamaged), 3},
		{fmt.Errorf("x: %w", rootio.ErrUnreachable), 75},
		{fmt.Errorf("x: %w", surrogate.ErrNotModel), 3},
		{fmt.Errorf("x: %w", surrogate.ErrDamaged), 3},
		{fmt.Errorf("x: %w", fs.ErrNotExist), 3},
		{fmt.Errorf("x: %w", syscall.ENOSPC), 73},
		{errors.New("x"), 1},
		{atomicfile.WriteFile(filepath.Join(dir, "none", "f"), nil), 73},
	} {
		if code := exitCode(c.err); code != c.code {
			t.Errorf("%v: exit code %d, want %d", c.err, code, c.code)
		}
	}
	help := strings.Join(strings.Fields(must(t, dir, "help")), " ")
	for _, code := range []int{0, 1, 2, 3, 70, 73, 75, 130, 143} {
		if !strings.Contains(help, fmt.Sprint(" ", code, " ")) {
			t.Errorf("the help does not tell of code %d", code)
		}
	}
}

// cancelAfter cancels when a text is written for the first time.
type cancelAfter struct {
	*bytes.Buffer
	text   string
	cancel func()
}

func (c *cancelAfter) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(c.text)) {
		c.cancel()
	}
	return c.Buffer.Write(p)
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{}, {"help"}, {"--help"}, {"train", "--help"}, {"--version"}, {"completion", "bash"}} {
		if text := must(t, t.TempDir(), args...); len(text) < 10 {
			t.Errorf("eidolon %v prints %q", args, text)
		}
	}
}

// TestDamagedModel checks that a model file that contradicts itself is refused by all commands,
// in one line.
func TestDamagedModel(t *testing.T) {
	dir := trained(t)
	file := filepath.Join(dir, "m.eidolon")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.ReplaceAll(good, []byte(`\"std\":`), []byte(`\"STD\"-`))
	if bytes.Equal(bad, good) {
		t.Fatal("the file says nothing of standard deviations")
	}
	for what, b := range map[string][]byte{
		"no JSON": bad, "a column without its width": bytes.ReplaceAll(good, []byte(`\"std\":`), []byte(`\"sXd\":`)),
		"cut short": good[:len(good)-100], "another version": regexp.MustCompile(`\\"format\\":[0-9]+`).ReplaceAll(good, []byte(`\"format\":3`)),
	} {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{
			{"info", "m.eidolon"}, {"generate", "-m", "m.eidolon", "-n", "10", "-o", "x.root"}, {"score", "-m", "m.eidolon", "-i", "in.root", "-o", "x.root"},
		} {
			stdout, stderr, code := eidolon(t, dir, args...)
			if code != exitInput || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "m.eidolon") {
				t.Errorf("%s, %s: exit code %d\n%s%s", what, args[0], code, stdout, stderr)
			}
		}
	}
}
