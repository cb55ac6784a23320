package diffusion

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/eidolon-hep/eidolon/internal/em"
	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/kernels/dense"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/training"
)

// whitening is the linear map z = A (x − mean) of the features of events, x, to white
// space, in which the training events have mean 0 and covariance 1.
type whitening struct {
	Mean    []float64 `json:"mean"`
	Forward []float64 `json:"forward"` // A, Dim×Dim
	inverse []float64
	logDet  float64 // of A

	// The map of z to the features of x, each divided by its spread, as a layer of a network.
	toFeatures, packedFeatures, zero []float32
}

// check reports whether a map that was read from a file is one of so many features.
func (h *whitening) check(dim int) error {
	if h == nil || len(h.Mean) != dim || len(h.Forward)/dim != dim || len(h.Forward)%dim != 0 {
		return errors.New("diffusion: the description of the whitening is damaged")
	}
	return nil
}

// identity is the map of features that are white already.
func identity(dim int) *whitening {
	h := &whitening{Mean: make([]float64, dim), Forward: make([]float64, dim*dim)}
	for j := range dim {
		h.Forward[j*dim+j] = 1
	}
	if err := h.finish(); err != nil {
		panic(err) // the identity has an inverse
	}
	return h
}

// leastVariance is the smallest variance of a direction, relative to the largest, that is
// scaled to 1. Smaller ones are noise and get the same factor.
const leastVariance = 1e-8

