package factor

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/eidolon-hep/eidolon/flows"
	"github.com/eidolon-hep/eidolon/internal/em"
	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/training"
)

// ensemble is a weighted mean of densities, p(x|c) = Σ w_k p_k(x|c), for small samples. The
// densities are of several forms (ensembleForms). Each form is trained once for each fold of the events: a fold ends
// the training, the next one judges it, and the others are learnt from. So the mean has seen all
// events, and the noise of single trainings averages out (bagging: Breiman, Machine Learning 24
// (1996) 123). The weights of the forms are those under which the events of the judging folds are most
// likely (stacking: Smyth and Wolpert, Machine Learning 36 (1999) 59).
type ensemble struct {
	dim, context int
	settings     Settings
	steep        []int
	only         bool         // mixtures of normals, no flows
	forms        []formWeight // the forms that have a weight, empty before the training
	members      []*flows.Flow
	together     float64   // mean log-density of judging events under all forms
	judged       []float64 // log-density of each event by members that have not learnt from it; empty of a loaded ensemble
}

// formWeight is what became of a form: its members, which follow each other in the ensemble, have
// equal shares of the weight.
type formWeight struct {
	Form       string  `json:"form"`
	Members    int     `json:"members"`
	Weight     float64 `json:"weight"`
	LogDensity float64 `json:"log_density"` // mean of events that were not learnt from, in model space
}

// form is a kind of density that an ensemble may consist of.
type form struct {
	name   string
	layers func(dim, context int, steep []int, s Settings) []flows.Layer
	// train says how it is trained; nil for mixtures of normals, which are found by EM around
	// what a context says by regression.
	train func(s Settings) training.Options
	// normals is their number in such a mixture.
	normals int
}

// ensembleForms is the table of them: normals, from one to many, for what is smooth; couplings over
// some normals; splines, one feature after the other, without tables and with them, for what is
// steep.
func ensembleForms() []form {
	var forms []form
	for _, n := range []int{1, 2, 4, 8, 16, 32} {
		name := fmt.Sprintf("%d normals", n)
		if n == 1 {
			name = "a normal"
		}
		forms = append(forms, form{name: name, normals: n, layers: func(_, context int, _ []int, _ Settings) []flows.Layer {
			return append(flows.Base(0, context), flows.Mixture{Components: n})
		}})
	}
	steps := func(rate float64) func(Settings) training.Options {
		return func(s Settings) training.Options {
			o := s.Train
			o.Rate, o.Decay, o.Average = cmp.Or(o.Rate, rate), cmp.Or(o.Decay, 0.2), cmp.Or(o.Average, 0.998)
			return o
		}
	}
	return append(forms,
		form{name: "spline couplings over 8 normals", train: steps(2e-3), layers: func(dim, context int, _ []int, s Settings) []flows.Layer {
			return flows.Spline(dim, s.Seed, flows.SplineOptions{Layers: 4, Hidden: s.hidden(), Components: 8, Context: context})
		}},
		form{name: "affine couplings over 16 normals", train: steps(5e-3), layers: func(dim, context int, _ []int, s Settings) []flows.Layer {
			return flows.RealNVP(dim, s.Seed, flows.RealNVPOptions{Layers: 8, Hidden: s.hidden(), Components: 16, Context: context, Mixed: dim > 1})
		}},
		form{name: "autoregressive splines", train: steps(2e-3), layers: func(dim, context int, _ []int, s Settings) []flows.Layer {
			return flows.Autoregressive(dim, flows.AutoregressiveOptions{Layers: 1, Hidden: s.hidden(), Bins: 8, Cells: -1, Standard: true, Context: context})
		}},
		form{name: "autoregressive splines with tables", train: steps(3e-3), layers: func(dim, context int, steep []int, s Settings) []flows.Layer {
			return flows.Autoregressive(dim, flows.AutoregressiveOptions{
				Layers: 1, Hidden: s.hidden(), Cells: cellsOfTables(dim+len(steep), s.Hidden), Tabled: steep, Standard: true, Context: context,
			})
		}},
	)
}

// isQuick reports whether a mixture of normals for n rows is found within a second or so.
func (f form) isQuick(n, dim int) bool {
	const most = 2_000_000
	return f.normals == 1 || n*f.normals*dim*dim <= most
}

// An ensemble is the default model of so many events, and features.
const (
	LeastOfEnsemble = 50
	SmallSample     = 5000
	MostOfEnsemble  = 64 // features
)

// folds is the number of parts of the events.
const folds = 8

func ensembleKind() Kind {
	return Kind{
		Name: "ensemble", Help: "a weighted mean of mixtures of normals and small flows, for small samples",
		Options: []string{"epochs", "max_time"},
		Folds:   true,
		Mixes:   true,
		Make: func(dim, context int, steep []int, s Settings) (Factor, error) {
			s.Hidden, s.Depth = 16, 2
			return &ensemble{dim: dim, context: context, settings: s, steep: steep, only: s.Normals}, nil
		},
		Load: loadEnsemble,
	}
}

