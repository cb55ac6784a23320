package origin

import (
	"cmp"
	"runtime"
	"runtime/debug"

	"github.com/eidolon-hep/eidolon/kernels/cpu"
)

// version and commit are stamped in by the script release, with -ldflags -X.
var version, commit string

// Version returns that of the program.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return cmp.Or(version, info.Main.Version, "(devel)")
	}
	return cmp.Or(version, "(devel)")
}

// Commit returns the commit that the program was built from, with +changes if there were
// others that were not committed, or "unknown".
func Commit() string {
	if commit != "" {
		return commit
	}
	revision, changes := "unknown", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				revision = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				changes = "+changes"
			}
		}
	}
	return revision + changes
}

// Build says in one line what was built, and which kernels are in use on this processor.
func Build() string {
	kernels := "Go"
	switch {
	case cpu.AVX512:
		kernels = "AVX-512"
	case cpu.AVX2:
		kernels = "AVX2"
	}
	return Version() + ", commit " + Commit() + ", " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + ", kernels: " + kernels
}
