package compare

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/analysis/rows"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Joint compares the samples in all varying columns together, by the distances that
// generative models are judged by in the literature.
type Joint struct {
	Columns []string `json:"columns"`

	// FPD and KPD are the Fréchet and the kernel physics distance (Kansal et al.,
	// arXiv:2211.10295) with the parameters of JetNet, in columns divided by the
	// largest absolute value of the reference. FPD is extrapolated to samples without end from
	// 20 draws at each of ten sizes, up to 50,000 events; KPD is the median of ten
	// draws of 5,000 events, with a kernel of degree four.
	FPD      float64 `json:"fpd"`
	FPDError float64 `json:"fpd_error"`
	KPD      float64 `json:"kpd"`
	KPDError float64 `json:"kpd_error"`

	// Candidate is the candidate against the reference, Itself one part of the reference against
	// another: what equal samples give.
	Candidate Neighbours `json:"candidate"`
	Itself    Neighbours `json:"reference_itself"`

	Copies *Copies `json:"copies,omitempty"` // if the training sample is given
}

// Neighbours says how two samples fill each other's neighbourhoods: balls about
// events that reach to the fifth nearest event of the same sample (Naeem et al.,
// arXiv:2002.09797). It looks at up to 5,000 events of each.
type Neighbours struct {
	Precision float64 `json:"precision"` // the part of the candidate in a ball of the reference
	Recall    float64 `json:"recall"`    // the part of the reference in a ball of the candidate
	Density   float64 `json:"density"`   // the number of the reference's balls that an event of the candidate is in, over five
	Coverage  float64 `json:"coverage"`  // the part of the reference's balls that have an event of the candidate
	Events    int     `json:"events"`
}

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
	fewestEvents    = 20
	neighbour       = 5
	neighbourEvents = 5_000
	copyQueries     = 2_000
	copyTraining    = 100_000
)

// Measure compares the samples in all columns that vary in the reference together.
// training, if not nil, is what the candidate's model has learnt from.
//
// Values that are not finite count as the reference's mean; codes are numbers like any
// other. Events are drawn in proportion to their weights, those of negative weight
// not at all. Samples of less than 20 events are not measured.
func (r *Report) Measure(ctx context.Context, ref, cand, training *rootio.Table) error {
	j := &Joint{}
	var columns []*Column
	for i := range r.Columns {
		c := &r.Columns[i]
		inTraining := true
		if training != nil {
			_, inTraining = training.Column(c.Name)
		}
		if c.Reference.Std > 0 && inTraining {
			j.Columns, columns = append(j.Columns, c.Name), append(columns, c)
		}
	}
	if len(columns) == 0 || min(ref.Len(), cand.Len()) < fewestEvents {
		return nil
	}
	a, b := newCloud(ref, columns), newCloud(cand, columns)
	wa, wb := r.in[0].w, r.in[1].w

	scale := make([]float64, a.dim)
	for i := range a.n {
		for k, x := range a.row(i) {
			scale[k] = max(scale[k], math.Abs(x))
		}
	}
	x, y := a.scaled(scale), b.scaled(scale)
	j.FPD, j.FPDError = fpd(ctx, x, y, wa, wb)
	j.KPD, j.KPDError = kpd(ctx, x, y, wa, wb)
	if err := ctx.Err(); err != nil {
		return err
	}

	s := newSpread(a)
	s.apply(a)
	s.apply(b)
	rng := rand.New(rand.NewPCG(1, 0))
	placesA, placesB := choose(a.n, 2*neighbourEvents, wa, rng), choose(b.n, neighbourEvents, wb, rng)
	first := a.take(placesA[:len(placesA)/2])
	j.Itself = neighbours(ctx, first, a.take(placesA[len(placesA)/2:]))
	j.Candidate = neighbours(ctx, first, b.take(placesB[:min(len(placesB), first.n)]))
	if training != nil {
		// An event that is there twice says nothing of how near different events are.
		var compared []rootio.Column
		for _, c := range columns {
			of, _ := training.Column(c.Name)
			compared = append(compared, of)
		}
		var different []int
		for i, first := range rows.FindCopies(compared).First {
			if i == first {
				different = append(different, i)
			}
		}
		if twice := training.Len() - len(different); twice > 0 {
			r.note("%s events of the training sample are equal to another one: %s different ones are left, which copies are looked for in.", grouped(twice), grouped(len(different)))
		}
		t := newCloud(training, columns).take(different)
		s.apply(t)
		j.Copies = copies(ctx, t, a.take(placesA[:min(copyQueries, len(placesA))]), b.take(placesB[:min(copyQueries, len(placesB))]))
	}
	r.Joint = j
	return ctx.Err()
}

