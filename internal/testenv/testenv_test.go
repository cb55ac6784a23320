package testenv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A test that is left out is in the list, with its package and the reason.
func TestNotRun(t *testing.T) {
	list := filepath.Join(t.TempDir(), "not-run")
	t.Setenv("EIDOLON_NOT_RUN", list)
	t.Setenv("EIDOLON_TEST_LONG", "")
	t.Setenv("CI", "")
	left := 0
	for _, name := range []string{"a", "b", "c"} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if t.Skipped() {
					left++
				}
			}()
			map[string]func(testing.TB, string){"a": Missing, "b": Impossible, "c": Huge}[name](t, "reason "+name)
			t.Error("it goes on")
		})
	}
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		name := string(rune('a' + i))
		if want := "internal/testenv TestNotRun/" + name + ": reason " + name; !strings.HasPrefix(line, want) {
			t.Errorf("the list says %q, want %q", line, want)
		}
	}
	if lines := strings.Count(string(text), "\n"); left != 3 || lines != 3 {
		t.Errorf("%d tests are left out and %d are in the list, want 3", left, lines)
	}
}

// What CI installs must be there.
func TestMissingInCI(t *testing.T) {
	t.Setenv("CI", "true")
	r := &recorder{TB: t}
	Missing(r, "no node")
	if r.fatal != "no node" {
		t.Errorf("the failure is %q", r.fatal)
	}
}

// recorder takes the place of a test that fails.
type recorder struct {
	testing.TB
	fatal string
}

func (r *recorder) Fatal(args ...any) { r.fatal = args[0].(string) }
func (r *recorder) Skip(...any)       {}
