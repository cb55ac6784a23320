// Package features turns columns of physical quantities into the space that a
// model sees, and back: a float32 matrix in which every direction looks like a
// standard normal.
//
// One specification does both directions and their log|det|; [Fit] makes it
// from the data, and it is stored as JSON in the model file. It has two stages.
//
// Steps, first, turn the branches of the file into coordinates, exactly: a branch that follows
// from others is left out, momenta become pT, η and φ or the mass of their sum, an angle is
// measured from another one, decimals become continuous, and so on. See package step for what
// they are, and package find for how they are found.
//
// Columns, then, turn each coordinate into a feature. Package column knows what kind of column it is
// (codes, whole numbers, an angle, …), makes it a continuous variable, by a uniform deviate where
// it is none, and returns to legal values. The rest is treatment, each in a file of its own:
//
//   - edges: log behind a hard edge, logit between two. An edge needs evidence, and beyond it is
//     a thin tail, with about the probability that the events leave to it.
//   - asinh: where both tails are heavy.
//   - standardise, and a monotone spline through quantiles, which makes the variable normal.
//   - what is far beyond all events grows as a logarithm only (normal.go).
//   - spikes: values that many events share, such as 0, −1 or −999, and missing ones. A spike gets a
//     cell of the unit interval, as wide as its proportion, at its place in the order of the values,
//     and comes back as exactly that value. Missing values, NaN, are a spike below all others.
//   - periodic: an angle around which something repeats stays linear.
//
// What a user can ask for is in the tables of kinds, of shapes (treat.go), and of passes.
package features

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features/find"
	"github.com/eidolon-hep/eidolon/analysis/features/step"
	"github.com/eidolon-hep/eidolon/analysis/vectors"
	"github.com/eidolon-hep/eidolon/internal/panics"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Spec is the specification of all features.
type Spec struct {
	// Branches are what is in the file, in its order.
	Branches []rootio.Field `json:"branches"`

	// Steps turn the branches into coordinates, one after the other.
	Steps step.Steps `json:"steps,omitempty"`

	// Given are columns of the condition that steps read.
	Given []string `json:"given,omitempty"`

	// Columns are the coordinates, each with its treatment.
	Columns []Column `json:"columns"`

	// Ranges are those of the branches that are no coordinates themselves.
	Ranges []Range `json:"ranges,omitempty"`

	// Momenta are the four-vectors among the branches.
	Momenta *vectors.Found `json:"momenta,omitempty"`

	// Cut says what was not looked for everywhere, for lack of time ([Options.Until]) or
	// because there are too many columns.
	Cut []string `json:"cut,omitempty"`

	// Refused are choices of coordinates ([Options.Choices]) that cannot be made for these columns.
	Refused []find.Choice `json:"-"`
	// NotSymmetric says why a rotation may change something, where [find.Rotation] was refused.
	NotSymmetric string `json:"-"`
}

// Dim returns the number of features: columns that are not constant.
func (s *Spec) Dim() int { return len(s.learnt()) }

// learnt returns the columns that make the features, in their order.
func (s *Spec) learnt() (columns []*Column) {
	for i := range s.Columns {
		if c := &s.Columns[i]; c.As.IsLearnt() {
			columns = append(columns, c)
		}
	}
	return columns
}

// Learnt returns the names of the columns that make the features, in their order.
func (s *Spec) Learnt() (names []string) {
	for _, c := range s.learnt() {
		names = append(names, c.Name)
	}
	return names
}

// Plain returns a specification that differs in this: continuous columns without
// edges, heavy tails and spikes are standardised only, not made normal one by one. A
// mixture of normals stays one.
func (s *Spec) Plain() *Spec {
	plain := *s
	plain.Columns = slices.Clone(s.Columns)
	for i := range plain.Columns {
		if c := &plain.Columns[i]; c.As == column.Continuous && c.Low == nil && c.High == nil && c.Width == 0 && len(c.cells()) == 0 {
			c.Normal = Spline{}
		}
	}
	return &plain
}

// Names returns the names of the branches.
func (s *Spec) Names() []string { return rootio.Names(s.Branches) }

// Fields returns the branches: the columns that [Spec.Decode] stores.
func (s *Spec) Fields() []rootio.Field { return slices.Clone(s.Branches) }

// Noise says which deviates dequantise. Those of an event depend on all three
// and on nothing else.
type Noise struct {
	Seed  uint64
	Pass  uint64 // the pass over the events: fresh noise for each
	First uint64 // the number of the first event of the table
}

// stream returns that of a seed from which the deviates of a variable come. It goes by the name of the variable, so that all sets of
// coordinates, and so the parts of a mixture, see a branch with the same deviates. use numbers what they are drawn for, if
// that is several things.
func (noise Noise) stream(variable string, use int) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%d %d", variable, use, noise.Pass)
	return h.Sum64()
}

