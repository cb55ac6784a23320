// Package panics makes errors of panics, and carries them from goroutines to those who
// wait for these: a panic in a goroutine that does not recover ends the program, whatever
// others do about theirs.
package panics

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// Error is a panic as an error.
type Error struct {
	Value any
	Place string // in the source, or empty
}

func (e *Error) Error() string {
	if e.Place == "" {
		return fmt.Sprintf("panic: %v", e.Value)
	}
	return fmt.Sprintf("panic: %v (%s)", e.Value, e.Place)
}

// Unwrap returns the error that was panicked with, if it was one.
func (e *Error) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// New returns the error for a value that was recovered. It is called by the deferred
// function that has recovered it.
func New(value any) *Error {
	if e, ok := value.(*Error); ok { // it came from a goroutine
		return e
	}
	e := &Error{Value: value}
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	for panics := false; ; {
		frame, more := frames.Next()
		if frame.Function == "runtime.gopanic" {
			panics = true
		} else if panics && !strings.HasPrefix(frame.Function, "runtime.") {
			e.Place = fmt.Sprintf("%s:%d", filepath.Base(frame.File), frame.Line)
			return e
		}
		if !more {
			return e
		}
	}
}

// Guard calls f and makes an error of a panic.
func Guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = New(p)
		}
	}()
	return f()
}

// Net catches the panics of several goroutines.
type Net struct {
	mu    sync.Mutex
	first *Error
}

// Do calls f and keeps the first panic of all.
func (n *Net) Do(f func()) {
	defer func() {
		if p := recover(); p != nil {
			e := New(p)
			n.mu.Lock()
			defer n.mu.Unlock()
			if n.first == nil {
				n.first = e
			}
		}
	}()
	f()
}

// Throw panics with what was caught, if anything was.
func (n *Net) Throw() {
	n.mu.Lock()
	first := n.first
	n.mu.Unlock()
	if first != nil {
		panic(first)
	}
}

// Group is a sync.WaitGroup whose Wait panics when one of its goroutines has.
type Group struct {
	all sync.WaitGroup
	net Net
}

// Go calls f in a goroutine.
func (g *Group) Go(f func()) { g.all.Go(func() { g.net.Do(f) }) }

// Wait waits for the goroutines.
func (g *Group) Wait() {
	g.all.Wait()
	g.net.Throw()
}
