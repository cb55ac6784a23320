package rootio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"go-hep.org/x/hep/groot/riofs"
	"go-hep.org/x/hep/groot/rtree"
	_ "go-hep.org/x/hep/groot/ztypes" // the classes that may stand beside or inside a tree
)

// openFile opens a ROOT file for reading, after the checks of verify.
func openFile(ctx context.Context, name string, how check) (file *riofs.File, err error) {
	if strings.Contains(name, "://") {
		return openRemote(ctx, name, how)
	}
	plain, err := openPlain(name)
	if err != nil {
		return nil, err
	}
	f := cancellable{plain, ctx}
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	info, err := plain.Stat()
	if err != nil {
		return nil, fmt.Errorf("rootio: could not open %q: %w", name, cause(err))
	}
	if err := verify(f, info.Size(), how); err != nil {
		return nil, fmt.Errorf("rootio: %q %w", name, asDamage(err))
	}
	file, err = decodeHeader(f)
	if err != nil {
		return nil, fmt.Errorf("rootio: could not open %q: %w", name, asDamage(err))
	}
	return file, nil
}

func decodeHeader(f riofs.Reader) (file *riofs.File, err error) {
	defer guard(&err)
	return riofs.NewReader(f)
}

// openRemote opens a file by one of groot's plug-ins, of those that the program
// imports: riofs/plugin/http and riofs/plugin/xrootd.
func openRemote(ctx context.Context, name string, how check) (file *riofs.File, err error) {
	defer func() {
		if err != nil && file != nil {
			_ = file.Close()
			file = nil
		}
	}()
	defer guard(&err)
	file, err = riofs.Open(name)
	switch {
	case err != nil && strings.Contains(err.Error(), "no ROOT plugin"):
		return nil, fmt.Errorf("rootio: %q is a remote file, and this program cannot read from there: copy it to this machine first", name)
	case err != nil:
		err = fmt.Errorf("rootio: could not open %q: is it there, and a ROOT file? (%s)", name, oneLine(err))
		return nil, &kindError{err, ErrUnreachable}
	}
	h, err := readHeader(file, math.MaxInt64) // the size is not known: a file that ends early cannot be read to its end
	if err == nil {
		err = verify(&readAhead{ctx: ctx, file: file, end: h.end}, h.end, how)
	}
	if err != nil {
		return file, fmt.Errorf("rootio: %q %w", name, err)
	}
	return file, nil
}

func oneLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}

// readAhead reads a remote file in large pieces.
type readAhead struct {
	ctx  context.Context
	file io.ReaderAt
	end  int64
	at   int64
	buf  []byte
}

func (r *readAhead) ReadAt(p []byte, off int64) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	const piece = 1 << 20
	done := 0
	for done < len(p) {
		at := off + int64(done)
		if at < r.at || at >= r.at+int64(len(r.buf)) {
			if at >= r.end {
				return done, io.EOF
			}
			r.buf = resize(r.buf, int(min(piece, r.end-at)))
			n, err := r.file.ReadAt(r.buf, at)
			r.at, r.buf = at, r.buf[:n]
			if n == 0 {
				if err == nil {
					err = io.ErrUnexpectedEOF
				}
				return done, err
			}
		}
		done += copy(p[done:], r.buf[at-r.at:])
	}
	return done, nil
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

// treeKey is where a tree is in a file.
type treeKey struct {
	path  string // directory and name, without cycle
	class string
	key   riofs.Key
}

func (k treeKey) isTree() bool {
	return k.class == "TTree" || k.class == "TNtuple" || k.class == "TNtupleD"
}

func (k treeKey) isNTuple() bool {
	return k.class == "ROOT::RNTuple" || k.class == "ROOT::Experimental::RNTuple"
}

// reason says why an object of this class cannot be opened as a tree.
func (k treeKey) reason() string {
	if k.isNTuple() {
		return "it is an RNTuple, a format that cannot be read yet: write it as a TTree"
	}
	return fmt.Sprintf("it is a %s, not a tree", k.class)
}

// keysOf returns the keys of all objects of a file, directories left out,
// in the order of the file and with all cycles.
func keysOf(file *riofs.File) (keys []treeKey, err error) {
	defer guard(&err)
	const deepest = 64 // of directories in directories: a damaged file could hold itself
	var walk func(dir riofs.Directory, path string, depth int) error
	walk = func(dir riofs.Directory, path string, depth int) error {
		for _, k := range dir.Keys() {
			name := path + k.Name()
			if k.ClassName() != "TDirectory" && k.ClassName() != "TDirectoryFile" {
				keys = append(keys, treeKey{name, k.ClassName(), k})
				continue
			}
			if depth == deepest {
				return fmt.Errorf("directories are nested deeper than %d", deepest)
			}
			obj, err := k.Object()
			if err != nil {
				return fmt.Errorf("could not read directory %q: %w", name, err)
			}
			sub, ok := obj.(riofs.Directory)
			if !ok {
				return fmt.Errorf("could not read directory %q", name)
			}
			if err := walk(sub, name+"/", depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk(file, "", 0); err != nil {
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
		case k.key.Cycle() > last[i].key.Cycle():
			last[i] = k
		}
	}
	return last
}

// findTree returns the key of the tree with the given name: directory/name,
// optionally with a cycle ";n". Without a name it is the only tree there is.
func findTree(file *riofs.File, name string) (treeKey, error) {
	keys, err := keysOf(file)
	if err != nil {
		return treeKey{}, fmt.Errorf("could not read the list of objects: %w", err)
	}
	trees := latest(keys, treeKey.isTree)
	paths := make([]string, len(trees))
	for i, k := range trees {
		paths[i] = k.path
	}

	if name == "" {
		switch {
		case len(trees) == 1:
			return trees[0], nil
		case len(trees) > 1:
			return treeKey{}, fmt.Errorf("there are %d trees, say which: %s", len(trees), quoted(paths, ", "))
		}
		if nt := latest(keys, treeKey.isNTuple); len(nt) > 0 {
			return treeKey{}, fmt.Errorf("there is no tree, only %q: %s", nt[0].path, nt[0].reason())
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
		return treeKey{}, fmt.Errorf("there is no tree %q%s (trees: %s)", path, suggest(path, paths), quoted(paths, ", "))
	}
	found := same
	if cycle != 0 {
		found = slices.DeleteFunc(slices.Clone(same), func(k treeKey) bool { return k.key.Cycle() != cycle })
	}
	if len(found) == 0 {
		cycles := make([]string, len(same))
		for i, k := range same {
			cycles[i] = strconv.Itoa(k.key.Cycle())
		}
		return treeKey{}, fmt.Errorf("there is no cycle %d of tree %q, only %s", cycle, path, strings.Join(cycles, ", "))
	}
	k := latest(found, func(treeKey) bool { return true })[0]
	if !k.isTree() {
		return treeKey{}, fmt.Errorf("%q cannot be opened: %s", path, k.reason())
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
	return " (the file holds: " + quoted(names, ", ") + ")"
}

// decode reads the description of the tree: branches and where their data are.
func (k treeKey) decode() (tree rtree.Tree, err error) {
	defer guard(&err)
	obj, err := k.key.Object()
	if err != nil {
		return nil, err
	}
	tree, ok := obj.(rtree.Tree)
	if !ok {
		return nil, fmt.Errorf("groot decodes it as a %T", obj)
	}
	return tree, nil
}
