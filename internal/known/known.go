// Package known has probability densities that are known in closed form and can be drawn
// from: what a model has learnt of one can be compared with the truth, event by event.
package known

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/internal/zmumu"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Density is a density with respect to its columns, in their units. It is safe for use by
// several goroutines.
type Density struct {
	Name   string // a word, unique
	Title  string // what it is, for a table
	Fields []rootio.Field

	table func(seed, first uint64, n int) *rootio.Table
	log   func(x []float64) float64
}

// Dim returns the number of columns.
func (d Density) Dim() int { return len(d.Fields) }

// Table returns the events first, first+1, …, first+n−1 of the sample that seed names, as
// columns of 64-bit floats. Event i depends on seed and i alone.
func (d Density) Table(seed, first uint64, n int) *rootio.Table { return d.table(seed, first, n) }

// LogDensity stores the natural logarithm of the density of each event of t in dst: −Inf
// where there are no events. The columns are found by name. It panics if one is missing.
func (d Density) LogDensity(dst []float64, t *rootio.Table) {
	columns := make([][]float64, d.Dim())
	for j, f := range d.Fields {
		c, ok := t.Column(f.Name)
		if !ok {
			panic(fmt.Sprintf("known: the events of %s have no column %s", d.Name, f.Name))
		}
		columns[j] = c.Float64s()
	}
	parallel.Ranges(len(dst), 1024, func(lo, hi int) {
		x := make([]float64, d.Dim())
		for i := lo; i < hi; i++ {
			for j, c := range columns {
				x[j] = c[i]
			}
			dst[i] = d.log(x)
		}
	})
}

// All returns the densities.
func All() []Density {
	return []Density{
		moons(),
		ring(),
		spirals(),
		checkerboard(),
		gaussians(),
		dimuon(),
		mixture(2, 8),
		mixture(8, 10),
		mixture(20, 10),
		student("student", 3, 2),
		student("student2", 2, 4),
		normal(2),
		normal(5),
		edges(),
		triangle(),
		resonance(),
		decay.polar("decay", "two-body decays in an acceptance"),
		decay.cartesian("decay_xyz", "the same as px, py, pz"),
		charmonium.charged("jpsi", "pairs of muons with a J/ψ"),
	}
}

// Names returns the names of all densities.
func Names() []string {
	var names []string
	for _, d := range All() {
		names = append(names, d.Name)
	}
	return names
}

// Named returns the density of that name.
func Named(name string) (Density, bool) {
	for _, d := range All() {
		if d.Name == name {
			return d, true
		}
	}
	return Density{}, false
}

// dimuon is the physics of eidolon demo: six independent variables of Z/γ* → µ⁺µ⁻.
func dimuon() Density {
	const dim = 6
	physics := zmumu.Default()
	return Density{
		Name:   "zmumu",
		Title:  "Z → µµ of the demo, D = 6",
		Fields: physics.Table(0, 0, 0).Fields()[:dim],
		table: func(seed, first uint64, n int) *rootio.Table {
			return &rootio.Table{Columns: physics.Table(seed, first, n).Columns[:dim]}
		},
		log: func(x []float64) float64 {
			return physics.LogDensity(zmumu.Event{Mass: x[0], Y: x[1], Pt: x[2], Phi: x[3], CosTheta: x[4], PhiStar: x[5]})
		},
	}
}

// rows is a density of the columns x0, x1, …, given event by event. Its draw fills x with an
// event from the deviates of r.
func rows(name, title string, dim int, draw func(r *rand.Rand, x []float64), log func(x []float64) float64) Density {
	fields := make([]rootio.Field, dim)
	for j := range fields {
		fields[j] = rootio.Field{Name: fmt.Sprintf("x%d", j), Kind: rootio.Float64}
	}
	return Density{
		Name:   name,
		Title:  fmt.Sprintf("%s, D = %d", title, dim),
		Fields: fields,
		log:    log,
		table: func(seed, first uint64, n int) *rootio.Table {
			t := rootio.NewTable(fields, n)
			columns := make([][]float64, dim)
			for j := range columns {
				columns[j] = t.Columns[j].Values().([]float64)
			}
			parallel.Ranges(n, 1024, func(lo, hi int) {
				s := &source{seed: seed, stream: streamOf(name)}
				r, x := rand.New(s), make([]float64, dim)
				for i := lo; i < hi; i++ {
					s.next = (first + uint64(i)) << 16
					draw(r, x)
					for j, v := range x {
						columns[j][i] = v
					}
				}
			})
			return t
		},
	}
}

// source has the deviates of one event at a time: those from next on of a stream. An event
// may take 2¹⁶ of them.
type source struct{ seed, stream, next uint64 }

func (s *source) Uint64() uint64 {
	u := philox.Uint64(s.seed, s.stream, s.next)
	s.next++
	return u
}

// streamOf keeps the deviates of a density apart from all others of the same seed: it spells
// the beginning of the name.
func streamOf(name string) uint64 {
	var b [8]byte
	copy(b[:], strings.ToUpper(name))
	stream := uint64(0)
	for _, c := range b {
		stream = stream<<8 | uint64(c)
	}
	return stream
}
