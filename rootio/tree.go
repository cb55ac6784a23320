package rootio

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/eidolon-hep/eidolon/internal/nearest"
)

// List returns the trees of a file, also those that cannot be read: for them,
// Reason says why. It checks the file as [Open] does, but for the contents of
// the branches.
func List(ctx context.Context, file string) ([]TreeInfo, error) {
	f, err := openFile(ctx, file, checkMetadata)
	if err != nil {
		return nil, err
	}
	defer f.close()
	keys, err := f.keys()
	if err != nil {
		return nil, fmt.Errorf("rootio: could not read the list of objects of %q: %w", file, err)
	}
	trees := latest(keys, treeKey.isEvents)
	infos := make([]TreeInfo, len(trees))
	for i, k := range trees {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("rootio: could not list the trees of %q: %w", file, err)
		}
		if infos[i], err = f.info(k); errors.Is(err, ErrDamaged) {
			return nil, fmt.Errorf("rootio: tree %q of %q: %w", k.path, file, err)
		}
	}
	return infos, nil
}

// info returns what a tree is. The error is the reason why it cannot be read, too.
func (f *rootFile) info(k treeKey) (info TreeInfo, err error) {
	info.Name = k.path
	source, err := f.source(k)
	if err != nil {
		info.Reason = err.Error()
		return info, err
	}
	info = source.info()
	branches, err := source.branches()
	if err != nil {
		info.Reason = err.Error()
	}
	info.Branches = infosOf(branches)
	return info, err
}

// ReadText returns the text of a TObjString in a file, which [WithText] puts
// there. The error wraps [fs.ErrNotExist] if there is none of that name.
func ReadText(ctx context.Context, file, name string) (text string, err error) {
	f, err := openFile(ctx, file, checkMetadata)
	if err != nil {
		return "", err
	}
	defer f.close()
	keys, err := f.keys()
	if err != nil {
		return "", fmt.Errorf("rootio: could not read the list of objects of %q: %w", file, err)
	}
	found := latest(keys, func(k treeKey) bool { return k.path == name })
	if len(found) == 0 {
		return "", fmt.Errorf("rootio: there is no %q in %q: %w", name, file, fs.ErrNotExist)
	}
	if class := found[0].class; class != "TObjString" {
		return "", fmt.Errorf("rootio: %q of %q is a %q, no text", name, file, class)
	}
	rec, object, err := f.object(found[0].seek, "")
	if err == nil {
		err = readObject(object, rec.keySize, func(r *objectReader) {
			r.object("TObjString", func(int) {
				r.tobject()
				text = r.str()
			})
		})
	}
	if err != nil {
		return "", fmt.Errorf("rootio: could not read %q of %q: %w", name, file, err)
	}
	return text, nil
}

func infosOf(branches []branch) []BranchInfo {
	infos := make([]BranchInfo, len(branches))
	for i, b := range branches {
		infos[i] = b.BranchInfo
	}
	return infos
}

// Tree is a tree in a file, or the trees of several files one after the other.
// It is not safe for use by several goroutines at a time.
type Tree struct {
	name     string
	info     TreeInfo // of the first file
	branches []branch
	columns  []column
	parts    []part
	events   int64
}

// part is the tree of one file of the chain.
type part struct {
	file     string
	root     *rootFile
	path     string
	source   source
	branches []branch // those of Tree, as this file has them
	lo, hi   int64    // the events of the chain that are in this file
	size     int64    // bytes
}

// Open opens one or several files as one chain of the named tree: "tree",
// "dir/tree" or "tree;2", where a number after the semicolon picks an older
// cycle. The name may be "" when each file holds exactly one tree. A file name
// with *, ? or [ that is no file stands for all files that match, in the order of
// their names; it may be a file:// URL, or one of a server.
//
// Before it returns, the records of all files have been compared with each other, and all files are known to
// have the columns of the first one, with the same types. The checksums of events are compared when these are
// read, which is an error where they are wrong. A chain without a single event is an error. When ctx is cancelled, opening and all
// reading of the tree end with its error.
func Open(ctx context.Context, tree string, files ...string) (*Tree, error) {
	return OpenOptions{}.Open(ctx, tree, files...)
}

// OpenOptions say how to open files. The zero value is what [Open] does.
type OpenOptions struct {
	// NoVerify leaves out the comparison of the records of a file with each other. A
	// damaged file may then give wrong values.
	NoVerify bool
}

