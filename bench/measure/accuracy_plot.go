package measure

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go-hep.org/x/hep/hplot"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/internal/atomicfile"
)

// The colours are told apart by eyes of every kind: Okabe and Ito, "Color Universal Design", 2008.
var (
	blue   = color.NRGBA{R: 0x00, G: 0x72, B: 0xB2, A: 0xFF}
	red    = color.NRGBA{R: 0xD5, G: 0x5E, B: 0x00, A: 0xFF}
	sky    = color.NRGBA{R: 0x56, G: 0xB4, B: 0xE9, A: 0xFF}
	orange = color.NRGBA{R: 0xE6, G: 0x9F, B: 0x00, A: 0xFF}
	purple = color.NRGBA{R: 0xCC, G: 0x79, B: 0xA7, A: 0xFF}
	grey   = color.NRGBA{R: 0x80, G: 0x80, B: 0x80, A: 0xFF}
)

// Plot draws the study to a PNG, SVG or PDF file, as the end of its name says: KL against the number
// of events; beside what the solver adds; and the error of x of each solver and each schedule.
func (a *Accuracy) Plot(name string) error {
	figure := hplot.NewTiledPlot(draw.Tiles{Cols: 2, Rows: 2, PadX: vg.Points(10), PadY: vg.Points(10), PadTop: vg.Points(4), PadRight: vg.Points(6)})
	for i, draw := range []func() (*hplot.Plot, error){a.plotEvents, a.plotBoth, a.plotSolvers, a.plotSchedules} {
		p, err := draw()
		if err != nil {
			return fmt.Errorf("could not draw the study: %w", err)
		}
		figure.Plots[i] = p
	}
	format := strings.ToLower(strings.TrimPrefix(filepath.Ext(name), "."))
	drawn, err := hplot.WriterTo(hplot.Figure(figure, hplot.WithDPI(110)), 10*vg.Inch, 8*vg.Inch, format)
	if err != nil {
		return fmt.Errorf("could not draw the study: %w", err)
	}
	var buf bytes.Buffer
	if _, err := drawn.WriteTo(&buf); err != nil {
		return fmt.Errorf("could not draw the study: %w", err)
	}
	return atomicfile.WriteFile(name, buf.Bytes())
}

// newLogPlot returns an empty plot with two logarithmic axes.
func newLogPlot(title, x, y string) *hplot.Plot {
	p := hplot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Scale, axis.Tick.Marker = plot.LogScale{}, powersOfTen{}
		axis.Label.Position = draw.PosCenter
		axis.Padding = 0
	}
	return p
}

// powersOfTen are ticks with a label at each, and without at their multiples.
type powersOfTen struct{}

func (powersOfTen) Ticks(least, most float64) []plot.Tick {
	var all []plot.Tick
	for k := math.Floor(math.Log10(least)); math.Pow(10, k) <= most; k++ {
		for i := 1; i < 10; i++ {
			if v := float64(i) * math.Pow(10, k); v >= least && v <= most {
				label := ""
				if i == 1 {
					label = strconv.FormatFloat(v, 'g', -1, 64)
				}
				all = append(all, plot.Tick{Value: v, Label: label})
			}
		}
	}
	return all
}

// frame sets the ranges of the axes so that there is room about the values.
func frame(axis *plot.Axis, values ...float64) {
	axis.Min, axis.Max = math.Inf(1), 0
	for _, v := range values {
		if v <= 0 {
			continue
		}
		axis.Min, axis.Max = min(axis.Min, v), max(axis.Max, v)
	}
	axis.Min, axis.Max = axis.Min/1.5, axis.Max*1.5
}

// plotEvents draws KL against the number of events.
func (a *Accuracy) plotEvents() (*hplot.Plot, error) {
	p := newLogPlot("KL(truth ‖ model), "+a.Density, "events K", "nats")
	p.Legend.Left = true
	var xs, ys []float64
	for _, s := range a.Events {
		xs, ys = append(xs, float64(s.Events)), append(ys, s.KL.Value, s.Bulk.Value)
	}
	frame(&p.X, xs...)
	frame(&p.Y, ys...)
	p.Y.Min /= 3 // for the legend
	for _, of := range []struct {
		name  string
		ink   color.Color
		value func(SampleSize) Value
		slope Value
	}{
		{"all", blue, func(s SampleSize) Value { return s.KL }, a.Slopes.KL},
		{"in the bulk", red, func(s SampleSize) Value { return s.Bulk }, a.Slopes.Bulk},
	} {
		var points errorPoints
		for _, s := range a.Events {
			if v := of.value(s); v.Value > 0 {
				points.XYs = append(points.XYs, plotter.XY{X: float64(s.Events), Y: v.Value})
				down := min(v.Error, 0.99*v.Value)
				points.errors = append(points.errors, struct{ Low, High float64 }{down, v.Error})
			}
		}
		if len(points.XYs) == 0 {
			continue
		}
		marks, err := plotter.NewScatter(points)
		if err != nil {
			return nil, err
		}
		bars, err := plotter.NewYErrorBars(points)
		if err != nil {
			return nil, err
		}
		marks.Shape, marks.Color, marks.Radius, bars.Color = draw.CircleGlyph{}, of.ink, vg.Points(2.5), of.ink
		// The slope of theory, through the middle of the points.
		middle := points.XYs[len(points.XYs)/2]
		first, last := points.XYs[0].X, points.XYs[len(points.XYs)-1].X
		at := func(k float64) plotter.XY {
			return plotter.XY{X: k, Y: middle.Y * math.Pow(k/middle.X, a.Slopes.Theory)}
		}
		line, err := plotter.NewLine(plotter.XYs{at(first), at(last)})
		if err != nil {
			return nil, err
		}
		line.Color, line.Dashes = of.ink, []vg.Length{vg.Points(4), vg.Points(3)}
		p.Add(line, bars, marks)
		p.Legend.Add(fmt.Sprintf("%s: slope %.2f ± %.2f", of.name, of.slope.Value, of.slope.Error), marks)
		if of.name != "all" {
			p.Legend.Add(fmt.Sprintf("theory: %.2f", a.Slopes.Theory), line)
		}
	}
	return p, nil
}

