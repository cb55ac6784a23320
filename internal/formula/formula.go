// Package formula evaluates expressions over columns, such as
// pt1 > 20 && abs(eta1) < 2.4.
//
// The language is that of [expr-lang], as far as numbers go: + - * / % ** (or ^),
// comparisons, && || ! (or and, or, not), x in [11, 13], c ? a : b, and functions.
// All numbers are float64, but for integers of 64 bits where they are compared or divided
// with %: these are exact. What is true is 1, what is false 0, and any number but 0
// counts as true. A name may have dots, as in jet.pt; x[0] and x[0][1] stand for
// the names x_0 and x_0_1. sum(x) and len(x) are names, too, of columns that are made of
// several values per row.
//
// [expr-lang]: https://expr-lang.org/docs/language-definition
package formula

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"gonum.org/v1/gonum/floats"

	"github.com/eidolon-hep/eidolon/internal/nearest"
)

// Formula is a compiled expression. It is not safe for use by several goroutines at
// a time.
type Formula struct {
	text  string
	names []string
	root  node
	nodes int // that were compiled
}

// mostNodes is how many operations an expression may have, counted as often as each is done:
// a middle operand of a < b < c twice, and one of x in [a, b], too. Each has memory of its own.
const mostNodes = 10_000

// blockLen is the number of rows that are evaluated at a time: what is in between
// stays in the cache.
const blockLen = 512

// block is a part of the columns.
type block struct {
	columns []any
	lo, n   int
}

// node returns the values of a part of an expression. The memory is that of a
// column or of the node.
type node func(b block) []float64

// Parse compiles an expression. Errors are one line.
func Parse(text string) (*Formula, error) {
	tree, err := parser.Parse(markLarge(text))
	if err != nil {
		if e, ok := errors.AsType[*file.Error](err); ok {
			return nil, fmt.Errorf("in %q, at character %d: %s", text, e.Column+1, e.Message)
		}
		return nil, fmt.Errorf("in %q: %w", text, err)
	}
	f := &Formula{text: text}
	f.root, err = f.compile(tree.Node)
	if err != nil {
		return nil, fmt.Errorf("in %q: %w", text, err)
	}
	return f, nil
}

// String returns the text of the expression.
func (f *Formula) String() string { return f.text }

// Names returns the names of the columns in the expression.
func (f *Formula) Names() []string { return slices.Clone(f.names) }

// Eval stores the value of each row in dst. The columns are those of [Formula.Names],
// each as long as dst: a []float64, or a []int64 or []uint64, which are compared exactly.
func (f *Formula) Eval(dst []float64, columns []any) {
	for lo := 0; lo < len(dst); lo += blockLen {
		b := block{columns, lo, min(blockLen, len(dst)-lo)}
		copy(dst[lo:], f.root(b))
	}
}

func (f *Formula) compile(n ast.Node) (node, error) {
	if f.nodes++; f.nodes > mostNodes {
		return nil, fmt.Errorf("it has more than %d operations", mostNodes)
	}
	switch n := n.(type) {
	case *ast.IntegerNode:
		return constant(float64(n.Value)), nil
	case *ast.FloatNode:
		return constant(n.Value), nil
	case *ast.BoolNode:
		return constant(truth(n.Value)), nil
	case *ast.IdentifierNode:
		return f.column(n.Value), nil
	case *ast.MemberNode:
		name, err := memberName(n)
		if err != nil {
			return nil, err
		}
		return f.column(name), nil
	case *ast.ChainNode:
		return f.compile(n.Node)
	case *ast.UnaryNode:
		return f.unary(n)
	case *ast.BinaryNode:
		return f.binary(n)
	case *ast.ConditionalNode:
		return f.call(func(x []float64) float64 {
			if x[0] != 0 {
				return x[1]
			}
			return x[2]
		}, n.Cond, n.Exp1, n.Exp2)
	case *ast.BuiltinNode:
		return f.function(n.Name, n.Arguments)
	case *ast.CallNode:
		callee, ok := n.Callee.(*ast.IdentifierNode)
		if !ok {
			return nil, fmt.Errorf("%q is no function", n.Callee)
		}
		return f.function(callee.Value, n.Arguments)
	}
	return nil, fmt.Errorf("%q is nothing that can be computed of numbers", n)
}

