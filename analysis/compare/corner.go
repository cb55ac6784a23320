package compare

import (
	"cmp"
	"image/color"
	"math"
	"slices"
	"strconv"

	"go-hep.org/x/hep/hplot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/eidolon-hep/eidolon/rootio"
)

// corner shows a few continuous columns by pairs: the reference's density below the
// diagonal, the difference of the samples in units of its error above, and both
// spectra on it.
type corner struct {
	report  *Report
	columns []*Column
	x       [2][]float64 // rows of both samples
	size    vg.Length    // of letters
}

const (
	cornerColumns = 6
	cornerBins    = 24
	cornerEvents  = 200_000 // of each sample
	mostPull      = 4
)

// newCorner takes the columns that matter most: to the classifier if it can tell the samples
// apart, and by their distance otherwise. It is nil if there are not two.
func (r *Report) newCorner(ref, cand *rootio.Table) *corner {
	c := &corner{report: r, size: vg.Points(9)}
	importance := map[string]float64{}
	if k := r.Classifier; k != nil && k.PValue < significance {
		for _, column := range k.Columns {
			importance[column.Name] = column.Importance
		}
	}
	for i := range r.Columns {
		if column := &r.Columns[i]; column.Distance != nil && column.bulk() >= 0 {
			c.columns = append(c.columns, column)
		}
	}
	if len(c.columns) < 2 {
		return nil
	}
	slices.SortStableFunc(c.columns, func(a, b *Column) int {
		return cmp.Or(cmp.Compare(importance[b.Name], importance[a.Name]), cmp.Compare(b.Distance.KS, a.Distance.KS))
	})
	c.columns = c.columns[:min(len(c.columns), cornerColumns)]
	chosen := c.columns
	c.columns = slices.DeleteFunc(pointers(r.Columns), func(column *Column) bool { return !slices.Contains(chosen, column) })
	for s, t := range []*rootio.Table{ref, cand} {
		n := min(t.Len(), cornerEvents)
		c.x[s] = newCloud(r.withDerived(s, t).Slice(0, n), c.columns).x
	}
	return c
}

// bulk is the first bin of the spectrum that is no spike, −1 if there is none.
func (c *Column) bulk() int {
	if k := len(c.spectrum.labels); k < len(c.spectrum.lo) {
		return k
	}
	return -1
}

// span is the range of the column's plot.
func (c *Column) span() (lo, hi float64) {
	return c.spectrum.lo[c.bulk()], c.spectrum.hi[len(c.spectrum.hi)-1]
}

// table2 is a two-dimensional histogram: fractions of a sample and their variances.
type table2 struct {
	value, variance [cornerBins][cornerBins]float64
}

func (c *corner) count(s, i, j int) *table2 {
	h := &table2{}
	loX, hiX := c.columns[i].span()
	loY, hiY := c.columns[j].span()
	d := len(c.columns)
	var all float64
	for k := range len(c.x[s]) / d {
		w := c.report.in[s].weight(k)
		all += w
		x := int(math.Floor(cornerBins * (c.x[s][k*d+i] - loX) / (hiX - loX)))
		y := int(math.Floor(cornerBins * (c.x[s][k*d+j] - loY) / (hiY - loY)))
		if x >= 0 && x < cornerBins && y >= 0 && y < cornerBins {
			h.value[x][y] += w
			h.variance[x][y] += w * w
		}
	}
	for x := range h.value {
		for y := range h.value[x] {
			h.value[x][y] /= all
			h.variance[x][y] /= all * all
		}
	}
	return h
}

// Draw implements hplot.Drawer.
func (c *corner) Draw(dc draw.Canvas) {
	dc.SetColor(color.White)
	dc.Fill(dc.Rectangle.Path())
	f := &figure{report: c.report, size: c.size}
	f.drawLegend(draw.Crop(dc, 0, 0, dc.Max.Y-dc.Min.Y-f.header(), 0))
	c.drawScale(draw.Crop(dc, 2*c.size, -c.size, dc.Max.Y-dc.Min.Y-f.header()-1.5*c.size, -f.header()), f)
	grid := draw.Crop(dc, 5.5*c.size, -c.size, 4*c.size, -f.header()-2.5*c.size)
	n := len(c.columns)
	width, height := (grid.Max.X-grid.Min.X)/vg.Length(n), (grid.Max.Y-grid.Min.Y)/vg.Length(n)
	gap := c.size / 2
	for i := range n {
		for j := range n {
			x, y := grid.Min.X+vg.Length(i)*width, grid.Max.Y-vg.Length(j+1)*height
			tile := draw.Canvas{Canvas: dc.Canvas, Rectangle: vg.Rectangle{
				Min: vg.Point{X: x + gap/2, Y: y + gap/2}, Max: vg.Point{X: x + width - gap/2, Y: y + height - gap/2},
			}}
			if i == j {
				c.drawSpectrum(tile, i)
			} else {
				c.drawPair(tile, i, j)
			}
			frame(tile)
			if j == n-1 {
				c.label(f, tile, i, false)
			}
			if i == 0 {
				c.label(f, tile, j, true)
			}
		}
	}
}

