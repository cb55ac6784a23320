//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// lock locks a file as long as what it returns is open.
func lock(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR, 0) // NFS wants it to be open for writing
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errTaken
	}
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = errTaken
	case err != nil: // file systems of networks have many reasons: none keeps a file from being written
		err = errNoLocks
	case !isAt(f, name): // who had the lock before has removed it
		err = errTaken
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// isAt reports whether an open file still has its name.
func isAt(f *os.File, name string) bool {
	now, err := os.Stat(name)
	if err != nil {
		return false
	}
	then, err := f.Stat()
	return err == nil && os.SameFile(now, then)
}
