package rootio

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"os"
	"strings"

	"github.com/eidolon-hep/eidolon/rootio/rntuple"
)

// newFile is a ROOT file that is being written: one record after the other, and at the end
// what had to wait until all places were known. Its positions have eight bytes, as those of
// files beyond 2 GB. What would differ between two runs of a job, names and dates, is the
// same in all files.
type newFile struct {
	file     *os.File
	buf      *bufio.Writer
	hash     hash.Hash // of all that is written
	at       int64
	deflate  deflater
	root     *newDir
	classes  map[string]bool // that the file has objects of
	contents [sha256.Size]byte
}

// newDir is a directory of a new file.
type newDir struct {
	name     string
	key      key
	parent   *newDir
	dirs     []*newDir
	keys     []key
	trees    []*Writer // whose descriptions are written at the end
	offset   int64     // of its description in its record
	listSeek int64     // the list of its keys
	listSize int64
}

// all returns the directory and those in it.
func (d *newDir) all() []*newDir {
	all := []*newDir{d}
	for _, sub := range d.dirs {
		all = append(all, sub.all()...)
	}
	return all
}

const (
	rootVersion = 63600
	large       = 1_000_000             // is added where positions have eight bytes
	largeKey    = 1000                  // as this is
	firstRecord = 100                   // where records begin
	fixedDate   = 5<<26 | 1<<22 | 1<<17 // 2000-01-01, in years since 1995, months, days
	fileName    = "eidolon.root"        // that the file says it has: readers know it by where it is
	uuidVersion = 1
	endOfSpace  = 1_000_000_000 // free space ends at a multiple of this
	dirVersion  = 5 + largeKey
	dirSize     = 2 + 4 + 4 + 4 + 4 + 3*8 + 2 + 16
)

func createFile(name string, c Compression) (*newFile, error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_TRUNC, 0)
	if err != nil {
		return nil, err
	}
	f := &newFile{file: file, buf: bufio.NewWriterSize(file, 1<<20), hash: sha256.New(), deflate: deflater{compression: c}, classes: make(map[string]bool)}
	if err := f.put(make([]byte, firstRecord)); err != nil {
		return nil, err
	}
	w := newObjectWriter(0)
	w.str(fileName)
	w.str("")
	f.root = &newDir{name: fileName, offset: int64(len(w.b))}
	w.b = append(w.b, make([]byte, dirSize)...)
	f.root.key, err = f.putRecord(nil, key{class: "TFile", name: fileName}, w.b, int64(len(w.b)))
	f.root.offset += f.root.key.keySize
	return f, err
}

// put appends bytes to the file.
func (f *newFile) put(b []byte) error {
	f.hash.Write(b)
	n, err := f.buf.Write(b)
	f.at += int64(n)
	return err
}

// length returns the number of bytes of the key on file.
func (k key) length() int64 {
	w := newObjectWriter(0)
	k.write(w, 0)
	return int64(len(w.b))
}

// write writes the key of an object in the directory whose record is at parent.
func (k key) write(w *objectWriter, parent int64) {
	w.i32(int(k.size))
	w.i16(4 + largeKey)
	w.i32(int(k.objectSize))
	w.i32(fixedDate)
	w.i16(int(k.keySize))
	w.i16(int(k.cycle))
	w.i64(k.seek)
	w.i64(parent)
	w.str(k.class)
	w.str(k.name)
	w.str(k.title)
}

// putRecord appends a record with a body that decompresses to so many bytes. It becomes one
// of the keys of the directory, if that is given.
func (f *newFile) putRecord(dir *newDir, k key, body []byte, objectSize int64) (key, error) {
	k.keySize, k.objectSize, k.seek, k.cycle = k.length(), objectSize, f.at, 1
	k.size = k.keySize + int64(len(body))
	if dir != nil {
		for _, other := range dir.keys {
			if other.name == k.name {
				k.cycle = max(k.cycle, other.cycle+1)
			}
		}
	}
	w := newObjectWriter(0)
	k.write(w, dir.place())
	if err := f.put(w.b); err != nil {
		return k, err
	}
	if dir != nil {
		dir.keys = append(dir.keys, k)
	}
	return k, f.put(body)
}

// place is where the record of the directory is; 0 of the one that there is not.
func (d *newDir) place() int64 {
	if d == nil {
		return 0
	}
	return d.key.seek
}

// putBaskets appends the baskets of a branch that are full.
func (f *newFile) putBaskets(b *branchWriter) error {
	for _, basket := range b.full {
		w := newObjectWriter(0)
		basket.seek = f.at
		basket.write(w, firstRecord)
		w.b = append(w.b, basket.basket...)
		if err := f.put(w.b); err != nil {
			return err
		}
		if err := f.put(basket.body); err != nil {
			return err
		}
		entries := basket.entries
		if n := len(b.baskets); n > 0 {
			entries += b.baskets[n-1].entries
		}
		b.baskets = append(b.baskets, basketPlace{basket.seek, basket.size, entries})
	}
	b.full = b.full[:0]
	return nil
}

// putTexts puts texts in the file.
func (f *newFile) putTexts(texts [][2]string) error {
	for _, text := range texts {
		w := newObjectWriter(0)
		w.object(1, func() {
			w.tobject()
			w.str(text[1])
		})
		f.classes["TObjString"] = true
		if _, err := f.putObject(f.root, key{class: "TObjString", name: text[0], title: "Collectable string class"}, w.b); err != nil {
			return err
		}
	}
	return nil
}

// putObject puts an object in a directory, or in none.
func (f *newFile) putObject(dir *newDir, k key, object []byte) (key, error) {
	body, err := f.deflate.object(object)
	if err != nil {
		return k, err
	}
	return f.putRecord(dir, k, body, int64(len(object)))
}

