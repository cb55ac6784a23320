package features

import (
	"math"
	"math/bits"
	"slices"

	"github.com/eidolon-hep/eidolon/rootio"
)

// Precision is the map of a branch whose values have fewer bits of mantissa than its type:
// such as those of files that are to be small, or a float64 that was a float32. The
// value becomes continuous by a uniform deviate within its cell, all that is rounded to it,
// unless the cells are so many that it does not matter. The way back rounds to the nearest
// value of this precision.
type Precision struct {
	Variable string `json:"variable"`
	Bits     int    `json:"bits"` // of the mantissa, after the leading one

	// Within is the range of an angle, nil for other variables. A cell ends there.
	Within *Circle `json:"within,omitempty"`

	// Except are values that stay as they are: spikes.
	Except []float64 `json:"except,omitempty"`
}

const (
	mantissa = 52 // bits of that of a float64
	// These are the bits up to which values of a type are believed to be of a lower precision:
	// ten float32 have four bits less by chance with a probability of 10⁻¹²; and a float64 that
	// was computed from float32 has more than these, but not all.
	mostBitsOfFloat32 = 19
	mostBitsOfFloat64 = 23
	// mostNoisyBits is the number of bits up to which the point within a cell matters.
	mostNoisyBits = 10
)

// findPrecision returns the map for the values of a column, without its spikes, if they have
// fewer bits than its type.
func findPrecision(field rootio.Field, values []float64, spikes []Spike) *Precision {
	most := mostBitsOfFloat64
	switch field.Kind {
	case rootio.Float32:
		most = mostBitsOfFloat32
	case rootio.Float64:
	default:
		return nil
	}
	if len(values) < fewestRounded {
		return nil
	}
	used := uint64(0)
	for _, v := range values {
		used |= math.Float64bits(v)
	}
	p := &Precision{Variable: field.Name, Bits: mantissa - min(bits.TrailingZeros64(used), mantissa)}
	if p.Bits > most {
		return nil
	}
	for _, s := range spikes {
		p.Except = append(p.Except, s.Value)
	}
	return p
}

// between is the number of values of this precision among those of a sample, ascending:
// from the least to the greatest, without those that are nearer to zero than all.
func (p *Precision) between(values []float64) float64 {
	least := math.Inf(1)
	for _, v := range values {
		if v != 0 {
			least = min(least, math.Abs(v))
		}
	}
	n := 0.0
	for _, outermost := range []float64{-values[0], values[len(values)-1]} {
		if outermost >= least {
			n += float64(p.number(outermost)-p.number(least)) + 1
		}
	}
	return n
}

// number numbers the positive values of the precision.
func (p *Precision) number(x float64) uint64 { return math.Float64bits(x) >> (mantissa - p.Bits) }

// filled is the part of the values of this precision that occurs, between the 30 % and the
// 95 % quantile of the absolute values of a sample.
func (p *Precision) filled(s *sample) float64 {
	size := make([]float64, len(s.value))
	for i, v := range s.value {
		size[i] = math.Abs(v)
	}
	slices.Sort(size)
	size = slices.Compact(size)
	from, to := len(size)*3/10, len(size)*95/100
	if to <= from {
		return 0
	}
	return float64(to-from+1) / float64(p.number(size[to])-p.number(size[from])+1)
}

// round returns the nearest value of the precision to x, which is away from zero of two.
func (p *Precision) round(x float64) float64 {
	if p.stays(x) {
		return x
	}
	spare := mantissa - p.Bits
	b := math.Float64bits(x)
	return math.Float64frombits((b + 1<<spare>>1) &^ (1<<spare - 1))
}

// stays reports whether a value has no cell.
func (p *Precision) stays(x float64) bool {
	return x == 0 || math.IsNaN(x) || math.IsInf(x, 0) || slices.Contains(p.Except, x)
}

// cell returns what is rounded to the value x.
func (p *Precision) cell(x float64) (lo, hi float64) {
	if p.stays(x) {
		return x, x
	}
	spare := mantissa - p.Bits
	b := math.Float64bits(x)
	lo, hi = math.Float64frombits(b-1<<spare>>1), math.Float64frombits(b+1<<spare>>1)
	if x < 0 {
		lo, hi = hi, lo
	}
	if p.Within != nil {
		lo, hi = max(lo, p.Within.Start), min(hi, p.Within.Start+p.Within.Period)
	}
	return lo, hi
}

func (p *Precision) variables() (read, taken, made []string) {
	return nil, []string{p.Variable}, []string{p.Variable}
}

func (p *Precision) isNoisy() bool { return p.Bits <= mostNoisyBits }

func (p *Precision) forward(f *frame, _ []float64, uniform func([]float64)) {
	if !p.isNoisy() {
		return
	}
	x, u := f.at(p.Variable), f.add(scratch)
	uniform(u)
	for k, v := range x {
		lo, hi := p.cell(v)
		if lo < hi {
			x[k] = lo + u[k]*(hi-lo)
		}
	}
}

func (p *Precision) inverse(f *frame) {
	x := f.at(p.Variable)
	for k, v := range x {
		x[k] = p.round(v)
	}
}

func (p *Precision) isSound() bool {
	return p.Bits >= 0 && p.Bits < mantissa && (p.Within == nil || p.Within.isSound())
}
