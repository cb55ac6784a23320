package task

import (
	"bytes"
	"errors"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/internal/output"
)

// TestExample checks the table and the figure of an example in small, that it can be made again, and that a folder of
// the user's is left alone.
func TestExample(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "moons")
	o := ExampleOptions{Name: "moons", Folder: dir, N: 1000, Seed: 1, Models: []string{"sums-300", "ratio"}}
	r, err := Example(t.Context(), o, Progress{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, row := range r.Rows {
		names = append(names, row.Model)
		if row.KL == nil || row.KL.Value < -4*row.KL.Error || row.KL.Value > 1 || row.Impossible > 0 {
			t.Errorf("%s: KL %v, %d events are impossible", row.Model, row.KL, row.Impossible)
		}
		if sum := row.KL.Value + row.LogDensity.Value - r.LogDensity.Value; sum > 1e-9 || sum < -1e-9 {
			t.Errorf("%s: KL and the mean log-density differ from the truth's by %g", row.Model, sum)
		}
		if a := row.AUC.Value; a < 0.4 || a > 0.9 || row.Rate <= 0 {
			t.Errorf("%s: AUC %v, %v events/s", row.Model, a, row.Rate)
		}
	}
	if got := strings.Join(names, ","); got != "realnvp,sums-300,ratio" {
		t.Errorf("the rows are %s: want those that were asked for, and the one that the ratio is of", got)
	}
	var table bytes.Buffer
	if err := r.WriteText(&table); err != nil || strings.Count(table.String(), "\n") != 7 {
		t.Errorf("the table: %v\n%s", err, &table)
	}
	picture, err := os.ReadFile(r.Figure)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := png.Decode(bytes.NewReader(picture)); err != nil {
		t.Error(err)
	}

	o.Models = []string{"sums-300"}
	again, err := Example(t.Context(), o, Progress{})
	if err != nil {
		t.Fatal(err)
	}
	if *again.Rows[0].KL != *r.Rows[1].KL {
		t.Errorf("the second time, KL is %v, not %v", again.Rows[0].KL, r.Rows[1].KL)
	}

	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "moons.root"), []byte("precious"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []struct {
		o    func(o *ExampleOptions)
		kind error
		says string
	}{
		{func(o *ExampleOptions) { o.Name = "edges" }, ErrUsage, "moons, ring"},
		{func(o *ExampleOptions) { o.Models = []string{"splines"} }, ErrUsage, "spline, autoregressive"},
		{func(o *ExampleOptions) { o.N = 999 }, ErrUsage, "at least 1000 events"},
		{func(o *ExampleOptions) { o.Models = []string{"sums-5000"} }, ErrUsage, "too small for sums-5000"},
		{func(o *ExampleOptions) { o.Folder = foreign }, output.ErrRefused, "moons.root"},
	} {
		bad := o
		wrong.o(&bad)
		if _, err := Example(t.Context(), bad, Progress{}); !errors.Is(err, wrong.kind) || !strings.Contains(err.Error(), wrong.says) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
