// Package job runs jobs of fwk, the event-processing framework of go-hep: an application that
// a program has made ([Run]), or one that is written in a file ([Load], [Job]).
//
// A job ends well whatever happens: its output is written completely or not at all, and what
// fwk would wait for without end is an error that names the event and the component.
//
// The components are those that the program has registered in fwk: import
// github.com/eidolon-hep/eidolon/analysis for the readers, writers and tasks of Eidolon. A
// component of anyone's may tell the job more than fwk asks: the files that it reads and
// writes ([FileReader], [FileWriter]), the types of its ports ([InputCompleter], [Completer],
// [OutputCompleter]), the model that it uses ([ModelUser]).
package job

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/internal/nearest"
	"github.com/eidolon-hep/eidolon/internal/panics"
	"github.com/eidolon-hep/eidolon/internal/yamlfile"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Job is a job as it is written in a file, in YAML or JSON:
//
//	evtmax: -1           # all events
//	nprocs: 2            # events at a time; 0: one, and its tasks still run concurrently; -1: as many as processors
//	msglevel: WARN       # DEBUG, INFO, WARN or ERROR
//	components:
//	  - name: events
//	    type: TreeReader
//	    props: {Files: [gen.root], Batch: 1000, Entry: entry}
//	  - name: detector
//	    type: FastSim
//	    props: {Model: response.eidolon, Entry: entry}
//	  - name: out
//	    type: TreeWriter
//	    props:
//	      File: fast.root
//	      Batch: true
//	      Ports: [true_energy, reco_energy, {weight: "[]float64"}]
//
// The type of a component is the name that it is registered under in fwk, such as
// go-hep.org/x/hep/fads.MomentumSmearing, or the end of it, if no other has the same:
// fads.MomentumSmearing. A program that imports further packages of components has them,
// too. Properties are those that the component declares. Ports are names, or names with
// the type that they carry, which may be left out where [Run] knows it.
type Job struct {
	// EvtMax is the number of events at most, also where they are read in batches; −1 means
	// all.
	EvtMax int64 `yaml:"evtmax"`
	// NProcs is the number of events, or batches, that are processed at the same time; −1 means as
	// many as there are processors. 0 is one event at a time, too, but with fwk's
	// sequential loop.
	NProcs int `yaml:"nprocs"`
	// MsgLevel is the level of the messages that are printed, by default WARN.
	MsgLevel string `yaml:"msglevel"`
	// Components are created in this order, which is also that of starting and stopping.
	Components []Component `yaml:"components"`

	file string
}

// Component is a component of a job.
type Component struct {
	Name  string         `yaml:"name"`
	Type  string         `yaml:"type"`
	Props map[string]any `yaml:"props"`

	line int // of the file; 0: none
}

// Load reads a job from a file.
func Load(file string) (*Job, error) {
	text, err := yamlfile.Read(file)
	if err != nil {
		return nil, fmt.Errorf("job: could not read the job: %w", err)
	}
	job := &Job{EvtMax: -1, NProcs: -1, MsgLevel: "WARN", file: file}
	if err := yamlfile.Decode(text, job, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("job: could not read the job %s: %s", file, oneLineOf(err))
	}
	job.findLines(text)
	return job, nil
}

// oneLineOf is what a YAML error says, in one line.
func oneLineOf(err error) string {
	return strings.Join(strings.Fields(yaml.FormatError(err, false, false)), " ")
}

// findLines notes where in the file the components are.
func (j *Job) findLines(text []byte) {
	file, err := parser.ParseBytes(text, 0)
	if err != nil || len(file.Docs) == 0 {
		return
	}
	path, err := yaml.PathString("$.components")
	if err != nil {
		return
	}
	node, err := path.FilterNode(file.Docs[0].Body)
	if list, ok := node.(*ast.SequenceNode); err == nil && ok && len(list.Values) == len(j.Components) {
		for i, v := range list.Values {
			j.Components[i].line = v.GetToken().Position.Line
		}
	}
}

