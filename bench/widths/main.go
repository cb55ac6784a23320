// Widths draws from the model without training at several widths σ_min of its kernels,
// and prints for each how well a classifier tells what is drawn from events that were
// held out (AUC; 0.5: not at all) and how much of it are copies of training events. The
// width that training chooses is marked.
//
//	go run ./bench/widths [-events N] [-exclude Run,Event] [-tree NAME] FILE.root
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"slices"
	"strings"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/rootio"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("widths: ")
	events := flag.Int64("events", 20_000, "events to read, of which half are held out")
	exclude := flag.String("exclude", "", "branches to leave out")
	tree := flag.String("tree", "", "the tree; may be left out when the file holds one")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("want one ROOT file")
	}
	if err := run(flag.Arg(0), *tree, *events, strings.Split(*exclude, ",")); err != nil {
		log.Fatal(err)
	}
}

func run(file, tree string, events int64, exclude []string) error {
	in, err := rootio.Open(tree, file)
	if err != nil {
		return err
	}
	defer in.Close()
	var names []string
	for _, f := range in.Fields() {
		if !slices.Contains(exclude, f.Name) {
			names = append(names, f.Name)
		}
	}
	table, err := in.Read(names, 0, min(events, in.Len()))
	if err != nil {
		return err
	}
	half := table.Len() / 2
	train, held := table.Slice(0, half), table.Slice(half, 2*half)

	fmt.Printf("%10s %18s %10s\n", "σ_min", "AUC", "copies")
	chosen, err := measure(train, held, nil, " by default")
	if err != nil {
		return err
	}
	for _, factor := range []float64{0.01, 0.03, 0.1, 0.3, 0.6, 1.5, 3} {
		width := factor * chosen
		if _, err := measure(train, held, &width, ""); err != nil {
			return err
		}
	}
	return nil
}

// measure prints a line and returns the width.
func measure(train, held *rootio.Table, width *float64, remark string) (float64, error) {
	o := surrogate.Options{Model: "diffusion", Seed: 1, Diffusion: surrogate.DiffusionOptions{SigmaMin: width}}
	t, err := surrogate.New(context.Background(), train, nil, o)
	if err != nil {
		return 0, err
	}
	s, err := t.Run(context.Background())
	if err != nil {
		return 0, err
	}
	if err := s.Direct(); err != nil {
		return 0, err
	}
	drawn := rootio.NewTable(s.Features.Fields(), held.Len())
	tails, err := s.Generate(drawn, nil, 1, 0)
	if err != nil {
		return 0, err
	}
	r, err := classify.CrossFit(context.Background(), classify.Sample{Table: held}, classify.Sample{Table: drawn}, classify.Options{})
	if err != nil {
		return 0, err
	}
	k, ok := s.Inner().(*diffusion.Kernels)
	if !ok {
		return 0, fmt.Errorf("the model is a %v", s.Density)
	}
	fmt.Printf("%10.4g %9.4f ± %.4f %8.2f %%%s\n", k.Width(), r.AUC, r.AUCError, 100*float64(*tails.Copies)/float64(drawn.Len()), remark)
	return k.Width(), nil
}
