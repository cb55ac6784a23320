package surrogate

import (
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/analysis/features"
	coordinates "github.com/eidolon-hep/eidolon/analysis/features/find"
	"github.com/eidolon-hep/eidolon/internal/known"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// rotate rotates the two momenta of decays by angles, in the columns pt, eta, phi or px, py, pz of each.
func rotate(t *rootio.Table, polar bool, angle func(i int) float64) *rootio.Table {
	rotated := &rootio.Table{}
	for j := 0; j < 6; j += 3 {
		var x [3][]float64
		for k := range x {
			x[k] = t.Columns[j+k].Float64s()
		}
		for i := range x[0] {
			if polar {
				x[2][i] = math.Remainder(x[2][i]+angle(i), 2*math.Pi)
				continue
			}
			sin, cos := math.Sincos(angle(i))
			x[0][i], x[1][i] = x[0][i]*cos-x[1][i]*sin, x[0][i]*sin+x[1][i]*cos
		}
		for k := range x {
			rotated.Columns = append(rotated.Columns, rootio.ColumnOf(t.Columns[j+k].Name, x[k]))
		}
	}
	return rotated
}

// A model that is rotation symmetric is so exactly: the log-density of an event is that of the rotated one, with the refinement, too, and
// from the file. The azimuth of generated events is uniform.
func TestRotationSymmetry(t *testing.T) {
	for _, name := range []string{"decay", "decay_xyz"} {
		density, _ := known.Named(name)
		s := train(t, density.Table(1, 0, 3000), nil, Options{
			Model: spline, Layers: 3, Components: 1, Hidden: 12, Seed: 1, Refine: "1", Coordinates: PlainCoordinates, Train: training.Options{Epochs: 6},
			Features: features.Options{Choices: []coordinates.Choice{{Kind: coordinates.Rotation, Vectors: []string{"p1", "p2"}}}},
		})
		if !s.isSymmetric() || s.Refined == nil || !strings.Contains(s.Card.Plan.String(), "uniform azimuth") {
			t.Fatalf("%s: %v\nrefined: %v", name, &s.Card.Plan, s.Refined)
		}
		file := filepath.Join(t.TempDir(), "model")
		if err := s.Save(file); err != nil {
			t.Fatal(err)
		}
		loaded, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		test := density.Table(3, 0, 2000)
		logs, rotated := make([]float64, test.Len()), make([]float64, test.Len())
		turned := rotate(test, name == "decay", func(i int) float64 { return float64(i) })
		if err := errors.Join(s.LogDensity(t.Context(), logs, test, 0), loaded.LogDensity(t.Context(), rotated, turned, 0)); err != nil {
			t.Fatal(err)
		}
		for i := range logs {
			if d := math.Abs(logs[i] - rotated[i]); !(d < 0.01) {
				t.Fatalf("%s: event %d has the log-density %v, rotated %v", name, i, logs[i], rotated[i])
			}
		}
		const n = 8000
		drawn, _ := events(t, s, 5, n)
		x, y := drawn.Columns[0].Float64s(), drawn.Columns[1].Float64s()
		phi := drawn.Columns[2].Float64s()
		for k := 1.0; k <= 4; k++ {
			var re, im float64
			for i := range phi {
				if name != "decay" {
					phi[i] = math.Atan2(y[i], x[i])
				}
				sin, cos := math.Sincos(k * phi[i])
				re, im = re+cos, im+sin
			}
			if p := (re*re + im*im) / n; p > 14 { // by chance in one of a million
				t.Errorf("%s: harmonic %v of the azimuth of generated events is %.1f", name, k, p)
			}
		}
	}
}
