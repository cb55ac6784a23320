package factor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/internal/em"
	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/training"
)

// angle is the density of an angle φ around which something repeats, as the segments of a
// detector do. The factors after it get the waves sin kφ and cos kφ, with the k that the other
// features have around the circle ([features.Waves]): what is drawn then depends by smooth
// functions on where in which segment an event is. p(φ) is the Fourier series of the training
// events, of those terms that are not by chance: an edge in it is as sharp as 64 waves are.
type angle struct {
	about angleDescription
	dim   int       // the number of features that come to it
	parts []float64 // the probabilities of equal parts of the circle
	upTo  []float64 // their sums
}

// angleDescription is what a file says of an angle.
type angleDescription struct {
	Feature   int        `json:"feature"`
	Multiples []int      `json:"multiples"` // k of the waves, ascending
	Density   []harmonic `json:"density,omitempty"`
}

// harmonic is a term of 2π p(φ) = 1 + Σ (Cos cos kφ + Sin sin kφ).
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

func angleKind() Kind {
	return Kind{
		Name: "angle",
		Free: true,
		Find: func(_ context.Context, events Events, _ Settings) (Factor, error) {
			if events.Angle < 0 {
				return nil, nil
			}
			return newAngle(events), nil
		},
		Load: loadAngle,
	}
}

func newAngle(events Events) *angle {
	dim, feature, z, n := events.Dim, events.Angle, events.Rows(), events.N
	a := &angle{dim: dim, about: angleDescription{Feature: feature}}
	waves := features.Waves(z, dim, events.Weights, feature)
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
		weight := events.weight(i)
		sum, squares = sum+weight, squares+weight*weight
		s1, c1 := math.Sincos(phi(z[i*dim+feature]))
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

// phi returns the angle of a feature that is linear in one.
func phi(z float32) float64 { return 2 * math.Pi / features.Period * float64(z) }

// finish derives what is not in a file.
func (a *angle) finish() {
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

func (a *angle) Kind() string   { return "angle" }
func (a *angle) Cut() Cut       { return a }
func (a *angle) Dim() int       { return 1 }
func (a *angle) Context() int   { return 0 }
func (a *angle) Own() []int     { return []int{a.about.Feature} }
func (a *angle) Left() int      { return a.dim - 1 }
func (a *angle) Told() int      { return 2 * len(a.about.Multiples) }
func (a *angle) String() string { return fmt.Sprintf("an angle with %d waves", len(a.about.Multiples)) }

func (a *angle) Rest(of Features) Features { return of.without(a.about.Feature) }

func (a *angle) Split(own, rest []float32, _ []float64, x []float32) {
	parallel.Ranges(len(own), 1<<10, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			own[i] = takeOut(rest[i*(a.dim-1):(i+1)*(a.dim-1)], x[i*a.dim:(i+1)*a.dim], a.about.Feature)
		}
	})
}

func (a *angle) Join(x, own, rest []float32) {
	for i, z := range own {
		putIn(x[i*a.dim:(i+1)*a.dim], rest[i*(a.dim-1):(i+1)*(a.dim-1)], a.about.Feature, z)
	}
}

// Tell writes the waves of an angle, of variance 1 each.
func (a *angle) Tell(told, own []float32) {
	s1, c1 := math.Sincos(phi(own[0]))
	s, c := s1, c1
	for at, k := 0, 1; at < len(told); k++ {
		if a.about.Multiples[at/2] == k {
			told[at], told[at+1] = float32(math.Sqrt2*s), float32(math.Sqrt2*c)
			at += 2
		}
		s, c = s*c1+c*s1, c*c1-s*s1
	}
}

func (a *angle) LogDensity(ctx context.Context, dst []float64, x, _ []float32) error {
	for i, z := range x {
		dst[i], _ = a.at(z)
	}
	return ctx.Err()
}

// at returns log p of an angle and the probability of those before it: NaN for what is not finite.
func (a *angle) at(z float32) (logDensity, below float64) {
	turn := float64(z)/features.Period + 0.5
	if turn -= math.Floor(turn); !(turn >= 0 && turn <= 1) {
		return math.NaN(), math.NaN()
	}
	part := min(int(turn*partsOfAngle), partsOfAngle-1)
	return math.Log(a.parts[part] * partsOfAngle / features.Period), a.upTo[part] - a.parts[part]*(float64(part)+1-turn*partsOfAngle)
}

