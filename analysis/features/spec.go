// Package features turns columns of physical quantities into the space that a
// model sees, and back: a float32 matrix in which every direction looks like a
// standard normal.
//
// One specification does both directions and their log|det|; [Fit] makes it
// from the data, and it is stored as JSON in the model file. Per column it is
// one of four kinds:
//
//   - constant: the same value in every event. Kept out of the model.
//   - codes: few distinct values, of any type. Code k gets the cell
//     [F(k−1), F(k)) of the unit interval, F the cumulative proportion of the
//     codes, a uniform deviate picks the point u in the cell, and z = Φ⁻¹(u).
//     The way back returns legal codes only.
//   - integer: many distinct values. Dequantised by a uniform deviate in [0, 1),
//     then as a continuous column between hard edges; floor is the way back.
//   - continuous: mapped to the whole line where it has hard edges (log behind
//     one, logit between two) or a heavy positive tail (log), standardised, and
//     made normal by a monotone spline through quantiles.
//
// An integer or continuous column may have spikes: values that many events share,
// such as 0, −1 or −999. A spike is a code among the other values: it gets a cell
// of the unit interval, as wide as its proportion, at its place in their order, and
// comes back as exactly that value.
package features

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Kind says how a column is treated.
type Kind string

// The kinds of columns.
const (
	Constant   Kind = "constant"
	Codes      Kind = "codes"
	Integer    Kind = "integer"
	Continuous Kind = "continuous"
)

// Spec is the specification of all columns, in the order of the file.
type Spec struct {
	Columns []Column `json:"columns"`
}

// Column is the specification of a column.
type Column struct {
	rootio.Field
	As Kind `json:"as"`

	// Min and Max are the least and the greatest value in the data.
	Min float64 `json:"min"`
	Max float64 `json:"max"`

	// Codes are the distinct values, ascending, and Cumulative the proportion
	// of events with a value up to that of each.
	Codes      []float64 `json:"codes,omitempty"`
	Cumulative []float64 `json:"cumulative,omitempty"`

	// Low and High are the hard edges; nil where there is none. Floor is the
	// least distance from an edge that is told from the edge itself.
	Low   *float64 `json:"low,omitempty"`
	High  *float64 `json:"high,omitempty"`
	Floor float64  `json:"floor,omitempty"`

	// Mean and Std standardise what is left after the edges.
	Mean float64 `json:"mean,omitempty"`
	Std  float64 `json:"std,omitempty"`

	// Normal makes the standardised value a standard normal; empty for small
	// samples.
	Normal Spline `json:"normal,omitzero"`

	// Spikes are the values that many events share, ascending. All that is above
	// is about the other events.
	Spikes []Spike `json:"spikes,omitempty"`
}

// Dim returns the number of features: columns that are not constant.
func (s *Spec) Dim() int {
	n := 0
	for _, c := range s.Columns {
		if c.As != Constant {
			n++
		}
	}
	return n
}

// Names returns the names of all columns.
func (s *Spec) Names() []string {
	names := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		names[i] = c.Name
	}
	return names
}

// Fields returns the fields of all columns.
func (s *Spec) Fields() []rootio.Field {
	fields := make([]rootio.Field, len(s.Columns))
	for i, c := range s.Columns {
		fields[i] = c.Field
	}
	return fields
}

// Noise says which deviates dequantise. Those of an event depend on all three
// and on nothing else.
type Noise struct {
	Seed  uint64
	Pass  uint64 // the pass over the events: fresh noise for each
	First uint64 // the number of the first event of the table
}

// streamNoise and the pass are the stream of a seed that dequantisation uses.
const streamNoise = 1 << 40

// Encode stores the features of the events of t in z (n×Dim), and, unless logDet
// is nil, log|∂z/∂x| in logDet (n), x in the units of the columns. It is −Inf
// where a value is impossible: beyond a hard edge, or an unknown code. For codes
// and integers, x is the dequantised variable, value + uniform deviate, with a
// cell of width 1 for each.
//
// The columns are found by name. A missing one, one of another type, and a value
// that is not finite are errors.
func (s *Spec) Encode(z []float32, logDet []float64, t *rootio.Table, noise Noise) error {
	return s.encode(z, logDet, t, noise, false)
}

// Refresh draws the features that depend on noise again, with that of another
// pass, and leaves the others as they are.
func (s *Spec) Refresh(z []float32, t *rootio.Table, noise Noise) error {
	return s.encode(z, nil, t, noise, true)
}

// IsNoisy reports whether any column is dequantised.
func (s *Spec) IsNoisy() bool {
	for _, c := range s.Columns {
		if c.isNoisy() {
			return true
		}
	}
	return false
}

func (c *Column) isNoisy() bool { return c.As == Codes || c.As == Integer || len(c.Spikes) > 0 }

