package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/eidolon-hep/eidolon/analysis/task"
	"github.com/eidolon-hep/eidolon/bench/measure"
	"github.com/eidolon-hep/eidolon/internal/known"
)

func newBench() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure this machine and what is reached on it",
		Args:  cobra.ArbitraryArgs,
		RunE:  needsCommand,
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "kernels",
		Short: "Measure the kernels against the limits of the processor",
		Long: `Bench kernels measures what the processor can do at most (multiply-adds and
exponentials on registers, loads from the second cache), and then each kernel as
a part of its limit, on one thread and on two. A kernel and its limit are measured
in turn, in short windows, so that the part means something on a busy machine; the
best windows are compared, and beside that the median of the windows' ratios.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return benchKernels(cmd) },
	}, &cobra.Command{
		Use:   "flows",
		Short: "Measure training and sampling against the limits of the processor",
		Long: `Bench flows measures training, sampling and log-densities of flows of 8 features
and 8 coupling layers, on one thread and on two, and prints events per second
beside what the multiply-adds of the matrix products alone would allow.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			results, err := measure.Flows(cmd.Context(), showRow(cmd))
			if err != nil {
				return err
			}
			if wantJSON(cmd) {
				return printJSON(cmd, map[string]any{"flows": results})
			}
			return printRows(cmd.OutOrStdout(), results)
		},
	}, newBenchIO(), newBenchDiffusion())
	return cmd
}

func newBenchDiffusion() *cobra.Command {
	density, most, events := "moons", 100_000, 2000
	var plot string
	var speed bool
	cmd := &cobra.Command{
		Use:   "diffusion",
		Short: "Measure what limits the accuracy of kernel sums: their events and the solver",
		Long: `Bench diffusion measures what limits a diffusion without training (--model diffusion):
the number K of events that its kernel sums are over, and the solver of its equation. The
events come from a density that is known. It prints

- for each K, how far the model is from the truth: KL(truth ‖ model) in nats, if the equation is
  solved exactly. The bulk is the part of it from the half of the events where the density is
  largest. Beside it is what the default solver adds with 8 to 32 steps: the KL of its events
  from those of the exact solution. With “enough steps” that is less than the choice of the events;
- the power of K with which KL falls, and that of theory, K^(−4/(4+D)) in D dimensions. Theory is for
  places where the density is smooth and a kernel has many events, that is, for the bulk;
- for each solver and schedule, the error of x: the median distance of the end of a path from that of
  the exact solution, in standard deviations of the events; the order with which it falls; and how
  often a step evaluates q and how long it takes for 1000 events.

With --speed it measures speeds instead: the problem on which the training-free solver was
published, by its method, Heun's with 500 steps, and by default, to the same accuracy; whole paths
for 10⁴, 10⁵ and 10⁶ training events of 8 features, with what the tree leaves out and how
the cost grows; drawing from a denoiser, from a one-step map, and from one over a mixture of
normals, whose own equation is solved before the one pass. The memory is the heap at its peak.`,
		Example: `  eidolon bench diffusion --plot diffusion.png
  eidolon bench diffusion --density spirals --most 20000
  eidolon bench diffusion --speed`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			progress := func(what string) { fmt.Fprintf(cmd.ErrOrStderr(), "%s …\n", what) }
			if speed {
				for _, name := range []string{"density", "most", "plot"} {
					if cmd.Flags().Changed(name) {
						return task.Usage("--%s has no effect with --speed", name)
					}
				}
				return benchSpeed(cmd, events, progress)
			}
			if cmd.Flags().Changed("events") {
				return task.Usage("--events is for --speed; the numbers of events that are studied end at --most")
			}
			d, ok := known.Named(density)
			if !ok {
				return task.Usage("there is no known density %q: want one of %s", density, strings.Join(known.Names(), ", "))
			}
			if plot != "" {
				if err := checkPlot(plot); err != nil {
					return err
				}
			}
			a, err := measure.MeasureAccuracy(cmd.Context(), d, most, progress)
			if err != nil {
				return err
			}
			if plot != "" {
				if err := a.Plot(plot); err != nil {
					return err
				}
			}
			if wantJSON(cmd) {
				return printJSON(cmd, a)
			}
			return printAccuracy(cmd.OutOrStdout(), a)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&density, "density", density, "the known density: "+strings.Join(known.Names(), ", "))
	flags.Var(wholeVar(&most, 1000, 1e6), "most", "the largest number of events to study")
	flags.StringVar(&plot, "plot", "", "draw the results to this PNG, SVG or PDF file")
	flags.BoolVar(&speed, "speed", false, "measure speeds instead")
	flags.Var(wholeVar(&events, 1, 1e9), "events", "with --speed: generated events in the measurement of cost; 100000 take minutes")
	return cmd
}