// cloud is a sample as points.
type cloud struct {
	n, dim int
	x      []float64 // n×dim
}

func newCloud(t *rootio.Table, columns []*Column) *cloud {
	c := &cloud{n: t.Len(), dim: len(columns)}
	c.x = make([]float64, c.n*c.dim)
	values := make([]float64, c.n)
	for k, column := range columns {
		of, _ := t.Column(column.Name)
		of.Floats(values, 0)
		for i, v := range values {
			if !usable(v) {
				v = column.Reference.Mean
			}
			c.x[i*c.dim+k] = v
		}
	}
	return c
}

func (c *cloud) row(i int) []float64 { return c.x[i*c.dim : (i+1)*c.dim] }

func (c *cloud) take(places []int) *cloud {
	t := &cloud{n: len(places), dim: c.dim, x: make([]float64, 0, len(places)*c.dim)}
	for _, i := range places {
		t.x = append(t.x, c.row(i)...)
	}
	return t
}

func (c *cloud) scaled(by []float64) *cloud {
	s := &cloud{c.n, c.dim, slices.Clone(c.x)}
	for i := range s.x {
		if d := by[i%c.dim]; d > 0 {
			s.x[i] /= d
		}
	}
	return s
}

func (c *cloud) general() blas64.General {
	return blas64.General{Rows: c.n, Cols: c.dim, Stride: c.dim, Data: c.x}
}

// draw returns n events, drawn with replacement.
func (c *cloud) draw(n int, cumulative []float64, rng *rand.Rand) *cloud {
	rows := make([]int, n)
	for k := range rows {
		if cumulative == nil {
			rows[k] = rng.IntN(c.n)
			continue
		}
		rows[k], _ = slices.BinarySearch(cumulative, rng.Float64()*cumulative[c.n-1])
	}
	return c.take(rows)
}

func cumulative(w []float64) []float64 {
	if w == nil {
		return nil
	}
	sums, sum := make([]float64, len(w)), 0.0
	for i, v := range w {
		sum += max(v, 0)
		sums[i] = sum
	}
	return sums
}

// choose picks at most most of n events, without replacement and in proportion to
// their weights (Efraimidis and Spirakis, Inf. Process. Lett. 97 (2006) 181).
func choose(n, most int, w []float64, rng *rand.Rand) []int {
	key, places := make([]float64, n), make([]int, 0, n)
	for i := range n {
		key[i] = rng.ExpFloat64()
		if w != nil {
			if w[i] <= 0 {
				continue
			}
			key[i] /= w[i]
		}
		places = append(places, i)
	}
	slices.SortFunc(places, func(i, j int) int {
		if key[i] < key[j] {
			return -1
		}
		return 1
	})
	return places[:min(len(places), most)]
}

// fpd is the Fréchet distance of the samples as normal distributions, extrapolated
// to samples without end: the constant of a line in 1/n, neither of whose
// parameters is negative.
func fpd(ctx context.Context, a, b *cloud, wa, wb []float64) (value, err float64) {
	const (
		draws, points = 20, 10
		most          = 50_000
		fewest        = 0.4 // of the most
	)
	largest := float64(min(most, a.n, b.n))
	ca, cb := cumulative(wa), cumulative(wb)
	x, y := make([]float64, points), make([]float64, points)
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for p := range points {
		inverse := (1/fewest + (1-1/fewest)*float64(p)/(points-1)) / largest
		n := max(2, int(1/inverse))
		x[p] = 1 / float64(n)
		group.Go(func() error {
			rng := rand.New(rand.NewPCG(2, uint64(p)))
			for range draws {
				if ctx.Err() != nil {
					return nil
				}
				y[p] += frechet(a.draw(n, ca, rng), b.draw(n, cb, rng)) / draws
			}
			return nil
		})
	}
	_ = group.Wait()
	constant, slope := stat.LinearRegression(x, y, nil, false)
	switch {
	case slope < 0:
		constant, slope = stat.Mean(y, nil), 0
	case constant < 0:
		var xy, xx float64
		for p := range x {
			xy, xx = xy+x[p]*y[p], xx+x[p]*x[p]
		}
		constant, slope = 0, max(0, xy/xx)
	}
	var squares float64
	for p := range x {
		d := y[p] - constant - slope*x[p]
		squares += d * d
	}
	mean, variance := stat.PopMeanVariance(x, nil)
	return constant, math.Sqrt(squares / (points - 2) * (1 + mean*mean/variance) / points)
}

