package column

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Values that many events share are found by repetition, however many and whatever their share;
// accidents, and peaks of rounded values, are not.
func TestSpikes(t *testing.T) {
	const n = 3000
	weights := make([]float64, 200)
	for i := range weights {
		weights[i] = float64(float32(math.Exp(float64(i)/40) * 0.03))
	}
	round := func(x, unit float64) float64 { return math.Round(x/unit) * unit }
	for name, c := range map[string]struct {
		draw func(r *rand.Rand, i int) float64
		want func(v float64) bool // those that must be found; nil: none
	}{
		"14 weights of processes": {func(r *rand.Rand, i int) float64 {
			if r.Float64() < 0.37 {
				return weights[min(int(r.ExpFloat64()*4), 13)]
			}
			return r.ExpFloat64()
		}, func(v float64) bool { return slices.Contains(weights[:14], v) }},
		"200 weights of 10 events": {func(r *rand.Rand, i int) float64 {
			if i < 2000 {
				return weights[i%200]
			}
			return r.ExpFloat64()
		}, func(v float64) bool { return slices.Contains(weights, v) }},
		"eight events": {func(r *rand.Rand, i int) float64 {
			if i < 8 {
				return 0.25
			}
			return r.NormFloat64()
		}, func(v float64) bool { return v == 0.25 }},
		"a few events":       {func(r *rand.Rand, i int) float64 { return r.NormFloat64() + float64(max(i-5, 0)) }, nil},
		"float32":            {func(r *rand.Rand, i int) float64 { return float64(float32(r.NormFloat64())) }, nil},
		"three decimals":     {func(r *rand.Rand, i int) float64 { return round(r.ExpFloat64()*30, 0.001) }, nil},
		"two decimals":       {func(r *rand.Rand, i int) float64 { return round(r.ExpFloat64(), 0.01) }, nil},
		"a sharp peak":       {func(r *rand.Rand, i int) float64 { return round(r.NormFloat64()*math.Exp(2*r.NormFloat64()), 0.01) }, nil},
		"a long tail":        {func(r *rand.Rand, i int) float64 { return round(math.Pow(r.Float64(), -1.5), 0.01) }, nil},
		"a pile at the edge": {func(r *rand.Rand, i int) float64 { return round(math.Cos(2*math.Pi*r.Float64()), 0.001) }, nil},
		"ten bits":           {func(r *rand.Rand, i int) float64 { return Bits(10).Round(r.ExpFloat64()) }, nil},
		"roots of integers":  {func(r *rand.Rand, i int) float64 { return math.Sqrt(math.Floor(500 * r.ExpFloat64())) }, nil},
		"drawn again":        {func(r *rand.Rand, i int) float64 { return math.Sin(float64(r.IntN(n))) }, nil},
	} {
		for seed := range uint64(5) {
			r := rand.New(rand.NewPCG(seed, 7))
			x := make([]float64, n)
			for i := range x {
				x[i] = c.draw(r, i)
			}
			s := NewSample(x, nil)
			spikes := s.Spikes()
			for i, v := range s.Values {
				is := slices.Contains(spikes, v)
				must := c.want != nil && c.want(v) && s.Counts[i] >= fewestInSpike
				if is && (c.want == nil || !c.want(v)) || must && !is {
					t.Errorf("%s, seed %d: %g, which %d events share, is a spike: %v", name, seed, v, s.Counts[i], is)
				}
			}
		}
	}
}
