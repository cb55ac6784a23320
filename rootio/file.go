package rootio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/eidolon-hep/eidolon/internal/nearest"
)

// rootFile is a ROOT file that is open for reading. It may be used by several goroutines.
type rootFile struct {
	header
	ctx     context.Context // with which it was opened
	name    string
	data    io.ReaderAt // it ends with the context
	close   func() error
	baskets map[int64]record // all there are, by position; nil if they were not looked at
	classes func() (map[string][]streamerInfo, error)

	inflaters sync.Pool // of *inflater
}

// decompress is [inflater.object] with an inflater that is not in use.
func (f *rootFile) decompress(dst, body []byte, rec record) ([]byte, error) {
	in := f.takeInflater()
	defer f.inflaters.Put(in)
	return in.object(dst, body, rec, f.most())
}

// takeInflater returns an inflater that is not in use, to be put back into the pool.
func (f *rootFile) takeInflater() *inflater {
	if in, ok := f.inflaters.Get().(*inflater); ok {
		return in
	}
	return &inflater{}
}

// openFile opens a ROOT file, after the checks of verify.
func openFile(ctx context.Context, name string, how check) (f *rootFile, err error) {
	name = onDisk(name)
	f = &rootFile{ctx: ctx, name: name}
	var size int64
	if strings.Contains(name, "://") {
		remote, err := openRemote(ctx, name)
		if err != nil {
			return nil, err
		}
		f.data, f.close, size = remote, remote.close, remote.size
	} else {
		plain, err := openPlain(name)
		if err != nil {
			return nil, err
		}
		f.data, f.close = cancellable{plain, ctx}, plain.Close
		info, err := plain.Stat()
		if err != nil {
			_ = plain.Close()
			return nil, fmt.Errorf("rootio: could not open %q: %w", name, cause(err))
		}
		size = info.Size()
	}
	f.header, f.baskets, err = verify(f.data, size, how)
	if err != nil {
		_ = f.close()
		return nil, fmt.Errorf("rootio: %q %w", name, asDamage(err))
	}
	f.classes = sync.OnceValues(f.readClasses)
	return f, nil
}

// onDisk returns the name of the file that a file:// URL means; others stay as they are.
func onDisk(name string) string { return strings.TrimPrefix(name, "file://") }

func (f *rootFile) readClasses() (map[string][]streamerInfo, error) {
	if f.seekInfo == 0 {
		return nil, nil
	}
	rec, object, err := f.object(f.seekInfo, "")
	if err != nil {
		return nil, err
	}
	return readClasses(object, rec.keySize)
}

// most returns the number of bytes that an object of the file may have, decompressed. A
// file justifies only so much memory.
func (f *rootFile) most() int64 { return min(1<<30, 32<<20+4*f.end) }

// object returns the record at pos, which must be of the class unless that is "", and its
// object, decompressed.
func (f *rootFile) object(pos int64, class string) (rec record, object []byte, err error) {
	if rec, err = readRecord(f.data, pos, f.end); err != nil {
		return rec, nil, err
	}
	if class != "" && rec.class != class {
		return rec, nil, damaged(pos, "is a %q, not a %q", rec.class, class)
	}
	body := make([]byte, rec.size-rec.keySize)
	if _, err := f.data.ReadAt(body, rec.pos+rec.keySize); err != nil {
		return rec, nil, &readError{err}
	}
	object, err = f.decompress(nil, body, rec)
	return rec, object, err
}

// cancellable is a file that cannot be read any more once its context is cancelled:
// every check and every read of events goes through it, and so ends.
type cancellable struct {
	*os.File
	ctx context.Context
}

func (f cancellable) Read(p []byte) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	return f.File.Read(p)
}

func (f cancellable) ReadAt(p []byte, off int64) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

// openPlain opens the named file if it is a ROOT file by its first bytes.
func openPlain(name string) (*os.File, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, fmt.Errorf("rootio: could not open %q: %w", name, cause(err))
	case info.IsDir():
		return nil, fmt.Errorf("rootio: %q is a directory: name the files in it", name)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("rootio: %q is not a regular file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("rootio: could not open %q: %w", name, cause(err))
	}
	var magic [4]byte
	n, err := f.ReadAt(magic[:], 0)
	switch {
	case err != nil && err != io.EOF:
		err = fmt.Errorf("rootio: could not read %q: %w", name, cause(err))
	case n == 0:
		err = asDamage(fmt.Errorf("rootio: %q is empty (0 bytes): write or copy it again", name))
	case string(magic[:n]) != "root":
		err = asDamage(fmt.Errorf("rootio: %q is not a ROOT file: it starts with %q, not \"root\"", name, magic[:n]))
	default:
		return f, nil
	}
	_ = f.Close()
	return nil, err
}

// cause returns err without the operation and the path that os puts before it.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// treeKey is where an object is in a file.
type treeKey struct {
	path string // directory and name, without cycle
	key
}

func (k key) isTree() bool {
	return k.class == "TTree" || k.class == "TNtuple" || k.class == "TNtupleD"
}

func (k key) isNTuple() bool {
	return k.class == "ROOT::RNTuple" || k.class == "ROOT::Experimental::RNTuple"
}

