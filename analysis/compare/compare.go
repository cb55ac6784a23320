// Package compare puts two samples of events side by side: a reference, such
// as a full simulation, and a candidate, such as the events that a model of it
// has generated.
//
// [Compare] matches the columns of the two by name and measures how far apart
// they are: means and widths, the Kolmogorov–Smirnov and Wasserstein distances,
// χ² in common bins, values that many events share, values that the reference never
// takes, and the matrix of correlations; if asked, in bins of some columns as well. Two
// more measurements take longer and are asked for: [Report.Classify] lets a classifier
// try to tell the samples apart by all columns together, and [Report.Measure] takes the
// distances that generative models are judged by, and looks for copies of training
// events. The [Report] is printed with [Report.WriteText], marshals to one JSON object, is
// put in words by [Report.Words], drawn with [Report.Plots] and [Report.Spectra], and all
// that makes one HTML file with [Report.WriteHTML].
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
// Many columns are many tests, and one in a hundred of them has p < 1 % by chance.
// Verdicts rest on p-values that are corrected for the number of tests in all
// columns (Holm), so that two samples of one distribution are called different about
// once in a hundred comparisons at most, however many columns they have.
//
// Events may carry weights, negative ones as well. Tests then use the effective
// number of events, (Σw)²/Σw².
package compare

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/column"
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

	// ReferenceWeights and CandidateWeights are the weights themselves, in the place of
	// columns.
	ReferenceWeights, CandidateWeights []float64

	// Blocks names the column whose number tells which events belong together, as
	// event_index does of events that were drawn several times for one event of an input. All
	// events of a sample with one number are a block. If both samples have the column,
	// events of both with one number are a pair, if Pairs says so. Errors and tests are then by
	// blocks. The column itself is not compared. It need not be in both samples.
	Blocks string
	Pairs  bool

	// ReferenceLabel and CandidateLabel are what text and plots call the
	// samples: "reference" and "candidate" if empty.
	ReferenceLabel, CandidateLabel string

	// ReferenceSource and CandidateSource say where the samples come from, for the report: a
	// sentence each for the files, what made them, and the like.
	ReferenceSource, CandidateSource []string

	// NoDerived leaves out the quantities that are derived from the momenta among the columns, such as
	// masses, which are compared and seen by the classifier like columns. Package vectors
	// recognises the momenta in the reference.
	NoDerived bool

	// Condition names columns in bins of which the others are compared as well.
	Condition []string

	// Seed is the seed of the bootstrap.
	Seed uint64
}

// Report is the outcome of a comparison.
type Report struct {
	Verdict       Verdict      `json:"verdict"` // the worst of the columns' and the classifier's
	Tests         int          `json:"tests"`   // that p-values are corrected for
	Reference     Sample       `json:"reference"`
	Candidate     Sample       `json:"candidate"`
	Columns       []Column     `json:"columns"`
	Momenta       []string     `json:"momenta,omitempty"` // what derived quantities are of, in words
	OnlyReference []string     `json:"only_in_reference,omitempty"`
	OnlyCandidate []string     `json:"only_in_candidate,omitempty"`
	Correlations  Correlations `json:"correlations"`

	// Notes say what else is to be known: what was left out and why, what few events there
	// are, how errors were found.
	Notes []string `json:"notes,omitempty"`

	// Bins are the comparisons in bins of the condition. Their tests are a family of
	// their own: they are corrected for their number, and do not enter Verdict.
	Bins []Bin `json:"bins,omitempty"`

	// Classifier is what [Report.Classify] found; nil if it was not asked.
	Classifier *classify.Result `json:"classifier,omitempty"`
	// Joint is what [Report.Measure] found; nil if it was not asked.
	Joint *Joint `json:"joint,omitempty"`

	in      [2]sampled         // reference and candidate
	derived [2][]rootio.Column // of reference and candidate: the derived quantities

	copies int // events that are equal to another one of their sample
}

// Sample describes a sample as a whole.
type Sample struct {
	Label           string   `json:"label"`
	Source          []string `json:"source,omitempty"` // where it comes from, in sentences
	Events          int      `json:"events"`
	Weight          string   `json:"weight,omitempty"` // column of the weights
	SumOfWeights    float64  `json:"sum_of_weights"`
	EffectiveEvents float64  `json:"effective_events"` // (Σw)²/Σw², w the weights of events, or of blocks
	Blocks          int      `json:"blocks,omitempty"`
}

