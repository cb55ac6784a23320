package compare

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/eidolon-hep/eidolon/rootio"
)

// Bin is the comparison of the events in a bin of a column of the condition: given it, are
// the others as they should be? A response that is right on average may be wrong
// everywhere.
type Bin struct {
	Column string  `json:"column"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"` // not included, but in the last bin; equal to Low for a code
	Events [2]int  `json:"events"`

	Verdict Verdict  `json:"verdict"` // [NoValues] if a sample has fewer than 50 events here
	Worst   string   `json:"worst,omitempty"`
	PValue  float64  `json:"p_value"` // of the worst column, corrected for the number of tests in all bins
	Columns []Column `json:"columns,omitempty"`

	last bool // of its column
}

const (
	conditionBins  = 5
	conditionCodes = 16
	fewestInBin    = 50
)

// String writes the interval.
func (b *Bin) String() string {
	if b.Low == b.High {
		return fmt.Sprintf("%s = %.6g", cut(b.Column, longestName), b.Low)
	}
	return fmt.Sprintf("%s from %.4g to %.4g", cut(b.Column, longestName), b.Low, b.High)
}

// inBins compares the other columns in bins of those of the condition.
func (r *Report) inBins(ctx context.Context, ref, cand *rootio.Table, inA, inB sampled, condition []string) error {
	for _, name := range condition {
		x, _ := ref.Column(name)
		y, _ := cand.Column(name)
		a := newValues(x, inA)
		if len(a.x) == 0 {
			continue
		}
		for _, b := range conditionEdges(a, x.Kind) {
			b.Column = name
			r.Bins = append(r.Bins, b)
			here := &r.Bins[len(r.Bins)-1]
			inRef, inCand := here.places(x), here.places(y)
			here.Events = [2]int{len(inRef), len(inCand)}
			here.Verdict, here.PValue = NoValues, 1
			if min(len(inRef), len(inCand)) < fewestInBin {
				continue
			}
			for _, c := range r.branches() {
				if c.Name != name {
					here.Columns = append(here.Columns, Column{Name: c.Name})
				}
			}
			all(ctx, len(here.Columns), func(i int) {
				c := &here.Columns[i]
				p, _ := ref.Column(c.Name)
				q, _ := cand.Column(c.Name)
				*c = compareColumn(p.Take(inRef), q.Take(inCand), inA.take(inRef), inB.take(inCand), nil)
				c.spectrum = spectrum{}
			})
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	r.judgeBins()
	return nil
}

// conditionEdges returns a bin for each code, or bins of about equal content in the
// reference.
func conditionEdges(a *values, kind rootio.Kind) (bins []Bin) {
	if a.areCodes(kind) {
		n := 0
		for range a.runs {
			n++
		}
		if n <= conditionCodes {
			for x := range a.runs {
				bins = append(bins, Bin{Low: x, High: x})
			}
			return bins
		}
	}
	var edges []float64
	for k := range conditionBins + 1 {
		edges = append(edges, a.x[k*(len(a.x)-1)/conditionBins])
	}
	edges = slices.Compact(edges)
	for k := range len(edges) - 1 {
		bins = append(bins, Bin{Low: edges[k], High: edges[k+1], last: k == len(edges)-2})
	}
	return bins
}

// places returns which values are in the bin. The last bin of a column includes its
// end.
func (b *Bin) places(c rootio.Column) (places []int) {
	x := c.Float64s()
	for i, v := range x {
		if v == b.Low || v > b.Low && (v < b.High || v == b.High && b.last) {
			places = append(places, i)
		}
	}
	return places
}

func (r *Report) writeBins(b *bytes.Buffer) {
	if len(r.Bins) == 0 {
		return
	}
	const row = "%-48s %10s %10s  %-32s %8s  %s\n"
	fmt.Fprintf(b, "\n"+row, "in bins of the condition", "events", "candidate", "worst column", "p", "verdict")
	for _, bin := range r.Bins {
		verdict, p := string(bin.Verdict), fmt.Sprintf("%.2g", bin.PValue)
		if bin.Verdict == NoValues {
			verdict, p = "too few events", "–"
		}
		fmt.Fprintf(b, row, bin.String(), grouped(bin.Events[0]), grouped(bin.Events[1]), cut(bin.Worst, longestName), p, verdict)
	}
}
