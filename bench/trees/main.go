//go:build linux

// Command trees grows the same trees here and in XGBoost, in turn, and prints both times, their ratio, and what each
// reaches on events that neither has seen. See the script run beside it.
package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"github.com/eidolon-hep/eidolon/internal/trees"
)

// task is a pair of samples to be told apart.
type task struct {
	events  int // of both samples together
	samples int // that the AUCs are means of
	dim     int
	rounds  int
	depth   int
	rate    float64
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("trees: ")
	python := flag.String("python", "python3", "the Python that has xgboost")
	rounds := flag.Int("turns", 3, "turns of each, of which the fastest counts")
	flag.Parse()
	peer, err := start(*python)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%-22s %8s %8s %6s   %8s %8s %9s\n", "events, columns, trees", "here s", "xgboost", "ratio", "AUC here", "xgboost", "differ by")
	for _, t := range []task{
		{5_000, 10, 30, 300, 5, 0.05},
		{20_000, 4, 10, 300, 5, 0.05},
		{100_000, 1, 10, 300, 5, 0.05},
		{100_000, 1, 30, 300, 5, 0.05},
		{400_000, 1, 20, 100, 5, 0.05},
	} {
		if err := peer.compare(t, *rounds); err != nil {
			log.Fatal(err)
		}
	}
}

// sample returns events of both samples, in turn: correlated normals, exponentials, a line and angles; in the one sample they are
// wider by a little, correlated otherwise, and have a peak in the product of two.
func (t task) sample(seed uint64, n int) (x, y []float32) {
	rng := rand.New(rand.NewPCG(seed, 1))
	for i := range n {
		s := float64(i % 2)
		common := rng.NormFloat64()
		row := make([]float64, t.dim)
		for f := range row {
			z := rng.NormFloat64()
			switch f % 5 {
			case 0:
				row[f] = z + (0.6+0.1*s)*common
			case 1:
				row[f] = math.Exp(z * (1 + 0.03*s))
			case 2:
				row[f] = math.Round(10 * (z + 0.03*s))
			case 3:
				row[f] = math.Pi * (2*rng.Float64() - 1)
			case 4:
				row[f] = row[f-4]*row[f-3] + z*(1-0.1*s)
			}
		}
		for _, v := range row {
			x = append(x, float32(v))
		}
		y = append(y, float32(s))
	}
	return x, y
}

// compare grows the trees of a task in turns.
func (p *peer) compare(t task, turns int) error {
	const judged = 100_000
	var here, there, aucHere, aucThere float64
	for seed := range t.samples {
		x, y := t.sample(uint64(2*seed+1), t.events)
		test, truth := t.sample(uint64(2*seed+2), judged)
		own, others := make([]float64, judged), make([]float64, judged)
		fastest, theirs := math.Inf(1), math.Inf(1)
		for range turns {
			seconds, err := t.train(own, x, test, y)
			if err != nil {
				return err
			}
			fastest = min(fastest, seconds)
			if seconds, err = p.train(t, others, x, test, y); err != nil {
				return err
			}
			theirs = min(theirs, seconds)
		}
		here += fastest
		there += theirs
		aucHere += auc(own, truth) / float64(t.samples)
		aucThere += auc(others, truth) / float64(t.samples)
	}
	fmt.Printf("%-22s %8.2f %8.2f %6.2f   %8.4f %8.4f %+9.4f\n",
		fmt.Sprintf("%d × %d, %d", t.events, t.dim, t.rounds), here, there, here/there, aucHere, aucThere, aucHere-aucThere)
	return nil
}

// train stores the outputs for the events of test, and returns the seconds from rows in memory to trees.
func (t task) train(dst []float64, x, test, y []float32) (seconds float64, err error) {
	begin := processorTime()
	all := make([]int32, t.events)
	for i := range all {
		all[i] = int32(i)
	}
	f, err := trees.Fit(context.Background(), trees.NewMatrix(x, t.dim, t.events), all, nil, y, slices.Repeat([]float32{1}, t.events), trees.Logistic(),
		trees.Options{Rounds: t.rounds, Leaves: 1 << t.depth, Depth: t.depth, Rate: t.rate, Ridge: 1, Least: 5})
	if err != nil {
		return 0, err
	}
	seconds = (processorTime() - begin).Seconds()
	clear(dst)
	f.Add(dst, test, 1)
	return seconds, nil
}

// processorTime returns that of this process.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		log.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// auc returns the area under the ROC curve of scores that are all different.
func auc(score []float64, y []float32) float64 {
	order := make([]int, len(score))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(score[i], score[j]) })
	var zeros, pairs float64
	for _, i := range order {
		if y[i] == 0 {
			zeros++
		} else {
			pairs += zeros
		}
	}
	return pairs / (zeros * (float64(len(y)) - zeros))
}

// peer is XGBoost in a process of its own.
type peer struct {
	in  *bufio.Writer
	out *bufio.Reader
}

func start(python string) (*peer, error) {
	c := exec.Command(python, "bench/trees/peer.py")
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &peer{bufio.NewWriter(in), bufio.NewReader(out)}, c.Start()
}

// train is like the one of a task.
func (p *peer) train(t task, dst []float64, x, test, y []float32) (seconds float64, err error) {
	fmt.Fprintln(p.in, t.dim, t.events, len(dst), t.rounds, t.depth, t.rate)
	for _, part := range [][]float32{x, test, y} {
		if err := binary.Write(p.in, binary.LittleEndian, part); err != nil {
			return 0, err
		}
	}
	if err := p.in.Flush(); err != nil {
		return 0, err
	}
	if _, err := fmt.Fscanln(p.out, &seconds); err != nil {
		return 0, fmt.Errorf("the peer: %w", err)
	}
	out := make([]float32, len(dst))
	if err := binary.Read(p.out, binary.LittleEndian, out); err != nil {
		return 0, fmt.Errorf("the peer: %w", err)
	}
	for i, v := range out {
		dst[i] = float64(v)
	}
	return seconds, nil
}