// Set gives a property of a component another value, which is written as in the file:
// "events.Files=[a.root, b.root]".
func (j *Job) Set(assignment string) error {
	where, text, ok := strings.Cut(assignment, "=")
	name, prop, dot := strings.Cut(where, ".")
	if !ok || !dot {
		return fmt.Errorf("job: %q is not of the form component.Property=value", assignment)
	}
	var known []string
	for i := range j.Components {
		c := &j.Components[i]
		known = append(known, c.Name)
		if c.Name != name {
			continue
		}
		var value any
		if err := yamlfile.Decode([]byte(text), &value); err != nil {
			return fmt.Errorf("job: %q: %s", assignment, oneLineOf(err))
		}
		if c.Props == nil {
			c.Props = map[string]any{}
		}
		c.Props[prop] = value
		return nil
	}
	return fmt.Errorf("job: the job has no component %q%s", name, nearest.Hint(name, known))
}

// Run creates the application and runs it, as the function [Run] does. It returns the
// number of events.
func (j *Job) Run(ctx context.Context) (events int64, err error) {
	defer unsynced()()
	app, err := j.app()
	if err != nil {
		return 0, err
	}
	r := newRunner(ctx, app)
	r.file = j.file
	err = r.run()
	return r.count(), err
}

// levels are the levels of messages by name.
func levels() map[string]fwk.Level {
	return map[string]fwk.Level{"DEBUG": fwk.LvlDebug, "INFO": fwk.LvlInfo, "WARN": fwk.LvlWarning, "ERROR": fwk.LvlError}
}

// app creates the application with its components.
func (j *Job) app() (fwk.App, error) {
	level, ok := levels()[strings.ToUpper(j.MsgLevel)]
	if j.MsgLevel == "" {
		level, ok = fwk.LvlWarning, true
	}
	if !ok {
		return nil, fmt.Errorf("job: %sthere is no level of messages %q: take DEBUG, INFO, WARN or ERROR", j.where(0), j.MsgLevel)
	}
	app := fwk.NewApp()
	for name, value := range map[string]any{"EvtMax": j.EvtMax, "NProcs": j.NProcs, "MsgLevel": level} {
		if err := app.SetProp(app, name, value); err != nil {
			return nil, fmt.Errorf("job: %w", err)
		}
	}
	seen := map[string]bool{}
	for i, c := range j.Components {
		err := error(nil)
		switch {
		case c.Name == "":
			err = fmt.Errorf("component %d has no name", i+1)
		case seen[c.Name]:
			err = fmt.Errorf("two components are called %q", c.Name)
		default:
			err = c.create(app)
		}
		if err != nil {
			return nil, fmt.Errorf("job: %s%w", j.where(c.line), err)
		}
		seen[c.Name] = true
	}
	return app, nil
}

// where says where in the file something is.
func (j *Job) where(line int) string {
	switch {
	case j.file == "":
		return ""
	case line == 0:
		return j.file + ": "
	}
	return fmt.Sprintf("%s:%d: ", j.file, line)
}

// create creates the component and sets its properties.
func (c *Component) create(app fwk.App) error {
	typ, err := registered(c.Type)
	if err != nil {
		return fmt.Errorf("component %q: %w", c.Name, err)
	}
	var component fwk.Component
	err = panics.Guard(func() error {
		component, err = app.New(typ, c.Name)
		return err
	})
	if err != nil {
		return fmt.Errorf("component %q: %w", c.Name, err)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Props)) {
		if !app.HasProp(component, name) {
			known := properties(app, component)
			return fmt.Errorf("component %q: %s has no property %q%s (it has %s)", c.Name, c.Type, name, nearest.Hint(name, known), strings.Join(known, ", "))
		}
		old, err := app.GetProp(component, name)
		if err != nil {
			return fmt.Errorf("component %q: %w", c.Name, err)
		}
		value, err := convert(c.Props[name], reflect.TypeOf(old))
		if err == nil {
			err = app.SetProp(component, name, value)
		}
		if err != nil {
			return fmt.Errorf("component %q: property %q: %w", c.Name, name, err)
		}
	}
	return nil
}

