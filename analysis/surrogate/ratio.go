package surrogate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"gonum.org/v1/gonum/floats"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Ratio refines a density p(x) to
//
//	p(x) r(x)/Z,  Z = E_p[r],
//
// r being the ratio of the density that is wanted to p, from a classifier, but at most Largest. Events are
// drawn by rejection: one of p is accepted with the probability r/Largest.
type Ratio struct {
	density densityRatio // r, without the bound

	// Largest is the bound of r.
	Largest float64 `json:"largest"`
	// Cut is the part of E_p[r] that the bound takes away, and CutEvents the part of the events of p where
	// r is greater.
	Cut       float64 `json:"cut"`
	CutEvents float64 `json:"cut_events"`
	// Z is the mean of r over Events events of p, and Error its standard error.
	Z      float64 `json:"z"`
	Error  float64 `json:"z_error"`
	Events int     `json:"z_events"`
	// Given is Z of each condition c, E_p[r | c], of a conditional surrogate: Z is its mean over those that it was trained on.
	Given *classify.Mean `json:"z_given,omitempty"`
}

// densityRatio is the ratio of two densities as a function of some columns.
type densityRatio interface {
	LogRatio(ctx context.Context, dst []float64, t *rootio.Table, first uint64) error
}

// IsOfModel reports whether Z is near 1, as it is where the events of the model are distributed as those of the source that
// the ratio was fitted with.
func (r *Ratio) IsOfModel() bool { return math.Abs(math.Log(r.Z)) < 0.1 }

// Efficiency is the part of the events of p that are accepted.
func (r *Ratio) Efficiency() float64 { return r.Z / r.Largest }

// LogZError is the error that Z makes in each log-density: with a condition, the root of its mean square.
func (r *Ratio) LogZError() float64 {
	if r.Given != nil {
		return r.Given.Error
	}
	return r.Error / r.Z
}

// String says what it is, in one line.
func (r *Ratio) String() string {
	return fmt.Sprintf("Z = %.4f ± %.4f from %d events of the model; ratios above %.4g, in %.2g %% of these events, become that and lose %.2g %% of Z; %.3g %% of the events are accepted",
		r.Z, r.Error, r.Events, r.Largest, 100*r.CutEvents, 100*r.Cut, 100*r.Efficiency())
}

// Why a ratio cannot refine a model.
var (
	// ErrOtherRatio says that the ratio is not one of the columns of the model.
	ErrOtherRatio = errors.New("the ratio does not go with the model")
	// ErrNoOverlap says that the ratio has hardly any meaning where the model has events.
	ErrNoOverlap = errors.New("the ratio cannot be used with the model")
)

// How Z is found.
const (
	ratioSeed     = 1       // of the events, which are others than those of the same seed that are drawn: see streamRatio
	ratioPiece    = 1 << 14 // events that are drawn at a time, until Z is known to
	ratioPrecise  = 0.002   // of it, or there are
	ratioMost     = 1 << 18 // events
	ratioCut      = 1e-3    // of Z that the bound may take away
	ratioLeast    = 1e-3    // of the events that must be accepted
	ratioOverlap  = 100     // effective events that must be where the ratio is large, and
	ratioCovered  = 0.1     // Z must be more than that: it is 1 for events that are distributed as the ratio's source
	streamRatio   = 1<<49 + 1
	streamAccept  = 1<<49 + 2
	streamAttempt = 1<<49 + 3
)