// frechet is |μ₁−μ₂|² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½).
func frechet(a, b *cloud) float64 {
	muA, sigmaA := moments(a)
	muB, sigmaB := moments(b)
	d := 0.0
	for k := range muA {
		d += (muA[k] - muB[k]) * (muA[k] - muB[k])
	}
	d += mat.Trace(sigmaA) + mat.Trace(sigmaB)

	// (Σ₁Σ₂)^½ has the trace of (Σ₁^½ Σ₂ Σ₁^½)^½.
	var eigen mat.EigenSym
	if !eigen.Factorize(sigmaA, true) {
		return math.NaN()
	}
	var v, half, product mat.Dense
	eigen.VectorsTo(&v)
	roots := make([]float64, a.dim)
	for k, l := range eigen.Values(nil) {
		roots[k] = math.Sqrt(max(0, l))
	}
	half.Mul(&v, mat.NewDiagDense(a.dim, roots))
	product.Mul(sigmaB, &half)
	var inner mat.Dense
	inner.Mul(half.T(), &product)
	symmetric := mat.NewSymDense(a.dim, nil)
	for i := range a.dim {
		for k := range i + 1 {
			symmetric.SetSym(i, k, (inner.At(i, k)+inner.At(k, i))/2)
		}
	}
	if !eigen.Factorize(symmetric, false) {
		return math.NaN()
	}
	for _, l := range eigen.Values(nil) {
		d -= 2 * math.Sqrt(max(0, l))
	}
	return d
}

// moments returns the means and the covariances, and destroys the cloud.
func moments(c *cloud) (mu []float64, sigma *mat.SymDense) {
	mu = make([]float64, c.dim)
	for i := range c.n {
		for k, v := range c.row(i) {
			mu[k] += v / float64(c.n)
		}
	}
	for i := range c.n {
		row := c.row(i)
		for k := range row {
			row[k] -= mu[k]
		}
	}
	s := blas64.Symmetric{N: c.dim, Stride: c.dim, Data: make([]float64, c.dim*c.dim), Uplo: blas.Upper}
	blas64.Syrk(blas.Trans, 1/float64(c.n-1), c.general(), 0, s)
	sigma = mat.NewSymDense(c.dim, nil)
	sigma.SetRawSymmetric(s)
	return mu, sigma
}

// kpd is the squared maximum mean discrepancy with the kernel (x·y/d + 1)⁴, unbiased: the
// median over draws, and half the width of their central 68 %.
func kpd(ctx context.Context, a, b *cloud, wa, wb []float64) (value, err float64) {
	const (
		draws = 10
		most  = 5_000
	)
	n := min(most, a.n, b.n)
	if n < 2 {
		return math.NaN(), math.NaN()
	}
	ca, cb := cumulative(wa), cumulative(wb)
	found := make([]float64, draws)
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for k := range found {
		group.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			rng := rand.New(rand.NewPCG(3, uint64(k)))
			x, y := a.draw(n, ca, rng), b.draw(n, cb, rng)
			pairs := float64(n) * float64(n-1)
			found[k] = kernelSum(x, x, true)/pairs + kernelSum(y, y, true)/pairs - 2*kernelSum(x, y, false)/(float64(n)*float64(n))
			return nil
		})
	}
	_ = group.Wait()
	slices.Sort(found)
	quantile := func(p float64) float64 { return stat.Quantile(p, stat.LinInterp, found, nil) }
	return (found[draws/2-1] + found[draws/2]) / 2, (quantile(0.83725) - quantile(0.16275)) / 2
}

