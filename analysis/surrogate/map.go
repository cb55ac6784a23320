package surrogate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/rootio"
)

// A surrogate is a map y = f(x) of events x to y, which have a known density q, the base
// distribution:
//
//	log p(x) = log q(y) + log|det J|,  J = ∂y/∂x
//
// f is a composition of layers: the steps, the treatments of the columns, and what the factors of
// the chain do. Of codes and counts, which no smooth map leads to, y has the number itself, and
// log q(y) its log-probability. Of other whole numbers, and of rounded ones, y has the deviate that
// makes them continuous in it, so that they come back exactly.

// BaseColumn is a column of y.
type BaseColumn struct {
	// Name is the name of the feature in whose place it is, such as mass. A flow mixes its
	// features: then it is only a place.
	Name string
	// Values is how many values there can be, 0, 1, …, of a number that is carried as it is. It
	// is 0 for a real number.
	Values int
}

// Base returns the columns of y, in the order in which the factors are drawn.
func (s *Surrogate) Base() (columns []BaseColumn) {
	of := factor.Of(&s.Parts[0].Features)
	for _, f := range s.Parts[0].Chain.Factors {
		own, cut := upTo(of.Dim), f.Cut()
		if cut != nil {
			own = cut.Own()
		}
		for j, k := range own {
			c := BaseColumn{Name: of.Names[k]}
			if w, ok := f.(factor.Whole); ok {
				c.Values = w.Values()[j]
			}
			columns = append(columns, c)
		}
		if cut != nil {
			of = cut.Rest(of)
		}
	}
	return columns
}

// upTo returns 0, 1, …, n−1.
func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// Layers returns the names of the layers of the map, from the events to y.
func (s *Surrogate) Layers() []string {
	names := []string{"steps", "treatments"}
	for _, f := range s.Parts[0].Chain.Factors {
		names = append(names, layersOf(f)...)
	}
	return names
}

// CheckMap returns an error if the model is no map: a mixture has several, one for each of its parts, and so has an
// ensemble, for each of its members.
func (s *Surrogate) CheckMap() error {
	if n := len(s.Parts); n > 1 {
		return fmt.Errorf("surrogate: the model is a mixture of %d parts in different coordinates, which is no map between events and noise: train one part with --coordinates best", n)
	}
	for _, f := range s.Parts[0].Chain.Factors {
		_, isMap := f.(factor.Mapper)
		_, isWhole := f.(factor.Whole)
		if !isMap && !isWhole {
			return fmt.Errorf("surrogate: the model is %s, which is no map between events and noise: train one with --model autoregressive, or another one", f.Kind())
		}
	}
	return nil
}

// layersOf returns the names of the layers of a factor. What its cut does counts to the first.
func layersOf(f factor.Factor) []string {
	if m, ok := f.(factor.Mapper); ok {
		return m.Map().Layers()
	}
	return []string{f.Kind()}
}

// Image is what [Surrogate.Forward] makes of n events.
type Image struct {
	Y       []float32 // n rows of the columns of [Surrogate.Base]
	LogBase []float64 // log q(y); with a condition, given that
	LogDet  []float64 // log|det J|, per unit of each branch: the sum of
	Layers  [][]float64
}

