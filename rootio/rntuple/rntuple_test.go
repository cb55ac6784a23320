package rntuple

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// store is a file in memory.
type store struct{ b []byte }

func newStore() *store { return &store{make([]byte, 100)} }

func (s *store) put(blob []byte) (int64, error) {
	s.b = append(s.b, "gap"...)
	s.b = append(s.b, blob...)
	return int64(len(s.b) - len(blob)), nil
}

func (s *store) open(anchor []byte) (*Tuple, error) {
	return Open(bytes.NewReader(s.b), int64(len(s.b)), anchor, inflate)
}

// deflate and inflate are zlib in one block, as ROOT has it.
func deflate(src []byte) ([]byte, error) {
	var b bytes.Buffer
	b.Write([]byte{'Z', 'L', 8, 0, 0, 0, byte(len(src)), byte(len(src) >> 8), byte(len(src) >> 16)})
	w := zlib.NewWriter(&b)
	if _, err := w.Write(src); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if b.Len() >= len(src) {
		return src, nil
	}
	n := b.Len() - 9
	copy(b.Bytes()[3:], []byte{byte(n), byte(n >> 8), byte(n >> 16)})
	return b.Bytes(), nil
}

func inflate(dst, blocks []byte) error {
	if len(blocks) < 9 {
		return errors.New("no block")
	}
	r, err := zlib.NewReader(bytes.NewReader(blocks[9:]))
	if err != nil {
		return err
	}
	if _, err := io.ReadFull(r, dst); err != nil {
		return err
	}
	if n, _ := r.Read(make([]byte, 1)); n > 0 {
		return errors.New("there are more bytes")
	}
	return nil
}

// testFields has each kind, as one number, an array and lists.
func testFields() (fields []NewField) {
	for k := Bool; k <= Float64; k++ {
		name := strings.NewReplacer("std::", "", "_t", "").Replace(k.String())
		fields = append(fields,
			NewField{Name: name, Kind: k, Description: "a number"},
			NewField{Name: "record." + name, Kind: k, Array: []int{2, 3}},
			NewField{Name: "deep.er." + name, Kind: k, Lists: 1},
			NewField{Name: name + "_lists", Kind: k, Lists: 2, Array: []int{2}})
	}
	return fields
}

// randomValues returns values of n entries.
func randomValues(r *rand.Rand, f NewField, n int) Values {
	var v Values
	for range f.Lists {
		lengths := make([]uint64, n)
		n = 0
		for i := range lengths {
			lengths[i] = r.Uint64N(4)
			n += int(lengths[i])
		}
		v.Lengths = append(v.Lengths, lengths)
	}
	for _, d := range f.Array {
		n *= d
	}
	types := [...]reflect.Type{Bool: reflect.TypeFor[bool](), Int8: reflect.TypeFor[int8](), Int16: reflect.TypeFor[int16](), Int32: reflect.TypeFor[int32](),
		Int64: reflect.TypeFor[int64](), Uint8: reflect.TypeFor[uint8](), Uint16: reflect.TypeFor[uint16](), Uint32: reflect.TypeFor[uint32](),
		Uint64: reflect.TypeFor[uint64](), Float32: reflect.TypeFor[float32](), Float64: reflect.TypeFor[float64]()}
	s := reflect.MakeSlice(reflect.SliceOf(types[f.Kind]), n, n)
	for i := range n {
		x := r.Uint64() >> r.IntN(64)
		switch e := s.Index(i); {
		case f.Kind == Bool:
			e.SetBool(x&1 != 0)
		case e.CanInt():
			e.SetInt(int64(x))
		case e.CanUint():
			e.SetUint(x)
		default:
			e.SetFloat(r.NormFloat64() * math.Pow(10, float64(r.IntN(40)-20)))
		}
	}
	v.Numbers = s.Interface()
	return v
}