// angleAt returns the angle before which the others have the probability u: the inverse of at.
func (a *angle) angleAt(u float64) float32 {
	k, _ := slices.BinarySearch(a.upTo, u)
	turn := (float64(k) + 1 - (a.upTo[k]-u)/a.parts[k]) / partsOfAngle
	return float32(features.Period * (turn - 0.5))
}

// Map returns the map of the angle to a standard normal, y = Φ⁻¹(P(φ)).
func (a *angle) Map() Map { return angleMap{a} }

type angleMap struct{ a *angle }

func (m angleMap) Layers() []string { return []string{"angle"} }

func (m angleMap) Forward(ctx context.Context, y []float32, logDet [][]float64, x, _ []float32) error {
	for i, z := range x {
		log, below := m.a.at(z)
		y[i] = quantileOf(below)
		if logDet != nil {
			logDet[0][i] += log - em.LogNormal(y[i:i+1])
		}
	}
	return ctx.Err()
}

func (m angleMap) Inverse(ctx context.Context, x, y, _ []float32) error {
	for i, v := range y {
		x[i] = m.a.angleAt(distuv.UnitNormal.CDF(float64(v)))
	}
	return ctx.Err()
}

func (m angleMap) LogBase(dst []float64, y []float32) {
	for i := range dst {
		dst[i] = em.LogNormal(y[i : i+1])
	}
}

func (m angleMap) Noise(y []float32, seed, _ uint64, numbers []uint64) {
	for i, u := range m.a.deviates(seed, numbers) {
		y[i] = quantileOf(u)
	}
}

// quantileOf returns Φ⁻¹(u), which is finite for 0 and 1, too.
func quantileOf(u float64) float32 {
	const least = 1e-16
	return float32(mathext.NormalQuantile(min(max(u, least), 1-least)))
}

// Sample draws angles. Another attempt has the same ones.
func (a *angle) Sample(ctx context.Context, x, _ []float32, seed, _ uint64, numbers []uint64) error {
	u := a.deviates(seed, numbers)
	parallel.Ranges(len(u), 1<<10, func(lo, hi int) {
		for i, v := range u[lo:hi] {
			x[lo+i] = a.angleAt(v)
		}
	})
	return ctx.Err()
}

func (a *angle) deviates(seed uint64, numbers []uint64) []float64 {
	u := make([]float64, len(numbers))
	for lo, hi := range philox.Runs(numbers) {
		philox.Uniform64(u[lo:hi], seed, streamAngle, numbers[lo])
	}
	return u
}

// Train has nothing to do: the density was known when the factor was made.
func (a *angle) Train(ctx context.Context, _, _ training.Data, _ training.Options) (training.History, error) {
	return training.History{}, ctx.Err()
}

func (a *angle) Tensors() []training.Tensor   { return nil }
func (a *angle) MarshalJSON() ([]byte, error) { return json.Marshal(a.about) }

// loadAngle returns the angle that a file describes.
func loadAngle(text []byte, _ []training.Tensor, of Features) (Factor, error) {
	a := &angle{dim: of.Dim}
	if err := json.Unmarshal(text, &a.about); err != nil {
		return nil, fmt.Errorf("factor: could not read the description of an angle: %w", err)
	}
	isMultiple := func(k int) bool { return k >= 1 && k <= mostMultiple }
	ascending := slices.IsSorted(a.about.Multiples) && len(slices.Compact(slices.Clone(a.about.Multiples))) == len(a.about.Multiples)
	if of.Dim < 2 || of.Angle < 0 || a.about.Feature != of.Angle || len(a.about.Multiples) == 0 || len(a.about.Density) > mostMultiple || !ascending ||
		slices.ContainsFunc(a.about.Multiples, func(k int) bool { return !isMultiple(k) }) ||
		slices.ContainsFunc(a.about.Density, func(t harmonic) bool { return !isMultiple(t.Multiple) || !(math.Abs(t.Cos)+math.Abs(t.Sin) < 8) }) {
		return nil, errors.New("factor: the description of an angle is damaged")
	}
	a.finish()
	return a, nil
}
