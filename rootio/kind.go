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

// kinds say of what type the values of each kind are, and make them.
var kinds = [...]kindOf{
	Bool: of[bool](), Int8: of[int8](), Int16: of[int16](), Int32: of[int32](), Int64: of[int64](),
	Uint8: of[uint8](), Uint16: of[uint16](), Uint32: of[uint32](), Uint64: of[uint64](),
	Float32: of[float32](), Float64: of[float64](),
}

type kindOf struct {
	typ  reflect.Type
	make func(n int) values
}

func of[T Value]() kindOf {
	return kindOf{reflect.TypeFor[T](), func(n int) values { return make(valuesOf[T], n) }}
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
func (k Kind) size() int {
	switch k {
	case Bool, Int8, Uint8:
		return 1
	case Int16, Uint16:
		return 2
	case Int32, Uint32, Float32:
		return 4
	}
	return 8
}

// What ROOT calls the kinds. A further kind of number is a row of each of these tables, and a
// case in decode and encode.

// rootType is how ROOT describes the values of a kind.
type rootType struct {
	code   string // in the title of a branch
	leaf   string // class of a leaf
	vector string // class of a std::vector of them,
	sum    uint32 // and the checksum of that
}

var rootTypes = [...]rootType{
	Bool:    {"O", "TLeafO", "vector<bool>", 29929751},
	Int8:    {"B", "TLeafB", "vector<char>", 29929535},
	Int16:   {"S", "TLeafS", "vector<short>", 89793095},
	Int32:   {"I", "TLeafI", "vector<int>", 9976712},
	Int64:   {"L", "TLeafL", "vector<Long64_t>", 2424165566},
	Uint8:   {"b", "TLeafB", "vector<unsigned char>", 728903898},
	Uint16:  {"s", "TLeafS", "vector<unsigned short>", 2186716184},
	Uint32:  {"i", "TLeafI", "vector<unsigned int>", 3106279697},
	Uint64:  {"l", "TLeafL", "vector<ULong64_t>", 2977495147},
	Float32: {"F", "TLeafF", "vector<float>", 89790107},
	Float64: {"D", "TLeafD", "vector<double>", 269370212},
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
	switch dst := dst.(type) {
	case []bool:
		for i := range dst {
			dst[i] = src[i*stride] != 0
		}
	case []int8:
		for i := range dst {
			dst[i] = int8(src[i*stride])
		}
	case []uint8:
		for i := range dst {
			dst[i] = src[i*stride]
		}
	case []int16:
		for i := range dst {
			dst[i] = int16(binary.BigEndian.Uint16(src[i*stride:]))
		}
	case []uint16:
		for i := range dst {
			dst[i] = binary.BigEndian.Uint16(src[i*stride:])
		}
	case []int32:
		for i := range dst {
			dst[i] = int32(binary.BigEndian.Uint32(src[i*stride:]))
		}
	case []uint32:
		for i := range dst {
			dst[i] = binary.BigEndian.Uint32(src[i*stride:])
		}
	case []int64:
		for i := range dst {
			dst[i] = int64(binary.BigEndian.Uint64(src[i*stride:]))
		}
	case []uint64:
		for i := range dst {
			dst[i] = binary.BigEndian.Uint64(src[i*stride:])
		}
	case []float32:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.BigEndian.Uint32(src[i*stride:]))
		}
	case []float64:
		for i := range dst {
			dst[i] = math.Float64frombits(binary.BigEndian.Uint64(src[i*stride:]))
		}
	}
}

// encode writes big-endian values that start stride bytes after each other.
func encode(dst []byte, src any, stride int) {
	switch src := src.(type) {
	case []bool:
		for i, x := range src {
			dst[i*stride] = 0
			if x {
				dst[i*stride] = 1
			}
		}
	case []int8:
		for i, x := range src {
			dst[i*stride] = uint8(x)
		}
	case []uint8:
		for i, x := range src {
			dst[i*stride] = x
		}
	case []int16:
		for i, x := range src {
			binary.BigEndian.PutUint16(dst[i*stride:], uint16(x))
		}
	case []uint16:
		for i, x := range src {
			binary.BigEndian.PutUint16(dst[i*stride:], x)
		}
	case []int32:
		for i, x := range src {
			binary.BigEndian.PutUint32(dst[i*stride:], uint32(x))
		}
	case []uint32:
		for i, x := range src {
			binary.BigEndian.PutUint32(dst[i*stride:], x)
		}
	case []int64:
		for i, x := range src {
			binary.BigEndian.PutUint64(dst[i*stride:], uint64(x))
		}
	case []uint64:
		for i, x := range src {
			binary.BigEndian.PutUint64(dst[i*stride:], x)
		}
	case []float32:
		for i, x := range src {
			binary.BigEndian.PutUint32(dst[i*stride:], math.Float32bits(x))
		}
	case []float64:
		for i, x := range src {
			binary.BigEndian.PutUint64(dst[i*stride:], math.Float64bits(x))
		}
	}
}
