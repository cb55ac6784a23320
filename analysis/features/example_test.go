package features_test

import (
	"context"
	"fmt"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Columns are looked at, encoded for a model, and decoded to what they were.
func Example() {
	n := 1000
	pt, charge, run := make([]float32, n), make([]int32, n), make([]uint32, n)
	for i := range n {
		u := (float32(i) + 0.5) / float32(n)
		pt[i] = 20 + u/(1-u) // a cut at 20 GeV and a tail
		charge[i] = int32(i%2)*2 - 1
		run[i] = 160955
	}
	table := &rootio.Table{Columns: []rootio.Column{
		rootio.ColumnOf("pt", pt), rootio.ColumnOf("charge", charge), rootio.ColumnOf("run", run),
	}}

	spec, err := features.Fit(context.Background(), table, nil, features.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range spec.Columns {
		fmt.Printf("%s: %s\n", c.Name, c.Describe())
	}

	z := make([]float32, n*spec.Dim())
	if err := spec.Encode(context.Background(), z, nil, table, features.Noise{Seed: 1}); err != nil {
		fmt.Println(err)
		return
	}
	back := rootio.NewTable(spec.Fields(), n)
	spec.Decode(back, z, nil)
	fmt.Println("charges come back:", fmt.Sprint(back.Columns[1].Values()) == fmt.Sprint(charge))
	// Output:
	// pt: log above 20
	// charge: 2 codes, dequantised
	// run: constant, restored on output
	// charges come back: true
}
