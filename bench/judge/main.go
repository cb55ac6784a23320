// Command judge prints the AUC of our classifier for pairs of samples and hands the
// same events to scikit-learn's gradient-boosted trees, in turn. Usage:
//
//	go run ./bench/judge [-events N] ../shared/data [PAIR…]
//
// With PAIR = reweight it prints how near the weights of a reweighted sample are to a
// ratio of densities that is known. See the script run.
package main

import (
	"bytes"
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
	"path/filepath"
	"slices"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/reweight"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/internal/zmumu"
	"github.com/eidolon-hep/eidolon/rootio"
)

// pair makes two samples of the events of a file.
type pair struct {
	name, file string
	make       func(first, second *rootio.Table) (ref, cand *rootio.Table)
}

func halves(a, b *rootio.Table) (ref, cand *rootio.Table) { return a, b }

// smeared multiplies a column of the second half by a normal deviate of mean 1.
func smeared(column string, sigma float64) func(a, b *rootio.Table) (ref, cand *rootio.Table) {
	return func(a, b *rootio.Table) (ref, cand *rootio.Table) {
		rng := rand.New(rand.NewPCG(1, 2))
		return a, changed(b, column, func(_ int, x float64) float64 { return x * (1 + sigma*rng.NormFloat64()) })
	}
}

// shifted adds to a column of the second half a part of another.
func shifted(column string, part float64, other string) func(a, b *rootio.Table) (ref, cand *rootio.Table) {
	return func(a, b *rootio.Table) (ref, cand *rootio.Table) {
		c, _ := b.Column(other)
		y := c.Float64s()
		return a, changed(b, column, func(i int, x float64) float64 { return x + part*y[i] })
	}
}

func changed(t *rootio.Table, column string, f func(i int, x float64) float64) *rootio.Table {
	t = &rootio.Table{Columns: slices.Clone(t.Columns)}
	for j, c := range t.Columns {
		if c.Name == column {
			x := c.Float64s()
			for i := range x {
				x[i] = f(i, x[i])
			}
			t.Columns[j] = rootio.NewColumn(c.Field, len(x))
			t.Columns[j].SetFloats(0, x)
		}
	}
	return t
}

// generated trains a flow on the first half and compares it with the second.
func generated(model string, epochs int) func(a, b *rootio.Table) (ref, cand *rootio.Table) {
	return func(a, b *rootio.Table) (ref, cand *rootio.Table) {
		opts := surrogate.Options{Model: model, Seed: 1, Coordinates: surrogate.PlainCoordinates, Refine: surrogate.RefineOff}
		opts.Train.Epochs = epochs
		t, err := surrogate.New(context.Background(), a, nil, opts)
		check(err)
		s, err := t.Run(context.Background())
		check(err)
		cand = rootio.NewTable(s.Fields(), b.Len())
		_, err = s.Generate(context.Background(), cand, nil, 1, 0)
		check(err)
		return b, cand
	}
}

var pairs = []pair{
	{"halves of nuwro", "nuwro.root", halves},
	{"nuwro, Q2 smeared by 2 %", "nuwro.root", smeared("Q2", 0.02)},
	{"nuwro, ELep smeared by 2 %", "nuwro.root", smeared("ELep", 0.02)},
	{"nuwro, CosLep + 0.02 Q2", "nuwro.root", shifted("CosLep", 0.02, "Q2")},
	{"alice, eta smeared by 10 %", "alice_electrons.root", smeared("eta", 0.1)},
	{"B2KKK, H1_PX smeared by 1 %", "b2kkk_phasespace.root", smeared("H1_PX", 0.01)},
	{"zmumu, pt1 smeared by 5 %", "zmumu_2011a.root", smeared("pt1", 0.05)},
	{"nuwro, realnvp", "nuwro.root", generated("realnvp", 10)},
	{"nuwro, spline", "nuwro.root", generated("spline", 10)},
	{"alice, spline", "alice_electrons.root", generated("spline", 10)},
	{"pingu, spline", "pingu_gen_reco.root", generated("spline", 20)},
	{"B2KKK, spline", "b2kkk_phasespace.root", generated("spline", 20)},
}

