package task

import (
	"fmt"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/rootio"
)

// knownBranch is the branch that tells whether the condition of an event was among those of the
// training events.
const knownBranch = "known"

// eventIndex is the branch that tells which event of the input another was drawn
// for.
const eventIndex = "event_index"

// eventsFor writes the events of the input with new values of the model's
// features in each, as often as asked for. Its other branches are carried along.
func (g *generation) eventsFor() error {
	in, err := open(g.ctx, g.NoVerify, g.InputTree, g.Inputs)
	if err != nil {
		return err
	}
	defer in.Close()
	conditions := g.model.Context.Names()
	view, err := g.ofCondition(in)
	if err != nil {
		return err
	}
	// What numbers the events is that of the input, if it has such a branch.
	numbered := slices.DeleteFunc(g.model.Numbers(), func(name string) bool {
		return !has(in.Fields(), name)
	})
	isDrawn := func(name string) bool { return !slices.Contains(numbered, name) }
	carried := newCarriage(g.ctx, in, slices.DeleteFunc(g.model.Names(), func(name string) bool { return !isDrawn(name) }))
	generated := g.model.Fields()
	fields := slices.Clone(carried.fields)
	for _, field := range generated {
		if isDrawn(field.Name) {
			fields = append(fields, field)
		}
	}
	known := freeName(knownBranch, fields)
	fields = append(fields, rootio.Field{Name: known, Title: "the condition is among those of the training events", Kind: rootio.Bool})
	if g.Oversample > 1 {
		fields = append(fields, rootio.Field{Name: freeName(eventIndex, fields), Title: "event of the input", Kind: rootio.Int64})
	}
	w, err := g.create(in.Name(), fields, rootio.Like(in))
	if err != nil {
		return err
	}
	defer w.Abort()

	for chunk, err := range view.Parts(conditions, rootio.Names(carried.fields), 0) {
		if err != nil {
			return err
		}
		asked, passed, err := g.asked(chunk, g.model.Card.View.Where)
		if err != nil {
			return fmt.Errorf("%s: %w", source(g.Inputs, in.Name()), err)
		}
		entries := make([]uint64, len(asked))
		for i, row := range asked {
			entries[i] = uint64(chunk.First) + uint64(row)
		}
		admitted, err := g.admit(chunk.All.Take(asked), entries)
		if err != nil {
			return fmt.Errorf("%s: %w", source(g.Inputs, in.Name()), err)
		}
		size := chunk.All.Len()
		for lo, all := 0, admitted.Len()*g.Oversample; lo < all; lo += size {
			n := min(size, all-lo)
			rows, places := make([]int, n), make([]int, n) // of those admitted, of the chunk of the input
			numbers, events, isKnown := make([]uint64, n), make([]int64, n), make([]bool, n)
			for i := range n {
				rows[i] = (lo + i) / g.Oversample
				places[i] = asked[admitted.Rows[rows[i]]]
				isKnown[i] = admitted.Known[rows[i]] && passed[places[i]]
				events[i] = chunk.First + int64(places[i])
				numbers[i] = uint64(events[i])*uint64(g.Oversample) + uint64((lo+i)%g.Oversample)
			}
			drawn := rootio.NewTable(generated, n)
			tails, err := g.model.GenerateRows(g.ctx, drawn, admitted.Take(rows), g.result.Seed, numbers)
			if err != nil {
				return fmt.Errorf("%s: %w", source(g.Inputs, in.Name()), err)
			}
			part := chunk.Events.Take(places)
			for _, c := range drawn.Columns {
				if isDrawn(c.Name) {
					part.Columns = append(part.Columns, c)
				}
			}
			part.Columns = append(part.Columns, rootio.ColumnOf(known, isKnown))
			if g.Oversample > 1 {
				part.Columns = append(part.Columns, rootio.ColumnOf(fields[len(fields)-1].Name, events))
			}
			if err := g.write(w, part, tails, in.Len()*int64(g.Oversample)); err != nil {
				return err
			}
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	carried.say(g.Progress)
	if g.result.Foreign > 0 {
		what := fmt.Sprintf("branch %s is false for them", known)
		if g.Outside == features.Skip {
			what = "they were left out"
		}
		g.logf("note: %d of the %d events of the input do not pass %q: the model was trained on none like them; %s", g.result.Foreign, in.Len(), g.model.Card.View.Where, what)
	}
	g.logStrays(g.strays, known)
	if index := fields[len(fields)-1].Name; g.Oversample > 1 && index != eventIndex {
		g.logf("the events have an %s already: the event of the input is in %s", eventIndex, index)
	}
	return nil
}

// asked returns the rows of a part that are to be drawn for, and for all rows whether they
// pass the selection of the training. Those that do not are outside of what was learnt.
func (g *generation) asked(part *rootio.Part, where string) (rows []int, passed []bool, err error) {
	n := part.All.Len()
	passed = make([]bool, n)
	for _, i := range part.Passed {
		passed[i] = true
	}
	g.result.Foreign += int64(n - len(part.Passed))
	switch first := slices.Index(passed, false); {
	case first < 0 || g.Outside != features.Refuse && g.Outside != features.Skip:
		return upTo(n), passed, nil
	case g.Outside == features.Refuse:
		return nil, nil, fmt.Errorf("%w: entry %d does not pass %q; --outside skip leaves such events out", features.ErrOutside, part.First+int64(first), where)
	}
	return part.Passed, passed, nil
}

// ofCondition returns the view of the input that has the columns of the condition and
// tells which events pass the selection of the training.
func (g *generation) ofCondition(in *rootio.Tree) (*rootio.View, error) {
	options, conditions := g.model.Card.View, g.model.Context.Names()
	view, err := viewFor(in, options, conditions, g.Progress)
	if err == nil || options.Where == "" {
		return view, err
	}
	cannot := err
	options.Where = ""
	if view, err = viewFor(in, options, conditions, Progress{}); err == nil {
		g.logf("note: the model was trained on events with %q, which the input cannot tell: %v", g.model.Card.View.Where, cannot)
	}
	return view, err
}

// admit returns the rows that can be drawn for; entries are their numbers in the input.
func (g *generation) admit(given *rootio.Table, entries []uint64) (features.Admitted, error) {
	a, err := g.model.Context.Admit(given, g.Outside, entries)
	g.strays.Add(a.Strays)
	return a, err
}

// logStrays says which conditions the training events did not have; known is the branch that
// tells.
func (p Progress) logStrays(strays features.Strays, known string) {
	if strays.Outside > 0 {
		p.logf("note: %v; branch %s is false where the condition was none of theirs", strays, known)
	}
}
