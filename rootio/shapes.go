package rootio

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// numericMember is a number somewhere in an object: how it is reached and where it is.
type numericMember struct {
	path  string       // "fP.fX"
	where *numberShape // it,
	dims  []int        // in fixed arrays of objects, and its own
	lists []shape      // and in lists, the outermost first
}

// shapes makes shapes of the classes of a file.
type shapes struct {
	classes map[string][]streamerInfo
	clones  string // the class of the objects in a TClonesArray
	found   []numericMember
	within  []string // the classes that are being made
	made    int
}

const mostShapes = 1 << 14

var errNoShape = errors.New("how it is stored is not known")

// place is where a shape stands in what is being made.
type place struct {
	path  string
	dims  []int
	lists []shape
}

func (p place) member(name string) place {
	if p.path != "" {
		name = p.path + "." + name
	}
	return place{name, p.dims, p.lists}
}

func (p place) array(dims []int) place {
	return place{p.path, append(slices.Clip(p.dims), dims...), p.lists}
}

func (p place) list(s shape) place {
	return place{p.path, p.dims, append(slices.Clip(p.lists), s)}
}

// number makes a number, or a fixed array of them.
func (c *shapes) number(k Kind, s stored, dims []int, p place) *numberShape {
	n := &numberShape{kind: k, stored: s, dims: dims, elems: 1}
	for _, d := range dims {
		n.elems *= d
	}
	c.found = append(c.found, numericMember{p.path, n, append(slices.Clip(p.dims), dims...), p.lists})
	return n
}

// object makes an object of a class, as the file describes it.
func (c *shapes) object(class string, header bool, p place) (*objectShape, error) {
	infos := c.classes[class]
	if len(infos) == 0 {
		return nil, fmt.Errorf("the file does not describe its class %s", class)
	}
	last := infos[0]
	for _, i := range infos {
		if i.version > last.version {
			last = i
		}
	}
	return c.objectOf(class, last, header, p)
}

func (c *shapes) objectOf(class string, info streamerInfo, header bool, p place) (*objectShape, error) {
	if len(c.within) > deepest || slices.Contains(c.within, class) {
		return nil, fmt.Errorf("class %s holds itself", class)
	}
	c.within = append(c.within, class)
	defer func() { c.within = c.within[:len(c.within)-1] }()
	o := &objectShape{class: class, version: info.version, checksum: info.checksum, header: header}
	counters := make(map[string]*numberShape)
	for _, e := range info.elements {
		if c.made++; c.made > mostShapes {
			return nil, errNoShape
		}
		s, err := c.member(e, counters, p)
		if err != nil {
			o.partly = true
			break
		}
		o.members = append(o.members, s)
	}
	return o, nil
}

// member makes a member of a class.
func (c *shapes) member(e streamerElement, counters map[string]*numberShape, p place) (shape, error) {
	name, _, _ := strings.Cut(e.name, "[")
	at := p.member(strings.TrimPrefix(name, "*"))
	kind := e.kind
	var dims []int
	if kind > memberArray && kind < memberPointer || kind > memberObject+memberArray && kind < memberObject+memberPointer || kind == memberSTL+memberArray {
		kind -= memberArray
		total := int64(1)
		for _, d := range e.dims {
			total *= int64(max(d, 0))
			dims = append(dims, d)
		}
		if total != e.length || len(dims) == 0 {
			dims = []int{int(e.length)}
		}
		if e.length < 1 || e.length > 1<<20 {
			return nil, errNoShape
		}
	}
	several := func(s shape, err error) (shape, error) {
		if dims == nil || err != nil {
			return s, err
		}
		return repeatedShape{s, int(e.length)}, nil
	}
	switch {
	case kind > memberPointer && kind < memberObject: // counted by a member
		k, s, ok := numberOf(kind-memberPointer, e.title)
		by := counters[e.counter]
		if !ok || by == nil {
			return nil, errNoShape
		}
		a := &countedShape{by: by}
		a.of = c.number(k, s, nil, at.list(a))
		by.counts = true
		return a, nil
	case kind > 0 && kind < memberArray:
		if kind == memberText {
			return textShape{long: true}, nil
		}
		k, s, ok := numberOf(kind, e.title)
		if !ok {
			return nil, errNoShape
		}
		if kind == memberBits {
			return bitsShape{c.number(k, s, nil, at)}, nil
		}
		n := c.number(k, s, dims, at)
		if dims == nil && k.IsInteger() {
			counters[e.name] = n
		}
		return n, nil
	case kind == memberBase:
		o, err := c.object(e.name, true, p)
		if err != nil {
			return opaqueShape{}, nil
		}
		o.isBase = true
		return o, nil
	case kind == memberSTL, kind == memberStream, kind == memberSTLPointer, kind == memberSTLText:
		return several(c.standard(e.typeName, true, at.array(dims)))
	case kind == memberString:
		return several(textShape{}, nil)
	case kind == memberTObject:
		return several(tobject(), nil)
	case kind == memberInPlace, kind == memberAnyInPlace, kind == memberOfClass, kind == memberOfAny:
		return several(c.instance(strings.TrimRight(e.typeName, "* "), at.array(dims)))
	case kind == memberObjectPointer, kind == memberAnyPointer:
		return several(pointerShape{}, nil)
	default:
		return several(opaqueShape{}, nil)
	}
}