// streams returns those of the steps and of the columns.
func (s *Spec) streams(noise Noise) (ofSteps, ofColumns []uint64) {
	uses := map[string]int{}
	for _, step := range s.Steps {
		name := ""
		if _, _, made := step.Variables(); len(made) > 0 {
			name = made[0].Name
		}
		uses[name]++
		ofSteps = append(ofSteps, noise.stream(name, uses[name]))
	}
	for _, c := range s.Columns {
		ofColumns = append(ofColumns, noise.stream(c.Name, 0))
	}
	return ofSteps, ofColumns
}

// uniform stores deviates in dst.
func (noise Noise) uniform(dst []float64, stream uint64, at int) {
	philox.Uniform64(dst, noise.Seed, stream, noise.First+uint64(at))
}

// Encode stores the features of the events of t in z (n×Dim), and, unless logDet
// is nil, log|∂z/∂x| in logDet (n), x in the units of the branches. It is −Inf
// where a value is impossible: an unknown code, or not the constant. For codes
// and integers, x is the dequantised variable, value + uniform deviate, with a
// cell of width 1 for each; for rounded decimals it is their cell of one step.
//
// The branches are found by name. A missing one, one of another type, and a value
// that is not finite are errors; NaN is none where events of the training had it. When ctx is
// cancelled its error is returned.
func (s *Spec) Encode(ctx context.Context, z []float32, logDet []float64, t *rootio.Table, noise Noise) error {
	return s.encode(ctx, z, logDet, logDet, t, noise, false)
}

// EncodeLayers is [Spec.Encode] that stores log|det J| of the steps and that of the treatments of the
// columns apart, in ofSteps and in ofColumns (n each).
func (s *Spec) EncodeLayers(ctx context.Context, z []float32, ofSteps, ofColumns []float64, t *rootio.Table, noise Noise) error {
	return s.encode(ctx, z, ofSteps, ofColumns, t, noise, false)
}

// Refresh draws the features that depend on noise again, with that of another
// pass, and leaves the others as they are.
func (s *Spec) Refresh(ctx context.Context, z []float32, t *rootio.Table, noise Noise) error {
	return s.encode(ctx, z, nil, nil, t, noise, true)
}

// IsNoisy reports whether any feature depends on noise.
func (s *Spec) IsNoisy() bool { return slices.Contains(s.noisy(), true) }

// noisy reports for each column whether its feature depends on noise.
func (s *Spec) noisy() []bool {
	variables := s.Steps.Noisy()
	noisy := make([]bool, len(s.Columns))
	for i := range s.Columns {
		noisy[i] = s.Columns[i].IsNoisy() || variables[s.Columns[i].Name]
	}
	return noisy
}

// encode adds log|det J| of the steps to ofSteps, which may be ofColumns, or both nil.
func (s *Spec) encode(ctx context.Context, z []float32, ofSteps, ofColumns []float64, t *rootio.Table, noise Noise, noisyOnly bool) error {
	n, dim := t.Len(), s.Dim()
	if len(z) != n*dim || ofColumns != nil && (len(ofSteps) != n || len(ofColumns) != n) {
		panic(fmt.Sprintf("features: Encode of %d events with %d features into %d values and %d log-determinants", n, dim, len(z), len(ofColumns)))
	}
	branches, err := s.find(t)
	if err != nil {
		return err
	}
	given, err := s.findGiven(t)
	if err != nil {
		return err
	}
	columns := slices.Concat(branches, given)
	missing := s.missing()
	noisy := s.noisy()
	cells := s.cells()
	ofStep, ofColumn := s.streams(noise)
	return inBlocks(n, func(f *step.Frame, lo, hi int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		f.Reset(hi - lo)
		for i, c := range columns {
			x := f.Add(c.Name)
			c.Floats(x, lo)
			if k := notFinite(x, missing[c.Name]); k >= 0 {
				role := ""
				if i >= len(branches) {
					role = ", of the condition,"
				}
				return fmt.Errorf("features: branch %q%s is %v in entry %d", c.Name, role, x[k], noise.First+uint64(lo+k))
			}
		}
		var first, ld []float64
		if ofColumns != nil {
			first, ld = ofSteps[lo:hi], ofColumns[lo:hi]
			clear(first)
			clear(ld)
		}
		s.Steps.Forward(f, first, func(i int, u []float64) { noise.uniform(u, ofStep[i], lo) })
		feature := 0
		for i := range s.Columns {
			c := &s.Columns[i]
			x := f.At(c.Name)
			if !c.As.IsLearnt() { // numbers of events are not even read
				if ld != nil {
					for k, v := range x {
						_, possible := c.Open(v, 0)
						ld[k] += possible
					}
				}
				continue
			}
			if noisy[i] || !noisyOnly {
				var u []float64
				if c.IsNoisy() {
					u = f.Add(step.Scratch)
					noise.uniform(u, ofColumn[i], lo)
					step.WithinCells(u)
				}
				c.encodeAll(z[lo*dim+feature:], dim, ld, x, u, cells[i])
			}
			feature++
		}
		return nil
	})
}