// makeDirs makes the directories of "dir/sub/tree" and returns the last of
// them and the name of the tree.
func (f *newFile) makeDirs(tree string) (*newDir, string, error) {
	path, _, err := splitCycle(strings.Trim(tree, "/"))
	if err != nil {
		return nil, "", err
	}
	parts := strings.Split(path, "/")
	dir := f.root
	for i, part := range parts {
		if part == "" {
			return nil, "", fmt.Errorf("%q is not the name of a tree", tree)
		}
		if i == len(parts)-1 {
			break
		}
		if dir, err = f.subDir(dir, part); err != nil {
			return nil, "", err
		}
	}
	return dir, parts[len(parts)-1], nil
}

// subDir returns a directory in another, which it makes if it is not there.
func (f *newFile) subDir(dir *newDir, name string) (*newDir, error) {
	for _, d := range dir.dirs {
		if d.name == name {
			return d, nil
		}
	}
	for _, t := range dir.trees {
		if t.name == name {
			return nil, fmt.Errorf("%q is no directory", name)
		}
	}
	for _, k := range dir.keys {
		if k.name == name {
			return nil, fmt.Errorf("%q is no directory", name)
		}
	}
	sub := &newDir{name: name, parent: dir}
	k, err := f.putRecord(dir, key{class: "TDirectory", name: name, title: name}, make([]byte, dirSize), dirSize)
	sub.key, sub.offset = k, k.keySize
	dir.dirs = append(dir.dirs, sub)
	return sub, err
}

// finish writes what had to wait, and closes the file.
func (f *newFile) finish() error {
	dirs := f.root.all()
	for _, d := range dirs {
		if err := f.putTrees(d); err != nil {
			return err
		}
	}
	info, err := f.putClasses()
	if err != nil {
		return err
	}
	for _, d := range dirs {
		if err := f.putList(d); err != nil {
			return err
		}
	}
	free, err := f.putFree()
	if err != nil {
		return err
	}
	f.hash.Sum(f.contents[:0])
	if err := f.buf.Flush(); err != nil {
		return err
	}
	for _, d := range dirs {
		if err := f.setDir(d); err != nil {
			return err
		}
	}
	w := newObjectWriter(0)
	w.b = append(w.b, "root"...)
	w.i32(rootVersion + large)
	w.i32(firstRecord)
	w.i64(f.at)
	w.i64(free.seek)
	w.i32(int(free.size))
	w.i32(1) // free segments
	w.i32(int(f.root.offset))
	w.u8(8) // bytes of a position
	w.i32(int(f.deflate.compression.setting()))
	w.i64(info.seek)
	w.i32(int(info.size))
	w.uuid(f.contents[:])
	if _, err := f.file.WriteAt(w.b, 0); err != nil {
		return err
	}
	return f.file.Close()
}

// uuid writes a TUUID of the first bytes of a hash, marked as one of a hash (RFC 9562,
// version 8).
func (w *objectWriter) uuid(sum []byte) {
	w.i16(uuidVersion)
	at := len(w.b)
	w.b = append(w.b, sum[:16]...)
	w.b[at+6] = w.b[at+6]&0x0f | 0x80
	w.b[at+8] = w.b[at+8]&0x3f | 0x80
}

// putTrees writes the descriptions of the trees of a directory.
func (f *newFile) putTrees(dir *newDir) error {
	for _, t := range dir.trees {
		if t.tuple != nil {
			f.classes[rntuple.Class] = true
			k := key{class: rntuple.Class, name: t.name, title: t.like.Title}
			if _, err := f.putRecord(dir, k, t.tuple.anchor, int64(len(t.tuple.anchor))); err != nil {
				return err
			}
			continue
		}
		k := key{class: "TTree", name: t.name, title: t.like.Title}
		object := t.describe(int(k.length()), f.classes)
		if _, err := f.putObject(dir, k, object); err != nil {
			return err
		}
	}
	return nil
}

// putList writes the list of the keys of a directory, trees first.
func (f *newFile) putList(dir *newDir) error {
	w := newObjectWriter(0)
	w.i32(len(dir.keys))
	for _, trees := range []bool{true, false} { // which is what people look for
		for _, k := range dir.keys {
			if k.isEvents() == trees {
				k.write(w, dir.place())
			}
		}
	}
	k, err := f.putRecord(nil, key{class: dir.key.class, name: dir.name, title: dir.key.title}, w.b, int64(len(w.b)))
	dir.listSeek, dir.listSize = k.seek, k.size
	return err
}

// putFree writes the list of free segments: what is behind the file.
func (f *newFile) putFree() (key, error) {
	const size = 2 + 8 + 8
	k := key{class: "TFile", name: fileName}
	end := f.at + k.length() + size
	w := newObjectWriter(0)
	w.i16(1 + largeKey)
	w.i64(end)
	w.i64(max(2, end/endOfSpace+1) * endOfSpace)
	return f.putRecord(nil, k, w.b, size)
}

// setDir sets the description of a directory.
func (f *newFile) setDir(dir *newDir) error {
	w := newObjectWriter(0)
	w.i16(dirVersion)
	w.i32(fixedDate)
	w.i32(fixedDate)
	w.i32(int(dir.listSize))
	w.i32(int(dir.offset))
	w.i64(dir.key.seek)
	w.i64(dir.parent.place())
	w.i64(dir.listSeek)
	sum := f.contents
	if dir.parent != nil {
		sum = sha256.Sum256(binary.BigEndian.AppendUint64(sum[:], uint64(dir.key.seek)))
	}
	w.uuid(sum[:])
	_, err := f.file.WriteAt(w.b, dir.key.seek+dir.offset)
	return err
}