// numberOf returns how a number is stored by its number in TVirtualStreamerInfo.
func numberOf(kind int64, title string) (k Kind, s stored, ok bool) {
	switch kind {
	case memberFloat16:
		k, s = Float32, lowPrecision(memberFloat16, title)
	case memberDouble32:
		k, s = Float64, lowPrecision(memberDouble32, title)
	case memberBits:
		k, s = Uint32, plainly(Uint32)
	default:
		if k = memberKinds[kind]; k != 0 {
			s = plainly(k)
		}
	}
	return k, s, s.isKnown()
}

// tobject makes a TObject. Its number and its bits are no members that anybody looks for.
func tobject() shape {
	return rootObjectShape{skippedShape(4), bitsShape{&numberShape{stored: plainly(Uint32), elems: 1}}}
}

// arrays are ROOT's classes of numbers, which have no header.
var arrays = map[string]Kind{
	"TArrayC": Int8, "TArrayS": Int16, "TArrayI": Int32, "TArrayL": Int64, "TArrayL64": Int64, "TArrayF": Float32, "TArrayD": Float64,
}

// instance makes an object of a class, in which it may not be described.
func (c *shapes) instance(class string, p place) (shape, error) {
	if k, ok := arrays[class]; ok {
		l := &listShape{}
		l.of = c.number(k, plainly(k), nil, p.list(l))
		return l, nil
	}
	switch class {
	case "TString":
		return textShape{}, nil
	case "TObject":
		return tobject(), nil
	case "TRef":
		return &objectShape{class: class, members: []shape{tobject(), skippedShape(2)}}, nil
	case "TDatime":
		return skippedShape(4), nil
	case "TClonesArray":
		return c.clonesArray(p)
	case "TNamed", "TObjArray", "TList", "TRefArray", "THashList", "TMap", "TBits":
		return opaqueShape{}, nil
	}
	if template, _ := templateOf(class); template != "" && slices.Contains(standardTemplates, template) {
		return c.standard(class, true, p)
	}
	o, err := c.object(class, true, p)
	if err != nil {
		return opaqueShape{}, nil
	}
	return o, nil
}

func (c *shapes) clonesArray(p place) (shape, error) {
	a := &clonesShape{}
	if c.clones == "" {
		return a, nil
	}
	o, err := c.object(c.clones, true, p.list(a))
	if err != nil {
		return nil, err
	}
	if o.partly {
		return nil, errNoShape
	}
	a.of = o
	return a, nil
}

// standardTemplates are those of the standard library that are stored as lists.
var standardTemplates = append([]string{"map", "multimap", "unordered_map", "unordered_multimap"}, collections...)

