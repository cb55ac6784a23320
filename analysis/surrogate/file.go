package surrogate

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/flows"
	"github.com/eidolon-hep/eidolon/internal/atomicfile"
	"github.com/eidolon-hep/eidolon/internal/safetensors"
)

// format is the version of the model file.
const format = 4

// metadata is what a model file says beside its tensors.
type metadata struct {
	Format   int              `json:"format"`
	Features features.Spec    `json:"features"`
	Context  features.Context `json:"context,omitzero"`
	Density  described        `json:"density"`
	Card     Card             `json:"card"`
}

// metadataKey is where the metadata of a safetensors file hold ours.
const metadataKey = "eidolon"

// ErrNotModel says that a file is not a model file.
var ErrNotModel = errors.New("not a model file")

// describe returns what the file says beside the parameters.
func (s *Surrogate) describe() (metadata, error) {
	density, err := describeDensity(s.Density)
	if err != nil {
		return metadata{}, err
	}
	return metadata{format, s.Features, s.Context, density, s.Card}, nil
}

// check reports whether metadata that were read are ours.
func (m metadata) check() error {
	if m.Format != format {
		return fmt.Errorf("the file has format %d, this program reads format %d: train the model again, or take the program that wrote it", m.Format, format)
	}
	if err := m.Features.Check(); err != nil {
		return err
	}
	return m.Context.Check()
}

// write writes tensors and a text under a key to a safetensors file.
func write(file string, tensors []safetensors.Tensor, key, text string) error {
	f, err := atomicfile.Create(file)
	if err != nil {
		return fmt.Errorf("surrogate: could not save %q: %w", file, err)
	}
	defer f.Abort()
	if err := safetensors.Write(f, tensors, map[string]string{key: text}); err != nil {
		return fmt.Errorf("surrogate: could not save %q: %w", file, err)
	}
	return f.Close()
}

// read reads the tensors and the text under a key of a safetensors file. The error
// is [ErrNotModel] when it has none.
func read(file, key string) ([]safetensors.Tensor, string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, "", err
	}
	tensors, texts, err := safetensors.Read(f, info.Size())
	if errors.Is(err, safetensors.ErrFormat) {
		return nil, "", ErrNotModel
	}
	if err != nil {
		return nil, "", err
	}
	text, ok := texts[key]
	if !ok {
		return nil, "", ErrNotModel
	}
	return tensors, text, nil
}

// Save writes the surrogate to a file: safetensors, with JSON for everything but
// the parameters. The file appears under its name when it is complete.
func (s *Surrogate) Save(file string) error {
	m, err := s.describe()
	if err != nil {
		return err
	}
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("surrogate: could not describe the model: %w", err)
	}
	var tensors []safetensors.Tensor
	for _, t := range s.Density.Tensors() {
		tensors = append(tensors, safetensors.Tensor(t))
	}
	return write(file, tensors, metadataKey, string(text))
}

// Load reads a surrogate that [Surrogate.Save] wrote. The error wraps
// [ErrNotModel] when the file is something else.
func Load(file string) (*Surrogate, error) {
	fail := func(err error) (*Surrogate, error) {
		return nil, fmt.Errorf("surrogate: could not load %q: %w", file, err)
	}
	tensors, text, err := read(file, metadataKey)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("surrogate: could not load the model: %w", err)
	}
	if err != nil {
		return fail(err)
	}
	var m metadata
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return fail(fmt.Errorf("the description is damaged: %w", err))
	}
	if err := m.check(); err != nil {
		return fail(err)
	}
	var parameters []flows.Tensor
	for _, t := range tensors {
		parameters = append(parameters, flows.Tensor(t))
	}
	density, err := m.Density.load(parameters, shapeOf(&m.Features))
	if err != nil {
		return fail(err)
	}
	if density.Dim() != m.Features.Dim() || density.Context() != m.Context.Dim() {
		return fail(fmt.Errorf("the density has %d features and %d context features, the columns make %d and %d", density.Dim(), density.Context(), m.Features.Dim(), m.Context.Dim()))
	}
	return &Surrogate{Features: m.Features, Context: m.Context, Density: density, Card: m.Card}, nil
}
