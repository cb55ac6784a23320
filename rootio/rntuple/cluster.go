package rntuple

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/zeebo/xxh3"
)

// Tuple is an RNTuple that is open for reading. It may be used by several goroutines.
type Tuple struct {
	file
	schema
	name, description, writer string

	entries  int64
	clusters []cluster
}

// cluster is a range of entries. The numbers in its columns are counted from its start.
type cluster struct {
	first, entries int64
	columns        []chunk // by column; those that were added later may be missing at the end
}

// chunk is what a cluster holds of a column.
type chunk struct {
	pages      []page
	elements   int64 // of all pages
	suppressed bool  // another representation of the field is there instead
}

// page is a block of elements.
type page struct {
	first    int64 // element, counted from the start of the cluster
	elements int64
	at       locator
	checksum bool // follows the data
}

// Open opens the tuple whose anchor, the object of a record of class [Class], is given. Data
// is the file of so many bytes that the anchor is in. Its description is read and checked; data
// are checked as they are read, or by [Tuple.Verify].
func Open(data io.ReaderAt, size int64, anchor []byte, inflate Inflate) (*Tuple, error) {
	a, err := readAnchor(anchor)
	if err != nil {
		return nil, fmt.Errorf("rntuple: %w", err)
	}
	t := &Tuple{file: file{data: data, size: size, maxKeySize: a.maxKeySize, inflate: inflate}}
	header, sum, err := t.envelope(envelopeHeader, a.header, a.headerLength)
	if err == nil {
		err = t.readHeader(&header)
	}
	if err != nil {
		return nil, fmt.Errorf("rntuple: the header at byte %d: %w", a.header.pos, err)
	}
	footer, _, err := t.envelope(envelopeFooter, a.footer, a.footerLength)
	if err == nil {
		err = t.readFooter(&footer, sum)
	}
	if err != nil {
		return nil, fmt.Errorf("rntuple: the footer at byte %d: %w", a.footer.pos, err)
	}
	return t, nil
}

// Name returns the name of the tuple.
func (t *Tuple) Name() string { return t.name }

// Description returns what its writer says about it.
func (t *Tuple) Description() string { return t.description }

// Entries returns the number of entries.
func (t *Tuple) Entries() int64 { return t.entries }

// Clusters returns the number of clusters.
func (t *Tuple) Clusters() int { return len(t.clusters) }

func (t *Tuple) readHeader(r *buffer) error {
	if err := r.features(); err != nil {
		return err
	}
	t.name, t.description, t.writer = r.text(), r.text(), r.text()
	return t.extend(r)
}

func (t *Tuple) readFooter(r *buffer, header uint64) error {
	if err := r.features(); err != nil {
		return err
	}
	if r.u64() != header {
		return errors.New("it belongs to another header")
	}
	if extension := r.record(); len(extension.b) > 0 {
		if err := t.extend(&extension); err != nil {
			return err
		}
	}
	const leastGroup = 8 + 8 + 8 + 4 + 8 + 12
	groups, n := r.list(leastGroup)
	for range n {
		g := groups.record()
		g.u64() // the first entry
		g.u64() // and their number: the clusters say so, too
		count := g.u32()
		length := g.i64()
		at, err := g.locator()
		if err != nil {
			return err
		}
		list, _, err := t.envelope(envelopePageList, at, length)
		if err == nil {
			err = t.readPageList(&list, header, int(count))
		}
		if err != nil {
			return fmt.Errorf("the page list at byte %d: %w", at.pos, err)
		}
	}
	if err := r.err(); err != nil {
		return err
	}
	slices.SortStableFunc(t.clusters, func(a, b cluster) int { return cmp.Compare(a.first, b.first) })
	for i, c := range t.clusters {
		if c.first != t.entries {
			return fmt.Errorf("cluster %d starts with entry %d, not %d", i, c.first, t.entries)
		}
		t.entries += c.entries
	}
	return nil
}