// newWhitening returns the whitening of the rows of d. The error may be that of ctx.
func newWhitening(ctx context.Context, d training.Data) (*whitening, error) {
	dim := d.Dim
	h := &whitening{Mean: make([]float64, dim)}
	total := 0.0
	weight := func(i int) float64 { return max(0, d.Weight(i)) } // those of both signs do not make a covariance
	for i := range d.Len() {
		total += weight(i)
		for j, v := range d.X[i*dim : (i+1)*dim] {
			h.Mean[j] += weight(i) * float64(v)
		}
	}
	if !(total > 0) {
		return nil, errors.New("diffusion: no event to train on has a positive weight")
	}
	for j := range h.Mean {
		h.Mean[j] /= total
	}
	covariance, from := mat.NewSymDense(dim, nil), make([]float64, dim)
	raw := covariance.RawSymmetric().Data
	for i := range d.Len() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for j, v := range d.X[i*dim : (i+1)*dim] {
			from[j] = float64(v) - h.Mean[j]
		}
		w := weight(i) / total
		for j, a := range from {
			for k := j; k < dim; k++ {
				raw[j*dim+k] += w * a * from[k]
			}
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(covariance, true) {
		return nil, errors.New("diffusion: the events have no covariance: are there values out of range?")
	}
	var axes, scaled mat.Dense
	eigen.VectorsTo(&axes)
	variances := eigen.Values(nil)
	widths := make([]float64, dim)
	most := cmp.Or(slices.Max(variances), 1)
	for k, v := range variances {
		widths[k] = 1 / math.Sqrt(max(v, leastVariance*most))
	}
	// A = V Λ^−½ Vᵀ is the whitening that moves events least.
	scaled.Mul(&axes, mat.NewDiagDense(dim, widths))
	var a mat.Dense
	a.Mul(&scaled, axes.T())
	h.Forward = slices.Clone(a.RawMatrix().Data)
	return h, h.finish()
}

// finish derives the inverse.
func (h *whitening) finish() error {
	dim := len(h.Mean)
	var inverse mat.Dense
	a := mat.NewDense(dim, dim, slices.Clone(h.Forward))
	if err := inverse.Inverse(a); err != nil {
		var poor mat.Condition
		if !errors.As(err, &poor) || math.IsInf(float64(poor), 1) {
			return errors.New("diffusion: the whitening has no inverse")
		}
	}
	h.inverse = slices.Clone(inverse.RawMatrix().Data)
	h.logDet, _ = mat.LogDet(a)
	if s := floats.Sum(h.inverse) + h.logDet; s-s != 0 {
		return errors.New("diffusion: the inverse of the whitening is not finite")
	}

	h.toFeatures, h.zero = make([]float32, dim*dim), make([]float32, dim)
	for l := range dim {
		row := h.inverse[l*dim : (l+1)*dim]
		spread := max(floats.Norm(row, 2), math.SmallestNonzeroFloat32)
		for j, v := range row {
			h.toFeatures[j*dim+l] = float32(v / spread)
		}
	}
	h.packedFeatures = make([]float32, dense.PackedLen(dim, dim))
	dense.Pack(h.packedFeatures, h.toFeatures, dim, dim)
	return nil
}

// forward stores A (x − mean) of each row of x in z, which may be x, until ctx is
// cancelled.
func (h *whitening) forward(ctx context.Context, z, x []float32) {
	h.apply(ctx, z, x, func(row, out []float64) {
		for j := range row {
			row[j] -= h.Mean[j]
		}
		product(out, h.Forward, row)
	})
}

// back is the inverse of forward.
func (h *whitening) back(ctx context.Context, x, z []float32) {
	h.apply(ctx, x, z, func(row, out []float64) {
		product(out, h.inverse, row)
		for j := range out {
			out[j] += h.Mean[j]
		}
	})
}

// addLogDet adds log|det A| to the first of the [Layers], unless there are none.
func (h *whitening) addLogDet(logDet [][]float64) {
	if logDet == nil {
		return
	}
	for i := range logDet[0] {
		logDet[0][i] += h.logDet
	}
}

func (h *whitening) apply(ctx context.Context, to, from []float32, f func(row, out []float64)) {
	dim := len(h.Mean)
	parallel.RangesContext(ctx, len(from)/dim, 1<<12, func(lo, hi int) {
		row, out := make([]float64, dim), make([]float64, dim)
		for i := lo; i < hi; i++ {
			for j := range row {
				row[j] = float64(from[i*dim+j])
			}
			f(row, out)
			for j, v := range out {
				to[i*dim+j] = float32(v)
			}
		}
	})
}

// product is out = a·x.
func product(out, a, x []float64) {
	for i := range out {
		sum := 0.0
		for j, v := range x {
			sum += a[i*len(x)+j] * v
		}
		out[i] = sum
	}
}

// streamSample is the first of the streams of a seed that the noise at t = 1 is drawn
// from, streamDirect the first of those that choose events.
const (
	streamSample = 1 << 56
	streamDirect = 1 << 55
)

// drawNoise draws the noise at t = 1 of the events first, first+1, ….
func drawNoise(x []float32, dim int, seed, attempt, first uint64) {
	parallel.Ranges(len(x)/dim, 1<<12, func(lo, hi int) {
		philox.Normal(x[lo*dim:hi*dim], seed, streamSample+attempt, (first+uint64(lo))*uint64(dim))
	})
}

// ending is the end of a path. There the events x_t are scaled to the variance of white
// events, 1.
type ending struct {
	alpha, sigma float64 // at the end
	scale        float64 // 1/√(α² + σ²)
}

func endOf(s Schedule, t float64) ending {
	alpha, sigma := s.Alpha(t), s.Sigma(t)
	return ending{alpha, sigma, 1 / math.Hypot(alpha, sigma)}
}

// toEvents takes noise to white events, in place.
func (s Solver) toEvents(ctx context.Context, q Posterior, x, c []float32, times []float64) error {
	if _, err := s.Solve(ctx, q, x, c, nil, times); err != nil {
		return err
	}
	end := endOf(s.Schedule, times[len(times)-1])
	for i, v := range x {
		x[i] = float32(end.scale * float64(v))
	}
	return nil
}

// toNoise takes white events to noise, in place, and adds to logDet (n), unless it is nil,
// log|det ∂noise/∂x|.
func (s Solver) toNoise(ctx context.Context, q Posterior, x, c []float32, logDet, times []float64) error {
	back := slices.Clone(times)
	slices.Reverse(back)
	end := endOf(s.Schedule, back[0])
	for i, v := range x {
		x[i] = float32(float64(v) / end.scale)
	}
	if _, err := s.Solve(ctx, q, x, c, logDet, back); err != nil {
		return err
	}
	for i := range logDet {
		logDet[i] -= float64(q.Dim()) * math.Log(end.scale)
	}
	return nil
}

// addNormal adds the log-density of noise z to dst.
func addNormal(dst []float64, z []float32) {
	dim := len(z) / max(len(dst), 1)
	for i := range dst {
		dst[i] += em.LogNormal(z[i*dim : (i+1)*dim])
	}
}

// along takes noise to white events, in place, and calls at with each of the stops on the way,
// which fall, and the rows as they are then: white, of variance 1 at every time,
//
//	x_t/√(α² + σ²)
//
// The rows are not to be kept. Those at stops after the end of the path are the events.
func (s Solver) along(ctx context.Context, q Posterior, x, c []float32, times, stops []float64, at func(stop int, x []float32)) error {
	end, scaled := times[len(times)-1], make([]float32, len(x))
	return s.visit(ctx, q, x, c, times, stops, func(stop int, x []float32) {
		scale := endOf(s.Schedule, max(stops[stop], end)).scale
		for i, v := range x {
			scaled[i] = float32(scale * float64(v))
		}
		at(stop, scaled)
	})
}

// falling returns times in falling order, with their places.
func falling(times []float64) (sorted []float64, places []int) {
	places = make([]int, len(times))
	for i := range places {
		places[i] = i
	}
	slices.SortStableFunc(places, func(a, b int) int { return cmp.Compare(times[b], times[a]) })
	for _, i := range places {
		sorted = append(sorted, times[i])
	}
	return sorted, places
}

// checkData reports whether rows are those of a model.
func checkData(dim, context int, all ...training.Data) error {
	for _, d := range all {
		if d.Len() > 0 && (d.Dim != dim || d.Context != context) {
			return fmt.Errorf("diffusion: rows of %d features and %d context features for a model of %d and %d", d.Dim, d.Context, dim, context)
		}
	}
	if all[0].Len() == 0 {
		return errors.New("diffusion: no event to train on")
	}
	return nil
}

// Layers are the names of the parts of which the map of a [Model] from events to noise
// consists, in their order.
func Layers() []string { return []string{"whitening", "reverse-time path"} }

// Model is what [Load] returns: a [Kernels], a [Denoiser] or a [Distilled].
type Model interface {
	Dim() int
	Context() int
	Sample(ctx context.Context, x, c []float32, seed, attempt, first uint64) error
	LogDensity(ctx context.Context, dst []float64, x, c []float32) error
	// Noise draws the noise y (n×Dim), standard normal, of the events first, first+1, … of a
	// seed: Sample is Inverse of it.
	Noise(y []float32, seed, attempt, first uint64)
	// Inverse maps noise y to events x (both n×Dim), which may be the same, given rows of the
	// context c (n×Context): y is the solution of the reverse-time equation at t = 1, x that at
	// its end.
	Inverse(ctx context.Context, x, y, c []float32) error
	// Forward maps events x to noise y (both n×Dim), which may be the same, and adds
	// log|det J| of each of the [Layers] to its slice of logDet (n each), unless that is nil.
	Forward(ctx context.Context, y []float32, logDet [][]float64, x, c []float32) error
	// Path stores in at[k] (n×Dim) where the events that come from noise y (n×Dim) are at
	// times[k], in [0, 1] and in any order: x_t/√(α² + σ²) in white space, which is as wide as
	// events at every time, taken back to features. At t = 1 it is the noise, and from where the path ends on it is
	// what Inverse makes of y.
	Path(ctx context.Context, at [][]float32, y, c []float32, times []float64) error
	Tensors() []training.Tensor
	json.Marshaler
	fmt.Stringer
}

// Load returns the model with the given description, as its MarshalJSON writes it, and
// the given tensors. Sizes are compared before memory is asked for.
func Load(text []byte, tensors []training.Tensor) (Model, error) {
	kind, err := described[struct{ Kind string }](text)
	if err != nil {
		return nil, err
	}
	for _, t := range tensors {
		for _, v := range t.Value {
			if v-v != 0 {
				return nil, fmt.Errorf("diffusion: tensor %q has a value that is %v", t.Name, v)
			}
		}
	}
	var m Model
	switch kind.Kind {
	case kernelsKind:
		m, err = loadKernels(text, tensors)
	case denoiserKind:
		m, err = loadDenoiser(text, tensors)
	case distilledKind:
		m, err = loadDistilled(text, tensors)
	default:
		return nil, fmt.Errorf("diffusion: there is no model %q", kind.Kind)
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// described returns what the description of a model says.
func described[F any](text []byte) (f F, err error) {
	if err := json.Unmarshal(text, &f); err != nil {
		return f, fmt.Errorf("diffusion: could not read the description of a model: %w", err)
	}
	return f, nil
}
