package diffusion

import (
	"context"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/kernels/philox"
)

const (
	// fewest is the number of events from which on coarser ones are made.
	fewest = 256
	// coarseError is the error that they may have where they keep moments of degree 2,
	// in units of ε. For a degree d it is 1/(d−1)² of that, but ε at least: a smaller
	// error costs little there.
	coarseError = 100
	// The kernels on which it is measured have widths up to broadest standard
	// deviations of the events.
	broadest = 64
	narrower = 0.84 // each has so much of the width of the one before
	trials   = 64   // x for each width
	// streamTrial is the stream that their noise is from, the next that of their events.
	streamTrial = 1 << 53
)

// coarsen makes coarser events, and coarser ones of these, as long as there are kernels
// that are broad enough, and finds how broad.
func (m *Mixture) coarsen(ctx context.Context) error {
	_, _, variance := moments(m.x, m.w, m.dim)
	kept := polynomials(m.dim)
	if kept == nil || !(variance > 0) { // equal events are coarse as they are
		return nil
	}
	degree := kept[len(kept)-1][m.dim-1]
	allowed := max(1, coarseError/float64((degree-1)*(degree-1))) * m.epsilon
	var exact []trial
	h := broadest * math.Sqrt(variance/float64(m.dim))
	least := h * 1e-9
	for c := m; c.n >= fewest; c = c.coarser {
		x, w := c.recombine(ctx, kept)
		if err := ctx.Err(); err != nil {
			return err
		}
		next, err := newMixture(ctx, x, w, m.dim, m.epsilon)
		if err != nil {
			return err
		}
		from := math.Inf(1) // or the last width before the error is larger
		for k := 0; ; k++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			if k == len(exact) && !(h > least) {
				break
			}
			if k == len(exact) {
				exact = append(exact, m.try(ctx, h))
				h *= narrower
			}
			if !(exact[k].error(ctx, next) <= allowed) {
				break
			}
			from = exact[k].h
		}
		if math.IsInf(from, 1) {
			break
		}
		c.coarser, c.from = next, from
	}
	for c := m; c != nil; c = c.coarser {
		c.blocks.Store(0)
	}
	return nil
}

// trial is q at some x for kernels of the width h, and the traces of the covariance of
// x_0 given x, in units of h².
type trial struct {
	h     float64
	x, q  []float32
	trace []float64
}

// try works out q at some x by all events.
func (m *Mixture) try(ctx context.Context, h float64) trial {
	t := trial{h, make([]float32, trials*m.dim), make([]float32, trials*m.dim), make([]float64, trials)}
	philox.Normal(t.x, 0, streamTrial, 0)
	for i := range trials {
		event := int(philox.Uint64(0, streamTrial+1, uint64(i)) % uint64(m.n))
		for d, c := range m.x[event*m.dim:][:m.dim] {
			t.x[i*m.dim+d] = c + float32(h)*t.x[i*m.dim+d]
		}
	}
	m.meanOfAll(ctx, t.q, t.trace, t.x, 1, h)
	return t
}

// error returns the error of q by a mixture, relative to the root of the trace.
func (t trial) error(ctx context.Context, m *Mixture) float64 {
	q, sum := make([]float32, len(t.q)), 0.0
	m.meanOfAll(ctx, q, nil, t.x, 1, t.h)
	for i, v := range q {
		off := float64(v-t.q[i]) / t.h
		sum += off * off / t.trace[i/m.dim]
	}
	return math.Sqrt(sum / trials)
}

// recombine returns some of the events with other weights. In each cell of neighbours
// the weighted sums of some polynomials stay what they are, and no more events are left
// than there are polynomials; in the last cell, all of them if they are fewer.
func (m *Mixture) recombine(ctx context.Context, kept [][]int) (x, w []float32) {
	cell := cellLen // a third more than are left, or more
	for 3*cell < 4*len(kept) {
		cell *= 2
	}
	cells := (m.n + cell - 1) / cell
	xs, ws := make([][]float32, cells), make([][]float32, cells)
	parallel.RangesContext(ctx, cells, 8, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			first, last := i*cell, min((i+1)*cell, m.n)
			xs[i], ws[i] = recombine(m.x[first*m.dim:last*m.dim], m.w[first:last], kept)
		}
	})
	return slices.Concat(xs...), slices.Concat(ws...)
}

// polynomials returns the degrees in each feature of those that coarser events keep: all
// up to a total degree, of which there are at most 64, or 160 where it is 2. It is nil
// where there are more. Those of lower total degree come first, the last is a power of
// the last feature.
func polynomials(dim int) [][]int {
	var all [][]int
	for degree := 0; ; degree++ {
		count := 1 // binomial: the number of them up to this degree
		for d := range dim {
			count = count * (degree + d + 1) / (d + 1)
			if count > 160 || degree > 2 && count > 64 {
				if degree <= 2 {
					return nil
				}
				return all
			}
		}
		powers := make([]int, dim)
		var add func(d, left int)
		add = func(d, left int) {
			if d == dim-1 {
				powers[d] = left
				all = append(all, slices.Clone(powers))
				return
			}
			for powers[d] = left; powers[d] >= 0; powers[d]-- {
				add(d+1, left-powers[d])
			}
		}
		add(0, degree)
	}
}

