package compare

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go-hep.org/x/hep/hplot"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/eidolon-hep/eidolon/internal/atomicfile"
)

// The colours are told apart by eyes of every kind: Okabe and Ito, "Color
// Universal Design", 2008.
var (
	refFill  = color.NRGBA{R: 0xBB, G: 0xDF, B: 0xF5, A: 0xFF}
	refLine  = color.NRGBA{R: 0x00, G: 0x72, B: 0xB2, A: 0xFF}
	candInk  = color.NRGBA{R: 0xD5, G: 0x5E, B: 0x00, A: 0xFF}
	faintInk = color.NRGBA{R: 0x60, G: 0x60, B: 0x60, A: 0xFF}
)

const maxPanels = 64 // of a page of the overview

// Plots draws each column, the candidate over the reference with their ratio
// below, to a PNG file of its own in the directory dir, which is made if need
// be, and 64 of them at a time to overview.png, overview_2.png, … A file is named after
// its column; characters other than letters, digits, dot, dash and underscore
// become underscores.
//
// Spectra are parts of all events in bins of equal width over the bulk of the
// reference. Spikes have bars of their own on the left, "=0" for the events at
// exactly 0, and are in no other. Bars and points have statistical errors; the band
// about one is the reference's.
func (r *Report) Plots(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("compare: could not make the directory of the plots: %w", err)
	}
	used := map[string]bool{"overview": true}
	var names []string
	for i := range r.Columns {
		c := &r.Columns[i]
		if len(c.spectrum.lo) == 0 {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		names = append(names, c.Name)
		name := filepath.Join(dir, fileName(c.Name, used)+".png")
		if err := r.draw(name, []*Column{c}, 5.6, 4.6, 11); err != nil {
			return err
		}
	}
	if len(names) == 0 {
		return errors.New("compare: there is nothing to plot")
	}
	for page := 1; len(names) > 0; page++ {
		name := "overview.png"
		if page > 1 {
			name = fileName("overview", used) + ".png"
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		few := names[:min(len(names), maxPanels)]
		if err := r.Spectra(filepath.Join(dir, name), few...); err != nil {
			return err
		}
		names = names[len(few):]
	}
	return nil
}

// Spectra draws the named columns, all of them if none is named, as the panels
// of one PNG file.
func (r *Report) Spectra(name string, columns ...string) error {
	if len(columns) == 0 {
		for _, c := range r.Columns {
			columns = append(columns, c.Name)
		}
	}
	var panels []*Column
	for _, column := range columns {
		c := r.column(column)
		switch {
		case c == nil:
			return fmt.Errorf("compare: could not plot %q: it was not compared", column)
		case len(c.spectrum.lo) == 0:
			return fmt.Errorf("compare: could not plot %q: it has no values", column)
		}
		panels = append(panels, c)
	}
	if len(panels) == 0 {
		return errors.New("compare: there is nothing to plot")
	}
	return r.draw(name, panels, 3.6, 3.3, 9)
}

func (r *Report) column(name string) *Column {
	if i := slices.IndexFunc(r.Columns, func(c Column) bool { return c.Name == name }); i >= 0 {
		return &r.Columns[i]
	}
	return nil
}

// fileName turns the name of a column into one of a file that is not used yet
// in any mixture of cases.
func fileName(column string, used map[string]bool) string {
	safe := strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '-', c == '_':
			return c
		}
		return '_'
	}, column)
	safe = strings.TrimLeft(safe, ".-")
	safe = safe[:min(len(safe), 100)]
	if safe == "" {
		safe = "column"
	}
	name := safe
	for n := 2; used[strings.ToLower(name)]; n++ {
		name = safe + "_" + strconv.Itoa(n)
	}
	used[strings.ToLower(name)] = true
	return name
}

