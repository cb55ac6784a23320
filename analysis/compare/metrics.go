package compare

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"

	"github.com/eidolon-hep/eidolon/analysis/rows"
	"github.com/eidolon-hep/eidolon/rootio"
)

// metric measures how far the samples are apart in all columns together. A metric is one
// file and one row of metrics.
type metric struct {
	name    string                                        // as reports print it
	meaning string                                        // one sentence, for reports
	measure func(ctx context.Context, s *samples) Finding // nil: it does not apply to these samples
}

// metrics returns the table of the metrics, in the order of reports.
func metrics() []metric {
	return []metric{
		{"FPD", "Fréchet physics distance of the means and the covariances. It is 0 for equal samples.", measureFPD},
		{"KPD", "Kernel physics distance of all moments up to the fourth. It is 0 within its error for equal samples.", measureKPD},
		{"sliced KS", "Kolmogorov–Smirnov distance along random directions. p is the probability that equal samples are as far apart on average.", measureSlicedKS},
		{"neighbours", "How the samples fill each other's neighbourhoods. Equal samples give what the reference gives against itself.", measureFilling},
		{"copies", "Events that are nearer to a training event than 99 % of training events are to each other. 1 % is chance.", measureCopies},
	}
}

// Finding is what a metric says of two samples. It marshals to a JSON object; the objects of
// all metrics become one.
type Finding interface {
	Text() string    // the numbers, in one line
	Words() []string // what follows from them, in sentences
}

// Joint compares the samples in all varying columns together, by the distances with which
// generative models are judged in the literature.
type Joint struct {
	Columns  []string
	Measured []Measured // in the order in which reports show them
}

// Measured is a metric and what it found: [FPD], [KPD], [SlicedKS], [Filling], [Copies].
type Measured struct {
	Name    string // of the metric
	Meaning string // of the metric, a sentence
	Finding
}

// MarshalJSON writes the columns and the keys of all findings as one object.
func (j *Joint) MarshalJSON() ([]byte, error) {
	all := map[string]any{"columns": j.Columns}
	for _, m := range j.Measured {
		data, err := json.Marshal(m.Finding)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(data, &all); err != nil { // adds to what is there
			return nil, err
		}
	}
	return json.Marshal(all)
}

// samples is what a metric sees: the reference (0) and the candidate (1) in the columns that
// vary.
type samples struct {
	weights  [2][]float64 // nil: all are one
	blocks   [2][]int32   // events with one number are not independent; nil: all are
	scaled   [2]*cloud    // divided by the largest absolute value of the reference
	spread   [2]*cloud    // by newSpread of the reference
	chosen   [2][]int     // some of the events, drawn in proportion to their weights
	training *cloud       // the different ones of the training events, as spread; nil if not given
}

// fewestEvents are the events of a sample below which nothing is measured.
const fewestEvents = 20

// Measure compares the samples in all columns that vary in the reference together.
// training, if not nil, is what the candidate's model has learnt from.
//
// Values that are not finite count as the reference's mean; codes are numbers like any
// other. Events are drawn in proportion to their weights, those of negative weight
// not at all. Samples of less than 20 events are not measured.
func (r *Report) Measure(ctx context.Context, ref, cand, training *rootio.Table) error {
	j := &Joint{}
	var columns []*Column
	for _, c := range r.branches() {
		inTraining := true
		if training != nil {
			_, inTraining = training.Column(c.Name)
		}
		if c.Reference.Std > 0 && inTraining {
			j.Columns, columns = append(j.Columns, c.Name), append(columns, c)
		}
	}
	if len(columns) == 0 || min(ref.Len(), cand.Len()) < fewestEvents {
		return nil
	}
	s := r.samples(ref, cand, training, columns)
	for _, m := range metrics() {
		found := m.measure(ctx, s)
		if err := ctx.Err(); err != nil {
			return err
		}
		if found != nil {
			j.Measured = append(j.Measured, Measured{m.name, m.meaning, found})
		}
	}
	r.Joint = j
	return nil
}

// samples returns what metrics see of these columns.
func (r *Report) samples(ref, cand, training *rootio.Table, columns []*Column) *samples {
	a, b := newCloud(ref, columns), newCloud(cand, columns)
	largest := make([]float64, a.dim)
	for i := range a.n {
		for k, x := range a.row(i) {
			largest[k] = max(largest[k], math.Abs(x))
		}
	}
	s := &samples{
		weights: [2][]float64{r.in[0].w, r.in[1].w},
		blocks:  [2][]int32{r.in[0].block, r.in[1].block},
		scaled:  [2]*cloud{a.scaled(largest), b.scaled(largest)},
		spread:  [2]*cloud{a, b},
	}
	common := newSpread(a)
	common.apply(a)
	common.apply(b)
	rng := rand.New(rand.NewPCG(1, 0))
	s.chosen[0] = choose(a.n, 2*neighbourEvents, s.weights[0], rng)
	s.chosen[1] = choose(b.n, neighbourEvents, s.weights[1], rng)
	if training != nil {
		s.training = newCloud(training, columns).take(r.different(training, columns))
		common.apply(s.training)
	}
	return s
}

// different returns the first of the training events of each kind: an event that is there
// twice says nothing of how near different events are.
func (r *Report) different(training *rootio.Table, columns []*Column) []int {
	var compared []rootio.Column
	for _, c := range columns {
		of, _ := training.Column(c.Name)
		compared = append(compared, of)
	}
	var different []int
	for i, first := range rows.FindCopies(compared).First {
		if i == first {
			different = append(different, i)
		}
	}
	if twice := training.Len() - len(different); twice > 0 {
		r.note("%s events of the training sample are equal to another one: %s different ones are left, which copies are looked for in.", grouped(twice), grouped(len(different)))
	}
	return different
}
