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

// branch is a BranchInfo with what groot needs to read it.
type branch struct {
	BranchInfo
	branch, leaf string
	typ          reflect.Type // of the value that groot fills; nil when it is no column
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
	for _, single := range []bool{true, false} { // a branch "a.b" goes before leaf b of branch a
		for i := range branches {
			b := &branches[i]
			if b.typ == nil || single != (b.Name == b.branch) {
				continue
			}
			if seen[b.Name] {
				b.exclude("another branch has the same name")
			}
			seen[b.Name] = true
		}
	}
	return branches, nil
}

func (b *branch) exclude(reason string) {
	b.Kind, b.typ, b.Reason = 0, nil, reason
}

// leavesOf returns the leaves of a branch without sub-branches.
func leavesOf(tree rtree.Tree, b rtree.Branch) []branch {
	leaves := b.Leaves()
	out := make([]branch, 0, len(leaves))
	packed := 0 // the offset of the leaf within the entry on file; negative: unknown
	for _, leaf := range leaves {
		c := branch{branch: b.Name(), leaf: leaf.Name()}
		c.Name, c.Title = b.Name(), titleOf(b)
		if len(leaves) > 1 {
			c.Name, c.Title = b.Name()+"."+leaf.Name(), ""
		}
		typ, name, err := typeOf(leaf)
		c.Type = name
		switch {
		case err != nil:
			c.Reason = err.Error()
		case kindOfType(typ) == 0:
			c.Reason = "it holds a " + name + " per event, not one number"
		case tree.Branch(b.Name()) != b || b.Leaf(leaf.Name()) != leaf:
			c.Reason = "another branch or leaf has the same name"
		case leaf.Offset() != packed && len(leaves) > 1:
			c.Reason = "it follows a leaf whose length is not fixed"
		default:
			c.Kind, c.typ = kindOfType(typ), typ
		}
		out = append(out, c)
		if packed >= 0 {
			packed += storedSize(leaf, typ)
		}
	}
	return out
}

// storedSize returns the number of bytes of a leaf in every entry, or a large
// negative number when it varies or is not known.
func storedSize(leaf rtree.Leaf, typ reflect.Type) int {
	const unknown = -1 << 40
	if typ == nil || leaf.LeafCount() != nil {
		return unknown
	}
	switch leaf.(type) {
	case *rtree.LeafO, *rtree.LeafB, *rtree.LeafS, *rtree.LeafI, *rtree.LeafL, *rtree.LeafG, *rtree.LeafF, *rtree.LeafD:
		return leaf.Len() * leaf.LenType()
	}
	return unknown
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

// typeOf returns the Go type of the value of a leaf and its name for display.
func typeOf(leaf rtree.Leaf) (typ reflect.Type, name string, err error) {
	name = leaf.Class()
	defer guard(&err)
	typ = elementType(leaf)
	name = typeName(typ)
	switch {
	case leaf.LeafCount() != nil:
		for _, n := range fixed(leaf.Shape()) {
			name = fmt.Sprintf("[%d]%s", n, name)
		}
		return reflect.SliceOf(typ), "[]" + name, nil
	case leaf.Len() > 1 && typ.Kind() != reflect.String:
		shape := fixed(leaf.Shape())
		if len(shape) == 0 {
			shape = []int{leaf.Len()}
		}
		for i := len(shape) - 1; i >= 0; i-- {
			typ = reflect.ArrayOf(shape[i], typ)
			name = fmt.Sprintf("[%d]%s", shape[i], name)
		}
	}
	return typ, name, nil
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