// draw writes a grid of panels, each of the given size in inches, with letters of the
// given size in points.
func (r *Report) draw(name string, panels []*Column, width, height, points float64) error {
	data, err := r.picture(panels, width, height, points)
	if err != nil {
		return fmt.Errorf("compare: could not draw %q: %w", name, err)
	}
	if err := atomicfile.WriteFile(name, data); err != nil {
		return fmt.Errorf("compare: could not write a plot: %w", err)
	}
	return nil
}

// picture returns a grid of panels as a PNG file.
func (r *Report) picture(panels []*Column, width, height, points float64) ([]byte, error) {
	fig := &figure{report: r, panels: panels, size: vg.Points(points)}
	fig.cols = min(len(panels), 3)
	if len(panels) > 12 {
		fig.cols = 4
	}
	rows := (len(panels) + fig.cols - 1) / fig.cols
	w := vg.Length(fig.cols) * vg.Length(width) * vg.Inch
	h := vg.Length(rows)*vg.Length(height)*vg.Inch + fig.header()
	return pngOf(fig, w, h)
}

func pngOf(d hplot.Drawer, w, h vg.Length) ([]byte, error) {
	png, err := hplot.WriterTo(hplot.Figure(d, hplot.WithDPI(110)), w, h, "png")
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	_, err = png.WriteTo(&buf)
	return buf.Bytes(), err
}

// figure is a legend above a grid of panels.
type figure struct {
	report *Report
	panels []*Column
	cols   int
	size   vg.Length // of letters
}

func (f *figure) header() vg.Length { return 2.4 * f.size }

// Draw implements hplot.Drawer.
func (f *figure) Draw(dc draw.Canvas) {
	dc.SetColor(color.White)
	dc.Fill(dc.Rectangle.Path())
	f.drawLegend(draw.Crop(dc, 0, 0, dc.Max.Y-dc.Min.Y-f.header(), 0))

	grid := draw.Crop(dc, 0, 0, 0, -f.header())
	rows := (len(f.panels) + f.cols - 1) / f.cols
	tiles := draw.Tiles{Cols: f.cols, Rows: rows}
	for i, c := range f.panels {
		tile := tiles.At(grid, i%f.cols, i/f.cols)
		f.drawPanel(draw.Crop(tile, f.size/2, -f.size, f.size/2, -f.size/4), c)
	}
}

// style returns letters of relative size scale.
func (f *figure) style(ink color.Color, scale vg.Length) text.Style {
	fnt := hplot.DefaultStyle.Fonts.Default
	fnt.Size = f.size * scale
	return text.Style{
		Color: ink, Font: fnt,
		XAlign: draw.XLeft, YAlign: draw.YCenter,
		Handler: text.Plain{Fonts: font.DefaultCache},
	}
}

func (f *figure) drawLegend(dc draw.Canvas) {
	text := func(s Sample) string {
		txt := s.Label + ", " + grouped(s.Events) + " events"
		if s.Weight != "" {
			txt += " weighted by " + s.Weight
		}
		return txt
	}
	sty := f.style(color.Black, 1)
	long := sty.Width(text(f.report.Reference) + text(f.report.Candidate))
	if room := dc.Max.X - dc.Min.X - 10*f.size; long > room {
		sty = f.style(color.Black, room/long)
	}
	x, y := dc.Min.X+2*f.size, dc.Center().Y-f.size/4
	label := func(s Sample) {
		dc.FillText(sty, vg.Point{X: x, Y: y}, text(s))
		x += sty.Width(text(s)) + 3*f.size
	}

	sample := box(x, y-f.size/2, 2*f.size, f.size)
	dc.FillPolygon(refFill, sample)
	dc.StrokeLines(draw.LineStyle{Color: refLine, Width: vg.Points(1)}, append(sample, sample[0]))
	x += 2.5 * f.size
	label(f.report.Reference)

	dc.StrokeLine2(draw.LineStyle{Color: candInk, Width: vg.Points(1)}, x+f.size/2, y-f.size/2, x+f.size/2, y+f.size/2)
	dc.DrawGlyphNoClip(f.dot(), vg.Point{X: x + f.size/2, Y: y})
	x += 1.5 * f.size
	label(f.report.Candidate)
}

