package rootio

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// TreeInfo is what a tree is, without its events.
type TreeInfo struct {
	Name     string       `json:"name"` // with its directory: "dir/tree"
	Title    string       `json:"title,omitempty"`
	Entries  int64        `json:"entries"`
	Branches []BranchInfo `json:"branches"`
	Reason   string       `json:"reason,omitempty"` // why the tree cannot be read; "" when it can

	// What ROOT knows of the tree and eidolon does not use. [Like] carries aliases and user information along.
	Friends []Friend `json:"friends,omitempty"`
	Aliases []Alias  `json:"aliases,omitempty"`
	Index   string   `json:"index,omitempty"`  // class of an index of its events
	Extras  int      `json:"extras,omitempty"` // objects in its list of user information
	Lost    int      `json:"lost,omitempty"`   // those of them that are not carried along: neither names, texts nor numbers

	carried []userObject
}

// Friend is another tree whose branches ROOT shows beside those of a tree, entry by entry.
type Friend struct {
	Name string `json:"name"` // by which it is known
	Tree string `json:"tree"` // its name in its file
	File string `json:"file,omitempty"`
}

// Alias is a name for an expression.
type Alias struct {
	Name       string `json:"name"`
	Expression string `json:"expression"`
}

// BranchInfo is what a branch is, or one leaf of a branch with several.
type BranchInfo struct {
	Field         // Kind is zero when the branch is no column
	Type   string `json:"type"`             // for display: "float32", "[]float32", "[3]float64", "string", …
	Reason string `json:"reason,omitempty"` // why the branch is no column; "" when it is one
	Note   string `json:"note,omitempty"`   // what is to be known of a column
}

// branch is a BranchInfo with what it takes to read it.
type branch struct {
	BranchInfo
	value
	layout layout // of the values in a basket
	isLeaf bool   // rather than an object with members
	of     string // the branch itself
	also   string // what ROOT calls it, if that is not its name

	tuple *tupleColumn // nil: it is of a TTree

	contradictory bool // what it says of its entries cannot be
}

// isColumn reports whether the branch can be read.
func (b *branch) isColumn() bool { return b.Kind != 0 }

// column is one column of a tree.
type column struct {
	Field
	branch int // its index among the branches
}

// columnsOf returns the columns that the branches give. A branch of fixed arrays
// gives one for each element.
func columnsOf(branches []branch) []column {
	var columns []column
	for i := range branches {
		b := &branches[i]
		if !b.isColumn() {
			continue
		}
		for e := range b.elems {
			f := b.Field
			if b.dims != nil {
				f.Name, f.Index = elementName(b.Field.Array, b.dims, e), e
			}
			if b.IsJagged() {
				f.Array = ""
			}
			columns = append(columns, column{f, i})
		}
	}
	return columns
}

// elementName returns the name of the column of element e of "x[2][3]": "x_0_1".
func elementName(array string, dims []int, e int) string {
	tail := ""
	for i := len(dims) - 1; i >= 0; i-- {
		tail = fmt.Sprintf("_%d%s", e%dims[i], tail)
		e /= dims[i]
	}
	return arrayName(array, len(dims)) + tail
}

// arrayName returns the name of "x[2][3]" without its dimensions.
func arrayName(array string, dims int) string {
	for range dims {
		array = array[:max(0, strings.LastIndexByte(array, '['))]
	}
	return array
}

