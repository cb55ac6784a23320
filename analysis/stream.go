package analysis

import (
	"fmt"
	"strings"

	"go-hep.org/x/hep/fwk"
)

// fwk wants its own types of task for streams, fwk.InputStream and fwk.OutputStream,
// which have a streamer as a property. So that a streamer can be created and
// configured like any other component, its factory makes the stream with the streamer
// in it, and declares the streamer's properties as the stream's own.

// suffix is what the name of such a stream has behind that of the component.
const suffix = ".stream"

// streamName is the name of a stream as the job has it.
func streamName(t fwk.Component) string { return strings.TrimSuffix(t.Name(), suffix) }

// streamFactory returns the factory of streams of the given type, fwk's input or output,
// with a streamer of type S and its properties.
func streamFactory[S any](stream string, create func() (streamer S, properties map[string]any)) fwk.FactoryFunc {
	return func(_, name string, app fwk.App) (fwk.Component, error) {
		c, err := app.New(stream, name+suffix)
		if err != nil {
			return nil, err
		}
		task, ok := c.(fwk.Task)
		if !ok {
			return nil, fmt.Errorf("analysis: a %s is no task", stream)
		}
		if err := app.DelTask(task); err != nil { // whoever asked for the component adds it
			return nil, err
		}
		streamer, properties := create()
		if err := app.SetProp(c, "Streamer", streamer); err != nil {
			return nil, err
		}
		for name, value := range properties {
			if err := app.DeclProp(c, name, value); err != nil {
				return nil, err
			}
		}
		return c, nil
	}
}
