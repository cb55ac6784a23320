package surrogate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/training"
)

// around is the density of events one of whose features is an angle φ around which something
// repeats, as the segments of a detector do:
//
//	p(x) = p(φ) p(y | sin kφ, cos kφ, …)
//
// y are the other features, and k the waves that they have around the circle
// ([features.Waves]). The angle is drawn first, so that what is drawn then depends on where
// in which segment an event is by smooth functions, and at no time of a diffusion has to
// be decided before that is known. p(φ) is the Fourier series of the training events, of what
// is not by chance: an edge in it is as sharp as 64 waves are.
type around struct {
	dim   int
	about aroundDescription
	parts []float64 // the probabilities of equal parts of the circle
	upTo  []float64 // their sums
	rest  Density
}

// aroundDescription is what a file says of such a density beside that of the rest.
type aroundDescription struct {
	Feature   int        `json:"feature"`
	Multiples []int      `json:"multiples"` // of the waves that the rest depends on, ascending
	Density   []harmonic `json:"density,omitempty"`
}

// harmonic is a term of 2π p(θ) = 1 + Σ (Cos cos kθ + Sin sin kθ).
type harmonic struct {
	Multiple int     `json:"multiple"`
	Cos      float64 `json:"cos"`
	Sin      float64 `json:"sin"`
}

const (
	mostMultiple = 64
	partsOfAngle = 1 << 12 // of a circle, 64 for the shortest wave
	leastPart    = 0.01    // of the density of a part, in units of the mean: the series of a narrow gap is negative there
)

// newAround returns the density of the n events z (n×dim) with the weights w (nil: 1
// each), around a feature, whose rest is not made yet.
func newAround(feature, dim int, z []float32, w []float64) *around {
	a := &around{dim: dim, about: aroundDescription{Feature: feature}}
	n := len(z) / dim
	waves := features.Waves(z, dim, w, feature)
	// The context of the events is in memory, twice where there are codes: beyond 2²⁶ numbers
	// only the strongest waves are.
	waves = waves[:min(len(waves), max(1<<25/max(n, 1), 8))]
	multiples := []int{1, 2, 3}
	for _, v := range waves {
		multiples = append(multiples, v.Multiple)
	}
	slices.Sort(multiples)
	a.about.Multiples = slices.Compact(multiples)

	var terms [mostMultiple]harmonic
	sum, squares := 0.0, 0.0
	for i := range n {
		weight := weightOf(w, i)
		sum, squares = sum+weight, squares+weight*weight
		s1, c1 := math.Sincos(theta(z[i*dim+feature]))
		s, c := s1, c1
		for k := range terms {
			terms[k].Cos, terms[k].Sin = terms[k].Cos+weight*c, terms[k].Sin+weight*s
			s, c = s*c1+c*s1, c*c1-s*s1
		}
	}
	chance := squares * math.Log(mostMultiple*1000) // see [features.Waves]
	for k, t := range terms {
		if t.Cos*t.Cos+t.Sin*t.Sin > chance && sum > 0 {
			// Beyond 2 only for weights of both signs.
			a.about.Density = append(a.about.Density, harmonic{k + 1, min(max(2*t.Cos/sum, -2), 2), min(max(2*t.Sin/sum, -2), 2)})
		}
	}
	a.finish()
	return a
}

// theta returns the angle of a feature that is linear in one.
func theta(z float32) float64 { return 2 * math.Pi / features.Period * float64(z) }

// finish derives what is not in a file.
func (a *around) finish() {
	a.parts, a.upTo = make([]float64, partsOfAngle), make([]float64, partsOfAngle)
	sum := 0.0
	for i := range a.parts {
		at := 2 * math.Pi * ((float64(i)+0.5)/partsOfAngle - 0.5)
		p := 1.0
		for _, t := range a.about.Density {
			s, c := math.Sincos(float64(t.Multiple) * at)
			p += t.Cos*c + t.Sin*s
		}
		a.parts[i] = max(p, leastPart)
		sum += a.parts[i]
	}
	total := 0.0
	for i, p := range a.parts {
		a.parts[i] = p / sum
		total += p / sum
		a.upTo[i] = total
	}
	a.upTo[partsOfAngle-1] = 1
}

