package compare

import (
	"math"
	"slices"
	"strconv"

	"go-hep.org/x/hep/hplot"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// touching calls yield with the first and the last bin of each group of bins
// without a gap between them.
func touching(lo, hi []float64) func(yield func(first, last int) bool) {
	return func(yield func(first, last int) bool) {
		for first := 0; first < len(lo); {
			last := first
			for last+1 < len(lo) && hi[last] == lo[last+1] {
				last++
			}
			if !yield(first, last) {
				return
			}
			first = last + 1
		}
	}
}

// bars draws the reference as filled bars under an outline; bars that touch
// make one surface.
type bars struct{ *spectrum }

// Plot implements plot.Plotter.
func (b bars) Plot(dc draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&dc)
	floor := y(p.Y.Min)
	for first, last := range touching(b.lo, b.hi) {
		outline := []vg.Point{{X: x(b.lo[first]), Y: floor}}
		for k := first; k <= last; k++ {
			top := y(max(p.Y.Min, b.ref[k].value))
			outline = append(outline, vg.Point{X: x(b.lo[k]), Y: top}, vg.Point{X: x(b.hi[k]), Y: top})
		}
		outline = append(outline, vg.Point{X: x(b.hi[last]), Y: floor})
		dc.FillPolygon(refFill, outline)
		dc.StrokeLines(draw.LineStyle{Color: refLine, Width: vg.Points(1)}, outline)
	}
}

// points draws values with error bars in the middle of the bins. NaN is left
// out, and so is zero where the scale is logarithmic. Points beyond the frame
// become arrows at its edge if asked.
type points struct {
	lo, hi []float64
	at     []fraction
	dot    draw.GlyphStyle
	arrows bool
}

// Plot implements plot.Plotter.
func (s points) Plot(dc draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&dc)
	bar := draw.LineStyle{Color: s.dot.Color, Width: vg.Points(0.8)}
	last := len(s.lo) - 1
	s.dot.Radius = min(s.dot.Radius, max(vg.Points(0.6), (x(s.hi[last])-x(s.lo[last]))/2))
	for k, f := range s.at {
		at := x((s.lo[k] + s.hi[k]) / 2)
		switch {
		case math.IsNaN(f.value):
		case f.value < p.Y.Min && s.arrows:
			arrow(dc, s.dot, at, dc.Min.Y, 1)
		case f.value > p.Y.Max && s.arrows:
			arrow(dc, s.dot, at, dc.Max.Y, -1)
		case f.value >= p.Y.Min && f.value <= p.Y.Max:
			dc.StrokeLine2(bar, at, y(max(p.Y.Min, f.value-f.err)), at, y(min(p.Y.Max, f.value+f.err)))
			dc.DrawGlyphNoClip(s.dot, vg.Point{X: at, Y: y(f.value)})
		}
	}
}

// arrow draws a triangle that points to the edge; side is the way from there
// into the frame.
func arrow(dc draw.Canvas, dot draw.GlyphStyle, x, edge, side vg.Length) {
	r := 1.3 * dot.Radius
	dc.FillPolygon(dot.Color, []vg.Point{
		{X: x, Y: edge + side*r/4},
		{X: x - r, Y: edge + side*r*2},
		{X: x + r, Y: edge + side*r*2},
	})
}

// ratioBand draws the relative error of the reference about one.
type ratioBand struct{ lo, hi, err []float64 }

// Plot implements plot.Plotter.
func (b ratioBand) Plot(dc draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&dc)
	for first, last := range touching(b.lo, b.hi) {
		var upper, lower []vg.Point
		for k := first; k <= last; k++ {
			high, low := y(min(p.Y.Max, 1+b.err[k])), y(max(p.Y.Min, 1-b.err[k]))
			upper = append(upper, vg.Point{X: x(b.lo[k]), Y: high}, vg.Point{X: x(b.hi[k]), Y: high})
			lower = append(lower, vg.Point{X: x(b.lo[k]), Y: low}, vg.Point{X: x(b.hi[k]), Y: low})
		}
		slices.Reverse(lower)
		dc.FillPolygon(refFill, append(upper, lower...))
	}
	dc.StrokeLine2(draw.LineStyle{Color: refLine, Width: vg.Points(0.8)}, dc.Min.X, y(1), dc.Max.X, y(1))
}

