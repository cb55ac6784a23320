package diffusion

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/training"
)

// Choice says which of two teachers a [Distilled] has learnt from, and why.
type Choice struct {
	// Kernels says that it is kernel sums. Otherwise it is a denoiser.
	Kernels bool `json:"kernels"`
	// Gain is how much larger the mean log-density of held-out events is under kernel sums
	// than under the denoiser, in nats, and Error its statistical error. Events is the number
	// of these events: 0 where nothing was compared, and it is the denoiser.
	Gain   float64 `json:"gain"`
	Error  float64 `json:"error"`
	Events int     `json:"events"`
	// Copies is the share of copies of training events that kernel sums draw ([Kernels.Copies]).
	Copies float64 `json:"copies"`
	// Reason says why nothing was compared; empty where something was.
	Reason string `json:"reason,omitempty"`
}

// String is a line, such as “a denoiser, under which 2048 held-out events are more likely than
// under kernel sums, by 0.052 ± 0.004 nats”.
func (c Choice) String() string {
	these, others, gain := "a denoiser", "kernel sums", -c.Gain
	if c.Kernels {
		these, others, gain = others, these, c.Gain
	}
	switch {
	case c.Events == 0:
		return "a denoiser: " + c.Reason
	case !c.Kernels && c.Gain > 0:
		return fmt.Sprintf("a denoiser: held-out events are more likely under kernel sums, by %.3f ± %.3f nats, but %.1f %% of the events of these are copies of training events", c.Gain, c.Error, 100*c.Copies)
	}
	return fmt.Sprintf("%s, under which %d held-out events are more likely than under %s, by %.3f ± %.3f nats", these, c.Events, others, gain, c.Error)
}

// either is the teacher that is chosen by the log-density of held-out events: kernel sums or a
// denoiser. It is the denoiser until it is trained. Kernel sums need no training and are good where
// there are many events for few features; a network generalises.
type either struct {
	Teacher
	kernels  *Kernels
	denoiser *Denoiser
	choice   Choice
}

// NewEither returns a teacher that is kernel sums or a denoiser, both without a condition:
// training chooses the one under which held-out events have the larger mean log-density, and
// kernel sums only if their events are no copies of training events.
func NewEither(k *Kernels, d *Denoiser) (Teacher, error) {
	if k.dim != d.dim || k.context != 0 || d.context != 0 {
		return nil, fmt.Errorf("diffusion: no choice between kernel sums of %d features and a denoiser of %d, with %d and %d context features", k.dim, d.dim, k.context, d.context)
	}
	return &either{Teacher: d, kernels: k, denoiser: d}, nil
}

// Kernel sums are tried for so many training events: with more they are slow, and a network has
// enough to learn from.
const fewestKernelEvents, mostKernelEvents = 100, 50_000

// Train trains the denoiser and chooses.
func (e *either) Train(ctx context.Context, train, valid training.Data, opts training.Options) (training.History, error) {
	h, err := e.denoiser.Train(ctx, train, valid, opts)
	if err != nil {
		return h, err
	}
	return h, e.choose(ctx, train, valid)
}

func (e *either) trained() []float32 { return e.denoiser.trained() }

func (e *either) adopt(ctx context.Context, train, valid training.Data, seed uint64) error {
	if err := e.denoiser.adopt(ctx, train, valid, seed); err != nil {
		return err
	}
	return e.choose(ctx, train, valid)
}

// choose chooses by the rows of valid.
func (e *either) choose(ctx context.Context, train, valid training.Data) error {
	const most = 1 << 11 // events that are compared, and that are looked at for copies
	n := min(valid.Len(), most)
	if e.choice.Reason = e.refuses(train); n == 0 {
		e.choice.Reason = "no event is held out that kernel sums could be judged by"
	}
	if e.choice.Reason != "" {
		return nil
	}
	if _, err := e.kernels.Train(ctx, train, training.Data{}, training.Options{}); err != nil {
		return err
	}
	if e.kernels.Width() == 0 {
		e.choice.Reason = "kernel sums of the events have the width 0"
		return nil
	}
	x := valid.X[:n*e.kernels.dim]
	gain, network, w := make([]float64, n), make([]float64, n), make([]float64, n)
	if err := e.kernels.LogDensity(ctx, gain, x, nil); err != nil {
		return err
	}
	if err := e.denoiser.LogDensity(ctx, network, x, nil); err != nil {
		return err
	}
	for i := range gain {
		gain[i] -= network[i]
		w[i] = valid.Weight(i)
	}
	floats.Scale(float64(n)/floats.Sum(w), w)
	mean, std := stat.MeanStdDev(gain, w)
	events := make([]float32, most*e.kernels.dim)
	if err := e.kernels.Direct().Sample(ctx, events, nil, e.denoiser.seed, 0, 0); err != nil {
		return err
	}
	copies, err := e.kernels.Copies(ctx, events, nil)
	if err != nil {
		return err
	}
	const mostCopies = 0.03 // 0.01 is expected of events that are none
	sigma := stat.StdErr(std, float64(n))
	if math.IsNaN(sigma) || math.IsInf(sigma, 0) { // an event that is impossible for one of them, or weights of both signs
		e.choice.Reason = "held-out events have no finite log-density under kernel sums or the denoiser"
		return nil
	}
	e.choice = Choice{Kernels: mean > 0 && copies <= mostCopies, Gain: mean, Error: sigma, Events: n, Copies: copies}
	if e.choice.Kernels {
		e.Teacher = e.kernels
	}
	return nil
}

// refuses says why kernel sums are not tried for the rows of a training; it is empty where they are.
func (e *either) refuses(train training.Data) string {
	n := train.Len()
	switch {
	case e.kernels.dim > FewFeatures:
		return fmt.Sprintf("kernel sums are tried for up to %d features, and there are %d", FewFeatures, e.kernels.dim)
	case n < fewestKernelEvents || n > mostKernelEvents:
		return fmt.Sprintf("kernel sums are tried for %d to %d training events, and there are %d", fewestKernelEvents, mostKernelEvents, n)
	}
	for i := range n {
		if train.Weight(i) < 0 {
			return "kernel sums are not tried with negative weights"
		}
	}
	return ""
}

func (e *either) String() string { return "a denoiser or kernel sums" }
