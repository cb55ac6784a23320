package column

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
)

// Codes are few distinct values, of any type. Code k has the cell [F(k−1), F(k)) of the unit
// interval, F being the cumulative proportion of the codes, and the deviate picks the point in the cell.
var Codes = Kind{codes{}}

type codes struct{ common }

func (codes) name() string { return "codes" }

func (codes) is(d *Data) bool {
	s := d.Sample
	return AreFew(len(s.Values), s.N, d.Field.Kind.IsFloat()) || len(s.Values) <= mostUneven && isUneven(d)
}

// isUneven reports whether many events share few values that are not simply
// equidistant or of few bits, not counting spikes: a smooth density would miss them.
func isUneven(d *Data) bool {
	_, s := d.Sample.WithoutSpikes()
	if len(s.Values)*eventsPerFloatCode > s.N {
		return false
	}
	if decimals := findDecimals(d.Field, s.Values); decimals != nil && decimals.filled(s) >= filledEnough {
		return false
	}
	bits := findBits(d.Field, s.Values)
	return bits == nil || bits.filled(s) < filledEnough
}

func (codes) refuse(d *Data) string {
	if n := len(d.Sample.Values); n > mostUneven {
		return fmt.Sprintf("it has %d different values, more than %d", n, mostUneven)
	}
	return ""
}

func (codes) find(c *Column, d *Data) *Sample {
	c.Codes, c.Cumulative = d.Sample.Values, d.Sample.Proportions()
	return nil
}

func (codes) open(c *Column, x, u float64) (y, logSlope float64) {
	k, logP := c.Code(x), 0.0
	if k < 0 {
		if k, logP = c.unseen(x); math.IsInf(logP, -1) {
			return 0.5, logP
		}
	}
	below, of := c.Share(k)
	if logP == 0 {
		logP = math.Log(of)
	}
	return below + u*of, logP
}

func (codes) close(c *Column, y float64) float64 { return c.Codes[c.CodeAt(y)] }

// Code returns the place of a value among the codes, −1 if it is none.
func (c *Column) Code(x float64) int {
	if k, ok := slices.BinarySearch(c.Codes, x); ok {
		return k
	}
	return -1
}

// IsUnknown reports whether a value is none of the codes of a column that has codes.
func (c *Column) IsUnknown(x float64) bool { return len(c.Codes) > 0 && c.Code(x) < 0 }

// CodeAt returns the code in whose cell the point y of the unit interval is.
func (c *Column) CodeAt(y float64) int {
	return sort.Search(len(c.Codes)-1, func(k int) bool { return y < c.Cumulative[k] })
}

// Share returns the proportion of events with lesser codes, and with code k.
func (c *Column) Share(k int) (below, of float64) {
	if k > 0 {
		below = c.Cumulative[k-1]
	}
	return below, c.Cumulative[k] - below
}

// unseen returns the code that is nearest to a value that is none, and the logarithm of the
// probability of that value: −∞, as of a code, but where codes are counts, with few events at
// the nearest. Such a count is as likely as the rarest, halved at each step.
func (c *Column) unseen(x float64) (k int, logP float64) {
	const (
		fewest = 5   // codes that can be counts
		rare   = 0.1 // of the events with the commonest
	)
	n := len(c.Codes)
	first, last := c.Codes[0], c.Codes[n-1]
	if n < fewest || last-first >= float64(2*n) || x != math.Trunc(x) || slices.ContainsFunc(c.Codes, func(v float64) bool { return v != math.Trunc(v) }) {
		return 0, math.Inf(-1)
	}
	most, least := 0.0, 1.0
	for i, v := range c.Codes {
		_, p := c.Share(i)
		most, least = max(most, p), min(least, p)
		if math.Abs(v-x) < math.Abs(c.Codes[k]-x) {
			k = i
		}
	}
	if _, p := c.Share(k); p > rare*most {
		return k, math.Inf(-1)
	}
	return k, math.Log(least) - math.Ln2*math.Abs(x-c.Codes[k])
}

func (codes) IsUniform() bool      { return true }
func (codes) isNoisy(*Column) bool { return true }

func (codes) isSound(c *Column) bool {
	return len(c.Codes) > 0 && len(c.Codes) == len(c.Cumulative) && Ascend(c.Codes) && slices.IsSorted(c.Cumulative) &&
		c.Cumulative[0] > 0 && c.Cumulative[len(c.Cumulative)-1] == 1
}

func (codes) describe(c *Column) string { return fmt.Sprintf("%d codes, dequantised", len(c.Codes)) }

func (codes) isCode(*Column) bool { return true }

func (codes) nearest(c *Column, v float64) float64 {
	i, _ := slices.BinarySearch(c.Codes, v)
	if i == len(c.Codes) || i > 0 && v-c.Codes[i-1] < c.Codes[i]-v {
		i--
	}
	return c.Codes[i]
}

func (codes) had(c *Column) string {
	if len(c.Codes) > mostIndicators {
		return common{}.had(c)
	}
	return strings.Trim(fmt.Sprint(c.Codes), "[]")
}

// width is that of one feature for each code, which is 0 or 1, if there are few codes.
func (codes) width(c *Column) int {
	if len(c.Codes) > mostIndicators {
		return 1
	}
	return len(c.Codes)
}

func (k codes) indicate(c *Column, v float64, z []float32) bool {
	if k.width(c) == 1 {
		return false
	}
	z[c.Code(v)] = 1
	return true
}
