package task

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"

	"go-hep.org/x/hep/hplot"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/palette/brewer"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/internal/atomicfile"
	"github.com/eidolon-hep/eidolon/rootio"
)

// What the figure shows of each model.
const (
	gridSide    = 100 // points of a side of a density
	shownEvents = 2_000
)

// shown are the columns that the figure shows, where there are more than two.
var shown = map[string][2]string{"zmumu": {"mass", "pt"}}

// newFigure returns the figure with the truth.
func (e *example) newFigure() *exampleFigure {
	columns, ok := shown[e.Name]
	if !ok {
		columns = [2]string{e.density.Fields[0].Name, e.density.Fields[1].Name}
	}
	f := newExampleFigure(fmt.Sprintf("%s, %d events to learn from", e.density.Title, e.N), e.fresh, columns)
	truth := examplePanels{title: "truth", remark: fmt.Sprintf("%d fresh events", e.fresh.Len()), events: f.points(e.fresh, shownEvents)}
	if e.density.Dim() == 2 {
		log := make([]float64, gridSide*gridSide)
		e.density.LogDensity(log, f.grid(e.density.Fields, gridSide))
		truth.density = densityOf(log)
	} else {
		truth.density = f.histogram(e.fresh)
	}
	f.models = append(f.models, truth)
	return f
}

// densityOf returns a density on the points of a grid.
func densityOf(log []float64) densityImage {
	for i, l := range log {
		log[i] = math.Exp(l)
	}
	return densityImage{gridSide, log}
}

// show adds a model to the figure, of which some events are drawn.
func (e *example) show(ctx context.Context, m exampleModel, row *ExampleRow, model *surrogate.Surrogate, drawn *rootio.Table) error {
	p := examplePanels{title: m.title, remark: row.remark(), events: e.figure.points(drawn, shownEvents)}
	if e.density.Dim() == 2 && row.KL != nil {
		log := make([]float64, gridSide*gridSide)
		if err := model.LogDensity(ctx, log, e.figure.grid(model.Fields(), gridSide), 0); err != nil {
			return err
		}
		p.density = densityOf(log)
	} else {
		const most, seconds = 200_000, 2
		if n := int(min(most, seconds*row.Rate)); n > drawn.Len() {
			drawn = rootio.NewTable(model.Fields(), n)
			if _, err := model.Generate(ctx, drawn, nil, e.Seed, 0); err != nil {
				return err
			}
		}
		p.density = e.figure.histogram(drawn)
	}
	var err error
	if p.paths, err = e.paths(ctx, model); err != nil {
		return err
	}
	e.figure.models = append(e.figure.models, p)
	return nil
}

// paths returns some paths of the equation that leads from noise to events; of a one-step map, the steps;
// of other models none.
func (e *example) paths(ctx context.Context, model *surrogate.Surrogate) ([]plotter.XYs, error) {
	const paths, steps = 40, 40
	times := floats.Span(make([]float64, steps+1), 1, 0)
	if model.CheckPath(times) != nil {
		return nil, nil
	}
	fields := model.Fields()
	events, y := rootio.NewTable(fields, paths), make([]float32, paths*len(model.Base()))
	if err := model.Pairs(ctx, events, y, nil, e.Seed, 0); err != nil {
		return nil, err
	}
	if _, isMap := model.Teacher(); isMap {
		times = times[:1]
	}
	at := make([]*rootio.Table, len(times))
	for k := range at {
		at[k] = rootio.NewTable(fields, paths)
	}
	if err := model.Path(ctx, at, y, nil, times, 0); err != nil {
		return nil, err
	}
	lines := make([]plotter.XYs, paths)
	for _, t := range append(at, events) {
		for i, point := range e.figure.points(t, paths) {
			lines[i] = append(lines[i], point)
		}
	}
	return lines, nil
}

// exampleFigure shows models side by side: of each its density in two of the columns, and below
// some of its events, all on the same axes and with the same colours.
type exampleFigure struct {
	title  string
	axes   [2]exampleAxis
	models []examplePanels
}

// exampleAxis is a column, and the range of it that is shown.
type exampleAxis struct {
	name   string
	lo, hi float64
}

// examplePanels are those of a model.
type examplePanels struct {
	title, remark string
	density       densityImage
	events        plotter.XYs
	paths         []plotter.XYs // of the equation that leads from noise to events
}