func (s *Spec) encode(z []float32, logDet []float64, t *rootio.Table, noise Noise, noisyOnly bool) error {
	n, dim := t.Len(), s.Dim()
	if len(z) != n*dim || logDet != nil && len(logDet) != n {
		panic(fmt.Sprintf("features: Encode of %d events with %d features into %d values and %d log-determinants", n, dim, len(z), len(logDet)))
	}
	clear(logDet)
	x := make([]float64, n)
	var u []float64
	feature := 0
	for i := range s.Columns {
		c := &s.Columns[i]
		if c.As != Constant && noisyOnly && !c.isNoisy() {
			feature++
			continue
		}
		col, ok := t.Column(c.Name)
		switch {
		case !ok:
			return fmt.Errorf("features: branch %q is missing", c.Name)
		case col.Kind != c.Kind:
			return fmt.Errorf("features: branch %q is %v, the model was trained on %v", c.Name, col.Kind, c.Kind)
		}
		col.Floats(x, 0)
		if k := notFinite(x); k >= 0 {
			return fmt.Errorf("features: branch %q is %v in entry %d", c.Name, x[k], noise.First+uint64(k))
		}
		if c.As == Constant {
			for k, v := range x {
				if logDet != nil && v != c.Min {
					logDet[k] = math.Inf(-1)
				}
			}
			continue
		}
		if c.isNoisy() {
			if u == nil {
				u = make([]float64, n)
			}
			philox.Uniform64(u, noise.Seed, streamNoise+noise.Pass<<16+uint64(i), noise.First)
		}
		cells := c.cells()
		for k, v := range x {
			var f, ld float64
			switch {
			case len(cells) > 0:
				f, ld = c.encodeAmongSpikes(cells, v, u[k])
			case c.isNoisy():
				f, ld = c.encode(v, u[k])
			default:
				f, ld = c.encode(v, 0)
			}
			z[k*dim+feature] = float32(f)
			if logDet != nil {
				logDet[k] += ld
			}
		}
		feature++
	}
	return nil
}

func notFinite(x []float64) int {
	for k, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return k
		}
	}
	return -1
}

// Decode stores the columns of the events with the features z (n×Dim) in t, which
// has the columns of [Spec.Fields] and n events. It is the inverse of Encode.
func (s *Spec) Decode(t *rootio.Table, z []float32) {
	n, dim := t.Len(), s.Dim()
	if len(z) != n*dim || len(t.Columns) != len(s.Columns) {
		panic(fmt.Sprintf("features: Decode of %d values into %d events of %d columns", len(z), n, len(t.Columns)))
	}
	x := make([]float64, n)
	feature := 0
	for i := range s.Columns {
		c := &s.Columns[i]
		cells := c.cells()
		for k := range x {
			switch {
			case c.As == Constant:
				x[k] = c.Min
			case len(cells) > 0:
				x[k] = c.decodeAmongSpikes(cells, float64(z[k*dim+feature]))
			default:
				x[k] = c.decode(float64(z[k*dim+feature]))
			}
		}
		t.Columns[i].SetFloats(0, x)
		if c.As != Constant {
			feature++
		}
	}
}

// Limits returns, for each feature, the range of the training events in model space,
// widened by margin on each side where it does not end at zero. Features of codes and
// integers have no limits: every value of theirs is a legal one.
func (s *Spec) Limits(margin float64) (lo, hi []float32) {
	for i := range s.Columns {
		c := &s.Columns[i]
		switch c.As {
		case Codes, Integer:
			lo, hi = append(lo, -math.MaxFloat32), append(hi, math.MaxFloat32)
		case Continuous:
			l, _ := c.encode(c.Min, 0) // beyond a spike at the end there is nothing but it
			h, _ := c.encode(c.Max, 1)
			if c.Min != 0 {
				l -= margin
			}
			if c.Max != 0 {
				h += margin
			}
			lo, hi = append(lo, float32(l)), append(hi, float32(h))
		}
	}
	return lo, hi
}

// Check reports whether a specification that was read from a file is sound.
func (s *Spec) Check() error {
	seen := map[string]bool{}
	for _, c := range s.Columns {
		ok := c.Kind != 0 && c.Normal.isSound() && !seen[c.Name]
		seen[c.Name] = true
		switch c.As {
		case Constant:
		case Codes:
			ok = ok && len(c.Codes) > 0 && len(c.Codes) == len(c.Cumulative) && slices.IsSorted(c.Codes) && slices.IsSorted(c.Cumulative) &&
				c.Cumulative[0] > 0 && c.Cumulative[len(c.Cumulative)-1] == 1
		case Integer, Continuous:
			ok = ok && c.Std > 0 && c.Min <= c.Max && c.Floor >= 0 && restFraction(c.Spikes) > 0 &&
				(c.Low == nil || c.High == nil || *c.Low < *c.High)
		default:
			ok = false
		}
		if !ok {
			return fmt.Errorf("features: the specification of branch %q is damaged", c.Name)
		}
	}
	return nil
}

