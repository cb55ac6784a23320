package features

import (
	"context"
	"fmt"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features/find"
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
		c.Columns = append(c.Columns, Options{}.treat(find.Variable{Data: column.DataOf(col.Field, x, w)}))
	}
	return c, nil
}

// Dim returns the number of features; that of no context is 0.
func (x *Context) Dim() int {
	n := 0
	for i := range x.Columns {
		n += x.Columns[i].ConditionDim()
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
			values[k] = x.Columns[i].Value()
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
		for range c.ConditionDim() {
			if c.As != column.Codes || c.ConditionDim() == 1 {
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
		width := c.ConditionDim()
		for k, v := range values {
			if c.IsUnknown(v) {
				return fmt.Errorf("features: branch %q is %v in entry %d, which it never was in the training events", c.Name, v, first+uint64(k))
			}
			at := z[k*dim+feature : k*dim+feature+width]
			if width > 0 && !c.Indicate(v, at) {
				f, _ := c.encode(c.Nearest(v), 0.5)
				at[0] = float32(min(max(f, -farthest), farthest))
			}
		}
		feature += width
	}
	return nil
}
