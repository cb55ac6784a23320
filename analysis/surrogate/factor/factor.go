// Package factor has the kinds of factors that the density of an event is a product of,
//
//	p(x) = Π p(xₖ | x₍<k₎, c)
//
// A factor is the density of some of the features of an event, given those that were drawn
// before it. Each kind of factor is one file and one row of the table [Kinds]: its name, the
// settings that it has a use for, how it is made and loaded. The chain in package surrogate
// puts factors in a row.
package factor

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/training"
)

// Factor is the density p(x | c) of a part of an event, rows x of Dim numbers, given what was drawn
// before, rows c of Context numbers. All matrices are row-major; rows are independent of each other.
type Factor interface {
	Dim() int
	Context() int
	// Sample draws the events of the given numbers, one for each row of x. An event depends on
	// (seed, attempt, number) and its context alone; another attempt is another event. The
	// error is that of ctx.
	Sample(ctx context.Context, x, c []float32, seed, attempt uint64, numbers []uint64) error
	// LogDensity stores log p(x|c) of each row of x in dst. The error is that of ctx.
	LogDensity(ctx context.Context, dst []float64, x, c []float32) error
	// Train fits the density to the rows of train.
	Train(ctx context.Context, train, valid training.Data, opts training.Options) (training.History, error)
	// Tensors returns the parameters, and MarshalJSON what they are the parameters of.
	Tensors() []training.Tensor
	json.Marshaler
	fmt.Stringer
	// Kind is the name of the factor's row of [Kinds].
	Kind() string
	// Cut says which part of the features is the factor's own. It is nil for a factor that takes
	// all features, as they are: the last of a chain.
	Cut() Cut
}

// Cut parts features into the own part of a factor and the rest, which is for the factors
// after it.
type Cut interface {
	// Own returns the places of the features that the own part is made of, in its order.
	Own() []int
	// Rest returns what the factors after this one need to know of the features that are left.
	Rest(of Features) Features
	// Left is the number of these features, and Told the number of features that the factors
	// after this one get in their context, to know the own part of this one.
	Left() int
	Told() int
	// Split parts rows x, stores the own part and the rest, and adds the logarithm of the
	// density of x relative to p(own) p(rest | own) to logDet, unless that is nil.
	Split(own, rest []float32, logDet []float64, x []float32)
	// Join is the inverse of Split.
	Join(x, own, rest []float32)
	// Tell stores in told what the factors after this one get of one row of the own part.
	Tell(told, own []float32)
}

// Some factors can do more. The chain asks for it by these interfaces.
type (
	// Clamper counts the values that had to be corrected for rounding since it was made.
	Clamper interface{ Clamped() int64 }
	// Copier finds the share of events that are copies of training events, which it holds.
	Copier interface {
		Copies(ctx context.Context, x, c []float32) (float64, error)
	}
	// KernelSums are over training events: of a width, and at each time of a path over so many
	// of them, effectively.
	KernelSums interface {
		Width() float64
		Effective(ctx context.Context, paths int, seed uint64) ([]diffusion.Effective, error)
	}
	// PathSolver draws by solving an equation: how, and by which way else.
	PathSolver interface {
		Solver() diffusion.Solver
		SetSolver(s diffusion.Solver) error
	}
	// DensitySolver integrates its log-density along the path of an equation.
	DensitySolver interface {
		DensitySolver() diffusion.Solver
		SetDensitySolver(s diffusion.Solver) error
	}
	// Director returns the factor that draws from its density directly.
	Director interface{ Direct() Factor }
	// Mixable is a factor that can be trained along with those of other parts of a mixture. Start
	// looks at the rows before, and Update takes over the parameters after it.
	Mixable interface {
		Objective() training.Density
		Start(ctx context.Context, data training.Data, seed uint64)
		Update()
	}
	// Folded is a factor that has judged each row that it was trained with by densities that have not learnt from it. OutOfFold
	// returns what they said: the log-densities of the rows of train, and then of valid.
	Folded interface{ OutOfFold() []float64 }
	// Learner returns the factor that it has learnt from.
	Learner interface{ Teacher() Factor }
	// Remarker says in a line what else there is to know of what was learnt.
	Remarker interface{ Remark() string }
	// Mapper returns the map between the events and their base distribution.
	Mapper interface{ Map() Map }
	// Whole is a factor of whole numbers from 0 on. No smooth map leads to them: a map of whole events
	// carries them as they are. Values are how many there can be, for each feature of the own part.
	Whole interface{ Values() []int }
	// Singular says why there is no log-density, nothing where there is one.
	Singular interface{ NoDensity() string }
)