// read returns what the entries [lo, hi) of a leaf are.
func read(t *Tuple, l Leaf, lo, hi int64) (v Values, err error) {
	r := t.Reader(l)
	var all reflect.Value
	for lo < hi {
		n, err := r.Select(lo, hi)
		if err != nil {
			return v, err
		}
		dst := makeNumbers(l.Kind, r.Len())
		if err := r.Values(dst); err != nil {
			return v, err
		}
		if all.IsValid() {
			all = reflect.AppendSlice(all, reflect.ValueOf(dst))
		} else {
			all = reflect.ValueOf(dst)
		}
		k := 0
		for i, level := range l.Levels {
			if level.Length > 0 {
				continue
			}
			if len(v.Lengths) == k {
				v.Lengths = append(v.Lengths, nil)
			}
			last := uint64(0)
			for _, end := range r.Ends(i) {
				v.Lengths[k] = append(v.Lengths[k], end-last)
				last = end
			}
			k++
		}
		lo += n
	}
	v.Numbers = all.Interface()
	return v, nil
}

func makeNumbers(k Kind, n int) any {
	switch k {
	case Bool:
		return make([]bool, n)
	case Int8:
		return make([]int8, n)
	case Int16:
		return make([]int16, n)
	case Int32:
		return make([]int32, n)
	case Int64:
		return make([]int64, n)
	case Uint8:
		return make([]uint8, n)
	case Uint16:
		return make([]uint16, n)
	case Uint32:
		return make([]uint32, n)
	case Uint64:
		return make([]uint64, n)
	case Float32:
		return make([]float32, n)
	}
	return make([]float64, n)
}

func written(t *testing.T, n int, o WriterOptions) (s *store, anchor []byte, values []Values) {
	t.Helper()
	s = newStore()
	fields := testFields()
	w, err := NewWriter(s.put, "tuple", fields, o)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, f := range fields {
		values = append(values, randomValues(r, f, n))
	}
	if err := w.Write(n, values); err != nil {
		t.Fatal(err)
	}
	if anchor, err = w.Close(); err != nil {
		t.Fatal(err)
	}
	return s, anchor, values
}

// TestRoundTrip reads what was written, with and without compression, in small pages and
// several clusters.
func TestRoundTrip(t *testing.T) {
	for _, o := range []WriterOptions{
		{}, {PageSize: 100, ClusterSize: 1}, {Deflate: deflate, PageSize: 1000, ClusterSize: 1},
	} {
		const n = 2100
		s, anchor, values := written(t, n, o)
		tuple, err := s.open(anchor)
		if err != nil {
			t.Fatal(err)
		}
		if err := tuple.Verify(); err != nil {
			t.Fatal(err)
		}
		leaves := tuple.Leaves()
		if tuple.Entries() != n || len(leaves) != len(values) || o.ClusterSize == 1 && tuple.Clusters() != 3 {
			t.Fatalf("%d entries, %d leaves, %d clusters", tuple.Entries(), len(leaves), tuple.Clusters())
		}
		byName := make(map[string]Values)
		for i, f := range testFields() {
			byName[f.Name] = values[i]
		}
		for _, l := range leaves {
			have, err := read(tuple, l, 0, n)
			if err != nil {
				t.Fatal(err)
			}
			if want := byName[l.Name]; !reflect.DeepEqual(have, want) {
				t.Errorf("%s: %.200s for %.200s", l.Name, fmt.Sprint(have), fmt.Sprint(want))
			}
		}
	}
}

