package task

import (
	"context"
	"fmt"
	"slices"

	"github.com/eidolon-hep/eidolon/rootio"
)

// carriage is what is copied from an input to the file that is written for it.
type carriage struct {
	fields  []rootio.Field      // in the order of the input, counters before their arrays
	omitted []rootio.BranchInfo // branches that are not copied, with the reason
	trees   []string            // other trees of the (first) file, which are not copied
}

// newCarriage copies all that can be read of the input, apart from the columns that are
// drawn and the arrays that are counted by one of these.
func newCarriage(ctx context.Context, in *rootio.Tree, drawn []string) carriage {
	c := carriage{omitted: in.Omitted()}
	if trees, err := rootio.List(ctx, in.Files()[0]); err == nil { // it could be opened before
		for _, t := range trees {
			if t.Name != in.Name() {
				c.trees = append(c.trees, t.Name)
			}
		}
	}
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
		c.omitted = append(c.omitted, rootio.BranchInfo{Field: f, Reason: reason})
	}
	return c
}

// leave takes columns out, for a reason.
func (c *carriage) leave(reason string, which func(rootio.Field) bool) {
	c.fields = slices.DeleteFunc(c.fields, func(f rootio.Field) bool {
		if !which(f) {
			return false
		}
		c.omitted = append(c.omitted, rootio.BranchInfo{Field: f, Reason: reason})
		return true
	})
}

// say logs what is not copied, and why.
func (c carriage) say(p Progress) {
	p.logOmitted("not carried along", c.omitted)
	if len(c.trees) > 0 {
		p.logf("other trees are not carried along: %s", abbreviate(c.trees, 5))
	}
}

// logOmitted says that branches are left out, in a line for each reason.
func (p Progress) logOmitted(how string, omitted []rootio.BranchInfo) {
	const most = 5 // names, and lines
	for lines := 0; len(omitted) > 0; lines++ {
		if lines == most {
			p.logf("%s %s for other reasons; “eidolon info” tells them", branches(len(omitted)), how)
			return
		}
		var names []string
		reason := omitted[0].Reason
		omitted = slices.DeleteFunc(slices.Clone(omitted), func(b rootio.BranchInfo) bool {
			if b.Reason == reason {
				names = append(names, b.Name)
			}
			return b.Reason == reason
		})
		p.logf("%s %s (%s): %s", branches(len(names)), how, abbreviate(names, most), reason)
	}
}

// arraysOf returns the branches of arrays of varying length, which are left out for a reason.
func arraysOf(t *rootio.Tree, reason string) (arrays []rootio.BranchInfo) {
	for _, f := range t.AllFields() {
		if f.IsJagged() {
			arrays = append(arrays, rootio.BranchInfo{Field: f, Reason: reason})
		}
	}
	return arrays
}

// branches is the number of branches in words, with a verb.
func branches(n int) string {
	if n == 1 {
		return "1 branch is"
	}
	return fmt.Sprintf("%d branches are", n)
}
