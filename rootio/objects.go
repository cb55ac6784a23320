package rootio

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Objects that are not split into branches: each number in them is a column, called after the
// branch and the members on the way to it.

// objectLayout is where the values of a column are in the objects of a branch.
type objectLayout struct {
	root  shape
	exact bool  // all bytes of an entry are known
	want  shape // the numbers, or a list whose lengths are the values
}

// candidate is how the objects of a branch may be stored.
type candidate struct {
	root  shape
	exact bool
	found []numericMember
}

// objectsOf returns the columns of a branch of objects. An error is one of reading. The first of them stands for the
// object itself.
func (f *rootFile) objectsOf(tree *treeRecord, b *branchRecord, class string) ([]branch, error) {
	whole := branch{isLeaf: true, of: b.name}
	whole.Name, whole.Title, whole.Type = b.column, titleOf(b), class
	whole.Reason = "it holds a " + class + " per event, neither a number nor an array of numbers"
	if b.entries == 0 && tree.entries > 0 {
		whole.Reason = fmt.Sprintf("it has 0 entries, the tree %d", tree.entries)
		return []branch{whole}, nil
	}
	spans, err := spansOf(b)
	var how candidate
	if err == nil {
		how, err = f.howStored(b, spans)
	}
	if isOfMedium(err) {
		return nil, err
	}
	if err != nil {
		whole.Reason += ": " + err.Error()
		return []branch{whole}, nil
	}
	if len(how.found) == 0 {
		return []branch{whole}, nil
	}
	whole.Reason = "it is an object: read its members"
	whole.isLeaf = false
	branches := []branch{whole}
	if len(how.found) == 1 && how.found[0].path == "" { // a list of lists
		branches = nil
	}
	for _, n := range how.found {
		for _, m := range membersOf(b, how, n, spans) {
			m.Note = shortOf(tree, b)
			branches = append(branches, m)
		}
	}
	return branches, nil
}

// membersOf returns the columns of a number in an object.
func membersOf(b *branchRecord, how candidate, n numericMember, spans []span) []branch {
	name := strings.TrimSuffix(b.column, ".")
	if at := strings.IndexByte(name, '['); at > 0 {
		name = name[:at]
	}
	also := name
	if n.path != "" {
		name, also = name+"."+memberName(b, n.path), also+"."+n.path
	}
	elems := 1
	for _, d := range n.dims {
		elems = min(elems*d, math.MaxInt32)
	}
	c := branch{isLeaf: true, of: b.name, also: also}
	c.value = value{name: n.where.kind.String(), kind: n.where.kind, stored: n.where.stored, dims: n.dims, elems: elems}
	c.Name, c.Kind = name, c.value.kind
	c.layout = layout{stored: c.stored, elems: elems, spans: spans, object: &objectLayout{how.root, how.exact, n.where}}
	shape := ""
	for _, d := range n.dims {
		shape += fmt.Sprintf("[%d]", d)
	}
	if n.dims != nil {
		c.Array = name + shape
	}
	c.Type = strings.Repeat("[]", len(n.lists)) + shape + c.value.name
	if len(n.lists) > 0 {
		c.counter = Vector
		if _, ok := how.root.(*membersShape); ok && len(n.lists) == 1 && b.leaves[0].count != nil {
			c.counter = columnName(b.leaves[0].count)
		}
		c.Counter = c.counter
	}
	switch {
	case elems > mostElems:
		c.exclude(tooMany(elems))
	case len(n.lists) > 1 && n.dims != nil:
		c.exclude("it holds a " + c.Type + " per event, neither a number nor an array of numbers")
	case len(n.lists) > 1:
		c.Nested = name
	}
	if c.Nested == "" {
		return []branch{c}
	}
	levels := []branch{c}
	for k := 1; k < len(n.lists); k++ {
		l := c
		l.also = ""
		l.value = value{name: Int32.String(), kind: Int32, stored: plainly(Int32), elems: 1, counter: Vector}
		l.Field = Field{Name: fmt.Sprintf("%s_n%d", name, k), Kind: Int32, Counter: Vector, Nested: name, Index: k}
		l.Type = strings.Repeat("[]", len(n.lists)-k) + l.value.name
		l.layout = layout{stored: l.stored, elems: 1, spans: spans, object: &objectLayout{how.root, how.exact, n.lists[len(n.lists)-k]}}
		levels = append(levels, l)
	}
	return levels
}