// nominal puts a label at each of 0, 1, …, as many as have room.
type nominal []string

// Ticks implements plot.Ticker.
func (n nominal) Ticks(_, _ float64) []plot.Tick {
	var letters int
	for _, label := range n {
		letters = max(letters, len(label))
	}
	every := 1 + len(n)*(letters+1)/48
	var ticks []plot.Tick
	for k, label := range n {
		switch {
		case k%every == 0:
			ticks = append(ticks, plot.Tick{Value: float64(k), Label: label})
		case len(n) <= maxBars:
			ticks = append(ticks, plot.Tick{Value: float64(k)})
		}
	}
	return ticks
}

// besides puts the labels of the spikes beside the ticks of the other bins.
type besides spectrum

// Ticks implements plot.Ticker.
func (b besides) Ticks(lo, hi float64) []plot.Tick {
	first := b.lo[len(b.labels)]
	n := int(math.Round(5 * (hi - first) / (hi - lo)))
	ticks := numbers{hplot.Ticks{N: max(2, n)}}.Ticks(first, hi)
	ticks = slices.DeleteFunc(ticks, func(t plot.Tick) bool { return t.Value < first })
	for k, label := range b.labels {
		ticks = append(ticks, plot.Tick{Value: (b.lo[k] + b.hi[k]) / 2, Label: label})
	}
	return ticks
}

// numbers are ticks labelled without zeros that say nothing, and with as many
// digits as tell them apart.
type numbers struct{ plot.Ticker }

// Ticks implements plot.Ticker.
func (n numbers) Ticks(lo, hi float64) []plot.Tick {
	ticks := n.Ticker.Ticks(lo, hi)
	for digits := 6; digits <= 17; digits++ {
		seen := map[string]bool{}
		alike := false
		for i, t := range ticks {
			if t.Label != "" {
				ticks[i].Label = strconv.FormatFloat(t.Value, 'g', digits, 64)
				alike = alike || seen[ticks[i].Label]
				seen[ticks[i].Label] = true
			}
		}
		if !alike {
			break
		}
	}
	if len(ticks) > 2 && longest(ticks) > 9 { // there is room for the outer two
		first, last := true, 0
		for i, t := range ticks {
			if t.Label != "" {
				last = i
			}
		}
		for i, t := range ticks {
			if t.Label != "" && !first && i != last {
				ticks[i].Label = ""
			}
			first = first && t.Label == ""
		}
	}
	return ticks
}

func longest(ticks []plot.Tick) int {
	n := 0
	for _, t := range ticks {
		n = max(n, len(t.Label))
	}
	return n
}

// decades are the ticks of a logarithmic axis with labels at powers of ten,
// every second or third if there are many.
type decades struct{}

// Ticks implements plot.Ticker.
func (decades) Ticks(lo, hi float64) []plot.Tick {
	first, last := int(math.Floor(math.Log10(lo))), int(math.Floor(math.Log10(hi)))
	every := 1 + (last-first)/6
	var ticks []plot.Tick
	for e := first; e <= last; e++ {
		for k := 1.0; k < 10; k++ {
			tick := plot.Tick{Value: k * math.Pow10(e)}
			if tick.Value < lo || tick.Value > hi {
				continue
			}
			if k == 1 && e%every == 0 {
				tick.Label = strconv.FormatFloat(tick.Value, 'g', -1, 64)
			}
			ticks = append(ticks, tick)
		}
	}
	return ticks
}

// ratioTicks are at one and halfway to the ends of the axis.
func ratioTicks(reach float64) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for k := -4; k <= 4; k++ {
		tick := plot.Tick{Value: 1 + float64(k)*reach/4}
		if k == -2 || k == 0 || k == 2 {
			tick.Label = strconv.FormatFloat(tick.Value, 'g', 4, 64)
		}
		ticks = append(ticks, tick)
	}
	return ticks
}
