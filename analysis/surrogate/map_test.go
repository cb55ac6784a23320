package surrogate

import (
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate/factor"
	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

// columnOf returns the values of a column of a table.
func columnOf(t *rootio.Table, name string) []float64 {
	c, _ := t.Column(name)
	return c.Float64s()
}

// TestMap takes events through the map of every kind of model and back. log q(y) + log|det J| is the
// log-density; an event depends on itself alone; and events come back: those of flows to
// rounding, with the same whole and rounded numbers, those of an equation to the accuracy of its
// solver. A one-step map only undoes that of its teacher nearly: its way forward is the teacher's. The map of a
// refined model is that of the model before.
func TestMap(t *testing.T) {
	const n = 250
	table := coded(300).Slice(0, n)
	for name, s := range tiny(t) {
		t.Run(name, func(t *testing.T) {
			density, back := 1e-5, 1e-5 // of the log-density, and in standard deviations
			if s.Refined != nil {
				before := *s
				before.Refined = nil
				a, err := s.Forward(t.Context(), table, 7)
				must(t, err)
				b, err := before.Forward(t.Context(), table, 7)
				must(t, err)
				if !slices.Equal(a.Y, b.Y) || !slices.Equal(a.LogDet, b.LogDet) {
					t.Error("the map is not that of the model before it was refined")
				}
				s = &before
			}
			switch s.Parts[0].Chain.last().Kind() {
			case kernelSums:
				density, back = 0.05, 0.03
			case denoiser:
				back = 0.06
			case distilled:
				taught, _ := s.Teacher()
				a, err := s.Forward(t.Context(), table, 7)
				must(t, err)
				b, err := taught.Forward(t.Context(), table, 7)
				must(t, err)
				if !slices.Equal(a.Y, b.Y) || !slices.Equal(a.LogDet, b.LogDet) {
					t.Error("the way forward is not that of the teacher")
				}
				density, back = 0.05, math.Inf(1)
			}
			m, err := s.Forward(t.Context(), table, 7)
			must(t, err)
			p := make([]float64, n)
			must(t, s.LogDensity(t.Context(), p, table, 7))
			for i, l := range p {
				if d := m.LogBase[i] + m.LogDet[i] - l; !(math.Abs(d) < density) {
					t.Fatalf("event %d: log q + log|det J| = %v + %v, log p = %v", i, m.LogBase[i], m.LogDet[i], l)
				}
			}
			if len(m.Layers) != len(s.Layers()) || len(m.Y) != n*len(s.Base()) {
				t.Errorf("%d layers and %d values of y", len(m.Layers), len(m.Y))
			}
			part, err := s.Forward(t.Context(), table.Slice(100, 117), 107)
			must(t, err)
			if width := len(s.Base()); !slices.Equal(part.Y, m.Y[100*width:117*width]) || !slices.Equal(part.LogDet, m.LogDet[100:117]) {
				t.Error("an image depends on the other events")
			}
			x := rootio.NewTable(s.Fields(), n)
			must(t, s.Inverse(t.Context(), x, m.Y, table, 0))
			for _, c := range x.Columns {
				was, is := columnOf(table, c.Name), c.Float64s()
				sigma := stat.StdDev(was, nil)
				for i := range is {
					exact := c.Name == "code" || back < 1e-3 && (c.Name == "rounded" || was[i] == -1)
					if d := math.Abs(is[i] - was[i]); !(d <= back*sigma) || exact && d != 0 {
						t.Fatalf("%s of event %d is %v, comes back as %v", c.Name, i, was[i], is[i])
					}
				}
			}
			checkPairs(t, s, table)
		})
	}
}

// checkPairs checks that pairs (y, x) are what is generated, and what Inverse makes of y, and the
// path between them.
func checkPairs(t *testing.T, s *Surrogate, given *rootio.Table) {
	n, width, fields := given.Len(), len(s.Base()), s.Fields()
	x, same, generated := rootio.NewTable(fields, n), rootio.NewTable(fields, n), rootio.NewTable(fields, n)
	y, part := make([]float32, n*width), make([]float32, 9*width)
	must(t, s.Pairs(t.Context(), x, y, given, 3, 5))
	must(t, s.Inverse(t.Context(), same, y, given, 5))
	_, err := s.Generate(t.Context(), generated, given, 3, 5)
	must(t, err)
	if !equalTables(x, same) {
		t.Error("pairs are not (y, f⁻¹(y))")
	}
	differ := 0
	for i := range n {
		if !equalTables(x.Slice(i, i+1), generated.Slice(i, i+1)) {
			differ++
		}
	}
	if differ > n/2 { // which were outside of the range
		t.Errorf("%d of %d events of pairs are not generated", differ, n)
	}
	must(t, s.Pairs(t.Context(), rootio.NewTable(fields, 9), part, given.Slice(20, 29), 3, 25))
	if !slices.Equal(part, y[20*width:29*width]) {
		t.Error("pairs depend on each other")
	}
	if s.CheckPath([]float64{0}) != nil {
		return
	}
	times := []float64{0, 1, 0.4, 1e-4, 0.7}
	at, few := make([]*rootio.Table, len(times)), []*rootio.Table{rootio.NewTable(fields, 9)}
	for k := range at {
		at[k] = rootio.NewTable(fields, n)
	}
	must(t, s.Path(t.Context(), at, y, given, times, 5))
	must(t, s.Path(t.Context(), few, part, given.Slice(20, 29), []float64{0.4}, 25))
	if s.Parts[0].Chain.last().Kind() != distilled && (!equalTables(at[0], x) || !equalTables(at[3], x)) {
		t.Error("a path does not end with the event")
	}
	if equalTables(at[2], x) || equalTables(at[2], at[4]) || !equalTables(few[0], at[2].Slice(20, 29)) {
		t.Error("the middle of a path is its end, or depends on other times or events")
	}
}

// TestMapOfAngleAndCounts takes what the tiny models do not have through their maps.
func TestMapOfAngleAndCounts(t *testing.T) {
	const n = 400
	z := make([]float32, 3*n)
	philox.Uniform(z, 5, 0, 0)
	for i := range z {
		z[i] = 3.46 * (z[i] - 0.5)
	}
	kind, _ := factor.ByName(realNVP)
	c, err := compose(t.Context(), kind, factor.Events{Features: factor.Features{Dim: 3, Names: []string{"a", "b", "c"}, Angle: 1}, N: n, Rows: func() []float32 { return z }},
		nil, factor.Settings{Layers: 2, Hidden: 8, Depth: 1, Seed: 1})
	must(t, err)
	m := &Image{Y: make([]float32, 3*n), LogBase: make([]float64, n)}
	for _, f := range c.Factors {
		for range layersOf(f) {
			m.Layers = append(m.Layers, make([]float64, n))
		}
	}
	must(t, c.forward(t.Context(), m, z, nil))
	p := make([]float64, n)
	must(t, c.LogDensity(t.Context(), p, z, nil))
	own, err := c.draw(n, nil, c.inverseOf(t.Context(), m.Y))
	must(t, err)
	x := make([]float32, 3*n)
	c.join(x, own)
	for i, l := range p {
		d := m.LogBase[i] - l
		for _, ld := range m.Layers {
			d += ld[i]
		}
		if !(math.Abs(d) < 1e-5) {
			t.Fatalf("the map of an angle changes log p by %v", d)
		}
	}
	for i, v := range z {
		if math.Abs(float64(x[i]-v)) > 1e-5 {
			t.Fatalf("%v comes back as %v", v, x[i])
		}
	}

	counts, e, u := make([]int32, 3000), make([]float32, 3000), make([]float64, 3000)
	philox.Normal(e, 1, 0, 0)
	philox.Uniform64(u, 1, 1, 0)
	for i := range counts { // geometric, which is a negative binomial
		counts[i] = int32(-5 * math.Log(1-u[i]))
	}
	table := &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("k", counts), rootio.ColumnOf("e", e)}}
	s := train(t, table, nil, Options{Model: realNVP, Layers: 2, Hidden: 8, Seed: 1, Refine: RefineOff, Features: features.Options{As: map[string]string{"k": "count"}}})
	if base := s.Base(); len(base) != 2 || base[0].Name != "k" || base[0].Values == 0 || base[1].Values != 0 {
		t.Fatalf("the base of %v is %v", s.Parts[0].Chain, base)
	}
	image, err := s.Forward(t.Context(), table, 0)
	must(t, err)
	back := rootio.NewTable(s.Fields(), len(counts))
	must(t, s.Inverse(t.Context(), back, image.Y, nil, 0))
	if !slices.Equal(columnOf(back, "k"), columnOf(table, "k")) {
		t.Error("counts do not come back")
	}
	density := make([]float64, len(counts))
	must(t, s.LogDensity(t.Context(), density, table, 0))
	for i, l := range density {
		if d := image.LogBase[i] + image.LogDet[i] - l; !(math.Abs(d) < 1e-5) {
			t.Fatalf("the map of counts changes log p by %v", d)
		}
	}
}

