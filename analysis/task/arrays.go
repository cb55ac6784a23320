package task

import (
	"slices"
	"strings"

	"github.com/eidolon-hep/eidolon/rootio"
)

// members are the branches of a collection that are looked at unless told otherwise, by
// what comes after its name, in small letters; the sum of the first that is there is looked
// at, too.
var members = []string{"pt", "et", "e", "energy", "p_t", "eta", "phi", "mass", "m", "px", "py", "pz"}

// summed is the number of members of which a sum tells something.
const summed = 5

// ofArrays returns what is looked at of the arrays of a tree unless told otherwise, one number
// per event each: how many objects there are, sums, and values of the leading object.
// It also returns the branches of which nothing is.
func ofArrays(t *rootio.Tree) (names []string, omitted []rootio.BranchInfo) {
	const most = 40 // a file may have hundreds of collections
	type collection struct {
		counter  string
		branches []rootio.Field
	}
	all := t.AllFields()
	byName := map[string]*collection{}
	var collections []*collection
	for _, f := range all {
		if !f.IsJagged() || f.Nested != "" {
			continue
		}
		key := "counter " + f.Counter
		if f.Counter == rootio.Vector {
			key, _ = splitMember(f.Name)
		}
		if byName[key] == nil {
			byName[key] = &collection{counter: f.Counter}
			collections = append(collections, byName[key])
		}
		byName[key].branches = append(byName[key].branches, f)
	}
	var first, then []string // in the order of their worth
	for _, c := range collections {
		isScalar := func(f rootio.Field) bool { return f.Name == c.counter && !f.IsJagged() }
		if !slices.ContainsFunc(all, isScalar) {
			first = append(first, "len("+c.branches[0].Name+")")
		}
		physical := 0
		for i, member := range members {
			at := slices.IndexFunc(c.branches, func(f rootio.Field) bool {
				_, m := splitMember(f.Name)
				return f.Kind.IsFloat() && strings.EqualFold(m, member)
			})
			switch {
			case at < 0:
				continue
			case physical == 0 && i < summed:
				first = append(first, c.branches[at].Name+"[0]", "sum("+c.branches[at].Name+")")
			default:
				then = append(then, c.branches[at].Name+"[0]")
			}
			physical++
		}
		if at := slices.IndexFunc(c.branches, func(f rootio.Field) bool { return f.Kind.IsFloat() }); physical == 0 && at >= 0 {
			first = append(first, c.branches[at].Name+"[0]", "sum("+c.branches[at].Name+")")
		}
	}
	names = append(first, then...)
	names = names[:min(most, len(names))]
	const reason = "of arrays, numbers, sums and values of the first object are compared; --each Jet compares all objects, --features 'Jet_btag[0]' names others"
	for _, f := range all {
		isOf := func(name string) bool { return name == f.Name+"[0]" || strings.HasSuffix(name, "("+f.Name+")") }
		if f.IsJagged() && !slices.ContainsFunc(names, isOf) {
			omitted = append(omitted, rootio.BranchInfo{Field: f, Reason: reason})
		}
	}
	return names, omitted
}

// splitMember splits Jet_pt or jet.pt in the name of the collection and what comes after it.
func splitMember(name string) (collection, member string) {
	if at := strings.IndexAny(name, "_."); at >= 0 {
		return name[:at], name[at+1:]
	}
	return name, name
}
