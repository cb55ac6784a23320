package rootio

import (
	"fmt"
	"reflect"
	"strings"

	"go-hep.org/x/hep/groot/root"
	"go-hep.org/x/hep/groot/rtree"
)

// TreeInfo is what a tree is, without its events.
type TreeInfo struct {
	Name     string       `json:"name"` // with its directory: "dir/tree"
	Title    string       `json:"title,omitempty"`
	Entries  int64        `json:"entries"`
	Branches []BranchInfo `json:"branches"`
	Reason   string       `json:"reason,omitempty"` // why the tree cannot be read; "" when it can
}

// BranchInfo is what a branch is, or one leaf of a branch with several.
type BranchInfo struct {
	Field         // Kind is zero when the branch is no column
	Type   string `json:"type"`             // for display: "float32", "[]float32", "[3]float64", "string", …
	Reason string `json:"reason,omitempty"` // why the branch is no column; "" when it is one
}

// branch is a BranchInfo with what it takes to read it.
type branch struct {
	BranchInfo
	branch, leaf string
	typ          reflect.Type // of the value that groot fills; nil when it is no column
	elems        int          // columns that it gives: one for each element of a fixed array
	dims         []int        // of a fixed array
	layout       layout       // of the values in a basket
	node         rtree.Branch
}

// column is one column of a tree.
type column struct {
	Field
	branch int // its index among the branches
}

// columnsOf returns the columns that the branches give. A branch of fixed arrays
// gives one for each element.
func columnsOf(branches []branch) []column {
	var columns []column
	for i, b := range branches {
		if b.typ == nil {
			continue
		}
		for e := range b.elems {
			f := b.Field
			if b.dims != nil {
				f.Name, f.Index = elementName(b.Field.Array, b.dims, e), e
			}
			columns = append(columns, column{f, i})
		}
	}
	return columns
}

// elementName returns the name of the column of element e of "x[2][3]": "x_0_1".
func elementName(array string, dims []int, e int) string {
	name, _, _ := strings.Cut(array, "[")
	tail := ""
	for i := len(dims) - 1; i >= 0; i-- {
		tail = fmt.Sprintf("_%d%s", e%dims[i], tail)
		e /= dims[i]
	}
	return name + tail
}

// branchesOf returns the branches of a tree in order, those of split objects
// after the object. No two columns have the same name.
func branchesOf(tree rtree.Tree) (branches []branch, err error) {
	defer guard(&err)
	var walk func(bs []rtree.Branch)
	walk = func(bs []rtree.Branch) {
		for _, b := range bs {
			if subs := b.Branches(); len(subs) > 0 {
				branches = append(branches, branch{BranchInfo: BranchInfo{
					Field:  Field{Name: b.Name(), Title: titleOf(b)},
					Type:   objectType(b),
					Reason: "it is an object: read its members",
				}})
				walk(subs)
				continue
			}
			branches = append(branches, leavesOf(tree, b)...)
		}
	}
	walk(tree.Branches())
	seen := make(map[string]bool, len(branches))
	for _, like := range []func(b *branch) bool{ // who goes first where names are the same
		func(b *branch) bool { return b.dims == nil && b.Name == b.branch },
		func(b *branch) bool { return b.dims == nil && b.Name != b.branch },
		func(b *branch) bool { return b.dims != nil },
	} {
		for i := range branches {
			b := &branches[i]
			if b.typ == nil || !like(b) {
				continue
			}
			names := columnsOf(branches[i : i+1])
			for _, c := range names {
				if seen[c.Name] {
					b.exclude(fmt.Sprintf("another branch has the same name %q", c.Name))
					break
				}
			}
			for _, c := range names {
				seen[c.Name] = true
			}
		}
	}
	return branches, nil
}

func (b *branch) exclude(reason string) {
	b.Field = Field{Name: b.Name, Title: b.Title}
	b.typ, b.Reason = nil, reason
}