// registered returns the full name of the type of a component.
func registered(name string) (string, error) {
	if name == "" {
		return "", fmt.Errorf("it has no type")
	}
	var found, short []string
	for _, full := range fwk.Registry() {
		if full == name {
			return full, nil
		}
		if strings.HasSuffix(full, "."+name) || strings.HasSuffix(full, "/"+name) {
			found = append(found, full)
		}
		short = append(short, full[strings.LastIndex(full, ".")+1:])
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("no component is of type %q%s", name, nearest.Hint(name, short))
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("type %q may be %s: write more of it", name, strings.Join(found, " or "))
}

// properties returns the names of the properties of a component that can be found: fwk
// has no list of them, but they are called as the fields of the struct.
func properties(app fwk.App, c fwk.Component) []string {
	var found []string
	look := func(v any) {
		t := reflect.TypeOf(v)
		if t == nil || t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
			return
		}
		for i := range t.Elem().NumField() {
			field := t.Elem().Field(i).Name
			name := strings.ToUpper(field[:1]) + field[1:]
			if name != "Streamer" && app.HasProp(c, name) && !slices.Contains(found, name) {
				found = append(found, name)
			}
		}
	}
	look(c)
	if streamer, err := app.GetProp(c, "Streamer"); err == nil {
		look(streamer)
		found = append(found, "Ports")
	}
	return found
}

// convert makes a value of a file one of the type of a property.
func convert(value any, typ reflect.Type) (any, error) {
	switch typ {
	case nil:
		return nil, fmt.Errorf("it cannot be set in a file")
	case reflect.TypeFor[[]fwk.Port]():
		return ports(value)
	case reflect.TypeFor[fwk.Level]():
		if level, ok := levels()[strings.ToUpper(fmt.Sprint(value))]; ok {
			return level, nil
		}
	}
	switch typ.Kind() {
	case reflect.Func, reflect.Chan, reflect.Interface:
		return nil, fmt.Errorf("it is a %v, which cannot be written in a file", typ)
	}
	text, err := yaml.Marshal(value)
	if err != nil {
		return nil, err
	}
	to := reflect.New(typ)
	if err := yamlfile.Decode(text, to.Interface(), yaml.Strict()); err != nil {
		_, message, _ := strings.Cut(oneLineOf(err), "] ") // the place is that in text
		return nil, fmt.Errorf("%s", message)
	}
	return to.Elem().Interface(), nil
}

// ports reads ports: a name, a list of names and of maps from name to type, or a map.
func ports(value any) ([]fwk.Port, error) {
	switch v := value.(type) {
	case string:
		return []fwk.Port{{Name: v}}, nil
	case []any:
		var all []fwk.Port
		for _, e := range v {
			some, err := ports(e)
			if err != nil {
				return nil, err
			}
			all = append(all, some...)
		}
		return all, nil
	case map[string]any:
		var all []fwk.Port
		for _, name := range slices.Sorted(maps.Keys(v)) {
			typ, err := portType(fmt.Sprint(v[name]))
			if err != nil {
				return nil, fmt.Errorf("port %q: %w", name, err)
			}
			all = append(all, fwk.Port{Name: name, Type: typ})
		}
		return all, nil
	}
	return nil, fmt.Errorf("%v is neither the name of a port nor a list of names", value)
}

// portType returns the type of a port by its name: "float64", "[]int32", ….
func portType(name string) (reflect.Type, error) {
	value, sliced := strings.CutPrefix(name, "[]")
	var kind rootio.Kind
	switch err := kind.UnmarshalText([]byte(value)); {
	case err != nil:
		return nil, fmt.Errorf("there is no port of type %q: numbers are bool, int8 … int64, uint8 … uint64, float32, float64, and slices of them []float32", name)
	case sliced:
		return reflect.SliceOf(kind.Type()), nil
	}
	return kind.Type(), nil
}
