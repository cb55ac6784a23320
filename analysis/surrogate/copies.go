package surrogate

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/diffusion"
)

// copies counts copies of training events among n generated ones, where the part holds these, and their features z are known.
func (p *Part) copies(ctx context.Context, n int, z, c []float32) (*int64, error) {
	f, at := find[factor.Copier](p.Chain)
	if at < 0 || z == nil {
		return nil, nil
	}
	copies := int64(0)
	if n > 0 {
		seen := p.Chain.split(nil, nil, n, z, c)[at]
		share, err := f.Copies(ctx, seen.own, seen.context)
		if err != nil {
			return nil, err
		}
		copies = int64(math.Round(share * float64(n)))
	}
	return &copies, nil
}

// countsCopies reports whether the model is of a kind that might make copies, and not
// conditional.
func (tr *Training) countsCopies() bool {
	kind, _ := factor.ByName(tr.Parts[0].Chain.last().Kind())
	return kind.Copies && len(tr.Parts) == 1 && tr.Context.Dim() == 0 && tr.Parts[0].Features.Dim() > 0
}

// countCopies finds the share of copies among events that the model draws.
func (tr *Training) countCopies(ctx context.Context, train []float32) error {
	if !tr.countsCopies() {
		return nil
	}
	plan, chain, dim := tr.Card.Plan, tr.Parts[0].Chain, tr.Parts[0].Features.Dim()
	const most, part = 1 << 13, 1 << 9
	n := min(most, tr.Card.Learnt())
	z := make([]float32, n*dim)
	begin := time.Now()
	for lo := 0; lo < n; lo += part {
		if limit := plan.Train.MaxTime; limit > 0 && lo > 0 && time.Since(begin) > limit/20 {
			n = lo
			break
		}
		numbers := following(uint64(lo), min(part, n-lo))
		if err := chain.Sample(ctx, z[lo*dim:(lo+len(numbers))*dim], nil, plan.Seed, 0, numbers); err != nil {
			return err
		}
	}
	// Codes are the same in many events, and have noise in model space; and an event that is
	// turned around the detector is a copy, too. So it is what the last factor sees that counts.
	last := func(n int, x []float32) []float32 {
		views := chain.split(nil, nil, n, x, nil)
		return views[len(views)-1].own
	}
	share, err := diffusion.Copies(ctx, last(len(train)/dim, train), last(n, z[:n*dim]), chain.last().Dim())
	if err != nil {
		return fmt.Errorf("surrogate: could not count copies: %w", err)
	}
	tr.Card.Copies = &share
	return nil
}
