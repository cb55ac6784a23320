package cpu

import (
	"os"
	"testing"
)

func TestDisabled(t *testing.T) {
	for env, want := range map[string]bool{"": false, "0": false, "1": true, "yes": true} {
		if got := disabled(env); got != want {
			t.Errorf("%q: disabled = %v, want %v", env, got, want)
		}
	}
	if AVX2 && disabled(os.Getenv("EIDOLON_NOSIMD")) {
		t.Error("EIDOLON_NOSIMD is set and yet the assembly is used")
	}
	if AVX512 && (!AVX2 || disabled(os.Getenv("EIDOLON_NOAVX512"))) {
		t.Error("AVX-512 is used without AVX2, or though EIDOLON_NOAVX512 is set")
	}
}
