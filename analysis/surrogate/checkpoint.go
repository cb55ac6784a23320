package surrogate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/internal/modelfile"
	"github.com/eidolon-hep/eidolon/internal/output"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// checkpoint is what a checkpoint file says beside its vectors.
type checkpoint struct {
	metadata
	Loop  int                 `json:"loop"` // checkpointLoop
	State training.Checkpoint `json:"state"`
	Of    identity            `json:"of"`

	// Stage is that of the training of a mixture: the number of parts that have learnt for themselves, and Done are the
	// histories of these.
	Stage int                `json:"stage,omitempty"`
	Done  []training.History `json:"done,omitempty"`
	done  []training.Tensor  // what the last factors of these have learnt, under the places of the parts
}

// identity is what makes a training itself.
type identity struct {
	Data  string  `json:"data"`  // digest of the columns and the weights
	Asked Options `json:"asked"` // of New
}

// is reports whether two trainings are the same one.
func (i identity) is(other identity) bool {
	a, errA := json.Marshal(i)
	b, errB := json.Marshal(other)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// digest returns that of the columns, in any order, and the weights.
func digest(t *rootio.Table, w []float64) string {
	const rows = 1 << 16 // that are put into bytes at a time
	all := sha256.New()
	for _, c := range slices.SortedFunc(slices.Values(t.Columns), func(a, b rootio.Column) int { return strings.Compare(a.Name, b.Name) }) {
		fmt.Fprintf(all, "%q %v %d\n", c.Name, c.Kind, c.Len())
		for lo := 0; lo < c.Len(); lo += rows {
			// An error is not possible: the values are numbers, the hash takes all.
			_ = binary.Write(all, binary.LittleEndian, c.Slice(lo, min(lo+rows, c.Len())).Values())
		}
	}
	fmt.Fprintf(all, "%d weights\n", len(w))
	for part := range slices.Chunk(w, rows) {
		_ = binary.Write(all, binary.LittleEndian, part)
	}
	return hex.EncodeToString(all.Sum(nil))
}

// checkpointLoop changes when trainings of an earlier version cannot be gone on with: 1
// since one-step maps minimise a distance, 2 since denoisers are of what is around an angle, 3
// since a checkpoint says whose it is, 4 since it has the plan.
const checkpointLoop = 4

// ErrNotCheckpoint says that a file is not a checkpoint.
var ErrNotCheckpoint = errors.New("not a checkpoint")

// CheckCheckpoint checks that a checkpoint can be written as file: see [CheckOutput].
func CheckCheckpoint(file string, inputs ...string) error {
	return output.Check(file, output.Kind{Name: "a checkpoint", Is: IsCheckpoint}, inputs...)
}

// IsCheckpoint reports whether a file is a checkpoint that [Training.CheckpointTo] wrote.
func IsCheckpoint(file string) bool { return modelfile.Is(modelfile.Checkpoint)(file) }

// CheckpointTo makes the training write a checkpoint to the file, about every minute
// and when it is interrupted. The file appears under its name when it is complete. Where it
// cannot be written the training goes on, and failed, unless it is nil, is told why, once. A file
// that is there and no checkpoint stays as it is.
func (tr *Training) CheckpointTo(file string, failed func(error)) {
	tr.checkpoint, tr.checkpointed = file, false
	if tr.of.Data == "" {
		tr.of = identity{digest(tr.table, tr.w), tr.Card.Options}
	}
	tr.save = func(c *training.Checkpoint) error {
		err := tr.write(c)
		tr.checkpointed = tr.checkpointed || err == nil
		if err != nil && failed != nil {
			failed(err)
			failed = nil
		}
		return nil
	}
}

// Checkpointed reports whether a checkpoint of the training has been written.
func (tr *Training) Checkpointed() bool { return tr.checkpointed }

// RemoveCheckpoint removes the checkpoint that the training has written, or that it was resumed from if
// its own is in the same place.
func (tr *Training) RemoveCheckpoint() error {
	p, err := LoadCheckpoint(tr.checkpoint)
	if err != nil || !p.saved.Of.is(tr.of) {
		return nil // it is somebody else's, or not there
	}
	return os.Remove(tr.checkpoint)
}

func (tr *Training) write(c *training.Checkpoint) error {
	if info, err := os.Stat(tr.checkpoint); err == nil && info.Size() > 0 && !IsCheckpoint(tr.checkpoint) {
		return fmt.Errorf("surrogate: %q is no checkpoint, and is not replaced", tr.checkpoint)
	}
	m, err := tr.describe()
	if err != nil {
		return err
	}
	text, err := json.Marshal(checkpoint{metadata: m, Loop: checkpointLoop, State: *c, Of: tr.of, Stage: tr.stage, Done: tr.done})
	if err != nil {
		return fmt.Errorf("surrogate: could not describe the checkpoint: %w", err)
	}
	tensors := tr.doneTensors()
	for name, v := range stateVectors(c) {
		if len(*v) > 0 {
			tensors = append(tensors, training.Tensor{Name: name, Shape: []int{len(*v)}, Value: *v})
		}
	}
	return modelfile.Write(tr.checkpoint, tensors, modelfile.Checkpoint, string(text))
}

// donePrefix begins the names of the tensors of parts that have learnt.
const donePrefix = "done."

// doneTensors returns what the last factors of the parts that have learnt consist of.
func (tr *Training) doneTensors() (all []training.Tensor) {
	for k := range tr.Parts[:tr.stage] {
		all = training.Prefixed(donePrefix+prefix(k), tr.Parts[k].Chain.last().Tensors(), all)
	}
	return all
}

// takeUp stores in the parts that have learnt what they have learnt: the inverse of doneTensors, without the prefix.
func (tr *Training) takeUp(done []training.Tensor) error {
	byName := map[string]training.Tensor{}
	for _, t := range done {
		byName[t.Name] = t
	}
	wanted := tr.doneTensors()
	if len(wanted) != len(done) {
		return fmt.Errorf("%d tensors of parts that have learnt, not %d", len(done), len(wanted))
	}
	for _, to := range wanted {
		t, ok := byName[strings.TrimPrefix(to.Name, donePrefix)]
		if !ok || !slices.Equal(t.Shape, to.Shape) || len(t.Value) != len(to.Value) {
			return fmt.Errorf("no tensor %q of shape %v", to.Name, to.Shape)
		}
		for _, v := range t.Value {
			if v-v != 0 {
				return fmt.Errorf("tensor %q has a parameter that is %v", to.Name, v)
			}
		}
		copy(to.Value, t.Value)
	}
	return nil
}

// stateVectors returns the vectors of a checkpoint by name.
func stateVectors(c *training.Checkpoint) map[string]*[]float32 {
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
	tensors, text, err := modelfile.Read(file, modelfile.Checkpoint)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, err
	case errors.Is(err, modelfile.ErrKind):
		return fail(ErrNotCheckpoint)
	case err != nil:
		return fail(err)
	}
	p := &Paused{}
	if err := p.saved.decode(text, &p.saved); err != nil {
		return fail(err)
	}
	if p.saved.Loop != checkpointLoop {
		return fail(fmt.Errorf("%w: train anew, or go on with that version", ErrVersion))
	}
	if p.saved.Stage < 0 || p.saved.Stage > len(p.saved.Parts) || len(p.saved.Done) != p.saved.Stage {
		return fail(modelfile.Damaged(fmt.Errorf("%d of %d parts have learnt, and there are %d histories", p.saved.Stage, len(p.saved.Parts), len(p.saved.Done))))
	}
	p.saved.done, tensors = training.Under(donePrefix, tensors)
	named := stateVectors(&p.saved.State)
	for _, t := range tensors {
		v, ok := named[t.Name]
		if !ok {
			return fail(modelfile.Damaged(fmt.Errorf("it has a tensor %q", t.Name)))
		}
		*v = t.Value
	}
	if err := p.saved.State.Check(); err != nil {
		return fail(modelfile.Damaged(err))
	}
	if err := p.saved.Card.Options.Check(); err != nil {
		return fail(modelfile.Damaged(err))
	}
	plan := p.saved.Card.Plan
	kind, _ := factor.ByName(plan.Model) // a plan is checked
	if least := kind.LeastParameters(plan.Settings); least > len(p.saved.State.Params) && !(p.saved.Stage > 0 && len(p.saved.State.Params) == 0) {
		return fail(modelfile.Damaged(fmt.Errorf("a network of %d parameters or more has %d", least, len(p.saved.State.Params))))
	}
	p.Card = p.saved.Card
	p.Columns = append(p.saved.Parts[0].Features.Names(), p.saved.Context.Names()...)
	return p, nil
}