// Map is y = f(x, c), which takes the own part x of events to y, of a base distribution that is
// known: log p(x|c) = log q(y) + log|det J|, J = ∂y/∂x. It is a composition of layers. The errors are those of
// ctx, or say why there is no map in that direction.
type Map interface {
	// Layers are the names of the layers, from the events to the base.
	Layers() []string
	// Forward stores f(x, c) of each row in y (n×Dim), which may be x, and adds log|det J_i| of
	// each layer to its slice of logDet (n each), unless that is nil.
	Forward(ctx context.Context, y []float32, logDet [][]float64, x, c []float32) error
	// Inverse stores f⁻¹(y, c) of each row in x, which may be y.
	Inverse(ctx context.Context, x, y, c []float32) error
	// LogBase stores log q(y) of each row in dst.
	LogBase(dst []float64, y []float32)
	// Noise draws y of the events of the given numbers: Inverse makes of it what Sample draws.
	Noise(y []float32, seed, attempt uint64, numbers []uint64)
}

// Path is a [Map] by an equation in time: see [diffusion.Model].
type Path interface {
	Path(ctx context.Context, at [][]float32, y, c []float32, times []float64) error
}

// The streams of a seed that the factors of this package draw from. Those of the models behind them, in packages flows and
// diffusion, are 1<<55 to 1<<59.
const (
	streamCodes       = 1 << 57 // with the width of the context, which differs between the factors of codes
	streamCounts      = 1 << 60 // with the attempt, and the width of the context, which differs between the columns of counts
	streamAngle       = 1 << 61
	streamIndependent = 1<<61 + 1
	streamMember      = 1 << 62 // with the attempt: which member of an ensemble draws an event
)

// Features are what factors need to know of the features that come to them.
type Features struct {
	Dim         int
	Names       []string            // of the columns that they are made of
	Discrete    []features.Discrete // those of a few values
	Counts      []features.Counted  // those of columns of counts
	Angle       int                 // the feature that is linear in an angle, −1 where there is none
	Independent []int               // those that are standard normals whatever the others are
}

// Of returns what factors need to know of the features of a specification.
func Of(spec *features.Spec) Features {
	angle, ok := spec.Angle()
	if !ok {
		angle = -1
	}
	of := Features{spec.Dim(), spec.Learnt(), spec.Discrete(), spec.Counted(), angle, nil}
	if j := spec.Independent(); j >= 0 {
		of.Independent = []int{j}
	}
	return of
}

// Keep returns those features of f that are handed on, whose places are ascending.
func (f Features) Keep(places []int) Features {
	kept := Features{Dim: len(places), Angle: slices.Index(places, f.Angle)}
	for _, j := range places {
		if f.Names != nil {
			kept.Names = append(kept.Names, f.Names[j])
		}
	}
	for _, j := range f.Independent {
		if j = slices.Index(places, j); j >= 0 {
			kept.Independent = append(kept.Independent, j)
		}
	}
	for _, d := range f.Discrete {
		if d.Feature = slices.Index(places, d.Feature); d.Feature >= 0 {
			kept.Discrete = append(kept.Discrete, d)
		}
	}
	for _, c := range f.Counts {
		if c.Feature = slices.Index(places, c.Feature); c.Feature >= 0 {
			kept.Counts = append(kept.Counts, c)
		}
	}
	return kept
}

// without returns all features but the one in a place.
func (f Features) without(place int) Features {
	kept := make([]int, 0, f.Dim-1)
	for j := range f.Dim {
		if j != place {
			kept = append(kept, j)
		}
	}
	return f.Keep(kept)
}

// takeOut copies a row to rest without the feature in a place, and returns that.
func takeOut(rest, row []float32, place int) float32 {
	copy(rest, row[:place])
	copy(rest[place:], row[place+1:])
	return row[place]
}

// putIn is the inverse of takeOut.
func putIn(row, rest []float32, place int, v float32) {
	copy(row, rest[:place])
	row[place] = v
	copy(row[place+1:], rest[place:])
}

// Events are what a factor looks at before it is made: their features, and what is known of
// these.
type Events struct {
	Features
	Context int              // the number of features of the context
	N       int              // the number of events
	Rows    func() []float32 // N×Dim
	Weights []float64        // nil: 1 each
}

// weight returns that of event i.
func (e Events) weight(i int) float64 {
	if e.Weights == nil {
		return 1
	}
	return e.Weights[i]
}