func (a *around) Dim() int     { return a.dim }
func (a *around) Context() int { return 0 }
func (a *around) width() int   { return 2 * len(a.about.Multiples) }

func (a *around) String() string {
	return fmt.Sprintf("an angle with %d waves, for what is around it %v", len(a.about.Multiples), a.rest)
}

// waves writes the waves of an angle, of variance 1 each.
func (a *around) waves(row []float32, z float32) {
	s1, c1 := math.Sincos(theta(z))
	s, c := s1, c1
	for at, k := 0, 1; at < len(row); k++ {
		if a.about.Multiples[at/2] == k {
			row[at], row[at+1] = float32(math.Sqrt2*s), float32(math.Sqrt2*c)
			at += 2
		}
		s, c = s*c1+c*s1, c*c1-s*s1
	}
}

// split parts the rows x: what is around the angle (n×(dim−1)) and, unless nil, its context
// (n×width).
func (a *around) split(y, cy, x []float32) {
	parallel.Ranges(len(x)/a.dim, 1<<10, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row, left := x[i*a.dim:(i+1)*a.dim], y[i*(a.dim-1):(i+1)*(a.dim-1)]
			copy(left, row[:a.about.Feature])
			copy(left[a.about.Feature:], row[a.about.Feature+1:])
			if cy != nil {
				a.waves(cy[i*a.width():(i+1)*a.width()], row[a.about.Feature])
			}
		}
	})
}

// pieces gives the parts [lo, hi) of n rows, so short that their contexts take no memory.
func pieces(n int, f func(lo, hi int) error) error {
	const piece = 1 << 14
	for lo := 0; lo < n; lo += piece {
		if err := f(lo, min(lo+piece, n)); err != nil {
			return err
		}
	}
	return nil
}

func (a *around) LogDensity(ctx context.Context, dst []float64, x, _ []float32) error {
	return pieces(len(dst), func(lo, hi int) error {
		n := hi - lo
		y, cy := make([]float32, n*(a.dim-1)), make([]float32, n*a.width())
		a.split(y, cy, x[lo*a.dim:hi*a.dim])
		if err := a.rest.LogDensity(ctx, dst[lo:hi], y, cy); err != nil {
			return err
		}
		for i := lo; i < hi; i++ {
			turn := float64(x[i*a.dim+a.about.Feature])/features.Period + 0.5
			if turn -= math.Floor(turn); !(turn >= 0 && turn <= 1) { // of what is not finite
				dst[i] = math.NaN()
				continue
			}
			part := min(int(turn*partsOfAngle), partsOfAngle-1)
			dst[i] += math.Log(a.parts[part] * partsOfAngle / features.Period)
		}
		return nil
	})
}

// streamAngle is the stream of a seed that angles are drawn from.
const streamAngle = 1 << 61

// Sample draws angles first and then the rest. Another attempt has the same angles.
func (a *around) Sample(ctx context.Context, x, c []float32, seed, attempt, first uint64) error {
	rows := make([]uint64, len(x)/a.dim)
	for i := range rows {
		rows[i] = first + uint64(i)
	}
	return a.SampleRows(ctx, x, c, seed, attempt, rows)
}

// SampleRows is like [around.Sample] for events of the given numbers.
func (a *around) SampleRows(ctx context.Context, x, _ []float32, seed, attempt uint64, rows []uint64) error {
	return pieces(len(rows), func(lo, hi int) error {
		return a.sample(ctx, x[lo*a.dim:hi*a.dim], seed, attempt, rows[lo:hi])
	})
}

