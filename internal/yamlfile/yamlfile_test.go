package yamlfile

import (
	"fmt"
	"strings"
	"testing"
)

// Texts that stand for much more than they have are refused before anything decodes them.
func TestBombs(t *testing.T) {
	var aliases strings.Builder
	aliases.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 30 {
		fmt.Fprintf(&aliases, "a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	var deep strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&deep, "%sa:\n", strings.Repeat(" ", i))
		if deep.Len() > mostBytes/2 {
			break
		}
	}
	for name, text := range map[string]string{
		"aliases":   aliases.String(),
		"merges":    "a: &a {x: 1}\nb: &b {<<: *b}\n",
		"itself":    "a: &a [*a]\n",
		"brackets":  strings.Repeat("[", 400_000),
		"braces":    strings.Repeat("{a: ", 100_000),
		"sequences": strings.Repeat("- ", 400_000),
		"keys":      strings.Repeat("? ", 400_000),
		"pairs":     "[" + strings.Repeat("a: ", 300_000),
		"indented":  deep.String(),
		"large":     strings.Repeat("a", 2<<20),
	} {
		if err := check([]byte(text)); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
	for _, text := range []string{
		"", "a: 1\n", "x: &x {a: 1, b: [1, 2]}\ny: *x\nz: {<<: *x, c: 3}\n",
		"components:\n  - {name: events, type: TreeReader, props: {Files: [a.root], Where: 'x[0] > 3 && y - 2 : 1'}}\n",
		"{" + strings.Repeat(`"a": 1, `, 500) + `"b": {"c": [1, 2]}}`, // JSON of a program, in one line
		"- - 1\n  - 2\n", "a: [", // what is wrong otherwise is the decoder's
	} {
		if err := check([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}
