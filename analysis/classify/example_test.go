package classify_test

import (
	"context"
	"fmt"
	"log"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/internal/zmumu"
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
