// Orders plots how the errors of the solvers fall with the number of steps, beside lines of
// the slopes 1, 2 and 3, and prints the slopes that it measures.
//
//	go run ./bench/orders [-o orders.png]
//
// Noise becomes events of a mixture of three normals, whose posterior mean is known, from
// where nearly all is noise (σ/α = 20) to σ/α = 0.14, in equal steps in log(α/σ), or in √t for
// the methods that step in t. The error is that from a solution of order 3 in steps that
// are many times as short, in the root mean square; events have about unit variance. There
// is a panel for each schedule, and one for a single normal, where the error is that from
// the closed form of the path. Steps of dpm2s and Heun evaluate the posterior mean twice,
// those of dpm3s three times. Events are float32, so no error is much below 10⁻⁷.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"image/color"
	"log"
	"math"
	"os"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/eidolon-hep/eidolon/diffusion"
	"github.com/eidolon-hep/eidolon/kernels/philox"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("orders: ")
	output := flag.String("o", "orders.png", "the PNG file to write")
	flag.Parse()
	if flag.NArg() != 0 {
		log.Fatal("want no arguments")
	}
	if err := run(*output); err != nil {
		log.Fatal(err)
	}
}

// normals is a mixture of normals of the widths s around m, in two dimensions.
type normals struct {
	w, s []float64
	m    [][2]float64
}

func (normals) Dim() int     { return 2 }
func (normals) Context() int { return 0 }

// Mean is in closed form; there is no need of a divergence.
func (b normals) Mean(_ context.Context, q []float32, _ []float64, x, _ []float32, alpha, sigma float64) {
	p := make([]float64, len(b.w))
	for i := range len(x) / 2 {
		row := [2]float64{float64(x[2*i]), float64(x[2*i+1])}
		for k, w := range b.w {
			v := alpha*alpha*b.s[k]*b.s[k] + sigma*sigma
			p[k] = math.Log(w / v)
			for d, x := range row {
				p[k] -= (x - alpha*b.m[k][d]) * (x - alpha*b.m[k][d]) / (2 * v)
			}
		}
		most, total := slices.Max(p), 0.0
		var sum [2]float64
		for k := range p {
			r := math.Exp(p[k] - most)
			gain := alpha * b.s[k] * b.s[k] / (alpha*alpha*b.s[k]*b.s[k] + sigma*sigma)
			total += r
			for d, x := range row {
				sum[d] += r * (b.m[k][d] + gain*(x-alpha*b.m[k][d]))
			}
		}
		q[2*i], q[2*i+1] = float32(sum[0]/total), float32(sum[1]/total)
	}
}

// path returns where the rows are at the last of the times, if there is one normal only.
func (b normals) path(x []float32, s diffusion.Schedule, times []float64) []float32 {
	from, to := times[0], times[len(times)-1]
	width := func(t float64) float64 { return math.Hypot(s.Alpha(t)*b.s[0], s.Sigma(t)) }
	y := make([]float32, len(x))
	for i, v := range x {
		m := b.m[0][i%2]
		y[i] = float32(s.Alpha(to)*m + width(to)/width(from)*(float64(v)-s.Alpha(from)*m))
	}
	return y
}

// panel is one plot.
type panel struct {
	title    string
	schedule diffusion.Schedule
	q        normals
	legend   bool
}

var methods = []struct {
	diffusion.Method
	order int
	color color.RGBA
}{
	{diffusion.Euler, 1, color.RGBA{0x88, 0x88, 0x88, 0xff}},
	{diffusion.DPM1, 1, color.RGBA{0x00, 0x00, 0x00, 0xff}},
	{diffusion.Heun, 2, color.RGBA{0xcc, 0x79, 0xa7, 0xff}},
	{diffusion.DPM2M, 2, color.RGBA{0x00, 0x72, 0xb2, 0xff}},
	{diffusion.DPM2S, 2, color.RGBA{0x56, 0xb4, 0xe9, 0xff}},
	{diffusion.DPM3M, 3, color.RGBA{0xd5, 0x5e, 0x00, 0xff}},
	{diffusion.DPM3S, 3, color.RGBA{0xe6, 0x9f, 0x00, 0xff}},
}

func run(output string) error {
	three := normals{w: []float64{0.5, 0.3, 0.2}, s: []float64{0.5, 0.3, 0.4}, m: [][2]float64{{-0.9, 0.3}, {0.8, 0.9}, {1, -1.2}}}
	one := normals{w: []float64{1}, s: []float64{0.4}, m: [][2]float64{{0.7, -1.1}}}
	shifted, err := diffusion.Shifted(0.01)
	if err != nil {
		return err
	}
	panels := []panel{
		{"three normals, σ = t", diffusion.Linear(), three, true},
		{"three normals, σ = √t", diffusion.Sqrt(), three, false},
		{"three normals, σ = 0.01 + 0.99 t", shifted, three, false},
		{"one normal, closed form, σ = t", diffusion.Linear(), one, false},
	}
	const columns = 2
	rows := (len(panels) + columns - 1) / columns
	image := vgimg.New(26*vg.Centimeter, vg.Length(rows)*11*vg.Centimeter)
	tiles := draw.Tiles{Rows: rows, Cols: columns, PadX: 6 * vg.Millimeter, PadY: 6 * vg.Millimeter, PadTop: 2 * vg.Millimeter, PadRight: 2 * vg.Millimeter}
	canvas := draw.New(image)
	for i, p := range panels {
		drawn, err := p.draw()
		if err != nil {
			return err
		}
		drawn.Draw(tiles.At(canvas, i%columns, i/columns))
	}
	file, err := os.Create(output)
	if err != nil {
		return err
	}
	_, err = vgimg.PngCanvas{Canvas: image}.WriteTo(file)
	return errors.Join(err, file.Close())
}

