package rootio

import "strings"

// The description of a tree is one object: its branches with the places of their baskets,
// and their leaves, which say what the numbers are. The layout is that of ROOT's class
// references of TTree, TBranch, TBranchElement and TLeaf, in all versions since ROOT 3.

// treeRecord is what a record says of a tree.
type treeRecord struct {
	name, title string
	entries     int64
	branches    []*branchRecord
	aliases     []Alias
	friends     []Friend
	index       string       // its class
	extras      int          // objects that somebody put beside the tree
	carried     []userObject // those that are known
}

// branchRecord is a branch.
type branchRecord struct {
	class       string
	name, title string
	column      string // its name among the columns: with that of the object it is in, if need be
	entryOffset int64  // 0: all entries are of one size
	entries     int64
	branches    []*branchRecord
	leaves      []*leafRecord
	file        string // where its baskets are; "": in the file of the tree

	// The baskets. One that was not yet full when the file was closed is kept here.
	writeBasket                           int64
	basketBytes, basketEntry, basketSeeks []int64
	kept                                  []*basketRecord

	element *elementRecord // of a TBranchElement, else nil
}

// elementRecord is what a TBranchElement says of a member of a class.
type elementRecord struct {
	class    string // that has the member, or that it is
	clones   string // class in a TClonesArray
	checksum uint32
	version  int64
	id       int64 // of the member among those of the class; −1: the object itself
	kind     int64 // of the branch: 3 and 4 are collections, 31 and 41 their members
	member   int64 // type of the member, as in streamerElement; −1: the object itself
}

// leafRecord is a leaf.
type leafRecord struct {
	class       string
	name, title string
	length      int64 // of a fixed array, or per counted value
	size        int64 // of a value in memory
	offset      int64
	unsigned    bool
	count       *leafRecord // that says how many values there are
	branch      *branchRecord
}

// basketRecord is a basket that is kept with the tree.
type basketRecord struct {
	entries int64
	data    []byte
	starts  []int32
}

// readTree decodes the object of a record of class TTree, TNtuple or TNtupleD.
func readTree(object []byte, rec record) (t *treeRecord, err error) {
	t = &treeRecord{}
	err = readObject(object, rec.keySize, func(r *objectReader) { r.tree(t, rec.class) })
	return t, err
}

func (r *objectReader) tree(t *treeRecord, class string) {
	r.derived(class, "TTree", func(version int) {
		if version < 5 {
			r.fail("is of a tree of version %d, which is too old", version)
		}
		long := func(since int) int64 { // a number that was a double, or shorter, once
			if version >= since {
				return r.i64()
			}
			return r.i32()
		}
		count := func() int64 {
			if version > 5 {
				return r.i64()
			}
			return int64(r.f64())
		}
		t.name, t.title = r.named()
		r.ignore("TAttLine")
		r.ignore("TAttFill")
		r.ignore("TAttMarker")
		t.entries = count()
		count() // bytes
		count() // of them on file
		count() // of them saved
		if version >= 18 {
			r.i64() // flushed bytes
		}
		if version >= 16 {
			r.f64() // weight
		}
		r.skip(12) // timer, scan field, update
		if version >= 17 {
			r.skip(4) // length of the table of entries
		}
		clusters := 0
		if version >= 19 {
			clusters = r.count(16)
		}
		if version > 5 {
			r.i64() // most entries
		}
		long(6) // most in a loop
		long(6) // virtual size
		long(6) // autosave
		if version >= 18 {
			r.i64() // autoflush
		}
		long(6) // estimate
		if version >= 19 {
			r.skip(2 + 16*clusters)
		}
		if version >= 20 {
			r.ignore("ROOT::TIOFeatures")
		}
		t.branches = only[*branchRecord](r.array(r.part))
		r.array(r.part) // the leaves again
		if version > 5 {
			t.aliases = only[Alias](r.pointer(r.part))
		}
		r.pointer(r.part) // values of an index
		r.pointer(r.part) // their order
		if version > 5 {
			if index, ok := r.pointer(r.part).(unknownObject); ok {
				t.index = string(index)
			}
			t.friends = only[Friend](r.pointer(r.part))
			extras, _ := r.pointer(func(class string) any {
				if class != "TList" {
					return nil
				}
				return r.list(r.userObject)
			}).([]any)
			t.extras, t.carried = len(extras), only[userObject](extras)
		}
	})
}

// unknownObject is an object that is skipped: the name of its class.
type unknownObject string

// part decodes an object of the description of a tree.
func (r *objectReader) part(class string) any {
	switch class {
	case "TBranch", "TBranchElement", "TBranchObject", "TBranchRef", "TBranchSTL", "TBranchClones":
		b := &branchRecord{class: class}
		switch class {
		case "TBranch":
			r.branch(b)
		case "TBranchElement":
			r.object(class, func(version int) {
				r.branch(b)
				b.element = r.element(version)
			})
		case "TBranchClones":
			b.name = "TBranchClones" // it is too old to be known
		default:
			r.object(class, func(int) { r.branch(b) })
		}
		return b
	case "TObjArray":
		return r.array(r.part)
	case "TList":
		return r.list(r.part)
	case "TBasket":
		return r.basketObject()
	case "TNamed":
		name, title := r.named()
		return Alias{name, title}
	case "TFriendElement":
		f := Friend{}
		r.object(class, func(int) {
			f.Name, f.File = r.named()
			f.Tree = r.label()
		})
		return f
	}
	if strings.HasPrefix(class, "TLeaf") {
		return r.leaf(class)
	}
	return unknownObject(class)
}

