package rootio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// An object that is not split into branches lies in an entry as ROOT's streamers put it:
// member after member, many with a header that says how many bytes follow. A shape is how
// one thing lies there; shapes are made of shapes, by the classes that the file describes.

// shape is how a thing is stored.
type shape interface {
	// walk goes over n such things, one after the other. Where the members of a list of
	// objects are stored one member after the other, a header comes once for all n.
	walk(w *walker, n int)
}

// walker goes over the bytes of an entry and picks the values of one shape.
type walker struct {
	b    []byte
	pos  int
	err  error
	want shape  // a *numberShape, or a shape whose lengths are asked for
	out  []byte // the values of it, as they are stored

	counts map[*numberShape][]int // of members that count others, in the object that is read
	depth  int
	steps  int    // objects and lists that may still come: some take no byte
	class  string // of a TClonesArray of which no class was known
}

var (
	errStreamed  = errors.New("its bytes are not what its class says")
	errWhichKind = errors.New("the class of its objects is not known")
)

// entry goes over an entry. It must have so many bytes, unless the shape leaves some over.
func (w *walker) entry(s shape, b []byte, exact bool) error {
	w.start(b)
	s.walk(w, 1)
	if w.err == nil && exact && w.pos != len(b) {
		w.err = errStreamed
	}
	return w.err
}

func (w *walker) start(b []byte) {
	w.b, w.pos, w.err, w.out, w.depth, w.steps = b, 0, nil, w.out[:0], 0, len(b)+1<<12
	clear(w.counts)
}

// fail ends the walk: what is left is not looked at.
func (w *walker) fail(err error) {
	if w.err == nil {
		w.err = err
	}
	w.pos = len(w.b)
}

func (w *walker) next(n int) []byte {
	if n < 0 || n > len(w.b)-w.pos {
		w.fail(errStreamed)
		return nil
	}
	w.pos += n
	return w.b[w.pos-n : w.pos]
}