// howStored finds out how the objects of a branch are stored: it looks whether the first
// entries are like that.
func (f *rootFile) howStored(b *branchRecord, spans []span) (candidate, error) {
	classes, err := f.classes()
	if err != nil {
		return candidate{}, err
	}
	clones := ""
	if b.element != nil {
		clones = b.element.clones
	}
	candidates, err := candidatesOf(classes, b, clones)
	switch {
	case err != nil || len(candidates) == 0:
		return candidate{}, err
	case len(spans) == 0: // there is nothing to try it on, and nothing to read
		return candidates[0], nil
	}
	memory := &budget{}
	memory.left.Store(f.most())
	r := &basketReader{file: f, budget: memory, name: b.name, loaded: -1}
	r.layout.object = &objectLayout{root: candidates[0].root}
	r.layout.spans = spans
	defer r.drop()
	var first error
	for again := true; again; {
		again = false
		for _, c := range candidates {
			r.layout.object = &objectLayout{root: c.root, exact: c.exact}
			fault := r.load(spans[0])
			var w walker
			switch {
			case isOfMedium(fault):
				return candidate{}, fault
			case fault != nil: // who reads it is told
				return c, nil
			default:
				const most = 1000
				for i := range min(len(r.starts), most) {
					lo, hi := r.bounds(i, i+1)
					if fault = w.entry(c.root, r.data[lo:hi], c.exact); fault != nil {
						break
					}
				}
			}
			if r.loaded = 0; r.locked || r.taken != 0 {
				r.drop()
			}
			class, _, _ := strings.Cut(w.class, ";")
			switch {
			case fault == nil:
				return c, nil
			case errors.Is(fault, errWhichKind) && clones == "" && class != "":
				clones = class
				if candidates, err = candidatesOf(classes, b, clones); err != nil {
					return candidate{}, err
				}
				again = true
			case first == nil:
				first = fault
			}
			if again {
				break
			}
		}
	}
	return candidate{}, first
}

// candidatesOf returns how the objects of a branch may be stored.
func candidatesOf(classes map[string][]streamerInfo, b *branchRecord, clones string) (candidates []candidate, err error) {
	try := func(wrap func(shape) shape, make func(c *shapes) (shape, error)) {
		c := &shapes{classes: classes, clones: clones}
		s, fault := make(c)
		switch {
		case fault != nil:
			if err == nil {
				err = fault
			}
			return
		case wrap != nil:
			s = wrap(s)
		}
		o, ok := s.(*objectShape)
		candidates = append(candidates, candidate{s, !ok || o.header || !o.partly, c.found})
	}
	e := b.element
	switch {
	case e == nil:
		class := b.leaves[0].title
		make := func(c *shapes) (shape, error) { return c.instance(class, place{}) }
		try(func(s shape) shape { return namedShape{s} }, make)
		try(nil, make)
	case e.id < 0 && e.class == "TClonesArray":
		try(nil, func(c *shapes) (shape, error) { return c.instance(e.class, place{}) })
	case e.id < 0:
		info, fault := findClass(classes, e)
		if fault != nil || len(info.elements) == 0 || strings.HasPrefix(info.elements[0].name, "This") { // a collection describes itself
			try(nil, func(c *shapes) (shape, error) { return c.standard(e.class, true, place{}) })
			break
		}
		for _, header := range []bool{false, true} {
			try(nil, func(c *shapes) (shape, error) { return c.objectOf(e.class, info, header, place{}) })
		}
	default:
		m, fault := find(classes, e)
		if fault != nil {
			return nil, fault
		}
		wrap := func(s shape) shape { return s }
		at := place{}
		var all *membersShape
		if e.kind > 4 { // of the objects of a collection
			all = &membersShape{}
			at.lists = []shape{all}
			wrap = func(s shape) shape {
				all.of = s
				return all
			}
		}
		try(wrap, func(c *shapes) (shape, error) {
			s, fault := c.member(m, make(map[string]*numberShape), at)
			if fault != nil {
				return nil, fault
			}
			name, _, _ := strings.Cut(m.name, "[")
			name = strings.TrimPrefix(name, "*")
			for i := range c.found {
				n := &c.found[i]
				if rest, ok := strings.CutPrefix(n.path, name); ok && m.kind != memberBase {
					n.path = strings.TrimPrefix(rest, ".")
				}
			}
			return s, nil
		})
	}
	if len(candidates) > 0 {
		err = nil
	}
	return candidates, err
}

