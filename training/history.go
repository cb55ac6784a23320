package training

import "time"

// Status says how far a training has come.
type Status struct {
	Step, Steps     int           // steps done, steps planned
	Epoch           int           // passes over the events begun
	Elapsed         time.Duration // since the start
	Remaining       time.Duration // estimated, until the end of the phase
	EventsPerSecond float64       // since the start
	Validated       bool          // whether the losses are from just now
	Train, Valid    float64       // mean loss since the validation before this step, and of the last validation
	Best            float64       // the lowest validation loss so far
	Rate            float64       // learning rate
	Rollbacks       int           // times that the loss was not finite
}

// Point is a line of the history of a training: what a validation found.
type Point struct {
	Step            int     `json:"step"`
	Train           float64 `json:"train"` // mean loss of the steps since the validation before
	Valid           float64 `json:"valid"` // mean loss of the validation rows
	Rate            float64 `json:"rate"`  // learning rate
	EventsPerSecond float64 `json:"events_per_second"`
	// RoundTrip and WorstRoundTrip are the mean and the largest |f⁻¹(f(x)) − x| of
	// validation events, in units of model space, where the model is a flow.
	RoundTrip      float64 `json:"round_trip,omitempty"`
	WorstRoundTrip float64 `json:"worst_round_trip,omitempty"`
}

// History tells of a training afterwards.
type History struct {
	Points    []Point `json:"points"`
	Epochs    int     `json:"epochs"`              // planned passes over the events
	Batch     int     `json:"batch"`               // events per step
	Best      float64 `json:"best"`                // the lowest validation loss
	BestStep  int     `json:"best_step"`           // where it was found; 0: none was better than that at the start
	Stopped   string  `json:"stopped"`             // why the training ended
	Rollbacks int     `json:"rollbacks,omitempty"` // times that the loss was not finite
}

// OutOfTime is the Stopped of a training for which there was not the time for all of its
// steps.
const OutOfTime = "time is over"

// Kept returns the point of the history at which the best parameters were found,
// and false where none were better than those at the start.
func (h History) Kept() (Point, bool) {
	for _, p := range h.Points {
		if p.Step == h.BestStep {
			return p, true
		}
	}
	return Point{}, false
}