// TestLongBlobs reads blobs that are in several records, as ROOT writes those beyond 1 GB.
func TestLongBlobs(t *testing.T) {
	const most = 64
	for n := 1; n < 2000; n += 7 {
		want := make([]byte, n)
		for i := range want {
			want[i] = byte(i * i)
		}
		file := make([]byte, 10)
		if n <= most {
			file = append(file, want...)
		} else {
			chunks := (n + most - 1) / most
			if 8*(chunks-1) > chunks*most-n {
				chunks++
			}
			first := most - 8*(chunks-1)
			if first <= 0 {
				break
			}
			file = append(file, want[:first]...)
			places := len(file)
			file = append(file, make([]byte, 8*(chunks-1))...)
			for at := first; at < n; at += most {
				file = append(file, "gap"...)
				binary.LittleEndian.PutUint64(file[places:], uint64(len(file)))
				places += 8
				file = append(file, want[at:min(n, at+most)]...)
			}
		}
		f := inRecords(file, most)
		have := make([]byte, n)
		if err := f.read(have, 10); err != nil || !bytes.Equal(have, want) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
}

func inRecords(b []byte, most int64) *file {
	return &file{data: bytes.NewReader(b), size: int64(len(b)), maxKeySize: most}
}

// TestHalf holds numbers of half precision against their definition, ±1.f × 2^e.
func TestHalf(t *testing.T) {
	for h := range 1 << 16 {
		sign, e, f := 1.0, h>>10&0x1f, float64(h&0x3ff)/1024
		if h>>15 != 0 {
			sign = -1
		}
		want := sign * (1 + f) * math.Pow(2, float64(e-15))
		switch {
		case e == 0:
			want = sign * f * math.Pow(2, -14)
		case e == 31 && f == 0:
			want = math.Inf(int(sign))
		case e == 31:
			want = math.NaN()
		}
		have := float64(halfToFloat(uint16(h)))
		if have != want && !(have != have && want != want) || math.Signbit(have) != (sign < 0) {
			t.Fatalf("%#x is %g, not %g", h, have, want)
		}
	}
}

// TestParts decodes each part of a page of each type of element as it decodes all of it.
func TestParts(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for typ, k := range elementKinds {
		if k.layout >= offsets {
			continue
		}
		for bits := k.least; bits <= k.most; bits++ {
			const n = 37
			e := element{typ: uint16(typ), bits: bits, low: -1, high: 3}
			page := make([]byte, e.bytes(n))
			for i := range page {
				page[i] = byte(r.Uint32())
			}
			all := make([]float64, n)
			decode(all, e, page, n, 0)
			for from := range n {
				part := make([]float64, r.IntN(n-from)+1)
				decode(part, e, page, n, from)
				same := func(a, b float64) bool { return a == b || a != a && b != b }
				if !slices.EqualFunc(part, all[from:from+len(part)], same) {
					t.Fatalf("type %d of %d bits from %d on: %v", typ, bits, from, part)
				}
			}
		}
	}
}

// TestFaults changes what a tuple says, with right checksums: each is an error in words.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name, text string
		change     func(a *anchor, b []byte)
	}{
		{"another epoch", "version of RNTuple", func(a *anchor, _ []byte) { a.version[0] = 2 }},
		{"header beyond the file", "are not in the file", func(a *anchor, _ []byte) { a.header.pos = 1 << 40 }},
		{"a long header", "it cannot have", func(a *anchor, _ []byte) { a.headerLength = 1 << 40 }},
		{"the footer for the header", "says that it is an envelope of kind 2", func(a *anchor, _ []byte) { a.header, a.headerLength = a.footer, a.footerLength }},
		{"a byte of the header", "checksum is wrong", func(a *anchor, b []byte) { b[a.header.pos+20]++ }},
	} {
		s, b, _ := written(t, 10, WriterOptions{})
		a, err := readAnchor(b)
		if err != nil {
			t.Fatal(err)
		}
		c.change(&a, s.b)
		if _, err := s.open(a.bytes()); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	s, b, _ := written(t, 10, WriterOptions{})
	for i := range b { // the anchor itself has a checksum
		b[i] ^= 1
		if _, err := s.open(b); err == nil && i > 5 {
			t.Errorf("byte %d of the anchor", i)
		}
		b[i] ^= 1
		if _, err := s.open(b[:i]); err == nil {
			t.Errorf("an anchor of %d bytes", i)
		}
	}
}