// leavesOf returns the leaves of a branch without sub-branches.
func leavesOf(tree rtree.Tree, b rtree.Branch) []branch {
	const mostElems = 1024 // of an array that is taken apart
	leaves := b.Leaves()
	out := make([]branch, 0, len(leaves))
	packed := 0 // the offset of the leaf within the entry on file; negative: unknown
	for _, leaf := range leaves {
		c := branch{branch: b.Name(), leaf: leaf.Name(), node: b}
		c.Name, c.Title = b.Name(), titleOf(b)
		if len(leaves) > 1 {
			c.Name, c.Title = b.Name()+"."+leaf.Name(), ""
		}
		v, err := valueOf(leaf)
		c.Type = v.name
		switch {
		case err != nil:
			c.Reason = err.Error()
		case v.kind == 0:
			c.Reason = "it holds a " + v.name + " per event, neither a number nor an array of numbers"
		case v.elems > mostElems:
			c.Reason = fmt.Sprintf("it holds %d numbers per event, more than the %d that become columns", v.elems, mostElems)
		case tree.Branch(b.Name()) != b || b.Leaf(leaf.Name()) != leaf:
			c.Reason = "another branch or leaf has the same name"
		case leaf.Offset() != packed && len(leaves) > 1:
			c.Reason = "it follows a leaf whose length is not fixed"
		case v.counter != "" && len(leaves) > 1:
			c.Reason = "it is of varying length and shares its branch with other leaves"
		default:
			c.Kind, c.typ, c.dims, c.elems, c.Counter = v.kind, v.typ, v.dims, v.elems, v.counter
			if v.dims != nil {
				c.Array, _, _ = strings.Cut(c.Name, "[")
				for _, n := range v.dims {
					c.Array += fmt.Sprintf("[%d]", n)
				}
			}
		}
		out = append(out, c)
		if packed >= 0 {
			packed += storedSize(leaf, v)
		}
	}
	for i, leaf := range leaves {
		c := &out[i]
		if c.typ == nil {
			continue
		}
		c.layout = layoutOf(b, leaf, value{typ: c.typ, kind: c.Kind, counter: c.Counter}, packed)
		if len(c.layout.spans) == 0 && keepsLast(spansOf(b)) {
			c.exclude("its last basket is inside the description of the tree, where groot misreads it: write the file again")
		}
	}
	return out
}

// storedSize returns the number of bytes of a leaf in every entry, or a large
// negative number when it varies or is not known.
func storedSize(leaf rtree.Leaf, v value) int {
	const unknown = -1 << 40
	if v.counter != "" || !isPlain(leaf, v) {
		return unknown
	}
	return v.elems * v.kind.size()
}

// isPlain reports whether the values of a leaf are stored as the numbers that they
// are, in big-endian order.
func isPlain(leaf rtree.Leaf, v value) bool {
	switch leaf.(type) {
	case *rtree.LeafO, *rtree.LeafB, *rtree.LeafS, *rtree.LeafI, *rtree.LeafL, *rtree.LeafG, *rtree.LeafF, *rtree.LeafD:
		return leaf.LenType() == v.kind.size()
	}
	return leaf.Class() == "TLeafElement" && v.kind != 0 && v.typ.PkgPath() == "" && v.counter == ""
}

// titleOf returns the title of a branch, unless it is the list of its leaves
// ("pt/F"), which is what ROOT puts there when nobody gave one.
func titleOf(b rtree.Branch) string {
	title := b.Title()
	if title == b.Name() {
		return ""
	}
	for _, leaf := range b.Leaves() {
		if strings.HasPrefix(title, leaf.Name()) {
			rest := title[len(leaf.Name()):]
			if rest == "" || strings.ContainsRune("/[:", rune(rest[0])) {
				return ""
			}
		}
	}
	return title
}

// value is what a leaf holds for an event.
type value struct {
	typ     reflect.Type // that groot fills
	name    string       // of the type, for display
	kind    Kind         // of its numbers; zero if they are none
	dims    []int        // of a fixed array
	elems   int          // of a fixed array, else 1
	counter string       // the branch that counts the values, or Vector; "" if there is nothing to count
}

