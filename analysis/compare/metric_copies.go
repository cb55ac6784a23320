package compare

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Copies says which part of a sample is nearer to an event of the training sample
// than one in a hundred training events is to its neighbour. One in a hundred is what
// new events give; more means that the model repeats its training events.
// Up to 2,000 events are looked at, and up to 100,000 of the training sample.
type Copies struct {
	Fraction  float64 `json:"fraction"` // of the candidate
	Error     float64 `json:"error"`
	Reference float64 `json:"reference"` // of the reference; one if it is the training sample
	Exact     float64 `json:"exact"`     // the part of the candidate that is equal to a training event in all columns
	Training  int     `json:"training"`  // events
}

const (
	copyQueries  = 2_000
	copyTraining = 100_000
)

func measureCopies(ctx context.Context, s *samples) Finding {
	if s.training == nil {
		return nil
	}
	some := func(k int) *cloud { return s.spread[k].take(s.chosen[k][:min(copyQueries, len(s.chosen[k]))]) }
	c := copies(ctx, s.training, some(0), some(1))
	if c == nil {
		return nil
	}
	return c
}

// MarshalJSON writes the copies under a name of their own.
func (c *Copies) MarshalJSON() ([]byte, error) {
	type fields Copies
	return json.Marshal(map[string]*fields{"copies": (*fields)(c)})
}

// Text gives the fractions.
func (c *Copies) Text() string {
	is := ""
	if c.Reference > 0.99 {
		is = ", which is the training sample"
	}
	return fmt.Sprintf("%.2f ± %.2f %% of the candidate, %.2f %% of the reference%s; %.2f %% of the candidate are equal to one of %s training events in all columns",
		100*c.Fraction, 100*c.Error, 100*c.Reference, is, 100*c.Exact, grouped(c.Training))
}

// Words say whether the model repeats its training events.
func (c *Copies) Words() []string {
	if c.TooMany() {
		return []string{fmt.Sprintf("%.1f %% of the candidate are copies of training events, where 1 %% is chance: the model repeats what it has seen, and its events are worth less than their number.", 100*c.Fraction)}
	}
	return []string{fmt.Sprintf("The candidate's events are new ones: %.2f ± %.2f %% are as near to a training event as the nearest in a hundred training events are to each other, and 1 %% is chance.", 100*c.Fraction, 100*c.Error)}
}

func copies(ctx context.Context, training, ref, cand *cloud) *Copies {
	rng := rand.New(rand.NewPCG(4, 0))
	kept := training.take(choose(training.n, copyTraining, nil, rng))
	own := make([]float64, min(copyQueries, kept.n))
	if len(own) < 2 || cand.n == 0 || ref.n == 0 {
		return nil
	}
	all(ctx, len(own), func(i int) { own[i] = kept.reach(kept.row(i), 1, i) })
	slices.Sort(own)
	limit := own[len(own)/100]
	part := func(c *cloud) (near, exact float64) {
		d := make([]float64, c.n)
		all(ctx, c.n, func(i int) { d[i] = kept.reach(c.row(i), 1, -1) })
		for _, v := range d {
			if v < limit || v == 0 {
				near += 1 / float64(c.n)
			}
			if v == 0 {
				exact += 1 / float64(c.n)
			}
		}
		return near, exact
	}
	k := &Copies{Training: kept.n}
	k.Fraction, k.Exact = part(cand)
	k.Reference, _ = part(ref)
	p := max(k.Fraction, 0.01) // the quantile has an error as well
	k.Error = math.Sqrt(p*(1-p)/float64(cand.n) + 0.01*0.99/float64(len(own)))
	return k
}

// TooMany reports whether the candidate repeats training events more often than
// chance gives.
func (c *Copies) TooMany() bool { return c.Fraction > 0.01+4*c.Error }
