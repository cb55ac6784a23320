package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/eidolon-hep/eidolon/internal/printable"
	"github.com/eidolon-hep/eidolon/training"
)

// progress shows how far a training is: a bar on a terminal, a line for each
// validation elsewhere.
type progress struct {
	out   io.Writer
	bar   *progressbar.ProgressBar // nil where there is no terminal
	drawn time.Time
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out}
	if out, ok := terminal(out); ok {
		p.bar = progressbar.NewOptions(1,
			progressbar.OptionSetWriter(out),
			progressbar.OptionSetWidth(20),
			progressbar.OptionSetPredictTime(false),
			progressbar.OptionSetElapsedTime(false),
			progressbar.OptionSpinnerType(14),
			progressbar.OptionThrottle(100*time.Millisecond),
		)
	}
	return p
}

// terminal returns the terminal that a writer writes to, if it is one: there we draw.
func terminal(out io.Writer) (*os.File, bool) {
	if w, ok := out.(printable.Writer); ok {
		out = w.Unwrap()
	}
	file, ok := out.(*os.File)
	return file, ok && term.IsTerminal(int(file.Fd()))
}

// counter shows how many events have been written, on a terminal.
type counter struct{ bar *progressbar.ProgressBar }

func newCounter(out io.Writer, total int64) counter {
	file, ok := terminal(out)
	if !ok {
		return counter{}
	}
	return counter{progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(file),
		progressbar.OptionSetWidth(20),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("events"),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)}
}

func (c counter) add(events int) {
	if c.bar != nil {
		_ = c.bar.Add(events) // only draws
	}
}

func (c counter) finish() {
	if c.bar != nil {
		_ = c.bar.Clear()
	}
}

// steps shows on a terminal, in a line that is gone at the end, which of so many steps
// has been done.
func steps(out io.Writer) func(what string, done, total int) {
	file, ok := terminal(out)
	if !ok {
		return func(string, int, int) {}
	}
	return func(what string, done, total int) {
		fmt.Fprintf(file, "\r%d/%d %-40s", done, total, what)
		if done == total {
			fmt.Fprintf(file, "\r%60s\r", "")
		}
	}
}

func (p *progress) show(s training.Status) {
	if p.bar == nil {
		if s.Validated {
			fmt.Fprintf(p.out, "step %d/%d  %s events/s  loss %.4f  validation %.4f  best %.4f  %s left\n",
				s.Step, s.Steps, siFormat(s.EventsPerSecond), s.Train, s.Valid, s.Best, duration(s.Remaining))
		}
		return
	}
	if time.Since(p.drawn) < 100*time.Millisecond {
		return
	}
	p.drawn = time.Now()
	p.bar.ChangeMax(s.Steps)
	p.bar.Describe(fmt.Sprintf("%s ev/s  loss %.4f  valid %.4f  best %.4f  %s left", siFormat(s.EventsPerSecond), s.Train, s.Valid, s.Best, duration(s.Remaining)))
	_ = p.bar.Set(s.Step) // only draws
}

// finish leaves the last state of the bar on a line of its own.
func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Exit()
		fmt.Fprintln(p.out)
	}
}

// siFormat writes a rate in three digits: 87.3k.
func siFormat(x float64) string {
	switch {
	case x >= 1e6:
		return fmt.Sprintf("%.3gM", x/1e6)
	case x >= 1e3:
		return fmt.Sprintf("%.3gk", x/1e3)
	}
	return fmt.Sprintf("%.3g", x)
}

// duration writes a time in whole seconds.
func duration(d time.Duration) string { return d.Round(time.Second).String() }
