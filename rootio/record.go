package rootio

import (
	"errors"
	"fmt"
	"io"
)

// A ROOT file is a chain of records from fBEGIN to fEND. Each starts with a TKey, which says
// how long the record is, where it stands and how long its object is when decompressed. Some
// records describe directories, whose lists of contents repeat the keys.
//
// The layout is that of ROOT's TFile and TKey class references; numbers are big-endian.

// header is what the first bytes of a file say.
type header struct {
	begin, end         int64
	seekFree, seekInfo int64 // the records of the free segments and of the class layouts, 0: none
	sizeFree, sizeInfo int64
	nameSize           int64 // of the first record, up to the description of its directory
}

var errTruncated = errors.New("is truncated")

func truncated(have, want int64) error {
	return asDamage(fmt.Errorf("%w: it has %d of %d bytes, copy or write it again", errTruncated, have, want))
}

// damaged is the error for a record that contradicts itself.
func damaged(pos int64, format string, args ...any) error {
	return asDamage(fmt.Errorf("is damaged: the record at byte %d %w, copy or write it again", pos, fmt.Errorf(format, args...)))
}

func readHeader(f io.ReaderAt, size int64) (h header, err error) {
	const small, big = 45, 57 // up to fNbytesInfo
	b := make([]byte, big)
	n, err := f.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return h, &readError{err}
	}
	if n < big {
		return h, truncated(size, 100)
	}
	r := bytesReader{b: b, pos: 4}
	large := r.i32() >= 1_000_000
	h.begin = r.i32()
	h.end = r.seek(large)
	h.seekFree = r.seek(large)
	h.sizeFree = r.i32()
	r.skip(4) // number of free segments
	h.nameSize = r.i32()
	r.skip(5) // bytes of a position, compression
	h.seekInfo = r.seek(large)
	h.sizeInfo = r.i32()
	switch {
	case h.begin < small || h.end < h.begin:
		return h, fmt.Errorf("is damaged: its header says that data go from byte %d to %d, copy or write it again", h.begin, h.end)
	case h.end > size:
		return h, truncated(size, h.end)
	}
	return h, nil
}

// directory is what a directory says of itself.
type directory struct {
	self int64 // where it says it is
	seek int64 // the record with the list of its keys, 0: none
	size int64 // of that record
}

func (h header) directory(f io.ReaderAt, pos, offset int64) (d directory, err error) {
	b := make([]byte, 42)
	if n, err := f.ReadAt(b, pos+offset); n < 30 && err != nil {
		return d, damaged(pos, "is no directory")
	}
	r := bytesReader{b: b}
	big := r.i16() > 1000
	r.skip(8) // times
	d.size = r.i32()
	r.skip(4) // the offset again
	d.self = r.seek(big)
	r.seek(big) // its parent
	d.seek = r.seek(big)
	return d, nil
}

// contents returns the keys of a directory. The list has no checksum: each is a copy of
// the key that a record starts with.
func (h header) contents(f io.ReaderAt, d directory) (keys []key, err error) {
	list, err := h.follow(f, "contents", d.seek, d.size)
	if err != nil {
		return nil, err
	}
	if list.compressed() {
		return nil, damaged(list.pos, "is no list of contents")
	}
	b := make([]byte, list.objectSize)
	if _, err := f.ReadAt(b, list.pos+list.keySize); err != nil {
		return nil, &readError{err}
	}
	r := bytesReader{b: b}
	for range r.i32() {
		k := r.key()
		if r.failed || k.seek < h.begin || k.seek >= h.end {
			return nil, damaged(list.pos, "is no list of contents")
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// follow returns the record at seek, which must have at least the given size;
// there is none if seek is 0.
func (h header) follow(f io.ReaderAt, what string, seek, size int64) (record, error) {
	if seek == 0 {
		return record{}, nil
	}
	if seek < h.begin || seek >= h.end {
		return record{}, fmt.Errorf("is damaged: its list of %s cannot be at byte %d, copy or write it again", what, seek)
	}
	rec, err := readRecord(f, seek, h.end)
	if err == nil && (rec.deleted || size < rec.keySize || size > rec.size) {
		err = fmt.Errorf("is damaged: its list of %s is not at byte %d, copy or write it again", what, seek)
	}
	return rec, err
}

// key is what a TKey says of its object. Its time and directory are left out.
type key struct {
	size       int64 // of the record, this key included
	keySize    int64
	objectSize int64 // decompressed
	cycle      int64
	seek       int64 // where the record is; 0 in very old files
	class      string
	name       string
	title      string
	deleted    bool // the record is not in use: there is only its size
}

// record is one record of the chain.
type record struct {
	key
	pos    int64
	basket []byte // the fields of a TBasket behind its key
}

// compressed reports whether the object is stored as compressed blocks.
func (rec record) compressed() bool { return rec.objectSize != rec.size-rec.keySize }

func isDirectory(class string) bool { return class == "TDirectory" || class == "TDirectoryFile" }

// readRecord reads the key of the record at pos.
func readRecord(f io.ReaderAt, pos, end int64) (record, error) {
	const usual, longest = 256, 1<<15 - 1
	b := make([]byte, min(usual, end-pos))
	for {
		if _, err := f.ReadAt(b, pos); err != nil {
			return record{}, &readError{err}
		}
		r := bytesReader{b: b}
		k := r.key()
		switch {
		case k.deleted && !r.failed:
		case (r.failed || k.keySize > usual) && len(b) == usual && usual < end-pos: // a long name
			b = make([]byte, min(longest, end-pos))
			continue
		case r.failed || k.seek == 0 && k.class == "" || k.keySize < int64(r.pos) || k.objectSize < 0:
			return record{}, damaged(pos, "has no key")
		case k.seek != pos && k.seek != 0:
			return record{}, damaged(pos, "says that it is at byte %d", k.seek)
		}
		if whole := k.keySize + k.objectSize; (k.class == "TFile" || isDirectory(k.class)) && !k.deleted && k.size < whole {
			k.size = whole // uproot 3 does not count all of a list of contents
		}
		if k.size <= 0 || k.size > end-pos || k.size < k.keySize {
			return record{}, damaged(pos, "cannot have %d bytes", k.size)
		}
		rec := record{key: k, pos: pos}
		if k.class == "TBasket" {
			rec.basket = r.next(int(k.keySize) - r.pos)
		}
		return rec, nil
	}
}

// key reads a TKey.
func (r *bytesReader) key() (k key) {
	if k.size = r.i32(); k.size < 0 {
		return key{size: -k.size, deleted: true}
	}
	big := r.i16() > 1000
	k.objectSize = r.i32()
	r.skip(4) // time
	k.keySize = r.i16()
	k.cycle = r.i16()
	k.seek = r.seek(big)
	r.seek(big) // its directory
	k.class, k.name, k.title = r.label(), r.label(), r.label()
	return k
}

// basketHead is what a basket says behind its key.
type basketHead struct {
	version   int64
	entrySize int64
	entries   int64
	last      int64 // the end of the data, counted from the start of the key
	ioBits    uint8
	flag      uint8
}

// generated reports whether where entries start may be left out.
func (b basketHead) generated() bool { return b.ioBits&1 != 0 }

func (r *bytesReader) basket() (b basketHead) {
	b.version = r.i16()
	r.skip(4) // size of the buffer
	if b.entrySize = r.i32(); b.entrySize < 0 {
		b.entrySize, b.ioBits = -b.entrySize, r.byte()
	}
	b.entries = r.i32()
	b.last = r.i32()
	b.flag = r.byte()
	return b
}
