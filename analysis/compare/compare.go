// Package compare puts two samples of events side by side: a reference, such
// as a full simulation, and a candidate, such as the events that a model of it
// has generated.
//
// [Compare] matches the columns of the two by name and measures how far apart
// they are: means and widths, the Kolmogorov–Smirnov and Wasserstein distances,
// χ² in common bins, values that the reference never takes, and the matrix of
// correlations. The [Report] is printed with [Report.WriteText], marshals to one
// JSON object and is drawn with [Report.Plots] and [Report.Spectra].
//
// # What the numbers mean
//
// Large samples make any model distinguishable, so a p-value alone is no
// verdict. A distance says how much it matters: a KS distance of 1 % means that
// no cut x < c selects fractions of the two samples that differ by more than
// 1 %, and the Wasserstein distance is how far an event has to be moved, on
// average, to make one sample of the other. A column is [Compatible] if the
// tests cannot tell the samples apart, [Close] if they can but the distances are
// small, and [Differs] otherwise.
//
// Events may carry weights, negative ones as well. Tests then use the effective
// number of events, (Σw)²/Σw².
package compare

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/eidolon-hep/eidolon/rootio"
)

// Options says what to compare and how to call it.
type Options struct {
	// Columns are the columns to compare. Without any, those that both samples
	// have are compared, weights excepted.
	Columns []string

	// ReferenceWeight and CandidateWeight name the columns that hold the
	// events' weights. Without a name, every event has weight one.
	ReferenceWeight, CandidateWeight string

	// ReferenceLabel and CandidateLabel are what text and plots call the
	// samples: "reference" and "candidate" if empty.
	ReferenceLabel, CandidateLabel string

	// Seed is the seed of the bootstrap.
	Seed uint64
}

// Report is the outcome of a comparison.
type Report struct {
	Verdict       Verdict      `json:"verdict"` // the worst of the columns'
	Reference     Sample       `json:"reference"`
	Candidate     Sample       `json:"candidate"`
	Columns       []Column     `json:"columns"`
	OnlyReference []string     `json:"only_in_reference,omitempty"`
	OnlyCandidate []string     `json:"only_in_candidate,omitempty"`
	Correlations  Correlations `json:"correlations"`
}

// Sample describes a sample as a whole.
type Sample struct {
	Label           string  `json:"label"`
	Events          int     `json:"events"`
	Weight          string  `json:"weight,omitempty"` // column of the weights
	SumOfWeights    float64 `json:"sum_of_weights"`
	EffectiveEvents float64 `json:"effective_events"` // (Σw)²/Σw²
}

// Column is the comparison of one column.
//
// A column is categorical, and has Codes, if the reference takes at most 32
// different values in ten times as many events, and each of them more than once
// if they are floating-point numbers. A bool is always categorical, and so is a
// constant, which has a single code. Any other column is continuous and has a
// Distance. Neither is there if a sample has no value to compare.
type Column struct {
	Name          string      `json:"name"`
	Title         string      `json:"title,omitempty"`
	Kind          rootio.Kind `json:"kind"`
	CandidateKind rootio.Kind `json:"candidate_kind,omitzero"` // set if it is another
	Verdict       Verdict     `json:"verdict"`
	Reference     Summary     `json:"reference"`
	Candidate     Summary     `json:"candidate"`

	Distance *Distance `json:"distance,omitempty"` // of a continuous column
	Chi2     *Chi2     `json:"chi2,omitempty"`     // absent if there is but one bin

	Codes          []Code  `json:"codes,omitempty"`           // of a categorical column, in rising order
	TotalVariation float64 `json:"total_variation,omitempty"` // ½ Σ |difference of the codes' fractions|
	Illegal        int     `json:"illegal,omitempty"`         // candidate's events with a value that the reference never takes

	spectrum spectrum
}

// Summary describes the values of a column in one sample. Values that are not
// finite, or beyond ±1e75 as some codes for "no value" are, are counted and left
// out of everything else.
type Summary struct {
	Mean      float64 `json:"mean"`
	MeanError float64 `json:"mean_error"`
	Std       float64 `json:"std"`
	StdError  float64 `json:"std_error"`
	Min       float64 `json:"min"`
	Max       float64 `json:"max"`
	LeftOut   int     `json:"left_out,omitempty"`
}

