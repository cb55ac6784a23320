package compare

import (
	"fmt"

	"github.com/eidolon-hep/eidolon/analysis/rows"
	"github.com/eidolon-hep/eidolon/rootio"
)

// note adds a sentence to the notes, once.
func (r *Report) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// noteWeights says where weights leave few events.
func (r *Report) noteWeights() {
	for k, s := range []Sample{r.Reference, r.Candidate} {
		if few := rows.WeightsOf(r.in[k].w).Few(); few != "" {
			r.note("%s: %s.", s.Label, few)
		}
	}
}

// noteCopies says how many events are equal to another one of their sample. Events in
// blocks may well be.
func (r *Report) noteCopies(ref, cand *rootio.Table, names []string) {
	if r.in[0].block != nil {
		return
	}
	for k, t := range []*rootio.Table{ref, cand} {
		var columns []rootio.Column
		for _, name := range names {
			c, _ := t.Column(name)
			columns = append(columns, c)
		}
		of := []Sample{r.Reference, r.Candidate}[k]
		different := rows.FindCopies(columns).Different
		twice := t.Len() - different
		r.copies += twice
		if twice > 0 && different >= fewestEvents { // a few codes are equal by nature
			r.note("%s: %s events, %s different; errors are those of independent events.", of.Label, grouped(t.Len()), grouped(different))
		}
	}
}