// Forward maps the events of t to y, given the columns of the condition. Layers are the log|det J_i| of
// [Surrogate.Layers]. LogBase + LogDet is what [Surrogate.LogDensity] stores for the same events and the same
// first, to rounding; for kernel sums, whose density is known in closed form, to the accuracy of the solver. An event
// that the model cannot have, or for which a network overflows, has NaN everywhere. A ratio ([Surrogate.Refine]) is no part of the map. That there
// is no such map is an error, for a model whose events are copies of training events. Forward of a
// one-step map is that of its teacher.
func (s *Surrogate) Forward(ctx context.Context, t *rootio.Table, first uint64) (*Image, error) {
	if err := s.CheckMap(); err != nil {
		return nil, err
	}
	if reason := s.noDensity(); reason != "" {
		return nil, fmt.Errorf("surrogate: there is no map from events to noise: %s", reason)
	}
	n, layers := t.Len(), s.Layers()
	admitted, err := s.Context.Admit(t, "", following(first, n))
	if err != nil {
		return nil, err
	}
	t = admitted.Table
	m := &Image{
		Y: make([]float32, n*len(s.Base())), LogBase: make([]float64, n), LogDet: make([]float64, n),
		Layers: make([][]float64, len(layers)),
	}
	for k := range layers {
		m.Layers[k] = make([]float64, n)
	}
	z, c := make([]float32, n*s.Parts[0].Chain.Dim()), make([]float32, n*s.Parts[0].Chain.Context())
	noise := features.Noise{Seed: s.Card.Options.Seed, First: first}
	if err := s.Parts[0].Features.EncodeLayers(ctx, z, m.Layers[0], m.Layers[1], t, noise); err != nil {
		return nil, err
	}
	if err := s.Context.Encode(c, t, first); err != nil {
		return nil, err
	}
	if err := s.Parts[0].Chain.forward(ctx, m, z, c); err != nil {
		return nil, err
	}
	width := len(s.Base())
	for i := range n {
		for _, ld := range m.Layers {
			m.LogDet[i] += ld[i]
		}
		if p := m.LogDet[i] + m.LogBase[i]; p-p == 0 {
			continue
		}
		nan := math.NaN()
		m.LogBase[i], m.LogDet[i] = nan, nan
		for _, ld := range m.Layers {
			ld[i] = nan
		}
		for j := range width {
			m.Y[i*width+j] = float32(nan)
		}
	}
	return m, nil
}

// SetMapSolver changes how the equation of the map is solved, in both directions: [Surrogate.SetSolver] and
// [Surrogate.SetDensitySolver], where there is one. A small tolerance brings events back exactly that are whole or rounded
// numbers.
func (s *Surrogate) SetMapSolver(o diffusion.SolverOptions) error {
	if s.DensitySolver() != nil {
		if err := s.SetDensitySolver(o); err != nil || s.Solver() == nil {
			return err
		}
	}
	return s.SetSolver(o)
}

// forward maps rows x of features, with the contexts cx, to y, and adds to the image what belongs
// to it.
func (c Chain) forward(ctx context.Context, m *Image, x, cx []float32) error {
	n, width := len(m.LogBase), c.width()
	return inPieces(n, func(lo, hi int) error {
		logDet := make([][][]float64, len(c.Factors)) // of the layers of each factor
		first := make([][]float64, len(c.Factors))
		at := len(m.Layers)
		for i, f := range slices.Backward(c.Factors) {
			k := len(layersOf(f))
			at -= k
			for _, ld := range m.Layers[at : at+k] {
				logDet[i] = append(logDet[i], ld[lo:hi])
			}
			if k > 0 {
				first[i] = logDet[i][0]
			}
		}
		views := c.split(nil, first, hi-lo, x[lo*c.dim:hi*c.dim], cx[lo*c.context:hi*c.context])
		p, column := make([]float64, hi-lo), 0
		for i, f := range c.Factors {
			y := views[i].own
			if of, ok := f.(factor.Mapper); ok {
				y = make([]float32, len(y))
				if err := of.Map().Forward(ctx, y, logDet[i], views[i].own, views[i].context); err != nil {
					return err
				}
				of.Map().LogBase(p, y)
			} else if err := f.LogDensity(ctx, p, y, views[i].context); err != nil {
				return err
			}
			for k, l := range p {
				m.LogBase[lo+k] += l
			}
			place(m.Y[lo*width:hi*width], y, column, width, f.Dim())
			column += f.Dim()
		}
		return nil
	})
}

// width returns the number of columns of y.
func (c Chain) width() int {
	n := 0
	for _, f := range c.Factors {
		n += f.Dim()
	}
	return n
}

// place copies rows of dim values to rows of width values, from a column on; take copies them back.
func place(rows, part []float32, column, width, dim int) {
	for i := range len(part) / dim {
		copy(rows[i*width+column:], part[i*dim:(i+1)*dim])
	}
}

func take(part, rows []float32, column, width, dim int) {
	for i := range len(part) / dim {
		copy(part[i*dim:(i+1)*dim], rows[i*width+column:])
	}
}

