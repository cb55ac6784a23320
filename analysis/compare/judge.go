package compare

import (
	"cmp"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/classify"
)

// Verdict is the comparison of a column in a word.
type Verdict string

// The verdicts, from best to worst.
const (
	NoValues   Verdict = "no values"  // in neither sample
	Compatible Verdict = "compatible" // p ≥ 1 % in every test, corrected for their number
	// Close is p < 1 %, but no difference is large: KS distance ≤ 1 %, Wasserstein
	// distance and difference of the means ≤ 2 % σ, standard deviations within 5 %, the parts
	// in the tails within a factor 1.5, any spike's fractions within 1 % of all events; or
	// total variation ≤ 1 % apart from what chance gives; AUC of the classifier within 0.02
	// of one half.
	Close   Verdict = "close"
	Differs Verdict = "differs" // neither
	// Illegal is that the candidate takes values that the reference never takes, and p < 1 %
	// for so many. A reference of fewer than 100 events does not tell what never happens.
	Illegal Verdict = "illegal values"
)

var severity = []Verdict{NoValues, Compatible, Close, Differs, Illegal}

func worse(a, b Verdict) bool { return slices.Index(severity, a) > slices.Index(severity, b) }

const (
	significance   = classify.Significance
	fewestForNever = 100

	closeKS        = 0.01
	closeTransport = 0.02
	closeStd       = 0.05
	closeTails     = 1.5
	closeAUC       = 0.02 // from one half
)

// Test is a test of whether a column has one distribution in both samples.
type Test struct {
	What   string  `json:"what"`
	PValue float64 `json:"p_value"` // as it is, not corrected
}

// decide adds a test, and the distance that it is about on the scale of KS: what is
// above 1 % is large.
func (c *Column) decide(what string, p, effect float64) {
	if math.IsNaN(p) {
		return // nothing can be said
	}
	c.Tests = append(c.Tests, Test{what, p})
	c.effect = max(c.effect, effect)
}

// judge corrects the p-values of all columns for their number and gives the
// verdicts that rest on them.
func (r *Report) judge() {
	columns := pointers(r.Columns)
	var others []float64
	if r.Classifier != nil {
		others = append(others, r.Classifier.PValue)
	}
	p := judgeColumns(columns, others...)
	r.Tests = len(p)
	r.Verdict = severity[0]
	if r.Classifier != nil {
		switch {
		case p[len(p)-1] >= significance:
			r.Verdict = Compatible
		case math.Abs(r.Classifier.AUC-0.5) <= closeAUC:
			r.Verdict = Close
		default:
			r.Verdict = Differs
		}
	}
	for _, c := range columns {
		if worse(c.Verdict, r.Verdict) {
			r.Verdict = c.Verdict
		}
	}
}

func pointers(columns []Column) (p []*Column) {
	for i := range columns {
		p = append(p, &columns[i])
	}
	return p
}

// judgeBins gives the verdicts in bins; all tests in bins are corrected together.
func (r *Report) judgeBins() {
	var columns []*Column
	for i := range r.Bins {
		columns = append(columns, pointers(r.Bins[i].Columns)...)
	}
	judgeColumns(columns)
	for i := range r.Bins {
		b := &r.Bins[i]
		for _, c := range b.Columns {
			if worse(c.Verdict, b.Verdict) || c.Verdict == b.Verdict && c.PValue < b.PValue {
				b.Verdict, b.Worst, b.PValue = c.Verdict, c.Name, c.PValue
			}
		}
	}
}

// judgeColumns gives columns their verdicts. It returns the corrected p-values of
// their tests and of some others, in this order.
func judgeColumns(columns []*Column, others ...float64) []float64 {
	var p []float64
	for _, c := range columns {
		for _, t := range c.Tests {
			p = append(p, t.PValue)
		}
	}
	p = append(p, others...)
	holm(p)
	next := 0
	for _, c := range columns {
		n := len(c.Tests)
		if n == 0 {
			continue
		}
		c.PValue = slices.Min(p[next : next+n])
		next += n
		switch {
		case c.toldNever && c.Proportions.IllegalPValue*float64(len(p)) < significance:
			c.Verdict = Illegal
		case c.PValue >= significance:
			c.Verdict = Compatible
		case c.effect <= closeKS:
			c.Verdict = Close
		default:
			c.Verdict = Differs
		}
	}
	return p
}

// decisive is the test of a column with the smallest p-value.
func (c *Column) decisive() Test {
	return slices.MinFunc(c.Tests, func(s, t Test) int { return cmp.Compare(s.PValue, t.PValue) })
}

// holm corrects p-values for their number, in place: the probability that any
// of them is below α by chance is at most α, whether or not the tests depend on one
// another (Holm, Scand. J. Statist. 6 (1979) 65).
func holm(p []float64) {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(p[i], p[j]) })
	var largest float64
	for rank, i := range order {
		largest = max(largest, min(1, p[i]*float64(len(p)-rank)))
		p[i] = largest
	}
}
