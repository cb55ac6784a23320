package rntuple

import "strings"

// Kind is the type of a number.
type Kind uint8

// The kinds of numbers. Zero is none of them.
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

// Number is the set of Go types of the kinds, but for bool.
type Number interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64
}

// cppType is how C++ calls the numbers of a kind, and how a tuple of ours stores them: as they
// are, and for compression.
type cppType struct {
	name           string
	plain, smaller uint16
}

var cppTypes = [...]cppType{
	Bool:    {"bool", typeBit, typeBit},
	Int8:    {"std::int8_t", typeInt8, typeInt8},
	Int16:   {"std::int16_t", typeInt16, typeSplitInt16},
	Int32:   {"std::int32_t", typeInt32, typeSplitInt32},
	Int64:   {"std::int64_t", typeInt64, typeSplitInt64},
	Uint8:   {"std::uint8_t", typeUint8, typeUint8},
	Uint16:  {"std::uint16_t", typeUint16, typeSplitUint16},
	Uint32:  {"std::uint32_t", typeUint32, typeSplitUint32},
	Uint64:  {"std::uint64_t", typeUint64, typeSplitUint64},
	Float32: {"float", typeReal32, typeSplitReal32},
	Float64: {"double", typeReal64, typeSplitReal64},
}

// String returns the name of the type in C++.
func (k Kind) String() string {
	if k == 0 || int(k) >= len(cppTypes) {
		return "no number"
	}
	return cppTypes[k].name
}

// kindOf returns the kind of a type of C++; zero if it is no number.
func kindOf(name string) Kind {
	switch name {
	case "char":
		return Int8
	case "std::byte":
		return Uint8
	}
	for k := Bool; k <= Float64; k++ {
		if cppTypes[k].name == name || "std::"+name == cppTypes[k].name {
			return k
		}
	}
	if strings.HasPrefix(name, cardinality) {
		if strings.Contains(name, "uint64_t") {
			return Uint64
		}
		return Uint32
	}
	return 0
}

// cardinality is the type of a field of the lengths of a collection.
const cardinality = "ROOT::RNTupleCardinality<"
