package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/eidolon-hep/eidolon/internal/panics"
	"github.com/eidolon-hep/eidolon/internal/testenv"
)

// Any text is a card or an error in one line. The settings of a card are those that flags can
// have: each can be given as a flag, and is the same then.
func FuzzCard(f *testing.F) {
	for _, text := range []string{
		"input: [a.root, b.root]\noutput: m.eidolon\nmodel: spline\nlayers: 010\nseed: 18446744073709551615\nmax-time: 1h30m\ncolumns: [pt, eta]\n",
		"{\"hidden\": 128, \"weight\": \"w\", \"condition\": [\"a\"], \"epochs\": 3, \"rate\": 1e-3}", "define: {z: a+b, y: 2}\n", "where: x > 3\nresidual: true\n",
		"layers: [1, 2]", "seed: -1", "seed: 1.5", "layers: ~", "card: other", "help: true", "nothing: 1", "layers: {a: 1}", "columns: [[a]]", "define: {a: [b]}",
		"epochs: .inf", "rate: 0x10", "? [a]\n: b", "a: &a [*a]", "a: &a [x, x]\nb: [*a, *a]", "", "[]", "---\n---", "\x00: 1", "seed: 0b11", "seed: 1_000", strings.Repeat("{", 200),
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file := filepath.Join(t.TempDir(), "card.yaml")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		defer time.AfterFunc(time.Minute, func() { panic("reading hangs") }).Stop()
		cmd := newTrain()
		allocated := testenv.Allocated()
		err := panics.Guard(func() error { return readCard(cmd, file) })
		if asked := allocated(); asked > 256<<20 {
			t.Errorf("%d MB are asked for to read %d kB: %v", asked>>20, len(text)>>10, err)
		}
		if err != nil {
			if text := err.Error(); strings.Contains(text, "\n") || !strings.Contains(text, "card") || strings.Contains(text, "panic") {
				t.Errorf("the error is not one line about the card: %q", text)
			}
			return
		}
		again := newTrain()
		cmd.Flags().Visit(func(flag *pflag.Flag) {
			values := []string{flag.Value.String()}
			if list, ok := flag.Value.(pflag.SliceValue); ok && flag.Value.Type() == "stringArray" {
				values = list.GetSlice()
			} else if ok || strings.HasPrefix(flag.Value.Type(), "stringTo") {
				return // these have commas and quotes of their own
			}
			for _, v := range values {
				if err := again.Flags().Set(flag.Name, v); err != nil {
					t.Errorf("the flag --%s=%s: %v", flag.Name, v, err)
				}
			}
			if got, want := fmt.Sprint(again.Flags().Lookup(flag.Name).Value), fmt.Sprint(flag.Value); got != want {
				t.Errorf("--%s is %s in the card and %s as a flag", flag.Name, want, got)
			}
		})
	})
}