// Open is like the function of that name.
func (o OpenOptions) Open(ctx context.Context, tree string, files ...string) (*Tree, error) {
	files, err := expand(files)
	if err != nil {
		return nil, err
	}
	how := checkMetadata
	if o.NoVerify {
		how = checkNothing
	}
	t := &Tree{}
	for _, file := range files {
		if err := t.add(ctx, file, tree, how); err != nil {
			_ = t.Close()
			return nil, err
		}
	}
	if t.events == 0 {
		_ = t.Close()
		return nil, fmt.Errorf("rootio: tree %q in %s has no events", t.name, nearest.Quoted(files, ", "))
	}
	return t, nil
}

// expand replaces patterns by the files that match them.
func expand(files []string) ([]string, error) {
	if len(files) == 0 {
		return nil, errors.New("rootio: no file to open")
	}
	var all []string
	for _, file := range files {
		file = onDisk(file)
		if _, err := os.Stat(file); err == nil || !strings.ContainsAny(file, "*?[") || strings.Contains(file, "://") {
			all = append(all, file)
			continue
		}
		matches, err := filepath.Glob(file)
		switch {
		case err != nil:
			return nil, fmt.Errorf("rootio: %q is neither a file nor a pattern of file names: %w", file, err)
		case len(matches) == 0:
			return nil, fmt.Errorf("rootio: no file matches %q: %w", file, fs.ErrNotExist)
		}
		all = append(all, matches...)
	}
	return all, nil
}

// add appends the named tree of one more file to the chain.
func (t *Tree) add(ctx context.Context, file, tree string, how check) error {
	f, err := openFile(ctx, file, how)
	if err != nil {
		return err
	}
	p := part{file: file, root: f}
	if info, err := os.Stat(file); err == nil {
		p.size = info.Size()
	}
	if err := t.addPart(&p, tree); err != nil {
		_ = f.close()
		return err
	}
	t.parts = append(t.parts, p)
	t.events = p.hi
	return nil
}

func (t *Tree) addPart(p *part, name string) error {
	key, err := p.root.findTree(name)
	if err != nil {
		return fmt.Errorf("rootio: %q: %w", p.file, err)
	}
	p.path = key.path
	p.source, err = p.root.source(key)
	if err != nil {
		return fmt.Errorf("rootio: tree %q of %q: %w", key.path, p.file, err)
	}
	info := p.source.info()
	p.lo, p.hi = t.events, t.events+info.Entries
	branches, err := p.source.branches()
	if err != nil {
		return fmt.Errorf("rootio: tree %q of %q: %w", key.path, p.file, err)
	}
	if len(t.parts) == 0 {
		t.name, t.info = key.path, info
		t.branches, p.branches = branches, branches
		t.columns = columnsOf(branches)
		return nil
	}
	return t.match(p, branches)
}

// match finds the columns of the chain among the branches of a further file.
func (t *Tree) match(p *part, branches []branch) error {
	byName := make(map[string]branch, len(branches))
	for _, b := range branches {
		if _, ok := byName[b.Name]; !ok || b.isColumn() {
			byName[b.Name] = b
		}
	}
	var faults []string
	p.branches = make([]branch, len(t.branches))
	for i, want := range t.branches {
		if !want.isColumn() {
			continue
		}
		got, ok := byName[want.Name]
		switch {
		case !ok:
			faults = append(faults, fmt.Sprintf("branch %q is missing", want.Name))
		case !got.isColumn():
			faults = append(faults, fmt.Sprintf("branch %q cannot be read: %s", want.Name, got.Reason))
		case got.Kind != want.Kind || got.Array != want.Array || got.Counter != want.Counter || got.Nested != want.Nested || got.Index != want.Index:
			faults = append(faults, fmt.Sprintf("branch %q is %s, not %s", want.Name, got.Type, want.Type))
		}
		p.branches[i] = got
	}
	if len(faults) == 0 {
		return nil
	}
	const most = 5
	more := ""
	if n := len(faults) - most; n > 0 {
		faults, more = faults[:most], fmt.Sprintf(", and %d more", n)
	}
	return fmt.Errorf("rootio: tree %q of %q does not match that of %q: %s%s",
		p.path, p.file, t.parts[0].file, strings.Join(faults, ", "), more)
}