// standard makes something of the standard library. Only what is no element of a list has a
// header.
func (c *shapes) standard(class string, header bool, p place) (shape, error) {
	class = plainName(class)
	template, args := templateOf(class)
	switch {
	case class == "string":
		return textShape{header: header}, nil
	case slices.Contains(collections, template) && len(args) > 0:
		l := &listShape{header: header}
		var err error
		l.of, l.class, err = c.element(args[0], p.list(l))
		return ifHeader(l, header, err)
	case strings.HasSuffix(template, "map") && slices.Contains(standardTemplates, template) && len(args) > 1:
		l := &listShape{header: header}
		var err error
		l.of, l.class, err = c.pair(args[0], args[1], p.list(l))
		return ifHeader(l, header, err)
	case template == "pair" && len(args) == 2:
		_, pair, err := c.pair(args[0], args[1], p)
		if err == nil {
			pair.header = true
		}
		return ifHeader(pair, true, err)
	case template == "bitset" && len(args) == 1:
		n, err := strconv.Atoi(args[0])
		if err != nil || n < 1 || n > 1<<16 {
			return nil, errNoShape
		}
		l := &listShape{header: header}
		l.of = c.number(Bool, plainly(Bool), nil, p.list(l))
		return l, nil
	case header:
		return opaqueShape{once: true}, nil
	}
	return nil, errNoShape
}

// ifHeader returns a shape, or one that is skipped if it is not known how it is stored.
func ifHeader(s shape, header bool, err error) (shape, error) {
	switch {
	case err == nil:
		return s, nil
	case header:
		return opaqueShape{once: true}, nil
	}
	return nil, err
}

// pair makes what a map holds: a key and a value, without a header.
func (c *shapes) pair(first, second string, p place) (shape, *objectShape, error) {
	o := &objectShape{class: fmt.Sprintf("pair<%s,%s>", first, second)}
	for i, of := range []string{first, second} {
		s, _, err := c.element(of, p.member([]string{"first", "second"}[i]))
		if err != nil {
			return nil, nil, err
		}
		if l, ok := s.(*listShape); ok { // a member of its own
			l.header = true
		}
		if _, ok := s.(textShape); ok {
			s = textShape{header: true}
		}
		o.members = append(o.members, s)
	}
	for name, infos := range c.classes {
		if len(infos) == 1 && strings.HasPrefix(name, "pair<") && plainName(name) == plainName(o.class) {
			o.version, o.checksum = infos[0].version, infos[0].checksum
		}
	}
	return o, o, nil
}

// element makes an element of a list. The object is set if it is one.
func (c *shapes) element(of string, p place) (shape, *objectShape, error) {
	if len(p.lists) > deepest {
		return nil, nil, errNoShape
	}
	of = plainName(of)
	switch k := cppKinds[of]; {
	case k != 0:
		return c.number(k, plainly(k), nil, p), nil, nil
	case of == "Double32_t":
		return c.number(Float64, lowPrecision(memberDouble32, ""), nil, p), nil, nil
	case of == "Float16_t":
		return c.number(Float32, lowPrecision(memberFloat16, ""), nil, p), nil, nil
	case of == "string", of == "TString":
		return textShape{}, nil, nil
	case strings.HasSuffix(of, "*"):
		return pointerShape{}, nil, nil
	}
	if template, _ := templateOf(of); slices.Contains(standardTemplates, template) {
		s, err := c.standard(of, false, p)
		return s, nil, err
	}
	for name := range c.classes {
		if plainName(name) == of {
			of = name
			break
		}
	}
	o, err := c.object(of, true, p)
	if err != nil {
		return nil, nil, err
	}
	return o, o, nil
}

// plainName returns the name of a type without what does not matter.
func plainName(class string) string {
	class = strings.ReplaceAll(strings.ReplaceAll(class, "std::", ""), "> >", ">>")
	class = strings.ReplaceAll(strings.ReplaceAll(class, "> >", ">>"), "const ", "")
	return strings.ReplaceAll(strings.TrimSpace(class), ", ", ",")
}

// templateOf splits "map<int,vector<float> >" into "map" and its arguments.
func templateOf(class string) (template string, args []string) {
	template, rest, found := strings.Cut(strings.TrimSpace(class), "<")
	rest, closed := strings.CutSuffix(strings.TrimSpace(rest), ">")
	if !found || !closed {
		return "", nil
	}
	depth, from := 0, 0
	for i, r := range rest {
		switch {
		case r == '<':
			depth++
		case r == '>':
			depth--
		case r == ',' && depth == 0:
			args, from = append(args, strings.TrimSpace(rest[from:i])), i+1
		}
	}
	return strings.TrimPrefix(template, "std::"), append(args, strings.TrimSpace(rest[from:]))
}
