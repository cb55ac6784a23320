//go:build linux

// Command dense runs kernels/dense and its peers in turn and prints how much
// faster it is. The script run beside it builds the peers and starts it.
//
// Every turn lasts a fraction of a second of one thread's own time, in windows
// of a millisecond or a call; what counts is its best window. A line of the
// table has the best turn of each, in GFLOP/s, and the ratios to the best peer
// of the same round: least, median and greatest.
package main

import (
	"flag"
	"fmt"
	"log"
	"os/exec"
	"runtime"
	"time"

	"github.com/eidolon-hep/eidolon/bench/internal/peer"
	"github.com/eidolon-hep/eidolon/kernels/dense"
)

// layer is a batch of m rows, k inputs, n outputs.
type layer struct{ m, k, n int }

var layers = []layer{
	{256, 128, 128}, {1024, 128, 128}, {4096, 128, 128}, {256, 256, 256}, {1024, 256, 256}, {256, 512, 512}, {256, 64, 64},
	{256, 8, 128}, {1024, 8, 128}, {256, 16, 128}, {1024, 16, 128},
	{256, 128, 8}, {1024, 128, 8}, {256, 128, 16}, {1024, 128, 16},
	{64, 128, 128}, {64, 8, 128}, {64, 128, 8},
}

var libraries = []string{"openblas", "blis", "onednn"}

func main() {
	log.SetFlags(0)
	program := flag.String("peer", "", "the program built from peer/peer.cc")
	rounds := flag.Int("rounds", 5, "rounds of turns for each layer")
	turn := flag.Duration("turn", 30*time.Millisecond, "time of a turn")
	flag.Parse()

	runtime.LockOSThread() // the time of this thread is what is measured
	var peers []*peer.Peer
	for _, library := range libraries {
		p, err := peer.Start(library, exec.Command(*program, library))
		if err != nil {
			log.Fatalf("bench: could not start %s: %v", library, err)
		}
		defer p.Stop()
		peers = append(peers, p)
	}

	fmt.Println("y = relu(x·W + b), best GFLOP/s on one thread; in brackets the product alone")
	fmt.Printf("%-14s %8s", "m k n", "eidolon")
	for _, library := range libraries {
		fmt.Printf(" %14s", library)
	}
	fmt.Printf("   %-18s %-18s\n", "ratio to best", "to best product")
	for _, l := range layers {
		line, err := compare(l, peers, *rounds, *turn)
		if err != nil {
			log.Fatalf("bench: could not measure %v: %v", l, err)
		}
		fmt.Println(line)
	}
}

// compare makes the line of a layer.
func compare(l layer, peers []*peer.Peer, rounds int, turn time.Duration) (string, error) {
	best, product := make([]float64, len(peers)), make([]float64, len(peers))
	own := 0.0
	var ratios, productRatios []float64
	for range rounds {
		mine := l.measure(turn)
		own = max(own, mine)
		var most, mostProduct float64
		for i, p := range peers {
			s, err := ask(p, l, turn)
			if err != nil {
				return "", err
			}
			best[i], product[i] = max(best[i], s.layer), max(product[i], s.product)
			most, mostProduct = max(most, s.layer), max(mostProduct, s.product)
		}
		ratios = append(ratios, mine/most)
		productRatios = append(productRatios, mine/mostProduct)
	}
	line := fmt.Sprintf("%-14s %8.1f", fmt.Sprint(l.m, l.k, l.n), own)
	for i := range peers {
		line += fmt.Sprintf(" %6.1f (%5.1f)", best[i], product[i])
	}
	return line + "   " + peer.Spread(ratios) + "   " + peer.Spread(productRatios), nil
}

// measure is a turn of kernels/dense: its best window in GFLOP/s.
func (l layer) measure(turn time.Duration) float64 {
	x, w, b, y := numbers(l.m*l.k), numbers(l.k*l.n), numbers(l.n), numbers(l.m*l.n)
	packed := make([]float32, dense.PackedLen(l.k, l.n))
	dense.Pack(packed, w, l.k, l.n)
	call := func() { dense.Forward(y, nil, x, packed, b, l.m, l.k, l.n, dense.ReLU) }

	call()
	started := peer.ThreadTime()
	call()
	calls := 1 + int(time.Millisecond/max(peer.ThreadTime()-started, time.Microsecond))
	best := time.Hour
	for spent, windows := time.Duration(0), 0; spent < turn || windows < 5; windows++ {
		started := peer.ThreadTime()
		for range calls {
			call()
		}
		t := peer.ThreadTime() - started
		spent += t
		best = min(best, t)
	}
	return 2 * float64(l.m) * float64(l.k) * float64(l.n) * float64(calls) / float64(best)
}

func numbers(n int) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = float32(i*7919%1000)/1000 - 0.5
	}
	return s
}

// speeds are a peer's best windows in GFLOP/s.
type speeds struct{ layer, product float64 }

// ask is a turn of a peer.
func ask(p *peer.Peer, l layer, turn time.Duration) (s speeds, err error) {
	var median float64
	err = p.AskAll([]any{&s.layer, &median, &s.product, &median}, "%d %d %d %g", l.m, l.k, l.n, turn.Seconds())
	return s, err
}
