package surrogate

import (
	"encoding/json"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/flows"
	"github.com/eidolon-hep/eidolon/internal/known"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// TestLecture checks that a Real NVP in the form of the lecture has its layers and nothing else, on
// columns that are standardised with the mean and the standard deviation of the events, be their
// density skewed or bounded; that it learns, and that it is so after saving and loading.
func TestLecture(t *testing.T) {
	moons, _ := known.Named("moons")
	table := moons.Table(1, 0, 4000)
	x, y := make([]float64, table.Len()), make([]float64, table.Len())
	table.Columns[0].Floats(x, 0)
	table.Columns[1].Floats(y, 0)
	for i := range y {
		y[i] = math.Exp(y[i]) + max(x[i], 0)
		x[i] = math.Abs(x[i]) // an edge
	}
	table = &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", x), rootio.ColumnOf("y", y)}}
	trained := train(t, table, nil, Options{
		Model: realNVP, Coupling: factor.Lecture, Layers: 4, Hidden: 16, Seed: 1, Train: training.Options{Epochs: 8},
	})
	file := filepath.Join(t.TempDir(), "m")
	if err := trained.Save(file); err != nil {
		t.Fatal(err)
	}
	s, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	z := make([]float32, 2*len(x))
	if err := s.Parts[0].Features.Encode(t.Context(), z, nil, table, features.Noise{}); err != nil {
		t.Fatal(err)
	}
	for j, column := range [][]float64{x, y} {
		mean, variance := stat.PopMeanVariance(column, nil)
		for i, v := range column {
			if want := (v - mean) / math.Sqrt(variance); math.Abs(float64(z[2*i+j])-want) > 1e-5*(1+math.Abs(want)) {
				t.Fatalf("column %d: %g becomes %g, want %g", j, v, z[2*i+j], want)
			}
		}
	}
	f, err := flows.New(2, 0, 1, flows.LectureRealNVP(2, flows.RealNVPOptions{Layers: 4, Hidden: []int{16, 16}})...)
	if err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := json.Marshal(s.Parts[0].Chain); err != nil || !strings.Contains(string(got), string(want)) {
		t.Errorf("the chain is %s, want %s in it (%v)", got, want, err)
	}
	if first, best := s.Card.History.Points[0].Valid, s.Card.History.Best; !(best < first-0.1) {
		t.Errorf("the loss has gone from %g to %g", first, best)
	}
}