func (f *figure) dot() draw.GlyphStyle {
	return draw.GlyphStyle{Color: candInk, Radius: f.size / 5.5, Shape: draw.CircleGlyph{}}
}

// drawPanel draws the spectra of a column above their ratio.
func (f *figure) drawPanel(dc draw.Canvas, c *Column) {
	top, bottom := f.newPlot(c), f.newPlot(c)

	top.X.Tick.Marker = hplot.NoTicks{}
	setRange(&top.Y, &c.spectrum)
	top.Add(bars{&c.spectrum})
	candidate := points{lo: c.spectrum.lo, hi: c.spectrum.hi, at: c.spectrum.cand, dot: f.dot()}
	top.Add(candidate)

	ratio, band := c.spectrum.ratio()
	reach := reachOf(ratio)
	bottom.X.Label.Text = c.axisLabel()
	bottom.Y.Min, bottom.Y.Max = 1-reach, 1+reach
	bottom.Y.Tick.Marker = ratioTicks(reach)
	bottom.Add(ratioBand{lo: c.spectrum.lo, hi: c.spectrum.hi, err: band})
	bottom.Add(points{lo: c.spectrum.lo, hi: c.spectrum.hi, at: ratio, dot: f.dot(), arrows: true})

	labels := draw.Crop(dc, 0, dc.Min.X+1.3*f.size-dc.Max.X, 0, 0)
	remarks := draw.Crop(dc, 0, 0, dc.Max.Y-dc.Min.Y-1.3*f.size, 0)
	dc = draw.Crop(dc, 1.7*f.size, 0, 0, -1.3*f.size)
	split := (dc.Max.Y-dc.Min.Y)*0.3 + 1.2*f.size
	upper, lower := draw.Crop(dc, 0, 0, split+f.size/3, 0), draw.Crop(dc, 0, 0, 0, split-(dc.Max.Y-dc.Min.Y))

	// Both frames are as wide.
	a, b := top.DataCanvas(upper), bottom.DataCanvas(lower)
	left, right := max(a.Min.X, b.Min.X), min(a.Max.X, b.Max.X)
	upper = draw.Crop(upper, left-a.Min.X, right-a.Max.X, 0, 0)
	lower = draw.Crop(lower, left-b.Min.X, right-b.Max.X, 0, 0)
	for _, half := range []struct {
		plot   *hplot.Plot
		canvas draw.Canvas
		label  string
	}{{top, upper, "events per bin [%]"}, {bottom, lower, "ratio"}} {
		half.plot.Draw(half.canvas)
		inner := half.plot.DataCanvas(half.canvas)
		frame(inner)

		// gonum would put the label of a logarithmic axis elsewhere and make
		// room for it there.
		sty := f.style(color.Black, 1)
		sty.XAlign, sty.Rotation = draw.XCenter, math.Pi/2
		inner.FillText(sty, vg.Point{X: labels.Center().X, Y: inner.Center().Y}, half.label)
	}

	sty := f.style(faintInk, 0.85)
	sty.XAlign = draw.XRight
	remarks.FillText(sty, vg.Point{X: right, Y: remarks.Center().Y}, c.remark())
}

func frame(dc draw.Canvas) {
	corners := box(dc.Min.X, dc.Min.Y, dc.Max.X-dc.Min.X, dc.Max.Y-dc.Min.Y)
	dc.StrokeLines(draw.LineStyle{Color: color.Black, Width: vg.Points(0.5)}, append(corners, corners[0]))
}

// box returns the corners of a rectangle.
func box(x, y, w, h vg.Length) []vg.Point {
	return []vg.Point{{X: x, Y: y}, {X: x + w, Y: y}, {X: x + w, Y: y + h}, {X: x, Y: y + h}}
}

