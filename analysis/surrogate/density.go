package surrogate

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/eidolon-hep/eidolon/flows"
	"github.com/eidolon-hep/eidolon/training"
)

// Density is a model of the events in model space: p(x|c) of rows x of Dim
// features, given rows c of Context features. All matrices are row-major; rows are
// independent of each other.
type Density interface {
	Dim() int
	Context() int
	// Sample draws the events first, first+1, … of a seed into x. Event i depends on
	// (seed, attempt, i) and its context alone; another attempt is another event. The error
	// is that of ctx.
	Sample(ctx context.Context, x, c []float32, seed, attempt, first uint64) error
	// LogDensity stores log p(x|c) of each row of x in dst. The error is that of ctx.
	LogDensity(ctx context.Context, dst []float64, x, c []float32) error
	// Train fits the density to the rows of train.
	Train(ctx context.Context, train, valid training.Data, opts training.Options) (training.History, error)
	// Tensors returns the parameters, and MarshalJSON what they are the parameters of.
	Tensors() []training.Tensor
	json.Marshaler
	fmt.Stringer
}

// sampleRows is like [Density.Sample] for events of the given numbers, one for each
// row of x, which need not follow each other.
func sampleRows(ctx context.Context, d Density, x, c []float32, seed, attempt uint64, rows []uint64) error {
	if s, ok := d.(interface {
		SampleRows(ctx context.Context, x, c []float32, seed, attempt uint64, rows []uint64) error
	}); ok {
		return s.SampleRows(ctx, x, c, seed, attempt, rows)
	}
	dim, width := d.Dim(), d.Context()
	for lo, hi := range runs(rows) {
		if err := d.Sample(ctx, x[lo*dim:hi*dim], c[lo*width:hi*width], seed, attempt, rows[lo]); err != nil {
			return err
		}
	}
	return nil
}

// runs gives the parts [lo, hi) of rows whose numbers follow each other.
func runs(rows []uint64) iter.Seq2[int, int] {
	return func(yield func(lo, hi int) bool) {
		for lo := 0; lo < len(rows); {
			hi := lo + 1
			for hi < len(rows) && rows[hi] == rows[lo]+uint64(hi-lo) {
				hi++
			}
			if !yield(lo, hi) {
				return
			}
			lo = hi
		}
	}
}

// innermost returns the density of what is left beside an angle and codes, nil where nothing
// is.
func innermost(d Density) Density {
	for {
		switch m := d.(type) {
		case *around:
			d = m.rest
		case *mixed:
			return m.rest
		default:
			return d
		}
	}
}

// withInnermost returns a copy of the density with another one in the place of the innermost.
func withInnermost(d, inner Density) Density {
	switch m := d.(type) {
	case *around:
		again := *m
		again.rest = withInnermost(m.rest, inner)
		return &again
	case *mixed:
		again := *m
		again.rest = inner
		return &again
	default:
		return inner
	}
}

// left returns what the innermost density is of, for rows z of d with the contexts c: its
// rows and their contexts, or no contexts for none (nil).
func left(d Density, z, c []float32) (y, cy []float32) {
	n := len(z) / d.Dim()
	switch m := d.(type) {
	case *around:
		y = make([]float32, n*(m.dim-1))
		if c != nil {
			cy = make([]float32, n*m.width())
		}
		m.split(y, cy, z)
		return left(m.rest, y, cy)
	case *mixed:
		y = make([]float32, n*len(m.kept))
		if c != nil {
			cy = make([]float32, n*(m.context+m.widths))
		}
		m.split(make([]byte, n*len(m.parts)), y, cy, nil, z, c)
		return y, cy
	default:
		return z, c
	}
}

// described is a density as a model file describes it: by the name of what it is,
// and by its own description.
type described map[string]json.RawMessage

func describeDensity(d Density) (described, error) {
	name := "diffusion"
	switch d.(type) {
	case *flows.Flow:
		name = "flow"
	case *mixed:
		name = "mixed"
	case *around:
		name = "around"
	}
	text, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("surrogate: could not describe the density: %w", err)
	}
	return described{name: text}, nil
}

// load returns the density of features of a shape, given so many features of the context.
func (d described) load(tensors []training.Tensor, of shape, context int) (density Density, err error) {
	if len(d) != 1 {
		return nil, fmt.Errorf("surrogate: the file describes %d densities", len(d))
	}
	for name, text := range d {
		switch name {
		case "flow":
			density, err = flows.Load(text, tensors)
		case "diffusion":
			density, err = loadDiffusion(text, tensors)
		case "mixed":
			density, err = loadMixed(text, tensors, of)
		case "around":
			density, err = loadAround(text, tensors, of)
		default:
			err = fmt.Errorf("surrogate: this program knows no density that is called %q", name)
		}
	}
	if err != nil {
		return nil, err
	}
	if density.Dim() != of.dim || density.Context() != context {
		return nil, fmt.Errorf("surrogate: a density has %d features and %d context features, there are %d and %d", density.Dim(), density.Context(), of.dim, context)
	}
	return density, nil
}

// under returns the tensors whose names begin with a prefix and a dot, without it.
func under(prefix string, tensors []training.Tensor) (found []training.Tensor) {
	for _, t := range tensors {
		if name, ok := strings.CutPrefix(t.Name, prefix+"."); ok {
			t.Name = name
			found = append(found, t)
		}
	}
	return found
}

// prefixed is the inverse of under.
func prefixed(prefix string, tensors []training.Tensor) []training.Tensor {
	tensors = slices.Clone(tensors)
	for i := range tensors {
		tensors[i].Name = prefix + "." + tensors[i].Name
	}
	return tensors
}