func (w *walker) u32() uint32 {
	if b := w.next(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (w *walker) u16() uint16 {
	if b := w.next(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (w *walker) byte() byte {
	if b := w.next(1); b != nil {
		return b[0]
	}
	return 0
}

// count reads a number of things.
func (w *walker) count() int {
	n := int(int32(w.u32()))
	if n < 0 || n > len(w.b)-w.pos { // each takes a byte at least
		w.fail(errStreamed)
		return 0
	}
	return n
}

// length notes the length of a list, if it is asked for.
func (w *walker) length(s shape, n int) {
	if w.want == s && w.err == nil {
		w.out = binary.BigEndian.AppendUint32(w.out, uint32(n))
	}
}

// header reads the number of bytes of a thing and the version of its class. Without such a number
// the thing's end is not known: it is −1.
func (w *walker) header() (version int16, end int) {
	n := w.u32()
	if n&byteCount == 0 || n&classTag != 0 {
		w.fail(errStreamed)
		return 0, w.pos
	}
	size := int(n &^ byteCount)
	if size > len(w.b)-w.pos || size < 2 {
		w.fail(errStreamed)
		return 0, w.pos
	}
	end = w.pos + size
	return int16(w.u16()), end
}

// to goes to the end of a thing.
func (w *walker) to(end int) {
	if w.err != nil {
		return
	}
	if w.pos > end {
		w.fail(errStreamed)
		return
	}
	w.pos = end
}

func (w *walker) text() {
	n := int(w.byte())
	if n == 255 {
		n = int(int32(w.u32()))
	}
	w.next(n)
}

// down is called on the way into n objects, and reports whether to go on.
func (w *walker) down(n int) bool {
	w.depth++
	if w.steps -= n; w.depth > deepest || w.steps < 0 {
		w.fail(errStreamed)
	}
	return w.err == nil
}

// numberShape is a number, or a fixed array of numbers.
type numberShape struct {
	kind   Kind
	stored stored
	dims   []int
	elems  int
	counts bool // the values of another member
}

func (s *numberShape) walk(w *walker, n int) {
	size := s.elems * s.stored.size
	if n > (len(w.b)-w.pos)/size {
		w.fail(errStreamed)
		return
	}
	b := w.next(n * size)
	if w.want == s {
		w.out = append(w.out, b...)
	}
	if !s.counts || b == nil {
		return
	}
	if w.counts == nil {
		w.counts = make(map[*numberShape][]int)
	}
	column := NewColumn(Field{Kind: s.kind}, n)
	s.stored.decode(column.Values(), b, s.stored.size)
	values := w.counts[s][:0]
	for _, x := range column.Float64s() {
		values = append(values, int(max(-1, min(x, math.MaxInt32))))
	}
	w.counts[s] = values
}

// countedShape is an array whose length another member says.
type countedShape struct {
	of *numberShape // one of them
	by *numberShape // which says it

	leaf bool // of a branch, without a byte that says whether it is there
}

func (s *countedShape) walk(w *walker, n int) {
	counts := w.counts[s.by]
	for i := range n {
		length := 0
		if s.leaf || w.byte() != 0 {
			if i >= len(counts) || counts[i] < 0 {
				w.fail(errStreamed)
				return
			}
			length = counts[i]
		}
		w.length(s, length)
		s.of.walk(w, length)
		if w.err != nil {
			return
		}
	}
}

// textShape is a string.
type textShape struct {
	header bool // a std::string that is a member
	long   bool // a char*
}

func (s textShape) walk(w *walker, n int) {
	end := -1
	if s.header {
		_, end = w.header()
	}
	for range n {
		if w.err != nil {
			return
		}
		if s.long {
			w.next(int(int32(w.u32())))
		} else {
			w.text()
		}
	}
	if end >= 0 {
		w.to(end)
	}
}

// skippedShape is something of a fixed number of bytes that is no number.
type skippedShape int

func (s skippedShape) walk(w *walker, n int) {
	for range n {
		if w.next(int(s)); w.err != nil {
			return
		}
	}
}

// opaqueShape is something whose class is not known; it says how many bytes it has.
type opaqueShape struct{ once bool } // a header for all

func (s opaqueShape) walk(w *walker, n int) {
	if s.once {
		n = min(n, 1)
	}
	for range n {
		_, end := w.header()
		if w.to(end); w.err != nil {
			return
		}
	}
}

// bitsShape are those of a TObject.
type bitsShape struct{ of *numberShape }

func (s bitsShape) walk(w *walker, n int) {
	for range n {
		at := w.pos
		if s.of.walk(w, 1); w.err != nil {
			return
		}
		if binary.BigEndian.Uint32(w.b[at:])&isReferenced != 0 {
			w.next(2)
		}
	}
}

// rootObjectShape is a TObject: its number and its bits.
type rootObjectShape struct{ id, bits shape }

func (s rootObjectShape) walk(w *walker, n int) {
	for range n {
		if w.u16()&(byteCount>>16) != 0 {
			w.next(4)
		}
		s.id.walk(w, 1)
		if s.bits.walk(w, 1); w.err != nil {
			return
		}
	}
}

// pointerShape points to an object that may stand elsewhere. What it points to is not looked at.
type pointerShape struct{}

func (pointerShape) walk(w *walker, n int) {
	for range n {
		tag := w.u32()
		switch {
		case tag == newClass:
			w.fail(errStreamed)
		case tag&byteCount != 0:
			w.next(int(tag &^ byteCount))
		}
		if w.err != nil {
			return
		}
	}
}

// repeatedShape is a fixed array of objects.
type repeatedShape struct {
	of    shape
	times int
}

func (s repeatedShape) walk(w *walker, n int) {
	for range n {
		if s.of.walk(w, s.times); w.err != nil {
			return
		}
	}
}

// objectShape is an object of a class.
type objectShape struct {
	class    string
	version  int64
	checksum uint32
	header   bool
	members  []shape
	isBase   bool // of the object that it stands in
	partly   bool // what follows the members is not known
}

func (s *objectShape) walk(w *walker, n int) {
	defer func() { w.depth-- }()
	if !w.down(n) {
		return
	}
	for range n {
		end := -1
		if s.header {
			var version int16
			version, end = w.header()
			s.check(w, version, end-w.pos >= 4)
		}
		for _, m := range s.members {
			if m.walk(w, 1); w.err != nil {
				return
			}
		}
		if end >= 0 && w.err == nil {
			if !s.partly && w.pos != end {
				w.fail(errStreamed)
			}
			w.to(end)
		}
		if w.err != nil {
			return
		}
	}
}

// check compares a version with that of the class.
func (s *objectShape) check(w *walker, version int16, sum bool) {
	switch {
	case w.err != nil:
	case s.version == 0 && s.checksum == 0: // it is not known
		if version <= 0 && sum {
			w.u32()
		}
	case version <= 0 && sum:
		if w.u32() != s.checksum {
			w.fail(fmt.Errorf("it has another version of %s", s.class))
		}
	case version > 0 && int64(version) != s.version:
		w.fail(fmt.Errorf("it has version %d of %s, not %d", version, s.class, s.version))
	}
}

// walkMembers goes over the members of n objects, one member after the other. Those of base
// classes are among them.
func (s *objectShape) walkMembers(w *walker, n int) {
	if s.partly {
		w.fail(errStreamed)
	}
	if n == 0 {
		return // not even a header
	}
	for _, m := range s.members {
		if o, ok := m.(*objectShape); ok && o.isBase {
			o.walkMembers(w, n)
		} else {
			m.walk(w, n)
		}
		if w.err != nil {
			return
		}
	}
}

// listShape is a collection of the standard library.
type listShape struct {
	of     shape
	class  *objectShape // of the objects in it, if they are
	header bool
}

func (s *listShape) walk(w *walker, n int) {
	defer func() { w.depth-- }()
	if !w.down(n) {
		return
	}
	const memberWise = 1 << 14
	end, byMember := -1, false
	if s.header {
		var version int16
		version, end = w.header()
		if byMember = version&memberWise != 0; byMember {
			if s.class == nil {
				w.fail(errStreamed)
				return
			}
			s.class.check(w, int16(w.u16()), true)
		}
	}
	for range n {
		count := w.count()
		w.length(s, count)
		if byMember {
			s.class.walkMembers(w, count)
		} else {
			s.of.walk(w, count)
		}
		if w.err != nil {
			return
		}
	}
	if end >= 0 {
		if w.pos != end {
			w.fail(errStreamed)
		}
		w.to(end)
	}
}

// clonesShape is a TClonesArray.
type clonesShape struct{ of *objectShape } // nil: it is not known

func (s *clonesShape) walk(w *walker, n int) {
	const bypass = 1 << 12
	for range n {
		version, end := w.header()
		w.next(6)
		bits := w.u32()
		if bits&isReferenced != 0 {
			w.next(2)
		}
		if version > 2 {
			w.text()
		}
		at := w.pos
		w.text()
		if w.err != nil {
			return
		}
		if s.of == nil {
			w.class = string(w.b[min(at+1, w.pos):w.pos])
			w.fail(errWhichKind)
			return
		}
		count := w.count()
		w.u32()
		w.length(s, count)
		if bits&bypass != 0 {
			s.of.walkMembers(w, count)
		} else {
			for range count {
				if w.byte() != 0 {
					s.of.walk(w, 1)
				}
			}
		}
		if w.err == nil && w.pos != end {
			w.fail(errStreamed)
		}
		if w.err != nil {
			return
		}
	}
}

// membersShape are the members of the objects of a split collection, up to the end of the entry.
type membersShape struct{ of shape }

func (s *membersShape) walk(w *walker, _ int) {
	if w.pos == len(w.b) {
		w.length(s, 0)
		return
	}
	of, n := s.of, 0
	switch l := of.(type) {
	case *listShape:
		if l.header {
			if version, _ := w.header(); version < 0 || version&(1<<14) != 0 {
				w.fail(errStreamed)
				return
			}
			of = &listShape{of: l.of, class: l.class}
			if w.want == s.of {
				w.want = of
				defer func() { w.want = s.of }()
			}
		}
	}
	for w.err == nil && w.pos < len(w.b) {
		at := w.pos
		if of.walk(w, 1); w.pos == at {
			w.fail(errStreamed)
		}
		n++
	}
	w.length(s, n)
}

// namedShape is an object of a TBranchObject, before which the name of its class may stand.
type namedShape struct{ of shape }

func (s namedShape) walk(w *walker, _ int) {
	w.next(int(w.byte()) + 1)
	s.of.walk(w, 1)
}