// TestLogDetOfMap compares log|det J| with finite differences of the map in float64, in the units of the branches, for
// networks with a smooth activation. The map itself is in float32: its rounding, a few 1e-6, is divided by the
// length of the differences.
func TestLogDetOfMap(t *testing.T) {
	const n = 2000
	e, x, y := make([]float32, 2*n), make([]float64, n), make([]float64, n)
	philox.Normal(e, 1, 0, 0)
	for i := range n {
		x[i] = 5 + 2*float64(e[2*i])
		y[i] = 0.3*float64(e[2*i+1]) + 0.1*math.Pow(float64(e[2*i]), 2)
	}
	table := &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", x), rootio.ColumnOf("y", y)}}
	sigma := []float64{2, 0.3}
	for _, c := range []struct {
		opts      Options
		tolerance float64
	}{
		{Options{Model: realNVP, Activation: "tanh", Coupling: factor.Lecture}, 1e-4},
		{Options{Model: realNVP, Activation: "silu", Components: 2}, 0.001}, // its tables have kinks
		{Options{Model: spline, Activation: "tanh"}, 0.001},                 // the slopes of splines have kinks
		{Options{Model: autoregressive, Activation: "silu"}, 0.005},
		{Options{Model: kernelSums}, 0.001}, // of the solver
	} {
		if c.opts.Uses("hidden") == nil {
			c.opts.Hidden, c.opts.Layers, c.opts.Train.Epochs = 16, 3, 3
		}
		c.opts.Seed, c.opts.Refine = 1, RefineOff
		s := train(t, table, nil, c.opts)
		const points, h = 60, 0.01
		forward := func(dx, dy float64) *Image {
			moved := &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", make([]float64, points)), rootio.ColumnOf("y", make([]float64, points))}}
			for i := range points {
				moved.Columns[0].Values().([]float64)[i] = x[i] + dx
				moved.Columns[1].Values().([]float64)[i] = y[i] + dy
			}
			m, err := s.Forward(t.Context(), moved, 0)
			must(t, err)
			return m
		}
		at := forward(0, 0)
		var plus, minus [2]*Image
		for j := range 2 {
			d := [2]float64{}
			d[j] = h * sigma[j]
			plus[j], minus[j] = forward(d[0], d[1]), forward(-d[0], -d[1])
		}
		var off []float64
		for i := range points {
			jacobian := mat.NewDense(2, 2, nil)
			for j := range 2 {
				for k := range 2 {
					jacobian.Set(k, j, float64(plus[j].Y[2*i+k]-minus[j].Y[2*i+k])/(2*h*sigma[j]))
				}
			}
			ld, _ := mat.LogDet(jacobian)
			off = append(off, math.Abs(ld-at.LogDet[i]))
		}
		slices.Sort(off)
		if !(off[points*9/10] < c.tolerance) {
			t.Errorf("%s, %s: log|det J| differs from finite differences by %.2g, in one point of ten by more", c.opts.Model, c.opts.Activation, off[points*9/10])
		}
	}
}