// find returns the branches' columns in t, but for those that number events.
func (s *Spec) find(t *rootio.Table) (branches []rootio.Column, err error) {
	numbers := s.Numbers()
	for _, b := range s.Branches {
		if slices.Contains(numbers, b.Name) {
			continue
		}
		c, ok := t.Column(b.Name)
		switch {
		case !ok:
			return nil, fmt.Errorf("features: branch %q is missing", b.Name)
		case c.Kind != b.Kind:
			return nil, fmt.Errorf("features: branch %q is %v, the model was trained on %v", b.Name, c.Kind, b.Kind)
		}
		branches = append(branches, c)
	}
	return branches, nil
}

// findGiven returns the columns of t, those of the condition, that steps read.
func (s *Spec) findGiven(t *rootio.Table) ([]rootio.Column, error) {
	given := make([]rootio.Column, len(s.Given))
	for i, name := range s.Given {
		c, ok := t.Column(name)
		if !ok {
			return nil, fmt.Errorf("features: branch %q, of the condition, is missing", name)
		}
		given[i] = c
	}
	return given, nil
}

func (s *Spec) cells() [][]cell {
	cells := make([][]cell, len(s.Columns))
	for i := range s.Columns {
		cells[i] = s.Columns[i].cells()
	}
	return cells
}

// notFinite returns the place of a value that is infinite, or missing where none may
// be; −1 if there is none.
func notFinite(x []float64, missing bool) int {
	for k, v := range x {
		if math.IsInf(v, 0) || math.IsNaN(v) && !missing {
			return k
		}
	}
	return -1
}

// Decode stores the columns of the events with the features z (n×Dim) in t, which
// has the columns of [Spec.Fields] and n events. It is the inverse of Encode. Given are
// the columns of the condition of these events, nil where [Spec.Given] has none; without
// those it panics.
func (s *Spec) Decode(t *rootio.Table, z []float32, given *rootio.Table) {
	n, dim := t.Len(), s.Dim()
	if len(z) != n*dim || len(t.Columns) != len(s.Branches) {
		panic(fmt.Sprintf("features: Decode of %d values into %d events of %d columns", len(z), n, len(t.Columns)))
	}
	conditions, err := s.findGiven(given)
	if err != nil {
		panic(err)
	}
	cells := s.cells()
	f := &step.Frame{}
	for lo := 0; lo < n; lo += block {
		hi := min(lo+block, n)
		f.Reset(hi - lo)
		for _, c := range conditions {
			c.Floats(f.Add(c.Name), lo)
		}
		feature := 0
		for i := range s.Columns {
			c := &s.Columns[i]
			x := f.Add(c.Name)
			if !c.As.IsLearnt() {
				for k := range x {
					x[k] = c.Value()
				}
				continue
			}
			for k := range x {
				x[k] = c.decodeAmong(cells[i], float64(z[(lo+k)*dim+feature]))
			}
			feature++
		}
		s.Steps.Inverse(f)
		for i, b := range s.Branches {
			t.Columns[i].SetFloats(lo, f.At(b.Name))
		}
	}
}

// CheckDecoded returns an error if t, which [Spec.Decode] has filled, has a value that no
// event can have: one that is not finite, but for missing ones.
func (s *Spec) CheckDecoded(t *rootio.Table) error {
	missing := s.missing()
	x := make([]float64, t.Len())
	for _, c := range t.Columns {
		if !c.Kind.IsFloat() {
			continue
		}
		c.Floats(x, 0)
		if k := notFinite(x, missing[c.Name]); k >= 0 {
			return fmt.Errorf("features: the model makes a %q that is %v: it is damaged, or the condition is out of all range", c.Name, x[k])
		}
	}
	return nil
}

// missing tells of which columns values may be missing.
func (s *Spec) missing() map[string]bool {
	missing := map[string]bool{}
	for _, c := range s.Columns {
		missing[c.Name] = c.Missing > 0
	}
	for _, st := range s.Steps {
		if of, ok := st.(interface{ MayMiss() bool }); ok && of.MayMiss() {
			_, taken, _ := st.Variables()
			missing[taken[0]] = true
		}
	}
	return missing
}

