package rootio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"sync"

	"github.com/eidolon-hep/eidolon/internal/printable"
)

// A ROOT file is a chain of records from fBEGIN to fEND. Each starts with a
// TKey, which says how long the record is, where it stands and how long its
// object is when decompressed; a compressed object is a series of blocks, most
// of which carry a checksum. Who reads events follows the pointers of the file and trusts
// them. verify walks the chain first and compares all that can be compared.
//
// The layout is that of ROOT's TFile and TKey class references; numbers are
// big-endian but for the sizes in the headers of compressed blocks.

// check says how much of a file is verified.
type check uint8

const (
	checkAll      check = iota // all that carries a checksum
	checkMetadata              // all but the contents of baskets
	checkNothing               // only that the file is complete, by its size
)

// verify checks the records of a file of so many bytes, and returns where its baskets are.
// Its errors continue a sentence that starts with the name of the file.
func verify(f io.ReaderAt, size int64, how check) (h header, baskets map[int64]record, err error) {
	if h, err = readHeader(f, size); err != nil || how == checkNothing {
		return h, nil, err
	}
	blocks := newInflaters()
	baskets = make(map[int64]record)
	err = h.walk(f, how, blocks, baskets)
	if e := blocks.wait(); e != nil {
		err = e // it is about an earlier record
	}
	return h, baskets, err
}

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

// walk visits all records in order and sends their blocks to be inflated.
func (h header) walk(f io.ReaderAt, how check, blocks *inflaters, baskets map[int64]record) error {
	if _, err := h.follow(f, "class layouts", h.seekInfo, h.sizeInfo); err != nil {
		return err
	}
	free, err := h.freeSegments(f)
	if err != nil {
		return err
	}
	for pos := h.begin; pos < h.end; {
		if next := free[pos]; next > pos && next <= h.end {
			pos = next
			continue
		}
		rec, err := readRecord(f, pos, h.end)
		if err != nil {
			return err
		}
		pos += rec.size
		if rec.deleted {
			continue
		}
		switch {
		case rec.pos == h.begin:
			err = h.checkDirectory(f, rec.pos, h.nameSize)
		case rec.class == "TDirectory" || rec.class == "TDirectoryFile":
			err = h.checkDirectory(f, rec.pos, rec.keySize)
		case rec.class == "TBasket":
			baskets[rec.pos] = rec
			err = rec.checkBasket()
		}
		if err != nil {
			return err
		}
		switch { // what is not a series of blocks, or is not to be read
		case !rec.compressed(), rec.class == "RBlob", rec.class == "", how == checkMetadata && rec.class == "TBasket":
			continue
		}
		if err := rec.readBlocks(f, blocks); err != nil {
			return err
		}
	}
	return nil
}