// errorPoints are points with errors in y.
type errorPoints struct {
	plotter.XYs
	errors []struct{ Low, High float64 }
}

func (p errorPoints) YError(i int) (low, high float64) { return p.errors[i].Low, p.errors[i].High }

// plotBoth draws what the solver adds to KL against its steps, for each number of events, beside what
// the choice of these costs.
func (a *Accuracy) plotBoth() (*hplot.Plot, error) {
	p := newLogPlot("KL by the default solver; dashed: by the choice of K events", "steps", "nats")
	p.Legend.Left = true
	inks := []color.Color{grey, blue, red, orange, purple}
	var xs, ys []float64
	for i, s := range a.Events {
		var points plotter.XYs
		for _, c := range s.Solver {
			xs = append(xs, float64(c.Steps))
			if c.KL.Value > c.KL.Error {
				points = append(points, plotter.XY{X: float64(c.Steps), Y: c.KL.Value})
				ys = append(ys, c.KL.Value)
			}
		}
		ys = append(ys, s.KL.Value)
		if s.KL.Value <= 0 {
			continue
		}
		level, err := plotter.NewLine(plotter.XYs{{X: xs[0], Y: s.KL.Value}, {X: xs[len(xs)-1], Y: s.KL.Value}})
		if err != nil {
			return nil, err
		}
		level.Color, level.Dashes = inks[i%len(inks)], []vg.Length{vg.Points(4), vg.Points(3)}
		p.Add(level)
		if err := addLine(p, fmt.Sprintf("K = %d", s.Events), inks[i%len(inks)], nil, points); err != nil {
			return nil, err
		}
	}
	frame(&p.X, xs...)
	frame(&p.Y, ys...)
	var ticks plot.ConstantTicks
	for _, x := range slices.Compact(slices.Sorted(slices.Values(xs))) {
		ticks = append(ticks, plot.Tick{Value: x, Label: strconv.FormatFloat(x, 'g', -1, 64)})
	}
	p.X.Tick.Marker = ticks
	return p, nil
}

// plotSolvers draws the errors of the solvers of the first schedule against the evaluations of q.
func (a *Accuracy) plotSolvers() (*hplot.Plot, error) {
	first := a.Solvers[0].Schedule
	p := newLogPlot(fmt.Sprintf("solvers, schedule %v, K = %d", first, a.SolverEvents), "evaluations of q", "error of x")
	inks := []color.Color{grey, blue, red, sky, orange, purple}
	for i, e := range a.Solvers {
		if e.Schedule == first {
			if err := e.add(p, e.Method.String(), inks[i%len(inks)], nil, func(s StepsError) float64 { return float64(s.Evaluations) }); err != nil {
				return nil, err
			}
		}
	}
	a.frameErrors(p)
	return p, nil
}

// plotSchedules draws the errors of solvers of orders 1 and 3 against the number of steps.
func (a *Accuracy) plotSchedules() (*hplot.Plot, error) {
	p := newLogPlot(fmt.Sprintf("schedules, K = %d", a.SolverEvents), "steps", "error of x")
	inks := map[diffusion.Schedule]color.Color{}
	for _, e := range a.Solvers {
		if _, ok := inks[e.Schedule]; !ok {
			inks[e.Schedule] = []color.Color{blue, red, orange}[len(inks)%3]
		}
		var dashes []vg.Length
		switch e.Method {
		case diffusion.DPM3M:
		case diffusion.DPM1:
			dashes = []vg.Length{vg.Points(4), vg.Points(3)}
		default:
			continue
		}
		if err := e.add(p, fmt.Sprintf("%v, %v", e.Schedule, e.Method), inks[e.Schedule], dashes, func(s StepsError) float64 { return float64(s.Steps) }); err != nil {
			return nil, err
		}
	}
	a.frameErrors(p)
	return p, nil
}

// frameErrors makes room for all errors.
func (a *Accuracy) frameErrors(p *hplot.Plot) {
	var ys []float64
	for _, e := range a.Solvers {
		for _, s := range e.Steps {
			ys = append(ys, s.Error)
		}
	}
	frame(&p.Y, ys...)
	p.X.Min, p.X.Max = p.X.Min/1.2, p.X.Max*1.2
	p.Legend.Left = true
}

// add draws the errors of a solver.
func (e *SolverError) add(p *hplot.Plot, name string, ink color.Color, dashes []vg.Length, x func(StepsError) float64) error {
	points := make(plotter.XYs, len(e.Steps))
	for i, s := range e.Steps {
		points[i] = plotter.XY{X: x(s), Y: s.Error}
	}
	return addLine(p, name, ink, dashes, points)
}

// addLine draws points on a line.
func addLine(p *hplot.Plot, name string, ink color.Color, dashes []vg.Length, points plotter.XYs) error {
	if len(points) == 0 {
		return nil
	}
	line, marks, err := plotter.NewLinePoints(points)
	if err != nil {
		return err
	}
	line.Color, line.Dashes, marks.Color, marks.Shape, marks.Radius = ink, dashes, ink, draw.CircleGlyph{}, vg.Points(2)
	p.Add(line, marks)
	p.Legend.Add(name, line)
	return nil
}