// densityImage is a density on side×side points, the middles of cells: row by row, from the smallest y on.
type densityImage struct {
	side int
	at   []float64
}

// newExampleFigure returns a figure, without models yet, of the columns of events of the truth.
func newExampleFigure(title string, truth *rootio.Table, columns [2]string) *exampleFigure {
	f := &exampleFigure{title: title}
	for k, name := range columns {
		c, _ := truth.Column(name)
		x := c.Float64s()
		slices.Sort(x)
		const tail, margin = 0.002, 0.1
		lo, hi := stat.Quantile(tail, stat.Empirical, x, nil), stat.Quantile(1-tail, stat.Empirical, x, nil)
		f.axes[k] = exampleAxis{name, lo - margin*(hi-lo), hi + margin*(hi-lo)}
	}
	return f
}

// middle returns the middle of cell i of side.
func (a exampleAxis) middle(i, side int) float64 {
	return a.lo + (float64(i)+0.5)/float64(side)*(a.hi-a.lo)
}

// points returns the events of a table, n at most.
func (f *exampleFigure) points(t *rootio.Table, n int) plotter.XYs {
	x, _ := t.Column(f.axes[0].name)
	y, _ := t.Column(f.axes[1].name)
	some := make(plotter.XYs, min(n, t.Len()))
	a, b := x.Slice(0, len(some)).Float64s(), y.Slice(0, len(some)).Float64s()
	for i := range some {
		some[i] = plotter.XY{X: a[i], Y: b[i]}
	}
	return some
}

// grid returns a table of the given columns, the two of the figure, whose rows are the points of a density.
func (f *exampleFigure) grid(fields []rootio.Field, side int) *rootio.Table {
	t := rootio.NewTable(fields, side*side)
	x, y := make([]float64, side*side), make([]float64, side*side)
	for i := range x {
		x[i], y[i] = f.axes[0].middle(i%side, side), f.axes[1].middle(i/side, side)
	}
	for k, values := range [][]float64{x, y} {
		c, _ := t.Column(f.axes[k].name)
		c.SetFloats(0, values)
	}
	return t
}

// histogram returns the density of events in the two columns, by counting.
func (f *exampleFigure) histogram(t *rootio.Table) densityImage {
	const side = 40
	h := densityImage{side, make([]float64, side*side)}
	width := [2]float64{(f.axes[0].hi - f.axes[0].lo) / side, (f.axes[1].hi - f.axes[1].lo) / side}
	for _, p := range f.points(t, t.Len()) {
		i, j := int(math.Floor((p.X-f.axes[0].lo)/width[0])), int(math.Floor((p.Y-f.axes[1].lo)/width[1]))
		if i >= 0 && i < side && j >= 0 && j < side {
			h.at[j*side+i] += 1 / (width[0] * width[1] * float64(t.Len()))
		}
	}
	return h
}

// The colours of densities grow darker from white, in steps of equal lightness; those of events and paths
// are told apart by eyes of every kind (Okabe and Ito, "Color Universal Design", 2008).
var (
	eventInk = color.NRGBA{R: 0x00, G: 0x72, B: 0xB2, A: 0xFF}
	pathInk  = color.NRGBA{R: 0xD5, G: 0x5E, B: 0x00, A: 0xB0}
)

// shades returns the colours of densities, from none to the largest.
func shades() []color.Color {
	palette, err := brewer.GetPalette(brewer.TypeSequential, "YlGnBu", 9)
	if err != nil {
		panic(err) // there is one of that name
	}
	stops := append([]color.Color{color.White}, palette.Colors()...)
	const n = 256
	all := make([]color.Color, n)
	for i := range all {
		at := float64(i) / (n - 1) * float64(len(stops)-1)
		k := min(int(at), len(stops)-2)
		r0, g0, b0, _ := stops[k].RGBA()
		r1, g1, b1, _ := stops[k+1].RGBA()
		mix := func(a, b uint32) uint8 { return uint8((float64(a) + (at-float64(k))*(float64(b)-float64(a))) / 257) }
		all[i] = color.NRGBA{mix(r0, r1), mix(g0, g1), mix(b0, b1), 0xFF}
	}
	return all
}

// Sizes, in the units of the letters.
const (
	exampleLetters = 9 // points
	exampleColumns = 5
)

var letters = vg.Points(exampleLetters)