// Refine multiplies the density of the surrogate by a ratio, which depends on the columns of the surrogate. It draws events to find Z,
// always the same ones, so that the density is always the same.
//
// The error wraps [ErrOtherRatio] where the columns are others, and where the surrogate is conditional, since Z would depend on
// the condition. It wraps [ErrNoOverlap] where the events of the model are not where the ratio is large, so that Z is not known,
// and where less than one in 1000 events would be accepted.
func (s *Surrogate) Refine(ctx context.Context, of *classify.Ratio) error {
	if err := s.CheckRatio(of); err != nil {
		return err
	}
	s.Ratio = nil
	r := &Ratio{density: of}
	logs, err := r.sampleLogs(ctx, s, ratioMost, nil)
	if err != nil {
		return err
	}
	if effective := r.bound(logs); !(effective >= ratioOverlap && r.Z >= ratioCovered) {
		return fmt.Errorf("%w: Z cannot be estimated, since the model has hardly any events where the ratio is large: E[r] is %.2g and should be 1, and %d events are worth %.3g; fit the ratio with events of this model as the source",
			ErrNoOverlap, r.Z, len(logs), effective)
	}
	if !(r.Efficiency() >= ratioLeast) {
		return fmt.Errorf("%w: %.2g %% of the events would be accepted, since the ratio is up to %.3g and %.3g in the mean; at least %g %% must be",
			ErrNoOverlap, 100*r.Efficiency(), r.Largest, r.Z, 100*ratioLeast)
	}
	s.Ratio = r
	return nil
}

// sampleLogs returns log r of events of a surrogate, as many as Z needs but no more than most, without the bound, or fewer where ctx has
// a deadline. They are always the same ones. keep, if there is one, gets them piece by piece.
func (r *Ratio) sampleLogs(ctx context.Context, s *Surrogate, most int, keep func(piece *rootio.Table)) (logs []float64, err error) {
	table := rootio.NewTable(s.Fields(), ratioPiece)
	seed := philox.Uint64(ratioSeed, streamRatio, 0)
	for len(logs) < most {
		begin := time.Now()
		if _, err := s.Generate(ctx, table, nil, seed, uint64(len(logs))); err != nil {
			return nil, err
		}
		logs = append(logs, make([]float64, ratioPiece)...)
		if err := r.density.LogRatio(ctx, logs[len(logs)-ratioPiece:], table, 0); err != nil {
			return nil, fmt.Errorf("%w: an event of the model: %w", ErrNoOverlap, err)
		}
		if keep != nil {
			keep(table)
		}
		if r.measure(logs); r.Error < ratioPrecise*r.Z {
			break
		}
		if end, ok := ctx.Deadline(); ok && time.Until(end) < 2*time.Since(begin) {
			break // there is no time for another piece
		}
	}
	return logs, nil
}

// CheckRatio reports whether [Surrogate.Refine] can be asked for: whether the surrogate has no condition, and the
// columns of the ratio. The error wraps [ErrOtherRatio].
func (s *Surrogate) CheckRatio(of *classify.Ratio) error {
	if names := s.Context.Names(); len(names) > 0 {
		return fmt.Errorf("%w: the model is conditional on %s, and Z would depend on that", ErrOtherRatio, strings.Join(names, ", "))
	}
	learnt := s.learntColumns()
	without := func(names, others []string) string {
		return strings.Join(slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(others, name) }), ", ")
	}
	if more := without(of.Names(), learnt); more != "" {
		return fmt.Errorf("%w: it depends on %s, which the model has not; the model is of %s", ErrOtherRatio, more, strings.Join(learnt, ", "))
	}
	if more := without(learnt, of.Names()); more != "" {
		return fmt.Errorf("%w: it does not depend on %s, which the model has; it is of %s", ErrOtherRatio, more, strings.Join(of.Names(), ", "))
	}
	return nil
}

// measure finds Z from log r of some events of the model, and returns how many events of the density that is wanted
// they are worth.
func (r *Ratio) measure(logs []float64) (effective float64) {
	n := float64(len(logs))
	var sum, sum2 float64
	for _, s := range logs {
		v := math.Exp(s)
		if r.Largest > 0 {
			v = min(v, r.Largest)
		}
		sum += v
		sum2 += v * v
	}
	r.Z, r.Events = sum/n, len(logs)
	r.Error = math.Sqrt(max(0, sum2/n-r.Z*r.Z) / n)
	return sum * sum / sum2
}