// branchesOf returns the branches of a tree in order, those of split objects
// after the object. No two columns have the same name.
func (f *rootFile) branchesOf(tree *treeRecord) (branches []branch, err error) {
	if err := qualify(tree.branches); err != nil {
		return nil, err
	}
	names := make(map[string]int)
	var walk func(bs []*branchRecord) error
	walk = func(bs []*branchRecord) error {
		for _, b := range bs {
			names[b.name]++
			if len(b.branches) == 0 {
				leaves, err := f.leavesOf(tree, b)
				if err != nil {
					return err
				}
				branches = append(branches, leaves...)
				continue
			}
			class := "struct"
			if b.element != nil {
				class = b.element.class
			}
			branches = append(branches, branch{BranchInfo: BranchInfo{
				Field:  Field{Name: b.column, Title: titleOf(b)},
				Type:   class,
				Reason: "it is an object: read its members",
			}})
			if b.element != nil && b.element.isCollection() && len(b.leaves) == 1 {
				branches = append(branches, f.collectionCount(tree, b))
			}
			if err := walk(b.branches); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk(tree.branches); err != nil {
		return nil, err
	}
	for i := range branches {
		if b := &branches[i]; b.isColumn() {
			if err := f.checkBaskets(b, b.of, names); err != nil {
				return nil, err
			}
		}
	}
	if err := onlyContradictions(branches); err != nil {
		return nil, err
	}
	unique(branches)
	connectCounters(branches)
	return branches, nil
}

// qualify finds the names of branches among the columns. A member of an object is called after
// the object, too, if its own name is not the only one of its kind.
func qualify(branches []*branchRecord) error {
	seen := make(map[*branchRecord]bool)
	times := make(map[string]int)
	var count func(bs []*branchRecord) error
	count = func(bs []*branchRecord) error {
		for _, b := range bs {
			if seen[b] {
				return asDamage(fmt.Errorf("is damaged: branch %q is in two places, copy or write it again", b.name))
			}
			seen[b] = true
			times[b.name]++
			if err := count(b.branches); err != nil {
				return err
			}
		}
		return nil
	}
	if err := count(branches); err != nil {
		return err
	}
	var name func(of branchRecord, bs []*branchRecord)
	name = func(of branchRecord, bs []*branchRecord) {
		for _, b := range bs {
			b.column = b.name
			prefix := strings.TrimSuffix(of.column, ".") + "."
			switch member, isOf := strings.CutPrefix(b.name, strings.TrimSuffix(of.name, ".")+"."); {
			case of.name == "" || strings.HasPrefix(b.name, prefix):
			case isOf: // its name has that of the object, but not all of it
				b.column = prefix + member
			case times[b.name] > 1:
				b.column = prefix + b.name
			}
			name(*b, b.branches)
		}
	}
	name(branchRecord{}, branches)
	return nil
}

// onlyContradictions returns an error if all branches of numbers contradict themselves or the tree.
func onlyContradictions(branches []branch) error {
	i := slices.IndexFunc(branches, func(b branch) bool { return b.contradictory || b.Note != "" })
	if i < 0 || slices.ContainsFunc(branches, func(b branch) bool { return b.isColumn() && b.Note == "" }) {
		return nil
	}
	return asDamage(fmt.Errorf("is damaged: branch %q cannot be read: %s", branches[i].Name, branches[i].Reason+branches[i].Note))
}

// unique makes columns of the same name but the first no columns.
func unique(branches []branch) {
	seen := make(map[string]bool, len(branches))
	for _, like := range []func(b *branch) bool{ // who goes first where names are the same
		func(b *branch) bool { return b.dims == nil && b.Name == b.of },
		func(b *branch) bool { return b.dims == nil && b.Name != b.of },
		func(b *branch) bool { return b.dims != nil },
	} {
		for i := range branches {
			b := &branches[i]
			if !b.isColumn() || !like(b) {
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
}

func (b *branch) exclude(reason string) {
	b.Field = Field{Name: b.Name, Title: b.Title}
	b.Reason = reason
}

// connectCounters connects columns of varying length to what counts their values.
func connectCounters(branches []branch) {
	for i := range branches {
		b := &branches[i]
		if !b.isColumn() || b.Counter == "" || b.Counter == Vector {
			continue
		}
		b.layout.counter = &count{name: b.Counter}
		k := slices.IndexFunc(branches, func(c branch) bool { return c.isColumn() && c.Name == b.Counter })
		if k >= 0 && branches[k].Kind.IsInteger() && branches[k].dims == nil && !branches[k].IsJagged() {
			b.layout.counter.kind, b.layout.counter.layout = branches[k].Kind, &branches[k].layout
		}
	}
}

func tooMany(elems int) string {
	return fmt.Sprintf("it holds %d numbers per event, more than the %d that become columns", elems, mostElems)
}

// leavesOf returns the leaves of a branch without sub-branches.
func (f *rootFile) leavesOf(tree *treeRecord, b *branchRecord) ([]branch, error) {
	out := make([]branch, 0, len(b.leaves))
	packed := 0        // the offset of the leaf within the entry on file; negative: unknown
	memory := int64(0) // and in memory, where it may be padded
	const padding = 8  // at most, for each leaf
	shapes := leafShapes{root: &objectShape{}, exact: true}
	for i, leaf := range b.leaves {
		c := branch{isLeaf: true, of: b.name}
		c.Name, c.Title, c.also = columnName(leaf), "", b.name
		if len(b.leaves) == 1 {
			c.Title = titleOf(b)
		}
		if _, plain := leafKinds[leaf.class]; plain && (leaf.length < 0 || leaf.size < 0 || leaf.offset < 0 || leaf.offset > memory+int64(i)*padding) {
			return nil, asDamage(fmt.Errorf("is damaged: leaf %q of branch %q cannot be at byte %d of %d numbers of %d bytes, copy or write it again",
				leaf.name, b.name, leaf.offset, leaf.length, leaf.size))
		}
		memory += leaf.size * min(leaf.length, math.MaxInt32)
		v, err := f.valueOf(leaf)
		c.Type = v.name
		if v.isObject && len(b.leaves) == 1 {
			return f.objectsOf(tree, b, v.name)
		}
		where := shapes.add(leaf, v)
		switch {
		case err != nil:
			c.Reason = err.Error()
		case v.kind == 0:
			c.Reason = "it holds a " + v.name + " per event, neither a number nor an array of numbers"
		case v.elems > mostElems:
			c.Reason = tooMany(v.elems)
		case slices.ContainsFunc(b.leaves[:i], func(l *leafRecord) bool { return l.name == leaf.name }):
			c.Reason = "another branch or leaf has the same name"
		case len(b.leaves) > 1 && (packed < 0 || v.counter != "") && where == nil:
			c.Reason = "it is among leaves whose length is not fixed"
		case b.entries < tree.entries && (b.entries == 0 || v.counter != "" && v.counter != Vector):
			c.contradictory, c.Reason = true, fmt.Sprintf("it has %d entries, the tree %d", b.entries, tree.entries)
		default:
			c.Note = shortOf(tree, b)
			c.value, c.Kind, c.Counter, c.Stored = v, v.kind, v.counter, v.short
			if v.dims != nil {
				shape := ""
				for _, n := range v.dims {
					shape += fmt.Sprintf("[%d]", n)
				}
				c.Array = strings.TrimSuffix(c.Name, shape) + shape
			}
		}
		c.layout.offset = packed
		if len(b.leaves) > 1 && (packed < 0 || v.counter != "") && where != nil {
			c.layout.object = &objectLayout{root: shapes.root, want: where}
		}
		out = append(out, c)
		if v.counter != "" || v.kind == 0 || err != nil {
			packed = -1
		} else if packed >= 0 {
			packed += v.elems * v.stored.size
		}
	}
	for i := range out {
		if c := &out[i]; c.isColumn() {
			object := c.layout.object
			c.setLayout(b, max(packed, 0))
			c.layout.varyingTail = packed < 0 && c.counter == ""
			if object != nil {
				object.exact, c.layout.object = shapes.exact, object
			}
		}
	}
	return out, nil
}

// shortOf says how a branch that has fewer entries than its tree is read: as ROOT does, which
// leaves the last value where it is.
func shortOf(tree *treeRecord, b *branchRecord) string {
	if b.entries >= tree.entries {
		return ""
	}
	return fmt.Sprintf("it has %d entries, the tree %d: the last is taken for those after it", b.entries, tree.entries)
}

// setLayout says how the values lie in baskets whose entries have stride bytes.
func (b *branch) setLayout(of *branchRecord, stride int) {
	b.layout = layout{stored: b.stored, elems: b.elems, stride: stride, offset: b.layout.offset, header: b.header, vector: b.counter == Vector}
	var err error
	if b.layout.spans, err = spansOf(of); err != nil {
		b.contradictory = errors.Is(err, errBasketOrder)
		b.exclude(err.Error())
	}
}

// collectionCount returns the column of how many objects a split collection has.
func (f *rootFile) collectionCount(tree *treeRecord, of *branchRecord) branch {
	b := branch{isLeaf: true, of: of.name, value: value{name: Int32.String(), kind: Int32, stored: plainly(Int32), elems: 1}}
	b.Name, b.Type = columnName(of.leaves[0]), b.name
	if of.entries < tree.entries {
		b.Reason = fmt.Sprintf("it has %d entries, the tree %d", of.entries, tree.entries)
		return b
	}
	b.Kind = Int32
	b.setLayout(of, 4)
	return b
}

func (e *elementRecord) isCollection() bool { return e.kind == 3 || e.kind == 4 }

// columnName returns the name of the column of a leaf: that of its branch if it is alone.
func columnName(leaf *leafRecord) string {
	b := leaf.branch
	switch {
	case b == nil:
		return leaf.name
	case b.element != nil && b.element.isCollection():
		return strings.TrimSuffix(b.column, b.name) + leaf.name
	case len(b.leaves) > 1:
		return b.column + "." + leaf.name
	}
	return b.column
}

// titleOf returns the title of a branch, unless it is the list of its leaves
// ("pt/F"), which is what ROOT puts there when nobody gave one.
func titleOf(b *branchRecord) string {
	if b.title == b.name {
		return ""
	}
	for _, leaf := range b.leaves {
		if rest, found := strings.CutPrefix(b.title, leaf.name); found && (rest == "" || strings.ContainsRune("/[:", rune(rest[0]))) {
			return ""
		}
	}
	return b.title
}

// value is what a leaf holds for an event.
type value struct {
	name    string // of the type, for display
	kind    Kind   // of its numbers; zero if they are none
	stored  stored
	short   string // [Field.Stored]
	dims    []int  // of a fixed array
	elems   int    // of a fixed array, else 1
	counter string // the column that counts the values, or Vector; "" if there is nothing to count

	isObject bool // its numbers may be found by its class
	header   int  // bytes before the values of an entry of varying length
}

// valueOf returns what a leaf holds. Its error is why the leaf is no column.
func (f *rootFile) valueOf(leaf *leafRecord) (v value, err error) {
	v = value{name: leaf.class, elems: 1}
	b := leaf.branch
	kinds, plain := leafKinds[leaf.class]
	switch {
	case plain:
		v.kind = kinds[0]
		if leaf.unsigned {
			v.kind = kinds[1]
		}
		v.stored = plainly(v.kind)
		if leaf.size != int64(v.kind.size()) {
			return v, fmt.Errorf("its leaf is a %s of %d bytes", leaf.class, leaf.size)
		}
	case leaf.class == "TLeafF16":
		v.kind, v.stored, v.short = Float32, lowPrecision(memberFloat16, leaf.title), "f"+rangeText(leaf.title)
	case leaf.class == "TLeafD32":
		v.kind, v.stored, v.short = Float64, lowPrecision(memberDouble32, leaf.title), "d"+rangeText(leaf.title)
	case leaf.class == "TLeafC":
		v.name = "string"
		return v, nil
	case leaf.class == "TLeafElement" && b.element != nil:
		if done, err := f.memberValue(&v, b.element); done || err != nil {
			return v, err
		}
	default:
		if b.element == nil && leaf.class == "TLeafObject" {
			v.name, v.isObject = leaf.title, true
		}
		return v, nil
	}
	v.name = v.kind.String()
	if !v.stored.isKnown() {
		return v, fmt.Errorf("its numbers are shortened in a way that is not known: %q", leaf.title)
	}
	if v.dims, err = dimensions(leaf); err != nil {
		return v, err
	}
	for _, n := range slices.Backward(v.dims) {
		v.name = fmt.Sprintf("[%d]%s", n, v.name)
		v.elems *= n
	}
	if leaf.count != nil {
		v.name = "[]" + v.name
		v.counter = columnName(leaf.count)
	}
	return v, nil
}

// memberValue sets what a member of a class holds but for how many there are. It reports
// whether nothing more is to be said.
func (f *rootFile) memberValue(v *value, e *elementRecord) (done bool, err error) {
	v.name = e.class
	member := e.member
	if member > memberPointer && member < memberObject {
		v.header = 1 // whether the pointer was nil
	}
	if member > 0 && member < memberObject {
		member %= memberArray
	}
	var m streamerElement
	if e.id >= 0 && (member >= memberObject || member == memberDouble32 || member == memberFloat16) {
		classes, err := f.classes()
		if err == nil {
			m, err = find(classes, e)
		}
		if err != nil {
			return true, err
		}
		if v.name = m.typeName; v.name == "BASE" {
			v.name = m.name
		}
	}
	switch {
	case e.id < 0, member == memberSTL, member == memberStream, member == 71, member == 365:
		var ok bool
		name := v.name
		if v.name, v.kind, v.stored, ok = collectionType(name); ok {
			v.counter = Vector
		}
		if e.kind > 4 { // several to an object
			v.kind, v.counter = 0, ""
		}
		v.isObject = v.kind == 0 && v.name != "string"
		return true, nil
	case member == memberText:
		v.name = "string"
		return true, nil
	case member == memberFloat16:
		v.kind, v.stored, v.short = Float32, lowPrecision(memberFloat16, m.title), "f"+rangeText(m.title)
	case member == memberDouble32:
		v.kind, v.stored, v.short = Float64, lowPrecision(memberDouble32, m.title), "d"+rangeText(m.title)
	default:
		if v.kind = memberKinds[member]; v.kind != 0 {
			v.stored = plainly(v.kind)
		}
		v.isObject = v.kind == 0
	}
	return v.kind == 0, nil
}

var subscript = regexp.MustCompile(`\[([^\[\]]*)\]`)

// dimensions returns the fixed dimensions of a leaf, as its title has them.
func dimensions(leaf *leafRecord) (dims []int, err error) {
	title := strings.TrimPrefix(leaf.title, leaf.name)
	if !strings.HasPrefix(leaf.title, leaf.name) { // the name of a member may have them, too
		title = leaf.title[max(0, strings.LastIndexByte(leaf.title, '.')):]
	} else if title == "" {
		title = leaf.name[max(0, strings.LastIndexByte(leaf.name, '.')):]
	}
	total := int64(1)
	for _, s := range subscript.FindAllStringSubmatch(title, -1) {
		n, err := strconv.Atoi(s[1])
		if err != nil || n < 1 || total > math.MaxInt32 {
			continue // the counter, the range of a shortened number, part of a name
		}
		dims, total = append(dims, n), total*int64(n)
	}
	length := max(leaf.length, 1)
	switch {
	case total == length:
		return dims, nil
	case length == 1:
		return nil, nil // brackets in a name
	case len(dims) == 0 && length <= math.MaxInt32:
		return []int{int(length)}, nil
	}
	return nil, fmt.Errorf("its leaf says %q and has %d numbers", leaf.title, length)
}

// collections are the templates of the standard library whose values are stored one after
// the other, and ROOT's.
var collections = []string{"vector", "list", "deque", "set", "multiset", "unordered_set", "unordered_multiset", "forward_list", "ROOT::VecOps::RVec", "ROOT::RVec"}

// collectionType returns what a collection such as std::vector<float> holds, and whether
// it is one of numbers. The name is for display.
func collectionType(class string) (name string, kind Kind, s stored, ok bool) {
	class = strings.TrimSuffix(strings.TrimSpace(class), "*")
	class = strings.ReplaceAll(class, "std::", "")
	template, of, found := strings.Cut(strings.TrimSuffix(class, ">"), "<")
	if !found || !slices.Contains(collections, strings.TrimSpace(template)) {
		if class == "string" || class == "TString" {
			return "string", 0, s, false
		}
		return class, 0, s, false
	}
	of, _, _ = strings.Cut(of, ",allocator<")
	of = strings.TrimSpace(of)
	switch k := cppKinds[of]; {
	case k != 0:
		return "[]" + k.String(), k, plainly(k), true
	case of == "Double32_t":
		return "[]float64", Float64, lowPrecision(memberDouble32, ""), true
	case of == "Float16_t":
		return "[]float32", Float32, lowPrecision(memberFloat16, ""), true
	}
	inner, _, _, _ := collectionType(of)
	return "[]" + inner, 0, s, false
}
