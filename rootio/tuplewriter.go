package rootio

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/eidolon-hep/eidolon/rootio/rntuple"
)

// Format is how the events of a tree are stored.
type Format uint8

// The formats of ROOT: the one that every version reads, and the one that follows it, which
// ROOT 6.34 and later versions read.
const (
	TTree Format = iota
	RNTuple
)

var formatNames = [...]string{TTree: "ttree", RNTuple: "rntuple"}

// String returns the name of the format, as [ParseFormat] takes it.
func (f Format) String() string {
	if int(f) < len(formatNames) {
		return formatNames[f]
	}
	return fmt.Sprintf("Format(%d)", uint8(f))
}

// ParseFormat returns the format of a name: ttree or rntuple.
func ParseFormat(name string) (Format, error) {
	i := slices.Index(formatNames[:], strings.ToLower(name))
	if i < 0 {
		return 0, fmt.Errorf("rootio: no format is called %q; there are %s", name, strings.Join(formatNames[:], ", "))
	}
	return Format(i), nil
}

// CheckFields is the function of that name for a tree of the format.
func (f Format) CheckFields(fields []Field) error {
	if err := CheckFields(fields); err != nil || f == TTree {
		return err
	}
	for _, field := range fields {
		if err := rntuple.CheckName(field.Name); err != nil {
			return err
		}
	}
	return nil
}

// WithFormat sets the format. The default is [TTree]. In an RNTuple, the column "a.b" is the
// member b of a record a, and every jagged column is a std::vector.
func WithFormat(f Format) Option { return func(o *options) { o.format = f } }

// tupleWriter writes the events of a tree as an RNTuple.
type tupleWriter struct {
	tuple  *rntuple.Writer
	fields []tupleField
	values []rntuple.Values
	anchor []byte // when all is written
}

// tupleField is a field and the columns of tables that its values are in.
type tupleField struct {
	rntuple.NewField
	scalars []int // those of one number, or the elements of a fixed array
	jagged  []int // or those of lists: the numbers, then the lengths of the innermost lists, …
	buf     values
}

func newTupleWriter(file *newFile, name, title string, fields []Field, o options) (*tupleWriter, error) {
	w := &tupleWriter{}
	scalars, jagged := 0, 0
	var news []rntuple.NewField
	for i := 0; i < len(fields); {
		f := fields[i]
		t := tupleField{NewField: rntuple.NewField{Name: f.Name, Description: f.Title, Kind: rntuple.Kind(f.Kind)}}
		n := 1
		if f.IsJagged() {
			n = nestedAt(fields[i:])
			for range n {
				t.jagged = append(t.jagged, jagged)
				jagged++
			}
			t.Lists = n
		} else {
			if t.Array = arrayAt(fields[i:]); t.Array != nil {
				t.Name = arrayName(f.Array, len(t.Array))
				for _, d := range t.Array {
					n *= d
				}
			}
			for range n {
				t.scalars = append(t.scalars, scalars)
				scalars++
			}
		}
		w.fields, news = append(w.fields, t), append(news, t.NewField)
		i += n
	}
	options := rntuple.WriterOptions{Description: title, Program: "eidolon", PageSize: o.basketSize}
	if o.compression != NoCompression {
		pool := sync.Pool{New: func() any { return &deflater{compression: o.compression} }}
		options.Compression = int(o.compression.setting())
		options.Deflate = func(src []byte) ([]byte, error) {
			d := pool.Get().(*deflater)
			defer pool.Put(d)
			return d.object(src)
		}
	}
	w.values = make([]rntuple.Values, len(w.fields))
	var err error
	w.tuple, err = rntuple.NewWriter(file.putBlob, name, news, options)
	return w, err
}

// putBlob appends a record that is found by where its data are.
func (f *newFile) putBlob(blob []byte) (pos int64, err error) {
	k, err := f.putRecord(nil, key{class: "RBlob"}, blob, int64(len(blob)))
	return k.seek + k.keySize, err
}

// fill appends the events of a table.
func (w *tupleWriter) fill(t *Table) error {
	n := t.Len()
	for i := range w.fields {
		f := &w.fields[i]
		v := &w.values[i]
		switch {
		case f.jagged != nil:
			*v = lists(t, f.jagged)
		case f.Array == nil:
			v.Numbers = t.Columns[f.scalars[0]].Values()
		default:
			elems := len(f.scalars)
			if f.buf == nil {
				f.buf = kinds[t.Columns[f.scalars[0]].Kind].make(0)
			}
			f.buf = f.buf.slice(0, 0).grow(n * elems)
			places := make([]int, n)
			for e, c := range f.scalars {
				for k := range places {
					places[k] = k*elems + e
				}
				f.buf.put(places, t.Columns[c].values)
			}
			v.Numbers = f.buf.any()
		}
	}
	return w.tuple.Write(n, w.values)
}

// lists returns the values of jagged columns: the numbers, then the lengths of the innermost
// lists, and so on.
func lists(t *Table, jagged []int) (v rntuple.Values) {
	numbers := &t.Jagged[jagged[0]]
	v.Numbers = numbers.Slice(numbers.Offsets[0], numbers.Offsets[t.Len()]).Values()
	outer := &t.Jagged[jagged[len(jagged)-1]]
	counts := make([]uint64, t.Len())
	for i := range counts {
		counts[i] = uint64(outer.Offsets[i+1] - outer.Offsets[i])
	}
	v.Lengths = append(v.Lengths, counts)
	for _, k := range slices.Backward(jagged[1:]) {
		j := &t.Jagged[k]
		var lengths []uint64
		for _, x := range j.Slice(j.Offsets[0], j.Offsets[t.Len()]).Float64s() {
			lengths = append(lengths, uint64(x))
		}
		v.Lengths = append(v.Lengths, lengths)
	}
	return v
}

// finish writes what is left.
func (w *tupleWriter) finish() (err error) {
	w.anchor, err = w.tuple.Close()
	return err
}