func main() {
	log.SetFlags(0)
	events := flag.Int64("events", 100_000, "of both samples together")
	flag.Parse()
	if flag.NArg() < 1 {
		log.Fatal("usage: judge [-events N] DIR [PAIR…]")
	}
	wanted := flag.Args()[1:]
	if slices.Contains(wanted, "reweight") {
		exact()
		return
	}
	fmt.Printf("%-30s %18s %18s %8s\n", "pair", "eidolon", "trees", "seconds")
	for _, p := range pairs {
		if len(wanted) == 0 || slices.Contains(wanted, p.name) {
			run(p, *events)
		}
	}
}

// halvesOf splits a table at random: files may be sorted, or alternate.
func halvesOf(t *rootio.Table) (a, b *rootio.Table) {
	places := rand.New(rand.NewPCG(3, 4)).Perm(t.Len())
	half := t.Len() / 2
	return t.Take(places[:half]), t.Take(places[half : 2*half])
}

func run(p pair, most int64) {
	tree, err := rootio.Open(context.Background(), "", filepath.Join(flag.Arg(0), p.file))
	check(err)
	defer tree.Close()
	events := min(tree.Len(), most)
	table, err := tree.Read(nil, 0, events)
	check(err)
	table.Columns = slices.DeleteFunc(table.Columns, func(c rootio.Column) bool { // what no density describes
		return slices.Contains([]string{"Run", "Event", "weighted_aeff"}, c.Name)
	})
	ref, cand := p.make(halvesOf(table))

	start := time.Now()
	r, err := classify.CrossFit(context.Background(), classify.Sample{Table: ref}, classify.Sample{Table: cand}, classify.Options{})
	check(err)
	ours := time.Since(start).Seconds()

	var x bytes.Buffer
	for _, t := range []*rootio.Table{ref, cand} {
		for i := range t.Len() {
			row := make([]float64, len(t.Columns))
			for j, c := range t.Columns {
				c.Floats(row[j:j+1], i)
			}
			check(binary.Write(&x, binary.LittleEndian, row))
		}
	}
	start = time.Now()
	cmd := exec.Command(cmp.Or(os.Getenv("PYTHON"), "/usr/bin/python3"), "bench/judge/peer.py", fmt.Sprint(len(ref.Columns)), fmt.Sprint(ref.Len()))
	cmd.Stdin, cmd.Stderr = &x, os.Stderr
	out, err := cmd.Output()
	check(err)
	theirs := time.Since(start).Seconds()
	fmt.Printf("%-30s %9.4f ± %.4f %18s %4.0f %4.0f", p.name, r.AUC, r.AUCError, bytes.TrimSpace(out), ours, theirs)
	slices.SortFunc(r.Columns, func(a, b classify.Column) int { return cmp.Compare(b.Importance, a.Importance) })
	for _, c := range r.Columns[:min(3, len(r.Columns))] {
		if c.Importance > 3*c.Error {
			fmt.Printf("  %s %.3f %s", c.Name, c.Importance, c.Aspect)
		}
	}
	fmt.Println()
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// exact reweights Z → µµ events to other parameters and compares the weights with the
// ratio of the two densities, which are known.
func exact() {
	const n = 100_000
	a, b := zmumu.Default(), zmumu.Default()
	b.PtScale *= 1.15
	b.Resonant = 0.85
	b.AsymMax = 1.0
	opts := reweight.Options{}
	opts.Classify.Columns = []string{"mass", "y", "pt", "phi", "costheta", "phistar"}
	source, target := classify.Sample{Table: a.Table(1, 0, n)}, classify.Sample{Table: b.Table(2, 0, n)}
	w, err := reweight.Fit(context.Background(), source, target, opts)
	check(err)
	events := make([]zmumu.Event, n)
	a.Events(events, 1, 0)
	var off, size float64
	for i, e := range events {
		ratio := math.Exp(b.LogDensity(e) - a.LogDensity(e))
		off += math.Abs(w.Ratio[i]/ratio-1) / n
		size += math.Abs(ratio-1) / n
	}
	fmt.Printf("Z → µµ, %d events: the weights deviate by %.3f in the mean from the exact ratio, which deviates by %.3f from one\n", n, off, size)
	closure, err := w.Close(context.Background(), source, target, opts)
	check(err)
	check(w.WriteText(os.Stdout, closure))
}
