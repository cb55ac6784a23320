package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestFlagsGivenTwice gives each flag of one value two, in each command.
func TestFlagsGivenTwice(t *testing.T) {
	values := map[string][2]string{
		"bool": {"true", "false"}, "duration": {"1s", "2s"}, "stringToString": {"a=log", "b=log,a=codes"}, "int": {"1000", "2000"}, "name": {"zlib", "lz4"},
		"uint": {"1", "2"}, "float": {"0.5", "0.25"}, "float64": {"0.5", "0.25"}, "": {"dpm1", "euler"}, "times": {"1,0", "1,0.5,0"},
	}
	seen := 0
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if _, list := f.Value.(pflag.SliceValue); list || f.Name == "help" {
				return
			}
			seen++
			v, ok := values[f.Value.Type()]
			switch {
			case f.Name == "format":
				v = [2]string{"rntuple", "ttree"}
			case !ok:
				v = [2]string{"a", "b"}
			}
			if err := cmd.Flags().Set(f.Name, v[0]); err != nil {
				t.Errorf("%s --%s %s: %v", cmd.Name(), f.Name, v[0], err)
			}
			if err := cmd.Flags().Set(f.Name, v[0]); err != nil {
				t.Errorf("%s --%s %s again: %v", cmd.Name(), f.Name, v[0], err)
			}
			if err := cmd.Flags().Set(f.Name, v[1]); err == nil || !strings.Contains(err.Error(), "already") {
				t.Errorf("%s --%s %s, then %s: %v", cmd.Name(), f.Name, v[0], v[1], err)
			}
		})
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk(newRoot())
	if seen < 50 {
		t.Errorf("only %d flags", seen)
	}

	dir := t.TempDir()
	for _, c := range []struct{ args, want string }{
		{"train -i a.root --each Jet --each Muon -o m.eidolon", `it is "Jet" already; a model learns the objects of one collection: train one for each`},
		{"compare -r a.root -c b.root --where pt>1 --where eta<2", "&&"},
		{"score -m m.eidolon -i a.root -o a.root -o b.root", `"a.root"`},
		{"generate -m m.eidolon -n 5 --oversample 3 -o b.root", "--oversample goes with -i"},
		{"generate -m m.eidolon -n 5 --input-tree t -o b.root", "--input-tree goes with -i"},
		{"train -i a.root --as pt=log --as pt=codes -o m.eidolon", `it is "log" for pt already`},
	} {
		_, stderr, code := eidolon(t, dir, strings.Fields(c.args)...)
		if code != exitUsage || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d, %s", c.args, code, stderr)
		}
	}
	if help := must(t, dir, "train", "--help"); strings.Contains(help, "(default 0)") || strings.Contains(help, "(default false)") {
		t.Errorf("the help names defaults that say nothing:\n%s", help)
	}
}