func (t *Tuple) readPageList(r *buffer, header uint64, count int) error {
	const leastSummary, leastCluster, leastColumn = 24, 12, 12 + 8
	const sharded, most = 1, 1 << 48
	if r.u64() != header {
		return errors.New("it belongs to another header")
	}
	summaries, n := r.list(leastSummary)
	lists, m := r.list(leastCluster)
	if n != count || m != count || r.failed {
		return fmt.Errorf("it has %d clusters and %d lists of pages, not %d", n, m, count)
	}
	for range n {
		s := summaries.record()
		c := cluster{first: s.i64()}
		x := s.u64()
		c.entries = int64(x & (1<<56 - 1))
		switch {
		case s.failed || summaries.failed:
			return errShort
		case x>>56&sharded != 0:
			return fmt.Errorf("%w (sharded clusters)", ErrVersion)
		case c.first < 0 || c.first > most || c.entries > most:
			return fmt.Errorf("a cluster has the %d entries from %d on", c.entries, c.first)
		}
		columns, n := lists.list(leastColumn)
		if n > len(t.columns) {
			return fmt.Errorf("a cluster has %d columns, of %d", n, len(t.columns))
		}
		for i := range n {
			k, err := t.readChunk(&columns, t.columns[i])
			if err != nil {
				return fmt.Errorf("column %d, of field %q: %w", i, t.qualified(t.columns[i].field), err)
			}
			c.columns = append(c.columns, k)
		}
		if lists.failed {
			return errShort
		}
		t.clusters = append(t.clusters, c)
	}
	return nil
}

func (t *Tuple) readChunk(columns *buffer, col column) (k chunk, err error) {
	const leastPage, most = 16, 1 << 48
	list, n := columns.list(0)
	if n*leastPage > len(list.b) {
		return k, errShort
	}
	k.pages = make([]page, n)
	for i := range k.pages {
		p := &k.pages[i]
		elements := int64(int32(list.u32()))
		if p.elements = elements; elements < 0 {
			p.elements, p.checksum = -elements, true
		}
		if p.at, err = list.locator(); err != nil {
			return k, err
		}
		p.first = k.elements
		if k.elements += p.elements; k.elements > most {
			return k, fmt.Errorf("it has more than %d elements", int64(most))
		}
		if !col.known {
			continue
		}
		size := p.at
		if p.checksum {
			size.size += checksumSize
		}
		if err := t.check(size); err != nil {
			return k, err
		}
		if n := col.bytes(p.elements); n > t.most() || p.at.size > n {
			return k, fmt.Errorf("page %d has %d elements in %d bytes of a file of %d", i, p.elements, p.at.size, t.size)
		}
	}
	k.suppressed = list.i64() < 0
	if k.suppressed && len(k.pages) > 0 {
		return k, errors.New("it is suppressed and has pages")
	}
	return k, list.err()
}

// qualified returns the name of a field with those that it is part of.
func (t *Tuple) qualified(id int) string {
	name := t.fields[id].name
	for range deepest {
		parent := t.fields[id].parent
		if parent == id || parent >= len(t.fields) {
			break
		}
		id = parent
		name = t.fields[id].name + "." + name
	}
	return name
}

var errChecksum = errors.New("its checksum is wrong")

// isIntact reports whether the checksum behind a page is right.
func isIntact(b []byte) bool {
	n := len(b) - checksumSize
	return xxh3.Hash(b[:n]) == binary.LittleEndian.Uint64(b[n:])
}

func resize(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

// Verify compares the checksums of all pages with their data.
func (t *Tuple) Verify() error {
	var raw []byte
	for i, c := range t.clusters {
		for k, chunk := range c.columns {
			for j, p := range chunk.pages {
				if !p.checksum || !t.columns[k].known {
					continue
				}
				raw = resize(raw, int(p.at.size+checksumSize))
				err := t.read(raw, p.at.pos)
				if err == nil && !isIntact(raw) {
					err = errChecksum
				}
				if err != nil {
					return t.pageError(k, i, j, err)
				}
			}
		}
	}
	return nil
}

// pageError says which page an error is about.
func (t *Tuple) pageError(column, cluster, page int, err error) error {
	p := t.clusters[cluster].columns[column].pages[page]
	return fmt.Errorf("page %d of field %q in cluster %d, at byte %d: %w", page, t.qualified(t.columns[column].field), cluster, p.at.pos, err)
}
