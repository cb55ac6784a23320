package surrogate

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/internal/modelfile"
	"github.com/eidolon-hep/eidolon/internal/output"
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

// What is wrong with a file that could not be loaded.
var (
	// ErrNotModel says that a file is not a model file.
	ErrNotModel = errors.New("not a model file")
	// ErrVersion says that another version of Eidolon wrote a model file or a checkpoint.
	ErrVersion = modelfile.ErrVersion
	// ErrDamaged says that a model file, or a checkpoint, contradicts itself.
	ErrDamaged = modelfile.ErrDamaged
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
		return modelfile.Damaged(err)
	}
	if version.Format != format {
		return fmt.Errorf("%w: it has format %d, this program reads format %d: train the model again, or take the program that wrote it", ErrVersion, version.Format, format)
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return modelfile.Damaged(err)
	}
	for _, check := range []func() error{
		m.Context.Check,
		func() error { return m.Features.Check(&m.Context) },
		m.Card.check,
	} {
		if err := check(); err != nil {
			return modelfile.Damaged(err)
		}
	}
	return nil
}

// CheckOutput checks that a model can be saved as file, and that nothing of the user's is
// lost by it: neither one of the inputs, by whatever name, nor a file that is no model.
func CheckOutput(file string, inputs ...string) error {
	return output.Check(file, output.Kind{Name: "a model file", Is: modelfile.Is(modelfile.Model)}, inputs...)
}

// TrainedOn returns the names of the files that the model in a file was trained on; none if the
// file is no model.
func TrainedOn(file string) []string {
	var m metadata
	_ = json.Unmarshal([]byte(modelfile.Text(file, modelfile.Model)), &m) // what it does not say is not known
	return m.Card.Inputs
}

// Save writes the surrogate to a file: safetensors, with JSON for everything but
// the parameters. The file appears under its name when it is complete.
func (s *Surrogate) Save(file string) error {
	if s.Ratio != nil {
		return errors.New("surrogate: a model file does not hold a ratio: save the model without it")
	}
	m, err := s.describe()
	if err != nil {
		return err
	}
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("surrogate: could not describe the model: %w", err)
	}
	if err := modelfile.Write(file, s.Chain.Tensors(), modelfile.Model, string(text)); err != nil {
		return fmt.Errorf("surrogate: %w", err)
	}
	return nil
}

// Load reads a surrogate that [Surrogate.Save] wrote. The error wraps
// [ErrNotModel] when the file is something else, and [ErrDamaged] when it contradicts
// itself: what was loaded is sound.
func Load(file string) (*Surrogate, error) {
	fail := func(err error) (*Surrogate, error) {
		return nil, fmt.Errorf("surrogate: could not load %q: %w", file, err)
	}
	tensors, text, err := modelfile.Read(file, modelfile.Model)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("surrogate: could not load the model: %w", err)
	}
	if errors.Is(err, modelfile.ErrKind) {
		switch {
		case IsCheckpoint(file):
			return fail(fmt.Errorf("%w: it is the checkpoint of a training, of which “eidolon train --resume %s --finish” makes a model", ErrNotModel, file))
		case modelfile.Is(modelfile.Ratio)(file):
			return fail(fmt.Errorf("%w: it is the ratio of two densities, which goes with a model (--ratio), or with “eidolon reweight --apply”", ErrNotModel))
		}
		return fail(ErrNotModel)
	}
	if err != nil {
		return fail(err)
	}
	var m metadata
	if err := m.decode(text, &m); err != nil {
		return fail(err)
	}
	chain, err := loadChain(m.Density, tensors, factor.Of(&m.Features), m.Context.Dim())
	if err != nil {
		return fail(modelfile.Damaged(err))
	}
	m.Card.Plan.Factors = chain.names()
	return &Surrogate{Part: Part{m.Features, m.Context, chain}, Card: m.Card}, nil
}
