package column

import (
	"fmt"
	"math"

	"github.com/eidolon-hep/eidolon/rootio"
)

// Count columns are whole numbers with a long tail, such as hits or tracks: the least is where the
// data begin, and no number is too large. They become continuous as integers do, but have no upper
// edge. They are never recognised, since integers with a tail may be anything: a user asks for them.
var Count = Kind{count{}}

type count struct{ integer }

func (count) name() string { return "count" }

func (count) is(*Data) bool { return false }

func (count) refuse(d *Data) string {
	for _, v := range d.Sample.Values {
		if v < 0 || v != math.Trunc(v) {
			return fmt.Sprintf("it has the value %g", v)
		}
	}
	return ""
}

func (count) find(c *Column, d *Data) *Sample {
	s := d.Sample.Monotone() // many events without a hit are no spike, but counts
	lo := s.Values[0]
	c.Low, c.Floor = &lo, 1/float64(s.Counts[0])
	return s.spread()
}

// spread returns the sample of the variable: the events of each value evenly in its cell, at some
// points, so that the first cells, which have many of them, keep their share.
func (s *Sample) spread() *Sample {
	const points = 8
	t := s.part()
	for i, v := range s.Values {
		n := s.Counts[i]
		parts := min(points, n)
		for k := range parts {
			t.Add(v+(float64(k)+0.5)/float64(parts), s.Weights[i]/float64(parts), n*(k+1)/parts-n*k/parts)
		}
	}
	return t
}

func (count) close(c *Column, y float64) float64 {
	return min(max(math.Floor(y), c.Min), largest(c.Field.Kind))
}

// largest returns the largest whole number of a type that all smaller ones are exact up to.
func largest(kind rootio.Kind) float64 {
	switch kind {
	case rootio.Int8:
		return math.MaxInt8
	case rootio.Int16:
		return math.MaxInt16
	case rootio.Int32:
		return math.MaxInt32
	case rootio.Uint8:
		return math.MaxUint8
	case rootio.Uint16:
		return math.MaxUint16
	case rootio.Uint32:
		return math.MaxUint32
	case rootio.Float32:
		return 1 << 24
	}
	return maxExact
}

func (count) describe(c *Column) string {
	return fmt.Sprintf("count from %g, without an upper end, dequantised", c.Min)
}
