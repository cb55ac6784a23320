package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/diffusion"
)

// effective returns of how many training events the posterior mean is the mean along the
// paths of a model of kernel sums; nothing of other models.
func effective(ctx context.Context, m *surrogate.Surrogate) ([]diffusion.Effective, error) {
	const paths = 256
	k, ok := m.Inner().(*diffusion.Kernels)
	if !ok {
		return nil, nil
	}
	return k.Effective(ctx, paths, m.Card.Options.Seed)
}

// describeEffective tells of a few points of the path, in one line.
func describeEffective(path []diffusion.Effective) string {
	const points = 5
	last := len(path) - 1
	parts := []string{fmt.Sprintf("%.0f in noise alone", path[0].Median)}
	for k := 1; k < points; k++ {
		if at := path[k*last/points]; k*last/points > 0 {
			parts = append(parts, fmt.Sprintf("%.3g at σ/α = %.2g", at.Median, at.Sigma/at.Alpha))
		}
	}
	end := path[last]
	parts = append(parts, fmt.Sprintf("%.3g at σ_min = %.3g", end.Median, end.Sigma/end.Alpha))
	return "training events that the posterior mean is the mean of, effectively, in the median of paths: " + strings.Join(parts, ", ")
}
