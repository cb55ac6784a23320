package surrogate

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/gonum/floats"

	"github.com/eidolon-hep/eidolon/analysis/features"
	coordinates "github.com/eidolon-hep/eidolon/analysis/features/find"
	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// What coordinates a model may be in.
const (
	// PlainCoordinates are the columns as they are.
	PlainCoordinates = "plain"
	// BestCoordinates are those in which held-out events are most likely.
	BestCoordinates = "best"
	// MixedCoordinates are two such sets, where their mixture is better than either, and the model is one of flows.
	MixedCoordinates = "mixture"
)

// CoordinatesOptions returns what can be asked of the coordinates; the first is the default.
func CoordinatesOptions() []string {
	return []string{MixedCoordinates, BestCoordinates, PlainCoordinates}
}

// Coordinates says in which coordinates the momenta of a sample are learnt, and why.
type Coordinates struct {
	// Parts are the choices of the parts of the model, the most likely one first; the columns as they are have
	// none.
	Parts [][]coordinates.Choice `json:"parts"`
	// Gain is how much more likely held-out events of the trials were than in the columns as they are (rotation symmetric, where
	// all coordinates are), in nats per event, and Sigma is its standard error: each half of them judges what the other half would choose.
	Gain  float64 `json:"gain"`
	Sigma float64 `json:"sigma"`
	// Events is the number of events of the trials, HeldOut that of those that judged (all, where each was judged by what had learnt from
	// others), and LogDensity the mean log-density of these in the columns as they are.
	Events     int     `json:"events"`
	HeldOut    int     `json:"held_out"`
	LogDensity float64 `json:"log_density"`
	// Rotation says that a common rotation of all azimuths changes nothing, or why that is not so.
	Rotation string `json:"rotation,omitempty"`
	// Tried is what was tried, in this order, and NotTried what there was no time for, or could not be learnt.
	Tried    []TriedCoordinates `json:"tried"`
	NotTried []string           `json:"not_tried,omitempty"`
}

// TriedCoordinates are coordinates that were tried.
type TriedCoordinates struct {
	Choices []coordinates.Choice `json:"choices"`
	// Gain is that of these coordinates alone, Mixed that of their mixture with the columns as they are, each with its standard
	// error, in nats per event.
	Gain       float64 `json:"gain"`
	Sigma      float64 `json:"sigma"`
	Mixed      float64 `json:"mixed"`
	MixedSigma float64 `json:"mixed_sigma"`
	// Impossible is the number of held-out events that cannot be in these coordinates. Such ones are for mixtures only.
	Impossible int `json:"impossible,omitempty"`
}

// describe says what choices are.
func describeChoices(choices []coordinates.Choice) string {
	var texts []string
	for _, c := range choices {
		if c.Kind != coordinates.Rotation || len(choices) == 1 {
			texts = append(texts, c.String())
		}
	}
	if len(texts) == 0 {
		return "the columns as they are"
	}
	return strings.Join(texts, "; ")
}

// String says what was decided, in a line.
func (c *Coordinates) String() string { return c.describe(nil) }

// describe says what was decided, in a line, given the weights of the parts if they are known.
func (c *Coordinates) describe(weights []float64) string {
	var parts []string
	for k, p := range c.Parts {
		text := describeChoices(p)
		if len(weights) == len(c.Parts) && len(weights) > 1 {
			text += fmt.Sprintf(" in %.0f %% of the events", 100*weights[k])
		}
		parts = append(parts, text)
	}
	text := "coordinates: " + strings.Join(parts, ", and ")
	if c.Gain != 0 {
		text += fmt.Sprintf("; in short trials this makes held-out events more likely by %.3g ± %.2g nats than the columns as they are", c.Gain, c.Sigma)
	}
	if c.Rotation != "" {
		text += "\n" + c.Rotation
	}
	return text
}

// Table says what was tried and gained, a line each.
func (c *Coordinates) Table() (lines []string) {
	judges := fmt.Sprintf("%d events, judged by %d others", c.Events-c.HeldOut, c.HeldOut)
	if c.HeldOut == c.Events {
		judges = fmt.Sprintf("%d events, each judged by what was learnt from others", c.Events)
	}
	lines = append(lines, fmt.Sprintf("trials of coordinates on %s: %.4f nats in the columns as they are", judges, c.LogDensity))
	for _, t := range c.Tried {
		how := fmt.Sprintf("alone %+.4f ± %.4f", t.Gain, t.Sigma)
		if t.Impossible > 0 {
			how = fmt.Sprintf("alone impossible in %d events", t.Impossible)
		}
		lines = append(lines, fmt.Sprintf("  %s: %s, mixed with the columns as they are %+.4f ± %.4f", describeChoices(t.Choices), how, t.Mixed, t.MixedSigma))
	}
	for _, name := range c.NotTried {
		lines = append(lines, "  not tried: "+name)
	}
	return lines
}

