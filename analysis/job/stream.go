package job

import (
	"fmt"
	"strings"

	"go-hep.org/x/hep/fwk"
)

// fwk wants its own types of task for streams, fwk.InputStream and fwk.OutputStream,
// which have a streamer as a property. So that a streamer can be created and
// configured like any other component, its factory makes the stream with the streamer
// in it, and declares the streamer's properties as the stream's own.

// The names of fwk's own components.
const (
	inputStream  = "go-hep.org/x/hep/fwk.InputStream"
	outputStream = "go-hep.org/x/hep/fwk.OutputStream"
)

// suffix is what the name of such a stream has behind that of the component.
const suffix = ".stream"

// streamName is the name of a stream as the job has it.
func streamName(t fwk.Component) string { return strings.TrimSuffix(t.Name(), suffix) }

// InputFactory returns a factory, for fwk.Register, that makes an input streamer a component of
// its own. create returns a new streamer and pointers to its properties.
func InputFactory(create func() (fwk.InputStreamer, map[string]any)) fwk.FactoryFunc {
	return streamFactory(inputStream, create)
}

// OutputFactory does the same for output streamers.
func OutputFactory(create func() (fwk.OutputStreamer, map[string]any)) fwk.FactoryFunc {
	return streamFactory(outputStream, create)
}

func streamFactory[S any](stream string, create func() (streamer S, properties map[string]any)) fwk.FactoryFunc {
	return func(_, name string, app fwk.App) (fwk.Component, error) {
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
