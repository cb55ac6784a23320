// Package testenv is the one place where a test is left out. No test calls Skip itself: CI
// refuses that. It says here why it cannot run or need not, and CI prints the list of what
// was not run at its end.
//
//   - [Missing]: CI installs what the test needs. There it is an error that it is missing.
//   - [Impossible]: the test needs a processor, a system or a file that nobody can install.
//   - [Slow]: the test takes long and runs once, in the plain build. It is left out with
//     -short, under the race detector, and with -tags purego.
//   - [Huge]: the test runs where somebody asks for it, with EIDOLON_TEST_LONG=1.
//   - [Allocated] says what memory a part of a test asks for.
//   - [SharedFile], [SharedFiles]: the test reads files that lie beside the checkout.
package testenv

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// Missing leaves out a test that needs what CI installs. With CI=true the test fails.
func Missing(tb testing.TB, why string) {
	tb.Helper()
	if os.Getenv("CI") == "true" {
		tb.Fatal(why)
	}
	skip(tb, why)
}

// Impossible leaves out a test that needs what no script can install.
func Impossible(tb testing.TB, why string) {
	tb.Helper()
	skip(tb, why)
}

// Slow leaves out a test that takes long where the build makes it longer still; why says what
// takes the time. Quick tests of the same code run there.
func Slow(tb testing.TB, why string) {
	tb.Helper()
	_, settings := built()
	switch {
	case testing.Short():
		skip(tb, why+" (left out with -short)")
	case settings["-race"] == "true":
		skip(tb, why+" (left out under the race detector)")
	case settings["-tags"] == "purego":
		skip(tb, why+" (left out without assembly)")
	}
}

// Huge leaves out a test that needs more time or space than anyone wants to give at every
// change, unless EIDOLON_TEST_LONG is set.
func Huge(tb testing.TB, why string) {
	tb.Helper()
	if !Long() {
		skip(tb, why+" (EIDOLON_TEST_LONG=1 runs it)")
	}
}

// Long reports whether tests are asked to do more than at every change.
func Long() bool { return os.Getenv("EIDOLON_TEST_LONG") != "" }

// Allocated returns a function that says how many bytes have been asked for since, by all
// goroutines, garbage included.
func Allocated() func() int64 {
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	return func() int64 {
		var after runtime.MemStats
		runtime.ReadMemStats(&after)
		return int64(after.TotalAlloc - before.TotalAlloc)
	}
}

// SharedFile returns a file of the folder shared that lies beside the checkout, with files of
// experiments. It leaves out the test where the file is not there. The name has slashes.
func SharedFile(tb testing.TB, name string) string {
	tb.Helper()
	file := filepath.Join(shared(tb), filepath.FromSlash(name))
	if _, err := os.Stat(file); err != nil {
		skip(tb, "there is no ../shared/"+name)
	}
	return file
}

// SharedFiles returns all files of the folder shared whose names match a pattern, for a test
// that reads others, too.
func SharedFiles(tb testing.TB, pattern string) []string {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(shared(tb), filepath.FromSlash(pattern)))
	if err != nil {
		tb.Fatal(err)
	}
	if len(files) == 0 {
		note(tb, "there is no ../shared/"+pattern+": it ran without these files")
	}
	return files
}

// GrootFiles returns the files of groot's own test data whose names match a pattern. The test
// is left out where groot's module is not at hand.
func GrootFiles(tb testing.TB, pattern string) []string {
	tb.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "go-hep.org/x/hep").Output()
	if err != nil {
		Missing(tb, fmt.Sprintf("groot's test data are not here: %v", err))
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "groot", "testdata", pattern))
	if err != nil {
		tb.Fatal(err)
	}
	if len(files) == 0 {
		Missing(tb, "groot's test data have no "+pattern)
	}
	return files
}

// shared returns the folder beside the one with go.mod.
func shared(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(filepath.Dir(dir), "shared")
		}
		above := filepath.Dir(dir)
		if above == dir {
			tb.Fatal("no folder above the test has a go.mod")
		}
		dir = above
	}
}

func skip(tb testing.TB, why string) {
	tb.Helper()
	note(tb, why)
	tb.Skip(why)
}

// note adds a line to the file that EIDOLON_NOT_RUN names.
func note(tb testing.TB, why string) {
	tb.Helper()
	if file := os.Getenv("EIDOLON_NOT_RUN"); file != "" {
		of, _ := built()
		if err := add(file, fmt.Sprintf("%s %s: %s\n", of, tb.Name(), why)); err != nil {
			tb.Fatal(err)
		}
	}
}

// add appends a line to a file to which several tests write at the same time.
func add(file, line string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line)
	return errors.Join(err, f.Close())
}

// built returns the name of the test's package in the module, and with what it was built.
func built() (of string, settings map[string]string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return os.Args[0], nil
	}
	settings = make(map[string]string)
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	return strings.TrimSuffix(strings.TrimPrefix(info.Path, info.Main.Path+"/"), ".test"), settings
}
