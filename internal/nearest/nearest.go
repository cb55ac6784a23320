// Package nearest finds the known names that a misspelt one may stand for.
package nearest

import (
	"fmt"
	"strings"
)

// Hint returns a hint for a name that is not among known, to be appended to an error:
// the nearest of them, or nothing when none is near.
func Hint(name string, known []string) string {
	const most = 3
	least := max(1, len(name)/3)
	var guesses []string
	for _, k := range known {
		d := distance(strings.ToLower(name), strings.ToLower(k))
		if strings.HasSuffix(k, "."+name) || strings.HasSuffix(k, "/"+name) {
			d = 0
		}
		if d < least {
			least, guesses = d, nil
		}
		if d == least && len(guesses) < most {
			guesses = append(guesses, k)
		}
	}
	if len(guesses) == 0 {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", Quoted(guesses, " or "))
}

// distance returns the number of bytes to insert, delete or replace, and of neighbours to
// exchange, that makes b of a (no byte is touched twice).
func distance(a, b string) int {
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			replace := row[j]
			if a[i] != b[j] {
				replace++
			}
			next[j+1] = min(replace, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}

// Quoted joins names, each in quotes; of a long list it gives the first ones
// and the number of the others.
func Quoted(names []string, sep string) string {
	const most = 20
	q := make([]string, 0, most)
	for _, n := range names[:min(most, len(names))] {
		q = append(q, fmt.Sprintf("%q", n))
	}
	text := strings.Join(q, sep)
	if more := len(names) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