// label writes the name and the range of a column below or beside a tile.
func (c *corner) label(f *figure, dc draw.Canvas, k int, beside bool) {
	lo, hi := c.columns[k].span()
	sty := f.style(color.Black, 0.85)
	name := c.columns[k].axisLabel()
	room := dc.Max.X - dc.Min.X
	if beside {
		room = dc.Max.Y - dc.Min.Y
	}
	for n := 40; sty.Width(name) > room && n > 8; n-- {
		name = cut(c.columns[k].Name, n)
	}
	if beside {
		sty.Rotation = math.Pi / 2
	}
	for _, l := range []struct {
		text      string
		align     text.XAlignment
		along, by vg.Length // the part of the side that is before it, and letters away from it
	}{
		{strconv.FormatFloat(lo, 'g', 4, 64), draw.XLeft, 0, 1},
		{strconv.FormatFloat(hi, 'g', 4, 64), draw.XRight, 1, 1},
		{name, draw.XCenter, 0.5, 2.5},
	} {
		at := vg.Point{X: dc.Min.X + l.along*(dc.Max.X-dc.Min.X), Y: dc.Min.Y - l.by*c.size}
		if beside {
			at = vg.Point{X: dc.Min.X - l.by*c.size, Y: dc.Min.Y + l.along*(dc.Max.Y-dc.Min.Y)}
		}
		sty.XAlign = l.align
		dc.FillText(sty, at, l.text)
	}
}

func (c *corner) drawSpectrum(dc draw.Canvas, k int) {
	column := c.columns[k]
	first := column.bulk()
	s := column.spectrum
	s.lo, s.hi, s.ref, s.cand, s.labels = s.lo[first:], s.hi[first:], s.ref[first:], s.cand[first:], nil
	p := hplot.New()
	p.X.Min, p.X.Max = column.span()
	setRange(&p.Y, &s)
	p.HideAxes()
	p.BackgroundColor = nil
	p.Add(bars{&s}, points{lo: s.lo, hi: s.hi, at: s.cand, dot: draw.GlyphStyle{Color: candInk, Radius: c.size / 7, Shape: draw.CircleGlyph{}}})
	p.Draw(dc)
}

func (c *corner) drawPair(dc draw.Canvas, i, j int) {
	ref := c.count(0, i, j)
	w, h := (dc.Max.X-dc.Min.X)/cornerBins, (dc.Max.Y-dc.Min.Y)/cornerBins
	cell := func(x, y int, ink color.Color) {
		dc.FillPolygon(ink, box(dc.Min.X+vg.Length(x)*w, dc.Min.Y+vg.Length(y)*h, w, h))
	}
	if i < j {
		top := 0.0
		for x := range ref.value {
			top = max(top, slices.Max(ref.value[x][:]))
		}
		for x := range ref.value {
			for y, v := range ref.value[x] {
				if v > 0 {
					cell(x, y, between(color.NRGBA{R: 0xEE, G: 0xF6, B: 0xFC, A: 0xFF}, color.NRGBA{R: 0x00, G: 0x3B, B: 0x70, A: 0xFF}, math.Sqrt(v/top)))
				}
			}
		}
		return
	}
	cand := c.count(1, i, j)
	for x := range ref.value {
		for y := range ref.value[x] {
			if v := ref.variance[x][y] + cand.variance[x][y]; v > 0 {
				cell(x, y, pullInk((cand.value[x][y]-ref.value[x][y])/math.Sqrt(v)))
			}
		}
	}
}

// drawScale explains the colours above the diagonal.
func (c *corner) drawScale(dc draw.Canvas, f *figure) {
	const steps = 64
	sty := f.style(color.Black, 0.85)
	text := "below the diagonal: density of the reference; above: (candidate − reference)/error from −4 to 4"
	dc.FillText(sty, vg.Point{X: dc.Min.X, Y: dc.Center().Y}, text)
	x := dc.Min.X + sty.Width(text) + 2*c.size
	w := min(dc.Max.X-x, 15*c.size) / steps
	for k := range steps {
		dc.FillPolygon(pullInk(mostPull*(2*(float64(k)+0.5)/steps-1)), box(x+vg.Length(k)*w, dc.Center().Y-c.size/2, w, c.size))
	}
}

// pullInk is blue where the candidate lacks events, orange where it has too many,
// and white where neither is sure.
func pullInk(pull float64) color.Color {
	strength := min(math.Abs(pull)/mostPull, 1)
	if pull < 0 {
		return between(color.NRGBA{R: 0xFF, G: 0xFF, B: 0xFF, A: 0xFF}, refLine, strength)
	}
	return between(color.NRGBA{R: 0xFF, G: 0xFF, B: 0xFF, A: 0xFF}, candInk, strength)
}

func between(a, b color.NRGBA, t float64) color.Color {
	mix := func(p, q uint8) uint8 { return uint8(math.Round(float64(p) + t*(float64(q)-float64(p)))) }
	return color.NRGBA{R: mix(a.R, b.R), G: mix(a.G, b.G), B: mix(a.B, b.B), A: 0xFF}
}
