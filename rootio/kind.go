package rootio

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
)

// Kind is the type of the values of a column.
type Kind uint8

// The kinds of scalar branches. Integers keep their width and sign, so that a
// column is written back as the type that it was read as.
const (
	Bool Kind = iota + 1
	Int8
	Int16
	Int32
	Int64
	Uint8
	Uint16
	Uint32
	Uint64
	Float32
	Float64
)

// kinds say of what type the values of each kind are, make them and turn them into floats.
var kinds = [...]kindOf{
	Bool: ofBools(), Int8: of[int8](), Int16: of[int16](), Int32: of[int32](), Int64: of[int64](),
	Uint8: of[uint8](), Uint16: of[uint16](), Uint32: of[uint32](), Uint64: of[uint64](),
	Float32: of[float32](), Float64: of[float64](),
}

type kindOf struct {
	typ       reflect.Type
	make      func(n int) values
	floats    func(dst []float64, values any)
	setFloats func(values any, src []float64)
}

type number interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64
}

func of[T number]() kindOf {
	return kindWith(func(dst []float64, values []T) {
		for i, x := range values {
			dst[i] = float64(x)
		}
	}, func(values []T, src []float64) {
		for i, x := range src {
			values[i] = T(x)
		}
	})
}

func ofBools() kindOf {
	return kindWith(func(dst []float64, values []bool) {
		for i, yes := range values {
			dst[i] = 0
			if yes {
				dst[i] = 1
			}
		}
	}, func(values []bool, src []float64) {
		for i, x := range src {
			values[i] = x != 0
		}
	})
}

func kindWith[T Value](floats func(dst []float64, values []T), setFloats func(values []T, src []float64)) kindOf {
	return kindOf{
		typ:       reflect.TypeFor[T](),
		make:      func(n int) values { return make(valuesOf[T], n) },
		floats:    func(dst []float64, values any) { floats(dst, values.([]T)) },
		setFloats: func(values any, src []float64) { setFloats(values.([]T), src) },
	}
}

// Type returns the Go type of the values; nil if there is no such kind.
func (k Kind) Type() reflect.Type {
	if int(k) >= len(kinds) {
		return nil
	}
	return kinds[k].typ
}

