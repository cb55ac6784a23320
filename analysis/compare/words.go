package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Words is the verdict in sentences: what was compared, whether the samples can be
// told apart, by what, and what that means for an analysis.
func (r *Report) Words() []string {
	var words []string
	say := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }

	count := map[Verdict]int{}
	for _, c := range r.Columns {
		count[c.Verdict]++
	}
	in := fmt.Sprintf("%d columns", len(r.branches()))
	if n := len(r.derived[0]); n > 0 {
		in += fmt.Sprintf(" and %d quantities derived from them", n)
	}
	say("%s events of %s are compared with %s of %s in %s: %s.",
		grouped(r.Candidate.Events), r.Candidate.Label, grouped(r.Reference.Events), r.Reference.Label, in, counted(count))
	r.sayClassifier(say)
	for _, v := range []Verdict{Illegal, Differs} {
		if names := r.called(v); len(names) > 0 {
			what := "The candidate takes values that the reference never takes in"
			if v == Differs {
				what = "Distributions differ by more than is close (1 % of the events; 2 % of a standard deviation in the mean, 5 % in the width; a factor 1.5 in the tails) in"
			}
			say("%s %s.", what, list(names, 12))
		}
	}
	if names := r.called(Close); len(names) > 0 {
		say("Differences that are significant but small are seen in %s.", list(names, 12))
	}
	if l := r.Correlations.Largest; l != nil {
		how := "that is within its error"
		if math.Abs(l.Difference) > 4*l.Error {
			how = "many times its error"
			if math.Abs(l.Difference) < 0.01 {
				how = "significant, but small"
			}
		}
		say("The correlation that differs most is that of %s and %s: %.3f in the reference, %.3f in the candidate; %s.", l.Columns[0], l.Columns[1], l.Reference, l.Candidate, how)
	}
	r.sayBins(say)
	r.sayJoint(say)
	for _, note := range r.Notes {
		say("%s", note)
	}
	jointly := worse(r.Verdict, Close)
	for _, c := range r.Columns {
		jointly = jointly && !worse(c.Verdict, Close)
	}
	if jointly {
		say("Each column by itself is right or nearly so; what is not is how they depend on each other. That matters to an analysis that combines them.")
		return words
	}
	switch r.Verdict {
	case Compatible:
		say("Nothing here tells the samples apart. That holds for these columns and for samples of this size.")
	case Close:
		say("An analysis whose statistical errors are larger than a per cent can use the candidate in the place of the reference. A more precise one should look at the plots, or reweight it.")
	case Differs, Illegal:
		say("Look at the plots of the columns above before the candidate takes the place of the reference in an analysis that depends on them; “eidolon reweight” can correct what is not too far off.")
	}
	return words
}

func (r *Report) sayClassifier(say func(string, ...any)) {
	k := r.Classifier
	if k == nil {
		return
	}
	if k.PValue >= significance {
		say("A classifier of all columns together cannot tell the samples apart: its AUC is %.4f ± %.4f, and 0.5 is guessing.", k.AUC, k.AUCError)
		return
	}
	if k.AUC < 0.5 {
		say("A classifier of all columns together names the wrong sample, with an AUC of %.4f ± %.4f, where 0.5 is guessing and p %s: the samples are not independent. Look for events of the one in the other.", k.AUC, k.AUCError, pvalue(k.PValue))
		return
	}
	say("A classifier of all columns together tells the samples apart with an AUC of %.4f ± %.4f: of two events, one of each sample, it names the right one in %.1f %% of the cases, and 50 %% is guessing.", k.AUC, k.AUCError, 100*k.AUC)
	told := r.tellingColumns()
	if len(told) == 0 {
		return
	}
	var names []string
	for _, c := range told {
		names = append(names, c.Name+aspectWords(c.Aspect))
	}
	say("It looks at %s.", list(names, 6))
}

func (r *Report) sayBins(say func(string, ...any)) {
	var bad []string
	all := 0
	for i := range r.Bins {
		b := &r.Bins[i]
		if b.Verdict != NoValues {
			all++
		}
		if worse(b.Verdict, Close) {
			bad = append(bad, fmt.Sprintf("%s (%s)", b, b.Worst))
		}
	}
	switch {
	case len(r.Bins) == 0:
	case len(bad) == 0:
		say("In none of the %d bins of the condition is there a large difference.", all)
	default:
		say("In %d of %d bins of the condition there is a large difference: %s.", len(bad), all, list(bad, 5))
	}
}

func (r *Report) sayJoint(say func(string, ...any)) {
	if r.Joint == nil {
		return
	}
	for _, m := range r.Joint.Measured {
		for _, sentence := range m.Words() {
			say("%s", sentence)
		}
	}
}

// called returns the names of the columns with a verdict, the worst first.
func (r *Report) called(v Verdict) []string {
	columns := slices.DeleteFunc(pointers(r.Columns), func(c *Column) bool { return c.Verdict != v })
	slices.SortStableFunc(columns, func(a, b *Column) int { return cmp.Compare(b.effect, a.effect) })
	var names []string
	for _, c := range columns {
		names = append(names, c.Name)
	}
	return names
}

func counted(count map[Verdict]int) string {
	var parts []string
	for _, v := range severity {
		if n := count[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, map[Verdict]string{
				NoValues: "without values", Compatible: "compatible", Close: "close", Differs: "different", Illegal: "with illegal values",
			}[v]))
		}
	}
	return strings.Join(parts, ", ")
}

// list joins names, the first most of them.
func list(names []string, most int) string {
	more := len(names) - most
	if more > 0 {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", more)
	}
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}