// recombine returns events out of x, with weights that keep the sums of polynomials of
// the events (Tchernychova; Litterer, Lyons, Ann. Appl. Probab. 22 (2012) 1301). They are
// products of Chebyshev's in the box of the events, which are as good as any others of
// their degrees, and not small or almost the same.
func recombine(x, w []float32, kept [][]int) (xs, ws []float32) {
	n, dim := len(w), len(kept[0])
	degree := kept[len(kept)-1][dim-1]
	rows := make([][]float64, len(kept))
	for r := range rows {
		rows[r] = slices.Repeat([]float64{1}, n)
	}
	chebyshev := make([]float64, (degree+1)*n)
	for d := range dim {
		low, high := x[d], x[d]
		for i := range n {
			low, high = min(low, x[i*dim+d]), max(high, x[i*dim+d])
		}
		if low == high {
			high = low + 1
		}
		for i := range n {
			u := (float64(x[i*dim+d])-float64(low))/(float64(high)-float64(low))*2 - 1
			for k := range degree + 1 {
				switch k {
				case 0:
					chebyshev[i] = 1
				case 1:
					chebyshev[n+i] = u
				default:
					chebyshev[k*n+i] = 2*u*chebyshev[(k-1)*n+i] - chebyshev[(k-2)*n+i]
				}
			}
		}
		for r, powers := range kept {
			if powers[d] > 0 {
				floats.Mul(rows[r], chebyshev[powers[d]*n:][:n])
			}
		}
	}
	weight, order := make([]float64, n), make([]int, n)
	for i := range n {
		weight[i], order[i] = float64(w[i]), i
	}
	for i := range reduce(rows, weight, order) {
		if v := float32(weight[i]); v > 0 {
			xs, ws = append(xs, x[order[i]*dim:][:dim]...), append(ws, v)
		}
	}
	return xs, ws
}

// reduce changes the weights w (n) so that all but the first few are without, none is
// negative, and their products with rows (of n, none of the size of many ones) are what
// they were. It returns how many the first few are, the rank of the rows at most, and
// orders order as the columns. The rows are spoilt.
func reduce(rows [][]float64, w []float64, order []int) int {
	// Gauß and Jordan bring the rows to the form (1 | A), with the largest entry of a
	// row as pivot; the 1 is not stored.
	rank := 0
	for r := 0; r < len(rows) && rank < len(w); r++ {
		row, pivot := rows[r], rank
		for j := rank; j < len(w); j++ {
			if math.Abs(row[j]) > math.Abs(row[pivot]) {
				pivot = j
			}
		}
		if math.Abs(row[pivot]) < 1e-13 { // a sum of others on these events
			continue
		}
		rows[rank], rows[r] = row, rows[rank]
		for _, row := range rows {
			row[rank], row[pivot] = row[pivot], row[rank]
		}
		w[rank], w[pivot] = w[pivot], w[rank]
		order[rank], order[pivot] = order[pivot], order[rank]
		floats.Scale(1/row[rank], row[rank+1:])
		for k, other := range rows {
			if k < rank || k > r {
				floats.AddScaled(other[rank+1:], -other[rank], row[rank+1:])
			}
		}
		rank++
	}
	rows = rows[:rank]

	// For a column j of A, (−A_j, 1 at j) changes no product. As much of it is added, or
	// taken away, whichever is less, as makes one weight 0: that of j, or another's, of
	// which j takes the place.
	for j := len(w) - 1; j >= rank; j-- {
		less, more, leavesLess, leavesMore := w[j], math.Inf(1), -1, -1
		for k, row := range rows {
			switch a := row[j]; {
			case a < 0 && w[k] < -a*less:
				less, leavesLess = w[k]/-a, k
			case a > 0 && w[k] < a*more:
				more, leavesMore = w[k]/a, k
			}
		}
		step, leaves := -less, leavesLess
		if more < less {
			step, leaves = more, leavesMore
		}
		for k, row := range rows {
			w[k] = max(0, w[k]-step*row[j])
		}
		w[j] += step
		if leaves < 0 {
			continue
		}
		w[leaves], order[leaves] = w[j], order[j]
		row := rows[leaves]
		floats.Scale(1/row[j], row[rank:j])
		for k, other := range rows {
			if k != leaves {
				floats.AddScaled(other[rank:j], -other[j], row[rank:j])
			}
		}
	}
	return rank
}
