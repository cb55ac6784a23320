package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/eidolon-hep/eidolon/bench/measure"
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
	events := 2000
	cmd := &cobra.Command{
		Use:   "diffusion",
		Short: "Measure kernel sums, their solvers, the denoiser and the one-step map",
		Long: `Bench diffusion solves the problem on which the training-free solver was published by
its method, Heun's with 500 steps, and by default, to the same accuracy; then whole
paths for 10⁴, 10⁵ and 10⁶ training events of 8 features, with what the tree leaves out
and how the cost grows; then it draws from a denoiser, from a one-step map, and from one
over a mixture of normals, whose own equation is solved before the one pass. The memory
is the heap at its peak.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			figures, err := measure.Diffusion(cmd.Context(), events, func(what string) {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s …\n", what)
			})
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
		},
	}
	cmd.Flags().Var(wholeVar(&events, 1, 1e9), "events", "generated events in the measurement of cost; 100000 take minutes")
	return cmd
}

func newBenchIO() *cobra.Command {
	events := 1_000_000
	cmd := &cobra.Command{
		Use:   "io",
		Short: "Measure how fast ROOT files are read",
		Long: `Bench io writes files of events with ten float columns, and of a quarter as many
events with up to 7 objects of five, and measures how fast they are read into memory:
by go-hep's groot alone, by eidolon, and by eidolon with the check of all checksums that
comes first by default. They run in turn, five times; the best of each is shown, and
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
