package find

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/rootio"
)

// findEqualities measures numbers from others that they equal in many events, as the sum of the jets' pT is
// that of the leading jet where there is one jet.
func (s *Search) findEqualities() {
	const (
		fewest = 20   // events
		least  = 0.01 // of all
		some   = 1024 // events that rule most pairs out
	)
	if s.N < 2*fewest {
		return
	}
	// numbers are branches with many values; shared are those of its values that it has in many events, be
	// the other equal or not.
	type number struct {
		rootio.Field
		some   []float64 // its values in some events
		shared []float64
		digits *int
	}
	var numbers []number
	for _, field := range s.remaining() {
		if s.over() {
			return
		}
		if _, ok := s.table.Column(field.Name); !ok || !field.Kind.IsFloat() || s.IsAngle(field.Name) {
			continue
		}
		sample := s.sample(field.Name)
		some := s.some(field.Name, some)
		if sample.Missing > 0 || !sample.IsContinuous(field, s.options.As[field.Name]) {
			continue
		}
		spikes, rest := sample.WithoutSpikes()
		n := number{Field: field, some: some}
		for _, spike := range spikes {
			n.shared = append(n.shared, spike.Value)
		}
		if d, ok := column.FindRounding(field, rest.Values).(*column.Decimals); ok {
			n.digits = &d.Digits
		}
		if numbers = append(numbers, n); len(numbers) > mostCompared {
			s.cut = fmt.Sprintf("there are more than %d columns", mostCompared)
			return
		}
	}
	// The last first: what a column is measured from is still there.
	for j := len(numbers) - 1; j > 0; j-- {
		y := numbers[j]
		if !s.isFree(y.Name) || s.isOfVector(y.Name) {
			continue
		}
		var from *number
		most := max(fewest, int(least*float64(s.N))) - 1
		for i := range numbers[:j] {
			if s.over() {
				return
			}
			x := &numbers[i]
			if n, of := countEqual(x.some, y.some, y.shared); n == 0 && of > fewest {
				continue
			}
			xs, ys := s.load(x.Name), s.load(y.Name)
			if n, of := countEqual(xs, ys, y.shared); n > most && n < of && float64(n) >= 10*float64(accidents(xs, ys, y.shared)+1) {
				from, most = x, n
			}
			s.forget(x.Name)
		}
		s.forget(y.Name)
		if from == nil {
			continue
		}
		d := &step.Difference{Variable: y.Name, From: from.Name}
		if y.digits != nil && from.digits != nil {
			digits := max(*y.digits, *from.digits)
			d.Digits = &digits
		}
		if s.isApart(d) {
			s.apply(d)
		}
		s.forget(from.Name)
	}
}

// isApart reports whether 0 is a value that many events share among the differences: where these are as often the
// smallest that there are, numbers are equal because they are rounded, as px and pT in the direction of x.
func (s *Search) isApart(d *step.Difference) bool {
	f := &step.Frame{}
	f.Reset(s.N)
	copy(f.Add(d.Variable), s.load(d.Variable))
	copy(f.Add(d.From), s.load(d.From))
	d.Forward(f, nil, nil)
	_, _, made := d.Variables()
	return slices.Contains(column.NewSample(f.At(made[0].Name), s.weights).Spikes(), 0)
}

// isOfVector reports whether a branch is a component of a momentum, which other steps are about.
func (s *Search) isOfVector(name string) bool {
	for _, v := range s.options.Vectors.Vectors {
		if slices.Contains([]string{v.PT, v.Eta, v.Phi, v.PX, v.PY, v.PZ, v.E, v.P, v.M}, name) {
			return true
		}
	}
	return false
}

// countEqual returns in how many events y equals x, and how many there are, without those in
// which y has one of the values that it shares in many.
func countEqual(x, y, shared []float64) (equal, of int) {
	for k, v := range y {
		if slices.Contains(shared, v) {
			continue
		}
		if of++; x[k] == v {
			equal++
		}
	}
	return equal, of
}

// accidents returns in how many events y equals the x of another event.
func accidents(x, y, shared []float64) (n int) {
	order := rand.New(rand.NewPCG(1, 3)).Perm(len(x))
	for k, other := range order {
		if x[other] == y[k] && !slices.Contains(shared, y[k]) {
			n++
		}
	}
	return n
}