// encode returns the feature of the value x with the deviate u, and log|∂z/∂x|.
func (c *Column) encode(x, u float64) (z, logDet float64) {
	switch c.As {
	case Codes:
		k := sort.SearchFloat64s(c.Codes, x)
		if k == len(c.Codes) || c.Codes[k] != x {
			return 0, math.Inf(-1)
		}
		lo := 0.0
		if k > 0 {
			lo = c.Cumulative[k-1]
		}
		p := c.Cumulative[k] - lo
		z = normalQuantile(lo + u*p)
		return z, math.Log(p) - logNormal(z)
	}
	if len(c.Spikes) > 0 {
		return c.encodeAmongSpikes(c.cells(), x, u)
	}
	return c.encodeRest(x, u)
}

// encodeRest is encode for what is no spike.
func (c *Column) encodeRest(x, u float64) (z, logDet float64) {
	if c.As == Integer {
		x += u
	}
	y, ld := c.unbound(x)
	z, slope := c.Normal.Forward((y - c.Mean) / c.Std)
	return z, ld - math.Log(c.Std) + math.Log(slope)
}

// decode returns the value with the feature z.
func (c *Column) decode(z float64) float64 {
	if c.As == Codes {
		u := normalCDF(z)
		k := sort.Search(len(c.Codes)-1, func(k int) bool { return u < c.Cumulative[k] })
		return c.Codes[k]
	}
	if len(c.Spikes) > 0 {
		return c.decodeAmongSpikes(c.cells(), z)
	}
	return c.decodeRest(z)
}

// decodeRest is decode for what is no spike.
func (c *Column) decodeRest(z float64) float64 {
	x := c.bound(c.Normal.Inverse(z)*c.Std + c.Mean)
	if c.As == Integer {
		x = min(max(math.Floor(x), c.Min), c.Max)
	}
	return x
}

// unbound maps a value to the whole line: log(x−low) behind an edge, −log(high−x)
// before one, the difference of the logarithms between two. Distances are at
// least Floor. It returns log of the slope, too: −Inf beyond an edge.
func (c *Column) unbound(x float64) (y, logSlope float64) {
	y = x
	if c.Low != nil || c.High != nil {
		y = 0
	}
	slope := 0.0
	outside := false
	if c.Low != nil {
		d := x - *c.Low
		outside = outside || d < 0
		d = max(d, c.Floor)
		y += math.Log(d)
		slope += 1 / d
	}
	if c.High != nil {
		d := *c.High - x
		outside = outside || d < 0
		d = max(d, c.Floor)
		y -= math.Log(d)
		slope += 1 / d
	}
	switch {
	case outside:
		return y, math.Inf(-1)
	case slope == 0:
		return y, 0
	}
	return y, math.Log(slope)
}

// bound is the inverse of unbound.
func (c *Column) bound(y float64) float64 {
	switch {
	case c.Low != nil && c.High != nil:
		lo, hi := *c.Low, *c.High
		if y < 0 { // the nearer edge counts, for precision
			e := math.Exp(y)
			return lo + (hi-lo)*e/(1+e)
		}
		e := math.Exp(-y)
		return hi - (hi-lo)*e/(1+e)
	case c.Low != nil:
		return *c.Low + math.Exp(y)
	case c.High != nil:
		return *c.High - math.Exp(-y)
	}
	return y
}

// normalCDF is Φ, the distribution function of the standard normal.
func normalCDF(z float64) float64 { return 0.5 * math.Erfc(-z/math.Sqrt2) }

// normalQuantile is Φ⁻¹. Its argument is kept 1e-15 away from 0 and 1.
func normalQuantile(u float64) float64 {
	u = min(max(u, 1e-15), 1-1e-15)
	return -math.Sqrt2 * math.Erfcinv(2*u)
}

// logNormal is the logarithm of the density of the standard normal.
func logNormal(z float64) float64 { return -0.5*z*z - 0.5*math.Log(2*math.Pi) }

// Describe says in words how the column is treated.
func (c *Column) Describe() string {
	switch c.As {
	case Constant:
		return "constant, restored on output"
	case Codes:
		return fmt.Sprintf("%d codes, dequantised", len(c.Codes))
	}
	how := "standardised"
	switch {
	case c.As == Integer:
		how = "integer, dequantised"
	case c.Low != nil && c.High != nil:
		how = fmt.Sprintf("logit between %.6g and %.6g", *c.Low, *c.High)
	case c.Low != nil:
		how = fmt.Sprintf("log above %.6g", *c.Low)
	case c.High != nil:
		how = fmt.Sprintf("log below %.6g", *c.High)
	}
	for _, s := range c.Spikes {
		how += fmt.Sprintf(", %.3g %% at %g", 100*s.Fraction, s.Value)
	}
	if len(c.Normal.X) > 0 {
		how += fmt.Sprintf(", normal spline of %d knots", len(c.Normal.X))
	}
	return how
}