// freeSegments returns the parts of the file that are not in use: where each
// starts and where it ends. ROOT also marks them with a negative size, uproot
// leaves there what there was.
func (h header) freeSegments(f io.ReaderAt) (map[int64]int64, error) {
	list, err := h.follow(f, "free segments", h.seekFree, h.sizeFree)
	if err != nil || h.seekFree == 0 {
		return nil, err
	}
	b := make([]byte, list.size-list.keySize)
	if _, err := f.ReadAt(b, list.pos+list.keySize); err != nil {
		return nil, &readError{err}
	}
	free := make(map[int64]int64)
	for r := (bytesReader{b: b}); !r.failed; {
		big := r.i16() > 1000
		first := r.seek(big)
		last := r.seek(big)
		free[first] = last + 1
	}
	return free, nil
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

// checkDirectory checks the description of the directory whose record is at
// pos: it points to a record with the list of its keys. Such a list is itself
// in a record of the same class; it is told by where it says it is.
func (h header) checkDirectory(f io.ReaderAt, pos, offset int64) error {
	d, err := h.directory(f, pos, offset)
	switch {
	case err != nil:
		return err
	case d.self != pos && pos != h.begin:
		return nil
	case d.self != pos:
		return damaged(pos, "is no directory")
	case d.seek == 0 && pos != h.begin:
		return nil // it is empty
	case d.seek == 0:
		return errors.New("has no list of contents: the program that wrote it did not finish")
	}
	keys, err := h.contents(f, d)
	if err != nil {
		return err
	}
	for _, k := range keys {
		rec, err := readRecord(f, k.seek, h.end)
		if err != nil {
			return err
		}
		rec.seek, rec.title = k.seek, k.title
		if rec.key != k {
			return damaged(d.seek, "lists %s %q otherwise than it is", k.class, k.name)
		}
	}
	return nil
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

// checkBasket checks what a basket says about its entries: it is not covered
// by a checksum, and readers find an entry by it.
func (rec record) checkBasket() error {
	r := bytesReader{b: rec.basket}
	b := r.basket()
	if r.failed || r.pos != len(rec.basket) {
		return damaged(rec.pos, "is no basket")
	}
	data := b.last - rec.keySize
	switch {
	case b.entries < 0 || data < 0 || data > rec.objectSize:
	case data < rec.objectSize: // behind the data is a table of where entries start
		if 4*(b.entries+1) <= rec.objectSize-data {
			return nil
		}
	case b.generated() || b.entries*b.entrySize == data:
		return nil
	}
	return damaged(rec.pos, "has %d entries in %d bytes", b.entries, rec.objectSize)
}

// blockHeader is the number of bytes before a compressed block: two letters
// for the algorithm, its version, and both sizes in three bytes each.
const blockHeader = 9

// readBlocks reads the compressed blocks of a record.
func (rec record) readBlocks(f io.ReaderAt, blocks *inflaters) error {
	pos, end := rec.pos+rec.keySize, rec.pos+rec.size
	total := int64(0)
	for pos < end {
		b, err := blocks.take()
		if err != nil {
			return err
		}
		b.pos = rec.pos
		if end-pos < blockHeader {
			return damaged(rec.pos, "ends within a compressed block")
		}
		if _, err := f.ReadAt(b.header[:], pos); err != nil {
			return &readError{err}
		}
		size, want := blockSizes(b.header[:])
		b.want = want
		pos += blockHeader
		if size == 0 || int64(size) > end-pos || b.want == 0 {
			return damaged(rec.pos, "has a compressed block of %d bytes for %d", size, b.want)
		}
		b.data = resize(b.data, size)
		if _, err := f.ReadAt(b.data, pos); err != nil {
			return &readError{err}
		}
		pos += int64(size)
		total += int64(b.want)
		blocks.give(b)
	}
	if total != rec.objectSize {
		return damaged(rec.pos, "has %d bytes, not %d", total, rec.objectSize)
	}
	return nil
}

// bytesReader reads big-endian numbers. Beyond the end it reads zeros and
// remembers that it failed.
type bytesReader struct {
	b      []byte
	pos    int
	failed bool
}

func (r *bytesReader) next(n int) []byte {
	if n > len(r.b)-r.pos {
		r.failed = true
		return make([]byte, n) // n is a number of our own, and small
	}
	r.pos += n
	return r.b[r.pos-n : r.pos]
}

func (r *bytesReader) skip(n int) {
	if n < 0 || n > len(r.b)-r.pos {
		r.failed, n = true, len(r.b)-r.pos
	}
	r.pos += n
}

func (r *bytesReader) i16() int64   { return int64(int16(binary.BigEndian.Uint16(r.next(2)))) }
func (r *bytesReader) i32() int64   { return int64(int32(binary.BigEndian.Uint32(r.next(4)))) }
func (r *bytesReader) i64() int64   { return int64(binary.BigEndian.Uint64(r.next(8))) }
func (r *bytesReader) byte() uint8  { return r.next(1)[0] }
func (r *bytesReader) u32() uint32  { return binary.BigEndian.Uint32(r.next(4)) }
func (r *bytesReader) f64() float64 { return math.Float64frombits(binary.BigEndian.Uint64(r.next(8))) }

// seek reads a position. In large files the upper 16 bits of one of them may
// hold something else; it is not looked at.
func (r *bytesReader) seek(big bool) int64 {
	if big {
		return r.i64()
	}
	return r.i32()
}

// str reads a TString: its length in one byte, or after 255 in four.
func (r *bytesReader) str() string {
	n := int64(r.byte())
	if n == 255 {
		n = r.i32()
	}
	if n < 0 || n > int64(len(r.b)-r.pos) {
		r.failed = true
		return ""
	}
	return string(r.next(int(n)))
}

// label reads a TString that is a name or a title. What a terminal would take for more than
// that is escaped, here where all of them come from: a name is the same in what we print, ask
// for and write.
func (r *bytesReader) label() string { return printable.Text(r.str()) }

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

// inflaters decompress blocks in the background. A fixed number of blocks is
// in use at a time, so memory is bounded.
type inflaters struct {
	free chan *block
	full chan *block
	done sync.WaitGroup

	mutex sync.Mutex
	pos   int64 // of the record with the first fault
	err   error
}

func newInflaters() *inflaters {
	workers := min(runtime.GOMAXPROCS(0), 8)
	p := &inflaters{free: make(chan *block, 2*workers), full: make(chan *block, 2*workers)}
	for range 2 * workers {
		p.free <- &block{}
	}
	for range workers {
		p.done.Go(p.work)
	}
	return p
}

// take returns a block to fill and to give, or the error of an earlier one.
func (p *inflaters) take() (*block, error) {
	b := <-p.free
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return b, p.err
}

func (p *inflaters) give(b *block) { p.full <- b }

// wait returns when all blocks have been inflated, with the first fault.
func (p *inflaters) wait() error {
	close(p.full)
	p.done.Wait()
	return p.err
}

func (p *inflaters) work() {
	var in inflater
	for b := range p.full {
		if err := in.safeCheck(b); err != nil {
			p.mutex.Lock()
			if p.err == nil || b.pos < p.pos {
				p.pos, p.err = b.pos, damaged(b.pos, "does not decompress: %w", err)
			}
			p.mutex.Unlock()
		}
		p.free <- b
	}
}
