// Package printable makes texts fit for a terminal. Names and titles in files may hold
// anything: sequences that move the cursor or hide what was printed, line ends that make two
// lines of one, marks that turn the order of the letters.
package printable

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text returns a text in one line, with its control characters as \u001b. A text
// without any, of whatever letters, stays as it is.
func Text(s string) string { return escape(s, "") }

// escape escapes all control characters but those to keep.
func escape(s, keep string) string {
	isClean := func(r rune) bool {
		return r != utf8.RuneError && !isControl(r) || strings.ContainsRune(keep, r)
	}
	if strings.IndexFunc(s, func(r rune) bool { return !isClean(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if isClean(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\u%04x`, r) // as JSON has it
		}
	}
	return b.String()
}

// isControl reports whether a terminal does something else with a character than to show it.
func isControl(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// Writer escapes the control characters of what is written to it, but for tabs and ends of
// lines. A character must come in one piece.
type Writer struct{ To io.Writer }

// Write writes p, all of it or, with an error, none.
func (w Writer) Write(p []byte) (int, error) {
	if _, err := w.To.Write([]byte(escape(string(p), "\n\t"))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Unwrap returns the writer below, for who draws on a terminal.
func (w Writer) Unwrap() io.Writer { return w.To }
