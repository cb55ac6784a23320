package column

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/eidolon-hep/eidolon/rootio"
)

// This file is about branches that say which event it is, and when it was taken: numbers of
// events, runs and luminosity blocks. They are not learnt, for they are no physics, and new
// events are no events of these runs.

// names of such branches, in lower case without “_”, after the last dot.
var (
	namesOfEvents = []string{"event", "evt", "eventno", "evtno", "eventnum", "evtnum", "eventid", "evtid", "eventindex", "ievent", "ievt", "entry", "jentry", "entrynumber"}
	namesOfRuns   = []string{"run", "runno", "runnum", "runid", "irun", "lumi", "ls", "lbn"}
	endsOfEvents  = []string{"eventnumber", "evtnumber"}
	endsOfRuns    = []string{"runnumber", "luminosityblock", "lumiblock", "lumisection"}
)

// Number columns say which event it is, or of which run. They are kept out of the model: new events
// are numbered.
var Number = Kind{number{}}

type number struct{ unlearnt }

func (number) name() string { return "number" }

// is leaves it to [NumberOf], which is asked first of the columns of a file: what numbers the events of
// one may be anything in a condition.
func (number) is(*Data) bool { return false }

func (number) find(c *Column, d *Data) *Sample {
	*c, _ = NumberOf(d.Field, d.Values)
	return nil
}

func (number) close(c *Column, _ float64) float64 { return c.First }

func (number) isSound(c *Column) bool {
	return !math.IsInf(c.First, 0) && !math.IsNaN(c.First) && (c.Step == 0 || c.Step == 1)
}

func (number) describe(c *Column) string {
	if c.Step == 0 {
		return fmt.Sprintf("number of a run or part of it, not learnt: %.17g in new events", c.First)
	}
	return "number of the event, not learnt: 1, 2, 3, … in new events"
}

// NumberOf returns the facts about a branch whose values x number events, or blocks of them; ok is
// false where they do not. Both the name and the values must say so, or it is integers that always
// increase.
func NumberOf(field rootio.Field, x []float64) (c Column, ok bool) {
	if len(x) == 0 {
		return c, false
	}
	for _, v := range x {
		if !(v >= 0 && v == math.Trunc(v)) || math.IsInf(v, 0) {
			return c, false
		}
	}
	name := strings.ToLower(field.Name)
	name = strings.ReplaceAll(name[strings.LastIndex(name, ".")+1:], "_", "")
	is := func(names, ends []string) bool {
		return slices.Contains(names, name) || slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(name, end) })
	}
	c = Column{Field: field, As: Number, Min: slices.Min(x), Max: slices.Max(x)}
	switch {
	case c.Min == c.Max: // constant, whatever it is called
	case is(namesOfEvents, endsOfEvents) && mostlyDiffer(x), field.Kind.IsInteger() && increase(x):
		c.First, c.Step = 1, 1
		return c, true
	case is(namesOfRuns, endsOfRuns):
		c.First, ok = comeInBlocks(x)
		return c, ok
	}
	return c, false
}

// NumbersOf returns the facts about the columns of t that number events, runs or parts of them.
func NumbersOf(t *rootio.Table) (numbers []Column) {
	x := make([]float64, t.Len())
	for _, col := range t.Columns {
		col.Floats(x, 0)
		if c, ok := NumberOf(col.Field, x); ok {
			numbers = append(numbers, c)
		}
	}
	return numbers
}

// mostlyDiffer reports whether half of the values or more are different ones.
func mostlyDiffer(x []float64) bool {
	sorted := slices.Clone(x)
	slices.Sort(sorted)
	return 2*len(slices.Compact(sorted)) >= len(x)
}

// increase reports whether each of the values is larger than the one before. By chance one
// sample in 20! does.
func increase(x []float64) bool { return len(x) >= 20 && Ascend(x) }

// comeInBlocks reports whether equal values follow each other, by far more often than in any
// order, or are so many that they are no codes. It returns the most frequent one.
func comeInBlocks(x []float64) (often float64, ok bool) {
	const codes = 32
	s := NewSample(x, nil)
	most, together := 0, 0.0 // the chance that neighbours are equal
	for i, k := range s.Counts {
		if k > most {
			most, often = k, s.Values[i]
		}
		part := float64(k) / float64(len(x))
		together += part * part
	}
	changes := 0
	for k := 1; k < len(x); k++ {
		if x[k] != x[k-1] {
			changes++
		}
	}
	return often, len(s.Values) > codes || 2*float64(changes) <= float64(len(x))*(1-together)
}
