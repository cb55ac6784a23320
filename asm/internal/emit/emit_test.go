package emit_test

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// beyondAVX2 are the registers that only AVX-512 has. avo takes them when the
// others are all in use, and Go assembles them: on a processor without AVX-512 such
// an instruction ends the program.
var beyondAVX2 = regexp.MustCompile(`\b([XY](1[6-9]|2[0-9]|3[01])|Z[0-9]+|K[0-7]|AVX512[A-Z0-9]*)\b`)

func TestGeneratedFilesUseOnlyAVX2(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	var files []string
	for _, pattern := range []string{"kernels/*/*.s", "internal/*/*.s"} {
		found, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		t.Fatal("no generated files found")
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_avx512_amd64.s") {
			continue // is called where cpu.AVX512 alone
		}
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		for n := 1; lines.Scan(); n++ {
			if register := beyondAVX2.FindString(lines.Text()); register != "" {
				t.Errorf("%s:%d: %s", name, n, register)
				break
			}
		}
		if err := lines.Err(); err != nil {
			t.Error(err)
		}
	}
}
