package surrogate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"time"

	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/analysis/vectors"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// Refinement is the last factor of a surrogate: the ratio, by boosted trees, of the density of the data to that of the parts. It was
// kept because held-out events are more likely with it.
type Refinement struct {
	Ratio
	Boosted *classify.Boosted `json:"trees"`
	// Gain is by how much events that the trees were not fitted to are more likely, in nats per event, with its
	// standard error; HeldOut is that of the events that the parts have not seen either, if there are some.
	Gain         float64  `json:"gain"`
	GainError    float64  `json:"gain_error"`
	HeldOut      *float64 `json:"held_out_gain,omitempty"`
	HeldOutError float64  `json:"held_out_gain_error,omitempty"`
}

// String says what it is, in a line.
func (r *Refinement) String() string {
	given := ""
	if r.Given != nil {
		given = fmt.Sprintf(", log Z given the condition within %.1g", r.LogZError())
	}
	rounds := ""
	if n := len(r.Boosted.Rounds); n > 1 {
		rounds = fmt.Sprintf(" in %d rounds", n)
	}
	of, gain, sigma := "held-out events", r.Gain, r.GainError
	if r.HeldOut != nil {
		gain, sigma = *r.HeldOut, r.HeldOutError
	} else {
		of = "events that the trees have not seen" // but the model has
	}
	return fmt.Sprintf("refined by %d trees%s: %s are more likely by %.2g ± %.1g nats, %.2g %% of the events that are drawn are accepted%s",
		r.Boosted.Trees(), rounds, of, gain, sigma, 100*r.Efficiency(), given)
}

// How the events are refined.
const (
	refineFolds      = 4
	refineLeast      = 800     // events to learn from, fewer are not refined
	refineMost       = 100_000 // events of the model that say what Z is, at most
	refineTrees      = 150     // of a fold, which are learnt with this
	refineRate       = 0.1
	refineGain       = 0.01   // nats that are worth the time that it takes to draw more events
	refineSigmas     = 3      // standard errors that the gain must have
	refineEfficient  = 0.3    // part of the events that should be accepted
	refineBearable   = 0.05   // and must be
	refineConditions = 25_000 // of which Z is learnt, at most, each with
	refineDraws      = 4      // events
	refineRare       = 0.05   // ratio at least, where there is a condition: no event needs many more attempts than others
	refinePart       = 10     // of the time for training, one part in so many is for this
	streamRefine     = 1<<49 + 5
	streamRefineBy   = 1<<49 + 6
)

// refineRounds returns how many rounds were asked for, −1 for as many as gain.
func (o Options) refineRounds() (int, error) {
	const most = 10
	switch {
	case o.Refine == RefineOff, o.Refine == "" && o.Coupling == factor.Lecture:
		return 0, nil
	case o.Refine == RefineAuto, o.Refine == "":
		return -1, nil
	}
	n, err := strconv.Atoi(o.Refine)
	if err != nil || n < 0 || n > most {
		return 0, fmt.Errorf("refinement is %q, must be off, auto, or a number of rounds up to %d", o.Refine, most)
	}
	return n, nil
}

// RefineOff and RefineAuto are values of [Options.Refine].
const (
	RefineOff  = "off"
	RefineAuto = "auto"
)

// refine learns what tells events of the model from those of the data, and multiplies the density by the ratio of the densities
// if that makes events more likely that were held out. It is the last stage of a training. The error is that of ctx.
func (tr *Training) refine(ctx context.Context) error {
	o := tr.Card.Options
	rounds, _ := o.refineRounds() // was checked
	if rounds == 0 {
		return nil
	}
	if why := cmp.Or(tr.unrefinable(), tr.noDensity()); why != "" {
		if rounds > 0 {
			o.log("note: not refined: %s", why)
		}
		return nil
	}
	within, cancel := ctx, context.CancelFunc(func() {})
	if limit := o.Train.MaxTime; limit > 0 {
		within, cancel = context.WithDeadline(ctx, tr.begin.Add(limit))
	}
	defer cancel()
	for round := 0; rounds < 0 && round < 2 || round < rounds; round++ {
		better, why, err := tr.refineOnce(within, uint64(round))
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case within.Err() != nil:
			o.log("note: there was no time for round %d of the refinement (--max-time)", round+1)
			return nil
		case err != nil:
			return err
		}
		if round > 0 && rounds < 0 && better != nil && better.Efficiency() < refineEfficient {
			break // a second round hardly gains, and is not worth so many events
		}
		if better == nil {
			if round == 0 {
				o.log("not refined: %s", why)
			}
			break
		}
		tr.Refined = better
		o.log("%v", better)
	}
	return nil
}

