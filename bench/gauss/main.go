//go:build linux

// Command gauss runs kernels/gauss and ONNX Runtime's attention in turn and
// prints how much faster it is. The script run beside it installs the peer and
// starts it.
//
// What both compute is the posterior mean of each of N queries over K events,
// Σ w·x0 / Σ w, and nothing else: for an attention with one head, the queries are its
// queries, the events its keys and values. A turn lasts a fraction of a second
// of one thread's own time, in whole calls, two at least; its speed is that
// of all of them; the peer has two of which the faster counts. A line of the table has the best turn of each and the ratios
// of the two turns of a round: least, median and greatest.
package main

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/klauspost/cpuid/v2"

	"github.com/eidolon-hep/eidolon/bench/internal/peer"
	"github.com/eidolon-hep/eidolon/kernels/gauss"
)

// The diffusion step at which the posterior is looked at, and how far the two
// means may be apart, with events of a standard normal.
const (
	alpha, sigma = 0.8, 0.6
	tolerance    = 1e-4
)

// size is a number of queries and one of events, in dim dimensions.
type size struct{ dim, queries, events int }

var sizes = []size{
	{2, 4080, 1 << 14}, {4, 4080, 1 << 14}, {8, 4080, 1 << 14},
	{16, 4080, 1 << 14}, {32, 4080, 1 << 14}, {64, 4080, 1 << 14},
	{2, 480, 1 << 20}, {8, 480, 1 << 20},
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	program := flag.String("peer", "peer.mjs", "the peer's program, run by node")
	folder := flag.String("folder", "", "where numbers are passed to the peer")
	rounds := flag.Int("rounds", 7, "rounds of turns for each size")
	turn := flag.Duration("turn", 250*time.Millisecond, "time of a turn")
	flag.Parse()
	if *rounds < 1 {
		log.Fatalf("there must be a round, not %d", *rounds)
	}

	runtime.GOMAXPROCS(1)
	runtime.LockOSThread() // the time of this thread is what is measured
	ort, err := peer.Start("ONNX Runtime", exec.Command("node", *program, *folder))
	if err != nil {
		log.Fatalf("could not start the peer: %v", err)
	}
	defer ort.Stop()

	if cpuid.CPU.Supports(cpuid.AVX512F) {
		fmt.Println("This processor has AVX-512, which both may use.")
	}
	fmt.Println("posterior mean, 10⁹ pairs of a query and an event per second on one thread, best turn")
	fmt.Printf("%3s %5s %8s %8s %12s   %-18s %s\n", "D", "N", "K", "eidolon", "onnxruntime", "ratio", "greatest difference")
	for _, s := range sizes {
		line, err := s.compare(ort, *folder, *rounds, *turn)
		if err != nil {
			log.Fatalf("could not measure %v: %v", s, err)
		}
		fmt.Println(line)
	}
}

// compare makes the line of a size.
func (s size) compare(ort *peer.Peer, folder string, rounds int, turn time.Duration) (string, error) {
	rnd := rand.New(rand.NewPCG(1, 2))
	x0, x := make([]float32, s.events*s.dim), make([]float32, s.queries*s.dim)
	for i := range x0 {
		x0[i] = float32(rnd.NormFloat64())
	}
	for i := range x {
		x[i] = float32(alpha*float64(x0[i]) + sigma*rnd.NormFloat64())
	}

	events, err := gauss.NewEvents(x0, nil, s.events, s.dim)
	if err != nil {
		return "", err
	}
	sums := gauss.NewSums(96, s.dim)
	mean := gauss.Result{Mean: make([]float32, len(x))}
	call := func() { sums.Compute(mean, events, x, s.queries, alpha, sigma) }
	call()
	theirs, err := load(ort, folder, s, x, x0)
	if err != nil {
		return "", err
	}
	apart := 0.0
	for i, m := range mean.Mean {
		d := math.Abs(float64(m) - float64(theirs[i]))
		if !(d <= tolerance) {
			return "", fmt.Errorf("query %d has the mean %v here and %v there", i/s.dim, m, theirs[i])
		}
		apart = max(apart, d)
	}

	var own, other float64
	var ratios []float64
	for range rounds {
		mine := s.measure(call, turn)
		peers, err := ort.Ask("turn %g", turn.Seconds())
		if err != nil {
			return "", err
		}
		own, other = max(own, mine), max(other, peers)
		ratios = append(ratios, mine/peers)
	}
	return fmt.Sprintf("%3d %5d %8d %8.2f %12.2f   %-18s %.0e", s.dim, s.queries, s.events, own/1e9, other/1e9,
		peer.Spread(ratios), apart), nil
}

// measure is a turn of kernels/gauss, in pairs per second.
func (s size) measure(call func(), turn time.Duration) float64 {
	started := peer.ThreadTime()
	spent, calls := time.Duration(0), 0
	for ; calls < 2 || spent < turn; calls++ {
		call()
		spent = peer.ThreadTime() - started
	}
	return float64(s.queries) * float64(s.events) * float64(calls) / spent.Seconds()
}

// load gives the peer its queries and events and returns its means.
func load(p *peer.Peer, folder string, s size, x, x0 []float32) ([]float32, error) {
	for name, numbers := range map[string][]float32{"x": x, "x0": x0} {
		var b bytes.Buffer
		if err := binary.Write(&b, binary.LittleEndian, numbers); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(folder, name), b.Bytes(), 0o600); err != nil {
			return nil, err
		}
	}
	if _, err := p.Ask("load %d %d %d %g %g", s.dim, s.queries, s.events, alpha, sigma); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(filepath.Join(folder, "mean"))
	if err != nil {
		return nil, err
	}
	means := make([]float32, len(x))
	return means, binary.Read(bytes.NewReader(b), binary.LittleEndian, means)
}