// Distance is how far the distributions of a continuous column are apart.
//
// The errors are from a bootstrap in which both samples are drawn again 100
// times. It works on up to 1024 cells between quantiles of the samples, not on the
// events: the contents of each cell fluctuate as their sum of squared weights says.
type Distance struct {
	KS       float64 `json:"ks"` // Kolmogorov–Smirnov: largest difference of the cumulative distributions
	KSError  float64 `json:"ks_error"`
	KSAt     float64 `json:"ks_at"`      // the value where it is
	KSPValue float64 `json:"ks_p_value"` // asymptotic; too large if values repeat

	// Wasserstein-1: the integral of the difference of the cumulative distributions, in
	// units of the reference's standard deviation.
	Wasserstein      float64 `json:"wasserstein"`
	WassersteinError float64 `json:"wasserstein_error"`
}

// Chi2 is the χ² test of equal proportions in common bins. A continuous column
// has up to 50 bins of about equal content, so that no tail is too thin; a
// categorical one has a bin per code, the rare ones being put together.
type Chi2 struct {
	Value  float64 `json:"value"`
	NDF    int     `json:"ndf"`
	PValue float64 `json:"p_value"`
}

// Code is a value of a categorical column.
type Code struct {
	Value             float64 `json:"value"`
	Reference         int     `json:"reference"` // events
	Candidate         int     `json:"candidate"`
	ReferenceFraction float64 `json:"reference_fraction"` // of the sum of weights
	CandidateFraction float64 `json:"candidate_fraction"`

	referenceError, candidateError float64 // of the fractions
}

// Verdict is the comparison of a column in a word.
type Verdict string

// The verdicts, from best to worst.
const (
	NoValues   Verdict = "no values"      // in neither sample
	Compatible Verdict = "compatible"     // p ≥ 1 % in every test
	Close      Verdict = "close"          // p < 1 %, but KS distance or total variation ≤ 1 %, Wasserstein ≤ 2 % σ
	Differs    Verdict = "differs"        // neither
	Illegal    Verdict = "illegal values" // the candidate takes values that the reference never takes
)

var severity = []Verdict{NoValues, Compatible, Close, Differs, Illegal}

const (
	significance   = 0.01
	closeKS        = 0.01
	closeTransport = 0.02

	maxCodes  = 32
	chi2Bins  = 50
	cells     = 1024
	resamples = 100
	beyond    = 1e75
)

// Compare compares the columns that ref and cand have in common.
//
// It is an error if there is none, if a sample has no event, if a column that
// opts names is missing, or if weights are not finite or add up to nothing.
func Compare(ref, cand *rootio.Table, opts Options) (*Report, error) {
	r := &Report{}
	refWeights, err := describe(&r.Reference, ref, opts.ReferenceWeight, opts.ReferenceLabel, "reference")
	if err != nil {
		return nil, err
	}
	candWeights, err := describe(&r.Candidate, cand, opts.CandidateWeight, opts.CandidateLabel, "candidate")
	if err != nil {
		return nil, err
	}
	names, err := r.match(ref, cand, opts)
	if err != nil {
		return nil, err
	}

	r.Columns = make([]Column, len(names))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, name := range names {
		group.Go(func() error {
			a, _ := ref.Column(name)
			b, _ := cand.Column(name)
			rng := rand.New(rand.NewPCG(opts.Seed, uint64(i)))
			r.Columns[i] = compareColumn(a, b, refWeights, candWeights, rng)
			return nil
		})
	}
	_ = group.Wait()

	r.Verdict = severity[0]
	for _, c := range r.Columns {
		if slices.Index(severity, c.Verdict) > slices.Index(severity, r.Verdict) {
			r.Verdict = c.Verdict
		}
	}
	r.Correlations = correlate(r, ref, cand, refWeights, candWeights)
	return r, nil
}

// describe fills in what is said of a sample as a whole and returns the
// weights of its events, nil if all are one.
func describe(s *Sample, t *rootio.Table, weight, label, role string) ([]float64, error) {
	*s = Sample{Label: label, Events: t.Len(), Weight: weight}
	if label == "" {
		s.Label = role
	}
	if s.Events == 0 {
		return nil, fmt.Errorf("compare: the %s has no events", role)
	}
	for _, c := range t.Columns {
		if c.Len() != s.Events {
			return nil, fmt.Errorf("compare: column %q of the %s has %d values, not %d", c.Name, role, c.Len(), s.Events)
		}
	}
	if weight == "" {
		s.SumOfWeights, s.EffectiveEvents = float64(s.Events), float64(s.Events)
		return nil, nil
	}

	c, ok := t.Column(weight)
	if !ok {
		return nil, fmt.Errorf("compare: the %s has no column %q for weights", role, weight)
	}
	w := make([]float64, s.Events)
	c.Floats(w, 0)
	var sum, sum2 float64
	for i, x := range w {
		if !usable(x) {
			return nil, fmt.Errorf("compare: weight %q of the %s is %v in entry %d", weight, role, x, i)
		}
		sum += x
		sum2 += x * x
	}
	if sum <= 0 {
		return nil, fmt.Errorf("compare: weights %q of the %s add up to %v", weight, role, sum)
	}
	s.SumOfWeights, s.EffectiveEvents = sum, sum*sum/sum2
	return w, nil
}

