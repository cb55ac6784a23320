package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWholeNumbers reads numbers as people write them.
func TestWholeNumbers(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "7": 7, "-7": -7, "+7": 7, "010": 10, "-010": -10, "08": 8, "1000000": 1e6, "1_000_000": 1e6, "1e6": 1e6, "1E6": 1e6, "1e+6": 1e6,
		"2.5e3": 2500, "100k": 1e5, "100K": 1e5, "2M": 2e6, "1.1k": 1100, "0.1k": 100, "1.25M": 1_250_000, "3G": 3e9,
		"9223372036854775807": 1<<63 - 1, " 5 ": 5, "1.0": 1,
	} {
		if got, err := parseWhole(text); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "many", "1.5", "1.0005k", "0x10", "0b1", "1e-3", "1__0", "_1", "1_", "1kk", "1e3k", "1e400", "1e99999999999", "NaN", "Inf", "9223372036854775808", "1e17", "1 000", "1,000"} {
		if got, err := parseWhole(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}

// TestAbsurdSizes gives numbers that no machine could serve: they are refused before the work,
// with the limit.
func TestAbsurdSizes(t *testing.T) {
	dir := trained(t)
	for _, c := range []struct {
		args  string
		limit string
	}{
		{"train -i in.root -o x --hidden 16384", "at most 2896 with 8 layers of networks, depth 2"},
		{"train -i in.root -o x --hidden 16384 --model denoiser", "at most"},
		{"train -i in.root -o x --hidden 65536", "16384"},
		{"train -i in.root -o x --hidden 1e10", "1000000000"},
		{"train -i in.root -o x --hidden 2896 --depth 3", "at most 2364"},
		{"train -i in.root -o x --layers 1e6", "1024"},
		{"train -i in.root -o x --layers 1024 --hidden 1024", "at most 256"},
		{"train -i in.root -o x --depth 1000", "64"},
		{"train -i in.root -o x --components 1M", "4096"},
		{"train -i in.root -o x --batch 1G", "1048576"},
		{"train -i in.root -o x --epochs 1e10", "1000000000"},
		{"train -i in.root -o x --model denoiser --steps 1e9", "4096"},
		{"generate -m m.eidolon -n 1e15 -o x.root", "1000000000000"},
		{"generate -m m.eidolon -n -3 -o x.root", "between 0"},
		{"generate -m m.eidolon -i in.root --oversample 1e9 -o x.root", "1048576"},
		{"generate -m m.eidolon -n 10 --basket-size 1e12 -o x.root", "1073741824"},
		{"compare -r in.root -c in.root --max-events 0", "between 1"},
		{"job j.yaml --nprocs 1e9", "1024"},
		{"demo -n 1e12", "100000000"},
	} {
		_, stderr, code := eidolon(t, dir, strings.Fields(c.args)...)
		if code != exitUsage || !strings.Contains(stderr, c.limit) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("eidolon %s: exit code %d, %s", c.args, code, stderr)
		}
	}
}

// TestNumbersOfCards reads numbers of cards as those of flags.
func TestNumbersOfCards(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "in.root"), "Events", sample(300))
	text := "input: in.root\noutput: m\nmodel: spline\nepochs: 02\nhidden: 010\nlayers: 2\nbatch: 1_0\npatience: 1e3\nseed: 011\n"
	if err := os.WriteFile(filepath.Join(dir, "card.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, dir, "train", "-c", "card.yaml")
	if o := card(t, dir, "m").Options; o.Hidden != 10 || o.Seed != 11 || o.Train.Batch != 10 || o.Train.Epochs != 2 || o.Train.Patience != 1000 {
		t.Errorf("trained with %+v", o)
	}
}

// TestNearCommand misspells commands and flags.
func TestNearCommand(t *testing.T) {
	for args, want := range map[string]string{
		"trian -i a.root": `did you mean "train"?`, "bench kernel": `did you mean "kernels"?`,
		"train --feature x": `did you mean "--features"?`, "generate --ouput x": `did you mean "--output"?`, "xyzzy": `eidolon has no command "xyzzy"; “`,
	} {
		_, stderr, code := eidolon(t, t.TempDir(), strings.Fields(args)...)
		if code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("eidolon %s: exit code %d, %s", args, code, stderr)
		}
	}
}

// TestSeedIsDrawn generates without a seed: other events each time, and the file and both
// outputs say by which seed they come again.
func TestSeedIsDrawn(t *testing.T) {
	dir := trained(t)
	seeds := map[uint64]bool{}
	var summary struct{ Seed uint64 }
	for range 3 {
		if err := json.Unmarshal([]byte(must(t, dir, "generate", "-m", "m.eidolon", "-n", "50", "-o", "a.root", "--json")), &summary); err != nil {
			t.Fatal(err)
		}
		seeds[summary.Seed] = true
	}
	if len(seeds) < 3 {
		t.Errorf("three generations have the seeds %v", seeds)
	}
	var info struct{ Origin struct{ Seed uint64 } }
	if err := json.Unmarshal([]byte(must(t, dir, "info", "a.root", "--json")), &info); err != nil || info.Origin.Seed != summary.Seed {
		t.Errorf("the file has the seed %d, %v; want %d", info.Origin.Seed, err, summary.Seed)
	}
	text, _ := json.Marshal(summary.Seed)
	if out := must(t, dir, "generate", "-m", "m.eidolon", "-n", "50", "--seed", string(text), "-o", "b.root"); !strings.Contains(out, "seed "+string(text)) {
		t.Errorf("the seed is not printed:\n%s", out)
	}
	sameValues(t, filepath.Join(dir, "a.root"), filepath.Join(dir, "b.root"))
}