func (a *around) sample(ctx context.Context, x []float32, seed, attempt uint64, rows []uint64) error {
	n := len(rows)
	u := make([]float64, n)
	for lo, hi := range runs(rows) {
		philox.Uniform64(u[lo:hi], seed, streamAngle, rows[lo])
	}
	angles, y, cy := make([]float32, n), make([]float32, n*(a.dim-1)), make([]float32, n*a.width())
	parallel.Ranges(n, 1<<10, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			k, _ := slices.BinarySearch(a.upTo, u[i])
			turn := (float64(k) + 1 - (a.upTo[k]-u[i])/a.parts[k]) / partsOfAngle
			angles[i] = float32(features.Period * (turn - 0.5))
			a.waves(cy[i*a.width():(i+1)*a.width()], angles[i])
		}
	})
	if err := sampleRows(ctx, a.rest, y, cy, seed, attempt, rows); err != nil {
		return err
	}
	for i, z := range angles {
		row, left := x[i*a.dim:(i+1)*a.dim], y[i*(a.dim-1):(i+1)*(a.dim-1)]
		copy(row, left[:a.about.Feature])
		row[a.about.Feature] = z
		copy(row[a.about.Feature+1:], left[a.about.Feature:])
	}
	return nil
}

// Train fits the density of what is around the angle; that of the angle is known.
func (a *around) Train(ctx context.Context, train, valid training.Data, opts training.Options) (training.History, error) {
	return a.rest.Train(ctx, a.data(train), a.data(valid), opts)
}

// data returns the rows for what is around the angle.
func (a *around) data(d training.Data) training.Data {
	n := len(d.X) / a.dim
	rest := training.Data{
		X: make([]float32, n*(a.dim-1)), Dim: a.dim - 1, W: d.W,
		C: make([]float32, n*a.width()), Context: a.width(),
	}
	a.split(rest.X, rest.C, d.X)
	if d.Refresh != nil {
		rest.Refresh = func(ctx context.Context, pass uint64) {
			d.Refresh(ctx, pass)
			a.split(rest.X, rest.C, d.X)
		}
	}
	return rest
}

func (a *around) Tensors() []training.Tensor { return prefixed("around", a.rest.Tensors()) }

// aroundFile is such a density without its parameters.
type aroundFile struct {
	Dim   int               `json:"dim"`
	About aroundDescription `json:"about"`
	Rest  described         `json:"rest"`
}

func (a *around) MarshalJSON() ([]byte, error) {
	rest, err := describeDensity(a.rest)
	if err != nil {
		return nil, err
	}
	return json.Marshal(aroundFile{a.dim, a.about, rest})
}

// loadAround returns the density that a file describes, of features of a shape.
func loadAround(text []byte, tensors []training.Tensor, of shape) (*around, error) {
	var file aroundFile
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("surrogate: could not read the description of a density: %w", err)
	}
	a := &around{dim: file.Dim, about: file.About}
	damaged := errors.New("surrogate: the description of what is around an angle is damaged")
	isMultiple := func(k int) bool { return k >= 1 && k <= mostMultiple }
	ascending := slices.IsSorted(a.about.Multiples) && len(slices.Compact(slices.Clone(a.about.Multiples))) == len(a.about.Multiples)
	if a.dim != of.dim || a.dim < 2 || !of.hasAngle || a.about.Feature != of.angle || len(a.about.Multiples) == 0 || len(a.about.Density) > mostMultiple || !ascending ||
		slices.ContainsFunc(a.about.Multiples, func(k int) bool { return !isMultiple(k) }) ||
		slices.ContainsFunc(a.about.Density, func(t harmonic) bool { return !isMultiple(t.Multiple) || !(math.Abs(t.Cos)+math.Abs(t.Sin) < 8) }) {
		return nil, damaged
	}
	a.finish()
	var err error
	a.rest, err = file.Rest.load(under("around", tensors), of.aroundAngle(), a.width())
	return a, err
}

// shape is what densities need to know of features.
type shape struct {
	dim      int
	discrete []features.Discrete
	angle    int // the one that is linear in an angle
	hasAngle bool
}

func shapeOf(spec *features.Spec) shape {
	angle, ok := spec.Angle()
	return shape{spec.Dim(), spec.Discrete(), angle, ok}
}

// aroundAngle returns the shape of all features but the angle.
func (s shape) aroundAngle() shape {
	rest := shape{dim: s.dim - 1}
	for _, d := range s.discrete {
		if d.Feature > s.angle { // an angle is not discrete
			d.Feature--
		}
		rest.discrete = append(rest.discrete, d)
	}
	return rest
}
