package reweight_test

import (
	"context"
	"fmt"
	"log"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/reweight"
	"github.com/eidolon-hep/eidolon/internal/zmumu"
)

// A sample of Z → µµ with too soft pairs is made like another one.
func Example() {
	full, fast := zmumu.Default(), zmumu.Default()
	fast.PtScale *= 0.8
	source := classify.Sample{Table: fast.Table(1, 0, 2000)}
	target := classify.Sample{Table: full.Table(2, 0, 2000)}

	opts := reweight.Options{Clip: 10}
	opts.Classify.Columns = []string{"mass", "pt"}
	opts.Classify.Hidden = 16 // a small network for a small sample
	w, err := reweight.Fit(context.Background(), source, target, opts)
	if err != nil {
		log.Fatal(err)
	}
	closure, err := w.Close(context.Background(), source, target, opts)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("sum of weights %.0f\n", w.Sum)
	fmt.Println("AUC is closer to one half:", closure.After.Value < closure.Before.Value)
	pt := closure.Columns[1]
	fmt.Println("pt is closer:", pt.After < pt.Before/3)
	// Output:
	// sum of weights 2000
	// AUC is closer to one half: true
	// pt is closer: true
}
