package compare

import (
	"fmt"

	"github.com/eidolon-hep/eidolon/analysis/rows"
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
