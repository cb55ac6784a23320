// Widths draws from the model without training at several widths σ_min of its kernels,
// and prints for each how well two judges tell what is drawn from events that were held
// out, boosted trees and the classifier of eidolon compare (AUC; 0.5: not at all), how much
// of it are copies of training events, and of how many events, effectively, the posterior
// mean is the mean at the end of a path (median): where that is about 1, they are copies.
// The width that training chooses is marked; how that number falls along its paths is
// printed at the end.
//
//	go run ./bench/widths [-events N] [-exclude Run,Event] [-direct] [-tree NAME] FILE.root
//
// Three events of four are learnt, as in bench/quality: by the same hash. Events are drawn
// by the reverse-time equation, which takes its time; with -direct also from the mixture.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"strings"

	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/bench/internal/heldout"
	"github.com/eidolon-hep/eidolon/rootio"
)

// paths are followed to count effective numbers.
const paths = 512

func main() {
	log.SetFlags(0)
	log.SetPrefix("widths: ")
	events := flag.Int("events", 0, "use about so many events, chosen by a hash; 0: all")
	exclude := flag.String("exclude", "", "branches to leave out")
	tree := flag.String("tree", "", "the tree; may be left out when the file holds one")
	direct := flag.Bool("direct", false, "draw from the mixture itself, too")
	flag.Parse()
	if flag.NArg() != 1 || *events < 0 {
		log.Fatal("want one ROOT file, and no negative number of events")
	}
	if err := run(flag.Arg(0), *tree, *events, strings.Split(*exclude, ","), *direct); err != nil {
		log.Fatal(err)
	}
}

func run(file, tree string, events int, exclude []string, direct bool) error {
	all, err := heldout.Read(file, tree, nil, exclude)
	if err != nil {
		return err
	}
	train, test := heldout.Split(heldout.Thin(all, events))
	fmt.Printf("%s: %d events of %d columns, %d held out\n", file, train.Len(), len(train.Columns), test.Len())
	fmt.Printf("%8s  %-9s %18s %18s %9s %10s\n", "σ_min", "drawn", "AUC of trees", "of compare", "copies", "effective")
	chosen, err := learn(train, nil)
	if err != nil {
		return err
	}
	for _, factor := range []float64{0.01, 0.03, 0.1, 0.3, 0.6, 1, 1.5, 3} {
		width, remark := factor*kernels(chosen).Width(), ""
		if factor == 1 {
			remark = "  the default"
		}
		if err := measure(train, test, width, direct, remark); err != nil {
			return err
		}
	}
	path, err := kernels(chosen).Effective(context.Background(), paths, 1)
	if err != nil {
		return err
	}
	fmt.Printf("\neffective number of events by default, of %d paths\n%8s %10s %10s\n", paths, "σ/α", "median", "10 %")
	for _, at := range path {
		fmt.Printf("%8.3g %10.4g %10.4g\n", at.Sigma/at.Alpha, at.Median, at.Tenth)
	}
	return nil
}

// learn returns the model of a width, or of the one that it chooses.
func learn(train *rootio.Table, width *float64) (*surrogate.Surrogate, error) {
	o := surrogate.Options{Model: "diffusion", Seed: 1, Coordinates: surrogate.PlainCoordinates, Refine: surrogate.RefineOff, Diffusion: surrogate.DiffusionOptions{SigmaMin: width}}
	t, err := surrogate.New(context.Background(), train, nil, o)
	if err != nil {
		return nil, err
	}
	s, err := t.Run(context.Background())
	if err == nil && kernels(s) == nil {
		err = fmt.Errorf("all columns are codes: there are no kernels")
	}
	return s, err
}

func kernels(s *surrogate.Surrogate) factor.KernelSums {
	k, _ := surrogate.FactorAs[factor.KernelSums](s)
	return k
}

// measure prints a line for a width, or two.
func measure(train, test *rootio.Table, width float64, direct bool, remark string) error {
	s, err := learn(train, &width)
	if err != nil {
		return err
	}
	path, err := kernels(s).Effective(context.Background(), paths, 1)
	if err != nil {
		return err
	}
	for _, how := range []string{"by path", "directly"} {
		if how == "directly" {
			if !direct {
				continue
			}
			if err := s.Direct(); err != nil {
				return err
			}
		}
		drawn, tails, err := heldout.Draw(s, test, 2, 1)
		if err != nil {
			return err
		}
		trees, err := heldout.Judge(test, drawn, true)
		if err != nil {
			return err
		}
		network, err := heldout.Judge(test, drawn, false)
		if err != nil {
			return err
		}
		fmt.Printf("%8.4g  %-9s %9.4f ± %.4f %9.4f ± %.4f %7.2f %% %10.4g%s\n", width, how,
			trees.AUC, trees.AUCError, network.AUC, network.AUCError, 100*float64(*tails.Copies)/float64(drawn.Len()), path[len(path)-1].Median, remark)
	}
	return nil
}
