package atomicfile

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// temporaries are the temporary files of this process.
type temporaries struct {
	mu      sync.Mutex
	locks   map[string]*os.File // by name; nil where there are no locks
	busy    int                 // files that are being written and completed
	cleaned map[string]bool     // targets whose leftovers have been looked for
}

// process knows the temporary files of this process. It is a variable because a signal comes
// to the process and not to a writer: [Quit] must find the files of all of them.
var process = temporaries{locks: map[string]*os.File{}, cleaned: map[string]bool{}}

// Quit removes the temporary files of this process, which must exit then: no file can be
// created any more, and whoever tries waits for the end. It waits for those that are being
// completed, but not longer than it is told.
func Quit(wait time.Duration) {
	const pause = 10 * time.Millisecond
	for end := time.Now().Add(wait); ; time.Sleep(pause) {
		process.mu.Lock()
		if process.busy == 0 || time.Now().After(end) {
			break // and keep the lock
		}
		process.mu.Unlock()
	}
	for tmp := range process.locks {
		_ = os.Remove(tmp)
	}
}

func (t *temporaries) begin() {
	t.mu.Lock()
	t.busy++
	t.mu.Unlock()
}

func (t *temporaries) end() {
	t.mu.Lock()
	t.busy--
	t.mu.Unlock()
}

// hold locks a new temporary file. The error is errTaken if it is not there any more.
func (t *temporaries) hold(tmp string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, err := lock(tmp)
	if err != nil && !errors.Is(err, errNoLocks) {
		return err
	}
	t.locks[tmp] = f
	return nil
}

// forget unlocks a temporary file that is none any more.
func (t *temporaries) forget(tmp string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f := t.locks[tmp]; f != nil {
		_ = f.Close()
	}
	delete(t.locks, tmp)
}

// removeLeft removes the temporary files of a target that processes have left that are gone.
func (t *temporaries) removeLeft(path string) {
	// Of another machine, which may be at work and whose locks may not be seen here, only
	// what has not been written to for so long is left over.
	const elsewhere = 24 * time.Hour
	t.mu.Lock()
	known := t.cleaned[path]
	t.cleaned[path] = true
	t.mu.Unlock()
	if known {
		return
	}
	dir, base := filepath.Split(path)
	entries, err := os.ReadDir(filepath.Clean(dir + "."))
	if err != nil {
		return
	}
	for _, e := range entries {
		from, ok := isTemporary(e.Name(), base)
		if !ok || !e.Type().IsRegular() {
			continue
		}
		tmp := dir + e.Name()
		if info, err := e.Info(); err != nil || from != host() && time.Since(info.ModTime()) < elsewhere {
			continue
		}
		if f, err := lock(tmp); err == nil {
			_ = os.Remove(tmp)
			_ = f.Close()
		}
	}
}

// temporary returns the name of a temporary file of a target: it tells the machine, and holds
// a number by which it is told from files of others.
func temporary(path string, host uint16, random uint32) string {
	return fmt.Sprintf("%s.%04x%08x%04x%s", path, host, random, proof(filepath.Base(path), host, random), Suffix)
}

// isTemporary reports whether a file beside the target base has a name that [temporary] made,
// for base or for a temporary file of base, and of which machine.
func isTemporary(name, base string) (host uint16, ok bool) {
	const digits = 16
	dot := len(name) - len(Suffix) - digits - 1
	if dot < len(base) || !strings.HasPrefix(name, base) || !strings.HasSuffix(name, Suffix) {
		return 0, false
	}
	var random uint32
	var check uint16
	if n, err := fmt.Sscanf(name[dot:], ".%4x%8x%4x", &host, &random, &check); n != 3 || err != nil {
		return 0, false
	}
	stem := name[:dot]
	if temporary(stem, host, random) != name {
		return 0, false
	}
	if stem != base {
		_, ok = isTemporary(stem, base)
		return host, ok
	}
	return host, true
}

func proof(base string, host uint16, random uint32) uint16 {
	h := fnv.New32a()
	fmt.Fprintf(h, "%s %d %d", base, host, random)
	return uint16(h.Sum32())
}

// host returns a number for this machine.
func host() uint16 {
	name, _ := os.Hostname()
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return uint16(h.Sum32())
}

// What lock may say.
var (
	errNoLocks = errors.New("the file system has no locks")
	errTaken   = errors.New("another process has it")
)
