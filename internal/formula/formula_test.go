package formula

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// Every operator and function is compared with Go's, over several blocks.
func TestEval(t *testing.T) {
	const n = 3*blockLen + 17
	rng := rand.New(rand.NewPCG(1, 1))
	columns := map[string][]float64{}
	for _, name := range []string{"x", "y", "jet.pt", "p_0_1"} {
		v := make([]float64, n)
		for i := range v {
			v[i] = 3 * rng.NormFloat64()
		}
		columns[name] = v
	}
	columns["y"][3] = columns["x"][3]
	columns["x"][5] = math.NaN()
	is := func(b bool) float64 { return truth(b) }
	for text, want := range map[string]func(x, y, pt, p float64) float64{
		"x":                  func(x, y, pt, p float64) float64 { return x },
		"x + y*jet.pt - 2":   func(x, y, pt, p float64) float64 { return x + y*pt - 2 },
		"-x / (y + 1)":       func(x, y, pt, p float64) float64 { return -x / (y + 1) },
		"2*x^2":              func(x, y, pt, p float64) float64 { return 2 * math.Pow(x, 2) },
		"2**-x":              func(x, y, pt, p float64) float64 { return math.Pow(2, -x) },
		"p[0][1]":            func(x, y, pt, p float64) float64 { return p },
		"jet.pt % 2":         func(x, y, pt, p float64) float64 { return math.Mod(pt, 2) },
		"x > 1 && abs(y)<2":  func(x, y, pt, p float64) float64 { return is(x > 1 && math.Abs(y) < 2) },
		"x<0 or !(y >= 1)":   func(x, y, pt, p float64) float64 { return is(x < 0 || !(y >= 1)) },
		"x == y":             func(x, y, pt, p float64) float64 { return is(x == y) },
		"x != x":             func(x, y, pt, p float64) float64 { return is(math.IsNaN(x)) },
		"not isnan(x)":       func(x, y, pt, p float64) float64 { return is(!math.IsNaN(x)) },
		"-1 < y < 1":         func(x, y, pt, p float64) float64 { return is(-1 < y && y < 1) },
		"round(y) in [1, 2]": func(x, y, pt, p float64) float64 { return is(math.Round(y) == 1 || math.Round(y) == 2) },
		"y > 0 ? sqrt(y) : -hypot(y, jet.pt)": func(x, y, pt, p float64) float64 {
			if y > 0 {
				return math.Sqrt(y)
			}
			return -math.Hypot(y, pt)
		},
		"max(y, jet.pt, 0) + min(y, 1)": func(x, y, pt, p float64) float64 { return max(y, pt, 0) + min(y, 1) },
		"atan2(y, jet.pt)":              func(x, y, pt, p float64) float64 { return math.Atan2(y, pt) },
		"sqrt(2*exp(y)*exp(jet.pt)*(cosh(y-jet.pt)-cos(p[0][1])))": func(x, y, pt, p float64) float64 {
			return math.Sqrt(2 * math.Exp(y) * math.Exp(pt) * (math.Cosh(y-pt) - math.Cos(p)))
		},
		"1 + 2*3": func(x, y, pt, p float64) float64 { return 7 },
		"true":    func(x, y, pt, p float64) float64 { return 1 },
	} {
		f, err := Parse(text)
		if err != nil {
			t.Error(err)
			continue
		}
		var in []any
		for _, name := range f.Names() {
			if columns[name] == nil {
				t.Fatalf("%s: unexpected name %q", text, name)
			}
			in = append(in, columns[name])
		}
		got := make([]float64, n)
		f.Eval(got, in)
		for i, g := range got {
			w := want(columns["x"][i], columns["y"][i], columns["jet.pt"][i], columns["p_0_1"][i])
			if g != w && !(math.IsNaN(g) && math.IsNaN(w)) {
				t.Errorf("%s: row %d is %v, want %v", text, i, g, w)
				break
			}
		}
	}
	d, _ := Parse("deltaphi(x, y)")
	out := make([]float64, 3)
	d.Eval(out, []any{[]float64{3, 0.1, -3}, []float64{-3, 0.3, 3}})
	for i, want := range []float64{6 - 2*math.Pi, -0.2, 2*math.Pi - 6} {
		if math.Abs(out[i]-want) > 1e-12 {
			t.Errorf("deltaphi %d is %g, want %g", i, out[i], want)
		}
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"x >":              "at character",
		"":                 "at character",
		"sqr(x)":           `no function "sqr"; did you mean "sqrt"`,
		"nothinglike(x)":   "there are abs, acos",
		"sqrt(x, y)":       "takes 1 arguments, not 2",
		"x + 'text'":       "text",
		"filter(x, # > 1)": "filter",
		"x.y()":            "x.y",
		"let a = 1; a":     "a",
		"x | y":            "",
	} {
		_, err := Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one line with %q", text, err, want)
		}
	}
}

