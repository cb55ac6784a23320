package surrogate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// effort says how much is spent on a training. Budgets are numbers of passes, trials and trees: without a time limit the same seed gives
// the same model to the bit.
type effort struct {
	name   string
	passes float64 // over the events in a training, in units of the default
	trials float64 // passes of a trial, likewise
	width  float64 // of networks, likewise, where the sample is large enough for the default

	// Coordinates: the changes that are tried one by one; the rounds in which others are tried beside the best one; and how many in each.
	changes, rounds, inRound int

	trees int // of a fold of the refinement, at most
	most  int // events that the refinement learns from, and of the model, at most
}

// efforts returns what can be asked for; the second is the default.
func efforts() []effort {
	return []effort{
		{name: "quick", passes: 0.1, trials: 0.1, width: 1, changes: 3, rounds: 1, inRound: 1, trees: 50, most: 20_000},
		{name: "normal", passes: 1, trials: 1, width: 1, changes: 10, rounds: 3, inRound: 3, trees: 150, most: 100_000},
		{name: "thorough", passes: 3, trials: 2, width: 1.5, changes: 30, rounds: 6, inRound: 6, trees: 400, most: 200_000},
	}
}

// Efforts returns what can be asked of [Options.Effort].
func Efforts() (names []string) {
	for _, e := range efforts() {
		names = append(names, e.name)
	}
	return names
}

// effort returns what was asked for.
func (o Options) effort() effort {
	all := efforts()
	return all[max(slices.IndexFunc(all, func(e effort) bool { return e.name == cmp.Or(o.Effort, "normal") }), 0)]
}

// checkEffort says whether there is no effort of that name.
func (o Options) checkEffort() error {
	if all := Efforts(); o.Effort != "" && !slices.Contains(all, o.Effort) {
		return fmt.Errorf("effort cannot be %q, but %s", o.Effort, strings.Join(all, ", "))
	}
	return nil
}