func constant(x float64) node {
	values := slices.Repeat([]float64{x}, blockLen)
	return func(b block) []float64 { return values[:b.n] }
}

// index returns the place of a name.
func (f *Formula) index(name string) int {
	i := slices.Index(f.names, name)
	if i < 0 {
		i = len(f.names)
		f.names = append(f.names, name)
	}
	return i
}

func (f *Formula) column(name string) node {
	if u, ok := largeLiteral(name); ok {
		return constant(float64(u))
	}
	i := f.index(name)
	buf := make([]float64, blockLen)
	return func(b block) []float64 {
		switch v := b.columns[i].(type) {
		case []float64:
			return v[b.lo : b.lo+b.n]
		case []int64:
			for k, x := range v[b.lo : b.lo+b.n] {
				buf[k] = float64(x)
			}
		case []uint64:
			for k, x := range v[b.lo : b.lo+b.n] {
				buf[k] = float64(x)
			}
		}
		return buf[:b.n]
	}
}

// columnName returns the name of the column that an expression is, if it is one.
func columnName(n ast.Node) (name string, ok bool) {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return n.Value, true
	case *ast.MemberNode:
		name, err := memberName(n)
		return name, err == nil
	}
	return "", false
}

// memberName returns the name that jet.pt or x[0] stands for.
func memberName(n *ast.MemberNode) (string, error) {
	var of string
	switch inner := n.Node.(type) {
	case *ast.IdentifierNode:
		of = inner.Value
	case *ast.MemberNode:
		var err error
		if of, err = memberName(inner); err != nil {
			return "", err
		}
	default:
		return "", fmt.Errorf("%q is no name", n)
	}
	switch p := n.Property.(type) {
	case *ast.StringNode:
		return of + "." + p.Value, nil
	case *ast.IntegerNode:
		return of + "_" + strconv.Itoa(p.Value), nil
	}
	return "", fmt.Errorf("%q is no name", n)
}

func (f *Formula) unary(n *ast.UnaryNode) (node, error) {
	switch n.Operator {
	case "-":
		return f.call(func(x []float64) float64 { return -x[0] }, n.Node)
	case "+":
		return f.compile(n.Node)
	case "!", "not":
		return f.call(func(x []float64) float64 { return truth(x[0] == 0) }, n.Node)
	}
	return nil, fmt.Errorf("%q is no operator of numbers", n.Operator)
}

func (f *Formula) binary(n *ast.BinaryNode) (node, error) {
	if list, ok := n.Right.(*ast.ArrayNode); ok && n.Operator == "in" {
		return f.oneOf(n.Left, list.Nodes)
	}
	a, err := f.compile(n.Left)
	if err != nil {
		return nil, err
	}
	c, err := f.compile(n.Right)
	if err != nil {
		return nil, err
	}
	each, ok := arithmetic[n.Operator]
	if !ok {
		op, ok := operators[n.Operator]
		if !ok {
			return nil, fmt.Errorf("%q is no operator of numbers", n.Operator)
		}
		each = func(dst, x, y []float64) []float64 {
			for i := range dst {
				dst[i] = op(x[i], y[i])
			}
			return dst
		}
	}
	buf := make([]float64, blockLen)
	plain := func(b block) []float64 { return each(buf[:b.n], a(b)[:b.n], c(b)[:b.n]) }
	return f.exactly(n, a, c, plain), nil
}

// oneOf compiles x in [a, b].
func (f *Formula) oneOf(x ast.Node, list []ast.Node) (node, error) {
	equal := make([]node, len(list))
	for i, n := range list {
		var err error
		if equal[i], err = f.binary(&ast.BinaryNode{Operator: "==", Left: x, Right: n}); err != nil {
			return nil, err
		}
	}
	buf := make([]float64, blockLen)
	return func(b block) []float64 {
		dst := buf[:b.n]
		clear(dst)
		for _, e := range equal {
			for i, v := range e(b) {
				dst[i] = max(dst[i], v)
			}
		}
		return dst
	}, nil
}

// arithmetic has the operators that work on slices.
var arithmetic = map[string]func(dst, x, y []float64) []float64{
	"+": floats.AddTo, "-": floats.SubTo, "*": floats.MulTo, "/": floats.DivTo,
}

