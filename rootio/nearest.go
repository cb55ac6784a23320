package rootio

import "github.com/eidolon-hep/eidolon/internal/nearest"

// suggest returns a hint for a name that is not among known.
func suggest(name string, known []string) string { return nearest.Hint(name, known) }

// quoted joins names, each in quotes.
func quoted(names []string, sep string) string { return nearest.Quoted(names, sep) }