// NormalsLogDensity returns the mean log-density that an ensemble of mixtures of normals gives to the
// rows of d, each without having learnt from it: how well normals describe the rows.
func NormalsLogDensity(ctx context.Context, d training.Data, seed uint64) (float64, error) {
	e := &ensemble{dim: d.Dim, settings: Settings{Seed: seed}, only: true}
	h, err := e.Train(ctx, d, training.Data{Dim: d.Dim}, training.Options{})
	return -h.Best, err
}

func (e *ensemble) Kind() string { return "ensemble" }
func (e *ensemble) Cut() Cut     { return nil }
func (e *ensemble) Dim() int     { return e.dim }
func (e *ensemble) Context() int { return e.context }

// OutOfFold returns the log-density of each event that it was trained with, by members that have not learnt from it.
func (e *ensemble) OutOfFold() []float64 { return e.judged }

func (e *ensemble) String() string {
	if len(e.forms) == 0 {
		return "an ensemble of mixtures of normals and small flows"
	}
	var of []string
	for _, f := range e.forms {
		of = append(of, fmt.Sprintf("%.2g × %s", f.Weight, f.Form))
	}
	return fmt.Sprintf("an ensemble of %d densities: %s", len(e.members), strings.Join(of, " + "))
}

// Remark says what each form is worth.
func (e *ensemble) Remark() string {
	var of []string
	for _, f := range e.forms {
		of = append(of, fmt.Sprintf("%s %.4f", f.Form, f.LogDensity))
	}
	return fmt.Sprintf("mean log-density in model space of events that were not learnt from: %s; their weighted mean %.4f", strings.Join(of, ", "), e.together)
}

// trial is a form with what was learnt.
type trial struct {
	form
	members []*flows.Flow
	judged  []float64 // log-density of each event by the member that its fold has judged
}

// Train trains each form for each fold, and weighs the forms. The rows of valid are learnt from, too:
// the folds are the ensemble's own. Of the options the time and the progress matter. A training that is
// interrupted saves that it has begun: it goes on with all densities anew.
func (e *ensemble) Train(ctx context.Context, train, valid training.Data, opts training.Options) (h training.History, err error) {
	if opts.Finish {
		return h, errors.New("factor: an ensemble has no weights before all of its densities are trained: go on with the training, without --finish")
	}
	begin := time.Now()
	all := join(train, valid)
	n := all.Len()
	parts := min(folds, n)
	if parts < 3 {
		return h, fmt.Errorf("factor: %d events are too few for an ensemble", n)
	}
	var trials []*trial
	for _, f := range ensembleForms() {
		if f.train != nil && !e.only || f.train == nil && f.isQuick(n, e.dim) {
			trials = append(trials, &trial{f, make([]*flows.Flow, parts), make([]float64, n)})
		}
	}
	var refreshing sync.Mutex // the rows of train
	tasks, workers := len(trials)*parts, min(runtime.GOMAXPROCS(0), len(trials)*parts)
	done := 0
	err = parallel.Each(tasks, workers, func(task int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		t, k := trials[task/parts], task%parts
		s := e.settings
		s.Seed = s.Seed<<16 + uint64(task)
		f, err := flows.New(e.dim, e.context, s.Seed, t.layers(e.dim, e.context, e.steep, s)...)
		if err != nil {
			return err
		}
		t.members[k] = f
		judge := (k + 1) % parts
		rest := func(row int) bool { return row%parts != k && row%parts != judge }
		if t.train == nil {
			rest = func(row int) bool { return row%parts != judge }
		}
		places := placesOf(n, rest)
		learn := take(all, places)
		switch {
		case t.train == nil:
			f.Start(ctx, learn, s.Seed)
		default:
			o := t.train(s)
			o.Epochs = o.EpochsOr(min(500, max(60, 10_000_000/(n*e.dim)))) // wide events take their time, and are learnt by heart soon
			o.Seed, o.Progress, o.Save, o.Resume = s.Seed, nil, nil, nil
			if opts.MaxTime > 0 {
				rounds := (tasks - task + workers - 1) / workers
				o.MaxTime = max(opts.Since(begin).MaxTime/time.Duration(rounds), 1)
			}
			if train.Refresh != nil {
				learn.Refresh = func(ctx context.Context, pass uint64) {
					refreshing.Lock()
					defer refreshing.Unlock()
					train.Refresh(ctx, pass)
					for i, row := range places {
						if row < train.Len() {
							copy(learn.X[i*e.dim:(i+1)*e.dim], train.X[row*e.dim:])
							copy(learn.C[i*e.context:(i+1)*e.context], train.C[row*e.context:])
						}
					}
				}
			}
			if _, err := f.Train(ctx, learn, take(all, placesOf(n, func(row int) bool { return row%parts == k })), o); err != nil {
				return err
			}
		}
		places = placesOf(n, func(row int) bool { return row%parts == judge })
		judges, p := take(all, places), make([]float64, len(places))
		if err := f.LogDensity(ctx, p, judges.X, judges.C); err != nil {
			return err
		}
		for i, row := range places {
			t.judged[row] = p[i]
		}
		refreshing.Lock()
		defer refreshing.Unlock()
		if done++; opts.Progress != nil {
			elapsed := time.Since(begin)
			opts.Progress(training.Status{Step: done, Steps: tasks, Elapsed: elapsed, Remaining: elapsed / time.Duration(done) * time.Duration(tasks-done)})
		}
		return nil
	})
	if err != nil && ctx.Err() != nil && opts.Save != nil {
		if err := opts.Save(training.Beginning()); err != nil {
			return h, err
		}
	}
	if err != nil {
		return h, err
	}
	if e.weigh(trials, all); len(e.forms) == 0 {
		return h, errors.New("factor: no density of an ensemble describes events that it has not learnt from")
	}
	h.Best, h.Stopped = -e.together, fmt.Sprintf("%d densities were trained, each without one or two of %d parts of the events", tasks, parts)
	return h, nil
}