// write draws the figure to a PNG file.
func (f *exampleFigure) write(name string) error {
	rows := (len(f.models) + exampleColumns - 1) / exampleColumns
	columns := min(len(f.models), exampleColumns)
	width := 16 * letters
	height := width * vg.Length(min(1, max(0.6, (f.axes[1].hi-f.axes[1].lo)/(f.axes[0].hi-f.axes[0].lo))))
	l := exampleLayout{exampleFigure: f, columns: columns, rows: rows, width: width, height: height, shades: shades()}
	for _, m := range f.models {
		if m.density.side > 0 {
			l.most = max(l.most, slices.Max(m.density.at))
			break // the truth
		}
	}
	w := 5*letters + vg.Length(columns)*(width+letters) + 6*letters
	h := 3*letters + vg.Length(rows)*(2*height+4.5*letters) + 3*letters
	png, err := hplot.WriterTo(hplot.Figure(&l, hplot.WithDPI(110)), w, h, "png")
	if err != nil {
		return fmt.Errorf("could not draw %q: %w", name, err)
	}
	var buf bytes.Buffer
	if _, err := png.WriteTo(&buf); err != nil {
		return fmt.Errorf("could not draw %q: %w", name, err)
	}
	return atomicfile.WriteFile(name, buf.Bytes())
}

// exampleLayout is a figure on its way to the paper.
type exampleLayout struct {
	*exampleFigure
	columns, rows int
	width, height vg.Length // of a panel
	most          float64   // the density of the darkest colour
	shades        []color.Color
}

// Draw implements hplot.Drawer.
func (l *exampleLayout) Draw(dc draw.Canvas) {
	dc.SetColor(color.White)
	dc.Fill(dc.Rectangle.Path())
	left, top := dc.Min.X+5*letters, dc.Max.Y-3*letters
	dc.FillText(style(1.1, draw.XLeft), vg.Point{X: left, Y: dc.Max.Y - 1.4*letters}, l.title)
	for i, m := range l.models {
		column, row := i%l.columns, i/l.columns
		x := left + vg.Length(column)*(l.width+letters)
		y := top - vg.Length(row)*(2*l.height+4.5*letters)
		dc.FillText(style(1, draw.XLeft), vg.Point{X: x, Y: y - 0.6*letters}, m.title)
		dc.FillText(style(0.85, draw.XLeft), vg.Point{X: x, Y: y - 1.8*letters}, m.remark)
		y -= 2.6*letters + l.height
		below := i+l.columns >= len(l.models) // no other model is
		l.panel(dc, x, y, column == 0, false, "density", plotter.NewImage(l.image(m.density), l.axes[0].lo, l.axes[1].lo, l.axes[0].hi, l.axes[1].hi))
		y -= l.height + 0.6*letters
		l.panel(dc, x, y, column == 0, below, "events", dots(m.events), lines(m.paths))
	}
	l.scale(dc, left+vg.Length(l.columns)*(l.width+letters), top-2.6*letters-l.height)
}

