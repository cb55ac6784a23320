package surrogate

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/internal/atomicfile"
	"github.com/eidolon-hep/eidolon/internal/output"
	"github.com/eidolon-hep/eidolon/internal/safetensors"
	"github.com/eidolon-hep/eidolon/training"
)

// format is the version of the model file.
const format = 5

// metadata is what a model file says beside its tensors.
type metadata struct {
	Format   int              `json:"format"`
	Features features.Spec    `json:"features"`
	Context  features.Context `json:"context,omitzero"`
	Density  []described      `json:"density"` // the factors of the chain
	Card     Card             `json:"card"`
}

// metadataKey is where the metadata of a safetensors file hold ours.
const metadataKey = "eidolon"

// What is wrong with a file that could not be loaded.
var (
	// ErrNotModel says that a file is not a model file.
	ErrNotModel = errors.New("not a model file")
	// ErrVersion says that another version of Eidolon wrote a model file or a checkpoint.
	ErrVersion = errors.New("another version of Eidolon wrote it")
	// ErrDamaged says that a model file, or a checkpoint, contradicts itself.
	ErrDamaged = errors.New("the file is damaged")
)

// describe returns what the file says beside the parameters.
func (s *Surrogate) describe() (metadata, error) {
	density, err := s.Chain.describe()
	if err != nil {
		return metadata{}, err
	}
	return metadata{format, s.Features, s.Context, density, s.Card}, nil
}

// decode reads metadata of format, in a text that says more (into), and checks them.
func (m *metadata) decode(text string, into any) error {
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal([]byte(text), &version); err != nil {
		return damaged(err)
	}
	if version.Format != format {
		return fmt.Errorf("%w: it has format %d, this program reads format %d: train the model again, or take the program that wrote it", ErrVersion, version.Format, format)
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return damaged(err)
	}
	for _, check := range []func() error{
		m.Context.Check,
		func() error { return m.Features.Check(&m.Context) },
		m.Card.check,
	} {
		if err := check(); err != nil {
			return damaged(err)
		}
	}
	return nil
}

// damaged returns the error of a file in which something is wrong.
func damaged(err error) error { return fmt.Errorf("%w: %w", ErrDamaged, err) }

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

// CheckOutput checks that a model can be saved as file, and that nothing of the user's is
// lost by it: neither one of the inputs, by whatever name, nor a file that is no model.
func CheckOutput(file string, inputs ...string) error {
	return output.Check(file, output.Kind{Name: "a model file", Is: has(metadataKey)}, inputs...)
}

// TrainedOn returns the names of the files that the model in a file was trained on; none if the
// file is no model.
func TrainedOn(file string) []string {
	var m metadata
	_ = json.Unmarshal([]byte(textOf(file, metadataKey)), &m) // what it does not say is not known
	return m.Card.Inputs
}

// has returns a function that reports whether a file has metadata of ours under a key.
func has(key string) func(file string) bool {
	return func(file string) bool { return textOf(file, key) != "" }
}

// textOf returns the metadata of a safetensors file under a key, "" if there are none.
func textOf(file, key string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	texts, err := safetensors.Metadata(f, info.Size())
	if err != nil {
		return ""
	}
	return texts[key]
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
		return nil, "", damaged(err)
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
	for _, t := range s.Chain.Tensors() {
		tensors = append(tensors, safetensors.Tensor(t))
	}
	return write(file, tensors, metadataKey, string(text))
}

// Load reads a surrogate that [Surrogate.Save] wrote. The error wraps
// [ErrNotModel] when the file is something else, and [ErrDamaged] when it contradicts
// itself: what was loaded is sound.
func Load(file string) (*Surrogate, error) {
	fail := func(err error) (*Surrogate, error) {
		return nil, fmt.Errorf("surrogate: could not load %q: %w", file, err)
	}
	tensors, text, err := read(file, metadataKey)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("surrogate: could not load the model: %w", err)
	}
	if errors.Is(err, ErrNotModel) && IsCheckpoint(file) {
		return fail(fmt.Errorf("%w: it is the checkpoint of a training, of which “eidolon train --resume %s --finish” makes a model", err, file))
	}
	if err != nil {
		return fail(err)
	}
	var m metadata
	if err := m.decode(text, &m); err != nil {
		return fail(err)
	}
	var parameters []training.Tensor
	for _, t := range tensors {
		parameters = append(parameters, training.Tensor(t))
	}
	chain, err := loadChain(m.Density, parameters, factor.Of(&m.Features), m.Context.Dim())
	if err != nil {
		return fail(damaged(err))
	}
	m.Card.Plan.Factors = chain.names()
	return &Surrogate{Part{m.Features, m.Context, chain}, m.Card}, nil
}