// draw measures all methods.
func (p panel) draw() (*plot.Plot, error) {
	const rows = 100
	x := make([]float32, 2*rows)
	philox.Normal(x, 7, 0, 0)
	out := plot.New()
	out.Title.Text = p.title
	out.X.Label.Text, out.Y.Label.Text = "steps", "error"
	out.X.Scale, out.Y.Scale = plot.LogScale{}, plot.LogScale{}
	out.X.Tick.Marker, out.Y.Tick.Marker = decades(0, 3), decades(-7, 0)
	out.Legend.Left = true

	fmt.Println(p.title)
	exact := map[bool][]float32{} // by steps in √t or not
	for _, inRoot := range []bool{false, true} {
		times := p.times(1024, inRoot)
		if len(p.q.w) == 1 {
			exact[inRoot] = p.q.path(x, p.schedule, times)
			continue
		}
		y := slices.Clone(x)
		s := diffusion.Solver{Method: diffusion.DPM3S, Schedule: p.schedule}
		if _, err := s.Solve(context.Background(), p.q, y, nil, nil, times); err != nil {
			return nil, err
		}
		exact[inRoot] = y
	}
	for _, m := range methods {
		inRoot := m.Method == diffusion.Euler || m.Method == diffusion.Heun
		var points plotter.XYs
		for k := 4; k <= 18; k++ {
			steps := int(math.Exp2(float64(k) / 2))
			y := slices.Clone(x)
			s := diffusion.Solver{Method: m.Method, Schedule: p.schedule}
			if _, err := s.Solve(context.Background(), p.q, y, nil, nil, p.times(steps, inRoot)); err != nil {
				return nil, err
			}
			points = append(points, plotter.XY{X: float64(steps), Y: max(distance(y, exact[inRoot]), 1e-9)})
		}
		fmt.Printf("  %-6v order %.2f, want %d\n", m.Method, slope(points), m.order)
		line, marks, err := plotter.NewLinePoints(points)
		if err != nil {
			return nil, err
		}
		line.Color, marks.Color, marks.Shape = m.color, m.color, draw.CircleGlyph{}
		out.Add(line, marks)
		if p.legend {
			out.Legend.Add(m.String(), line, marks)
		}
	}
	for order := 1; order <= 3; order++ {
		at := func(steps float64) plotter.XY {
			return plotter.XY{X: steps, Y: 0.5 * math.Pow(steps/4, -float64(order))}
		}
		line, err := plotter.NewLine(plotter.XYs{at(4), at(512)})
		if err != nil {
			return nil, err
		}
		line.Color, line.Dashes = color.Gray{0xa0}, []vg.Length{vg.Points(3), vg.Points(3)}
		out.Add(line)
		if order == 1 && p.legend {
			out.Legend.Add("slopes 1, 2, 3", line)
		}
	}
	out.X.Min, out.X.Max, out.Y.Min, out.Y.Max = 3.5, 600, 5e-8, 1
	return out, nil
}

// decades are ticks at powers of ten.
func decades(from, to int) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for k := from; k <= to; k++ {
		ticks = append(ticks, plot.Tick{Value: math.Pow(10, float64(k)), Label: fmt.Sprintf("%.3g", math.Pow(10, float64(k)))})
		for i := 2; i < 10 && k < to; i++ {
			ticks = append(ticks, plot.Tick{Value: float64(i) * math.Pow(10, float64(k))})
		}
	}
	return ticks
}

// times returns those of so many steps.
func (p panel) times(steps int, inRoot bool) []float64 {
	times := make([]float64, steps+1)
	for i := range times {
		l := -3 + 5*float64(i)/float64(steps)
		if inRoot { // between the same ends
			l = -3
			if i > 0 {
				l = 2
			}
		}
		times[i], _ = p.schedule.TimeAtLogSNR(l) // all schedules come by
	}
	if inRoot {
		first, last := math.Sqrt(times[0]), math.Sqrt(times[steps])
		for i := range times {
			times[i] = math.Pow(first+(last-first)*float64(i)/float64(steps), 2)
		}
	}
	return times
}

// slope is that of log error against log steps, over the points with the smallest errors
// that are above rounding.
func slope(points plotter.XYs) float64 {
	const rounding, most = 2e-6, 4
	var x, y []float64
	for i := len(points) - 1; i >= 0 && len(x) < most; i-- {
		if points[i].Y > rounding {
			x, y = append(x, math.Log(points[i].X)), append(y, math.Log(points[i].Y))
		}
	}
	if len(x) < 2 {
		return math.NaN()
	}
	_, b := stat.LinearRegression(x, y, nil, false)
	return -b
}

// distance is the root mean square of the differences.
func distance(a, b []float32) float64 {
	sum := 0.0
	for i, v := range a {
		sum += float64(v-b[i]) * float64(v-b[i])
	}
	return math.Sqrt(sum / float64(len(a)))
}
