// Package demo makes the files that the examples read.
package demo

import (
	"context"
	"path/filepath"

	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/internal/zmumu"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// Events writes n events Z → µµ to a ROOT file in dir and returns its name. Beside the
// branches of zmumu, response is what a detector would
// measure of mu1_pt, over mu1_pt.
func Events(dir string, n int) (string, error) {
	table := events(0, n)
	file := filepath.Join(dir, "zmumu.root")
	return file, rootio.WriteFile(file, "Events", table)
}

// events returns the events first, first+1, ….
func events(first uint64, n int) *rootio.Table {
	table := zmumu.Default().Table(1, first, n)
	eta, _ := table.Column("mu1_eta")
	response := make([]float32, n)
	zmumu.Response(response, eta.Values().([]float32), first)
	table.Columns = append(table.Columns, rootio.ColumnOf("response", response))
	return table
}

// Model trains a small surrogate of the named branches of n events, given those of the
// condition, and writes it to a file in dir. The events are others than those of Events.
func Model(dir string, n int, branches, condition []string) (string, error) {
	all := events(1<<32, n)
	table := &rootio.Table{}
	for _, name := range append(branches, condition...) {
		c, _ := all.Column(name)
		table.Columns = append(table.Columns, c)
	}
	training, err := surrogate.New(context.Background(), table, nil, surrogate.Options{
		Model: "spline", Layers: 4, Hidden: 32, Seed: 1, Condition: condition,
		Train: training.Options{Epochs: 1 + 200_000/n},
	})
	if err != nil {
		return "", err
	}
	model, err := training.Run(context.Background())
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "model.eidolon")
	return file, model.Save(file)
}