// Limits returns, for each feature, the range of the training events in model space,
// widened by margin on each side where it does not end at zero, but not beyond an edge nor
// across zero. Features of codes,
// integers and angles have no limits: every value of theirs is a legal one.
func (s *Spec) Limits(margin float64) (lo, hi []float32) {
	for _, c := range s.learnt() {
		if !c.As.IsLimited() {
			lo, hi = append(lo, -math.MaxFloat32), append(hi, math.MaxFloat32)
			continue
		}
		l, _ := c.encode(c.Min, 0) // beyond a spike at the end there is nothing but it
		h, _ := c.encode(c.Max, 1)
		switch {
		case c.Missing > 0:
			l = -math.MaxFloat32 // missing values are below all others
		case c.Min != 0:
			l -= margin
		}
		if c.Max != 0 {
			h += margin
		}
		if c.Missing == 0 {
			l = max(l, c.limit(c.Low, c.Min, +1))
		}
		h = min(h, c.limit(c.High, c.Max, -1))
		lo, hi = append(lo, float32(l)), append(hi, float32(h))
	}
	return lo, hi
}

// limit returns the feature of the edge beside the outermost value in the data, or that of
// zero where there is none and all values have a sign, ±1: no event is drawn beyond; ∓∞ if
// there is neither.
func (c *Column) limit(edge *float64, outermost, sign float64) float64 {
	at := 0.0
	if edge != nil {
		at = *edge
	}
	if !(sign*outermost > sign*at) || c.IsSpike(at) {
		return math.Inf(-int(sign))
	}
	z, _ := c.encode(at, 0.5)
	return z
}

// Computed returns the formulas of the columns that are computed from others.
func (s *Spec) Computed() []*step.Formula {
	computed := []*step.Formula{}
	for _, st := range s.Steps {
		if f, ok := st.(*step.Formula); ok {
			computed = append(computed, f)
		}
	}
	return computed
}

// Treatment says how a variable, a branch or a coordinate, is treated.
type Treatment struct {
	Name     string
	Kind     rootio.Kind
	Min, Max float64 // in the data; NaN for what is no feature
	How      string
}

// Treatments lists what becomes of the branches, and of other coordinates.
func (s *Spec) Treatments() []Treatment {
	order := s.Names()
	columns := map[string]*Column{}
	for i := range s.Columns {
		c := &s.Columns[i]
		if columns[c.Name] = c; !slices.Contains(order, c.Name) {
			order = append(order, c.Name)
		}
	}
	how, within := map[string]string{}, map[string][]step.Step{} // what becomes of variables that are taken, and what is done with those that stay
	for _, st := range s.Steps {
		_, taken, made := st.Variables()
		for _, name := range taken {
			if slices.ContainsFunc(made, func(c step.Coordinate) bool { return c.Name == name }) {
				within[name] = append(within[name], st)
			} else {
				how[name] = st.Describe()
			}
		}
	}
	list := make([]Treatment, len(order))
	for i, name := range order {
		v := Treatment{Name: name, Kind: rootio.Float64, Min: math.NaN(), Max: math.NaN(), How: how[name]}
		if i < len(s.Branches) {
			v.Kind = s.Branches[i].Kind
		}
		if c := columns[name]; c != nil {
			v.Min, v.Max, v.How = c.Min, c.Max, c.Describe()
			for _, st := range within[name] {
				if read, _, _ := st.Variables(); len(read) == 0 {
					v.Min, v.Max = undo(st, name, v.Min, v.Max)
				}
				v.How += ", " + st.Describe()
			}
		}
		list[i] = v
	}
	return list
}

// undo returns what a step that makes the variable it takes, and needs no other, makes two values of
// on the way back.
func undo(s step.Step, name string, a, b float64) (float64, float64) {
	f := &step.Frame{}
	f.Reset(2)
	copy(f.Add(name), []float64{a, b})
	s.Inverse(f)
	return f.At(name)[0], f.At(name)[1]
}

// block is the number of events that go through the steps together.
const block = 1 << 12

// inBlocks calls do for the blocks of n events, on all cores. It returns the
// error of the first block that has one.
func inBlocks(n int, do func(f *step.Frame, lo, hi int) error) error {
	var next atomic.Int64
	var all panics.Group
	var mu sync.Mutex
	var failure error
	failed := n
	for range min(runtime.GOMAXPROCS(0), (n+block-1)/block) {
		all.Go(func() {
			f := &step.Frame{}
			for {
				lo := int(next.Add(block)) - block
				if lo >= n {
					return
				}
				if err := do(f, lo, min(lo+block, n)); err != nil {
					mu.Lock()
					if lo < failed {
						failed, failure = lo, err
					}
					mu.Unlock()
					return
				}
			}
		})
	}
	all.Wait()
	return failure
}