// check reports whether coordinates that were read from a file make sense.
func (c *Coordinates) check() error {
	for _, part := range c.Parts {
		for _, choice := range part {
			if !choice.IsSound() {
				return fmt.Errorf("surrogate: the plan is damaged: there are no coordinates %q", choice.Kind)
			}
		}
	}
	return nil
}

// candidate is a set of coordinates, and what a short trial said of it.
type candidate struct {
	choices []coordinates.Choice
	spec    *features.Spec
	logs    []float64 // log-densities of the held-out events of the trial, in the units of the branches
}

// judges are the held-out events of trials: their weights, nil for 1 each.
type judges []float64

// paired returns the mean of a−b, b nil for zeros, and its standard error.
func (w judges) paired(a, b []float64) (mean, sigma float64) {
	difference := func(i int) float64 {
		if b == nil {
			return a[i]
		}
		return a[i] - b[i]
	}
	total, sum := 0.0, 0.0
	for i := range a {
		if v := weightOf(w, i); v != 0 { // what is not judged by may be impossible
			total += v
			sum += v * difference(i)
		}
	}
	mean = sum / total
	squares := 0.0
	for i := range a {
		if v := weightOf(w, i); v != 0 {
			d := v * (difference(i) - mean)
			squares += d * d
		}
	}
	return mean, math.Sqrt(squares) / math.Abs(total)
}

// mixed returns the log-densities of the mixture of some densities, given theirs, and the weights under which it is most likely, by
// expectation maximisation.
func (w judges) mixed(logs ...[]float64) (mixture, weights []float64) {
	const rounds, least = 100, 1e-6
	n, parts := len(logs[0]), len(logs)
	weights = make([]float64, parts)
	ratios, sums := make([]float64, n*parts), make([]float64, parts) // of the densities of an event to the largest of them
	for i := range n {
		most := math.Inf(-1)
		for _, log := range logs {
			most = max(most, log[i])
		}
		for k, log := range logs {
			if !math.IsInf(most, -1) {
				ratios[i*parts+k] = math.Exp(log[i] - most)
			}
		}
	}
	for k := range weights {
		weights[k] = 1 / float64(parts)
	}
	for range rounds {
		clear(sums)
		for i := range n {
			if p := floats.Dot(weights, ratios[i*parts:(i+1)*parts]); p > 0 {
				for k, ratio := range ratios[i*parts : (i+1)*parts] {
					sums[k] += weightOf(w, i) * weights[k] * ratio / p
				}
			}
		}
		total := floats.Sum(sums)
		for k, sum := range sums {
			weights[k] = max(sum/total, least)
		}
		floats.Scale(1/floats.Sum(weights), weights)
	}
	return mixtureOf(logs, weights), weights
}

// mixtureOf returns the log-densities of the mixture of some densities, given theirs and the weights.
func mixtureOf(logs [][]float64, weights []float64) (mixture []float64) {
	mixture = make([]float64, len(logs[0]))
	terms := make([]float64, len(logs))
	for i := range mixture {
		for k, log := range logs {
			terms[k] = math.Log(weights[k]) + log[i]
		}
		mixture[i] = floats.LogSumExp(terms)
	}
	return mixture
}

// mixtureOfParts are coordinates that were chosen, those with the larger weight first.
type mixtureOfParts struct {
	parts   []*candidate
	weights []float64
}

// logs returns its log-densities of the held-out events.
func (m mixtureOfParts) logs() []float64 {
	var logs [][]float64
	for _, p := range m.parts {
		logs = append(logs, p.logs)
	}
	return mixtureOf(logs, m.weights)
}

