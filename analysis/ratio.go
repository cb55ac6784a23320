package analysis

import (
	"context"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
)

// ratioFor loads a ratio for a model; nil if it has no name.
func ratioFor(model *surrogate.Surrogate, file string) (*classify.Ratio, error) {
	if file == "" {
		return nil, nil
	}
	ratio, err := classify.Load(file)
	if err != nil {
		return nil, err
	}
	return ratio, model.CheckRatio(ratio)
}

// refine multiplies the density of a model by a ratio, nil for none.
func refine(ctx context.Context, model *surrogate.Surrogate, ratio *classify.Ratio) error {
	if ratio == nil {
		return nil
	}
	return model.Refine(ctx, ratio)
}

// given returns the files that have names.
func given(files ...string) []string {
	return slices.DeleteFunc(files, func(name string) bool { return name == "" })
}
