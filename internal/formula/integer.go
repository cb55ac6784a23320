package formula

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// Integers of 64 bits are not all float64. Where one is compared, or divided with %, it is
// taken as it is: with other integers, and with float64, exactly.

// integers are the values of an operand that is an integer: one of the slices, or none if
// it turns out to be none.
type integers struct {
	signed   []int64
	unsigned []uint64
}

func (x integers) any() bool { return x.signed != nil || x.unsigned != nil }

// at returns the magnitude and the sign of a value.
func (x integers) at(i int) (magnitude uint64, negative bool) {
	if x.signed == nil {
		return x.unsigned[i], false
	}
	if v := x.signed[i]; v < 0 {
		return -uint64(v), true
	}
	return uint64(x.signed[i]), false
}

// operand returns the integers that a part of an expression is, nil if it is computed.
// isColumn reports whether only the column can say.
func (f *Formula) operand(n ast.Node) (values func(b block) integers, isColumn bool) {
	switch n := n.(type) {
	case *ast.ChainNode:
		return f.operand(n.Node)
	case *ast.IntegerNode:
		return constantInteger(integers{signed: []int64{int64(n.Value)}}), false
	case *ast.UnaryNode:
		switch of := n.Node.(type) {
		case *ast.IntegerNode:
			if n.Operator == "-" {
				return constantInteger(integers{signed: []int64{-int64(of.Value)}}), false
			}
		case *ast.IdentifierNode:
			if u, ok := largeLiteral(of.Value); ok && n.Operator == "-" && u == 1<<63 {
				return constantInteger(integers{signed: []int64{math.MinInt64}}), false
			}
		}
		return nil, false
	case *ast.IdentifierNode:
		if u, ok := largeLiteral(n.Value); ok {
			return constantInteger(integers{unsigned: []uint64{u}}), false
		}
	}
	name, ok := columnName(n)
	if !ok {
		return nil, false
	}
	i := f.index(name)
	return func(b block) integers {
		switch v := b.columns[i].(type) {
		case []int64:
			return integers{signed: v[b.lo : b.lo+b.n]}
		case []uint64:
			return integers{unsigned: v[b.lo : b.lo+b.n]}
		}
		return integers{}
	}, true
}

func constantInteger(x integers) func(b block) integers {
	x.signed, x.unsigned = slices.Repeat(x.signed, blockLen), slices.Repeat(x.unsigned, blockLen)
	if len(x.signed) > 0 {
		return func(b block) integers { return integers{signed: x.signed[:b.n]} }
	}
	return func(b block) integers { return integers{unsigned: x.unsigned[:b.n]} }
}

// exactly compiles a comparison or a remainder whose operands may be integers. The operands
// as float64 are a and c; plain is the result for them.
func (f *Formula) exactly(n *ast.BinaryNode, a, c, plain node) node {
	result, isComparison := outcomes[n.Operator]
	if !isComparison && n.Operator != "%" {
		return plain
	}
	x, isX := f.operand(n.Left)
	y, isY := f.operand(n.Right)
	if !isX && !isY || !isComparison && (x == nil || y == nil) {
		return plain
	}
	buf := make([]float64, blockLen)
	return func(b block) []float64 {
		var xs, ys integers
		if x != nil {
			xs = x(b)
		}
		if y != nil {
			ys = y(b)
		}
		if !(isX && xs.any()) && !(isY && ys.any()) {
			return plain(b)
		}
		dst := buf[:b.n]
		switch {
		case !isComparison && xs.any() && ys.any():
			for i := range dst {
				dst[i] = remainder(xs, ys, i)
			}
		case !isComparison:
			return plain(b)
		case xs.any() && ys.any():
			for i := range dst {
				dst[i] = result[1+compareIntegers(xs, ys, i)]
			}
		case xs.any():
			for i, v := range c(b)[:b.n] {
				dst[i] = result[compareFloat(xs, i, v)]
			}
		default:
			for i, v := range a(b)[:b.n] {
				if k := compareFloat(ys, i, v); k == unordered {
					dst[i] = result[k]
				} else {
					dst[i] = result[2-k]
				}
			}
		}
		return dst
	}
}

// outcomes are the results of comparisons: less, equal, greater, and with NaN.
var outcomes = map[string][4]float64{
	"<": {1, 0, 0, 0}, "<=": {1, 1, 0, 0}, ">": {0, 0, 1, 0}, ">=": {0, 1, 1, 0}, "==": {0, 1, 0, 0}, "!=": {1, 0, 1, 1},
}

const unordered = 3

func compareIntegers(x, y integers, i int) int {
	a, minusA := x.at(i)
	b, minusB := y.at(i)
	switch {
	case minusA && minusB:
		return cmp.Compare(b, a)
	case minusA:
		return -1
	case minusB:
		return 1
	}
	return cmp.Compare(a, b)
}

// compareFloat compares an integer with a float64: 0 less, 1 equal, 2 greater, or unordered.
func compareFloat(x integers, i int, v float64) int {
	magnitude, negative := x.at(i)
	const beyond = 1 << 64
	switch {
	case v != v:
		return unordered
	case v >= beyond:
		return 0
	case v <= -beyond:
		return 2
	}
	whole, part := math.Modf(v)
	other, order := uint64(math.Abs(whole)), 0
	switch {
	case negative && v >= 0:
		return 0
	case !negative && v < 0:
		return 2
	case negative:
		order = cmp.Compare(other, magnitude)
	default:
		order = cmp.Compare(magnitude, other)
	}
	if order == 0 {
		order = cmp.Compare(0, part)
	}
	return 1 + order
}

// remainder is that of a division towards zero.
func remainder(x, y integers, i int) float64 {
	a, minus := x.at(i)
	b, _ := y.at(i)
	if b == 0 {
		return math.NaN()
	}
	if minus {
		return -float64(a % b)
	}
	return float64(a % b)
}

// The parser knows no literals beyond int64. largePrefix marks the name that stands for one.
const largePrefix = "ᵘ"

var tokens = regexp.MustCompile(`[\pL_][\pL\pN_]*|\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'`)

// markLarge puts names in the places of integers beyond int64, and makes those beyond
// uint64 float64.
func markLarge(text string) string {
	return tokens.ReplaceAllStringFunc(text, func(token string) string {
		digits := strings.ReplaceAll(token, "_", "")
		if strings.Trim(digits, "0123456789") != "" {
			return token
		}
		if _, err := strconv.ParseInt(digits, 10, 64); err == nil {
			return token
		}
		if _, err := strconv.ParseUint(digits, 10, 64); err == nil {
			return largePrefix + digits
		}
		return digits + ".0"
	})
}

// largeLiteral returns the integer that a name stands for.
func largeLiteral(name string) (uint64, bool) {
	digits, ok := strings.CutPrefix(name, largePrefix)
	if !ok {
		return 0, false
	}
	u, err := strconv.ParseUint(digits, 10, 64)
	return u, err == nil
}