// Name returns the name of the tree in the first file, with its directory.
func (t *Tree) Name() string { return t.name }

// Title returns the title of the tree in the first file.
func (t *Tree) Title() string { return t.info.Title }

// Len returns the number of events of the chain.
func (t *Tree) Len() int64 { return t.events }

// Files returns the names of the files of the chain, in order.
func (t *Tree) Files() []string {
	files := make([]string, len(t.parts))
	for i, p := range t.parts {
		files[i] = p.file
	}
	return files
}

// Branches returns all branches of the tree, also those that are no columns.
func (t *Tree) Branches() []BranchInfo { return infosOf(t.branches) }

// Omitted returns the branches that are not read: texts, objects that are not split
// into members, and what else has a [BranchInfo.Reason].
func (t *Tree) Omitted() []BranchInfo {
	var omitted []BranchInfo
	for _, b := range t.branches {
		if b.isLeaf && !b.isColumn() {
			omitted = append(omitted, b.BranchInfo)
		}
	}
	return omitted
}

// Fields returns the columns with one value per event, in order: scalar branches,
// and the elements of branches of fixed arrays.
func (t *Tree) Fields() []Field {
	return slices.DeleteFunc(t.AllFields(), Field.IsJagged)
}

// AllFields returns all columns in order, also those with a varying number of
// values per event.
func (t *Tree) AllFields() []Field {
	fields := make([]Field, len(t.columns))
	for i, c := range t.columns {
		fields[i] = c.Field
	}
	return fields
}

// Close closes the files. The tree cannot be read afterwards.
func (t *Tree) Close() error {
	var first error
	for _, p := range t.parts {
		if err := p.root.close(); err != nil && first == nil {
			first = fmt.Errorf("rootio: could not close %q: %w", p.file, err)
		}
	}
	t.parts, t.events = nil, 0
	return first
}

// Read reads the events [lo, hi) of the named columns into a new table, its
// columns in the order of the names. The name of a branch of fixed arrays stands
// for all its elements. No names: all columns with one value per event.
func (t *Tree) Read(names []string, lo, hi int64) (*Table, error) {
	columns, err := t.find(names)
	if err != nil {
		return nil, err
	}
	if lo < 0 || hi < lo || hi > t.events {
		return nil, fmt.Errorf("rootio: events [%d, %d) of tree %q asked for, it has [0, %d)", lo, hi, t.name, t.events)
	}
	if err := t.probe(columns, lo, hi); err != nil {
		return nil, err
	}
	table := NewTable(t.fieldsAt(columns), int(hi-lo))
	if err := t.scan(columns, lo, hi, table, func(int) bool { return true }); err != nil {
		return nil, err
	}
	return table, nil
}

// ReadFile reads all events of a tree, which [Open] opens: all columns, also those with a
// varying number of values per event.
func ReadFile(ctx context.Context, tree string, files ...string) (*Table, error) {
	t, err := Open(ctx, tree, files...)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	return t.Read(Names(t.AllFields()), 0, t.Len())
}

// probe reads the last event of the range if there are so many that the number
// may be wrong: then it is an error before memory is asked for.
func (t *Tree) probe(columns []int, lo, hi int64) error {
	const usual = 64 // values per byte of the files
	size := int64(1 << 20)
	for _, p := range t.parts {
		size += p.size
	}
	if (hi-lo)/usual <= size/int64(len(columns)) {
		return nil
	}
	for _, c := range columns {
		if b := t.branches[t.columns[c].branch]; b.Note != "" {
			return asDamage(fmt.Errorf("rootio: tree %q of %q says that it has %d events, and branch %q has fewer", t.name, t.parts[0].file, t.events, b.Name))
		}
	}
	return t.scan(columns, hi-1, hi, NewTable(t.fieldsAt(columns), 1), func(int) bool { return true })
}