// benchSpeed measures the speed of diffusions.
func benchSpeed(cmd *cobra.Command, events int, progress func(what string)) error {
	figures, err := measure.Diffusion(cmd.Context(), events, progress)
	if err != nil {
		return err
	}
	if wantJSON(cmd) {
		return printJSON(cmd, map[string]any{"diffusion": figures})
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
	for _, f := range figures {
		fmt.Fprintf(w, "%s\t%s\t%.4g %s\n", f.What, f.Shape, f.Value, f.Unit)
	}
	return w.Flush()
}

// printAccuracy prints what limits kernel sums.
func printAccuracy(out io.Writer, a *measure.Accuracy) error {
	fmt.Fprintf(out, "Kernel sums over K events of %s, %d dimensions\n\n", a.Density, a.Dim)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\t\t\tKL [nats]\t\tadded by the solver in so many steps\t\t")
	fmt.Fprint(w, "K\tsamples\tσ_min\tall\tbulk\t")
	for _, s := range a.Events[0].Solver {
		fmt.Fprintf(w, "%d\t", s.Steps)
	}
	fmt.Fprintln(w, "enough\ttraining [s]\tevents/s\t")
	for _, s := range a.Events {
		fmt.Fprintf(w, "%d\t%d\t%.4f\t%.4f ± %.4f\t%.4f ± %.4f\t", s.Events, s.Samples, s.Width, s.KL.Value, s.KL.Error, s.Bulk.Value, s.Bulk.Error)
		for _, c := range s.Solver {
			fmt.Fprintf(w, "%.4f ± %.4f\t", c.KL.Value, c.KL.Error)
		}
		enough := "more"
		if s.Enough > 0 {
			enough = fmt.Sprint(s.Enough)
		}
		fmt.Fprintf(w, "%s\t%.2g\t%.2g\t\n", enough, s.Seconds, s.Speed)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nKL falls as K^(%.2f ± %.2f), in the bulk as K^(%.2f ± %.2f); theory: K^(%.2f)\n",
		a.Slopes.KL.Value, a.Slopes.KL.Error, a.Slopes.Bulk.Value, a.Slopes.Bulk.Error, a.Slopes.Theory)

	fmt.Fprintf(out, "\nThe error of x by the number of steps, K = %d\n\n", a.SolverEvents)
	fmt.Fprint(w, "schedule\tsolver\torder\t")
	printed := func(s measure.StepsError) bool { return s.Steps&(s.Steps-1) == 0 } // 8, 16, …
	for _, s := range a.Solvers[0].Steps {
		if printed(s) {
			fmt.Fprintf(w, "%d\t", s.Steps)
		}
	}
	fmt.Fprintln(w, "q/step\tms/step\t")
	for _, e := range a.Solvers {
		fmt.Fprintf(w, "%v\t%v\t%.2f\t", e.Schedule, e.Method, e.Order)
		for _, s := range e.Steps {
			if printed(s) {
				fmt.Fprintf(w, "%.1e\t", s.Error)
			}
		}
		last := e.Steps[len(e.Steps)-1]
		fmt.Fprintf(w, "%.2f\t%.2f\t\n", float64(last.Evaluations)/float64(last.Steps), 1e3*e.Seconds)
	}
	return w.Flush()
}

func newBenchIO() *cobra.Command {
	events := 1_000_000
	cmd := &cobra.Command{
		Use:   "io",
		Short: "Measure how fast ROOT files are read",
		Long: `Bench io writes files of events with ten float columns, and of a quarter as many
events with up to 7 objects of five, and measures how fast they are read into memory:
by go-hep's groot alone, by eidolon, and by eidolon as it reads by default: it first compares
the records of the file with each other. They run in turn, five times; the best of each is shown, and
the median of the ratios.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			results, err := measure.IO(cmd.Context(), events, steps(cmd.ErrOrStderr()))
			if err != nil {
				return err
			}
			if wantJSON(cmd) {
				return printJSON(cmd, map[string]any{"io": results})
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', tabwriter.AlignRight)
			fmt.Fprintln(w, "million events/s\tMB\tgroot\teidolon\tratio\tchecked\t")
			for _, r := range results {
				fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%.2f\t%.1f\t%.2f\t\n", r.File, float64(r.Bytes)/1e6, r.Groot, r.Read, r.Ratio, r.Verified)
			}
			return w.Flush()
		},
	}
	cmd.Flags().Var(wholeVar(&events, 1000, 1e8), "events", "the number of events in a file")
	return cmd
}

// showRow shows on a terminal how far a benchmark is.
func showRow(cmd *cobra.Command) func(r measure.Result, done, total int) {
	show := steps(cmd.ErrOrStderr())
	return func(r measure.Result, done, total int) { show(r.Kernel, done, total) }
}

func benchKernels(cmd *cobra.Command) error {
	results, machine := measure.Kernels(cmd.Context(), showRow(cmd))
	if err := cmd.Context().Err(); err != nil {
		return err
	}
	if wantJSON(cmd) {
		return printJSON(cmd, struct {
			Machine measure.Machine  `json:"machine"`
			Kernels []measure.Result `json:"kernels"`
		}{machine, results})
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%s, %d threads\n", machine.CPU, machine.Threads)
	if !machine.AVX2 {
		fmt.Fprintln(out, "The kernels run in pure Go: no limits are known.")
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	for _, l := range machine.Limits {
		fmt.Fprintf(w, "%s\t%d thread\t%.4g\t%s\t\n", l.Name, l.Threads, l.Speed, l.Unit)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	return printRows(out, results)
}

func printRows(out io.Writer, results []measure.Result) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "what\tshape\tthreads\tspeed\tlimit\tunit\tof limit\tmedian\t")
	for _, r := range results {
		median := ""
		if r.Median > 0 {
			median = fmt.Sprintf("%.0f %%", 100*r.Median)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%.4g\t%.4g\t%s\t%.0f %%\t%s\t\n",
			r.Kernel, r.Shape, r.Threads, r.Speed, r.Limit, r.Unit, 100*r.Fraction, median)
	}
	return w.Flush()
}
