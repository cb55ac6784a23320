package job

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/eidolon-hep/eidolon/internal/testenv"
	"go-hep.org/x/hep/fwk"
)

// Any text is a job or an error in one line that names the file. The same text is the same
// job, and the same application or the same error comes of it. Nothing is run: a job may ask
// for anything.
func FuzzLoad(f *testing.F) {
	for _, text := range []string{
		"evtmax: -1\nnprocs: 2\nmsglevel: ERROR\ncomponents:\n  - {name: a, type: job.everything, props: {Number: 3, Text: x, List: [1, 2], Map: {a: 1}, Ports: [x, {y: float64}]}}\n",
		`{"evtmax": 5, "nprocs": 0, "msglevel": "debug", "components": [{"name": "a", "type": "everything", "props": {"Level": "WARN", "Float": 1e300, "Flag": true}}]}`,
		"components:\n- name: a\n  type: everything\n  props:\n    Ports:\n      x: '[]int32'\n    Inner: {deep: {deeper: [a, b]}}\n",
		"components: [{name: a, type: everything}, {name: a, type: everything}]\n", "components: [{type: x}]", "components:\n  - &a {name: a, type: fwk.InputStream}\n  - <<: *a\n",
		"nprocs: 010\nevtmax: 0x7fffffff\n", "evtmax: 99999999999999999999", "a: &a [*a]", "components: {}", "components: [[]]", "", "---\n---\n", "\x00", "'", "? [a]\n: {b: c}",
		"components: [{name: a, type: everything, props: {Number: .nan, Text: !!binary aGk=, Function: x}}]", strings.Repeat("[", 1000), strings.Repeat("- ", 1000),
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file := filepath.Join(t.TempDir(), "job.yaml")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		defer time.AfterFunc(time.Minute, func() { panic("reading hangs") }).Stop()
		complain := func(err error) {
			if text := err.Error(); strings.Contains(text, "\n") || !strings.Contains(text, "job") || strings.Contains(text, "panic") {
				t.Errorf("the error is not one line about the job: %q", text)
			}
		}
		allocated := testenv.Allocated()
		one, err := Load(file)
		if asked := allocated(); asked > 256<<20 {
			t.Errorf("%d MB are asked for to read %d kB: %v", asked>>20, len(text)>>10, err)
		}
		if err != nil {
			complain(err)
			return
		}
		two, err := Load(file)
		if err != nil || !strings.Contains(string(text), "nan") && !reflect.DeepEqual(one, two) {
			t.Errorf("read again it is another job: %v, %v; %v", one, two, err)
		}
		app, err := one.app()
		if err != nil {
			complain(err)
		}
		again, other := two.app()
		if (err == nil) != (other == nil) || err != nil && err.Error() != other.Error() {
			t.Errorf("the same job makes an application once and then not: %v; %v", err, other)
		}
		if err == nil && (len(app.Tasks()) != len(again.Tasks()) || len(app.Svcs()) != len(again.Svcs())) {
			t.Error("the same job makes two applications that differ")
		}
	})
}

// everything is a component with properties of all types.
type everything struct {
	fwk.TaskBase

	Number int
	Float  float64
	Flag   bool
	Text   string
	List   []uint8
	Map    map[string]int
	Inner  struct{ Deep struct{ Deeper []string } }
	Level  fwk.Level
	Ports  []fwk.Port
	Done   func()
}

func (*everything) StartTask(fwk.Context) error { return nil }
func (*everything) StopTask(fwk.Context) error  { return nil }
func (*everything) Process(fwk.Context) error   { return nil }

func init() {
	fwk.Register(reflect.TypeFor[everything](), func(typ, name string, mgr fwk.App) (fwk.Component, error) {
		t := &everything{TaskBase: fwk.NewTask(typ, name, mgr)}
		for prop, ptr := range map[string]any{
			"Number": &t.Number, "Float": &t.Float, "Flag": &t.Flag, "Text": &t.Text, "List": &t.List, "Map": &t.Map,
			"Inner": &t.Inner, "Level": &t.Level, "Ports": &t.Ports, "Function": &t.Done,
		} {
			if err := t.DeclProp(prop, ptr); err != nil {
				return nil, err
			}
		}
		return t, nil
	})
}
