package features

// Map is one of the maps between branches and coordinates: the one that is not nil.
type Map struct {
	Sum       *Sum       `json:"sum,omitempty"`
	Lookup    *Lookup    `json:"lookup,omitempty"`
	System    *System    `json:"system,omitempty"`
	Mass      *Mass      `json:"mass,omitempty"`
	Direction *Direction `json:"direction,omitempty"`
	Polar     *Polar     `json:"polar,omitempty"`
	Rounded   *Rounded   `json:"rounded,omitempty"`
	Precision *Precision `json:"precision,omitempty"`
	Residual  *Residual  `json:"residual,omitempty"`
	Relative  *Relative  `json:"relative,omitempty"`
	Near      *Near      `json:"near,omitempty"`
}

// mapping is a map of variables that is undone exactly.
type mapping interface {
	// variables returns the names of those that are read and stay, of those that
	// are taken, and of those that are made in their place.
	variables() (read, taken, made []string)
	// forward replaces the variables of a frame and adds log|∂made/∂taken| to
	// logDet, unless that is nil. uniform fills a slice with deviates.
	forward(f *frame, logDet []float64, uniform func([]float64))
	// inverse undoes forward.
	inverse(f *frame)
	// isNoisy reports whether forward depends on deviates.
	isNoisy() bool
	// isSound reports whether a map that was read from a file makes sense. Nothing else
	// may be asked of one that does not.
	isSound() bool
}

// mapping returns the map that m is; nil if it is none.
func (m *Map) mapping() mapping {
	switch {
	case m.Sum != nil:
		return m.Sum
	case m.Lookup != nil:
		return m.Lookup
	case m.Direction != nil:
		return m.Direction
	case m.Polar != nil:
		return m.Polar
	case m.System != nil:
		return m.System
	case m.Mass != nil:
		return m.Mass
	case m.Rounded != nil:
		return m.Rounded
	case m.Precision != nil:
		return m.Precision
	case m.Residual != nil:
		return m.Residual
	case m.Relative != nil:
		return m.Relative
	case m.Near != nil:
		return m.Near
	}
	return nil
}

// frame holds variables of some events by name.
type frame struct {
	n      int
	values map[string][]float64
	spare  [][]float64 // memory to use again
}

// Names of variables for intermediate values.
const (
	scratch  = ""
	scratch2 = "\x00"
)

// reset forgets all variables. From now on they are of n events.
func (f *frame) reset(n int) {
	if f.values == nil {
		f.values = map[string][]float64{}
	}
	for name := range f.values {
		f.take(name)
	}
	f.n = n
}

// at returns a variable.
func (f *frame) at(name string) []float64 { return f.values[name] }

// add returns a variable that is made if there is none. Its values are not zeroed.
func (f *frame) add(name string) []float64 {
	if x, ok := f.values[name]; ok {
		return x
	}
	var x []float64
	if last := len(f.spare) - 1; last >= 0 && cap(f.spare[last]) >= f.n {
		x, f.spare = f.spare[last][:f.n], f.spare[:last]
	} else {
		x = make([]float64, f.n)
	}
	f.values[name] = x
	return x
}

// take returns a variable and forgets it. Its values stay until the next is added.
func (f *frame) take(name string) []float64 {
	x := f.values[name]
	delete(f.values, name)
	f.spare = append(f.spare, x)
	return x
}