// only returns the objects of a type in a list; there are none in what is no list.
func only[T any](list any) (found []T) {
	objects, _ := list.([]any)
	for _, o := range objects {
		if x, ok := o.(T); ok {
			found = append(found, x)
		}
	}
	return found
}

// branch reads a TBranch.
func (r *objectReader) branch(b *branchRecord) {
	r.object("TBranch", func(version int) {
		if version < 6 {
			r.fail("has a branch of version %d, which is too old", version)
		}
		b.name, b.title = r.named()
		if version > 7 {
			r.ignore("TAttFill")
		}
		r.skip(8) // compression, size of a basket
		b.entryOffset = r.i32()
		b.writeBasket = r.i32()
		if version >= 10 {
			r.i64() // number of the entry that is written next
		} else {
			r.i32()
		}
		if version >= 13 {
			r.ignore("ROOT::TIOFeatures")
		}
		r.skip(4) // offset
		most := r.i32()
		if version > 6 {
			r.skip(4) // split level
		}
		if version >= 10 {
			b.entries = r.i64()
			if version >= 11 {
				r.i64() // first entry
			}
			r.skip(16) // bytes, and on file
		} else {
			b.entries = int64(r.f64())
			r.skip(16)
		}
		b.branches = only[*branchRecord](r.array(r.part))
		b.leaves = only[*leafRecord](r.array(r.part))
		for _, l := range b.leaves {
			l.branch = b
		}
		for _, o := range r.array(r.part) {
			basket, _ := o.(*basketRecord)
			b.kept = append(b.kept, basket)
		}
		wide := version >= 10
		b.basketBytes = r.numbers(most, false)
		b.basketEntry = r.numbers(most, wide)
		b.basketSeeks = r.numbers(most, wide)
		b.file = r.label()
	})
}

// numbers reads an array of n numbers, before which a byte says whether it is there: 2 if
// its numbers are places beyond 2 GB.
func (r *objectReader) numbers(n int64, wide bool) []int64 {
	is := r.byte()
	if is == 0 {
		return nil
	}
	wide = wide || is == 2
	size := int64(4)
	if wide {
		size = 8
	}
	if n < 0 || n*size > int64(len(r.b)-r.pos) {
		r.fail("counts %d baskets in %d bytes", n, len(r.b)-r.pos)
	}
	values := make([]int64, n)
	for i := range values {
		values[i] = r.seek(wide)
	}
	return values
}

// element reads what a TBranchElement adds to a TBranch.
func (r *objectReader) element(version int) *elementRecord {
	e := &elementRecord{class: r.label()}
	if version > 1 {
		r.str() // class of the parent
		e.clones = r.label()
		e.checksum = r.u32()
	}
	if version >= 10 {
		e.version = r.i16()
	} else {
		e.version = r.i32()
	}
	e.id, e.kind, e.member = r.i32(), r.i32(), r.i32()
	if version > 1 {
		r.skip(4)         // most objects
		r.pointer(r.part) // the branch that counts them
		r.pointer(r.part) // the second one
	}
	return e
}

// leaf reads a TLeaf of any class.
func (r *objectReader) leaf(class string) *leafRecord {
	l := &leafRecord{class: class}
	r.derived(class, "TLeaf", func(int) {
		l.name, l.title = r.named()
		l.length, l.size, l.offset = r.i32(), r.i32(), r.i32()
		r.byte() // it has a range
		l.unsigned = r.byte() != 0
		l.count, _ = r.pointer(r.part).(*leafRecord)
	})
	return l
}

// basketObject reads a TBasket that is kept with the tree, decompressed.
func (r *objectReader) basketObject() *basketRecord {
	k := r.key()
	if k.deleted {
		return nil
	}
	head := r.basket()
	r.check()
	b := &basketRecord{entries: head.entries}
	flag := head.flag
	if flag >= 80 { // where entries start is not stored
		flag -= 80
	} else if flag != 0 && flag%10 != 2 && head.entries > 0 {
		for range r.count(4) {
			b.starts = append(b.starts, int32(r.i32()&^displacementMask(flag)-k.keySize))
		}
		if flag > 40 {
			r.skip(4 * r.count(4))
		}
	}
	if flag != 1 && flag <= 10 {
		return b
	}
	size := head.last
	if head.version <= 1 {
		size = int64(r.count(1))
	}
	if size < k.keySize || size > int64(len(r.b)-r.pos) || head.entries < 0 {
		r.fail("keeps a basket of %d bytes", size)
	}
	data := r.next(int(size))
	b.data = data[k.keySize:]
	return b
}

// displacementMask marks what ROOT puts into the places of entries of some baskets.
func displacementMask(flag uint8) int64 {
	if flag > 20 && flag < 40 {
		return 0xff000000
	}
	return 0
}
