package rootio

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Objects lie in a record as ROOT's TBuffer puts them: most start with the number of
// their bytes and the version of their class; a pointer is an object with the name of its
// class, or the place where either stood before. A file may say anything here, so each
// number is held against the bytes that there are, and nesting has an end.

// objectReader reads the object of a record.
type objectReader struct {
	bytesReader
	offset int           // of the object in the record: places count from there
	known  map[int64]any // the objects that pointers may mean, by their place
	depth  int
}

// objectError is what a panic of the objectReader carries.
type objectError struct{ err error }

const (
	deepest      = 64      // objects within objects, directories within directories
	byteCount    = 1 << 30 // marks a number of bytes
	classTag     = 1 << 31 // marks a place where the name of a class stands
	newClass     = 1<<32 - 1
	mapOffset    = 2 // what ROOT adds to places
	isReferenced = 1 << 4
)

// readObject calls decode for the object of a record, whose key has so many bytes.
func readObject(object []byte, keySize int64, decode func(r *objectReader)) (err error) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case objectError:
			err = asDamage(e.err)
		default:
			panic(e)
		}
	}()
	decode(&objectReader{bytesReader: bytesReader{b: object}, offset: int(keySize), known: make(map[int64]any)})
	return nil
}

func (r *objectReader) fail(format string, args ...any) {
	panic(objectError{fmt.Errorf("is damaged: its description "+format+", copy or write it again", args...)})
}

// check ends the reading if it went beyond the end.
func (r *objectReader) check() {
	if r.failed {
		r.fail("ends early")
	}
}

// count reads a number of things of at least so many bytes each.
func (r *objectReader) count(size int) int {
	n := r.i32()
	r.check()
	if n < 0 || n*int64(size) > int64(len(r.b)-r.pos) {
		r.fail("counts %d things in %d bytes", n, len(r.b)-r.pos)
	}
	return int(n)
}

// object reads the head of an object of a class, calls decode with the version of the
// class, and goes to the object's end.
func (r *objectReader) object(class string, decode func(version int)) {
	if r.depth++; r.depth > deepest {
		r.fail("nests objects deeper than %d", deepest)
	}
	n := r.u32()
	if n&byteCount == 0 {
		r.fail("has a %s without a size", class)
	}
	end := r.pos + int(n&^byteCount)
	if end > len(r.b) {
		r.fail("has a %s of %d bytes in %d", class, n&^byteCount, len(r.b)-r.pos)
	}
	whole := r.b
	r.b = whole[:end]
	decode(int(r.i16()))
	r.check()
	r.b, r.pos = whole, end
	r.depth--
}

// derived reads the part of an object that is of its base class; the object may be of that class
// itself.
func (r *objectReader) derived(class, base string, decode func(version int)) {
	if class == base {
		r.object(base, decode)
	} else {
		r.object(class, func(int) { r.object(base, decode) })
	}
}

// ignore skips an object, such as the colours of a line.
func (r *objectReader) ignore(class string) { r.object(class, func(int) {}) }

// tobject reads a TObject, which has no size.
func (r *objectReader) tobject() {
	if r.i16()&(byteCount>>16) != 0 { // but in some files it has
		r.skip(4)
	}
	r.skip(4)
	if r.u32()&isReferenced != 0 {
		r.skip(2)
	}
}

// named reads a TNamed.
func (r *objectReader) named() (name, title string) {
	r.object("TNamed", func(int) {
		r.tobject()
		name, title = r.label(), r.label()
	})
	return name, title
}

// pointer reads what a pointer points to: nil, what was read before, or what decode
// returns for an object of a class, the size of which stands before its version. Objects
// for which decode returns nil are skipped.
func (r *objectReader) pointer(decode func(class string) any) any {
	start := r.pos
	tag := r.u32()
	end := -1
	if tag&byteCount != 0 && tag != newClass {
		end = r.pos + int(tag&^byteCount)
		if end > len(r.b) {
			r.fail("has an object of %d bytes in %d", tag&^byteCount, len(r.b)-r.pos)
		}
		tag = r.u32()
	}
	r.check()
	if tag&classTag == 0 {
		object := r.known[int64(tag)]
		if end >= 0 {
			r.pos = end
		}
		return object
	}
	if end < 0 {
		r.fail("has an object without a size")
	}
	class := ""
	if tag == newClass {
		class = r.cstring(r.pos)
		r.skip(len(class) + 1)
	} else {
		at := int(tag&^classTag) - mapOffset - r.offset
		if at < 0 || at+4 > len(r.b) || binary.BigEndian.Uint32(r.b[at:]) != newClass {
			r.fail("names no class at byte %d", at)
		}
		class = r.cstring(at + 4)
	}
	whole := r.b
	r.b = whole[:end]
	object := r.hold(start, class, decode)
	r.b, r.pos = whole, end
	return object
}

// hold decodes an object that starts where start is, so that pointers find it.
func (r *objectReader) hold(start int, class string, decode func(class string) any) any {
	if r.depth++; r.depth > deepest {
		r.fail("nests objects deeper than %d", deepest)
	}
	defer func() { r.depth-- }()
	place := int64(start + mapOffset + r.offset)
	if _, ok := r.known[place]; !ok {
		r.known[place] = nil
	}
	object := decode(class)
	r.check()
	r.known[place] = object
	return object
}

func (r *objectReader) cstring(at int) string {
	n := bytes.IndexByte(r.b[min(at, len(r.b)):], 0)
	if n < 0 || n > 1<<10 {
		r.fail("has no name of a class at byte %d", at)
	}
	return string(r.b[at : at+n])
}

// array reads the pointers of a TObjArray.
func (r *objectReader) array(decode func(class string) any) (objects []any) {
	r.object("TObjArray", func(version int) {
		if version > 2 {
			r.tobject()
		}
		if version > 1 {
			r.str()
		}
		n := r.count(4)
		r.skip(4) // number of the first
		for range n {
			objects = append(objects, r.pointer(decode))
			r.check()
		}
	})
	return objects
}

// list reads the pointers of a TList.
func (r *objectReader) list(decode func(class string) any) (objects []any) {
	r.object("TList", func(version int) {
		if version > 3 {
			r.tobject()
			r.str()
		}
		for range r.count(4) {
			objects = append(objects, r.pointer(decode))
			if version > 3 { // how to draw it
				n := int(r.byte())
				if version > 4 && n == 255 {
					n = r.count(1)
				}
				r.skip(n)
			}
			r.check()
		}
	})
	return objects
}