// bound finds the bound that takes away as much of Z as it may, and Z with it. It returns what measure does, without the
// bound.
func (r *Ratio) bound(logs []float64) (effective float64) {
	effective = r.measure(logs)
	sorted := slices.Clone(logs)
	slices.Sort(sorted)
	n := float64(len(sorted))
	r.Largest = math.Exp(sorted[len(sorted)-1])
	above, count := 0.0, 0.0 // Σ r of the events above the bound, and their number
	for k, s := range slices.Backward(sorted) {
		above += math.Exp(s)
		count++
		r.Largest = (above - ratioCut*r.Z*n) / count
		if k == 0 || r.Largest >= math.Exp(sorted[k-1]) {
			break
		}
	}
	r.Cut, r.CutEvents = ratioCut, count/n
	r.measure(logs)
	return effective
}

// logRatio stores log min(r, Largest) of the events of t in dst.
func (r *Ratio) logRatio(ctx context.Context, dst []float64, t *rootio.Table, first uint64) error {
	if err := r.density.LogRatio(ctx, dst, t, first); err != nil {
		return err
	}
	most := math.Log(r.Largest)
	for i, s := range dst {
		dst[i] = min(s, most)
	}
	return nil
}

// logFactor stores log min(r, Largest)/Z of the events of t in dst.
func (r *Ratio) logFactor(ctx context.Context, dst []float64, t *rootio.Table, first uint64) error {
	if err := r.logRatio(ctx, dst, t, first); err != nil {
		return err
	}
	if r.Given == nil {
		floats.AddConst(-math.Log(r.Z), dst)
		return nil
	}
	z := make([]float64, len(dst))
	if err := r.Given.Means(z, t); err != nil {
		return err
	}
	for i := range dst {
		dst[i] -= math.Log(z[i])
	}
	return nil
}

// drawer draws the events of the numbers rows, given their conditions, and stores them in t.
type drawer func(ctx context.Context, t *rootio.Table, given conditions, seed uint64, rows []uint64) (drawn, error)

// over returns a drawer of events of another by rejection. The attempts at a row are numbered, so that its event depends on the
// seed and its number alone.
func (r *Ratio) over(draw drawer) drawer {
	return func(ctx context.Context, t *rootio.Table, given conditions, seed uint64, rows []uint64) (tails drawn, err error) {
		n := len(rows)
		tries := rootio.NewTable(t.Fields(), n)
		logs, u := make([]float64, n), make([]float64, 1)
		places := make([]int, n) // of the rows that have no event yet
		for i := range places {
			places[i] = i
		}
		numbers := slices.Clone(rows)
		most := math.Log(r.Largest)
		for attempt := uint64(0); len(places) > 0; attempt++ {
			part, again := tries.Slice(0, len(places)), philox.Uint64(seed, streamAttempt, attempt)
			theirs := given
			if len(places) < n {
				theirs = given.take(places)
			}
			got, err := draw(ctx, part, theirs, again, numbers)
			if err != nil {
				return tails, err
			}
			if err := r.logRatio(ctx, logs[:len(places)], theirs.with(part), 0); err != nil {
				return tails, err
			}
			dim := len(got.z) / len(places)
			if attempt == 0 && got.z != nil {
				tails.z = make([]float32, n*dim)
			}
			tails.redrawn += got.redrawn
			tails.rejected += got.rejected
			var accepted, from, left []int
			for k, i := range places {
				philox.Uniform64(u, again, streamAccept, numbers[k])
				if !(u[0] < math.Exp(logs[k]-most)) {
					left = append(left, k)
					continue
				}
				accepted, from = append(accepted, i), append(from, k)
				copy(tails.z[min(i*dim, len(tails.z)):], got.z[k*dim:(k+1)*dim])
				if _, moved := slices.BinarySearch(got.clipped, k); moved {
					tails.clipped = append(tails.clipped, i)
				}
			}
			for j, c := range t.Columns {
				c.Put(accepted, part.Columns[j].Take(from))
			}
			tails.rejected += len(left)
			for k, at := range left {
				places[k], numbers[k] = places[at], numbers[at]
			}
			places, numbers = places[:len(left)], numbers[:len(left)]
		}
		slices.Sort(tails.clipped)
		return tails, nil
	}
}