// kernelSum is Σᵢⱼ (xᵢ·yⱼ/d + 1)⁴, without i = j if asked.
func kernelSum(x, y *cloud, others bool) float64 {
	const block = 64
	products := blas64.General{Cols: y.n, Stride: y.n, Data: make([]float64, block*y.n)}
	sum := 0.0
	for lo := 0; lo < x.n; lo += block {
		m := min(block, x.n-lo)
		products.Rows = m
		rows := blas64.General{Rows: m, Cols: x.dim, Stride: x.dim, Data: x.x[lo*x.dim:]}
		blas64.Gemm(blas.NoTrans, blas.Trans, 1/float64(x.dim), rows, y.general(), 0, products)
		for i := range m {
			for k, p := range products.Data[i*y.n : (i+1)*y.n] {
				if others && k == lo+i {
					continue
				}
				p = (p + 1) * (p + 1)
				sum += p * p
			}
		}
	}
	return sum
}

// spread makes the columns of clouds comparable: the same monotonic function of
// each column, linear in the bulk and logarithmic in the tails.
type spreadOf struct{ middle, width []float64 }

func newSpread(c *cloud) *spreadOf {
	s := &spreadOf{make([]float64, c.dim), make([]float64, c.dim)}
	x := make([]float64, c.n)
	for k := range c.dim {
		for i := range x {
			x[i] = c.row(i)[k]
		}
		slices.Sort(x)
		s.middle[k] = x[c.n/2]
		s.width[k] = (x[c.n*3/4] - x[c.n/4]) / 1.349
		if s.width[k] <= 0 {
			s.width[k] = math.Sqrt(stat.PopVariance(x, nil))
		}
	}
	return s
}

func (s *spreadOf) apply(c *cloud) {
	for i := range c.x {
		k := i % c.dim
		c.x[i] = math.Asinh((c.x[i] - s.middle[k]) / s.width[k])
	}
}

// squares is the squared distance of two points, or some number that is at least
// enough.
func squares(x, y []float64, enough float64) float64 {
	sum := 0.0
	for k, v := range x {
		d := v - y[k]
		if sum += d * d; sum >= enough {
			break
		}
	}
	return sum
}

// reach returns the squared distance from a point to its k-th nearest of the cloud;
// event skip does not count.
func (c *cloud) reach(x []float64, k, skip int) float64 {
	nearest := slices.Repeat([]float64{math.Inf(1)}, k)
	for i := range c.n {
		if i == skip {
			continue
		}
		if d := squares(x, c.row(i), nearest[k-1]); d < nearest[k-1] {
			at, _ := slices.BinarySearch(nearest, d)
			copy(nearest[at+1:], nearest[at:k-1])
			nearest[at] = d
		}
	}
	return nearest[k-1]
}

// all calls f for each number below n, on all processors, until ctx ends.
func all(ctx context.Context, n int, f func(i int)) {
	var group errgroup.Group
	procs := runtime.GOMAXPROCS(0)
	for p := range procs {
		group.Go(func() error {
			for i := p; i < n && ctx.Err() == nil; i += procs {
				f(i)
			}
			return nil
		})
	}
	_ = group.Wait()
}

func neighbours(ctx context.Context, ref, cand *cloud) Neighbours {
	found := Neighbours{Events: min(ref.n, cand.n)}
	if found.Events <= neighbour {
		return Neighbours{Events: found.Events}
	}
	reachA, reachB := make([]float64, ref.n), make([]float64, cand.n)
	all(ctx, ref.n, func(i int) { reachA[i] = ref.reach(ref.row(i), neighbour, i) })
	all(ctx, cand.n, func(j int) { reachB[j] = cand.reach(cand.row(j), neighbour, j) })
	widest := slices.Max(reachA)
	inside := make([]int, cand.n) // balls of the reference that an event of the candidate is in
	all(ctx, cand.n, func(j int) {
		for i := range ref.n {
			if squares(cand.row(j), ref.row(i), widest) < reachA[i] {
				inside[j]++
			}
		}
	})
	recalled, covered := make([]float64, ref.n), make([]float64, ref.n)
	widest = slices.Max(reachB)
	all(ctx, ref.n, func(i int) {
		for j := range cand.n {
			d := squares(ref.row(i), cand.row(j), max(widest, reachA[i]))
			if d < reachB[j] {
				recalled[i] = 1
			}
			if d < reachA[i] {
				covered[i] = 1
			}
		}
	})
	for _, k := range inside {
		found.Density += float64(k) / float64(neighbour*cand.n)
		if k > 0 {
			found.Precision += 1 / float64(cand.n)
		}
	}
	found.Recall, found.Coverage = stat.Mean(recalled, nil), stat.Mean(covered, nil)
	return found
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
