package compare

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// WriteText writes the report as tables of at most 120 characters a line:
// continuous columns with their distances in percent, then categorical ones, then
// what else there is to say.
func (r *Report) WriteText(w io.Writer) error {
	var b bytes.Buffer
	for _, s := range []Sample{r.Reference, r.Candidate} {
		fmt.Fprintf(&b, "%-12s %12s events", cut(s.Label, longestName), grouped(s.Events))
		if s.Weight != "" {
			fmt.Fprintf(&b, ", weighted by %s: %.4g effective", cut(s.Weight, 20), s.EffectiveEvents)
		}
		b.WriteByte('\n')
		for _, source := range s.Source {
			fold(&b, "  ", strings.Fields(source))
		}
	}
	r.writeContinuous(&b, "column", false)
	if len(r.Momenta) > 0 {
		b.WriteString("\nDerived quantities are of these momenta of the reference:\n")
		for _, of := range r.Momenta {
			fold(&b, " ", strings.Fields(of))
		}
		r.writeContinuous(&b, "derived quantity", true)
	}
	r.writeCategorical(&b)
	r.writeBins(&b)
	r.writeClassifier(&b)
	r.writeJoint(&b)
	r.writeRemarks(&b)
	_, err := w.Write(b.Bytes())
	return err
}

// writeContinuous writes the table of continuous columns, those that are derived or the others.
func (r *Report) writeContinuous(b *bytes.Buffer, what string, derived bool) {
	row := "%-" + r.nameWidth() + "s %9s %9s %11s %10s %10s %10s %7s  %s\n"
	header := fmt.Sprintf("\n"+row, what, "mean", "std", "Δmean/σ %", "Δσ/σ %", "KS %", "W₁/σ %", "χ²/ndf", "verdict")
	for _, c := range r.Columns {
		if c.Distance == nil || c.Derived != derived {
			continue
		}
		b.WriteString(header)
		header = ""
		ref, cand, d := c.Reference, c.Candidate, c.Distance
		wide, transport := "–", "–"
		if ref.Std > 0 {
			wide = pm(100*(cand.Std/ref.Std-1), 100*math.Hypot(cand.StdError, ref.StdError)/ref.Std)
			transport = pm(100*d.Wasserstein, 100*d.WassersteinError)
		}
		fmt.Fprintf(b, row, cut(c.NameUnit(), longestName), short(ref.Mean), short(ref.Std),
			c.shift(), wide, pm(100*d.KS, 100*d.KSError), transport, c.Chi2.perNDF(), c.Verdict)
	}
}

func (r *Report) writeCategorical(b *bytes.Buffer) {
	row := "%-" + r.nameWidth() + "s %6s %17s %11s %8s %8s %14s  %s\n"
	header := fmt.Sprintf("\n"+row, "column", "codes", "total variation %", "by chance %", "χ²/ndf", "p", "illegal values", "verdict")
	for _, c := range r.Columns {
		if c.Distance != nil {
			continue
		}
		b.WriteString(header)
		header = ""
		variation, chance, p, illegal := "–", "–", "–", "–"
		if q := c.Proportions; q != nil {
			variation, chance = fmt.Sprintf("%.2f", 100*q.TotalVariation), fmt.Sprintf("%.2f", 100*q.ByChance)
			p, illegal = fmt.Sprintf("%.2g", c.PValue), grouped(q.Illegal)
		}
		fmt.Fprintf(b, row, cut(c.Name, longestName), strconv.Itoa(len(c.Codes)), variation, chance, c.Chi2.perNDF(), p, illegal, c.Verdict)
	}
}

func (r *Report) writeRemarks(b *bytes.Buffer) {
	b.WriteByte('\n')
	if l := r.Correlations.Largest; l != nil {
		fmt.Fprintf(b, "Largest difference of correlations: %s and %s, %.3f and %.3f, by %.3f ± %.3f.\n",
			cut(l.Columns[0], longestName), cut(l.Columns[1], longestName), l.Reference, l.Candidate, l.Difference, l.Error)
	}
	if r.Tests > 1 {
		fmt.Fprintf(b, "Verdicts, and p in the tables, are corrected for %s tests (Holm). Other p are not.\n", grouped(r.Tests))
	}
	r.writeDecisions(b)
	for _, note := range r.Notes {
		words := strings.Fields(note)
		fold(b, words[0], words[1:])
	}
	for _, c := range r.Columns {
		c.writeSpikes(b)
		if p := c.Proportions; p != nil && p.Illegal > 0 && c.Verdict == Compatible {
			fmt.Fprintf(b, "%s: so few illegal values may be chance, p = %.2g.\n", cut(c.Name, longestName), p.IllegalPValue)
		}
		if c.CandidateKind != 0 {
			fmt.Fprintf(b, "%s is %v in %s and %v in %s.\n", cut(c.Name, longestName),
				c.Kind, cut(r.Reference.Label, longestName), c.CandidateKind, cut(r.Candidate.Label, longestName))
		}
		if !c.Derived && c.Reference.LeftOut+c.Candidate.LeftOut > 0 {
			fmt.Fprintf(b, "%s: %s and %s values that are not finite are left out.\n",
				cut(c.Name, longestName), grouped(c.Reference.LeftOut), grouped(c.Candidate.LeftOut))
		}
	}
	for _, only := range []struct {
		label string
		names []string
	}{{r.Reference.Label, r.OnlyReference}, {r.Candidate.Label, r.OnlyCandidate}} {
		if len(only.names) > 0 {
			wrap(b, "Only in "+cut(only.label, longestName)+":", only.names)
		}
	}
}

