// Package output checks, before any work is done, that a file can be written and that
// nothing of the user's is lost by it.
package output

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/eidolon-hep/eidolon/internal/atomicfile"
)

// ErrRefused is wrapped by the errors about outputs that would destroy a file of the
// user: what was asked for is a mistake.
var ErrRefused = errors.New("the output is refused")

// refusal is an error that needs not name its kind.
type refusal struct{ error }

func (r refusal) Unwrap() error { return ErrRefused }

// Refuse returns an error that wraps [ErrRefused].
func Refuse(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

// Kind is a kind of file. Only a file of the same kind is replaced.
type Kind struct {
	Name string                 // with its article: "a ROOT file"
	Is   func(file string) bool // whether a file is of this kind
}

// The kinds of files that are known by their first bytes.
var (
	ROOT = Kind{"a ROOT file", starts("root")}
	HTML = Kind{"an HTML file", func(file string) bool {
		text := bytes.ToLower(bytes.TrimSpace(head(file)))
		return bytes.HasPrefix(text, []byte("<!doctype html")) || bytes.HasPrefix(text, []byte("<html"))
	}}
	PNG = Kind{"a PNG picture", starts("\x89PNG")}
	PDF = Kind{"a PDF file", starts("%PDF")}
	SVG = Kind{"an SVG picture", func(file string) bool { return Begins(file, "<svg") }}
)

func starts(magic string) func(file string) bool {
	return func(file string) bool { return bytes.HasPrefix(head(file), []byte(magic)) }
}

// Begins reports whether a text is among the first bytes of a file.
func Begins(file, text string) bool { return bytes.Contains(head(file), []byte(text)) }

// head returns the first bytes of a file.
func head(file string) []byte {
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	text, _ := io.ReadAll(io.LimitReader(f, 1<<10))
	return text
}

// Check checks that a file of a kind can be written under the name: that it is on this
// machine, that its folder is there and can be written to, that it is none of the inputs, by
// whatever name, and that what is there now is of the same kind, or empty. Inputs may be
// patterns and URLs, or empty names for none. The error wraps [ErrRefused] or
// [atomicfile.ErrOutput].
func Check(name string, kind Kind, inputs ...string) error {
	if strings.Contains(name, "://") {
		return Refuse("the output %s is a URL: give the name of a file on this machine, and copy it afterwards", name)
	}
	for _, input := range inputs {
		for _, file := range Local(input) {
			if Same(name, file) {
				return Refuse("the output %s is the input %s: it would be lost", name, input)
			}
		}
	}
	if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() && info.Size() > 0 && !kind.Is(name) {
		return Refuse("the output %s is there already, and is not %s: it would be lost; give another name, or remove it", name, kind.Name)
	}
	return atomicfile.Check(name)
}

// Local returns the files on this machine that the name of an input stands for: those that
// match a pattern, the one of a file:// URL, none of a remote one.
func Local(input string) []string {
	name := strings.TrimPrefix(input, "file://")
	if name == "" || strings.Contains(name, "://") {
		return nil
	}
	if _, err := os.Stat(name); err != nil {
		if files, err := filepath.Glob(name); err == nil && len(files) > 0 {
			return files
		}
	}
	return []string{name}
}

// Same reports whether two names, neither of which need be there, are of the same file:
// through links of both kinds, and from wherever.
func Same(a, b string) bool {
	if a == "" || b == "" {
		return false
	}
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	if errA == nil && errB == nil {
		return os.SameFile(infoA, infoB)
	}
	if filepath.Base(a) != filepath.Base(b) {
		return false
	}
	infoA, errA = os.Stat(filepath.Dir(a))
	infoB, errB = os.Stat(filepath.Dir(b))
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// CheckFolder checks that files can be written into a folder, which is made if need be. Of
// a folder that is not ours from before, nothing is replaced: it may hold no file whose name
// ofOurs knows. The errors are those of [Check].
func CheckFolder(dir string, ours func(dir string) bool, ofOurs func(name string) bool, inputs ...string) error {
	if strings.Contains(dir, "://") {
		return Refuse("the output %s is a URL: give the name of a folder on this machine, and copy it afterwards", dir)
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		above := filepath.Clean(dir)
		for !exists(above) && filepath.Dir(above) != above {
			above = filepath.Dir(above)
		}
		return atomicfile.Check(filepath.Join(above, filepath.Base(dir)))
	case err == nil && !info.IsDir():
		return Refuse("the output %s is there already, and is not a folder: it would be lost; give another name, or remove it", dir)
	}
	if err := atomicfile.Check(filepath.Join(dir, "check")); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return Refuse("the folder %s cannot be read, and may have files that would be lost: %w", dir, err)
	}
	known := ours(dir)
	for _, e := range entries {
		if !ofOurs(e.Name()) {
			continue
		}
		file := filepath.Join(dir, e.Name())
		if !known {
			return Refuse("the folder %s has a file %s that this program has not made, for all it knows: it could be lost; give another folder, or remove it", dir, e.Name())
		}
		for _, input := range inputs {
			for _, in := range Local(input) {
				if Same(file, in) {
					return Refuse("the input %s is in the folder %s of the output: it would be lost", input, dir)
				}
			}
		}
	}
	return nil
}

// MakeFolder makes a folder for outputs, and those above it. The error wraps
// [atomicfile.ErrOutput].
func MakeFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("%w: could not make a folder: %w", atomicfile.ErrOutput, err)
	}
	return nil
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