// leafShapes are the leaves of a branch that has several, some of varying length.
type leafShapes struct {
	root    *objectShape
	exact   bool // all of them are known
	numbers map[*leafRecord]*numberShape
}

// add returns where the numbers of the next leaf are; nil if that is not known.
func (s *leafShapes) add(leaf *leafRecord, v value) shape {
	number := &numberShape{kind: v.kind, stored: v.stored, dims: v.dims, elems: v.elems}
	by := s.numbers[leaf.count]
	switch {
	case !s.exact:
		return nil
	case leaf.class == "TLeafC":
		s.root.members = append(s.root.members, textShape{})
		return nil
	case v.kind == 0, leaf.count != nil && by == nil:
		s.exact = false
		return nil
	case leaf.count != nil:
		by.counts = true
		s.root.members = append(s.root.members, &countedShape{of: number, by: by, leaf: true})
	default:
		s.root.members = append(s.root.members, number)
	}
	if s.numbers == nil {
		s.numbers = make(map[*leafRecord]*numberShape)
	}
	s.numbers[leaf] = number
	return number
}

// nicknames are what the numbers of well-known classes are called.
var nicknames = []struct {
	class string // or how its name starts
	names map[string]string
}{
	{"TLorentzVector", map[string]string{"fP.fX": "px", "fP.fY": "py", "fP.fZ": "pz", "fE": "E"}},
	{"TVector3", map[string]string{"fX": "x", "fY": "y", "fZ": "z"}},
	{"TVector2", map[string]string{"fX": "x", "fY": "y"}},
	{"ROOT::Math::LorentzVector<", map[string]string{
		"fCoordinates.fPt": "pt", "fCoordinates.fEta": "eta", "fCoordinates.fPhi": "phi", "fCoordinates.fM": "m", "fCoordinates.fE": "E",
		"fCoordinates.fX": "px", "fCoordinates.fY": "py", "fCoordinates.fZ": "pz", "fCoordinates.fT": "E"}},
	{"ROOT::Math::DisplacementVector3D<", spatial},
	{"ROOT::Math::PositionVector3D<", spatial},
	{"ROOT::Math::DisplacementVector2D<", spatial},
	{"ROOT::Math::PositionVector2D<", spatial},
}

var spatial = map[string]string{"fCoordinates.fX": "x", "fCoordinates.fY": "y", "fCoordinates.fZ": "z",
	"fCoordinates.fR": "r", "fCoordinates.fRho": "rho", "fCoordinates.fTheta": "theta", "fCoordinates.fEta": "eta", "fCoordinates.fPhi": "phi"}

// memberName returns the name of a member of the objects of a branch.
func memberName(b *branchRecord, path string) string {
	class := b.leaves[0].title
	if b.element != nil {
		class = b.element.class
	}
	if template, args := templateOf(class); slices.Contains(collections, template) && len(args) > 0 {
		class = plainName(args[0])
	}
	for _, known := range nicknames {
		name := known.names[path]
		if name != "" && (class == known.class || strings.HasSuffix(known.class, "<") && strings.HasPrefix(class, known.class)) {
			return name
		}
	}
	return path
}
