package rootio_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eidolon-hep/eidolon/internal/testenv"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Damage is done to files of several programs, 100 times each with
// EIDOLON_TEST_LONG=1 and 12 times otherwise. Another process reads them, so that it
// would be noticed if it died, hung, or asked for more than 1 GB.
func TestHarm(t *testing.T) {
	times := 12
	if testenv.Long() {
		times = 100
	}
	dir := t.TempDir()
	files := make(map[string]string)
	values := smooth(5_000)
	values.Columns = values.Columns[:3] // columns of two values are too easy for Adler-32
	for name, c := range map[string]rootio.Compression{"zlib": rootio.Zlib, "lzma": rootio.LZMA} {
		files[name] = filepath.Join(dir, name+".root")
		writeTo(t, files[name], "Events", values, rootio.WithBasketSize(40_000), rootio.WithCompression(c))
	}
	files["arrays"] = filepath.Join(dir, "arrays.root")
	writeTo(t, files["arrays"], "Events", collections(1_500), rootio.WithBasketSize(16_000))
	checksums := []string{"zlib", "lzma", "hzz.root"} // that cover all values
	for _, name := range []string{"leaves.root", "x-flat-tree.root", "rvec.root"} {
		files[name] = testenv.GrootFiles(t, name)[0]
	}
	for _, name := range []string{"hzz.root", "zmumu_2011a.root", "nanoaod_ttbar.root"} {
		for _, file := range testenv.SharedFiles(t, "data/"+name) {
			files[name] = file
		}
	}
	var verdict [4]int
	for name, file := range files {
		good, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		bad := filepath.Join(dir, "bad.root")
		if err := os.WriteFile(bad, good, 0o644); err != nil {
			t.Fatal(err)
		}
		want := readAs(t, bad, 1)[0]
		if want.Error != "" || want.Sum == "" {
			t.Fatalf("%s: %+v", name, want)
		}
		var damaged []string
		rng := rand.New(rand.NewPCG(9, uint64(len(good))))
		for i := range times {
			harm := allHarms[i%len(allHarms)]
			bad := filepath.Join(dir, fmt.Sprintf("bad%d.root", i))
			if err := os.WriteFile(bad, harm.do(rng, bytes.Clone(good)), 0o644); err != nil {
				t.Fatal(err)
			}
			damaged = append(damaged, bad)
		}
		for i, got := range readAs(t, filepath.Join(dir, "bad%d.root"), times) {
			what := fmt.Sprintf("%s, %d, %s", name, i, allHarms[i%len(allHarms)].name)
			switch {
			case strings.Contains(got.Error, "\n"):
				t.Errorf("%s: the error has several lines: %s", what, got.Error)
			case got.Error != "" && !strings.Contains(got.Error, "bad"):
				t.Errorf("%s: the error does not name the file: %s", what, got.Error)
			case got.Error != "":
				verdict[0]++
			case got.Sum == want.Sum:
				verdict[1]++ // nothing of the events was hit
			default:
				verdict[2]++ // no checksum covers it, or Adler-32 does not see it
				if slices.Contains(checksums, name) {
					t.Errorf("%s: other values", what)
				}
			}
		}
		for _, bad := range damaged {
			_ = os.Remove(bad)
		}
	}
	t.Logf("%d errors, %d without effect, %d unnoticed where there is no checksum", verdict[0], verdict[1], verdict[2])
	if verdict[0] < 3*(verdict[1]+verdict[2]) {
		t.Errorf("only %d of %d damages are found", verdict[0], verdict[0]+verdict[1]+verdict[2])
	}
}

var allHarms = append(harms[:len(harms):len(harms)], struct {
	name string
	do   func(rng *rand.Rand, b []byte) []byte
}{"splice", func(rng *rand.Rand, b []byte) []byte { // a part of the file over another
	n := 1 + rng.IntN(len(b)/4)
	from, to := rng.IntN(len(b)-n), rng.IntN(len(b)-n)
	copy(b[to:], bytes.Clone(b[from:from+n]))
	return b
}})

// reading is what came of reading a file.
type reading struct {
	Sum   string // of all values
	Error string
}

// readAs reads files of a pattern in a process of its own.
func readAs(t *testing.T, pattern string, n int) []reading {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute+time.Duration(n)*5*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), asReader+"="+pattern, fmt.Sprint(asReader+"_COUNT=", n))
	var out, fault bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &fault
	err := cmd.Run()
	var got []reading
	for _, line := range strings.Split(out.String(), "\n") {
		var r reading
		if json.Unmarshal([]byte(line), &r) == nil {
			got = append(got, r)
		}
	}
	if err != nil || len(got) != n {
		t.Fatalf("the reader of %s died at file %d of %d: %v\n%.3000s", pattern, len(got), n, errors.Join(err, ctx.Err()), fault.String())
	}
	return got
}

// asReader is a variable of the environment that makes the test a process that reads the
// damaged files of a pattern.
const asReader = "EIDOLON_TEST_READ"

func TestMain(m *testing.M) {
	pattern := os.Getenv(asReader)
	if pattern == "" {
		os.Exit(m.Run())
	}
	if err := readHarmed(pattern); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// readHarmed reads damaged files and prints a line of JSON for each.
func readHarmed(pattern string) error {
	var n int
	if _, err := fmt.Sscan(os.Getenv(asReader+"_COUNT"), &n); err != nil {
		return err
	}
	const most = 1 << 30
	debug.SetMemoryLimit(most)
	for i := range n {
		file := pattern
		if strings.Contains(pattern, "%") {
			file = fmt.Sprintf(pattern, i)
		}
		done := time.AfterFunc(30*time.Second, func() { panic("reading " + file + " hangs") })
		var r reading
		sum, err := checksum(file)
		if r.Sum = sum; err != nil {
			r = reading{Error: err.Error()}
		}
		done.Stop()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if m.Sys > most {
			return fmt.Errorf("reading %s took %d bytes", file, m.Sys)
		}
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		fmt.Println(string(text))
	}
	return nil
}

// checksum returns the checksum of all values in a file.
func checksum(file string) (string, error) {
	trees, err := rootio.List(context.Background(), file)
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	for _, info := range trees {
		fmt.Fprintln(hash, info.Name, info.Entries, info.Reason)
		if info.Reason != "" || info.Entries == 0 {
			continue
		}
		tr, err := rootio.Open(context.Background(), info.Name, file)
		if err != nil {
			return "", err
		}
		var names []string
		for _, f := range tr.AllFields() {
			names = append(names, f.Name)
			fmt.Fprintln(hash, f)
		}
		table, err := tr.Read(names, 0, tr.Len())
		_ = tr.Close()
		if err != nil {
			return "", err
		}
		for _, c := range table.Columns {
			_ = binary.Write(hash, binary.BigEndian, c.Values())
		}
		for _, j := range table.Jagged {
			_ = binary.Write(hash, binary.BigEndian, j.Values())
			fmt.Fprintln(hash, j.Offsets)
		}
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
