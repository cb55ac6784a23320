package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/eidolon-hep/eidolon/internal/bench"
)

func newBench() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure this machine and what is reached on it",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no benchmark %q; “eidolon bench --help” lists them", args[0])
			}
			return cmd.Help()
		},
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
	})
	return cmd
}

func benchKernels(cmd *cobra.Command) error {
	progress := cmd.ErrOrStderr()
	results, machine := bench.Kernels(cmd.Context(), func(r bench.Result, done, total int) {
		fmt.Fprintf(progress, "\r%d/%d %-40s", done, total, r.Kernel)
		if done == total {
			fmt.Fprintf(progress, "\r%60s\r", "")
		}
	})
	if err := cmd.Context().Err(); err != nil {
		return err
	}
	if wantJSON(cmd) {
		return printJSON(cmd, struct {
			Machine bench.Machine  `json:"machine"`
			Kernels []bench.Result `json:"kernels"`
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
	fmt.Fprintln(w)
	fmt.Fprintln(w, "kernel\tshape\tthreads\tspeed\tlimit\tunit\tof limit\tmedian\t")
	for _, r := range results {
		fmt.Fprintf(w, "%s\t%s\t%d\t%.4g\t%.4g\t%s\t%.0f %%\t%.0f %%\t\n",
			r.Kernel, r.Shape, r.Threads, r.Speed, r.Limit, r.Unit, 100*r.Fraction, 100*r.Median)
	}
	return w.Flush()
}