// isEvents reports whether it is a tree in either format.
func (k key) isEvents() bool { return k.isTree() || k.isNTuple() }

// keys returns the keys of all objects of the file, directories left out, in the order of
// the file and with all cycles.
func (f *rootFile) keys() (keys []treeKey, err error) {
	seen := make(map[int64]bool) // lists of contents: a damaged file could hold itself
	var walk func(pos, offset int64, path string, depth int) error
	walk = func(pos, offset int64, path string, depth int) error {
		dir, err := f.directory(f.data, pos, offset)
		if err != nil {
			return err
		}
		if depth > deepest || seen[dir.seek] {
			return asDamage(fmt.Errorf("is damaged: directory %q holds itself, or is nested deeper than %d", path, deepest))
		}
		if dir.seek == 0 {
			return nil
		}
		seen[dir.seek] = true
		list, err := f.contents(f.data, dir)
		if err != nil {
			return err
		}
		for _, k := range list {
			if !isDirectory(k.class) {
				keys = append(keys, treeKey{path + k.name, k})
				continue
			}
			if err := walk(k.seek, k.keySize, path+k.name+"/", depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk(f.begin, f.nameSize, "", 0); err != nil {
		return nil, err
	}
	return keys, nil
}

// latest returns the highest cycle of each key that ok accepts, in order.
func latest(keys []treeKey, ok func(treeKey) bool) []treeKey {
	var last []treeKey
	for _, k := range keys {
		if !ok(k) {
			continue
		}
		i := slices.IndexFunc(last, func(l treeKey) bool { return l.path == k.path })
		switch {
		case i < 0:
			last = append(last, k)
		case k.cycle > last[i].cycle:
			last[i] = k
		}
	}
	return last
}

// findTree returns the key of the tree with the given name: directory/name,
// optionally with a cycle ";n". Without a name it is the only tree there is.
func (f *rootFile) findTree(name string) (treeKey, error) {
	keys, err := f.keys()
	if err != nil {
		return treeKey{}, fmt.Errorf("could not read the list of objects: %w", err)
	}
	trees := latest(keys, treeKey.isEvents)
	paths := make([]string, len(trees))
	for i, k := range trees {
		paths[i] = k.path
	}

	if name == "" {
		switch {
		case len(trees) == 1:
			return trees[0], nil
		case len(trees) > 1:
			return treeKey{}, fmt.Errorf("there are %d trees, say which: %s", len(trees), nearest.Quoted(paths, ", "))
		}
		return treeKey{}, fmt.Errorf("there is no tree%s", contents(keys))
	}

	path, cycle, err := splitCycle(strings.TrimPrefix(name, "/"))
	if err != nil {
		return treeKey{}, err
	}
	same := slices.DeleteFunc(slices.Clone(keys), func(k treeKey) bool { return k.path != path })
	if len(same) == 0 {
		if len(trees) == 0 {
			return treeKey{}, fmt.Errorf("there is no tree %q and no other tree%s", path, contents(keys))
		}
		return treeKey{}, fmt.Errorf("there is no tree %q%s (trees: %s)", path, nearest.Hint(path, paths), nearest.Quoted(paths, ", "))
	}
	found := same
	if cycle != 0 {
		found = slices.DeleteFunc(slices.Clone(same), func(k treeKey) bool { return k.cycle != int64(cycle) })
	}
	if len(found) == 0 {
		cycles := make([]string, len(same))
		for i, k := range same {
			cycles[i] = strconv.FormatInt(k.cycle, 10)
		}
		return treeKey{}, fmt.Errorf("there is no cycle %d of tree %q, only %s", cycle, path, strings.Join(cycles, ", "))
	}
	k := latest(found, func(treeKey) bool { return true })[0]
	if !k.isEvents() {
		return treeKey{}, fmt.Errorf("%q cannot be opened: it is a %s, not a tree", path, k.class)
	}
	return k, nil
}

// splitCycle splits "name;2" into name and cycle (0: none given).
func splitCycle(name string) (path string, cycle int, err error) {
	path, digits, found := strings.Cut(name, ";")
	if !found {
		return name, 0, nil
	}
	cycle, err = strconv.Atoi(digits)
	if err != nil || cycle < 1 {
		return "", 0, fmt.Errorf("%q is not a cycle of tree %q: write name;1", digits, path)
	}
	return path, cycle, nil
}

// contents tells what else a file without trees holds.
func contents(keys []treeKey) string {
	if len(keys) == 0 {
		return ": the file is empty (was its writer closed?)"
	}
	var names []string
	for _, k := range latest(keys, func(treeKey) bool { return true }) {
		names = append(names, k.class+" "+k.path)
	}
	return " (the file holds: " + nearest.Quoted(names, ", ") + ")"
}

// decode reads the description of the tree: branches and where their data are.
func (f *rootFile) decode(k treeKey) (*treeRecord, error) {
	rec, object, err := f.object(k.seek, k.class)
	if err != nil {
		return nil, err
	}
	tree, err := readTree(object, rec)
	if err != nil {
		return nil, err
	}
	const most = 1 << 48
	if tree.entries < 0 || tree.entries > most {
		return nil, asDamage(fmt.Errorf("it says it has %d entries", tree.entries))
	}
	return tree, nil
}