// weigh finds the weights of the forms by EM, and keeps the forms that have any.
func (e *ensemble) weigh(trials []*trial, all training.Data) {
	const (
		rounds = 200
		least  = 0.01 // weight
	)
	weight := make([]float64, len(trials))
	for k := range weight {
		weight[k] = 1 / float64(len(trials))
	}
	p := make([]float64, len(trials))
	// expect adds the shares of the forms to sums, and returns the mean log-density.
	expect := func(sums []float64) float64 {
		total, log := 0.0, 0.0
		for i := range all.Len() {
			w, top := max(all.Weight(i), 0), math.Inf(-1)
			for k, t := range trials {
				p[k] = math.Log(weight[k]) + t.judged[i]
				top = max(top, p[k])
			}
			if w == 0 || math.IsInf(top, 0) || math.IsNaN(top) {
				continue
			}
			log += w * em.LogSumExp(p, top)
			total += w
			for k, share := range p {
				sums[k] += w * share
			}
		}
		for k := range sums {
			sums[k] /= total
		}
		return log / total
	}
	for range rounds {
		sums := make([]float64, len(trials))
		e.together = expect(sums)
		weight = sums
	}
	e.judged = make([]float64, all.Len())
	for i := range e.judged {
		top := math.Inf(-1)
		for k, t := range trials {
			if p[k] = math.Log(weight[k]) + t.judged[i]; p[k] != p[k] {
				p[k] = math.Inf(-1)
			}
			top = max(top, p[k])
		}
		if e.judged[i] = top; !math.IsInf(top, 0) {
			e.judged[i] = em.LogSumExp(p, top)
		}
	}
	kept := 0.0
	for _, w := range weight {
		if w >= least {
			kept += w
		}
	}
	for k, t := range trials {
		if weight[k] < least {
			continue
		}
		e.forms = append(e.forms, formWeight{t.name, len(t.members), weight[k] / kept, meanOfPossible(t.judged, all)})
		e.members = append(e.members, t.members...)
	}
}

// meanOfPossible returns the mean of the log-densities of the rows of d, by their weights, but for the rows for
// which it is not finite: a form that excludes one of them may still describe the others best.
func meanOfPossible(logs []float64, d training.Data) float64 {
	sum, total := 0.0, 0.0
	for i, p := range logs {
		if w := max(d.Weight(i), 0); w > 0 && p-p == 0 {
			sum += w * p
			total += w
		}
	}
	return sum / total
}

// join returns the rows of both.
func join(a, b training.Data) training.Data {
	d := training.Data{Dim: a.Dim, Context: a.Context, X: slices.Concat(a.X, b.X), C: slices.Concat(a.C, b.C)}
	if a.W != nil || b.W != nil {
		d.W = slices.Concat(a.W, b.W)
	}
	return d
}

// placesOf returns the numbers of the rows, of n, that are wanted.
func placesOf(n int, wanted func(row int) bool) (places []int) {
	for row := range n {
		if wanted(row) {
			places = append(places, row)
		}
	}
	return places
}

// take returns rows of d.
func take(d training.Data, places []int) training.Data {
	t := training.Data{Dim: d.Dim, Context: d.Context, X: make([]float32, 0, len(places)*d.Dim), C: make([]float32, 0, len(places)*d.Context)}
	for _, i := range places {
		t.X = append(t.X, d.X[i*d.Dim:(i+1)*d.Dim]...)
		t.C = append(t.C, d.C[i*d.Context:(i+1)*d.Context]...)
		if d.W != nil {
			t.W = append(t.W, d.W[i])
		}
	}
	return t
}

