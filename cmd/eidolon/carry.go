package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/eidolon-hep/eidolon/rootio"
)

// carriage is what of an input comes along to a file that is generated for it.
type carriage struct {
	fields []rootio.Field      // in the order of the input, counters before their arrays
	left   []rootio.BranchInfo // behind, with the reason
}

// newCarriage takes all that can be read of the input, apart from the columns that are
// drawn. An array that is counted by one of these has no place in the new events.
func newCarriage(in *rootio.Tree, drawn []string) carriage {
	c := carriage{left: in.Omitted()}
	all := in.AllFields()
	taken := make(map[string]bool, len(all))
	take := func(f rootio.Field) {
		if !taken[f.Name] && !slices.Contains(drawn, f.Name) {
			taken[f.Name] = true
			c.fields = append(c.fields, f)
		}
	}
	for _, f := range all {
		if !f.IsJagged() || f.Counter == rootio.Vector || slices.Contains(drawn, f.Name) {
			take(f)
			continue
		}
		counter := slices.IndexFunc(all, func(c rootio.Field) bool { return c.Name == f.Counter })
		reason := ""
		switch {
		case slices.Contains(drawn, f.Counter):
			reason = fmt.Sprintf("it is counted by %q, which is drawn", f.Counter)
		case counter < 0 || all[counter].IsJagged() || !all[counter].Kind.IsInteger():
			reason = fmt.Sprintf("it is counted by %q, which is no integer branch", f.Counter)
		default:
			take(all[counter])
			take(f)
			continue
		}
		c.left = append(c.left, rootio.BranchInfo{Field: f, Reason: reason})
	}
	return c
}

// onlyOf leaves behind the arrays that are of no object of the collection: a row for each
// object has no place for them.
func (c *carriage) onlyOf(collection *rootio.Collection) {
	c.fields = slices.DeleteFunc(c.fields, func(f rootio.Field) bool {
		other := f.IsJagged() && !slices.ContainsFunc(collection.Fields, func(of rootio.Field) bool { return of.Name == f.Name })
		if other {
			c.left = append(c.left, rootio.BranchInfo{Field: f, Reason: fmt.Sprintf("it is no branch of %s, and there is a row for each of these", collection.Name)})
		}
		return other
	})
}

// names returns the names of the columns.
func (c carriage) names() []string {
	names := make([]string, len(c.fields))
	for i, f := range c.fields {
		names[i] = f.Name
	}
	return names
}

// say says what stays behind, in one line.
func (c carriage) say(out io.Writer) {
	switch n := len(c.left); n {
	case 0:
	case 1:
		fmt.Fprintf(out, "branch %q is not carried along: %s\n", c.left[0].Name, c.left[0].Reason)
	default:
		fmt.Fprintf(out, "%d branches are not carried along, such as %q: %s\n", n, c.left[0].Name, c.left[0].Reason)
	}
}

// chunkOf returns the number of events of so many columns that are in memory at a time.
func chunkOf(columns int) int {
	const fewest, values = 1 << 10, 1 << 22
	return max(fewest, min(chunk, values/max(1, columns)))
}
