package panics_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/internal/panics"
)

// A panic of a goroutine comes out of Wait, after all others have ended, and tells where
// it was.
func TestGroup(t *testing.T) {
	fault := errors.New("no luck")
	for name, f := range map[string]func(){
		"value":   func() { panic(fault) },
		"runtime": func() { _ = []int(nil)[len(name())] },
	} {
		done := make([]bool, 8)
		err := panics.Guard(func() error {
			var group panics.Group
			for i := range done {
				group.Go(func() {
					done[i] = true
					if i == 3 {
						f()
					}
				})
			}
			group.Wait()
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), "panics_test.go:") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
		if name == "value" && !errors.Is(err, fault) {
			t.Errorf("%v is not the error of the panic", err)
		}
		for i, ok := range done {
			if !ok {
				t.Errorf("%s: goroutine %d did not run", name, i)
			}
		}
	}
	var quiet panics.Group
	quiet.Go(func() {})
	quiet.Wait()
}

func name() string { return "abc" }
