package analysis

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/internal/nearest"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Source is an fwk.InputStreamer that draws events from a surrogate, as if they were
// read from a tree: each port carries the column of its name. It is registered as a
// component, an input stream with these fields as properties besides Ports, for which
// holds what is said at [TreeReader].
//
// Event i depends on (Seed, First + i) alone, not on NProcs, Batch or the ports that are
// asked for; the events are those of “eidolon generate” with the same seed.
type Source struct {
	// Model is the file of the surrogate, which must not be conditional.
	Model string
	// Ratio is the file of a ratio that multiplies the density of the surrogate
	// ([surrogate.Surrogate.Refine]); empty: none.
	Ratio string
	// Seed is the seed of the events. If it is 0 one is drawn, and said.
	Seed uint64
	// Solver says how the equation of a surrogate that solves one is solved, as at [FastSim].
	Solver diffusion.SolverOptions
	// First is the number of the first event, for jobs that share a sample.
	First uint64
	// N is the number of events.
	N int64
	// Batch, when it is not 0, makes each event of fwk a batch of so many events: a
	// port then carries a slice, a value per event.
	Batch int
	// Entry, when it is not empty, is the name of one more port, with the number of the
	// event, from 0: an int64, or []int64 in batches.
	Entry string

	isDrawn bool // the seed

	model *surrogate.Surrogate
	ratio *classify.Ratio
	table tableStream
	job   context.Context // while an event is read
}

// drawn is the number of events that are drawn at a time when they are given one by one.
const drawn = 1 << 14

func init() {
	job.RegisterInput(func() fwk.InputStreamer { return &Source{} })
}

// load loads the surrogate, once.
func (s *Source) load() (err error) {
	switch {
	case s.model != nil:
		return nil
	case s.N < 1 || s.N > rootio.MaxEntries:
		return fmt.Errorf("%d events cannot be drawn: say how many (property N), %d at most", s.N, rootio.MaxEntries)
	case s.Batch < 0 || s.Batch > mostInBatch:
		return fmt.Errorf("a batch cannot have %d events (%d at most)", s.Batch, mostInBatch)
	}
	model, err := load(s.Model, (*surrogate.Surrogate).SetSolver, s.Solver)
	if err != nil {
		return err
	}
	if names := model.Context.Names(); len(names) > 0 {
		return fmt.Errorf("%s is conditional on %s: use FastSim after a source of these", s.Model, strings.Join(names, ", "))
	}
	if s.ratio, err = ratioFor(model, s.Ratio); err != nil {
		return err
	}
	s.model = model
	drawSeed(&s.Seed, &s.isDrawn)
	return nil
}

// Complete returns the ports with their types.
func (s *Source) Complete(_ context.Context, ports []fwk.Port) (job.Input, error) {
	if err := s.load(); err != nil {
		return job.Input{}, err
	}
	return job.Input{Ports: completeFrom(ports, s.model.Fields(), s.Batch > 0, s.Entry), Entry: s.Entry}, nil
}

// Reads returns the files of the surrogate and of the ratio.
func (s *Source) Reads() []string { return given(s.Model, s.Ratio) }

// UsesModel returns the surrogate.
func (s *Source) UsesModel() job.Model {
	return job.Model{File: s.Model, Ratio: s.Ratio, Seed: &s.Seed, Drawn: s.isDrawn, Solver: s.model.Solver()}
}

// Connect loads the surrogate.
func (s *Source) Connect(ports []fwk.Port) error {
	if err := s.load(); err != nil {
		return err
	}
	return s.table.connect(ports, s.Batch, s.Entry, s.draw)
}

// draw gives the named columns of the events, in tables.
func (s *Source) draw(names []string) (iter.Seq2[*rootio.Table, error], error) {
	known := s.model.Names()
	columns := make([]int, len(names))
	for i, name := range names {
		columns[i] = slices.Index(known, name)
		if columns[i] < 0 {
			return nil, fmt.Errorf("%s has no column %q%s", s.Model, name, nearest.Hint(name, known))
		}
	}
	size := int64(drawn)
	if s.Batch > 0 {
		size = int64(s.Batch)
	}
	return func(yield func(*rootio.Table, error) bool) {
		if err := refine(s.job, s.model, s.ratio); err != nil {
			yield(nil, err)
			return
		}
		table := rootio.NewTable(s.model.Fields(), int(min(size, s.N)))
		named := &rootio.Table{Columns: make([]rootio.Column, len(columns))}
		for first := int64(0); first < s.N; first += size {
			part := table.Slice(0, int(min(size, s.N-first)))
			if _, err := s.model.Generate(s.job, part, nil, s.Seed, s.First+uint64(first)); err != nil {
				yield(nil, err)
				return
			}
			for i, j := range columns {
				named.Columns[i] = part.Columns[j]
			}
			if !yield(named, nil) {
				return
			}
		}
	}, nil
}

// Limit says how many events are given at most, and Given how many were ([job.BatchInput]).
func (s *Source) Limit(events int64) { s.table.limit = events }
func (s *Source) Given() int64       { return s.table.first }

// Read puts the next event, or batch of them, into an event of fwk.
func (s *Source) Read(ctx fwk.Context) error {
	s.job = job.Context(ctx)
	return s.table.read(ctx.Store())
}

// Disconnect ends the stream.
func (s *Source) Disconnect() error {
	s.table.close()
	return nil
}