// String returns the name of the Go type of the values.
func (k Kind) String() string {
	if t := k.Type(); t != nil {
		return t.String()
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// MarshalText writes the kind as the name of its Go type.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the name of a Go type.
func (k *Kind) UnmarshalText(text []byte) error {
	for kind := Bool; kind <= Float64; kind++ {
		if kind.String() == string(text) {
			*k = kind
			return nil
		}
	}
	return fmt.Errorf("rootio: no kind of column is called %q", text)
}

// IsInteger reports whether the values are integers (bool is not).
func (k Kind) IsInteger() bool { return k >= Int8 && k <= Uint64 }

// IsFloat reports whether the values are floating-point numbers.
func (k Kind) IsFloat() bool { return k == Float32 || k == Float64 }

// size returns the number of bytes of a value in a file.
func (k Kind) size() int { return int(k.Type().Size()) }

// What ROOT calls the kinds. A further kind of number is a row of each of these tables, and a
// case in decode and encode.

// rootType is how ROOT describes the values of a kind.
type rootType struct {
	code   string // in the title of a branch
	leaf   string // class of a leaf
	vector string // class of a std::vector of them
}

var rootTypes = [...]rootType{
	Bool:    {"O", "TLeafO", "vector<bool>"},
	Int8:    {"B", "TLeafB", "vector<char>"},
	Int16:   {"S", "TLeafS", "vector<short>"},
	Int32:   {"I", "TLeafI", "vector<int>"},
	Int64:   {"L", "TLeafL", "vector<Long64_t>"},
	Uint8:   {"b", "TLeafB", "vector<unsigned char>"},
	Uint16:  {"s", "TLeafS", "vector<unsigned short>"},
	Uint32:  {"i", "TLeafI", "vector<unsigned int>"},
	Uint64:  {"l", "TLeafL", "vector<ULong64_t>"},
	Float32: {"F", "TLeafF", "vector<float>"},
	Float64: {"D", "TLeafD", "vector<double>"},
}

// leafKinds are the kinds of the leaves that are no members of objects: signed and not.
var leafKinds = map[string][2]Kind{
	"TLeafO": {Bool, Bool}, "TLeafB": {Int8, Uint8}, "TLeafS": {Int16, Uint16}, "TLeafI": {Int32, Uint32},
	"TLeafL": {Int64, Uint64}, "TLeafG": {Int64, Uint64}, "TLeafF": {Float32, Float32}, "TLeafD": {Float64, Float64},
}

// memberKinds are the kinds of members by their number in TVirtualStreamerInfo. Those
// that may be stored shorter are left out.
var memberKinds = map[int64]Kind{
	1: Int8, 2: Int16, 3: Int32, 4: Int64, 5: Float32, 6: Int32, 8: Float64, 11: Uint8, 12: Uint16, 13: Uint32,
	14: Uint64, 16: Int64, 17: Uint64, 18: Bool,
}

const (
	memberText     = 7
	memberBits     = 15 // of a TObject: more if others refer to it
	memberDouble32 = 9
	memberFloat16  = 19
)

// cppKinds are the kinds of the numbers of C++.
var cppKinds = map[string]Kind{
	"bool": Bool, "Bool_t": Bool, "char": Int8, "Char_t": Int8, "signed char": Int8, "int8_t": Int8,
	"unsigned char": Uint8, "UChar_t": Uint8, "uint8_t": Uint8, "short": Int16, "Short_t": Int16, "int16_t": Int16,
	"unsigned short": Uint16, "UShort_t": Uint16, "uint16_t": Uint16, "int": Int32, "Int_t": Int32, "int32_t": Int32,
	"unsigned int": Uint32, "UInt_t": Uint32, "uint32_t": Uint32, "unsigned": Uint32,
	"long": Int64, "Long_t": Int64, "Long64_t": Int64, "long long": Int64, "int64_t": Int64,
	"unsigned long": Uint64, "ULong_t": Uint64, "ULong64_t": Uint64, "unsigned long long": Uint64, "uint64_t": Uint64,
	"float": Float32, "Float_t": Float32, "double": Float64, "Double_t": Float64,
}

// decode reads big-endian values that start stride bytes after each other.
func decode(dst any, src []byte, stride int) {
	order := binary.BigEndian
	switch dst := dst.(type) {
	case []bool:
		load(dst, src, stride, func(b []byte) bool { return b[0] != 0 })
	case []int8:
		load(dst, src, stride, func(b []byte) int8 { return int8(b[0]) })
	case []uint8:
		load(dst, src, stride, func(b []byte) uint8 { return b[0] })
	case []int16:
		load(dst, src, stride, func(b []byte) int16 { return int16(order.Uint16(b)) })
	case []uint16:
		load(dst, src, stride, func(b []byte) uint16 { return order.Uint16(b) })
	case []int32:
		load(dst, src, stride, func(b []byte) int32 { return int32(order.Uint32(b)) })
	case []uint32:
		load(dst, src, stride, func(b []byte) uint32 { return order.Uint32(b) })
	case []int64:
		load(dst, src, stride, func(b []byte) int64 { return int64(order.Uint64(b)) })
	case []uint64:
		load(dst, src, stride, func(b []byte) uint64 { return order.Uint64(b) })
	case []float32:
		load(dst, src, stride, func(b []byte) float32 { return math.Float32frombits(order.Uint32(b)) })
	case []float64:
		load(dst, src, stride, func(b []byte) float64 { return math.Float64frombits(order.Uint64(b)) })
	}
}

func load[T Value](dst []T, src []byte, stride int, get func(b []byte) T) {
	for i := range dst {
		dst[i] = get(src[i*stride:])
	}
}

// encode writes big-endian values that start stride bytes after each other.
func encode(dst []byte, src any, stride int) {
	order := binary.BigEndian
	switch src := src.(type) {
	case []bool:
		for i, x := range src {
			dst[i*stride] = 0
			if x {
				dst[i*stride] = 1
			}
		}
	case []int8:
		save(dst, src, stride, func(b []byte, x int8) { b[0] = uint8(x) })
	case []uint8:
		save(dst, src, stride, func(b []byte, x uint8) { b[0] = x })
	case []int16:
		save(dst, src, stride, func(b []byte, x int16) { order.PutUint16(b, uint16(x)) })
	case []uint16:
		save(dst, src, stride, func(b []byte, x uint16) { order.PutUint16(b, x) })
	case []int32:
		save(dst, src, stride, func(b []byte, x int32) { order.PutUint32(b, uint32(x)) })
	case []uint32:
		save(dst, src, stride, func(b []byte, x uint32) { order.PutUint32(b, x) })
	case []int64:
		save(dst, src, stride, func(b []byte, x int64) { order.PutUint64(b, uint64(x)) })
	case []uint64:
		save(dst, src, stride, func(b []byte, x uint64) { order.PutUint64(b, x) })
	case []float32:
		save(dst, src, stride, func(b []byte, x float32) { order.PutUint32(b, math.Float32bits(x)) })
	case []float64:
		save(dst, src, stride, func(b []byte, x float64) { order.PutUint64(b, math.Float64bits(x)) })
	}
}

func save[T Value](dst []byte, src []T, stride int, put func(b []byte, x T)) {
	for i, x := range src {
		put(dst[i*stride:], x)
	}
}