// each calls f for each member with its weight.
func (e *ensemble) each(f func(member *flows.Flow, weight float64) error) error {
	at := 0
	for _, form := range e.forms {
		for range form.Members {
			if err := f(e.members[at], form.Weight/float64(form.Members)); err != nil {
				return err
			}
			at++
		}
	}
	return nil
}

func (e *ensemble) LogDensity(ctx context.Context, dst []float64, x, c []float32) error {
	for i := range dst {
		dst[i] = math.Inf(-1)
	}
	p := make([]float64, len(dst))
	return e.each(func(member *flows.Flow, weight float64) error {
		if err := member.LogDensity(ctx, p, x, c); err != nil {
			return err
		}
		log := math.Log(weight)
		for i, v := range p {
			if v += log; v > math.Inf(-1) { // else, or if it is NaN, it adds nothing
				more, less := max(dst[i], v), min(dst[i], v)
				dst[i] = more + math.Log1p(math.Exp(less-more))
			}
		}
		return nil
	})
}

func (e *ensemble) Sample(ctx context.Context, x, c []float32, seed, attempt uint64, numbers []uint64) error {
	u := make([]float64, len(numbers))
	for lo, hi := range philox.Runs(numbers) {
		philox.Uniform64(u[lo:hi], seed, streamMember+attempt, numbers[lo])
	}
	below, at := 0.0, 0
	return e.each(func(member *flows.Flow, weight float64) error {
		at++
		from := below
		if below += weight; at == len(e.members) {
			below = math.Inf(1) // whatever rounding leaves
		}
		places := placesOf(len(u), func(i int) bool { return u[i] >= from && u[i] < below })
		theirs := make([]uint64, len(places))
		for k, i := range places {
			theirs[k] = numbers[i]
		}
		of := take(training.Data{X: x, Dim: e.dim, C: c, Context: e.context}, places)
		if err := member.SampleRows(ctx, of.X, of.C, seed, attempt, theirs); err != nil {
			return err
		}
		for k, i := range places {
			copy(x[i*e.dim:(i+1)*e.dim], of.X[k*e.dim:])
		}
		return nil
	})
}

// Clamped is the sum of the members'.
func (e *ensemble) Clamped() (n int64) {
	for _, m := range e.members {
		n += m.Clamped()
	}
	return n
}

func (e *ensemble) Tensors() []training.Tensor {
	var all []training.Tensor
	for k, m := range e.members {
		all = training.Prefixed(memberPrefix(k), m.Tensors(), all)
	}
	return all
}

// memberPrefix begins the names of the tensors of a member.
func memberPrefix(k int) string { return fmt.Sprintf("member%d.", k) }

// ensembleFile is an ensemble without its parameters.
type ensembleFile struct {
	Features   int           `json:"features"`
	Context    int           `json:"context,omitempty"`
	Forms      []formWeight  `json:"forms"`
	LogDensity float64       `json:"log_density"`
	Members    []*flows.Flow `json:"members"`
}

func (e *ensemble) MarshalJSON() ([]byte, error) {
	return json.Marshal(ensembleFile{e.dim, e.context, e.forms, e.together, e.members})
}

// loadEnsemble returns the ensemble that a file describes.
func loadEnsemble(text []byte, tensors []training.Tensor, _ Features) (Factor, error) {
	var file struct {
		ensembleFile
		Members []json.RawMessage `json:"members"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("factor: could not read the description of an ensemble: %w", err)
	}
	e := &ensemble{dim: file.Features, context: file.Context, forms: file.Forms, together: file.LogDensity}
	const most = 1 << 10 // members
	sum, members := 0.0, 0
	for _, f := range e.forms {
		if !(f.Weight > 0) || f.Members < 1 || f.Members > most {
			return nil, errors.New("factor: the weights of an ensemble are damaged")
		}
		sum += f.Weight
		members += f.Members
	}
	if !(math.Abs(sum-1) < 1e-6) || members != len(file.Members) {
		return nil, errors.New("factor: the weights of an ensemble are damaged")
	}
	for k, description := range file.Members {
		own, _ := training.Under(memberPrefix(k), tensors)
		f, err := flows.Load(description, own)
		if err != nil {
			return nil, err
		}
		if f.Dim() != e.dim || f.Context() != e.context {
			return nil, fmt.Errorf("factor: density %d of an ensemble is of %d features and %d of the context, not of %d and %d", k, f.Dim(), f.Context(), e.dim, e.context)
		}
		e.members = append(e.members, f)
	}
	return e, nil
}
