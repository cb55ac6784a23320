//go:build linux

// Command rootio reads and writes the same files here, in ROOT and in uproot, in turn, and prints speeds and their
// ratios. See the script run beside it.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/eidolon-hep/eidolon/bench/internal/peer"
	"github.com/eidolon-hep/eidolon/rootio"
)

// The levels of ROOT's and uproot's files: those that their defaults or manuals advise.
var compressions = []struct {
	ours rootio.Compression
	root int // setting of ROOT
}{{rootio.NoCompression, 0}, {rootio.Zlib, 101}, {rootio.Zstd, 505}, {rootio.LZ4, 404}}

func main() {
	log.SetFlags(0)
	log.SetPrefix("rootio: ")
	python := flag.String("python", "python3", "the Python that has ROOT and uproot")
	flat := flag.Int("flat", 2_000_000, "events of 10 float32 and 2 int32")
	jagged := flag.Int("jagged", 500_000, "events of up to 7 objects of 5 float32")
	rounds := flag.Int("rounds", 5, "rounds, in which all run in turn")
	profile := flag.String("only", "", "read this file of a tree t over and over, and print our speed alone")
	flag.Parse()
	if *profile != "" {
		alone(*profile, *rounds)
		return
	}
	dir, err := os.MkdirTemp("", "bench-rootio")
	check(err)
	defer os.RemoveAll(dir)
	p, err := peer.Start("ROOT", exec.Command(*python, "-W", "ignore", "bench/rootio/peer.py", dir, fmt.Sprint(*flat), fmt.Sprint(*jagged)))
	check(err)
	defer p.Stop()
	fmt.Printf("%-13s %7s | %-26s | %s\n", "", "here", "M events/s of each", "least, median, largest ratio to it")
	for _, layout := range []struct {
		name   string
		events int
		peers  []string
	}{{"flat", *flat, []string{"bulk", "getentry", "reader", "uproot"}}, {"jagged", *jagged, []string{"getentry", "reader", "uproot"}}} {
		for _, c := range compressions {
			file := filepath.Join(dir, fmt.Sprintf("%s_%d.root", layout.name, c.root))
			_, err := p.Ask("write %s %d %s", layout.name, c.root, file) // the first time counts for nothing
			check(err)
			table := read(file)
			compare(p, "read "+layout.name, c.ours, layout.events, *rounds, func() { read(file) }, func(who string) string {
				return fmt.Sprintf("%s %s %d %s", who, layout.name, c.root, file)
			}, layout.peers)
			ours, theirs := filepath.Join(dir, "ours.root"), filepath.Join(dir, "theirs.root")
			compare(p, "write "+layout.name, c.ours, layout.events, *rounds, func() {
				check(rootio.WriteFile(ours, "t", table, rootio.WithCompression(c.ours)))
			}, func(who string) string { return fmt.Sprintf("%s %s %d %s", who, layout.name, c.root, theirs) }, writers[layout.name])
			fmt.Printf("  %.1f MB here, %.1f MB by ROOT\n", megabytes(ours), megabytes(file))
		}
	}
}

var writers = map[string][]string{"flat": {"write", "uproot_write"}, "jagged": {"write"}}

// compare runs ours and the peers in turn.
func compare(p *peer.Peer, what string, c rootio.Compression, events, rounds int, ours func(), request func(who string) string, peers []string) {
	best := 0.0
	theirs := make([]float64, len(peers))
	ratios := make([][]float64, len(peers))
	for range rounds {
		seconds := used(ours)
		best = max(best, float64(events)/1e6/seconds)
		for i, who := range peers {
			t, err := p.Ask("%s", request(who))
			check(err)
			theirs[i] = max(theirs[i], float64(events)/1e6/t)
			ratios[i] = append(ratios[i], t/seconds)
		}
	}
	fmt.Printf("%-13s %4s %6.2f\n", what, c, best)
	for i, who := range peers {
		fmt.Printf("  %-12s %6.2f   %s\n", who, theirs[i], peer.Spread(ratios[i]))
	}
}

// read reads all columns, with checksums.
func read(file string) *rootio.Table {
	t, err := rootio.ReadFile(context.Background(), "t", file)
	check(err)
	return t
}

// used returns the processor time of all threads that it takes.
func used(do func()) float64 {
	now := func() float64 {
		var u syscall.Rusage
		check(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
		return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
	}
	start := now()
	do()
	return now() - start
}

// alone reads a file over and over, and writes it.
func alone(file string, rounds int) {
	var table *rootio.Table
	var seconds, wall []float64
	for range rounds {
		start := time.Now()
		seconds = append(seconds, used(func() { table = read(file) }))
		wall = append(wall, time.Since(start).Seconds())
	}
	n := float64(table.Len()) / 1e6
	fmt.Printf("read %.2f M events/s of processor time, %.2f by the clock\n", n/slices.Min(seconds), n/slices.Min(wall))
	name, _, _ := strings.Cut(filepath.Base(file), ".")
	_, compression, _ := strings.Cut(name, "_")
	c, err := rootio.ParseCompression(cmp.Or(compression, "zlib"))
	check(err)
	out := filepath.Join(os.TempDir(), "bench-rootio-out.root")
	defer os.Remove(out)
	seconds = nil
	for range rounds {
		seconds = append(seconds, used(func() { check(rootio.WriteFile(out, "t", table, rootio.WithCompression(c))) }))
	}
	fmt.Printf("write %.2f M events/s of processor time, %.1f MB\n", n/slices.Min(seconds), megabytes(out))
}

func megabytes(file string) float64 {
	info, err := os.Stat(file)
	check(err)
	return float64(info.Size()) / 1e6
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
