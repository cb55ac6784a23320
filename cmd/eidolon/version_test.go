//go:build unix

package main

import (
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/eidolon-hep/eidolon/kernels/cpu"
)

// TestVersion: --version says the version, the commit, and the kernels in use on this processor.
func TestVersion(t *testing.T) {
	line := regexp.MustCompile(`^eidolon version \S+, commit \S+, go\S+ \w+/\w+, kernels: (AVX-512|AVX2|Go)\n$`)
	best := "Go"
	if cpu.AVX2 {
		best = "AVX2"
	}
	withoutAVX512 := best
	if cpu.AVX512 {
		best = "AVX-512"
	}
	for environment, want := range map[string]string{"X=": best, "EIDOLON_NOAVX512=1": withoutAVX512, "EIDOLON_NOSIMD=1": "Go"} {
		cmd := exec.Command(os.Args[0], "--version")
		cmd.Env = append(os.Environ(), asCommand+"=1", environment)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if m := line.FindSubmatch(out); m == nil || string(m[1]) != want {
			t.Errorf("%s: --version prints %q, want kernels %s", environment, out, want)
		}
	}
}
