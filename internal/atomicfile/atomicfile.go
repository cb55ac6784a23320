// Package atomicfile writes files that are either complete or not there.
//
// A file is written under a temporary name beside its target and takes the
// target's name when it is complete: a reader, a crash or a full disk never
// meets half of it, and an old file stays until the new one replaces it. So a
// program may safely write onto a file that it is still reading.
//
// [Create] serves writers of bytes. [Temp], [Commit] and [Discard] serve
// libraries that insist on opening files themselves.
//
// A program that is killed leaves its temporary files behind. The next one that writes the
// same target removes them: each bears a name that nothing else has, and is locked as
// long as its program lives.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// Suffix ends the name of every temporary file.
const Suffix = ".part"

// ErrOutput is wrapped by every error of this package: a file could not be written.
var ErrOutput = errors.New("the output cannot be written")

// failure is an error whose text says what could not be done.
type failure struct {
	what, name string
	err        error
}

func (f *failure) Error() string   { return fmt.Sprintf("could not %s %q: %v", f.what, f.name, f.err) }
func (f *failure) Unwrap() []error { return []error{f.err, ErrOutput} }

func failed(what, name string, err error) error { return &failure{what, name, bare(err)} }

// File is a file that gets its name when [File.Close] succeeds.
type File struct {
	file *os.File
	name string // as given to Create
	err  error  // the first failed Write
	done bool
}

// Create opens a new file under a temporary name beside name. Usage:
//
//	f, err := atomicfile.Create(name)
//	if err != nil {
//		return err
//	}
//	defer f.Abort()
//	... write to f ...
//	return f.Close()
//
// It is an error if name is a directory, a device or a pipe, or if its
// directory is missing or not writable. A symbolic link is followed: the file
// that it names is the one that is replaced.
func Create(name string) (*File, error) {
	process.begin() // who has bytes to write writes them without delay
	f, err := create(name)
	if err != nil {
		process.end()
		return nil, err
	}
	return &File{file: f, name: name}, nil
}

// Name returns the name that the file will have, as it was given to [Create].
func (f *File) Name() string { return f.name }

// Write writes p to the file. After a failed Write, Close fails as well.
func (f *File) Write(p []byte) (int, error) {
	n, err := f.file.Write(p)
	if err != nil && f.err == nil {
		f.err = err
	}
	return n, err
}

// Close flushes the file to the disk and gives it its name. If that, or a
// Write before, fails, then the temporary file is removed and the error is
// returned. A second Close does nothing.
func (f *File) Close() error {
	if f.done {
		return nil
	}
	f.done = true
	defer process.end()
	tmp := f.file.Name()
	err := f.err
	if err == nil {
		err = f.file.Sync()
	}
	if e := f.file.Close(); err == nil {
		err = e
	}
	if err != nil {
		Discard(tmp)
		return failed("write", f.name, err)
	}
	return rename(tmp, f.name)
}

// Abort removes the temporary file. It does nothing after Close.
func (f *File) Abort() {
	if f.done {
		return
	}
	f.done = true
	defer process.end()
	_ = f.file.Close()
	Discard(f.file.Name())
}

// Check checks that a file of this name could be written now. The errors are those of
// [Create].
func Check(name string) error {
	f, err := Create(name)
	if err != nil {
		return err
	}
	f.Abort()
	return nil
}

// WriteFile writes data to the named file, all or nothing.
func WriteFile(name string, data []byte) error {
	f, err := Create(name)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write(data); err != nil {
		return failed("write", name, err)
	}
	return f.Close()
}

// Temp creates an empty temporary file beside name and returns its name, for a
// writer that opens the file itself. [Commit] or [Discard] must follow. The
// errors are those of [Create].
func Temp(name string) (tmp string, err error) {
	f, err := create(name)
	if err != nil {
		return "", err
	}
	if err := f.Close(); err != nil {
		Discard(f.Name())
		return "", failed("create", name, err)
	}
	return f.Name(), nil
}

// Commit flushes the complete file tmp, made by [Temp] for the same name, to
// the disk and gives it that name. On failure tmp is removed.
func Commit(tmp, name string) error {
	process.begin()
	defer process.end()
	if err := flush(tmp); err != nil {
		Discard(tmp)
		return failed("write", name, err)
	}
	return rename(tmp, name)
}

// Discard removes the temporary file tmp.
func Discard(tmp string) {
	_ = os.Remove(tmp)
	process.forget(tmp)
}

// create opens a new temporary file beside the target of name. An existing
// target hands its permissions on.
func create(name string) (*os.File, error) {
	path, info, err := target(name)
	if err != nil {
		return nil, failed("create", name, err)
	}
	process.removeLeft(path)
	for {
		tmp := temporary(path, host(), rand.Uint32())
		f, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, failed("create", name, err)
		}
		if err := process.hold(tmp); err != nil {
			_ = f.Close()
			_ = os.Remove(tmp)
			if errors.Is(err, errTaken) { // by a process that took it for what another has left
				continue
			}
			return nil, failed("create", name, err)
		}
		if info != nil {
			_ = f.Chmod(info.Mode().Perm()) // best effort: some file systems have no permissions
		}
		return f, nil
	}
}

// target returns the path of the file that name stands for, with symbolic
// links followed, and what is there now (nil: nothing).
func target(name string) (string, fs.FileInfo, error) {
	if name == "" {
		return "", nil, errors.New("the file name is empty")
	}
	if link, err := os.Lstat(name); err == nil && link.Mode()&fs.ModeSymlink != 0 {
		path, err := filepath.EvalSymlinks(name)
		if err != nil {
			return "", nil, errors.New("it is a symbolic link to nowhere")
		}
		name = path
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if dir := filepath.Dir(name); !isDir(dir) {
			return "", nil, fmt.Errorf("there is no directory %q", dir)
		}
		return name, nil, nil
	case err != nil:
		return "", nil, bare(err)
	case info.IsDir():
		return "", nil, errors.New("it is a directory")
	case !info.Mode().IsRegular():
		return "", nil, errors.New("it is not a regular file")
	}
	return name, info, nil
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

func rename(tmp, name string) error {
	path, _, err := target(name)
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		Discard(tmp)
		return failed("replace", name, err)
	}
	process.forget(tmp)
	_ = flush(filepath.Dir(path)) // makes the name durable where directories can be synced
	return nil
}

func flush(name string) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil && isDir(name) {
		f, err = os.Open(name)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// bare returns the cause of err without the operation and the temporary name
// that os puts before it.
func bare(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}
