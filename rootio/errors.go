package rootio

import (
	"context"
	"errors"
	"io/fs"
)

// Errors say of which kind they are, for those who must know what to do next:
// [errors.Is] finds these, and [fs.ErrNotExist] where a file is missing.
var (
	// ErrDamaged is wrapped by errors about a file that is no ROOT file, ends early or
	// contradicts itself: trying again does not help, another copy may.
	ErrDamaged = errors.New("the file is damaged")

	// ErrUnreachable is wrapped by errors of a server that cannot be reached, breaks off
	// or falls silent: trying again may help.
	ErrUnreachable = errors.New("the server cannot be reached")
)

// kindError is an error of a kind that its text need not name.
type kindError struct{ err, kind error }

func (e *kindError) Error() string   { return e.err.Error() }
func (e *kindError) Unwrap() []error { return []error{e.err, e.kind} }

// asDamage returns the error as one about a damaged file, unless the reading itself
// failed or was cancelled.
func asDamage(err error) error {
	if err == nil || errors.Is(err, ErrDamaged) || isOfMedium(err) {
		return err
	}
	return &kindError{err, ErrDamaged}
}

// isOfMedium reports whether the reading itself failed or was cancelled.
func isOfMedium(err error) bool {
	_, failed := errors.AsType[*readError](err)
	return failed || errors.Is(err, ErrUnreachable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, fs.ErrNotExist)
}

// readError is an error of the medium, not of what is on it.
type readError struct{ err error }

func (e *readError) Error() string { return "cannot be read: " + cause(e.err).Error() }
func (e *readError) Unwrap() error { return cause(e.err) }