// timeLeft returns the part of the time until the deadline of ctx, 0 where there is none.
func timeLeft(ctx context.Context, part float64) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	return max(time.Duration(part*float64(time.Until(end))), 1)
}

// unrefinable says why a model is not refined, if that is known before it is trained.
func (tr *Training) unrefinable() string {
	s := tr.Surrogate
	_, isLearner := FactorAs[factor.Learner](s)
	switch {
	case tr.finish:
		return "the training was to be finished as it is (--finish)"
	case isLearner:
		return "events are drawn by a one-step map, and the density is that of its teacher"
	case len(tr.learn) < refineLeast:
		return fmt.Sprintf("there are %d events to learn from, and trees need %d", len(tr.learn), refineLeast)
	case slices.ContainsFunc(tr.w, func(w float64) bool { return w < 0 }):
		return "there are negative weights"
	case len(s.learntColumns()) == 0:
		return "no column is learnt"
	}
	return ""
}

// learntColumns returns the names of the columns that do not number events.
func (s *Surrogate) learntColumns() []string {
	numbers := s.Numbers()
	return slices.DeleteFunc(slices.Clone(s.Names()), func(name string) bool { return slices.Contains(numbers, name) })
}

// shared returns, of some columns, the names of those of codes, and of those with values that many events share, each with these values. Those of the
// fewest values come first.
func (s *Surrogate) shared(columns []string) (names []string, values [][]float64) {
	all := slices.Clone(s.Parts[0].Features.Columns)
	slices.SortStableFunc(all, func(a, b features.Column) int {
		return len(a.Codes) + len(a.Spikes) - len(b.Codes) - len(b.Spikes)
	})
	for _, c := range all {
		own := slices.Clone(c.Codes)
		for _, spike := range c.Spikes {
			own = append(own, spike.Value)
		}
		if slices.Sort(own); len(own) > 0 && slices.Contains(columns, c.Name) {
			names, values = append(names, c.Name), append(values, own)
		}
	}
	return names, values
}

// sampleOf returns the events of the data that a refinement learns from and judges by, their weights and folds: −1 for those that
// the model has not seen.
func (tr *Training) sampleOf() (t *rootio.Table, w []float64, folds []int) {
	weight := make([]float64, tr.table.Len())
	for i, first := range tr.copies.First {
		weight[first] += weightOf(tr.w, i)
	}
	var places []int
	take := func(rows []int, most int, fold func(i int) int) {
		n := min(len(rows), most)
		for k := range n { // all over the file, which may be ordered
			i := rows[k*len(rows)/n]
			places, w, folds = append(places, i), append(w, weight[i]), append(folds, fold(i))
		}
	}
	most := tr.Card.Options.effort().most
	folded := func(i int) int { return int(philox.Uint64(0, streamRefine, uint64(i)) % refineFolds) }
	take(tr.learn, most, folded)
	if tr.Card.Plan.Folds() { // the model has learnt from all
		take(tr.judge, most, folded)
	} else {
		take(tr.judge, most, func(int) int { return -1 })
	}
	return tr.table.Take(places), w, folds
}

// sampleOfModel returns events of the model for a round of a refinement, and their folds: fewer where a third of the time that is left is
// not enough, but as many as are learnt from. With a condition they have those of events of the data that are learnt from, as often as
// these weigh, and their folds.
func (tr *Training) sampleOfModel(ctx context.Context, data *rootio.Table, w []float64, folds []int, round uint64) (model *rootio.Table, theirs []int, err error) {
	n, most := len(tr.learn), tr.Card.Options.effort().most
	n = min(most, max(2*n, min(8*n, most/4)))
	theirs = make([]int, n)
	var given conditions
	if len(tr.Context.Columns) > 0 {
		learnt := slices.DeleteFunc(upTo(len(folds)), func(i int) bool { return folds[i] < 0 })
		places := spreadOver(learnt, w, n)
		for i, k := range places {
			theirs[i] = folds[k]
		}
		given.t = tr.conditionsOf(data).Take(places)
	} else {
		for i := range theirs {
			theirs[i] = int(philox.Uint64(1, streamRefine, uint64(i)) % refineFolds)
		}
	}
	begin, limit := time.Now(), timeLeft(ctx, 1./3)
	seed := philox.Uint64(tr.Card.Options.Seed, streamRefineBy, round)
	model = rootio.NewTable(tr.Fields(), n)
	for lo := 0; lo < n; lo += ratioPiece {
		if limit > 0 && time.Since(begin) > limit && lo >= min(len(tr.learn), most) {
			n = lo
			break
		}
		hi := min(lo+ratioPiece, n)
		if _, err := tr.Generate(ctx, model.Slice(lo, hi), given.slice(lo, hi).t, seed, uint64(lo)); err != nil {
			return nil, nil, err
		}
	}
	return given.slice(0, n).with(model.Slice(0, n)), theirs[:n], nil
}

