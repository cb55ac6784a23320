package rootio

import (
	"encoding/binary"
	"math"
)

// objectWriter writes the object of a record, as objectReader reads it.
type objectWriter struct {
	b       []byte
	offset  int            // of the object in the record
	classes map[string]int // the places where the names of classes stand
	known   map[any]int    // the places of objects that pointers point to
}

func newObjectWriter(offset int) *objectWriter {
	return &objectWriter{offset: offset, classes: make(map[string]int), known: make(map[any]int)}
}

func (w *objectWriter) u8(x uint8)    { w.b = append(w.b, x) }
func (w *objectWriter) i16(x int)     { w.b = binary.BigEndian.AppendUint16(w.b, uint16(x)) }
func (w *objectWriter) i32(x int)     { w.b = binary.BigEndian.AppendUint32(w.b, uint32(x)) }
func (w *objectWriter) i64(x int64)   { w.b = binary.BigEndian.AppendUint64(w.b, uint64(x)) }
func (w *objectWriter) f64(x float64) { w.i64(int64(math.Float64bits(x))) }

func (w *objectWriter) flag(x bool) {
	if x {
		w.u8(1)
	} else {
		w.u8(0)
	}
}

// str writes a TString.
func (w *objectWriter) str(s string) {
	if len(s) < 255 {
		w.u8(uint8(len(s)))
	} else {
		w.u8(255)
		w.i32(len(s))
	}
	w.b = append(w.b, s...)
}

// object writes an object in a version of its class, with its size before it.
func (w *objectWriter) object(version int, fields func()) {
	at := len(w.b)
	w.i32(0)
	w.i16(version)
	fields()
	w.size(at)
}

// size sets the number of bytes of what starts where the number stands.
func (w *objectWriter) size(at int) {
	binary.BigEndian.PutUint32(w.b[at:], uint32(len(w.b)-at-4)|byteCount)
}

// pointer writes a pointer to an object: where it stands, or itself with its class. The
// object is known by id, which may be nil: there is no other pointer to it.
func (w *objectWriter) pointer(class string, id any, object func()) {
	if id != nil {
		if place, ok := w.known[id]; ok {
			w.i32(place)
			return
		}
	}
	at := len(w.b)
	w.i32(0)
	tag := len(w.b) + w.offset + mapOffset
	if place, ok := w.classes[class]; ok {
		w.i32(place | classTag)
	} else {
		w.i32(newClass)
		w.b = append(append(w.b, class...), 0)
		w.classes[class] = tag
	}
	if id != nil {
		w.known[id] = at + w.offset + mapOffset
	}
	object()
	w.size(at)
}

func (w *objectWriter) null() { w.i32(0) }

// tobject writes a TObject.
func (w *objectWriter) tobject() {
	const notDeleted, onHeap = 1 << 25, 1 << 24
	w.i16(1)
	w.i32(0)
	w.i32(notDeleted | onHeap)
}

func (w *objectWriter) named(name, title string) {
	w.object(1, func() {
		w.tobject()
		w.str(name)
		w.str(title)
	})
}

// array writes a TObjArray of n pointers.
func (w *objectWriter) array(n int, pointer func(i int)) {
	w.object(3, func() {
		w.tobject()
		w.str("")
		w.i32(n)
		w.i32(0)
		for i := range n {
			pointer(i)
		}
	})
}

// list writes a TList of n pointers.
func (w *objectWriter) list(n int, pointer func(i int)) {
	w.object(5, func() {
		w.tobject()
		w.str("")
		w.i32(n)
		for i := range n {
			pointer(i)
			w.str("") // option
		}
	})
}

// The attributes of a new tree's lines, areas and markers.
func (w *objectWriter) lineAttributes() { w.object(2, func() { w.i16(602); w.i16(1); w.i16(1) }) }
func (w *objectWriter) fillAttributes() { w.object(2, func() { w.i16(0); w.i16(1001) }) }
func (w *objectWriter) markerAttributes() {
	w.object(3, func() { w.i16(1); w.i16(1); w.i32(int(math.Float32bits(1))) })
}
