// Package jsroot lets tests read ROOT files with JSROOT, an implementation of
// the format that shares no code with groot: what both read the same is what
// the file says.
//
// JSROOT runs under Node. Its pinned version comes from npm once and stays in
// the user's cache folder.
package jsroot

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eidolon-hep/eidolon/internal/testenv"
)

// The package of npm, and the SHA-512 of its archive as npm states it.
const (
	version   = "7.11.2"
	integrity = "Pria+SspD6+BmGNg4C8UOtP5y7GiODS/FXgQMiCSgGxpbm9icezifQLcVTJF7RaMnCot6ko7CoZozudM1a204g=="
)

const patience = 3 * time.Minute

//go:embed read.mjs
var script []byte

// Read returns the values of all scalar branches of a tree as JSROOT reads
// them, converted to float64 (bool as 0 and 1).
//
// The test is skipped where there is no Node, or where npm cannot fetch
// JSROOT; with CI=true in the environment it fails instead. JSROOT misreads
// half of the negative 64-bit integers below -2³¹ (it takes the lower word,
// when its top bit is zero, for negative), through no fault of the file.
func Read(tb testing.TB, file, tree string) map[string][]float64 {
	tb.Helper()
	columns := make(map[string][]float64)
	for name, b := range ReadAll(tb, file, tree) {
		if b.Lengths == nil {
			columns[name] = b.Values
		}
	}
	return columns
}

// Branch is a branch of numbers or of arrays of numbers.
type Branch struct {
	Values  []float64 // one entry after the other
	Lengths []int     // how many values each entry has; nil if each is one number
}

// ReadAll is like [Read], with arrays: fixed ones, counted ones and std::vectors.
func ReadAll(tb testing.TB, file, tree string) map[string]Branch {
	tb.Helper()
	branches, err := Try(tb, file, tree)
	if err != nil {
		tb.Fatal(err)
	}
	return branches
}

// Try is like [ReadAll] for trees that JSROOT may be unable to read.
func Try(tb testing.TB, file, tree string) (map[string]Branch, error) {
	tb.Helper()
	modules := install(tb)
	dir := tb.TempDir()
	reader, out := filepath.Join(dir, "read.mjs"), filepath.Join(dir, "columns")
	if err := os.WriteFile(reader, script, 0o644); err != nil {
		tb.Fatal(err)
	}
	if _, err := run(".", "node", reader, modules, file, tree, out); err != nil {
		return nil, fmt.Errorf("JSROOT could not read tree %q of %s: %w", tree, file, err)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		tb.Fatal(err)
	}
	columns, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("could not decode what JSROOT read of %s: %w", file, err)
	}
	return columns, nil
}

// decode is the inverse of what read.mjs writes.
func decode(data []byte) (map[string]Branch, error) {
	line, rest, found := bytes.Cut(data, []byte("\n"))
	var index []struct {
		Name    string
		Count   int
		Lengths []int
		Other   bool
	}
	if err := json.Unmarshal(line, &index); err != nil || !found {
		return nil, fmt.Errorf("no list of branches: %w", err)
	}
	columns := make(map[string]Branch, len(index))
	for _, b := range index {
		if b.Other {
			continue
		}
		if len(rest) < 8*b.Count {
			return nil, io.ErrUnexpectedEOF
		}
		if _, dup := columns[b.Name]; dup {
			return nil, fmt.Errorf("two branches are called %q", b.Name)
		}
		v := make([]float64, b.Count)
		for i := range v {
			v[i] = math.Float64frombits(binary.LittleEndian.Uint64(rest[8*i:]))
		}
		columns[b.Name], rest = Branch{v, b.Lengths}, rest[8*b.Count:]
	}
	return columns, nil
}

// install returns the folder of JSROOT's modules, which it fetches if need be.
func install(tb testing.TB) string {
	tb.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		testenv.Missing(tb, "there is no Node here, so JSROOT cannot check the file")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	home := filepath.Join(cache, "eidolon-test", "jsroot-"+version)
	if _, err := os.Stat(home); err != nil {
		fetch(tb, home)
	}
	return filepath.Join(home, "modules")
}

// fetch fills the folder with the archive from npm: that package alone, as
// reading files needs none of the many that drawing needs.
func fetch(tb testing.TB, home string) {
	tb.Helper()
	dir := tb.TempDir()
	printed, err := run(dir, "npm", "pack", "--silent", "jsroot@"+version)
	if err != nil {
		testenv.Missing(tb, fmt.Sprintf("npm cannot fetch JSROOT: %v", err))
	}
	words := strings.Fields(printed)
	if len(words) == 0 {
		tb.Fatal("npm pack does not name its archive")
	}
	archive, err := os.ReadFile(filepath.Join(dir, words[len(words)-1]))
	if err != nil {
		tb.Fatal(err)
	}
	if sum := sha512.Sum512(archive); base64.StdEncoding.EncodeToString(sum[:]) != integrity {
		tb.Fatal("the archive of JSROOT is not the one that was pinned")
	}
	if err := os.MkdirAll(filepath.Dir(home), 0o755); err != nil {
		tb.Fatal(err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(home), "new")
	if err != nil {
		tb.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	if err := unpack(archive, tmp); err != nil {
		tb.Fatalf("could not unpack JSROOT: %v", err)
	}
	if err := os.Rename(tmp, home); err != nil {
		if _, e := os.Stat(home); e != nil { // nor has another test been faster
			tb.Fatal(err)
		}
	}
}

// unpack writes the modules of the archive below dir.
func unpack(archive []byte, dir string) error {
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return err
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name, inside := strings.CutPrefix(h.Name, "package/")
		if !inside || !strings.HasPrefix(name, "modules/") || h.Typeflag != tar.TypeReg {
			continue
		}
		if !filepath.IsLocal(name) {
			return fmt.Errorf("the archive holds %q", name)
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return err
		}
	}
}

// run runs a command in a folder and returns what it prints.
func run(dir, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var out, fault bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &fault
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w: %s", err, strings.TrimSpace(fault.String()+out.String()))
	}
	return out.String(), nil
}
