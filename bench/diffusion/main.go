// Command diffusion runs the published training-free solver in PyTorch and Eidolon's in
// turn and prints how much faster the latter is. The script run beside it starts it.
//
// Both take 4000 rows of noise along the reverse-time equation of 4000 events in 2
// dimensions, by the same steps of Heun's method, on all processors; the ends must
// agree. PyTorch's version works tile by tile, in the size of tile that is fastest here,
// and not on tensors of all pairs and dimensions as the published one does. Then
// Eidolon's default solver and tree do it to the accuracy of 500 such steps.
package main

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eidolon-hep/eidolon/bench/measure"
	"github.com/eidolon-hep/eidolon/diffusion"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	python := flag.String("python", "python3", "an interpreter that has PyTorch and NumPy")
	peer := flag.String("peer", "peer.py", "the peer's program")
	steps := flag.Int("steps", 20, "steps of Heun's method in a turn")
	rounds := flag.Int("rounds", 5, "rounds of turns")
	flag.Parse()
	if err := run(*python, *peer, *steps, *rounds); err != nil {
		log.Fatal(err)
	}
}

func run(python, peer string, steps, rounds int) error {
	folder, err := os.MkdirTemp("", "diffusion")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	a := measure.NewAncestor()
	for name, x := range map[string][]float32{"events": a.Events, "noise": a.Noise} {
		if err := save(filepath.Join(folder, name), x); err != nil {
			return err
		}
	}
	s := a.Heun(steps)
	times, err := s.Times(nil, 0)
	if err != nil {
		return err
	}
	if err := save(filepath.Join(folder, "times"), times); err != nil {
		return err
	}
	var ours, ratios, pruned []float64
	fmt.Printf("Heun, %d steps, 4000 rows, 4000 events, 2 dimensions\n", steps)
	for range rounds {
		x, took, _, err := a.Solve(context.Background(), s, 0)
		if err != nil {
			return err
		}
		out, err := exec.Command(python, peer, folder).Output()
		if err != nil {
			return fmt.Errorf("%s %s: %w", python, peer, err)
		}
		theirs, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
		if err != nil {
			return err
		}
		near, less, _, err := a.Solve(context.Background(), s, diffusion.DefaultEpsilon)
		if err != nil {
			return err
		}
		y := make([]float32, len(x))
		if err := load(filepath.Join(folder, "ends"), y); err != nil {
			return err
		}
		for _, x := range [][]float32{x, near} {
			if e := measure.Apart(x, y); !(e < 1e-3) {
				return fmt.Errorf("the ends differ by %.2g", e)
			}
		}
		fmt.Printf("eidolon %.3f s with all pairs, %.3f s with those that matter; PyTorch %.3f s\n", took.Seconds(), less.Seconds(), theirs)
		ours, ratios, pruned = append(ours, took.Seconds()), append(ratios, theirs/took.Seconds()), append(pruned, theirs/less.Seconds())
	}
	slices.Sort(ratios)
	slices.Sort(pruned)
	ratio := ratios[len(ratios)/2]
	fmt.Printf("the same steps, all pairs: %.1f times faster (median; %.1f to %.1f)\n", ratio, ratios[0], ratios[len(ratios)-1])
	fmt.Printf("the same steps, sums to 1e-5 as by default: %.1f times faster (median; %.1f to %.1f)\n", pruned[len(pruned)/2], pruned[0], pruned[len(pruned)-1])

	exact, _, _, err := a.Solve(context.Background(), diffusion.Solver{Method: diffusion.DPM3S, Steps: 300}, 0)
	if err != nil {
		return err
	}
	x, _, _, err := a.Solve(context.Background(), a.Heun(500), 0)
	if err != nil {
		return err
	}
	reached := measure.Apart(x, exact)
	for _, steps := range measure.ManySteps {
		x, took, n, err := a.Solve(context.Background(), diffusion.Solver{Steps: steps}, diffusion.DefaultEpsilon)
		if err != nil {
			return err
		}
		if e := measure.Apart(x, exact); e <= reached || steps == measure.ManySteps[len(measure.ManySteps)-1] {
			for range 4 {
				_, again, _, err := a.Solve(context.Background(), diffusion.Solver{Steps: steps}, diffusion.DefaultEpsilon)
				if err != nil {
					return err
				}
				took = min(took, again)
			}
			theirs := time.Duration(ratio * slices.Min(ours) * 500 / float64(len(times)-1) * float64(time.Second))
			fmt.Printf("to the accuracy of 500 steps of Heun's method (%.1e): default solver, %d evaluations, error %.1e, %.3f s\n", reached, n, e, took.Seconds())
			fmt.Printf("PyTorch's 500 steps take about %.1f s: %.0f times faster\n", theirs.Seconds(), theirs.Seconds()/took.Seconds())
			return nil
		}
	}
	return nil
}

func save(name string, data any) error {
	b, err := binary.Append(nil, binary.LittleEndian, data)
	if err != nil {
		return err
	}
	return os.WriteFile(name, b, 0o600)
}

func load(name string, data any) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	_, err = binary.Decode(b, binary.LittleEndian, data)
	return err
}
