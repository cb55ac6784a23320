package rootio

// source is a tree in one file, as [Tree] needs it: a TTree or an RNTuple.
type source interface {
	// info returns what it is, but for its branches.
	info() TreeInfo

	// branches returns its branches in order; no two columns have the same name.
	branches() ([]branch, error)

	// reader returns a reader of the values of a branch into the targets.
	reader(b *branch, into []target, memory *budget) entryReader
}

// entryReader reads the values of one branch.
type entryReader interface {
	// read reads the entries [lo, hi) into the rows of the targets from row on. An error
	// about an entry is an *entryError.
	read(lo, hi int64, row int) error
}

// mostElems is the number of elements of an array that is taken apart, at most.
const mostElems = 1024

// target is a column that is filled from a branch.
type target struct {
	element int // of a branch of fixed arrays
	column  *Column
	jagged  *Jagged // nil if the column is not
}

// source opens what is at a key.
func (f *rootFile) source(k treeKey) (source, error) {
	if k.isNTuple() {
		return f.tuple(k)
	}
	tree, err := f.decode(k)
	if err != nil {
		return nil, err
	}
	return treeSource{f, k.path, tree}, nil
}

// treeSource is a TTree.
type treeSource struct {
	file *rootFile
	path string
	tree *treeRecord
}

func (s treeSource) info() TreeInfo {
	t := s.tree
	return TreeInfo{Name: s.path, Title: t.title, Entries: t.entries,
		Friends: t.friends, Aliases: t.aliases, Index: t.index, Extras: t.extras, Lost: t.extras - len(t.carried), carried: t.carried}
}

func (s treeSource) branches() ([]branch, error) { return s.file.branchesOf(s.tree) }

func (s treeSource) reader(b *branch, into []target, memory *budget) entryReader {
	return &basketReader{file: s.file, budget: memory, name: b.Name, layout: b.layout, into: into, loaded: -1}
}