// Chunks gives all events of the named columns, in order, in tables of size
// events, the last of which may have fewer. With size 0 it is as many as take some ten
// megabytes, 65,536 at most. No names: all columns. The table
// is used again: it is valid until the next one. After an error, which comes
// with a nil table, there are no more.
func (t *Tree) Chunks(names []string, size int) iter.Seq2[*Table, error] {
	return func(yield func(*Table, error) bool) {
		columns, err := t.find(names)
		if err == nil && size == 0 {
			size, err = t.chunkSize(columns)
		}
		if err == nil && size < 1 {
			err = fmt.Errorf("rootio: chunks of %d events asked for", size)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		table := NewTable(t.fieldsAt(columns), int(min(int64(size), t.events)))
		wanted := true
		err = t.scan(columns, 0, t.events, table, func(n int) bool {
			chunk := table
			if n < table.Len() {
				chunk = table.Slice(0, n)
			}
			wanted = yield(chunk, nil)
			return wanted
		})
		if err != nil && wanted {
			yield(nil, err)
		}
	}
}

// find returns the indices of the named columns.
func (t *Tree) find(names []string) ([]int, error) {
	if len(t.parts) == 0 {
		return nil, errors.New("rootio: the tree is closed")
	}
	var columns []int
	if len(names) == 0 {
		for i, c := range t.columns {
			if !c.IsJagged() {
				columns = append(columns, i)
			}
		}
		if len(columns) == 0 {
			return nil, fmt.Errorf("rootio: tree %q of %q has no branch with one number per event", t.name, t.parts[0].file)
		}
		return columns, nil
	}
	for _, name := range names {
		found, err := t.index(name)
		if err != nil {
			return nil, err
		}
		for _, i := range found {
			if slices.Contains(columns, i) {
				return nil, fmt.Errorf("rootio: branch %q is asked for twice", t.columns[i].Name)
			}
		}
		columns = append(columns, found...)
	}
	return columns, nil
}

// index returns the index of the named column, or those of the elements of the
// named branch of arrays.
func (t *Tree) index(name string) (columns []int, err error) {
	for i, c := range t.columns {
		if c.Name == name {
			return []int{i}, nil
		}
		if b := t.branches[c.branch]; b.dims != nil && (b.Name == name || b.Array == name) {
			columns = append(columns, i)
		}
	}
	if columns != nil {
		return columns, nil
	}
	for i, c := range t.columns {
		if b := t.branches[c.branch]; b.dims == nil && b.also == name {
			return []int{i}, nil
		}
	}
	for _, b := range t.branches {
		if b.Name == name && b.Reason != "" {
			return nil, fmt.Errorf("rootio: branch %q of tree %q of %q cannot be read as a column: %s", name, t.name, t.parts[0].file, b.Reason)
		}
	}
	if where := t.elsewhere(name); where != "" {
		return nil, fmt.Errorf("rootio: there is no branch %q in tree %q of %q: %s", name, t.name, t.parts[0].file, where)
	}
	known := Names(t.AllFields())
	hint := nearest.Hint(name, known)
	if hint == "" {
		hint = fmt.Sprintf(" (columns: %s)", nearest.Quoted(known, ", "))
	}
	err = fmt.Errorf("rootio: there is no branch %q in tree %q of %q%s", name, t.name, t.parts[0].file, hint)
	return nil, &kindError{err, errUnknown}
}

// errUnknown is wrapped by the error for a name that is known nowhere.
var errUnknown = errors.New("there is no such branch")

// elsewhere says where a name is known, if it is no branch: as an alias, or as a branch of a
// friend.
func (t *Tree) elsewhere(name string) string {
	p := &t.parts[0]
	info := p.source.info()
	for _, a := range info.Aliases {
		if a.Name == name {
			return fmt.Sprintf("it is an alias, and these are not read: write %s=%s", name, a.Expression)
		}
	}
	for _, f := range info.Friends {
		branch := strings.TrimPrefix(name, f.Name+".")
		file := f.File
		switch {
		case file == "":
			file = p.file
		case !filepath.IsAbs(file) && !strings.Contains(file, "://"):
			file = filepath.Join(filepath.Dir(p.file), file)
		}
		trees, err := List(p.root.ctx, file)
		if err != nil {
			continue
		}
		for _, info := range trees {
			if info.Name == f.Tree && slices.ContainsFunc(info.Branches, func(b BranchInfo) bool { return b.Name == branch }) {
				return fmt.Sprintf("its friend %q has it, tree %q of %q with %d events, and friends are not read: copy the branches into one tree",
					f.Name, f.Tree, file, info.Entries)
			}
		}
	}
	return ""
}

func (t *Tree) fieldsAt(columns []int) []Field {
	fields := make([]Field, len(columns))
	for i, c := range columns {
		fields[i] = t.columns[c].Field
	}
	return fields
}