// IsOf reports whether the checkpoint is of the training that [New] would begin with the same
// arguments.
func (p *Paused) IsOf(t *rootio.Table, w []float64, opts Options) bool {
	return p.saved.Of.is(identity{digest(t, w), opts})
}

// Resume returns the training, to go on with the events that it began with: see [New]. The
// continuation is the same to the bit as if there had been no stop, unless its
// time is limited.
func (p *Paused) Resume(ctx context.Context, t *rootio.Table, w []float64) (*Training, error) {
	if digest(t, w) != p.saved.Of.Data {
		return nil, errors.New("surrogate: these are not the events that the training of the checkpoint began with")
	}
	begin, card := time.Now(), p.saved.Card
	kind, _ := factor.ByName(card.Plan.Model)
	settings := card.Plan.Settings
	settings.Train.Seed = settings.Seed
	of := &Surrogate{Context: p.saved.Context}
	for _, part := range p.saved.Parts {
		of.Parts = append(of.Parts, Part{Weight: part.Weight, Features: part.Features})
	}
	tr, err := newTraining(ctx, of, t, w, card.Options, draft{kind: kind, settings: settings})
	if err != nil {
		return nil, err
	}
	for i := range card.Plan.Exchanges {
		if !card.Plan.Exchanges[i].isSound(t) {
			return nil, fmt.Errorf("surrogate: could not go on from the checkpoint: %w", modelfile.Damaged(errors.New("columns cannot change places")))
		}
	}
	tr.Card = card
	tr.begin, tr.of, tr.goOn = begin, p.saved.Of, &p.saved.State
	if len(tr.goOn.Params) == 0 { // a stage has not begun
		tr.goOn = nil
	}
	tr.stage, tr.done = p.saved.Stage, p.saved.Done
	if err := tr.takeUp(p.saved.done); err != nil {
		return nil, fmt.Errorf("surrogate: could not go on from the checkpoint: %w", modelfile.Damaged(err))
	}
	return tr, nil
}

// Finish is like Resume, but the training makes no further step: [Training.Run] returns the
// surrogate with the best parameters so far.
func (p *Paused) Finish(ctx context.Context, t *rootio.Table, w []float64) (*Training, error) {
	tr, err := p.Resume(ctx, t, w)
	if err == nil {
		tr.finish = true
	}
	return tr, err
}
