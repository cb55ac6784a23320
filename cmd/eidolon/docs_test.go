//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Shims are what commands of the documentation run here. Samples and trainings are small.
var shims = map[string]string{
	"eidolon": `
case "$1 $*" in
	*--resume\ [!a]* | "train "*" -c "* | *--model\ diffusion* | *--apply*) ;;
	*--example*) set -- "$@" -n 1000 --models realnvp,sums-300 ;;
	demo*) set -- "$@" -n 1000 ;;
	train*) set -- "$@" --epochs 1 ;;
	compare* | reweight*) set -- "$@" --max-events 300 ;;
esac
EIDOLON_TEST_COMMAND=1 exec "$EIDOLON_TEST_BINARY" "$@"
`,
	"go": `
case "$*" in
	"run ./cmd/eidolon "*) shift 2; exec eidolon "$@" ;;
	"install ./cmd/eidolon") ;;
	*) echo "the test does not know: go $*" >&2; exit 1 ;;
esac
`,
}

// TestDocumentation runs the commands of README.md and of docs/, page by page, in a folder
// with nothing in it.
//
// A block “sh” is run by bash, and each of its commands must succeed. A block “sh norun: why”
// is not. A block “go” is a program. The lines of a block “text output” are in what the block before it prints; numbers
// and spaces may be others, and … stands for anything. Links lead to files.
func TestDocumentation(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	for name, script := range shims {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/bash\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	self, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	environment := append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "EIDOLON_TEST_BINARY="+self)
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("docs/ has %d pages (%v)", len(pages), err)
	}
	for _, page := range append(pages, "../../README.md", "../../CONTRIBUTING.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			dir, printed := t.TempDir(), ""
			for _, b := range blocks(string(text)) {
				switch info := b.info; {
				case info == "sh":
					cmd := exec.Command("bash", "-euo", "pipefail", "-c", strings.ReplaceAll(b.text, "-n 1000000", "-n 1000"))
					cmd.Dir, cmd.Env = dir, environment
					out, err := cmd.CombinedOutput()
					if err != nil {
						t.Fatalf("%v:\n%s\nprints\n%s", err, b.text, out[max(0, len(out)-1000):])
					}
					printed = string(out)
				case info == "text output":
					for line := range strings.Lines(b.text) {
						if !like(line, printed) {
							t.Errorf("this line is not printed: %s\nbut\n%s", line, printed)
						}
					}
				case info == "go":
					runGo(t, dir, b.text)
				case strings.HasPrefix(info, "sh norun: "), info == "text", info == "yaml":
				case (info == "python" || info == "cpp") && filepath.Base(page) == "reading.md": // bench/interop/run
				default:
					t.Errorf("nothing runs a block of the kind %q:\n%s", info, b.text)
				}
			}
			for _, link := range regexp.MustCompile(`\]\(([^):#]+)\)`).FindAllStringSubmatch(outside(string(text)), -1) {
				if _, err := os.Stat(filepath.Join(filepath.Dir(page), link[1])); err != nil {
					t.Errorf("a link leads nowhere: %v", err)
				}
			}
			if command := regexp.MustCompile(`(?m)^(    |\t)(eidolon|go) .*`).FindString(outside(string(text))); command != "" {
				t.Errorf("a command that nothing runs: %s", command)
			}
		})
	}
}

// runGo builds a program and runs it in a folder.
func runGo(t *testing.T, dir, program string) {
	t.Helper()
	source, binary := filepath.Join(t.TempDir(), "main.go"), filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(source, []byte(program), 0o666); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", binary, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.Command(binary)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// fence is a block of code.
var fence = regexp.MustCompile("(?ms)^```([^\n]*)\n(.*?)^```$")

type block struct{ info, text string }

func blocks(page string) []block {
	var found []block
	for _, m := range fence.FindAllStringSubmatch(page, -1) {
		found = append(found, block{m[1], m[2]})
	}
	return found
}

// outside is a page without its blocks.
func outside(page string) string { return fence.ReplaceAllString(page, "") }

// like reports whether a line is among those that are printed, up to numbers and spaces.
func like(line, printed string) bool {
	space, number := regexp.MustCompile(`\s+`), regexp.MustCompile(`[-−]?\d[\d.,]*(e[-+]?\d+)?[kM]?`)
	general := func(s string) string {
		return number.ReplaceAllString(strings.TrimSpace(space.ReplaceAllString(s, " ")), "#")
	}
	want := strings.ReplaceAll(regexp.QuoteMeta(general(line)), "…", ".*")
	pattern := regexp.MustCompile("^" + want + "$")
	for have := range strings.Lines(printed) {
		if pattern.MatchString(general(have)) {
			return true
		}
	}
	return want == ""
}
