// Package yamlfile reads YAML that others wrote: a text may be small and stand for much, by
// aliases of aliases, or be nested so deep that a decoder runs out of stack.
package yamlfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/eidolon-hep/eidolon/internal/panics"
)

// What a text may have. Nobody writes more by hand.
const (
	mostBytes  = 1 << 20
	mostNested = 100     // levels
	mostValues = 100_000 // with those that aliases stand for
)

// Read reads a file.
func Read(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, mostBytes+1))
}

// Decode decodes a text that stands for no more than one that is written by hand may. Some
// texts that are no YAML make the decoder panic: that is an error of the text.
func Decode(text []byte, into any, options ...yaml.DecodeOption) error {
	err := panics.Guard(func() error {
		if err := check(text); err != nil {
			return err
		}
		return yaml.UnmarshalWithOptions(text, into, options...)
	})
	if _, ok := errors.AsType[*panics.Error](err); ok {
		return errors.New("the text is no YAML")
	}
	return err
}

// check returns an error for a text that stands for more than it may. What is wrong in another
// way is left to the decoder.
func check(text []byte) error {
	if len(text) > mostBytes {
		return fmt.Errorf("the text may have %d bytes at most", mostBytes)
	}
	if depth := nested(text); depth > mostNested {
		return fmt.Errorf("the text is nested %d levels deep, it may be %d at most", depth, mostNested)
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil
	}
	w := weights{of: map[string]int{}}
	for _, doc := range file.Docs {
		if doc.Body != nil {
			ast.Walk(&w, doc.Body)
		}
	}
	switch {
	case w.unknown != "":
		return fmt.Errorf("alias *%s stands for nothing that is before it", w.unknown)
	case w.total > mostValues:
		return fmt.Errorf("the aliases stand for more than %d values", mostValues)
	}
	return nil
}

// nested returns a depth that is not smaller than that of the text: of its brackets, whether
// they are in texts or not, and of what may begin levels in a line.
func nested(text []byte) int {
	deepest, open := 0, 0
	for line := range bytes.Lines(text) {
		starts := 0
		for i, c := range line {
			switch c {
			case '[', '{':
				open++
			case ']', '}':
				open = max(0, open-1)
			case ',': // in brackets the next pair is beside the last, not in it
				if open > 0 {
					starts = 0
				}
			case '-', '?', ':':
				if i+1 == len(line) || line[i+1] == ' ' || line[i+1] == '\t' || line[i+1] == '\n' || line[i+1] == '\r' {
					starts++
				}
			}
			deepest = max(deepest, open+starts)
		}
	}
	return max(deepest, indented(text))
}

// indented returns the number of levels by which lines are indented.
func indented(text []byte) (deepest int) {
	var levels []int
	for line := range bytes.Lines(text) {
		content := bytes.TrimLeft(line, " \t")
		if len(bytes.TrimSpace(content)) == 0 {
			continue
		}
		indent := len(line) - len(content)
		for len(levels) > 0 && levels[len(levels)-1] >= indent {
			levels = levels[:len(levels)-1]
		}
		levels = append(levels, indent)
		deepest = max(deepest, len(levels))
	}
	return deepest
}

// weights count values, with those that aliases stand for.
type weights struct {
	of      map[string]int // by anchor
	total   int
	unknown string // an alias without an anchor
}

// Visit counts a value.
func (w *weights) Visit(n ast.Node) ast.Visitor {
	switch n := n.(type) {
	case *ast.AnchorNode:
		inside := weights{of: w.of}
		if n.Value != nil {
			ast.Walk(&inside, n.Value)
		}
		w.add(inside.total)
		if w.unknown == "" {
			w.unknown = inside.unknown
		}
		w.of[n.Name.String()] = inside.total
		return nil
	case *ast.AliasNode:
		name := n.Value.String()
		weight, ok := w.of[name]
		if !ok && w.unknown == "" {
			w.unknown = name
		}
		w.add(weight)
		return nil
	}
	w.add(1)
	return w
}

func (w *weights) add(n int) { w.total = min(w.total+n, mostValues+1) }
