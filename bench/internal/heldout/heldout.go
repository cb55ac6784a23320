// Package heldout is what programs that measure surrogates on files have in common: the
// events to learn from and those to judge by, parted by a fixed hash of their numbers, and
// the judges.
package heldout

import (
	"context"
	"fmt"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Streams of the hashes.
const (
	streamTest = 1 << 60
	streamThin = 1<<60 + 1
)

// IsTest reports whether an event is kept from the training: one in four.
func IsTest(i int) bool { return philox.Uint64(0, streamTest, uint64(i))%4 == 0 }

// Read reads the named scalar branches of a file. No names: all but those left out.
func Read(file, tree string, names, without []string) (*rootio.Table, error) {
	in, err := rootio.Open(context.Background(), tree, file)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	if names == nil {
		for _, f := range in.Fields() {
			if !slices.Contains(without, f.Name) {
				names = append(names, f.Name)
			}
		}
		if names == nil {
			return nil, fmt.Errorf("%s: no branch is left", file)
		}
	}
	return in.Read(names, 0, in.Len())
}

// Split parts the events in those for training and the others.
func Split(all *rootio.Table) (train, test *rootio.Table) {
	var rows [2][]int
	for i := range all.Len() {
		k := 0
		if IsTest(i) {
			k = 1
		}
		rows[k] = append(rows[k], i)
	}
	return all.Take(rows[0]), all.Take(rows[1])
}

// Thin returns about n of the events, from all over the table, by a hash; all of them if
// there are no more, or if n is 0.
func Thin(t *rootio.Table, n int) *rootio.Table {
	if n == 0 || n >= t.Len() {
		return t
	}
	limit := uint64(float64(n) / float64(t.Len()) * (1 << 32))
	var rows []int
	for i := range t.Len() {
		if philox.Uint64(0, streamThin, uint64(i))>>32 < limit {
			rows = append(rows, i)
		}
	}
	return t.Take(rows)
}

// Judge tries to tell samples apart, by boosted trees or else as eidolon compare does.
func Judge(real, generated *rootio.Table, trees bool) (*classify.Result, error) {
	return classify.CrossFit(context.Background(), classify.Sample{Table: real}, classify.Sample{Table: generated}, classify.Options{Seed: 1, Trees: trees})
}

// Draw draws times as many events as there are in test, under its conditions, and puts
// these beside them.
func Draw(m *surrogate.Surrogate, test *rootio.Table, seed uint64, times int) (*rootio.Table, surrogate.Tails, error) {
	rows := make([]int, 0, times*test.Len())
	for range times {
		for i := range test.Len() {
			rows = append(rows, i)
		}
	}
	given := test.Take(rows)
	drawn := rootio.NewTable(m.Fields(), len(rows))
	tails, err := m.Generate(context.Background(), drawn, given, seed, 0)
	for _, name := range m.Context.Names() {
		c, _ := given.Column(name)
		drawn.Columns = append(drawn.Columns, c)
	}
	return drawn, tails, err
}

// Mean returns the mean of numbers and its statistical error.
func Mean(x []float64) (mean, sigma float64) {
	mean, std := stat.MeanStdDev(x, nil)
	return mean, stat.StdErr(std, float64(len(x)))
}
