package rntuple_test

import (
	"bytes"
	"fmt"
	"log"

	"github.com/eidolon-hep/eidolon/rootio/rntuple"
)

// A tuple is written to memory and read from there. In a ROOT file, each blob would be a record
// of class RBlob, and the anchor one of class ROOT::RNTuple.
func Example() {
	file := make([]byte, 8)
	put := func(blob []byte) (int64, error) {
		file = append(file, blob...)
		return int64(len(file) - len(blob)), nil
	}
	w, err := rntuple.NewWriter(put, "events", []rntuple.NewField{
		{Name: "run", Kind: rntuple.Int32},
		{Name: "jet.pt", Kind: rntuple.Float32, Lists: 1},
	}, rntuple.WriterOptions{})
	if err != nil {
		log.Fatal(err)
	}
	if err := w.Write(3, []rntuple.Values{
		{Numbers: []int32{7, 7, 8}},
		{Numbers: []float32{50, 40, 30}, Lengths: [][]uint64{{1, 0, 2}}},
	}); err != nil {
		log.Fatal(err)
	}
	anchor, err := w.Close()
	if err != nil {
		log.Fatal(err)
	}

	t, err := rntuple.Open(bytes.NewReader(file), int64(len(file)), anchor, nil)
	if err != nil {
		log.Fatal(err)
	}
	leaf := t.Leaves()[1]
	r := t.Reader(leaf)
	n, err := r.Select(0, t.Entries())
	if err != nil {
		log.Fatal(err)
	}
	pt := make([]float32, r.Len())
	if err := r.Values(pt); err != nil {
		log.Fatal(err)
	}
	fmt.Println(leaf.Name, leaf.Type, n, r.Ends(0), pt)
	// Output: jet.pt std::vector<float> 3 [1 1 3] [50 40 30]
}
