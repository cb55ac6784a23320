package rootio

import (
	"errors"
	"io"
	"runtime"
	"sync"
)

// A compressed object is a series of blocks, most of which carry a checksum. Reading events
// follows the pointers of the file; so verify first walks the chain of records and compares what they
// say of each other. Checksums of baskets are compared when they are read: nothing is read or decompressed twice.

// check says how much of a file is verified.
type check uint8

const (
	checkAll      check = iota // all that carries a checksum: of a file that was just written
	checkMetadata              // all but the contents of baskets, which are checked when they are read
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

// walk visits all records in order and sends their blocks to be inflated.
func (h header) walk(f io.ReaderAt, how check, blocks *inflaters, baskets map[int64]record) error {
	if _, err := h.follow(f, "class layouts", h.seekInfo, h.sizeInfo); err != nil {
		return err
	}
	free, err := h.freeSegments(f)
	if err != nil {
		return err
	}
	const smallest = 16            // bytes of a record, at least
	behindFree := int64(-1)        // the record of free segments
	listed := make(map[int64]bool) // where there are records, as the directories say
	for pos := h.begin; pos < h.end; {
		if next := free[pos]; next > pos && next <= h.end {
			pos = next
			continue
		}
		if next := h.oldFree(f, pos); pos == behindFree && next > pos {
			pos = next
			continue
		}
		rec, err := readRecord(f, pos, h.end)
		for gap := int64(1); errors.Is(err, ErrDamaged) && gap < smallest; gap++ { // uproot 3 leaves out a few bytes
			if listed[pos+gap] {
				rec, err = readRecord(f, pos+gap, h.end)
			}
		}
		if err != nil {
			return err
		}
		pos = rec.pos + rec.size
		if rec.pos == h.seekFree {
			behindFree = pos
		}
		if rec.deleted {
			continue
		}
		switch {
		case rec.pos == h.begin:
			err = h.checkDirectory(f, rec.pos, h.nameSize, listed)
		case isDirectory(rec.class):
			err = h.checkDirectory(f, rec.pos, rec.keySize, listed)
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

// oldFree returns the end of a free segment of which an entry is left behind the list of these,
// which uproot may have written again with fewer; 0 if there is none.
func (h header) oldFree(f io.ReaderAt, pos int64) int64 {
	b := make([]byte, 18)
	if n, err := f.ReadAt(b, pos); err != nil && n < 10 {
		return 0
	}
	const most = 64
	r := bytesReader{b: b}
	version := r.i16()
	next := r.seek(version > 1000)
	if version != 1 && version != 1001 || next > min(pos+most, h.end) {
		return 0
	}
	return next
}

// checkDirectory checks the description of the directory whose record is at
// pos: it points to a record with the list of its keys. Such a list is itself
// in a record of the same class; it is told by where it says it is. What it lists is noted.
func (h header) checkDirectory(f io.ReaderAt, pos, offset int64, listed map[int64]bool) error {
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
		listed[k.seek] = true
		rec.seek, rec.title = k.seek, k.title
		if isDirectory(rec.class) && isDirectory(k.class) { // ROOT 5 may call it by either name
			rec.class = k.class
		}
		if rec.key != k {
			return damaged(d.seek, "lists %s %q otherwise than it is", k.class, k.name)
		}
	}
	return nil
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
		blocks.full <- b
	}
	if total != rec.objectSize {
		return damaged(rec.pos, "has %d bytes, not %d", total, rec.objectSize)
	}
	return nil
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

// take returns a block to fill and to send to full, or the error of an earlier one.
func (p *inflaters) take() (*block, error) {
	b := <-p.free
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return b, p.err
}

// wait returns when all blocks have been inflated, with the first fault.
func (p *inflaters) wait() error {
	close(p.full)
	p.done.Wait()
	return p.err
}

func (p *inflaters) work() {
	var in inflater
	for b := range p.full {
		in.buf = resize(in.buf, b.want)
		if err := in.inflate(in.buf, b.header[:2], b.data); err != nil {
			p.mutex.Lock()
			if p.err == nil || b.pos < p.pos {
				p.pos, p.err = b.pos, damaged(b.pos, "does not decompress: %w", err)
			}
			p.mutex.Unlock()
		}
		p.free <- b
	}
}