func TestWriteErrors(t *testing.T) {
	s := newStore()
	w, err := NewWriter(s.put, "t", []NewField{{Name: "v", Kind: Float32, Lists: 1}}, WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []Values{
		{Numbers: []float32{1}}, {Numbers: []float32{1}, Lengths: [][]uint64{{2}}}, {Numbers: []float32{1}, Lengths: [][]uint64{{0}}},
		{Numbers: []float32{1}, Lengths: [][]uint64{{1, 1}}}, {Numbers: []float32{}, Lengths: [][]uint64{{}}},
	} {
		if err := w.Write(1, []Values{v}); err == nil {
			t.Errorf("%v was written", v)
		}
	}
	for _, f := range []NewField{{Name: "", Kind: Bool}, {Name: "a b", Kind: Bool}, {Name: "x"}} {
		if _, err := NewWriter(s.put, "t", []NewField{f}, WriterOptions{}); err == nil {
			t.Errorf("%+v was taken", f)
		}
	}
}

// FuzzEnvelope reads descriptions with right checksums and any contents.
func FuzzEnvelope(f *testing.F) {
	s := newStore()
	w, err := NewWriter(s.put, "tuple", testFields()[:8], WriterOptions{PageSize: 64})
	if err != nil {
		f.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	var values []Values
	for _, field := range testFields()[:8] {
		values = append(values, randomValues(r, field, 20))
	}
	if err := w.Write(20, values); err != nil {
		f.Fatal(err)
	}
	b, err := w.Close()
	if err != nil {
		f.Fatal(err)
	}
	a, err := readAnchor(b)
	if err != nil {
		f.Fatal(err)
	}
	payload := func(l locator) []byte { return s.b[l.pos+preambleSize : l.pos+l.size-checksumSize] }
	list := w.pageList()
	f.Add(payload(a.header), payload(a.footer), list)
	pages := bytes.Index(s.b, list)
	f.Fuzz(func(t *testing.T, header, footer, list []byte) {
		s, a := &store{slices.Clone(s.b[:pages-preambleSize])}, a
		list, footer = slices.Clone(list), slices.Clone(footer)
		place := func(kind uint16, payload []byte) (locator, int64) {
			b, _ := envelope(kind, payload)
			pos, _ := s.put(b)
			return locator{pos, int64(len(b))}, int64(len(b))
		}
		h, sum := envelope(envelopeHeader, header)
		pos, _ := s.put(h)
		a.header, a.headerLength = locator{pos, int64(len(h))}, int64(len(h))
		if len(list) >= 8 {
			binary.LittleEndian.PutUint64(list, sum)
		}
		if len(footer) >= 16 {
			binary.LittleEndian.PutUint64(footer[8:], sum)
		}
		at, n := place(envelopePageList, list)
		if k := len(footer); k >= 20 { // the last words are where the page list is
			binary.LittleEndian.PutUint64(footer[k-20:], uint64(n))
			binary.LittleEndian.PutUint32(footer[k-12:], uint32(at.size))
			binary.LittleEndian.PutUint64(footer[k-8:], uint64(at.pos))
		}
		a.footer, a.footerLength = place(envelopeFooter, footer)
		tuple, err := s.open(a.bytes())
		if err != nil {
			return
		}
		_ = tuple.Verify()
		for _, l := range tuple.Leaves() {
			if l.Kind == 0 {
				continue
			}
			_, _ = readSome(tuple, l)
		}
	})
}

// readSome reads the first and the last entry, unless they have very many numbers.
func readSome(t *Tuple, l Leaf) (n int64, err error) {
	for _, at := range []int64{0, t.Entries() - 1} {
		r := t.Reader(l)
		if n, err = r.Select(at, at+1); err != nil {
			return 0, err
		}
		if r.Len() > 1<<20 {
			continue
		}
		if err := r.Values(makeNumbers(l.Kind, r.Len())); err != nil {
			return 0, err
		}
	}
	return n, nil
}