// operators are those of two numbers.
var operators = map[string]func(x, y float64) float64{
	"%":  math.Mod,
	"**": math.Pow,
	"^":  math.Pow,
	"<":  func(x, y float64) float64 { return truth(x < y) },
	"<=": func(x, y float64) float64 { return truth(x <= y) },
	">":  func(x, y float64) float64 { return truth(x > y) },
	">=": func(x, y float64) float64 { return truth(x >= y) },
	"==": func(x, y float64) float64 { return truth(x == y) },
	"!=": func(x, y float64) float64 { return truth(x != y) },
	"&&": func(x, y float64) float64 { return truth(x != 0 && y != 0) },
	"||": func(x, y float64) float64 { return truth(x != 0 || y != 0) },

	"and": func(x, y float64) float64 { return truth(x != 0 && y != 0) },
	"or":  func(x, y float64) float64 { return truth(x != 0 || y != 0) },
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// functions of one number.
var functions = map[string]func(float64) float64{
	"abs": math.Abs, "fabs": math.Abs, "sqrt": math.Sqrt, "cbrt": math.Cbrt,
	"exp": math.Exp, "expm1": math.Expm1, "log": math.Log, "log1p": math.Log1p, "log2": math.Log2, "log10": math.Log10,
	"sin": math.Sin, "cos": math.Cos, "tan": math.Tan, "asin": math.Asin, "acos": math.Acos, "atan": math.Atan,
	"sinh": math.Sinh, "cosh": math.Cosh, "tanh": math.Tanh, "asinh": math.Asinh, "acosh": math.Acosh, "atanh": math.Atanh,
	"floor": math.Floor, "ceil": math.Ceil, "round": math.Round, "trunc": math.Trunc,
	"isnan": func(x float64) float64 { return truth(math.IsNaN(x)) },
}

// functions2 are functions of two numbers.
var functions2 = map[string]func(x, y float64) float64{
	"atan2": math.Atan2, "pow": math.Pow, "hypot": math.Hypot, "fmod": math.Mod,
	"deltaphi": func(a, b float64) float64 { return math.Remainder(a-b, 2*math.Pi) },
}

// function compiles a call. min and max take any number of arguments.
func (f *Formula) function(name string, args []ast.Node) (node, error) {
	want := 1
	var call func(x []float64) float64
	one, isOne := functions[name]
	two, isTwo := functions2[name]
	switch {
	case (name == "sum" || name == "len") && len(args) == 1:
		of, ok := columnName(args[0])
		if !ok {
			return nil, fmt.Errorf("%q is no name", args[0])
		}
		return f.column(name + "(" + of + ")"), nil
	case isOne:
		call = func(x []float64) float64 { return one(x[0]) }
	case isTwo:
		want, call = 2, func(x []float64) float64 { return two(x[0], x[1]) }
	case name == "min" && len(args) > 0:
		return f.call(slices.Min, args...)
	case name == "max" && len(args) > 0:
		return f.call(slices.Max, args...)
	default:
		known := slices.AppendSeq([]string{"min", "max", "sum", "len"}, maps.Keys(functions))
		known = slices.AppendSeq(known, maps.Keys(functions2))
		slices.Sort(known)
		hint := nearest.Hint(name, known)
		if hint == "" {
			hint = "; there are " + strings.Join(known, ", ")
		}
		return nil, fmt.Errorf("there is no function %q%s", name, hint)
	}
	if len(args) != want {
		return nil, fmt.Errorf("%s takes %d arguments, not %d", name, want, len(args))
	}
	return f.call(call, args...)
}

// call compiles a function of the values of the arguments.
func (f *Formula) call(function func(x []float64) float64, args ...ast.Node) (node, error) {
	nodes := make([]node, len(args))
	for i, a := range args {
		var err error
		if nodes[i], err = f.compile(a); err != nil {
			return nil, err
		}
	}
	buf, x, values := make([]float64, blockLen), make([]float64, len(args)), make([][]float64, len(args))
	return func(b block) []float64 {
		for k, n := range nodes {
			values[k] = n(b)
		}
		for i := range b.n {
			for k := range x {
				x[k] = values[k][i]
			}
			buf[i] = function(x)
		}
		return buf[:b.n]
	}, nil
}
