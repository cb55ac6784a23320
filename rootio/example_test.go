package rootio_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/eidolon-hep/eidolon/rootio"
)

// Write three events to a file and read those of one charge back.
func Example() {
	dir, err := os.MkdirTemp("", "rootio")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "muons.root")

	muons := &rootio.Table{Columns: []rootio.Column{
		rootio.ColumnOf("pt", []float32{25.5, 31.25, 44}),
		rootio.ColumnOf("charge", []int8{-1, +1, -1}),
	}}
	w, err := rootio.Create(name, "Events", muons.Fields(), rootio.WithTitle("three muons"))
	if err != nil {
		log.Fatal(err)
	}
	defer w.Abort()
	if err := w.Write(muons); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}

	tree, err := rootio.Open(context.Background(), "", name)
	if err != nil {
		log.Fatal(err)
	}
	defer tree.Close()
	fmt.Printf("%s (%s) has %d events\n", tree.Name(), tree.Title(), tree.Len())
	for chunk, err := range tree.Chunks([]string{"charge", "pt"}, 1000) {
		if err != nil {
			log.Fatal(err)
		}
		charge, pt := chunk.Columns[0].Values().([]int8), chunk.Columns[1].Values().([]float32)
		for i := range chunk.Len() {
			if charge[i] < 0 {
				fmt.Println("pt =", pt[i])
			}
		}
	}
	// Output:
	// Events (three muons) has 3 events
	// pt = 25.5
	// pt = 44
}

func ExampleList() {
	dir, err := os.MkdirTemp("", "rootio")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "events.root")
	w, err := rootio.Create(name, "dir/tree", []rootio.Field{
		{Name: "run", Kind: rootio.Uint32}, {Name: "mass", Kind: rootio.Float64},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}

	trees, err := rootio.List(context.Background(), name)
	if err != nil {
		log.Fatal(err)
	}
	for _, tree := range trees {
		fmt.Println(tree.Name, tree.Entries)
		for _, b := range tree.Branches {
			fmt.Println(" ", b.Name, b.Type)
		}
	}
	// Output:
	// dir/tree 0
	//   run uint32
	//   mass float64
}