// newPlot returns an empty plot over the column's range.
func (f *figure) newPlot(c *Column) *hplot.Plot {
	p := hplot.New()
	p.BackgroundColor = nil
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font.Size = f.size
		axis.Tick.Label.Font.Size = f.size * 0.9
		axis.Label.Position = draw.PosCenter
		axis.Padding = 0
		axis.LineStyle.Width = vg.Points(0.5)
		axis.Tick.LineStyle.Width = vg.Points(0.5)
	}
	s := &c.spectrum
	p.X.Min, p.X.Max = s.lo[0], s.hi[len(s.hi)-1]
	switch spikes := len(s.labels); {
	case spikes == len(s.lo):
		p.X.Min, p.X.Max = p.X.Min-0.2, p.X.Max+0.2
		p.X.Tick.Marker = nominal(s.labels)
	case spikes > 0:
		p.X.Min -= 0.03 * (p.X.Max - p.X.Min)
		p.X.Tick.Marker = besides(*s)
	default:
		p.X.Tick.Marker = numbers{hplot.Ticks{N: 5}}
	}
	return p
}

// setRange makes room for both samples, and for error bars.
func setRange(y *plot.Axis, s *spectrum) {
	low, high := math.Inf(1), 0.0
	for _, bins := range [][]fraction{s.ref, s.cand} {
		for _, b := range bins {
			high = max(high, b.value+b.err)
			if b.value > 0 {
				low = min(low, b.value)
			}
		}
	}
	if s.logarithms {
		y.Min, y.Max = low/2, high*2
		y.Scale = plot.LogScale{}
		y.Tick.Marker = decades{}
		return
	}
	y.Min, y.Max = 0, high*1.1
	y.Tick.Marker = numbers{hplot.Ticks{N: 4}}
}

// axisLabel is the branch's title if there is room for it and it says more
// than the list of the branch's leaves, and the name otherwise.
func (c *Column) axisLabel() string {
	const room = 40
	if c.Title == "" || strings.HasPrefix(c.Title, c.Name+"/") || utf8.RuneCountInString(c.Title) > room {
		return cut(c.Name, room)
	}
	return c.Title
}

// remark is the distance of the two samples in a few words.
func (c *Column) remark() string {
	var words []string
	if d := c.Distance; d != nil {
		words = append(words, "KS "+percent(d.KS))
	} else if len(c.Codes) > 1 {
		words = append(words, "total variation "+percent(c.Proportions.TotalVariation))
	}
	if c.Verdict == Illegal {
		words = append(words, grouped(c.Proportions.Illegal)+" illegal")
	}
	if c.spectrum.outside > 0.005 {
		words = append(words, percent(c.spectrum.outside)+" outside")
	}
	return strings.Join(words, ", ")
}

func percent(x float64) string {
	if x >= 0.1 {
		return fmt.Sprintf("%.0f %%", 100*x)
	}
	return fmt.Sprintf("%.2g %%", 100*x)
}

// ratio returns candidate over reference with the candidate's errors, and the
// reference's relative errors. A bin without reference has no ratio.
func (s *spectrum) ratio() (ratio []fraction, band []float64) {
	ratio, band = make([]fraction, len(s.ref)), make([]float64, len(s.ref))
	for k, ref := range s.ref {
		if ref.value <= 0 {
			ratio[k] = fraction{math.NaN(), 0}
			continue
		}
		ratio[k] = fraction{s.cand[k].value / ref.value, s.cand[k].err / ref.value}
		band[k] = ref.err / ref.value
	}
	return ratio, band
}

// reachOf returns how far from one the axis of the ratios goes: so far that
// nine in ten points are inside.
func reachOf(ratio []fraction) float64 {
	var n int
	for _, r := range ratio {
		if !math.IsNaN(r.value) {
			n++
		}
	}
	for _, reach := range []float64{0.1, 0.2, 0.5} {
		var inside int
		for _, r := range ratio {
			if math.Abs(r.value-1) <= reach {
				inside++
			}
		}
		if 10*inside >= 9*n {
			return reach
		}
	}
	return 1
}
