package surrogate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"

	"github.com/eidolon-hep/eidolon/flows"
	"github.com/eidolon-hep/eidolon/internal/output"
	"github.com/eidolon-hep/eidolon/internal/safetensors"
	"github.com/eidolon-hep/eidolon/rootio"
)

// checkpoint is what a checkpoint file says beside its vectors.
type checkpoint struct {
	metadata
	Loop  int              `json:"loop"` // checkpointLoop
	State flows.Checkpoint `json:"state"`
}

// checkpointLoop changes when trainings of an earlier version cannot be gone on with: 1
// since one-step maps minimise a distance, 2 since denoisers are of what is around an angle.
const checkpointLoop = 2

// checkpointKey is where the metadata of a safetensors file hold a checkpoint.
const checkpointKey = "eidolon checkpoint"

// ErrNotCheckpoint says that a file is not a checkpoint.
var ErrNotCheckpoint = errors.New("not a checkpoint")

// CheckCheckpoint checks that a checkpoint can be written as file: see [CheckOutput].
func CheckCheckpoint(file string, inputs ...string) error {
	return output.Check(file, output.Kind{Name: "a checkpoint", Is: IsCheckpoint}, inputs...)
}

// IsCheckpoint reports whether a file is a checkpoint that [Training.CheckpointTo] wrote.
func IsCheckpoint(file string) bool { return has(checkpointKey)(file) }

// CheckpointTo makes the training write a checkpoint to the file, about every minute
// and when it is interrupted. The file appears under its name when it is complete.
func (tr *Training) CheckpointTo(file string) {
	tr.Card.Options.Train.Save = func(c *flows.Checkpoint) error {
		m, err := tr.describe()
		if err != nil {
			return err
		}
		text, err := json.Marshal(checkpoint{m, checkpointLoop, *c})
		if err != nil {
			return fmt.Errorf("surrogate: could not describe the checkpoint: %w", err)
		}
		var tensors []safetensors.Tensor
		for name, v := range vectors(c) {
			if len(*v) > 0 {
				tensors = append(tensors, safetensors.Tensor{Name: name, Shape: []int{len(*v)}, Value: *v})
			}
		}
		return write(file, tensors, checkpointKey, string(text))
	}
}

// vectors returns the vectors of a checkpoint by name.
func vectors(c *flows.Checkpoint) map[string]*[]float32 {
	return map[string]*[]float32{"params": &c.Params, "m": &c.M, "v": &c.V, "best": &c.Best, "mean": &c.Mean}
}

// Paused is a training that was written to a checkpoint.
type Paused struct {
	// Card says what was trained on and how.
	Card Card
	// Columns are the names of the branches.
	Columns []string

	saved checkpoint
}

// LoadCheckpoint reads a training that [Training.CheckpointTo] wrote. The error
// wraps [ErrNotCheckpoint] when the file is something else.
func LoadCheckpoint(file string) (*Paused, error) {
	fail := func(err error) (*Paused, error) {
		return nil, fmt.Errorf("surrogate: could not load the checkpoint %q: %w", file, err)
	}
	tensors, text, err := read(file, checkpointKey)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, err
	case errors.Is(err, ErrNotModel):
		return fail(ErrNotCheckpoint)
	case err != nil:
		return fail(err)
	}
	p := &Paused{}
	if err := p.saved.decode(text, &p.saved); err != nil {
		return fail(err)
	}
	if p.saved.Loop != checkpointLoop {
		return fail(fmt.Errorf("%w of this version: another version of Eidolon wrote it: train anew, or go on with that version", ErrNotCheckpoint))
	}
	named := vectors(&p.saved.State)
	for _, t := range tensors {
		v, ok := named[t.Name]
		if !ok {
			return fail(fmt.Errorf("it has a tensor %q", t.Name))
		}
		*v = t.Value
	}
	p.Card = p.saved.Card
	p.Columns = append(p.saved.Features.Names(), p.saved.Context.Names()...)
	return p, nil
}

// Resume returns the training, to go on with the events that it began with: see [New]. The
// continuation is the same to the bit as if there had been no stop, unless its
// time is limited.
func (p *Paused) Resume(ctx context.Context, t *rootio.Table, w []float64) (*Training, error) {
	tr, err := New(ctx, t, w, p.Card.Options)
	if err != nil {
		return nil, err
	}
	if t.Len() != p.Card.Events || !reflect.DeepEqual(tr.Features, p.saved.Features) || !reflect.DeepEqual(tr.Context, p.saved.Context) {
		return nil, errors.New("surrogate: these are not the events that the training began with")
	}
	tr.Card.Version, tr.Card.Command = p.Card.Version, p.Card.Command
	tr.Card.Choice = p.Card.Choice
	tr.Card.Inputs, tr.Card.Tree, tr.Card.Weight = p.Card.Inputs, p.Card.Tree, p.Card.Weight
	tr.Card.Options.Train.Resume = &p.saved.State
	return tr, nil
}