// conditionsOf returns the columns of t that are of the condition.
func (s *Surrogate) conditionsOf(t *rootio.Table) *rootio.Table {
	var given rootio.Table
	for _, name := range s.Context.Names() {
		c, _ := t.Column(name)
		given.Columns = append(given.Columns, c)
	}
	return &given
}

// spreadOver returns n of the places in a random order, which is always the same, each as often as its weight says.
func spreadOver(places []int, w []float64, n int) (chosen []int) {
	total, sum := 0.0, 0.0
	for _, i := range places {
		total += w[i]
	}
	for _, i := range places {
		sum += w[i]
		for len(chosen) < n && (float64(len(chosen))+0.5)*total < sum*float64(n) {
			chosen = append(chosen, i)
		}
	}
	for len(chosen) < n { // rounding
		chosen = append(chosen, places[len(places)-1])
	}
	rand.New(rand.NewPCG(streamRefine, uint64(n))).Shuffle(n, func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	return chosen
}

// refineOnce makes a further round of a refinement. It returns nil, and why, if that does not gain.
func (tr *Training) refineOnce(ctx context.Context, round uint64) (better *Refinement, why string, err error) {
	s, seed := tr.Surrogate, tr.Card.Options.Seed
	data, w, folds := tr.sampleOf()
	model, theirs, err := tr.sampleOfModel(ctx, data, w, folds, round)
	if err != nil {
		return nil, "", err
	}
	var before *classify.Boosted
	if s.Refined != nil {
		before = s.Refined.Boosted
	} else {
		var found vectors.Found
		if momenta := s.Parts[0].Features.Momenta; momenta != nil {
			found = *momenta
		}
		before = classify.NewBoosted(slices.Concat(s.learntColumns(), s.Context.Names()), found, s.isSymmetric())
	}
	both := [2][]int{theirs, folds}

	// A few trees tell fast whether there is anything to learn, and whether all of them may gain enough.
	const few = 30
	begin := time.Now()
	quick, err := before.Boost(ctx, model, data, w, both, classify.BoostOptions{Folds: refineFolds, Trees: few, Rate: 2 * refineRate, Seed: seed, First: true})
	if err != nil {
		return nil, "", err
	}
	if g := gainOf(quick, w, folds, func(fold int) bool { return fold == 0 }); !(g.at(1, math.Inf(1)) > max(refineGain/4, g.error(1, math.Inf(1)))) {
		return nil, fmt.Sprintf("a few trees hardly tell events of the model from held-out ones (%+.2g ± %.1g nats)", g.at(1, math.Inf(1)), g.error(1, math.Inf(1))), nil
	}
	trees := tr.Card.Options.effort().trees
	if limit := timeLeft(ctx, 0.5); limit > 0 { // fewer ones, where at the pace of these there is no time for all; the rest is for Z
		turns := (refineFolds + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0)
		pace := few / time.Since(begin).Seconds() / float64(turns)
		trees = min(trees, max(few, int(limit.Seconds()*pace)))
	}
	fitted, err := before.Boost(ctx, model, data, w, both, classify.BoostOptions{Folds: refineFolds, Trees: trees, Rate: refineRate * min(3, float64(refineTrees)/float64(trees)), Seed: seed})
	if err != nil {
		return nil, "", err
	}
	g := gainOf(fitted, w, folds, func(fold int) bool { return fold >= 0 })
	if len(s.Context.Columns) > 0 {
		g.least = math.Log(refineRare)
	}
	factor := g.temperature()
	bound := g.bound(factor)
	gain, sigma := g.at(factor, bound), g.error(factor, bound)
	if !(gain >= max(refineGain, refineSigmas*sigma)) {
		return nil, fmt.Sprintf("it would gain %+.2g ± %.1g nats per event only", gain, sigma), nil
	}
	r := &Refinement{Gain: gain, GainError: sigma}
	if s.Refined != nil {
		r.Gain, r.GainError = s.Refined.Gain+gain, math.Hypot(s.Refined.GainError, sigma)
	}
	r.Boosted = before.With(fitted, factor, g.least, bound)
	r.density = r.Boosted
	if err := r.normalise(ctx, s, data, w); err != nil {
		return nil, "", err
	}
	if !(r.Efficiency() >= refineBearable) {
		return nil, fmt.Sprintf("%.2g %% of the events would be accepted", 100*r.Efficiency()), nil
	}
	// The events that the parts have not seen say whether these know others by heart, and the ratio with them.
	unseen := slices.DeleteFunc(upTo(len(folds)), func(i int) bool { return folds[i] >= 0 })
	if len(unseen) > 0 {
		logs, previous, weights := make([]float64, len(unseen)), make([]float64, len(unseen)), make([]float64, len(unseen))
		events := data.Take(unseen)
		if err := r.logFactor(ctx, logs, events, 0); err != nil {
			return nil, "", err
		}
		if s.Refined != nil {
			if err := s.Refined.logFactor(ctx, previous, events, 0); err != nil {
				return nil, "", err
			}
		}
		for k, i := range unseen {
			weights[k] = w[i]
		}
		held, heldError := judges(weights).paired(logs, nil)
		more, sigma := judges(weights).paired(logs, previous)
		if !(more > -sigma) || len(unseen) > refineLeast && !(more > max(0, refineGain-sigma)) {
			return nil, fmt.Sprintf("events that the model has not seen would gain %+.2g ± %.1g nats only", more, sigma), nil
		}
		r.HeldOut, r.HeldOutError = &held, heldError
	}
	return r, "", nil
}

// normalise finds Z and the largest ratio, by the events of the parts. They are always the same ones. With a condition, they are
// given those of the data, as often as these weigh.
func (r *Refinement) normalise(ctx context.Context, s *Surrogate, data *rootio.Table, w []float64) error {
	plain := *s
	plain.Ratio, plain.Refined = nil, nil
	r.Largest = r.Boosted.Largest()
	if len(s.Context.Columns) == 0 {
		names, values := s.shared(r.Boosted.Columns)
		var codes []*rootio.Table
		logs, err := r.sampleLogs(ctx, &plain, refineMost, func(piece *rootio.Table) {
			t := &rootio.Table{}
			for _, name := range names {
				c, _ := piece.Column(name)
				t.Columns = append(t.Columns, c)
			}
			codes = append(codes, t.Take(upTo(piece.Len())))
		})
		if err != nil {
			return err
		}
		if len(names) > 0 {
			if r.Boosted.Frequencies, err = classify.FitFrequencies(names, values, codes, logs); err != nil {
				return err
			}
		}
		if r.Boosted.Frequencies != nil {
			r.Largest = r.Boosted.Largest()
			for at, t := 0, codes; len(t) > 0; at, t = at+t[0].Len(), t[1:] {
				if err := r.Boosted.Frequencies.Divide(logs[at:at+t[0].Len()], t[0]); err != nil {
					return err
				}
			}
		}
		r.measure(logs)
		return nil
	}
	n := min(data.Len(), refineConditions)
	given := s.conditionsOf(data).Take(spreadOver(upTo(data.Len()), w, n))
	table, seed := rootio.NewTable(s.Fields(), n), philox.Uint64(ratioSeed, streamRatio, 0)
	draws := make([][]float64, refineDraws)
	var all []float64
	for k := range draws {
		if _, err := plain.Generate(ctx, table, given, seed, uint64(k*n)); err != nil {
			return err
		}
		draws[k] = make([]float64, n)
		if err := r.logRatio(ctx, draws[k], conditions{t: given}.with(table), 0); err != nil {
			return err
		}
		all = append(all, draws[k]...)
		for i, v := range draws[k] {
			draws[k][i] = math.Exp(v)
		}
	}
	r.measure(all)
	var err error
	r.Given, err = classify.FitMean(ctx, given, s.Context.Names(), draws, r.Boosted.Smallest(), r.Largest, ratioSeed)
	return err
}

// gains are what classifiers say of events that they have not seen.
type gains struct {
	data, w []float64 // of the events of the data, and their weights
	model   []float64
	least   float64 // log r is at least that, if it is negative
}

// gainOf takes the events whose folds are wanted, and those of the model that have an output.
func gainOf(c *classify.CrossFitted, w []float64, folds []int, wanted func(fold int) bool) *gains {
	g := &gains{}
	for i, s := range c.Outputs[1] {
		if s == s && wanted(folds[i]) {
			g.data, g.w = append(g.data, s), append(g.w, w[i])
		}
	}
	for _, s := range c.Outputs[0] {
		if s == s {
			g.model = append(g.model, s)
		}
	}
	return g
}

// at returns the gain, E_data[log r] − log E_model[r] with log r = factor·s within its bounds, in nats. With a condition it is
// smaller than with Z of each condition, E_data[log r − log Z(c)].
func (g *gains) at(factor, bound float64) float64 {
	var sum, weights, z float64
	for i, s := range g.data {
		sum += g.w[i] * classify.Bounded(factor*s, g.least, bound)
		weights += g.w[i]
	}
	for _, s := range g.model {
		z += math.Exp(classify.Bounded(factor*s, g.least, bound))
	}
	return sum/weights - math.Log(z/float64(len(g.model)))
}

// error returns the standard error of the gain.
func (g *gains) error(factor, bound float64) float64 {
	logs, ratios := make([]float64, len(g.data)), make([]float64, len(g.model))
	var sum, sum2 float64
	for i, s := range g.data {
		logs[i] = classify.Bounded(factor*s, g.least, bound)
		sum += g.w[i]
		sum2 += g.w[i] * g.w[i]
	}
	for i, s := range g.model {
		ratios[i] = math.Exp(classify.Bounded(factor*s, g.least, bound))
	}
	mean, width := stat.PopMeanStdDev(ratios, nil)
	return math.Hypot(stat.PopStdDev(logs, g.w)*math.Sqrt(sum2)/sum, width/mean/math.Sqrt(float64(len(ratios))))
}

// temperature returns the factor of the outputs that gains most: what calibrates them.
func (g *gains) temperature() float64 {
	best := 1.0
	for f := 0.1; f < 1.55; f += 0.05 {
		if g.at(f, math.Inf(1)) > g.at(best, math.Inf(1)) {
			best = f
		}
	}
	return best
}

// bound returns the largest logarithm of the ratio: the smallest one with which most of the gain is kept, so that as many events as
// may be are accepted. More of it is given up for the sake of these where few would be.
func (g *gains) bound(factor float64) float64 {
	sorted := make([]float64, len(g.model))
	for i, s := range g.model {
		sorted[i] = factor * s
	}
	slices.Sort(sorted)
	at := func(part float64) float64 {
		return max(sorted[min(int(part*float64(len(sorted))), len(sorted)-1)], 0.01)
	}
	isInefficient := func(bound float64) bool {
		z := 0.0
		for _, s := range sorted {
			z += math.Exp(min(s, bound) - bound)
		}
		return z < refineEfficient*float64(len(sorted))
	}
	const keep, keepOfInefficient = 0.95, 0.75
	most := at(0.999)
	best := g.at(factor, most)
	for _, part := range []float64{0.995, 0.99, 0.98, 0.97, 0.95, 0.93, 0.9, 0.875, 0.85, 0.825, 0.8, 0.75, 0.7} {
		least := keep
		if isInefficient(most) {
			least = keepOfInefficient
		}
		next := at(part)
		if g.at(factor, next) < least*best {
			break
		}
		most = next
	}
	return most
}

// refinedPrefix is that of the tensors of a refinement.
const refinedPrefix = "refined."

// givenPrefix is that of the tensors of Z of a condition.
const givenPrefix = "given."

// tensors returns the trees.
func (r *Refinement) tensors() []training.Tensor {
	all := r.Boosted.Tensors()
	if r.Given != nil {
		all = training.Prefixed(givenPrefix, r.Given.Tensors(), all)
	}
	return all
}

// load takes over the trees of a refinement of s that was read from a file, and checks all.
func (r *Refinement) load(tensors []training.Tensor, s *Surrogate) error {
	if r.Boosted == nil {
		return errors.New("the refinement has no trees")
	}
	names := s.Context.Names()
	if (r.Given != nil) != (len(names) > 0) {
		return errors.New("the refinement is for another condition")
	}
	given, tensors := training.Under(givenPrefix, tensors)
	if err := r.Boosted.Load(tensors, slices.Concat(s.Names(), names)); err != nil {
		return err
	}
	if r.Given != nil {
		if err := r.Given.Load(given, names); err != nil {
			return err
		}
	} else if len(given) > 0 {
		return errors.New("the refinement has trees of a condition")
	}
	if !(math.Abs(r.Largest/r.Boosted.Largest()-1) < 1e-9 && r.Z > 0 && r.Z <= r.Largest && r.Efficiency() >= ratioLeast && r.Error >= 0) {
		return fmt.Errorf("the refinement has ratios up to %g with the mean %g ± %g", r.Largest, r.Z, r.Error)
	}
	r.density = r.Boosted
	return nil
}
