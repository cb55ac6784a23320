package analysis

import (
	"fmt"
	"reflect"
	"slices"

	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/rootio"
)

// access is how the values of one kind of column go through ports: as a T, one
// number, or as a []T, one number for each of several rows.
type access struct {
	kind          rootio.Kind
	scalar, slice reflect.Type
	// column returns the column that a T or a []T makes, and false for anything else.
	column func(name string, value any) (rootio.Column, bool)
	// at returns the value in a row, as a T.
	at func(c rootio.Column, row int) any
}

func accessTo[T rootio.Value]() access {
	return access{
		kind:   rootio.ColumnOf[T]("", nil).Kind,
		scalar: reflect.TypeFor[T](),
		slice:  reflect.TypeFor[[]T](),
		column: func(name string, value any) (rootio.Column, bool) {
			switch v := value.(type) {
			case T:
				return rootio.ColumnOf(name, []T{v}), true
			case []T:
				return rootio.ColumnOf(name, v), true
			}
			return rootio.Column{}, false
		},
		at: func(c rootio.Column, row int) any { return c.Values().([]T)[row] },
	}
}

// accesses has one access for each kind of column.
func accesses() []access {
	return []access{
		accessTo[bool](), accessTo[int8](), accessTo[int16](), accessTo[int32](), accessTo[int64](),
		accessTo[uint8](), accessTo[uint16](), accessTo[uint32](), accessTo[uint64](), accessTo[float32](), accessTo[float64](),
	}
}

// portType returns the type of the port that carries a column of the kind, one
// value or a slice of them.
func portType(k rootio.Kind, slice bool) reflect.Type {
	if slice {
		return reflect.SliceOf(k.Type())
	}
	return k.Type()
}

// layout is a set of ports as the columns of a table. Ports that carry slices have
// a row per element; a port with one number beside them has it in every row.
type layout struct {
	ports  []fwk.Port
	fields []rootio.Field
	access []access
	sliced bool // whether any port carries a slice
}

func newLayout(ports []fwk.Port) (*layout, error) {
	l := &layout{ports: ports}
	all := accesses()
	for _, p := range ports {
		i := slices.IndexFunc(all, func(a access) bool { return p.Type == a.scalar || p.Type == a.slice })
		switch {
		case p.Type == nil:
			return nil, fmt.Errorf("the type of port %q is not known: say it (%s: float64)", p.Name, p.Name)
		case i < 0:
			return nil, fmt.Errorf("port %q carries a %v: only numbers and slices of numbers are columns", p.Name, p.Type)
		}
		l.access = append(l.access, all[i])
		l.fields = append(l.fields, rootio.Field{Name: p.Name, Kind: all[i].kind})
		l.sliced = l.sliced || p.Type == all[i].slice
	}
	return l, nil
}

// isSliced reports whether port i carries a slice.
func (l *layout) isSliced(i int) bool { return l.ports[i].Type == l.access[i].slice }

// slices returns the names of the ports that carry slices.
func (l *layout) slices() (names []string) {
	for i, p := range l.ports {
		if l.isSliced(i) {
			names = append(names, p.Name)
		}
	}
	return names
}

// holds reports whether a table has columns of the types of the ports.
func (l *layout) holds(t *rootio.Table) bool {
	return slices.EqualFunc(l.fields, t.Columns, func(f rootio.Field, c rootio.Column) bool { return f.Kind == c.Kind })
}

// values returns the values of the ports in an event.
func (l *layout) values(store fwk.Store) ([]any, error) {
	values := make([]any, len(l.ports))
	for i, p := range l.ports {
		v, err := store.Get(p.Name)
		if err != nil {
			return nil, err
		}
		values[i] = v
	}
	return values, nil
}

// wrongType is the error for a value that port i should not hold.
func (l *layout) wrongType(i int, value any) error {
	return fmt.Errorf("port %q holds a %T, not a %v", l.ports[i].Name, value, l.ports[i].Type)
}

// get returns the values of the ports in an event as rows: one, or one for each element
// of the slices, with the same number in all rows where a port carries one. The memory is
// that of the event.
func (l *layout) get(store fwk.Store) (*rootio.Table, error) {
	values, err := l.values(store)
	if err != nil {
		return nil, err
	}
	t := &rootio.Table{Columns: make([]rootio.Column, len(l.ports))}
	rows, first := 1, -1 // the first port with a slice says how many rows there are
	for i, p := range l.ports {
		c, ok := l.access[i].column(p.Name, values[i])
		if !ok {
			return nil, l.wrongType(i, values[i])
		}
		t.Columns[i] = c
		switch {
		case !l.isSliced(i):
		case first < 0:
			rows, first = c.Len(), i
		case c.Len() != rows:
			return nil, fmt.Errorf("port %q has %d values, port %q has %d", p.Name, c.Len(), l.ports[first].Name, rows)
		}
	}
	if l.sliced {
		for i, c := range t.Columns {
			if !l.isSliced(i) {
				t.Columns[i] = c.Take(make([]int, rows))
			}
		}
	}
	return t, nil
}

// put puts the columns of the table, which are those of the layout, into an event.
func (l *layout) put(store fwk.Store, t *rootio.Table) error {
	for i, p := range l.ports {
		v := t.Columns[i].Values()
		if !l.isSliced(i) {
			v = l.access[i].at(t.Columns[i], 0)
		}
		if err := store.Put(p.Name, v); err != nil {
			return err
		}
	}
	return nil
}

// empty returns a table without rows.
func (l *layout) empty() *rootio.Table { return rootio.NewTable(l.fields, 0) }

// join appends the rows of a table to another.
func join(to, from *rootio.Table) {
	for i, c := range from.Columns {
		to.Columns[i] = to.Columns[i].Append(c)
	}
}

// portsOf returns the ports that carry the columns: one number, or slices if there are
// several per event.
func portsOf(fields []rootio.Field, several bool) []fwk.Port {
	ports := make([]fwk.Port, len(fields))
	for i, f := range fields {
		ports[i] = fwk.Port{Name: f.Name, Type: portType(f.Kind, several || f.IsJagged())}
	}
	return ports
}

// names returns the names of ports.
func names(ports []fwk.Port) []string {
	names := make([]string, len(ports))
	for i, p := range ports {
		names[i] = p.Name
	}
	return names
}
