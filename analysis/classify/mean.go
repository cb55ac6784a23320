package classify

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/eidolon-hep/eidolon/internal/trees"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// Mean is an estimate of E[r | c], the mean of a positive number r given the columns of a condition, by boosted trees:
//
//	E[r | c] = Overall · (1 + Σ trees),  but within the range of r.
type Mean struct {
	Columns []string `json:"columns"`
	Overall float64  `json:"overall"` // E[r], over all conditions
	Least   float64  `json:"least"`   // the range of r
	Most    float64  `json:"most"`
	// Error is the relative error, the root of its mean square over conditions that were not learnt from, with two of its own standard
	// errors.
	Error float64 `json:"error"`

	forest *trees.Forest
	fast   trees.Compiled
}

// FitMean learns E[r | c] of the conditions in the rows of t. draws are values of r that were drawn given them, an even number of
// draws of all rows. Their range is that of r. The error is that a column is missing, or that of ctx.
func FitMean(ctx context.Context, t *rootio.Table, columns []string, draws [][]float64, least, most float64, seed uint64) (*Mean, error) {
	const judges = 4 // one condition in so many
	n, dim := t.Len(), len(columns)
	x := make([]float32, n*dim)
	if err := fillRows(x, dim, t, columns); err != nil {
		return nil, err
	}
	m := &Mean{Columns: columns, Least: least, Most: most}
	var halves [2][]float64 // means of the even draws, and of the odd ones
	for h := range halves {
		halves[h] = make([]float64, n)
		for k := h; k < len(draws); k += 2 {
			for i, r := range draws[k] {
				halves[h][i] += 2 * r / float64(len(draws))
			}
		}
	}
	for i := range n {
		m.Overall += (halves[0][i] + halves[1][i]) / float64(2*n)
	}
	y, w := make([]float32, n), make([]float32, n)
	var learn, judge []int32
	for i := range n {
		y[i], w[i] = float32((halves[0][i]+halves[1][i])/(2*m.Overall)-1), 1
		if philox.Uint64(seed, streamMean, uint64(i))%judges == 0 {
			judge = append(judge, int32(i))
		} else {
			learn = append(learn, int32(i))
		}
	}
	f, err := trees.Fit(ctx, trees.NewMatrix(x, dim, n), learn, judge, y, w, trees.Square(), trees.Options{
		Rounds: 100, Patience: 10, Leaves: 16, Depth: 4, Rate: 0.1, Ridge: 1, Least: 100, Seed: seed,
	})
	if err != nil {
		return nil, err
	}
	m.forest, m.fast = f, f.Compile()

	// Draws of the same condition are independent, so that the product of the deviations of two of them is the square of the
	// deviation of the estimate, in the mean.
	var sum, sum2 float64
	at, one := make([]float64, 1), make([]float32, dim)
	for _, i := range judge {
		copy(one, x[int(i)*dim:])
		m.means(at, one)
		square := (halves[0][i]/at[0] - 1) * (halves[1][i]/at[0] - 1)
		sum += square
		sum2 += square * square
	}
	if k := float64(len(judge)); k > 0 {
		m.Error = math.Sqrt(max(sum/k, 0) + 2*math.Sqrt(sum2)/k)
	}
	return m, nil
}

// streamMean is that of a seed that says which conditions judge.
const streamMean = 1<<49 + 9

// means stores E[r | c] of the rows of x in dst.
func (m *Mean) means(dst []float64, x []float32) {
	clear(dst)
	m.fast.Add(dst, x, 1)
	for i, s := range dst {
		dst[i] = min(max(m.Overall*(1+s), m.Least), m.Most)
	}
}

// Means stores E[r | c] of the conditions in the rows of t in dst. The error is that a column is missing.
func (m *Mean) Means(dst []float64, t *rootio.Table) error {
	x := make([]float32, len(dst)*len(m.Columns))
	if err := fillRows(x, len(m.Columns), t, m.Columns); err != nil {
		return err
	}
	m.means(dst, x)
	return nil
}

// Tensors returns the trees as tensors.
func (m *Mean) Tensors() []training.Tensor { return m.forest.Tensors() }

// Load takes over the trees, as [Mean.Tensors] returns them, of an estimate that was read from a file, given some columns. It
// checks all.
func (m *Mean) Load(tensors []training.Tensor, columns []string) (err error) {
	if len(m.Columns) != len(columns) || len(columns) == 0 {
		return errors.New("a mean depends on other columns than the condition")
	}
	for i, name := range columns {
		if m.Columns[i] != name {
			return fmt.Errorf("a mean depends on %q, and the condition is on %q", m.Columns[i], name)
		}
	}
	if !(m.Least > 0 && m.Least <= m.Overall && m.Overall <= m.Most && m.Most < math.MaxFloat32 && m.Error >= 0) {
		return fmt.Errorf("a mean of %g between %g and %g", m.Overall, m.Least, m.Most)
	}
	if m.forest, err = trees.Load(tensors, len(columns)); err != nil {
		return err
	}
	m.fast = m.forest.Compile()
	return nil
}
