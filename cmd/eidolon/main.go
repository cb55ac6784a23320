// Command eidolon learns the density of the events in a ROOT file and writes new
// events to a ROOT file.
//
// Run “eidolon help” for what it can do.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	_ "go-hep.org/x/hep/groot/riofs/plugin/http"   // files may be http(s)://…
	_ "go-hep.org/x/hep/groot/riofs/plugin/xrootd" // or root://…
)

// Exit codes.
const (
	exitError       = 1
	exitUsage       = 2
	exitInterrupted = 130 // 128 + SIGINT, as shells count
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop) // a second signal kills
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run runs the command line and returns the exit code. A panic, which would be
// our fault, becomes an error in one line.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(stderr, "eidolon: internal error: %v (please report it)\n", r)
			code = exitError
		}
	}()
	out := &sink{Writer: stdout}
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil && out.err != nil {
		err = fmt.Errorf("could not write to standard output: %w", out.err)
	}
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "eidolon: %v\n", err)
		return exitUsage
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		fmt.Fprintf(stderr, "eidolon: interrupted\n")
		return exitInterrupted
	}
	fmt.Fprintf(stderr, "eidolon: %v\n", err)
	return exitError
}

// sink remembers the first error of a writer.
type sink struct {
	io.Writer
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.Writer.Write(p)
	if err != nil && s.err == nil {
		s.err = err
	}
	return n, err
}

// usageError is an error in how the program was called.
type usageError struct{ error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "eidolon",
		Short: "Learn the events of a ROOT file and generate new ones",
		Long: `Eidolon learns the density of the events in a ROOT file (normalizing flows) and
writes new events to a ROOT file: no Python, no ROOT, one static binary.`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no command %q; “eidolon help” lists them", args[0])
			}
			return cmd.Help()
		},
		Args: cobra.ArbitraryArgs,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w; “%s --help” lists the flags", err, cmd.CommandPath())
	})
	root.PersistentFlags().Bool("json", false, "print one JSON object on standard output, and nothing else there")
	root.AddCommand(newTrain(), newGenerate(), newScore(), newCompare(), newReweight(), newInfo(), newJob(), newDemo(), newBench())
	giveOnce(root)
	return root
}

// noArgs refuses arguments beside the flags.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no argument %q; files are given by flags, see “%s --help”", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	return nil
}

// require checks that flags without a default were given.
func require(cmd *cobra.Command, flags ...string) error {
	for _, name := range flags {
		if f := cmd.Flags().Lookup(name); f.Value.String() == f.DefValue {
			return usagef("%s needs -%s: %s", cmd.CommandPath(), f.Shorthand, f.Usage)
		}
	}
	return nil
}

// keepApart checks that the output is none of the inputs, by whatever name.
func keepApart(output string, inputs ...string) error {
	out, err := os.Stat(output)
	if err != nil {
		return nil // there is no such file yet
	}
	for _, name := range inputs {
		if in, err := os.Stat(name); err == nil && os.SameFile(in, out) {
			return usagef("the output %s is the input %s: it would be lost", output, name)
		}
	}
	return nil
}

// wantJSON reports whether the flag --json was given.
func wantJSON(cmd *cobra.Command) bool {
	json, _ := cmd.Flags().GetBool("json")
	return json
}

// printJSON prints v as the one JSON object on standard output.
func printJSON(cmd *cobra.Command, v any) error {
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