// TestMapSolver takes events through maps that are solved to a small tolerance: they come back so
// exactly that rounded numbers are the same.
func TestMapSolver(t *testing.T) {
	const n = 100
	table := coded(300).Slice(0, n)
	models := tiny(t)
	for _, name := range []string{"kernel sums", "denoiser"} {
		s := models[name]
		must(t, s.SetMapSolver(diffusion.SolverOptions{Tolerance: 1e-5}))
		m, err := s.Forward(t.Context(), table, 0)
		must(t, err)
		x := rootio.NewTable(s.Fields(), n)
		must(t, s.Inverse(t.Context(), x, m.Y, nil, 0))
		differ := 0
		was, is := columnOf(table, "rounded"), columnOf(x, "rounded")
		for i := range is {
			if was[i] != is[i] {
				differ++
			}
		}
		if differ > 2 { // near the wall of a cell
			t.Errorf("%s: %d of %d rounded numbers come back as others", name, differ, n)
		}
	}
	if err := models[spline].SetMapSolver(diffusion.SolverOptions{Steps: 3}); err == nil {
		t.Error("a flow has a solver")
	}
}

// TestMapErrors asks for maps that there are not, in one line each.
func TestMapErrors(t *testing.T) {
	models := tiny(t)
	fails := func(want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want one about %q", err, want)
		}
	}
	table := coded(20)
	flow, equation := models[spline], models[denoiser]
	m, err := flow.Forward(t.Context(), table, 0)
	must(t, err)
	out, width := rootio.NewTable(flow.Fields(), 20), len(flow.Base())
	at := func(column int, v float32) []float32 {
		y := slices.Clone(m.Y)
		y[4*width+column] = v
		return y
	}
	code := slices.IndexFunc(flow.Base(), func(c BaseColumn) bool { return c.Values > 0 })
	real := slices.IndexFunc(flow.Base(), func(c BaseColumn) bool { return c.Values == 0 })
	fails("NaN in entry 104", flow.Inverse(t.Context(), out, at(real, float32(math.NaN())), nil, 100))
	fails("+Inf in entry 4", flow.Inverse(t.Context(), out, at(real, float32(math.Inf(1))), nil, 0))
	fails("is 0.5 in entry 4: want a whole number", flow.Inverse(t.Context(), out, at(code, 0.5), nil, 0))
	fails("is 99 in entry 4", flow.Inverse(t.Context(), out, at(code, 99), nil, 0))
	fails("entry 4 is too far out", flow.Inverse(t.Context(), out, at(real, 1e38), nil, 0))
	fails("has no path in time", flow.Path(t.Context(), []*rootio.Table{out}, m.Y, nil, []float64{0}, 0))
	fails("the time 1.5", equation.CheckPath([]float64{0, 1.5}))
	fails("the time NaN", equation.CheckPath([]float64{math.NaN()}))
	fails("needs a time", equation.CheckPath(nil))
	zero := 0.0
	copies := train(t, coded(300), nil, Options{Model: kernelSums, Diffusion: DiffusionOptions{SigmaMin: &zero}})
	_, err = copies.Forward(t.Context(), table, 0)
	fails("no map from events to noise: σ_min is 0", err)
	y := make([]float32, 20*len(copies.Base()))
	must(t, copies.Pairs(t.Context(), out, y, nil, 1, 0)) // noise to events there is
	unknown := coded(20)
	unknown.Columns[3].Values().([]int32)[2] = 77
	image, err := flow.Forward(t.Context(), unknown, 0)
	must(t, err)
	if !math.IsNaN(image.LogDet[2]) || math.IsNaN(image.LogDet[3]) {
		t.Errorf("the log|det J| of an event that cannot be is %v", image.LogDet[2])
	}
}
