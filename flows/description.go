package flows

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/eidolon-hep/eidolon/training"
)

// description is a flow without its parameters.
type description struct {
	Dim     int          `json:"dim"`
	Context int          `json:"context,omitempty"`
	Layers  []namedLayer `json:"layers"`
}

// kinds are the kinds of layers, by what a description calls them.
var kinds = []struct {
	name string
	zero Layer
}{
	{"affine-coupling", AffineCoupling{}},
	{"spline-coupling", SplineCoupling{}},
	{"context-affine", ContextAffine{}},
	{"linear", Linear{}},
	{"actnorm", ActNorm{}},
	{"permutation", Permutation{}},
	{"mixture", Mixture{}},
}

// namedLayer is a layer with the name of its kind beside it.
type namedLayer struct{ Layer }

// nameOf returns the name of the kind of a layer, "" where it has none.
func nameOf(l Layer) string {
	for _, k := range kinds {
		if reflect.TypeOf(k.zero) == reflect.TypeOf(l) {
			return k.name
		}
	}
	return ""
}

func (l namedLayer) MarshalJSON() ([]byte, error) {
	name := nameOf(l.Layer)
	if name == "" {
		return nil, fmt.Errorf("flows: a layer of type %T has no name", l.Layer)
	}
	return json.Marshal(map[string]Layer{name: l.Layer})
}

func (l *namedLayer) UnmarshalJSON(text []byte) error {
	var byName map[string]json.RawMessage
	if err := json.Unmarshal(text, &byName); err != nil {
		return err
	}
	if len(byName) != 1 {
		return fmt.Errorf("flows: a layer is an object with one name, not %d", len(byName))
	}
	for _, k := range kinds {
		if raw, ok := byName[k.name]; ok {
			layer := reflect.New(reflect.TypeOf(k.zero))
			if err := json.Unmarshal(raw, layer.Interface()); err != nil {
				return fmt.Errorf("flows: layer %q: %w", k.name, err)
			}
			l.Layer = layer.Elem().Interface().(Layer)
			return nil
		}
	}
	return fmt.Errorf("flows: there is no layer %q", slices.Collect(maps.Keys(byName))[0])
}

// MarshalJSON describes what the flow is composed of, without its parameters.
func (f *Flow) MarshalJSON() ([]byte, error) {
	d := description{Dim: f.dim, Context: f.context}
	for _, l := range f.layers {
		d.Layers = append(d.Layers, namedLayer{l})
	}
	return json.Marshal(d)
}

// Load returns the flow with the given description, as [Flow.MarshalJSON] writes
// it, and the given parameters. Names and shapes must be those of the flow; they
// are compared before memory is asked for.
func Load(text []byte, tensors []training.Tensor) (*Flow, error) {
	var d description
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("flows: could not read the description of a flow: %w", err)
	}
	const most = 1 << 20 // features or layers: a layer then has less than 2⁶³ parameters
	if d.Dim < 1 || d.Dim > most || d.Context < 0 || d.Context > most || len(d.Layers) > most {
		return nil, fmt.Errorf("flows: the description tells of %d features, %d context features and %d layers", d.Dim, d.Context, len(d.Layers))
	}
	have := training.Values(tensors)
	layers := make([]Layer, len(d.Layers))
	want := 0
	for i, l := range d.Layers {
		n, err := l.parameters(d.Dim, d.Context)
		if err != nil {
			return nil, fmt.Errorf("flows: layer %d: %w", i, err)
		}
		if want += n; want > have { // now, before the sum can overflow
			return nil, fmt.Errorf("flows: %d parameters for a flow of more", have)
		}
		layers[i] = l.Layer
	}
	if have != want {
		return nil, fmt.Errorf("flows: %d parameters for a flow of %d", have, want)
	}
	f, err := New(d.Dim, d.Context, 0, layers...)
	if err != nil {
		return nil, err
	}
	if err := f.params.Load(tensors); err != nil {
		return nil, fmt.Errorf("flows: %w", err)
	}
	f.started = true
	f.Update()
	return f, nil
}
