package classify_test

import (
	"context"
	"fmt"
	"log"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/internal/known"
	"github.com/eidolon-hep/eidolon/internal/zmumu"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Two samples of Z → µµ that differ in the transverse momentum of the pair.
func Example() {
	full, fast := zmumu.Default(), zmumu.Default()
	fast.PtScale *= 1.5
	r, err := classify.CrossFit(context.Background(),
		classify.Sample{Table: full.Table(1, 0, 2000)},
		classify.Sample{Table: fast.Table(2, 0, 2000)},
		classify.Options{Columns: []string{"mass", "pt", "phi"}, Hidden: 16}, // a small network for a small sample
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("AUC %.1f\n", r.AUC)
	for _, c := range r.Columns {
		if c.Importance > 3*c.Error {
			fmt.Println("given away by", c.Name)
		}
	}
	// Output:
	// AUC 0.6
	// given away by pt
}

// The density of two moons, from that of two normals and a ratio: p(x|1) = p(x|0) r(x).
func ExampleFit() {
	moons, _ := known.Named("moons")
	normals := known.TwoNormals()
	r, _, err := classify.Fit(context.Background(),
		classify.Sample{Table: normals.Table(1, 0, 2000)},
		classify.Sample{Table: moons.Table(2, 0, 2000)},
		classify.Options{Folds: 2, Hidden: 16}, // a small network for a small sample
	)
	if err != nil {
		log.Fatal(err)
	}
	events := &rootio.Table{Columns: []rootio.Column{ // on a moon, and between the moons
		rootio.ColumnOf("x0", []float64{0, 0.5}),
		rootio.ColumnOf("x1", []float64{1, 0.3}),
	}}
	logs, known := make([]float64, 2), make([]float64, 2)
	if err := r.LogRatio(context.Background(), logs, events, 0); err != nil {
		log.Fatal(err)
	}
	normals.LogDensity(known, events)
	fmt.Println("more probable on the moon:", known[0]+logs[0] > known[1]+logs[1]+1)
	// Output: more probable on the moon: true
}
