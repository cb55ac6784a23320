package surrogate

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/internal/modelfile"
	"github.com/eidolon-hep/eidolon/internal/output"
	"github.com/eidolon-hep/eidolon/training"
)

// format is the version of the model file.
const format = 6

// formatOnePart is the version of model files of one part, whose features and factors stand beside
// the card, and whose tensors have no prefix for the part.
const formatOnePart = 5

// metadata is what a model file says beside its tensors.
type metadata struct {
	Format  int              `json:"format"`
	Parts   []describedPart  `json:"parts"`
	Context features.Context `json:"context,omitzero"`
	Refined *Refinement      `json:"refined,omitempty"`
	Card    Card             `json:"card"`
}

// describedPart is a part as a model file describes it.
type describedPart struct {
	Weight   float64       `json:"weight"`
	Features features.Spec `json:"features"`
	Density  []described   `json:"density"` // the factors of the chain
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
	m := metadata{Format: format, Context: s.Context, Refined: s.Refined, Card: s.Card}
	for _, p := range s.Parts {
		density, err := p.Chain.describe()
		if err != nil {
			return m, err
		}
		m.Parts = append(m.Parts, describedPart{p.Weight, p.Features, density})
	}
	return m, nil
}

// describeParts says in the plan what the parts consist of.
func (s *Surrogate) describeParts() {
	plan := &s.Card.Plan
	plan.Factors, plan.Parts = s.Parts[0].Chain.names(), nil
	for _, p := range s.Parts {
		if len(s.Parts) > 1 {
			plan.Parts = append(plan.Parts, p.Weight)
		}
	}
}

// tensors returns the parameters, those of each part under its place.
func (s *Surrogate) tensors() (all []training.Tensor) {
	for k := range s.Parts {
		all = training.Prefixed(prefix(k), s.Parts[k].Chain.Tensors(), all)
	}
	if s.Refined != nil {
		all = training.Prefixed(refinedPrefix, s.Refined.tensors(), all)
	}
	return all
}

// decode reads metadata of format, in a text that says more (into), and checks them.
func (m *metadata) decode(text string, into any) error {
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal([]byte(text), &version); err != nil {
		return modelfile.Damaged(err)
	}
	switch version.Format {
	case format:
	case formatOnePart:
		m.Parts = []describedPart{{Weight: 1}}
		if err := json.Unmarshal([]byte(text), &m.Parts[0]); err != nil {
			return modelfile.Damaged(err)
		}
	default:
		return fmt.Errorf("%w: it has format %d, this program reads format %d: train the model again, or take the program that wrote it", ErrVersion, version.Format, format)
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return modelfile.Damaged(err)
	}
	for _, check := range []func() error{m.Context.Check, m.checkParts, m.Card.check} {
		if err := check(); err != nil {
			return modelfile.Damaged(err)
		}
	}
	return nil
}

// checkParts reports whether the parts make a mixture.
func (m *metadata) checkParts() error {
	const near = 1e-6
	if len(m.Parts) == 0 {
		return errors.New("surrogate: the file has no part")
	}
	sum, fields := 0.0, m.Parts[0].Features.Fields()
	for i := range m.Parts {
		p := &m.Parts[i]
		if !(p.Weight > 0) {
			return fmt.Errorf("surrogate: the weight of part %d is %g", i, p.Weight)
		}
		if sum += p.Weight; !slices.Equal(p.Features.Fields(), fields) {
			return fmt.Errorf("surrogate: part %d has other branches than the first one", i)
		}
		if err := p.Features.Check(&m.Context); err != nil {
			return err
		}
	}
	if !(math.Abs(sum-1) < near) {
		return fmt.Errorf("surrogate: the weights of the parts add up to %g", sum)
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
	if err := modelfile.Write(file, s.tensors(), modelfile.Model, string(text)); err != nil {
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
	s := &Surrogate{Context: m.Context, Card: m.Card}
	for k, p := range m.Parts {
		own := tensors
		if m.Format == format {
			own, _ = training.Under(prefix(k), tensors)
		}
		chain, err := loadChain(p.Density, own, factor.Of(&p.Features), m.Context.Dim())
		if err != nil {
			return fail(modelfile.Damaged(err))
		}
		s.Parts = append(s.Parts, Part{p.Weight, p.Features, chain})
	}
	if m.Refined != nil {
		own, _ := training.Under(refinedPrefix, tensors)
		if err := m.Refined.load(own, s); err != nil {
			return fail(modelfile.Damaged(err))
		}
		s.Refined = m.Refined
	}
	s.describeParts()
	return s, nil
}
