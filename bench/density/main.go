// Density compares log-densities with those of a neural spline flow in PyTorch: the
// reconstructed energy and zenith of IceCube's PINGU detector given the true ones.
//
//	bench/density/run [-time 3m] [-threads N] [-peer auto|nflows|pytorch] FOLDER
//
// FOLDER has pingu_gen_reco.root. Eidolon, with its default settings, and the flow of
// peer.py are trained in turn on the same three events of four, by the same number of
// threads, for the same time at most. Both then say how likely the other events are; what
// is printed are means of log p(reco_energy, reco_coszen | the rest) in the input's units,
// 1/GeV, and the mean difference event by event, which is known better than either.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/bench/internal/heldout"
	"github.com/eidolon-hep/eidolon/rootio"
)

const file = "pingu_gen_reco.root"

var (
	condition = []string{"pdg", "cc", "true_energy", "true_coszen"}
	result    = []string{"reco_energy", "reco_coszen"}
)

type options struct {
	folder       string
	model        string
	python, peer string
	script       string
	limit        time.Duration
	threads      int
	seed         uint64
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("density: ")
	var o options
	flag.DurationVar(&o.limit, "time", 3*time.Minute, "how long each may train")
	flag.IntVar(&o.threads, "threads", 1, "of each; several only where nobody else computes: PyTorch's wait in busy loops")
	flag.StringVar(&o.python, "python", "python3", "a Python that has PyTorch")
	flag.StringVar(&o.script, "script", "peer.py", "the program of the peer")
	flag.StringVar(&o.peer, "peer", "auto", "nflows, pytorch, or auto: nflows if Python finds it")
	flag.StringVar(&o.model, "model", "", "of Eidolon (default: as eidolon train)")
	flag.Uint64Var(&o.seed, "seed", 1, "the seed of everything random")
	flag.Parse()
	if flag.NArg() != 1 || o.limit <= 0 || o.threads < 1 {
		log.Fatal("want one folder, a positive time and a positive number of threads")
	}
	o.folder = flag.Arg(0)
	if err := run(o); err != nil {
		log.Fatal(err)
	}
}

func run(o options) error {
	runtime.GOMAXPROCS(o.threads)
	all, err := heldout.Read(filepath.Join(o.folder, file), "", slices.Concat(condition, result), nil)
	if err != nil {
		return err
	}
	train, test := heldout.Split(all)
	fmt.Printf("%s: %d events to learn from, %d to judge by, %d threads, %v each\n", file, train.Len(), test.Len(), o.threads, o.limit)

	ours, err := eidolon(train, test, o)
	if err != nil {
		return err
	}
	theirs, err := peer(train, test, o)
	if err != nil {
		return err
	}
	var difference []float64
	for i := range ours {
		if d := ours[i] - theirs[i]; !math.IsInf(d, 0) && !math.IsNaN(d) {
			difference = append(difference, d)
		}
	}
	mean, sigma := heldout.Mean(difference)
	fmt.Printf("%-44s %8.4f ± %.4f\n", "Eidolon's is larger by, event by event", mean, sigma)
	return nil
}

// eidolon trains by default settings and returns the log-density of the test events.
func eidolon(train, test *rootio.Table, o options) ([]float64, error) {
	begin := time.Now()
	settings := surrogate.Options{Model: o.model, Condition: condition, Seed: o.seed}
	settings.Train.MaxTime = o.limit
	training, err := surrogate.New(context.Background(), train, nil, settings)
	if err != nil {
		return nil, err
	}
	m, err := training.Run(context.Background())
	if err != nil {
		return nil, err
	}
	seconds := time.Since(begin).Seconds()
	density := make([]float64, test.Len())
	if err := m.LogDensity(context.Background(), density, test, 0); err != nil {
		return nil, err
	}
	show("eidolon, "+m.Card.Plan.Model, density, seconds)
	return density, nil
}

// peer does the same by peer.py.
func peer(train, test *rootio.Table, o options) ([]float64, error) {
	dir, err := os.MkdirTemp("", "density")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for name, t := range map[string]*rootio.Table{"train": train, "test": test} {
		if err := export(filepath.Join(dir, name), t); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command(o.python, o.script, dir, fmt.Sprint(o.threads), fmt.Sprint(o.limit.Seconds()), o.peer, fmt.Sprint(o.seed))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("could not run the peer: %w", err)
	}
	var said struct {
		Library string
		Seconds float64
		Steps   int
		Epochs  float64
		Best    float64
	}
	if err := json.Unmarshal(out, &said); err != nil {
		return nil, fmt.Errorf("the peer says %q: %w", out, err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "density"))
	if err != nil {
		return nil, err
	}
	if len(data) != 8*test.Len() {
		return nil, fmt.Errorf("the peer gives %d bytes for %d events", len(data), test.Len())
	}
	density := make([]float64, test.Len())
	if _, err := binary.Decode(data, binary.LittleEndian, density); err != nil {
		return nil, err
	}
	show(fmt.Sprintf("%s, spline (%d steps, %.0f passes)", said.Library, said.Steps, said.Epochs), density, said.Seconds)
	return density, nil
}

// export writes a table as rows of float64, the columns of the condition first.
func export(name string, t *rootio.Table) error {
	rows := make([]float64, t.Len()*len(t.Columns))
	column := make([]float64, t.Len())
	for k, c := range t.Columns {
		c.Floats(column, 0)
		for i, v := range column {
			rows[i*len(t.Columns)+k] = v
		}
	}
	b, err := binary.Append(nil, binary.LittleEndian, rows)
	if err != nil {
		return err
	}
	return os.WriteFile(name, b, 0o600)
}

// show prints the mean log-density of the events that are possible.
func show(who string, density []float64, seconds float64) {
	possible := slices.DeleteFunc(slices.Clone(density), func(l float64) bool { return math.IsInf(l, 0) || math.IsNaN(l) })
	mean, sigma := heldout.Mean(possible)
	fmt.Printf("%-44s %8.4f ± %.4f nats, %.0f s of training", who, mean, sigma, seconds)
	if n := len(density) - len(possible); n > 0 {
		fmt.Printf(", without %d events that it says cannot happen", n)
	}
	fmt.Println()
}