func valueOf(leaf rtree.Leaf) (v value, err error) {
	v.name = leaf.Class()
	defer guard(&err)
	v.typ, v.elems = elementType(leaf), 1
	v.name = typeName(v.typ)
	v.kind = kindOfType(v.typ)
	switch count := leaf.LeafCount(); {
	case count != nil:
		for _, n := range fixed(leaf.Shape()) {
			v.name, v.kind = fmt.Sprintf("[%d]%s", n, v.name), 0
		}
		v.typ, v.name = reflect.SliceOf(v.typ), "[]"+v.name
		v.counter = count.Name()
		if b := count.Branch(); b != nil && len(b.Leaves()) > 1 {
			v.counter = b.Name() + "." + count.Name()
		}
	case v.typ.Kind() == reflect.Slice:
		v.kind, v.counter = kindOfType(v.typ.Elem()), Vector
	case v.typ.Kind() == reflect.Array: // a member of an object: groot knows all of it
		for t := v.typ; t.Kind() == reflect.Array; t = t.Elem() {
			v.dims, v.kind = append(v.dims, t.Len()), kindOfType(t.Elem())
		}
	case leaf.Len() > 1 && v.typ.Kind() != reflect.String:
		v.dims = fixed(leaf.Shape())
		if len(v.dims) == 0 {
			v.dims = []int{leaf.Len()}
		}
		for i := len(v.dims) - 1; i >= 0; i-- {
			v.typ = reflect.ArrayOf(v.dims[i], v.typ)
			v.name = fmt.Sprintf("[%d]%s", v.dims[i], v.name)
		}
	}
	for _, n := range v.dims {
		v.elems *= n
	}
	return v, nil
}

func fixed(shape []int) []int {
	var dims []int
	for _, n := range shape {
		if n > 0 {
			dims = append(dims, n)
		}
	}
	return dims
}

// elementType returns the type that groot wants a value of the leaf to have.
func elementType(leaf rtree.Leaf) reflect.Type {
	switch leaf.(type) {
	case *rtree.LeafF16:
		return reflect.TypeFor[root.Float16]()
	case *rtree.LeafD32:
		return reflect.TypeFor[root.Double32]()
	}
	typ := leaf.Type()
	if !leaf.IsUnsigned() {
		return typ
	}
	switch typ.Kind() {
	case reflect.Int8:
		return reflect.TypeFor[uint8]()
	case reflect.Int16:
		return reflect.TypeFor[uint16]()
	case reflect.Int32:
		return reflect.TypeFor[uint32]()
	case reflect.Int64:
		return reflect.TypeFor[uint64]()
	}
	return typ
}

func typeName(typ reflect.Type) string {
	if k := kindOfType(typ); k != 0 {
		return k.String()
	}
	switch typ.Kind() {
	case reflect.Slice:
		return "[]" + typeName(typ.Elem())
	case reflect.Array:
		return fmt.Sprintf("[%d]%s", typ.Len(), typeName(typ.Elem()))
	case reflect.Struct:
		if typ.Name() == "" {
			return "struct"
		}
	}
	return typ.String()
}

func objectType(b rtree.Branch) (name string) {
	name = b.Class()
	defer func() { _ = recover() }() // groot has no type for it: the class of the branch must do
	return typeName(b.GoType())
}

// kindOfType returns the kind of column that holds values of typ; zero: none.
func kindOfType(typ reflect.Type) Kind {
	switch typ.Kind() {
	case reflect.Bool:
		return Bool
	case reflect.Int8:
		return Int8
	case reflect.Int16:
		return Int16
	case reflect.Int32:
		return Int32
	case reflect.Int64:
		return Int64
	case reflect.Uint8:
		return Uint8
	case reflect.Uint16:
		return Uint16
	case reflect.Uint32:
		return Uint32
	case reflect.Uint64:
		return Uint64
	case reflect.Float32:
		return Float32
	case reflect.Float64:
		return Float64
	}
	return 0
}
