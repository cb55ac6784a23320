package job

import (
	"fmt"
	"reflect"
	"strings"

	"go-hep.org/x/hep/fwk"
)

// fwk wants its own types of task for streams, fwk.InputStream and fwk.OutputStream,
// which have a streamer as a property. So that a streamer can be created and
// configured like any other component, its factory makes the stream with the streamer
// in it, and declares the streamer's fields as the stream's own.

// The names of fwk's own components.
const (
	inputStream  = "go-hep.org/x/hep/fwk.InputStream"
	outputStream = "go-hep.org/x/hep/fwk.OutputStream"
)

// suffix is what the name of such a stream has behind that of the component.
const suffix = ".stream"

// streamName is the name of a stream as the job has it.
func streamName(t fwk.Component) string { return strings.TrimSuffix(t.Name(), suffix) }

// RegisterTask registers a task as a component of fwk, with its exported fields as properties.
func RegisterTask(create func(fwk.TaskBase) fwk.Task) {
	fwk.Register(reflect.TypeOf(create(fwk.TaskBase{})).Elem(), func(typ, name string, app fwk.App) (fwk.Component, error) {
		t := create(fwk.NewTask(typ, name, app))
		return t, declare(app, t, t)
	})
}

// RegisterInput registers an input streamer as a component of its own, with its exported fields
// as properties.
func RegisterInput(create func() fwk.InputStreamer) { registerStreamer(inputStream, create) }

// RegisterOutput does the same for an output streamer.
func RegisterOutput(create func() fwk.OutputStreamer) { registerStreamer(outputStream, create) }

// declare declares the exported fields of a struct as properties of a component.
func declare(app fwk.App, c fwk.Component, of any) error {
	v := reflect.ValueOf(of).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() || f.Anonymous {
			continue
		}
		if err := app.DeclProp(c, f.Name, v.Field(i).Addr().Interface()); err != nil {
			return err
		}
	}
	return nil
}

func registerStreamer[S any](stream string, create func() S) {
	fwk.Register(reflect.TypeOf(create()).Elem(), func(_, name string, app fwk.App) (fwk.Component, error) {
		c, err := app.New(stream, name+suffix)
		if err != nil {
			return nil, err
		}
		task, ok := c.(fwk.Task)
		if !ok {
			return nil, fmt.Errorf("job: a %s is no task", stream)
		}
		if err := app.DelTask(task); err != nil { // whoever asked for the component adds it
			return nil, err
		}
		streamer := create()
		if err := app.SetProp(c, "Streamer", streamer); err != nil {
			return nil, err
		}
		return c, declare(app, c, streamer)
	})
}
