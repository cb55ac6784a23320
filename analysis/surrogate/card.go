package surrogate

import (
	"errors"
	"fmt"
	"math"

	"github.com/eidolon-hep/eidolon/analysis/rows"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// Card says where a surrogate came from.
type Card struct {
	Version string           `json:"version,omitempty"` // of the program
	Command string           `json:"command,omitempty"` // that trained it
	Inputs  []string         `json:"inputs,omitempty"`  // the names of the files
	Tree    string           `json:"tree,omitempty"`
	Weight  string           `json:"weight,omitempty"`  // the branch of weights
	Events  int              `json:"events"`            // rows that were trained on and validated
	Weights *rows.Weights    `json:"weights,omitempty"` // what they are, if there are any
	Options Options          `json:"options"`           // what was asked for
	Plan    Plan             `json:"plan"`              // what was decided
	History training.History `json:"history"`

	// Different is the number of events without those that are copies of others
	// ([rows.Copies]), and HeldOut that of the events that validated, none (0) where there
	// are so few that the validation loss is that of the training events.
	Different int `json:"different,omitempty"`
	HeldOut   int `json:"held_out,omitempty"`

	// Copies is the share of generated events that are copies of training events
	// ([diffusion.Copies]), for models that might make them.
	Copies *float64 `json:"copies,omitempty"`

	// View says which rows of the tree these are and which columns are computed.
	View rootio.ViewOptions `json:"view,omitzero"`

	// Collection is what the rows are objects of, nil if they are events, and
	// Multiplicity the fraction of events with 0, 1, 2, … of them.
	Collection   *rootio.Collection `json:"collection,omitempty"`
	Multiplicity []float64          `json:"multiplicity,omitempty"`
}

// check reports whether a card that was read from a file makes sense.
func (c *Card) check() error {
	const most, near = 1 << 16, 1e-6
	sum := 0.0
	for _, p := range c.Multiplicity {
		if !(p >= 0) {
			return fmt.Errorf("surrogate: the fraction of events with some number of objects is %g", p)
		}
		sum += p
	}
	if n := len(c.Multiplicity); n > most || n > 0 && !(math.Abs(sum-1) < near) {
		return errors.New("surrogate: the numbers of objects are damaged")
	}
	if c.HeldOut < 0 || c.HeldOut > c.Events || c.Different < 0 || c.Different > c.Events || c.Collection != nil && len(c.Multiplicity) == 0 {
		return errors.New("surrogate: the card is damaged")
	}
	return c.Plan.check()
}

// Learnt returns the number of events that were trained on.
func (c Card) Learnt() int { return c.Events - c.HeldOut }
