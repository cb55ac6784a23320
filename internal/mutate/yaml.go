package mutate

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
)

// YAML returns a text with a line that is missing, there twice or elsewhere, another value,
// deep nesting, or aliases of aliases.
func YAML(rng *rand.Rand, text []byte) []byte {
	lines := bytes.SplitAfter(bytes.Clone(text), []byte("\n"))
	at, other := rng.IntN(len(lines)), rng.IntN(len(lines))
	line := string(lines[at])
	value := func(v string) { // in the place of one in the line
		fields := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" ,:[]{}\n", r) })
		if len(fields) > 0 {
			line = strings.Replace(line, fields[rng.IntN(len(fields))], v, 1)
		}
	}
	switch rng.IntN(9) {
	case 0:
		line = ""
	case 1:
		line += line
	case 2:
		lines[at], lines[other] = lines[other], lines[at]
		line = string(lines[at])
	case 3:
		numbers := []string{"1000000000", "-1", "9223372036854775807", "99999999999999999999", "1e30", ".nan", ".inf", "0x7fffffff", "010", "-0"}
		value(numbers[rng.IntN(len(numbers))])
	case 4:
		others := []string{"[]", "{}", "null", "true", "''", "[1, [2]]", "{a: {b: c}}", "2001-01-01", "!!binary aGk=", "~", "|", "<<"}
		value(others[rng.IntN(len(others))])
	case 5:
		n := 1 << rng.IntN(16)
		open := []string{"[", "{a: ", "- ", "? "}[rng.IntN(4)]
		value(strings.Repeat(open, n))
	case 6:
		var bomb strings.Builder
		bomb.WriteString("a0: &a0 [x, x, x, x, x, x, x, x]\n")
		for i := range 1 + rng.IntN(12) {
			fmt.Fprintf(&bomb, "a%d: &a%d [%s*a%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 7), i)
		}
		line = bomb.String() + line
	case 7:
		value("&x *x")
	case 8:
		value(strings.Repeat("x", 1<<rng.IntN(16)))
	}
	lines[at] = []byte(line)
	return bytes.Join(lines, nil)
}
