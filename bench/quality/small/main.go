// Small measures what is learnt of small samples, beside peers: KL(truth ‖ model) in nats on
// 100,000 fresh events of densities that are known, for eidolon train by default and for what
// nflows, zuko, flowjax and scikit-learn make of the same samples (peers.py), as means over some
// samples with their errors; and how many of the fresh events eidolon calls impossible. The script
// run beside it installs the peers.
package main

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"log"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/internal/known"
	"github.com/eidolon-hep/eidolon/rootio"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("small: ")
	var (
		densities = flag.String("densities", "moons,ring,gaussians,normal2,normal5,student2", "names of internal/known")
		events    = flag.String("events", "300,1000,3000", "sizes of the samples")
		samples   = flag.Int("samples", 3, "samples of each size")
		fresh     = flag.Int("fresh", 100_000, "events to measure on")
		peers     = flag.String("peers", "nflows,zuko,flowjax,kde", "the peers, comma-separated; empty: none")
		python    = flag.String("python", "python3", "the Python that has them")
		script    = flag.String("script", "peers.py", "the script that trains them")
		model     = flag.String("model", "", "of eidolon (default: as eidolon train)")
	)
	flag.Parse()
	m := measurement{samples: *samples, fresh: *fresh, python: *python, script: *script, model: *model}
	if *peers != "" {
		m.peers = strings.Split(*peers, ",")
	}
	fmt.Printf("%-10s %6s %17s %6s %6s", "density", "events", "eidolon", "s", "−∞")
	for _, peer := range m.peers {
		fmt.Printf(" %17s", peer)
	}
	fmt.Println("  eidolon/best peer")
	for _, name := range strings.Split(*densities, ",") {
		d, ok := known.Named(name)
		if !ok {
			log.Fatalf("no density is called %q", name)
		}
		if err := m.density(d, strings.Split(*events, ",")); err != nil {
			log.Fatalf("%s: %v", name, err)
		}
	}
}

type measurement struct {
	samples, fresh        int
	peers                 []string
	python, script, model string
}

// density prints the lines of a density.
func (m *measurement) density(d known.Density, sizes []string) error {
	folder, err := os.MkdirTemp("", "small")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	const unseen = 1 << 40 // the seed of the fresh events
	test := d.Table(unseen, 0, m.fresh)
	truth := make([]float64, m.fresh)
	d.LogDensity(truth, test)
	if err := write(filepath.Join(folder, "test"), test); err != nil {
		return err
	}
	sample := func(size string, k int) string { return fmt.Sprintf("%s_%d", size, k) }
	var all []string
	for _, size := range sizes {
		n := 0
		if _, err := fmt.Sscan(size, &n); err != nil {
			return err
		}
		for k := range m.samples {
			if err := write(filepath.Join(folder, sample(size, k)), d.Table(uint64(k+1), 0, n)); err != nil {
				return err
			}
			all = append(all, sample(size, k))
		}
	}
	for _, peer := range m.peers {
		cmd := exec.Command(m.python, append([]string{m.script, folder, peer, fmt.Sprint(d.Dim())}, all...)...)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", peer, err)
		}
	}
	for _, size := range sizes {
		var ours []float64
		impossible, seconds := 0, 0.0
		for k := range m.samples {
			n := 0
			fmt.Sscan(size, &n)
			density, took, err := m.train(d.Table(uint64(k+1), 0, n), test)
			if err != nil {
				return err
			}
			seconds += took / float64(m.samples)
			kl, inf := divergence(truth, density)
			impossible += inf
			ours = append(ours, kl)
		}
		fmt.Printf("%-10s %6s %17s %6.1f %6d", d.Name, size, meanOf(ours), seconds, impossible)
		best := math.Inf(1)
		for _, peer := range m.peers {
			var theirs []float64
			for k := range m.samples {
				density, err := read(filepath.Join(folder, sample(size, k)+"."+peer))
				if err != nil {
					return err
				}
				kl, _ := divergence(truth, density)
				theirs = append(theirs, kl)
			}
			best = min(best, stat.Mean(theirs, nil))
			fmt.Printf(" %17s", meanOf(theirs))
		}
		fmt.Printf("  %.2f\n", stat.Mean(ours, nil)/best)
	}
	return nil
}

// train returns the log-densities of the events of test, and how long the training took.
func (m *measurement) train(t, test *rootio.Table) (density []float64, seconds float64, err error) {
	begin := time.Now()
	training, err := surrogate.New(context.Background(), t, nil, surrogate.Options{Model: m.model, Seed: 1})
	if err != nil {
		return nil, 0, err
	}
	s, err := training.Run(context.Background())
	if err != nil {
		return nil, 0, err
	}
	seconds = time.Since(begin).Seconds()
	density = make([]float64, test.Len())
	return density, seconds, s.LogDensity(context.Background(), density, test, 0)
}

// divergence returns the mean of log(truth/density), and how many events are impossible, which are
// left out.
func divergence(truth, density []float64) (kl float64, impossible int) {
	possible := 0
	for i, p := range density {
		if math.IsInf(p, 0) || math.IsNaN(p) {
			impossible++
			continue
		}
		kl += truth[i] - p
		possible++
	}
	return kl / float64(possible), impossible
}

// meanOf prints the mean of x and its error.
func meanOf(x []float64) string {
	if len(x) < 2 {
		return fmt.Sprintf("%.4f", floats.Sum(x))
	}
	mean, std := stat.MeanStdDev(x, nil)
	return fmt.Sprintf("%.4f ± %.4f", mean, stat.StdErr(std, float64(len(x))))
}

// write writes the events of t as rows of float64.
func write(file string, t *rootio.Table) error {
	var all []byte
	for i := range t.Len() {
		for _, c := range t.Columns {
			all = binary.LittleEndian.AppendUint64(all, math.Float64bits(c.Values().([]float64)[i]))
		}
	}
	return os.WriteFile(file, all, 0o600)
}

// read reads float64s.
func read(file string) ([]float64, error) {
	text, err := os.ReadFile(file)
	x := make([]float64, len(text)/8)
	for i := range x {
		x[i] = math.Float64frombits(binary.LittleEndian.Uint64(text[8*i:]))
	}
	return x, err
}
