package main

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/guptarohit/asciigraph"
	"go-hep.org/x/hep/hplot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/analysis/task"
	"github.com/eidolon-hep/eidolon/internal/atomicfile"
	"github.com/eidolon-hep/eidolon/internal/output"
	"github.com/eidolon-hep/eidolon/training"
)

// outcome says how a training ended.
func outcome(m *surrogate.Surrogate) string {
	h, valid := m.Card.History, m.Card.HeldOut > 0
	switch {
	case h.Batch > 0 && valid:
		return fmt.Sprintf("best validation loss %.4f at step %d, batch %d (%s)", h.Best, h.BestStep, h.Batch, h.Stopped)
	case h.Batch > 0:
		return fmt.Sprintf("best loss %.4f at step %d, batch %d, without an event to validate (%s)", h.Best, h.BestStep, h.Batch, h.Stopped)
	case len(h.Points) > 0:
		return fmt.Sprintf("validation loss %.4f (%s)", h.Best, h.Stopped)
	case !valid:
		return h.Stopped + ", and no event to validate"
	}
	return h.Stopped
}

// printRoundTrip says how well the model that was kept undoes itself, if it is a flow.
func printRoundTrip(out io.Writer, h training.History) {
	if p, ok := h.Kept(); ok && p.WorstRoundTrip > 0 {
		fmt.Fprintf(out, "there and back, |f⁻¹(f(x)) − x| of validation events is %.1e on average, %.1e at most (standard deviations)\n",
			p.RoundTrip, p.WorstRoundTrip)
	}
}

// drawHistory draws the losses of a training with letters.
func drawHistory(out io.Writer, h training.History) error {
	if len(h.Points) < 2 {
		return nil
	}
	train, valid := losses(h)
	all := slices.Concat(train, valid)
	_, err := fmt.Fprintf(out, "\n%s\n", asciigraph.PlotMany([][]float64{train, valid},
		asciigraph.Width(60), asciigraph.Height(10),
		asciigraph.LowerBound(slices.Min(all)), asciigraph.UpperBound(slices.Max(all)),
		asciigraph.SeriesChars(asciigraph.CreateCharSet("·"), asciigraph.DefaultCharSet),
		asciigraph.Caption(fmt.Sprintf("loss of training (·) and of validation (─), steps %d to %d", h.Points[0].Step, h.Points[len(h.Points)-1].Step))))
	return err
}

// losses are those of the points of a history. A training begins with losses that
// would hide all that comes later: what is above four times the range of the later
// half is cut there.
func losses(h training.History) (train, valid []float64) {
	low, high := math.Inf(1), math.Inf(-1)
	for i, p := range h.Points {
		train, valid = append(train, p.Train), append(valid, p.Valid)
		if i >= len(h.Points)/2 {
			low, high = min(low, p.Train, p.Valid), max(high, p.Train, p.Valid)
		}
	}
	most := high + 3*(high-low)
	for _, loss := range [][]float64{train, valid} {
		for i := range loss {
			loss[i] = min(loss[i], most)
		}
	}
	return train, valid
}

// checkPlot checks that a plot can be written, and that nothing is lost by that.
func checkPlot(name string, inputs ...string) error {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".png":
		return output.Check(name, output.PNG, inputs...)
	case ".svg":
		return output.Check(name, output.SVG, inputs...)
	case ".pdf":
		return output.Check(name, output.PDF, inputs...)
	}
	return task.Usage("a plot is a .png, .svg or .pdf file, not %q", name)
}

// plotHistory draws the losses and the learning rate of a training to a file of the
// format that its name says.
func plotHistory(name string, h training.History) error {
	format := strings.ToLower(strings.TrimPrefix(filepath.Ext(name), "."))
	if len(h.Points) == 0 {
		return fmt.Errorf("there is nothing to plot: the training has made no validation")
	}
	train, valid := losses(h)
	loss, rate := hplot.New(), hplot.New()
	loss.Title.Text = "training"
	loss.Y.Label.Text = "loss [nats]"
	rate.X.Label.Text, rate.Y.Label.Text = "step", "learning rate"
	loss.Legend.Top = true
	loss.X.Tick.Marker, rate.X.Tick.Marker = hplot.Ticks{N: 6, Format: "%g"}, hplot.Ticks{N: 6, Format: "%g"}
	for _, l := range []struct {
		plot *hplot.Plot
		name string
		ink  color.Color
		of   func(i int) float64
	}{
		{loss, "training", color.NRGBA{R: 0x56, G: 0xB4, B: 0xE9, A: 0xFF}, func(i int) float64 { return train[i] }},
		{loss, "validation", color.NRGBA{R: 0xD5, G: 0x5E, B: 0x00, A: 0xFF}, func(i int) float64 { return valid[i] }},
		{rate, "", color.Black, func(i int) float64 { return h.Points[i].Rate }},
	} {
		points := make(plotter.XYs, len(h.Points))
		for i, p := range h.Points {
			points[i] = plotter.XY{X: float64(p.Step), Y: l.of(i)}
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return fmt.Errorf("could not draw the training: %w", err)
		}
		line.Color, line.Width = l.ink, vg.Points(1.2)
		l.plot.Add(line)
		if l.name != "" {
			l.plot.Legend.Add(l.name, line)
		}
	}
	kept, err := plotter.NewScatter(plotter.XYs{{X: float64(h.BestStep), Y: h.Best}})
	if err != nil {
		return fmt.Errorf("could not draw the training: %w", err)
	}
	if _, ok := h.Kept(); ok {
		kept.Color, kept.Radius = color.Black, vg.Points(2.5)
		loss.Add(kept)
		loss.Legend.Add(fmt.Sprintf("kept: %.4f", h.Best), kept)
	}

	figure := hplot.NewTiledPlot(draw.Tiles{Cols: 1, Rows: 2, PadY: vg.Points(4)})
	figure.Plots[0], figure.Plots[1] = loss, rate
	plot, err := hplot.WriterTo(hplot.Figure(figure, hplot.WithDPI(110)), 6*vg.Inch, 5*vg.Inch, format)
	if err != nil {
		return fmt.Errorf("could not draw the training: %w", err)
	}
	var buf bytes.Buffer
	if _, err := plot.WriteTo(&buf); err != nil {
		return fmt.Errorf("could not draw the training: %w", err)
	}
	return atomicfile.WriteFile(name, buf.Bytes())
}