// Column is the comparison of one column.
//
// A column is categorical, and has Codes and Proportions, if the reference takes
// at most 256 different values, in twenty times as many events or more if they are
// floating-point numbers. A bool is always categorical, and so is a constant, which
// has a single code. Any other column is continuous and has a Distance. None of these
// is there if a sample has no value to compare.
type Column struct {
	Name          string      `json:"name"`
	Title         string      `json:"title,omitempty"`
	Derived       bool        `json:"derived,omitempty"` // it is computed from the momenta; Title says what it is
	Kind          rootio.Kind `json:"kind"`
	CandidateKind rootio.Kind `json:"candidate_kind,omitzero"` // set if it is another
	Verdict       Verdict     `json:"verdict"`
	PValue        float64     `json:"p_value"` // smallest of all the column's tests, each corrected for the number of tests in the report
	Reference     Summary     `json:"reference"`
	Candidate     Summary     `json:"candidate"`
	Tests         []Test      `json:"tests,omitempty"`

	Chi2 *Chi2 `json:"chi2,omitempty"` // absent if there is but one bin

	Distance *Distance `json:"distance,omitempty"` // of a continuous column
	Spikes   []Spike   `json:"spikes,omitempty"`   // of a continuous column, in rising order

	Proportions *Proportions `json:"proportions,omitempty"` // of a categorical column
	Codes       []Code       `json:"codes,omitempty"`       // of a categorical column, in rising order

	effect   float64  // the distance on which the verdict rests, on the scale of KS
	cells    [2][]bin // of reference and candidate, for the bootstrap
	spectrum spectrum

	toldNever bool // whether the reference has enough events to say which values are illegal
}

// NameUnit is the name of the column with its unit, where the title of the branch gives one.
func (c *Column) NameUnit() string {
	if unit := column.Unit(c.Title); unit != "" {
		return c.Name + " [" + unit + "]"
	}
	return c.Name
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
	KSPValue float64 `json:"ks_p_value"` // exact for few events; else asymptotic, and too large if values repeat, for which there are Spikes

	// Wasserstein-1: the integral of the difference of the cumulative distributions, in
	// units of the reference's standard deviation.
	Wasserstein      float64 `json:"wasserstein"`
	WassersteinError float64 `json:"wasserstein_error"`
}

// Chi2 is the χ² test of equal proportions in common bins. A continuous column
// has up to 50 bins of about equal content, so that no tail is too thin; a
// categorical one has a bin per code, rare neighbours being put together. For a few
// events of codes the p-value is exact, for a few others there is no χ².
type Chi2 struct {
	Value  float64 `json:"value"`
	NDF    int     `json:"ndf"`
	PValue float64 `json:"p_value"`
}

// Proportions compares how often the codes of a categorical column occur.
type Proportions struct {
	TotalVariation float64 `json:"total_variation"`           // ½ Σ |difference of the codes' fractions|
	ByChance       float64 `json:"total_variation_by_chance"` // its mean for two samples of one distribution

	// Illegal is the number of the candidate's events with a value that the
	// reference never takes. A sample of n events may well miss values of
	// probability 1/n, so that some are to be expected. The p-value is the probability of as
	// many if both samples had one distribution, or a bound above it; it is zero if the reference's type has no such value, as a bool has no 2 and an integer
	// no ½.
	Illegal       int     `json:"illegal"`
	IllegalPValue float64 `json:"illegal_p_value"`
}

// Code is a value of a categorical column.
type Code struct {
	Value             float64 `json:"value"`
	Integer           string  `json:"integer,omitempty"` // the value, if a float64 does not hold it
	Reference         int     `json:"reference"`         // events
	Candidate         int     `json:"candidate"`
	ReferenceFraction float64 `json:"reference_fraction"` // of the sum of weights
	CandidateFraction float64 `json:"candidate_fraction"`

	referenceError, candidateError float64 // of the fractions
}

const (
	maxIllegal = 32 // illegal values that are listed
	chi2Bins   = 50
	cells      = 1024
	resamples  = 100
	beyond     = 1e75
)