func TestNames(t *testing.T) {
	f, err := Parse("a*b + a.b[3] > max(c, a)")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := f.Names(), []string{"a", "b", "a.b_3", "c"}; !slices.Equal(got, want) {
		t.Errorf("names %q, want %q", got, want)
	}
}

// Integers of 64 bits are compared as integers, with each other and with all else: the
// truth is that of math/big.
func TestIntegersAreExact(t *testing.T) {
	signed := []int64{math.MinInt64, math.MinInt64 + 1, -1<<53 - 1, -1 << 53, -1, 0, 1, 1 << 53, 1<<53 + 1, math.MaxInt64 - 1, math.MaxInt64}
	unsigned := []uint64{0, 1, 1 << 53, 1<<53 + 1, math.MaxInt64, 1 << 63, 1<<63 + 1, math.MaxUint64 - 1, math.MaxUint64}
	floats := []float64{-1 << 63, -1 << 64, -0.5, 0, 0.5, 1, 1 << 53, 1<<53 + 2, 1 << 63, 1 << 64, math.Inf(1), math.Inf(-1), math.NaN(), 1e300}
	exact := func(v any) *big.Float {
		x := new(big.Float).SetPrec(200)
		switch v := v.(type) {
		case int64:
			return x.SetInt64(v)
		case uint64:
			return x.SetUint64(v)
		case float64:
			if v == v {
				return x.SetFloat64(v)
			}
		}
		return nil
	}
	var all []any
	for _, v := range signed {
		all = append(all, v)
	}
	for _, v := range unsigned {
		all = append(all, v)
	}
	for _, v := range floats {
		all = append(all, v)
	}
	column := func(v any) any {
		switch v := v.(type) {
		case int64:
			return []int64{v}
		case uint64:
			return []uint64{v}
		}
		return []float64{v.(float64)}
	}
	got := make([]float64, 1)
	for operator, is := range map[string]func(order int) bool{
		"==": func(o int) bool { return o == 0 }, "!=": func(o int) bool { return o != 0 },
		"<": func(o int) bool { return o < 0 }, "<=": func(o int) bool { return o <= 0 },
		">": func(o int) bool { return o > 0 }, ">=": func(o int) bool { return o >= 0 },
	} {
		f, err := Parse("x " + operator + " y")
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range all {
			for _, y := range all {
				want := operator == "!="
				if a, b := exact(x), exact(y); a != nil && b != nil {
					want = is(a.Cmp(b))
				}
				if f.Eval(got, []any{column(x), column(y)}); got[0] != truth(want) {
					t.Errorf("%v %s %v is %v", x, operator, y, got[0])
				}
			}
			literal := fmt.Sprint(x)
			if _, isFloat := x.(float64); isFloat {
				continue
			}
			g, err := Parse("y " + operator + " " + literal)
			if err != nil {
				t.Fatal(err)
			}
			for _, y := range all {
				if _, isFloat := y.(float64); isFloat {
					continue // a literal is a float64 among those
				}
				want := is(exact(y).Cmp(exact(x)))
				if g.Eval(got, []any{column(y)}); got[0] != truth(want) {
					t.Errorf("%v %s the literal %s is %v", y, operator, literal, got[0])
				}
			}
		}
	}
	for text, want := range map[string]float64{
		"x in [1, 9007199254740993]": 1, "x in [9007199254740992]": 0, "x % 2": 1, "x % 2 == 1": 1, "x + 1": 1 << 53, "u == 18_446_744_073_709_551_615": 1,
		"u > 18446744073709551616": 0, "u % 10": 5, "-x % 2": -0, "x == 9007199254740993 && u != 18446744073709551614": 1, "x18446744073709551615 == 1": 1,
	} {
		f, err := Parse(text)
		if err != nil {
			t.Error(err)
			continue
		}
		var in []any
		for _, name := range f.Names() {
			in = append(in, map[string]any{"x": []int64{1<<53 + 1}, "u": []uint64{math.MaxUint64}, "x18446744073709551615": []float64{1}}[name])
		}
		if f.Eval(got, in); got[0] != want {
			t.Errorf("%s is %v, not %v", text, got[0], want)
		}
	}
}

// The steady state allocates nothing.
func TestAllocations(t *testing.T) {
	f, err := Parse("x > 20 && abs(y) < 2.4 && hypot(x, y) < 100")
	if err != nil {
		t.Fatal(err)
	}
	x := []any{make([]float64, 5000), make([]float64, 5000)}
	dst := make([]float64, 5000)
	if n := testing.AllocsPerRun(10, func() { f.Eval(dst, x) }); n > 0 {
		t.Errorf("%g allocations", n)
	}
}
