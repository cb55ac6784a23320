package rntuple

import (
	"fmt"
	"strings"
)

// Leaf is a field of numbers, or one that is none and has a reason why.
type Leaf struct {
	// Name is that of the field with those that it is part of, "jet.p4.pt". What only holds
	// the elements of a collection or an array has no name of its own.
	Name        string
	Description string
	Type        string // in C++, of the whole field: "std::vector<float>"
	Kind        Kind   // of its numbers; zero if it is none
	Reason      string // why it is none

	// Levels are the collections and arrays that the numbers are in, from the outside in.
	Levels []Level

	// Lengths says that the numbers are the lengths of a collection, that of the given
	// number as in [Level].
	Lengths    bool
	Collection int

	field   int
	variant bool // its alternatives are all numbers
}

// Level is a collection or a fixed array around the numbers of a [Leaf].
type Level struct {
	Length     int  // of an array; 0: it varies, it is a collection
	Optional   bool // a collection of one element at most
	Collection int  // a number for the collection: leaves that have it have the same lengths

	field int
}

// deepest is the number of fields within each other that are looked at.
const deepest = 64

// Leaves returns the leaves of the tuple in the order of its fields.
func (t *Tuple) Leaves() []Leaf {
	var leaves []Leaf
	for _, id := range t.top {
		f := &t.fields[id]
		t.leaves(&leaves, id, Leaf{Name: f.name, Type: f.typ, Description: f.description}, 0)
	}
	return leaves
}

// leaves appends the leaves of a field. What l says so far is of the fields around it.
func (t *Tuple) leaves(leaves *[]Leaf, id int, l Leaf, depth int) {
	f := &t.fields[id]
	l.field = id
	add := func(reason string, args ...any) {
		l.Reason = fmt.Sprintf(reason, args...)
		*leaves = append(*leaves, l)
	}
	if depth > deepest {
		add("its fields are nested deeper than %d", deepest)
		return
	}
	inner := func(child int, l Leaf) { t.leaves(leaves, child, l, depth+1) }
	within := func(level Level) Leaf {
		level.field = id
		k := l
		k.Levels = append(l.Levels[:len(l.Levels):len(l.Levels)], level)
		return k
	}
	switch {
	case f.flags&fieldRepeated != 0 && f.repeats == 0:
		add("it is an array of no numbers")
	case f.flags&fieldRepeated != 0:
		l = within(Level{Length: int(f.repeats)})
		if len(f.children) == 1 {
			inner(f.children[0], l)
			return
		}
		t.number(add, &l, f) // std::bitset
	case f.role == roleRecord:
		for _, c := range f.children {
			k, part := l, &t.fields[c]
			if !strings.HasPrefix(part.name, ":") { // members of a base class are members
				k.Name += "." + part.name
				k.Type, k.Description = part.typ, part.description
			}
			inner(c, k)
		}
		if len(f.children) == 0 {
			add("it has no members")
		}
	case f.role == roleCollection:
		if !t.areOffsets(f) {
			add("it is a collection that does not say how long it is")
			return
		}
		level := Level{Collection: f.columns[0], Optional: strings.HasPrefix(f.typ, "std::optional<") || strings.HasPrefix(f.typ, "std::unique_ptr<")}
		if len(f.children) != 1 {
			add("it is a collection of %d fields", len(f.children))
			return
		}
		inner(f.children[0], within(level))
	case f.role == roleVariant:
		t.variant(add, &l, f)
	case f.role == roleStreamed:
		add("it holds objects of class %s that are stored as a whole", f.typ)
	case f.role != roleLeaf:
		add("it has a role that is not known (%d)", f.role)
	case len(f.children) == 1: // an enum or std::atomic
		inner(f.children[0], l)
	case f.typ == "std::string" || len(f.columns) > 1 && t.areOffsets(f) && t.columns[f.columns[1]].typ == typeChar:
		l.Type = "string"
		add("it holds a text per event")
	default:
		t.number(add, &l, f)
	}
}

// number adds a leaf of numbers, or says why there are none.
func (t *Tuple) number(add func(string, ...any), l *Leaf, f *field) {
	l.Kind = kindOf(f.typ)
	for _, c := range f.columns {
		col := &t.columns[c]
		switch {
		case !col.known:
			l.Kind = 0
			add("its numbers are stored in a way that is not known (%d, %d bits)", col.typ, col.bits)
			return
		case strings.HasPrefix(f.typ, cardinality) && col.of().layout == offsets:
			l.Lengths, l.Collection = true, c
		case col.of().layout >= offsets:
			l.Kind = 0
			add("it holds a %s", f.typ)
			return
		case f.flags&fieldRepeated != 0 || l.Kind == 0:
			l.Kind = col.of().kind
		}
	}
	if len(f.columns) == 0 || l.Kind == 0 {
		l.Kind = 0
		add("it has no column of numbers")
		return
	}
	add("")
}

// areOffsets reports whether the first column of each representation of a field says where
// collections end.
func (t *Tuple) areOffsets(f *field) bool {
	some := false
	for _, c := range f.columns {
		if col := t.columns[c]; col.known && col.of().layout == offsets {
			some = true
		} else if col.typ != typeChar && col.typ != typeByte {
			return false
		}
	}
	return some
}

// variant adds a leaf whose numbers are of several types, as float64 if these differ.
func (t *Tuple) variant(add func(string, ...any), l *Leaf, f *field) {
	if len(f.columns) != 1 || t.columns[f.columns[0]].typ != typeSwitch || !t.columns[f.columns[0]].known {
		add("it is a variant that does not say what it holds")
		return
	}
	var kinds []Kind
	for _, c := range f.children {
		k := Leaf{}
		part := &t.fields[c]
		if part.role == roleLeaf && len(part.children) == 0 && part.flags == 0 {
			t.number(func(string, ...any) {}, &k, part)
		}
		if k.Kind == 0 || k.Lengths {
			add("it is a %s, not always a number", f.typ)
			return
		}
		kinds = append(kinds, k.Kind)
	}
	if len(kinds) == 0 {
		add("it is a variant of nothing")
		return
	}
	for _, k := range kinds {
		if k == Int64 || k == Uint64 {
			add("it is a %s, and not each of its values is a float64", f.typ)
			return
		}
	}
	l.Kind, l.variant = Float64, true
	add("")
}