// own makes the own parts of factors, for draw, from rows y; what is to become of the last one of
// a path in time is not its business.
func (c Chain) inverseOf(ctx context.Context, y []float32) func(i int, f factor.Factor, own, cx []float32) error {
	return func(i int, f factor.Factor, own, cx []float32) error {
		column := 0
		for _, before := range c.Factors[:i] {
			column += before.Dim()
		}
		take(own, y, column, c.width(), f.Dim())
		if of, ok := f.(factor.Mapper); ok {
			return of.Map().Inverse(ctx, own, own, cx)
		}
		return nil
	}
}

// Inverse maps y, rows of the columns of [Surrogate.Base], to events, which it stores in t: it has the
// columns of [Surrogate.Fields]. Given are the conditions, as for [Surrogate.Generate], and first
// is the number of the first event, for errors and for columns that number events. A number that
// no y has is an error.
//
// It undoes Forward to rounding, where the map is solved to its accuracy, and where it is a one-step map to its
// distance from its teacher.
func (s *Surrogate) Inverse(ctx context.Context, t *rootio.Table, y []float32, given *rootio.Table, first uint64) error {
	return s.inverse(t, y, given, first, func(c Chain, x [][]float32, y, cx []float32) error {
		own, err := c.draw(len(y)/c.width(), cx, c.inverseOf(ctx, y))
		if err != nil {
			return err
		}
		c.join(x[0], own)
		return nil
	}, t)
}

// Path is Inverse that stores the events as they are at each of the times of the reverse-time equation, in
// [0, 1] and in any order, in the tables at: noise at 1, and the events of Inverse at 0. In between they are
// those of the lecture's x_t, divided by √(α² + σ²) so that they are as wide as events, and returned to the units of the branches. What
// was drawn before the equation, such as codes, is as in the event. A model that solves no equation
// is an error; the path of a one-step map is that of its teacher.
func (s *Surrogate) Path(ctx context.Context, at []*rootio.Table, y []float32, given *rootio.Table, times []float64, first uint64) error {
	if err := s.CheckPath(times); err != nil {
		return err
	}
	return s.inverse(at[0], y, given, first, func(c Chain, x [][]float32, y, cx []float32) error {
		last := len(c.Factors) - 1
		inverse := c.inverseOf(ctx, y)
		own := make([][]float32, len(times)) // of the last factor
		all, err := c.draw(len(y)/c.width(), cx, func(i int, f factor.Factor, noise, cx []float32) error {
			if i < last {
				return inverse(i, f, noise, cx)
			}
			take(noise, y, c.width()-f.Dim(), c.width(), f.Dim())
			for k := range own {
				own[k] = make([]float32, len(noise))
			}
			return f.(factor.Mapper).Map().(factor.Path).Path(ctx, own, noise, cx, times)
		})
		if err != nil {
			return err
		}
		for k := range times {
			all[last] = own[k]
			c.join(x[k], all)
		}
		return nil
	}, at...)
}

// CheckPath returns an error if the model has no path in time, or a time is none of it.
func (s *Surrogate) CheckPath(times []float64) error {
	if err := s.CheckMap(); err != nil {
		return err
	}
	m, ok := s.Parts[0].Chain.last().(factor.Mapper)
	if ok {
		_, ok = m.Map().(factor.Path)
	}
	if !ok {
		return fmt.Errorf("surrogate: a model of kind %s has no path in time: only diffusion, denoiser and (its teacher's) distilled have one", s.Parts[0].Chain.last().Kind())
	}
	if len(times) == 0 {
		return errors.New("surrogate: a path needs a time")
	}
	for _, t := range times {
		if !(t >= 0 && t <= 1) {
			return fmt.Errorf("surrogate: the time %g is none of a path, which goes from 1 (noise) to 0 (events)", t)
		}
	}
	return nil
}