// choose returns the best of the coordinates that were tried, the first of which are the columns as they are: those that are better
// than all others or, if it is wanted, the mixture of two that is better still.
func (w judges) choose(tried []*candidate, mix bool) (best mixtureOfParts) {
	isPossible := func(logs []float64) bool { return !slices.Contains(logs, math.Inf(-1)) }
	first := tried[0]
	for range tried {
		next := first
		for _, other := range tried {
			if isPossible(other.logs) && isBetter(w.paired(other.logs, next.logs)) {
				next = other
			}
		}
		if next == first {
			break
		}
		first = next
	}
	best, logs := mixtureOfParts{[]*candidate{first}, []float64{1}}, first.logs
	if !mix {
		return best
	}
	for i, a := range tried {
		for _, b := range tried[:i] {
			both, weights := w.mixed(a.logs, b.logs)
			if !isPossible(both) || !isBetter(w.paired(both, first.logs)) {
				continue
			}
			if further, _ := w.paired(both, logs); further > 0 {
				best, logs = mixtureOfParts{[]*candidate{a, b}, weights}, both
			}
		}
	}
	if len(best.parts) > 1 && best.weights[0] < best.weights[1] {
		slices.Reverse(best.parts)
		slices.Reverse(best.weights)
	}
	return best
}

// gain returns by how much events are more likely in the coordinates that [judges.choose] takes than in the columns as they are,
// and its standard error. What is chosen by half of the events is judged by the others, so that it is not the gain of the luckiest.
func (w judges) gain(tried []*candidate, mix bool) (gain, sigma float64) {
	base := tried[0].logs
	crossed := make([]float64, len(base))
	for half := range 2 {
		own := make(judges, len(base))
		for i := range own {
			if i%2 == half {
				own[i] = weightOf(w, i)
			}
		}
		for i, log := range own.choose(tried, mix).logs() {
			if i%2 != half {
				crossed[i] = log
			}
		}
	}
	return w.paired(crossed, base)
}

// isBetter reports whether a paired gain is one that counts.
func isBetter(gain, sigma float64) bool {
	const least, errors = 0.01, 3 // nats, standard errors
	return gain > max(least, errors*sigma)
}

