package formula_test

import (
	"fmt"

	"github.com/eidolon-hep/eidolon/analysis/formula"
)

// The mass of two muons, of columns pt, η, φ.
func Example() {
	muon := formula.Operand{Name: "mu", Form: formula.Polar, Columns: []string{"pt", "eta", "phi"}, Mass: 0.1057}
	read := muon.Reader()
	var a, b formula.Value
	read(&a, []float64{40, 0.5, 0})
	read(&b, []float64{45, -0.5, 3})
	mass := formula.Named("mass")
	fmt.Printf("%s: %.2f GeV\n", mass.Describe([]formula.Operand{muon, muon}), mass.Of([]*formula.Value{&a, &b}))
	// Output: mass of mu + mu: 95.49 GeV
}