// Compare compares the columns that ref and cand have in common.
//
// It is an error if there is none, if a sample has no event, if a column that
// opts names is missing, or if weights are not finite or add up to nothing.
func Compare(ctx context.Context, ref, cand *rootio.Table, opts Options) (*Report, error) {
	r := &Report{}
	weightsA, err := describe(&r.Reference, ref, opts.ReferenceWeight, opts.ReferenceWeights, opts.ReferenceLabel, "reference")
	if err != nil {
		return nil, err
	}
	weightsB, err := describe(&r.Candidate, cand, opts.CandidateWeight, opts.CandidateWeights, opts.CandidateLabel, "candidate")
	if err != nil {
		return nil, err
	}
	r.Reference.Source, r.Candidate.Source = opts.ReferenceSource, opts.CandidateSource
	inRef, inCand := sampled{w: weightsA}, sampled{w: weightsB}
	if err := r.block(&inRef, &inCand, ref, cand, opts); err != nil {
		return nil, err
	}
	r.in = [2]sampled{inRef, inCand}
	r.noteWeights()
	names, err := r.match(ref, cand, opts)
	if err != nil {
		return nil, err
	}

	r.noteCopies(ref, cand, names)
	if !opts.NoDerived {
		r.derive(ref, cand, names)
	}
	r.Columns = make([]Column, len(names)+len(r.derived[0]))
	all(ctx, len(r.Columns), func(i int) {
		var a, b rootio.Column
		k := i - len(names)
		if k < 0 {
			a, _ = ref.Column(names[i])
			b, _ = cand.Column(names[i])
		} else {
			a, b = r.derived[0][k], r.derived[1][k]
		}
		r.Columns[i] = compareColumn(a, b, inRef, inCand, rand.New(rand.NewPCG(opts.Seed, uint64(i))))
		r.Columns[i].Derived = k >= 0
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}

	r.judge()
	if r.Correlations, err = correlate(ctx, r, ref, cand, inRef.w, inCand.w); err != nil {
		return nil, err
	}
	if err := r.inBins(ctx, ref, cand, inRef, inCand, opts.Condition); err != nil {
		return nil, err
	}
	return r, nil
}

// describe fills in what is said of a sample as a whole and returns the
// weights of its events, nil if all are one.
func describe(s *Sample, t *rootio.Table, weight string, w []float64, label, role string) ([]float64, error) {
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
	what := "the weight"
	switch {
	case weight != "":
		what = fmt.Sprintf("weight %q", weight)
		c, ok := t.Column(weight)
		if !ok {
			return nil, fmt.Errorf("compare: the %s has no column %q for weights", role, weight)
		}
		w = make([]float64, s.Events)
		c.Floats(w, 0)
	case w == nil:
		s.SumOfWeights, s.EffectiveEvents = float64(s.Events), float64(s.Events)
		return nil, nil
	case len(w) != s.Events:
		return nil, fmt.Errorf("compare: the %s has %d weights for %d events", role, len(w), s.Events)
	}
	var sum, sum2 float64
	for i, x := range w {
		if !usable(x) {
			return nil, fmt.Errorf("compare: %s of the %s is %v in entry %d", what, role, x, i)
		}
		sum += x
		sum2 += x * x
	}
	if sum <= 0 {
		return nil, fmt.Errorf("compare: %ss of the %s add up to %v", what, role, sum)
	}
	s.SumOfWeights, s.EffectiveEvents = sum, sum*sum/sum2
	return w, nil
}

// match returns the names of the columns to compare, in the order of the
// reference or of the options, and lists those that only one sample has.
func (r *Report) match(ref, cand *rootio.Table, opts Options) ([]string, error) {
	aside := func(name string) bool {
		return name != "" && (name == opts.ReferenceWeight || name == opts.CandidateWeight || name == opts.Blocks)
	}
	var names []string
	for _, c := range ref.Columns {
		if aside(c.Name) || slices.Contains(names, c.Name) {
			continue
		}
		if _, ok := cand.Column(c.Name); ok {
			names = append(names, c.Name)
		} else {
			r.OnlyReference = append(r.OnlyReference, c.Name)
		}
	}
	for _, c := range cand.Columns {
		if _, ok := ref.Column(c.Name); !ok && !aside(c.Name) {
			r.OnlyCandidate = append(r.OnlyCandidate, c.Name)
		}
	}

	for _, name := range slices.Concat(opts.Columns, opts.Condition) {
		for _, t := range []struct {
			role  string
			table *rootio.Table
		}{{"reference", ref}, {"candidate", cand}} {
			if _, ok := t.table.Column(name); !ok {
				return nil, fmt.Errorf("compare: the %s has no column %q", t.role, name)
			}
		}
	}
	if len(opts.Columns) > 0 {
		names = nil
		for _, name := range opts.Columns {
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

// compareColumn measures and tests a column, but for the verdict.
func compareColumn(ref, cand rootio.Column, inRef, inCand sampled, rng *rand.Rand) Column {
	c := Column{Name: ref.Name, Title: ref.Title, Kind: ref.Kind}
	if cand.Kind != ref.Kind {
		c.CandidateKind = cand.Kind
	}
	a, b := newValues(ref, inRef), newValues(cand, inCand)
	c.Reference, c.Candidate = a.summary(), b.summary()
	x, y, numbered := exactColumns(ref, cand)
	if numbered != nil {
		a, b = newValues(x, inRef), newValues(y, inCand)
	}
	c.Verdict, c.PValue = NoValues, 1
	hasRef, hasCand := a.all.w > 0, b.all.w > 0
	switch {
	case !hasRef && !hasCand:
		return c
	case hasRef && hasCand && a.areCodes(c.Kind):
		c.compareCodes(a, b)
		if numbered != nil {
			numbered.name(&c)
		}
	case hasRef && hasCand:
		c.compareValues(a, b, rng)
	}
	if a.left.n+b.left.n > 0 {
		fraction := func(v *values) float64 { return v.left.w / (v.left.w + v.all.w) }
		c.decide("values left out", equalProportions(a.left, a.all, b.left, b.all), math.Abs(fraction(a)-fraction(b)))
	}
	return c
}

func (c *Column) compareCodes(a, b *values) {
	in := countValues(a, b)
	p := &Proportions{Illegal: in.illegal(), IllegalPValue: in.illegalPValue(c.Kind)}
	p.TotalVariation, p.ByChance = in.totalVariation()
	c.Proportions = p
	c.toldNever = p.IllegalPValue == 0 || in.allA.effective() >= fewestForNever
	c.Codes = in.codes()
	c.spectrum = codeSpectrum(c.Codes, c.Kind)
	effect := math.Sqrt(max(0, p.TotalVariation*p.TotalVariation-p.ByChance*p.ByChance))
	test, illegal, exact := in.chi2()
	c.Chi2 = test
	if exact && p.IllegalPValue > 0 { // one test, which tells of illegal values as well
		p.IllegalPValue = illegal
	} else {
		c.decide("illegal values", p.IllegalPValue, effect)
	}
	switch {
	case exact:
		c.decide("codes, exactly", test.PValue, effect)
	case test != nil:
		c.decide("χ²", test.PValue, effect)
	case len(in.x) > 1: // the rest is too little for χ²
		k := in.fullest()
		c.decide("the most frequent code", equalProportions(in.a[k], in.allA.less(in.a[k]), in.b[k], in.allB.less(in.b[k])), effect)
	}
}

func (c *Column) compareValues(a, b *values, rng *rand.Rand) {
	edges := quantileEdges(a, b, cells)
	c.cells = [2][]bin{a.histogram(edges), b.histogram(edges)}
	c.Distance = measure(a, b, c.Reference.Std)
	c.Chi2 = chi2OfCells(a, b, c.cells[0], c.cells[1])
	c.bootstrap(a, b, edges, rng)
	c.decide("KS", c.Distance.KSPValue, max(c.Distance.KS, c.Distance.Wasserstein*closeKS/closeTransport))
	if c.Chi2 != nil {
		c.decide("χ²", c.Chi2.PValue, 0)
	}
	c.compareMoments(a, b, edges)
	c.cells = [2][]bin{}
	c.Spikes = compareSpikes(a, b)
	for _, s := range c.Spikes {
		c.decide(fmt.Sprintf("the value %.7g", s.Value), s.PValue, math.Abs(s.CandidateFraction-s.ReferenceFraction))
	}
	c.spectrum = valueSpectrum(a, b, c.Spikes, c.Kind)
}