// compete compares coordinates for the momenta among the columns of t by short trials, and gives the
// surrogate the best ones: a part for each set. It starts from the columns as they are, tries every
// change that [coordinates.Propose] speaks of, takes the best, and goes on with others beside it, until nothing gains; and looks for the
// two sets of all that were tried whose mixture gains most. All trials learn from the same events and are judged by the same others. It returns
// nil where there is nothing to choose.
func (o Options) compete(ctx context.Context, s *Surrogate, t *rootio.Table, w []float64, begin time.Time) (*Coordinates, error) {
	const (
		fewest       = 500
		mostWork     = 5e7 // events × passes × the square of the number of columns, in a trial, by default
		fewestEpochs = 5
	)
	effort := o.effort()
	asked := cmp.Or(o.Coordinates, CoordinatesOptions()[0])
	kind := o.kindOf(t.Len(), s.Parts[0].Features.Dim())
	if asked == MixedCoordinates && !kind.Mixes {
		asked = BestCoordinates
	}
	if asked == PlainCoordinates || len(o.Features.Systems) > 0 || o.Features.Standard || o.Coupling == factor.Lecture || t.Len() < fewest || s.Parts[0].Features.Dim() > widestOfTrial {
		return nil, nil
	}
	target, condition, err := split(t, o.Condition)
	if err != nil {
		return nil, err
	}
	found := s.Parts[0].Features.Momenta
	if found == nil {
		return nil, nil
	}
	proposals := coordinates.Propose(target, found.Vectors)
	if len(proposals) == 0 {
		return nil, nil
	}
	c := &Coordinates{}
	of := o.Features
	of.Computed = s.Parts[0].Features.Computed()
	if limit := o.Train.MaxTime; limit > 0 {
		of.Until = begin.Add(limit * 2 / 5)
	}
	d := draft{kind: factor.Models()[0]}
	if kind.Folds {
		d.kind, d.settings.Normals = kind, true
	}
	d.settings.Seed = o.Seed
	short := newTrial(s, t, w, o, begin)
	work := float64(short.t.Len()) * float64(s.Parts[0].Features.Dim()*s.Parts[0].Features.Dim())
	short.train = training.Options{
		Epochs:  min(short.train.Epochs, max(int(effort.trials*mostWork/work), fewestEpochs)),
		MaxTime: o.Train.Since(begin).MaxTime / 5 / time.Duration(effort.changes+2*effort.inRound),
	}
	over := func() bool { return o.Train.MaxTime > 0 && time.Since(begin) > o.Train.MaxTime*2/5 }

	// Rotation symmetry, where the events have it, is of all coordinates.
	var always []coordinates.Choice
	fit := func(choices ...coordinates.Choice) (*features.Spec, error) {
		of.Choices = choices
		spec, err := features.FitGiven(ctx, target, condition, w, of)
		if err != nil || spec.Dim() != s.Parts[0].Features.Dim() {
			return nil, ctx.Err()
		}
		return spec, nil
	}
	var rotated *features.Spec
	var symmetric coordinates.Choice
	if proposals[0].Kind == coordinates.Rotation {
		symmetric, proposals = proposals[0].Choice, proposals[1:]
		if !over() {
			if rotated, err = fit(symmetric); err != nil {
				return nil, err
			}
		}
	}
	if rotated != nil && len(rotated.Refused) > 0 {
		c.Rotation = "not rotation symmetric in φ: " + rotated.NotSymmetric
		o.log("%s", c.Rotation)
	}
	if len(proposals) == 0 && (rotated == nil || len(rotated.Refused) > 0) {
		return nil, nil
	}

	base := &candidate{spec: &s.Parts[0].Features}
	var by judges
	if base.logs, by, err = short.logs(ctx, base.spec, d); err != nil {
		if ctx.Err() == nil {
			o.log("note: coordinates are not compared: the columns as they are could not be learnt in a short trial: %v", err)
		}
		return nil, ctx.Err()
	}
	c.Events, c.HeldOut = short.t.Len(), len(base.logs)
	c.LogDensity, _ = by.paired(base.logs, nil)
	start, tried := base, []*candidate{base}
	seen := map[string]bool{stepsOf(base.spec): true}
	// try returns a candidate, nil where there is none or it was tried before.
	try := func(choices ...coordinates.Choice) (*candidate, error) {
		if over() {
			c.NotTried = append(c.NotTried, describeChoices(choices))
			return nil, nil
		}
		if !slices.ContainsFunc(choices, func(c coordinates.Choice) bool { return c.Kind == coordinates.Rotation }) {
			choices = slices.Concat(choices, always)
		}
		spec, err := fit(choices...)
		if err != nil || spec == nil || len(spec.Refused) > 0 || seen[stepsOf(spec)] {
			return nil, err
		}
		seen[stepsOf(spec)] = true
		next := &candidate{choices: choices, spec: spec}
		if next.logs, _, err = short.logs(ctx, spec, d); err != nil {
			c.NotTried = append(c.NotTried, fmt.Sprintf("%s: %v", describeChoices(choices), err))
			return nil, ctx.Err()
		}
		result := TriedCoordinates{Choices: next.choices}
		for _, v := range next.logs {
			if math.IsInf(v, -1) {
				result.Impossible++
			}
		}
		if result.Impossible == 0 {
			result.Gain, result.Sigma = by.paired(next.logs, base.logs)
		}
		both, _ := by.mixed(base.logs, next.logs)
		result.Mixed, result.MixedSigma = by.paired(both, base.logs)
		c.Tried = append(c.Tried, result)
		tried = append(tried, next)
		return next, nil
	}
	if rotated != nil && len(rotated.Refused) == 0 {
		next, err := try(symmetric)
		if err != nil {
			return nil, err
		}
		c.Rotation = "rotation symmetric in φ, but not used: it could not be tried"
		if next != nil {
			if g, sigma := by.paired(next.logs, base.logs); g > -sigma {
				always, start, tried = next.choices, next, []*candidate{next}
				c.Rotation = "rotation symmetric in φ: one azimuth is uniform and independent of all else, all others are relative to it"
			} else {
				c.Rotation = fmt.Sprintf("rotation symmetric in φ, but not used: with that, held-out events are less likely by %.2g ± %.1g nats", -g, sigma)
			}
		}
		o.log("%s", c.Rotation)
	}
	proposals = slices.DeleteFunc(proposals, func(p coordinates.Proposal) bool { return overlaps(always, p.Choice) })
	for i, p := range proposals {
		if i >= effort.changes {
			c.NotTried = append(c.NotTried, describeChoices([]coordinates.Choice{p.Choice}))
			continue
		}
		if _, err := try(p.Choice); err != nil {
			return nil, err
		}
	}
	best := start
	singles := slices.Clone(tried[1:])
	gain := func(of *candidate) float64 { g, _ := by.paired(of.logs, base.logs); return g }
	slices.SortStableFunc(singles, func(a, b *candidate) int {
		switch x, y := gain(a), gain(b); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	for range effort.rounds {
		next := by.choose(tried, false).parts[0]
		if next == best {
			break
		}
		best = next
		n := 0
		for _, other := range singles {
			if n == effort.inRound {
				break
			}
			choice := other.choices[0]
			if overlaps(best.choices, choice) {
				continue
			}
			if _, err := try(append(slices.Clone(best.choices), choice)...); err != nil {
				return nil, err
			}
			n++
		}
	}
	chosen := by.choose(tried, asked == MixedCoordinates)
	c.Gain, c.Sigma = by.gain(tried, asked == MixedCoordinates)
	if chosen.parts[0] == tried[0] && len(chosen.parts) == 1 || !isBetter(c.Gain, c.Sigma) {
		chosen, c.Gain, c.Sigma = mixtureOfParts{tried[:1], []float64{1}}, 0, 0
	}
	s.Parts = nil
	for k, p := range chosen.parts {
		s.Parts = append(s.Parts, Part{Weight: chosen.weights[k], Features: *p.spec})
		c.Parts = append(c.Parts, p.choices)
	}
	for _, line := range c.Table() {
		o.log("%s", line)
	}
	o.log("%v", c)
	return c, nil
}

// stepsOf says which steps a choice of coordinates has, in whatever order they were found, and which feature is independent.
func stepsOf(spec *features.Spec) string {
	all := []string{strconv.Itoa(spec.Independent())}
	for _, s := range spec.Steps {
		text, err := json.Marshal(s)
		if err != nil {
			panic(err) // a step is made to be stored
		}
		all = append(all, step.KindOf(s)+string(text))
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// kindOf returns the kind of the model of n events of dim features: where that is open, an ensemble of few, and for many the
// first of those that a trial will compare.
func (o Options) kindOf(n, dim int) factor.Kind {
	if o.Model == "" && o.isSmall(n, dim) {
		o.Model = ensembleModel
	}
	kind, _ := factor.ByName(cmp.Or(o.Model, Models()[0]))
	return kind
}

// overlaps reports whether a choice is one of others, or takes what one of them has taken.
func overlaps(choices []coordinates.Choice, next coordinates.Choice) bool {
	takes := func(c coordinates.Choice) []string {
		switch c.Kind {
		case coordinates.Mass, coordinates.Ordered:
			return c.Vectors[len(c.Vectors)-1:]
		case coordinates.Balance, coordinates.Recoil:
			return c.Vectors[:1]
		case coordinates.Rotation:
			return nil
		}
		return c.Vectors
	}
	return slices.ContainsFunc(choices, func(c coordinates.Choice) bool {
		if c.Kind == coordinates.Rotation && next.Kind == coordinates.Angles {
			return true
		}
		if c.Kind == coordinates.Polar || next.Kind == coordinates.Polar || c.Kind == coordinates.Angles || next.Kind == coordinates.Angles {
			return c.Kind == next.Kind
		}
		return slices.ContainsFunc(takes(c), func(name string) bool { return slices.Contains(takes(next), name) })
	})
}

// logs trains a draft in a set of coordinates and returns the log-densities of the held-out events, in the units of the branches, and
// their weights. Where the kind of the draft has folds these are all events, each judged by what has not learnt from it.
func (tr trial) logs(ctx context.Context, spec *features.Spec, d draft) ([]float64, judges, error) {
	d.settings.Train = tr.train
	short, err := newTraining(ctx, tr.of.columns(spec), tr.t, tr.w, tr.options, d)
	if err != nil {
		return nil, nil, err
	}
	short.begin = time.Now()
	s, err := short.Run(ctx)
	if err != nil {
		return nil, nil, err
	}
	if d.kind.Folds {
		all, err := short.allRows(ctx)
		if err != nil {
			return nil, nil, err
		}
		logs, err := all.logDensities(ctx)
		if err != nil {
			return nil, nil, err
		}
		for i, v := range logs[0] {
			if v < impossible/2 {
				logs[0][i] = math.Inf(-1)
			}
		}
		return logs[0], all.judges(), nil
	}
	var by judges
	for _, w := range short.weights(short.judge) {
		by = append(by, float64(w))
	}
	logs := make([]float64, len(short.judge))
	return logs, by, s.LogDensity(ctx, logs, tr.t.Take(short.judge), 0)
}
