package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/eidolon-hep/eidolon/analysis/task"
	"github.com/eidolon-hep/eidolon/internal/printable"
	"github.com/eidolon-hep/eidolon/training"
)

// progress shows on standard error how a task goes: lines, and on a terminal a bar below them.
type progress struct {
	task.Progress
	out   io.Writer
	bar   *progressbar.ProgressBar // the one that is shown, if any
	stays bool                     // whether its last state stays, in a line of its own
	total int64                    // of what the bar counts
	drawn time.Time
}

func newProgress(cmd *cobra.Command) *progress {
	p := &progress{out: cmd.ErrOrStderr()}
	p.Log = func(line string) {
		p.finish()
		fmt.Fprintln(p.out, plain(line))
	}
	p.Training, p.Count = p.training, p.count
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

// training shows a bar on a terminal, a line for each validation elsewhere.
func (p *progress) training(s training.Status) {
	file, ok := terminal(p.out)
	if !ok {
		if s.Validated {
			fmt.Fprintf(p.out, "step %d/%d  %s events/s  loss %.4f  validation %.4f  best %.4f  %s left\n",
				s.Step, s.Steps, siFormat(s.EventsPerSecond), s.Train, s.Valid, s.Best, duration(s.Remaining))
		}
		return
	}
	isLast := s.Step >= s.Steps
	if time.Since(p.drawn) < 100*time.Millisecond && !isLast {
		return
	}
	p.drawn = time.Now()
	if p.bar == nil {
		p.stays = true
		p.bar = progressbar.NewOptions(1,
			progressbar.OptionSetWriter(file),
			progressbar.OptionSetWidth(20),
			progressbar.OptionSetPredictTime(false),
			progressbar.OptionSetElapsedTime(false),
			progressbar.OptionSpinnerType(14),
			progressbar.OptionThrottle(100*time.Millisecond),
		)
	}
	p.bar.ChangeMax(s.Steps)
	p.bar.Describe(fmt.Sprintf("%s ev/s  loss %.4f  valid %.4f  best %.4f  %s left", siFormat(s.EventsPerSecond), s.Train, s.Valid, s.Best, duration(s.Remaining)))
	_ = p.bar.Set(s.Step) // only draws
	if isLast {
		p.finish()
	}
}

// count shows on a terminal how many of all events are done.
func (p *progress) count(done, total int64) {
	file, ok := terminal(p.out)
	if !ok {
		return
	}
	if p.bar == nil || p.total != total {
		p.finish()
		p.total = total
		p.bar = progressbar.NewOptions64(total,
			progressbar.OptionSetWriter(file),
			progressbar.OptionSetWidth(20),
			progressbar.OptionShowCount(),
			progressbar.OptionShowIts(),
			progressbar.OptionSetItsString("events"),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish(),
		)
	}
	_ = p.bar.Set64(done) // only draws
	if done >= total {
		p.finish()
	}
}

// finish ends the bar.
func (p *progress) finish() {
	switch {
	case p.bar == nil:
	case p.stays:
		_ = p.bar.Exit()
		fmt.Fprintln(p.out)
	default:
		_ = p.bar.Clear()
	}
	p.bar, p.stays = nil, false
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
