package features

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Context is the specification of the columns that a density is conditional on.
// It is like a [Spec], but goes one way only, and without noise: codes, up to 16
// of them, become one feature each that is 0 or 1; angles become their cosine and
// sine, times √2; other values become what they are in a Spec, with 1/2 for the
// uniform deviate. Constant columns make no feature.
type Context struct {
	Columns []Column `json:"columns"`
}

// maxOneHot is the number of codes up to which each has a feature of its own.
const maxOneHot = 16

// farthest is where features of the context end, in standard deviations: what is
// further out is unlike anything that a network was trained on.
const farthest = 8

// FitContext returns the specification of the columns of t, which the density of
// others is to be conditional on. ctx and w are as in [Fit].
func FitContext(ctx context.Context, t *rootio.Table, w []float64) (*Context, error) {
	if err := checkTable(ctx, t, w, false); err != nil {
		return nil, err
	}
	c := &Context{}
	x := make([]float64, t.Len())
	for _, col := range t.Columns {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		col.Floats(x, 0)
		if circle, ok := column.CircleOf(col.Field, x, w); ok {
			c.Columns = append(c.Columns, fitAngle(col.Field, circle, x, w))
		} else {
			c.Columns = append(c.Columns, fitColumn(col.Field, column.NewSample(x, w), "", nil, nil))
		}
	}
	return c, nil
}

// width is the number of features of a column.
func (c *Column) width() int {
	switch {
	case c.As == column.Constant:
		return 0
	case c.As == column.Codes && len(c.Codes) <= maxOneHot:
		return len(c.Codes)
	case c.As == column.Angle:
		return 2
	}
	return 1
}

// Dim returns the number of features; that of no context is 0.
func (x *Context) Dim() int {
	n := 0
	for i := range x.Columns {
		n += x.Columns[i].width()
	}
	return n
}

// IsConstant reports whether all columns are constant, as those of no context are: then
// nothing need be given.
func (x *Context) IsConstant() bool { return x.Dim() == 0 }

// Constants returns n rows of the columns of a context that [Context.IsConstant].
func (x *Context) Constants(n int) *rootio.Table {
	t := rootio.NewTable(x.Fields(), n)
	values := make([]float64, n)
	for i := range x.Columns {
		for k := range values {
			values[k] = x.Columns[i].constant()
		}
		t.Columns[i].SetFloats(0, values)
	}
	return t
}

// Steep returns the features that others may depend on steeply: all but those that are
// 0 or 1.
func (x *Context) Steep() []int {
	var steep []int
	at := 0
	for i := range x.Columns {
		c := &x.Columns[i]
		for range c.width() {
			if c.As != column.Codes || c.width() == 1 {
				steep = append(steep, at)
			}
			at++
		}
	}
	return steep
}

// Names returns the names of the columns.
func (x *Context) Names() []string { return rootio.Names(x.Fields()) }

// Fields returns the fields of the columns.
func (x *Context) Fields() []rootio.Field {
	fields := make([]rootio.Field, len(x.Columns))
	for i, c := range x.Columns {
		fields[i] = c.Field
	}
	return fields
}

// Encode stores the features of the events of t in z (n×Dim). first is the number
// of the first event, for errors. The columns are found by name and may have any
// type. A number beyond those of the training events is taken for the last of these. A
// missing column, a value that is not finite, and a code that the training events never had
// are errors.
func (x *Context) Encode(z []float32, t *rootio.Table, first uint64) error {
	n, dim := t.Len(), x.Dim()
	if len(z) != n*dim {
		panic(fmt.Sprintf("features: Encode of the context of %d events with %d features into %d values", n, dim, len(z)))
	}
	clear(z)
	values := make([]float64, n)
	feature := 0
	for i := range x.Columns {
		c := &x.Columns[i]
		col, ok := t.Column(c.Name)
		if !ok {
			return fmt.Errorf("features: branch %q, of the condition, is missing", c.Name)
		}
		col.Floats(values, 0)
		if k := notFinite(values, false); k >= 0 {
			return fmt.Errorf("features: branch %q is %v in entry %d", c.Name, values[k], first+uint64(k))
		}
		width := c.width()
		for k, v := range values {
			if c.As == column.Codes {
				code, known := slices.BinarySearch(c.Codes, v)
				if !known {
					return fmt.Errorf("features: branch %q is %v in entry %d, which it never was in the training events", c.Name, v, first+uint64(k))
				}
				if width > 1 {
					z[k*dim+feature+code] = 1
					continue
				}
			}
			if c.As == column.Angle {
				sin, cos := math.Sincos(v * 2 * math.Pi / c.Circle.Period)
				z[k*dim+feature], z[k*dim+feature+1] = float32(math.Sqrt2*cos), float32(math.Sqrt2*sin)
				continue
			}
			if width == 1 {
				f, _ := c.encode(c.nearest(v), 0.5)
				z[k*dim+feature] = float32(min(max(f, -farthest), farthest))
			}
		}
		feature += width
	}
	return nil
}