// writeDecisions says which columns differ by what the tables do not show.
func (r *Report) writeDecisions(b *bytes.Buffer) {
	shown := []string{"KS", "χ²", "illegal values"}
	by := map[string][]string{}
	var order []string
	for _, c := range r.Columns {
		if !worse(c.Verdict, Compatible) {
			continue
		}
		what := c.decisive().What
		if slices.Contains(shown, what) {
			continue
		}
		if by[what] == nil {
			order = append(order, what)
		}
		by[what] = append(by[what], cut(c.Name, longestName))
	}
	for _, what := range order {
		fold(b, "Worst test ("+what+", not in the tables):", strings.Fields(list(by[what], 8)+"."))
	}
}

// writeSpikes lists the three spikes that differ most significantly.
func (c *Column) writeSpikes(b *bytes.Buffer) {
	const most = 3
	spikes := slices.Clone(c.Spikes)
	slices.SortStableFunc(spikes, func(p, q Spike) int { return cmp.Compare(p.PValue, q.PValue) })
	name := cut(c.Name, longestName)
	for _, s := range spikes[:min(len(spikes), most)] {
		fmt.Fprintf(b, "%s is %.7g in %.2f %% and %.2f %% of the events: p = %.2g.\n",
			name, s.Value, 100*s.ReferenceFraction, 100*s.CandidateFraction, s.PValue)
	}
	if more := len(spikes) - most; more > 0 {
		fmt.Fprintf(b, "%s has %d more values that many events share.\n", name, more)
	}
}

func (r *Report) writeJoint(b *bytes.Buffer) {
	j := r.Joint
	if j == nil {
		return
	}
	fmt.Fprintf(b, "\n%d columns together:\n", len(j.Columns))
	for _, m := range j.Measured {
		fold(b, m.Name+":", strings.Fields(m.Text()+". "+m.Meaning))
	}
}

// shift is the difference of the means in per cent of the reference's standard deviation.
func (c *Column) shift() string {
	ref, cand := c.Reference, c.Candidate
	if ref.Std == 0 {
		return "–"
	}
	return pm(100*(cand.Mean-ref.Mean)/ref.Std, 100*math.Hypot(cand.MeanError, ref.MeanError)/ref.Std)
}

func (c *Chi2) perNDF() string {
	if c == nil {
		return "–"
	}
	return fmt.Sprintf("%.3g", c.Value/float64(c.NDF))
}

// short writes a number to four digits, or three if that is longer than nine
// characters.
func short(x float64) string {
	if s := fmt.Sprintf("%.4g", x); len(s) <= 9 {
		return s
	}
	return fmt.Sprintf("%.3g", x)
}

// plain writes a p-value.
func plain(p float64) string {
	if p < 1e-99 {
		return "< 1e-99"
	}
	return fmt.Sprintf("%.2g", p)
}

// pvalue writes a p-value as it is or as a bound.
func pvalue(p float64) string {
	if p < 1e-99 {
		return plain(p)
	}
	return "= " + plain(p)
}

// pm writes a value with its error, to two digits of the error or two decimals.
func pm(value, err float64) string {
	if err <= 0 || err >= 1e3 || math.Abs(value) >= 1e4 {
		return fmt.Sprintf("%.3g", value)
	}
	decimals := min(2, max(0, 1-int(math.Floor(math.Log10(err)))))
	if math.Abs(value) < 0.5*math.Pow10(-decimals) {
		value = 0 // rather than −0
	}
	return fmt.Sprintf("%.*f±%.*f", decimals, value, decimals, err)
}

// longestName is the number of characters of a name in a table; of longer ones, the
// middle is left out.
const longestName = 32

// nameWidth is the width of the names in tables, as a verb of fmt has it.
func (r *Report) nameWidth() string {
	width := 12
	for _, c := range r.Columns {
		width = max(width, utf8.RuneCountInString(cut(c.NameUnit(), longestName)))
	}
	return strconv.Itoa(width)
}

// cut shortens a name to n characters. Names that belong together often differ at
// their ends only.
func cut(name string, n int) string {
	letters := []rune(name)
	if len(letters) <= n {
		return name
	}
	tail := n / 2
	return string(letters[:n-1-tail]) + "…" + string(letters[len(letters)-tail:])
}

// grouped writes an integer with commas between thousands.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// wrap writes words after a head, with commas between them, in lines of at most 100
// characters.
func wrap(b *bytes.Buffer, head string, words []string) {
	listed := make([]string, len(words))
	for i, word := range words {
		listed[i] = cut(word, 60)
		if i < len(words)-1 {
			listed[i] += ","
		}
	}
	fold(b, head, listed)
}

// fold writes words after a head, in lines of at most 100 characters.
func fold(b *bytes.Buffer, head string, words []string) {
	line := head
	for _, word := range words {
		if utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > 100 {
			b.WriteString(line + "\n")
			line = strings.Repeat(" ", 3)
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}
