package vectors_test

import (
	"fmt"

	"github.com/eidolon-hep/eidolon/analysis/vectors"
	"github.com/eidolon-hep/eidolon/rootio"
)

func Example() {
	t := &rootio.Table{Columns: []rootio.Column{
		rootio.ColumnOf("mu1_pt", []float64{30, 42}), rootio.ColumnOf("mu1_eta", []float64{0.5, -1}), rootio.ColumnOf("mu1_phi", []float64{0.1, 2}),
		rootio.ColumnOf("mu2_pt", []float64{28, 45}), rootio.ColumnOf("mu2_eta", []float64{-0.3, -1.2}), rootio.ColumnOf("mu2_phi", []float64{-3, -1}),
	}}
	found := vectors.Find(t, vectors.Options{})
	fmt.Println(found.String())
	mass := make([]float64, t.Len())
	q := found.Quantities()[0]
	q.Fill(mass, t, 0)
	fmt.Printf("%s: %.2f\n", q.Words, mass)
	// Output:
	// mu1: mu1_pt, mu1_eta, mu1_phi, mass 0.1057 (a muon, by its name)
	// mu2: mu2_pt, mu2_eta, mu2_phi, mass 0.1057 (a muon, by its name)
	// mass of mu1 + mu2: [62.65 87.17]
}