// match returns the names of the columns to compare, in the order of the
// reference or of the options, and lists those that only one sample has.
func (r *Report) match(ref, cand *rootio.Table, opts Options) ([]string, error) {
	isWeight := func(name string) bool {
		return name != "" && (name == opts.ReferenceWeight || name == opts.CandidateWeight)
	}
	var names []string
	for _, c := range ref.Columns {
		if isWeight(c.Name) || slices.Contains(names, c.Name) {
			continue
		}
		if _, ok := cand.Column(c.Name); ok {
			names = append(names, c.Name)
		} else {
			r.OnlyReference = append(r.OnlyReference, c.Name)
		}
	}
	for _, c := range cand.Columns {
		if _, ok := ref.Column(c.Name); !ok && !isWeight(c.Name) {
			r.OnlyCandidate = append(r.OnlyCandidate, c.Name)
		}
	}

	if len(opts.Columns) > 0 {
		names = nil
		for _, name := range opts.Columns {
			for _, t := range []struct {
				role  string
				table *rootio.Table
			}{{"reference", ref}, {"candidate", cand}} {
				if _, ok := t.table.Column(name); !ok {
					return nil, fmt.Errorf("compare: the %s has no column %q", t.role, name)
				}
			}
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		r.OnlyReference, r.OnlyCandidate = nil, nil
	}
	if len(names) == 0 {
		return nil, errors.New("compare: reference and candidate have no column in common")
	}
	return names, nil
}

func compareColumn(ref, cand rootio.Column, refWeights, candWeights []float64, rng *rand.Rand) Column {
	c := Column{Name: ref.Name, Title: ref.Title, Kind: ref.Kind}
	if cand.Kind != ref.Kind {
		c.CandidateKind = cand.Kind
	}
	a, b := newValues(ref, refWeights), newValues(cand, candWeights)
	c.Reference, c.Candidate = a.summary(), b.summary()
	switch hasRef, hasCand := a.all.w > 0, b.all.w > 0; {
	case !hasRef && !hasCand:
		c.Verdict = NoValues
		return c
	case !hasRef || !hasCand:
		c.Verdict = Differs
		return c
	}

	p, effect := leftOut(a, b)
	if codes := a.codes(c.Kind); codes != nil {
		var binsA, binsB []bin
		c.Codes, binsA, binsB = countCodes(a, b, codes)
		c.TotalVariation = totalVariation(a, b, binsA, binsB)
		c.Illegal = binsB[len(codes)].n
		c.Chi2 = chi2OfCodes(a, b, binsA, binsB)
		c.spectrum = codeSpectrum(c.Codes, c.Kind)
		effect = max(effect, c.TotalVariation)
	} else {
		edges := quantileEdges(a, b, cells)
		cellsA, cellsB := a.histogram(edges), b.histogram(edges)
		c.Distance = measure(a, b, cellsA, cellsB, c.Reference.Std, rng)
		c.Chi2 = chi2OfCells(a, b, cellsA, cellsB)
		c.spectrum = valueSpectrum(a, b, c.Kind)
		p = min(p, c.Distance.KSPValue)
		effect = max(effect, c.Distance.KS, c.Distance.Wasserstein*closeKS/closeTransport)
	}
	if c.Chi2 != nil {
		p = min(p, c.Chi2.PValue)
	}

	switch {
	case c.Illegal > 0:
		c.Verdict = Illegal
	case p >= significance:
		c.Verdict = Compatible
	case effect <= closeKS:
		c.Verdict = Close
	default:
		c.Verdict = Differs
	}
	return c
}

// leftOut tests whether the samples have equal fractions of values that are
// left out and returns the p-value with the difference.
func leftOut(a, b *values) (p, difference float64) {
	if a.left.n == 0 && b.left.n == 0 {
		return 1, 0
	}
	test := chi2([]bin{a.left, a.all}, []bin{b.left, b.all})
	if test == nil {
		return 1, 0
	}
	fraction := func(v *values) float64 { return v.left.w / (v.left.w + v.all.w) }
	return test.PValue, math.Abs(fraction(a) - fraction(b))
}
