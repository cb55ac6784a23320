package main

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/eidolon-hep/eidolon/internal/origin"
	"github.com/eidolon-hep/eidolon/rootio"
)

// TestNamesOfFilesArePrintable runs all commands on a file whose names and texts hold what moves
// a cursor or forges a line: none of that is printed, and the branches come through.
func TestNamesOfFilesArePrintable(t *testing.T) {
	const evil = "\x1b[2J\r\neidolon: forged\t\u009b\u202e\x7f"
	dir := t.TempDir()
	table := sample(300)
	for i := range table.Columns {
		table.Columns[i].Name += evil
		table.Columns[i].Title = "title" + evil
	}
	for _, file := range []string{"in.root", "other.root"} {
		if err := rootio.WriteFile(filepath.Join(dir, file), "tree"+evil, table, rootio.WithTitle("title"+evil),
			rootio.WithText(origin.Key, `{"version":"\u001b[2J\nforged","command":"a\u001b\nb","model":"m\u001b\nforged","seed":1}`)); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range []string{
		"info in.root", "info in.root --json",
		"train -i in.root -o m --model spline --hidden 8 --layers 1 --epochs 1",
		"train -i in.root -o x --features p", "train -i in.root -o x -t none", "train -i in.root -o x --exclude nothing",
		"info m", "info m --json", "generate -m m -n 20 -o g.root", "info g.root", "score -m m -i in.root -o s.root",
		"compare -r in.root -c g.root --no-classifier", "compare -r in.root -c g.root --no-classifier --json",
		"reweight -s in.root -r other.root -o w.root",
	} {
		stdout, stderr, code := eidolon(t, dir, strings.Fields(args)...)
		if code != 0 && code != exitError {
			t.Errorf("eidolon %s: exit code %d, %s", args, code, stderr)
		}
		for _, line := range strings.Split(stdout+stderr, "\n") {
			if strings.HasPrefix(line, "eidolon: forged") || strings.HasPrefix(line, "forged") {
				t.Errorf("eidolon %s prints a forged line", args)
			}
			if i := strings.IndexFunc(line, func(r rune) bool { return unicode.IsControl(r) && r != '\t' || r == '\u202e' }); i >= 0 {
				t.Errorf("eidolon %s prints %q", args, line)
			}
		}
	}
	if a, b := open(t, filepath.Join(dir, "in.root")).Fields(), open(t, filepath.Join(dir, "g.root")).Fields(); len(a) != len(table.Columns) || len(a) != len(b) || a[0].Name != b[0].Name || !strings.Contains(a[0].Name, `\u001b[2J`) {
		t.Errorf("branches %v come out as %v", a, b)
	}
}
