package job_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/eidolon-hep/eidolon/analysis" // the components
	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/internal/zmumu"
	"github.com/eidolon-hep/eidolon/rootio"
)

func jobFile(t *testing.T, dir, text string) string {
	t.Helper()
	file := filepath.Join(dir, "job.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// complains checks that an error has one line, with the texts in it.
func complains(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("there is no error")
	}
	for _, text := range append(texts, "") {
		if !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q has several lines, or does not contain %q", err, text)
		}
	}
}

// What is wrong in a job file is said in a line, with the place and the nearest names.
func TestJobErrors(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	events := zmumu.Default().Table(1, 0, 10)
	events.Columns = append(events.Columns, rootio.ColumnOf("charge", make([]int32, 10)))
	if err := rootio.WriteFile("in.root", "Events", events); err != nil {
		t.Fatal(err)
	}
	reader := "components:\n  - name: events\n    type: TreeReader\n    props: {Files: [in.root]}\n"
	for _, c := range []struct {
		text  string
		texts []string
	}{
		{"components: [", []string{"job.yaml"}},
		{"evtmx: 3", []string{"job.yaml", "evtmx"}},
		{"evtmax: many", []string{"job.yaml", "[1:"}},
		{"msglevel: LOUD", []string{"LOUD", "INFO"}},
		{"components: []", []string{"input stream"}},
		{reader, []string{"no task"}},
		{reader + "  - type: TreeWriter\n", []string{"job.yaml:5", "component 2 has no name"}},
		{reader + "  - name: events\n    type: TreeWriter\n", []string{"job.yaml:5", `two components are called "events"`}},
		{reader + "  - name: out\n", []string{`"out"`, "no type"}},
		{reader + "  - name: out\n    type: TreeWritr\n", []string{"job.yaml:5", `"TreeWritr"`, `did you mean "TreeWriter"?`}},
		{reader + "  - name: out\n    type: TreeWriter\n    props: {Fil: out.root}\n", []string{"job.yaml:5", `"Fil"`, `did you mean "File"?`}},
		{reader + "  - name: fit\n    type: Train\n    props: {Outptu: m}\n", []string{`did you mean "Output"?`}},
		{reader + "  - name: fit\n    type: Train\n    props: {Output: [m]}\n", []string{`property "Output"`, "string"}},
		{reader + "  - name: fit\n    type: Train\n    props: {Output: m, Options: {hiddn: 3}}\n", []string{`property "Options"`, "hiddn"}},
		{reader + "  - name: fit\n    type: Train\n    props: {Output: m, Options: {hidden: wide}}\n", []string{`property "Options"`, "Hidden"}},
		{reader + "  - name: fit\n    type: Train\n    props: {Output: m, Options: {residual: true, activation: silu, dropout: 1.5}}\n", []string{`"fit"`, "dropout", "not 1.5"}},
		{reader + "  - name: out\n    type: TreeWriter\n    props: {File: out.root, Ports: [{mass: float46}]}\n", []string{`"mass"`, `"float46"`}},
		{reader + "  - name: out\n    type: TreeWriter\n    props: {File: out.root, Ports: 3}\n", []string{`"Ports"`, "3"}},
		{reader + "  - name: out\n    type: TreeWriter\n    props: {File: out.root, Ports: [mas]}\n", []string{`"mas"`, `did you mean "mass"?`}},
		{reader + "  - name: out\n    type: TreeWriter\n    props: {File: out.root, Options: [1]}\n", []string{`"Options"`}},
		{reader + "  - name: out\n    type: fwk.OutputStream\n    props: {Streamer: 1}\n", []string{`"Streamer"`}},
		{"components:\n  - name: events\n    type: TreeReader\n    props: {Files: [in.root], Ports: [mas]}\n  - {name: out, type: TreeWriter, props: {File: out.root}}\n",
			[]string{`"mas"`, `did you mean "mass"?`, "in.root"}},
		{"components:\n  - name: events\n    type: TreeReader\n    props: {Files: [in.root], Ports: [{mass: float32}]}\n  - {name: out, type: TreeWriter, props: {File: out.root}}\n",
			[]string{`"mass"`, "float32", "float64"}},
		{reader + "  - {name: out, type: TreeWriter, props: {File: out.root, Batch: true}}\n", []string{`"out"`, "Batch"}},
		{reader + "  - {name: out, type: TreeWriter, props: {File: out.root, Select: charge}}\n", []string{`"charge"`, "bool"}},
	} {
		j, err := job.Load(jobFile(t, dir, c.text))
		if err == nil {
			_, err = j.Run(t.Context())
		}
		complains(t, err, c.texts...)
		if left, _ := os.ReadDir(dir); len(left) != 2 {
			t.Fatalf("%v is left", left)
		}
	}
	j, err := job.Load(jobFile(t, dir, reader))
	if err != nil {
		t.Fatal(err)
	}
	complains(t, j.Set("evnts.Files=a"), `"evnts"`, `"events"`)
	complains(t, j.Set("events=a"), "component.Property=value")
	_, err = job.Load("none.yaml")
	complains(t, err, "none.yaml")
}
