package formula

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/parser/operator"
)

// Any text is an expression or an error in one line, and asks for little memory. What an
// expression is worth in a row does not depend on the rows around it, nor on parentheses
// around it, nor on how it is written: it is worth the same when the parser's tree of it is
// printed and read again.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"pt1 > 20 && abs(eta1) < 2.4", "-x / (y + 1)", "2**-x^2", "jet.pt % 2", "p[0][1] in [11, -13]", "x<0 or !(y >= 1)", "not isnan(x)", "-1 < y < 1", "(((0)<0)<1)", "1 > (0 <= y) == x",
		"y > 0 ? sqrt(y) : -hypot(y, jet.pt)", "max(y, jet.pt, 0) + min(y, 1)", "sum(x) / len(jet.pt)", "9223372036854775807 == x", "18446744073709551615 >= x % 3",
		"0x1p-3 + 1e999 - 1_000", "x ?? y", "x | y", "'text'", "{a: 1}.a", "let a = 1; a", "x?.y[0]", "#", "a.b.c[18446744073709551616]",
		strings.Repeat("x<(", 50) + "x" + strings.Repeat(")", 50), strings.Repeat("1<(", 50) + "x" + strings.Repeat(")<2", 50),
		strings.Repeat("(", 50) + "x" + strings.Repeat(" in [1,2])", 50), strings.Repeat("x+", 2000) + "x", strings.Repeat("(", 1000), strings.Repeat("-", 1000) + "x", strings.Repeat("x^", 500) + "x", strings.Repeat("!", 3000) + "x",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		allocated := testenv.Allocated()
		whole, err := Parse(text)
		if asked := allocated(); asked > 256<<20 {
			t.Errorf("%.100q: %d MB are asked for", text, asked>>20)
		}
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("the error has several lines: %q", err)
			}
			return
		}
		if whole.String() != text {
			t.Errorf("the text became %q", whole)
		}
		const n = blockLen + 3
		columns := columnsOf(whole.Names(), n)
		want := make([]float64, n)
		whole.Eval(want, columns)
		for _, i := range []int{0, 1, blockLen - 1, blockLen, n - 1} {
			one := make([]float64, 1)
			whole.Eval(one, slicesOf(columns, i, i+1))
			if !same(one[0], want[i]) {
				t.Errorf("%q: row %d alone is %v, among others %v", text, i, one[0], want[i])
			}
		}
		var others []string
		if !strings.Contains(text, ";") { // which may end an expression
			others = append(others, "("+text+"\n)")
		}
		if tree, err := parser.Parse(markLarge(text)); err == nil && !comparesTruth(tree.Node) {
			others = append(others, tree.Node.String())
		}
		for _, other := range others {
			again, err := Parse(other)
			if err != nil {
				if nodes := "exceeds maximum allowed nodes"; !strings.Contains(err.Error(), nodes) {
					t.Errorf("%q as %q: %v", text, other, err)
				}
				continue
			}
			if !slices.Equal(again.Names(), whole.Names()) {
				t.Errorf("%q as %q has the names %q, not %q", text, other, again.Names(), whole.Names())
				continue
			}
			got := make([]float64, n)
			again.Eval(got, columns)
			for i := range got {
				if !same(got[i], want[i]) {
					t.Errorf("%q as %q: row %d is %v, not %v", text, other, i, got[i], want[i])
					break
				}
			}
		}
	})
}

// comparesTruth says whether the result of a comparison is compared, as in (x < y) < 1. The
// parser's tree of it is printed without the parentheses, which is another expression: a chain,
// x < y and y < 1.
func comparesTruth(node ast.Node) bool {
	c := &comparisons{}
	ast.Walk(&node, c)
	return c.nested
}

type comparisons struct{ nested bool }

func (c *comparisons) Visit(node *ast.Node) {
	outer, ok := (*node).(*ast.BinaryNode)
	if !ok || !operator.IsComparison(outer.Operator) {
		return
	}
	if inner, ok := outer.Left.(*ast.BinaryNode); ok && operator.IsComparison(inner.Operator) {
		c.nested = true
	}
}

func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// columnsOf returns columns of all three types, with numbers that are hard.
func columnsOf(names []string, n int) []any {
	rng := rand.New(rand.NewPCG(1, 2))
	hard := []float64{0, math.Copysign(0, -1), 1, -1, 2, 0.5, 11, math.Pi, 1e300, -1e-300, math.Inf(1), math.Inf(-1), math.NaN(), 1 << 53}
	columns := make([]any, len(names))
	for k := range columns {
		switch k % 3 {
		case 0:
			v := make([]float64, n)
			for i := range v {
				if v[i] = hard[rng.IntN(len(hard))]; rng.IntN(2) == 0 {
					v[i] = rng.NormFloat64()
				}
			}
			columns[k] = v
		case 1:
			v := make([]int64, n)
			for i := range v {
				v[i] = int64(rng.Uint64()) >> rng.IntN(64)
			}
			columns[k] = v
		case 2:
			v := make([]uint64, n)
			for i := range v {
				v[i] = rng.Uint64() >> rng.IntN(64)
			}
			columns[k] = v
		}
	}
	return columns
}

// slicesOf returns a part of the rows.
func slicesOf(columns []any, lo, hi int) []any {
	part := make([]any, len(columns))
	for k, c := range columns {
		switch c := c.(type) {
		case []float64:
			part[k] = c[lo:hi]
		case []int64:
			part[k] = c[lo:hi]
		case []uint64:
			part[k] = c[lo:hi]
		}
	}
	return part
}