// panel draws plotters in a frame whose lower left corner is (x, y), with numbers and names at the axes where
// wanted.
func (l *exampleLayout) panel(dc draw.Canvas, x, y vg.Length, numbersLeft, numbersBelow bool, what string, content ...plot.Plotter) {
	p := hplot.New()
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = l.axes[0].lo, l.axes[0].hi, l.axes[1].lo, l.axes[1].hi
	inner := draw.Canvas{Canvas: dc.Canvas, Rectangle: vg.Rectangle{Min: vg.Point{X: x, Y: y}, Max: vg.Point{X: x + l.width, Y: y + l.height}}}
	for _, c := range content {
		c.Plot(inner, p.Plot)
	}
	thin := draw.LineStyle{Color: color.Black, Width: vg.Points(0.5)}
	toX, toY := p.Transforms(&inner)
	for _, t := range (hplot.Ticks{N: 4}).Ticks(l.axes[0].lo, l.axes[0].hi) {
		if at := toX(t.Value); !t.IsMinor() && at >= inner.Min.X && at <= inner.Max.X {
			inner.StrokeLine2(thin, at, inner.Min.Y, at, inner.Min.Y+letters/3)
			if numbersBelow {
				align := draw.XCenter
				switch { // a number at an end would run into that of the next panel
				case at < inner.Min.X+letters:
					align = draw.XLeft
				case at > inner.Max.X-letters:
					align = draw.XRight
				}
				dc.FillText(style(0.85, align), vg.Point{X: at, Y: y - 0.8*letters}, t.Label)
			}
		}
	}
	for _, t := range (hplot.Ticks{N: 4}).Ticks(l.axes[1].lo, l.axes[1].hi) {
		if at := toY(t.Value); !t.IsMinor() && at >= inner.Min.Y && at <= inner.Max.Y {
			inner.StrokeLine2(thin, inner.Min.X, at, inner.Min.X+letters/3, at)
			if numbersLeft {
				dc.FillText(style(0.85, draw.XRight), vg.Point{X: x - letters/3, Y: at}, t.Label)
			}
		}
	}
	if numbersBelow {
		dc.FillText(style(1, draw.XCenter), vg.Point{X: inner.Center().X, Y: y - 2*letters}, l.axes[0].name)
	}
	if numbersLeft {
		upright := style(1, draw.XCenter)
		upright.Rotation = math.Pi / 2
		dc.FillText(upright, vg.Point{X: x - 3*letters, Y: inner.Center().Y}, l.axes[1].name)
		dc.FillText(upright, vg.Point{X: x - 4.3*letters, Y: inner.Center().Y}, what)
	}
	corners := []vg.Point{inner.Min, {X: inner.Max.X, Y: inner.Min.Y}, inner.Max, {X: inner.Min.X, Y: inner.Max.Y}, inner.Min}
	inner.StrokeLines(thin, corners)
}

// scale draws the bar of the colours beside the first row of densities.
func (l *exampleLayout) scale(dc draw.Canvas, x, y vg.Length) {
	bar := image.NewRGBA(image.Rect(0, 0, 1, len(l.shades)))
	for i, c := range l.shades {
		bar.Set(0, len(l.shades)-1-i, c)
	}
	box := vg.Rectangle{Min: vg.Point{X: x, Y: y}, Max: vg.Point{X: x + letters, Y: y + l.height}}
	dc.DrawImage(box, bar)
	thin := draw.LineStyle{Color: color.Black, Width: vg.Points(0.5)}
	for _, t := range (hplot.Ticks{N: 4}).Ticks(0, l.most) {
		if at := y + l.height*vg.Length(t.Value/l.most); !t.IsMinor() && at <= box.Max.Y {
			dc.StrokeLine2(thin, box.Max.X-letters/3, at, box.Max.X, at)
			dc.FillText(style(0.85, draw.XLeft), vg.Point{X: box.Max.X + letters/3, Y: at}, t.Label)
		}
	}
	dc.StrokeLines(thin, []vg.Point{box.Min, {X: box.Max.X, Y: box.Min.Y}, box.Max, {X: box.Min.X, Y: box.Max.Y}, box.Min})
}

// image returns the colours of a density.
func (l *exampleLayout) image(d densityImage) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, d.side, d.side))
	for i, p := range d.at {
		shade := 0
		if p > 0 { // a network may overflow far outside: NaN
			shade = int(min(p/l.most, 1) * float64(len(l.shades)-1))
		}
		img.Set(i%d.side, d.side-1-i/d.side, l.shades[shade])
	}
	return img
}

// dots and lines are events and paths. What is outside of the frame is not drawn.
type (
	dots  plotter.XYs
	lines []plotter.XYs
)

// Plot implements plot.Plotter.
func (d dots) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	dot := draw.GlyphStyle{Color: eventInk, Radius: vg.Points(0.45), Shape: draw.CircleGlyph{}}
	for _, at := range d {
		c.DrawGlyph(dot, vg.Point{X: x(at.X), Y: y(at.Y)})
	}
}

// Plot implements plot.Plotter.
func (l lines) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for _, path := range l {
		points := make([]vg.Point, len(path))
		for i, at := range path {
			points[i] = vg.Point{X: x(at.X), Y: y(at.Y)}
		}
		c.StrokeLines(draw.LineStyle{Color: pathInk, Width: vg.Points(0.5)}, c.ClipLinesXY(points)...)
	}
}

// style returns letters of a relative size.
func style(size vg.Length, align text.XAlignment) text.Style {
	fnt := hplot.DefaultStyle.Fonts.Default
	fnt.Size = letters * size
	return text.Style{Color: color.Black, Font: fnt, XAlign: align, YAlign: draw.YCenter, Handler: text.Plain{Fonts: font.DefaultCache}}
}