// inverse stores in each of the tables what a function makes of y in features, x.
func (s *Surrogate) inverse(t *rootio.Table, y []float32, given *rootio.Table, first uint64, of func(c Chain, x [][]float32, y, cx []float32) error, tables ...*rootio.Table) error {
	if err := s.CheckMap(); err != nil {
		return err
	}
	n, dim, width := t.Len(), s.Parts[0].Chain.Dim(), s.Parts[0].Chain.width()
	if len(y) != n*width {
		panic(fmt.Sprintf("surrogate: %d values of y for %d events of %d", len(y), n, width))
	}
	if err := s.checkBase(y, first); err != nil {
		return err
	}
	numbers := following(first, n)
	on, err := s.condition(given, numbers)
	if err != nil {
		return err
	}
	x := make([][]float32, len(tables))
	for k := range x {
		x[k] = make([]float32, n*dim)
	}
	err = inPieces(n, func(lo, hi int) error {
		parts := make([][]float32, len(x))
		for k := range x {
			parts[k] = x[k][lo*dim : hi*dim]
		}
		return of(s.Parts[0].Chain, parts, y[lo*width:hi*width], on.c[lo*s.Parts[0].Chain.context:hi*s.Parts[0].Chain.context])
	})
	if err != nil {
		return err
	}
	for k, t := range tables {
		if err := s.decode(t, x[k], on.t, numbers); err != nil {
			return err
		}
	}
	return nil
}

// decode stores the events with the features z, of the given numbers, in t.
func (s *Surrogate) decode(t *rootio.Table, z []float32, given *rootio.Table, numbers []uint64) error {
	dim := s.Parts[0].Chain.Dim()
	farOut := func(i int, what string) error {
		return fmt.Errorf("surrogate: y in entry %d is too far out: %s of its event is not finite", numbers[i], what)
	}
	for k, v := range z {
		if v-v != 0 {
			return farOut(k/dim, "the feature "+s.Parts[0].Features.Learnt()[k%dim])
		}
	}
	s.Parts[0].Features.Decode(t, z, given)
	s.Parts[0].Features.Number(t, numbers)
	if s.Parts[0].Features.CheckDecoded(t) == nil {
		return nil
	}
	for i := range numbers {
		if event := t.Slice(i, i+1); s.Parts[0].Features.CheckDecoded(event) != nil {
			return farOut(i, "a branch")
		}
	}
	return nil
}

// checkBase checks that rows of y can be: numbers that are finite, and whole where they are carried.
func (s *Surrogate) checkBase(y []float32, first uint64) error {
	columns := s.Base()
	for k, v := range y {
		c, entry := columns[k%len(columns)], first+uint64(k/len(columns))
		switch {
		case v-v != 0:
			return fmt.Errorf("surrogate: y of %s is %v in entry %d", c.Name, v, entry)
		case c.Values > 0 && !(v >= 0 && v < float32(c.Values) && v == float32(math.Trunc(float64(v)))):
			return fmt.Errorf("surrogate: the code of %s is %v in entry %d: want a whole number from 0 to %d", c.Name, v, entry, c.Values-1)
		}
	}
	return nil
}

// Pairs draws the pairs (y, x) of the numbers first, first+1, … of a seed: y from the base distribution, rows of
// the columns of [Surrogate.Base], and the events x = f⁻¹(y) of t. Given are the conditions. The events are those of [Surrogate.Generate],
// but for the ones that it draws again or moves, because they are outside of the range of the training events.
func (s *Surrogate) Pairs(ctx context.Context, t *rootio.Table, y []float32, given *rootio.Table, seed, first uint64) error {
	if err := s.CheckMap(); err != nil {
		return err
	}
	numbers := following(first, t.Len())
	on, err := s.condition(given, numbers)
	if err != nil {
		return err
	}
	c := s.Parts[0].Chain
	x, width := make([]float32, t.Len()*c.dim), c.width()
	err = inPieces(t.Len(), func(lo, hi int) error {
		column := 0
		own, err := c.draw(hi-lo, on.c[lo*c.context:hi*c.context], func(_ int, f factor.Factor, own, cx []float32) error {
			from, numbers := column, numbers[lo:hi]
			column += f.Dim()
			of, ok := f.(factor.Mapper)
			if !ok {
				err := f.Sample(ctx, own, cx, seed, 0, numbers)
				place(y[lo*width:hi*width], own, from, width, f.Dim())
				return err
			}
			of.Map().Noise(own, seed, 0, numbers)
			place(y[lo*width:hi*width], own, from, width, f.Dim())
			return of.Map().Inverse(ctx, own, own, cx)
		})
		if err != nil {
			return err
		}
		c.join(x[lo*c.dim:hi*c.dim], own)
		return nil
	})
	if err != nil {
		return err
	}
	return s.decode(t, x, on.t, numbers)
}
