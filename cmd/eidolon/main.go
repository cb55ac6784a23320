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
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/analysis/task"
	"github.com/eidolon-hep/eidolon/internal/atomicfile"
	"github.com/eidolon-hep/eidolon/internal/nearest"
	"github.com/eidolon-hep/eidolon/internal/origin"
	"github.com/eidolon-hep/eidolon/internal/output"
	"github.com/eidolon-hep/eidolon/internal/panics"
	"github.com/eidolon-hep/eidolon/internal/printable"
	"github.com/eidolon-hep/eidolon/rootio"
)

// Exit codes beside 0. What the Go runtime ends by itself has 2.
const (
	exitError       = 1
	exitUsage       = 2
	exitInput       = 3
	exitPanic       = 70 // as sysexits.h has it, and the next two
	exitOutput      = 73
	exitTryAgain    = 75
	exitHangUp      = 128 + 1 // 128 + signal, as shells count
	exitInterrupted = 128 + 2
	exitReaderLeft  = 128 + 13
	exitTerminated  = 128 + 15
)

// exitCodes is the part of the help about them.
const exitCodes = `Exit codes: 0 success; 1 an error in the data or the program; 2 wrong usage; 3 an input or
a model is missing or damaged; 70 a bug in Eidolon, please report it; 73 the output cannot
be written; 75 a temporary problem, try again (a server that does not answer, or a
warning of the batch system by SIGUSR1 or SIGXCPU); 130 SIGINT; 143 SIGTERM.`

// kinds are the kinds of errors that have an exit code of their own. The first one that fits counts.
func kinds() []errorKind {
	return []errorKind{
		{exitPanic, isA[*panics.Error]},
		{exitUsage, is(task.ErrUsage)},
		{exitUsage, is(output.ErrRefused)},
		{exitOutput, is(atomicfile.ErrOutput)},
		{exitOutput, isA[stdoutError]},
		{exitOutput, is(syscall.ENOSPC)},
		{exitOutput, is(syscall.EDQUOT)},
		{exitOutput, is(syscall.EFBIG)},
		{exitOutput, is(syscall.EROFS)},
		{exitTryAgain, is(rootio.ErrUnreachable)},
		{exitInput, is(rootio.ErrDamaged)},
		{exitInput, is(surrogate.ErrNotModel)},
		{exitInput, is(surrogate.ErrDamaged)},
		{exitInput, is(surrogate.ErrVersion)},
		{exitInput, is(surrogate.ErrNotCheckpoint)},
		{exitInput, is(classify.ErrNotRatio)},
		{exitInput, is(fs.ErrNotExist)},
		{exitInput, is(fs.ErrPermission)},
		{exitInput, isA[*fs.PathError]},
	}
}

// exitCode returns the exit code of an error.
func exitCode(err error) int {
	for _, k := range kinds() {
		if k.has(err) {
			return k.code
		}
	}
	return exitError
}

type errorKind struct {
	code int
	has  func(error) bool
}

func is(kind error) func(error) bool {
	return func(err error) bool { return errors.Is(err, kind) }
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func main() {
	os.Exit(run(withSignals(context.Background()), os.Args[1:], os.Stdout, os.Stderr))
}

// run runs the command line and returns the exit code. A panic, which would be
// our fault, becomes an error in one line.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	fail := func(err error) { fmt.Fprintf(stderr, "eidolon: %s\n", printable.Text(plain(err.Error()))) }
	defer func() {
		if r := recover(); r != nil {
			fail(fmt.Errorf("internal error: %v (please report it)", r))
			code = exitPanic
		}
	}()
	out := &sink{Writer: printable.Writer{To: stdout}}
	root := newRoot()
	root.SetArgs(args)
	root.SetFlagErrorFunc(flagError(args))
	root.SetOut(out)
	root.SetErr(printable.Writer{To: stderr})
	err := root.ExecuteContext(ctx)
	if errors.Is(out.err, syscall.EPIPE) { // of “| head”, which has what it wanted
		return exitReaderLeft
	}
	if err == nil {
		err = out.err
	}
	if err == nil {
		return 0
	}
	code = exitCode(err)
	if ctx.Err() != nil {
		signal := stopSignals()[0]
		if s, ok := errors.AsType[stopSignal](context.Cause(ctx)); ok {
			signal = s
		}
		code = signal.code
		if errors.Is(err, ctx.Err()) {
			err = signal
		}
	}
	fail(err)
	return code
}

// sink remembers the first error of a writer.
type sink struct {
	io.Writer
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.Writer.Write(p)
	if err != nil {
		err = stdoutError{fmt.Errorf("could not write to standard output: %w", err)}
	}
	if err != nil && s.err == nil {
		s.err = err
	}
	return n, err
}

// stdoutError is an error of standard output.
type stdoutError struct{ error }

func (e stdoutError) Unwrap() error { return e.error }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "eidolon",
		Short: "Learn the events of a ROOT file and generate new ones",
		Long: `Eidolon learns the density of the events in a ROOT file, with normalizing flows or
diffusion models, and writes new events to a ROOT file. It needs neither Python nor ROOT.

` + exitCodes,
		Version:       origin.Build(),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          needsCommand,
		Args:          cobra.ArbitraryArgs,
	}
	root.PersistentFlags().Bool("json", false, "print one JSON object on standard output, and nothing else there")
	root.AddCommand(newTrain(), newGenerate(), newScore(), newMap(), newCompare(), newReweight(), newInfo(), newJob(), newDemo(), newBench())
	giveOnce(root)
	return root
}

// flagError returns the error about a flag that could not be read, or about the word before it
// that should have been a command.
func flagError(args []string) func(cmd *cobra.Command, err error) error {
	return func(cmd *cobra.Command, err error) error {
		if !cmd.HasParent() && !strings.HasPrefix(args[0], "-") {
			return unknownCommand(cmd, args[0])
		}
		hint := ""
		if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
			var known []string
			cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, "--"+f.Name) })
			hint = nearest.Hint("--"+unknown.GetSpecifiedName(), known)
		}
		return task.Usage("%w%s; “%s --help” lists the flags", err, hint, cmd.CommandPath())
	}
}

// unknownCommand says that a command has no such command below it, and which is near.
func unknownCommand(cmd *cobra.Command, name string) error {
	var known []string
	for _, c := range cmd.Commands() {
		known = append(known, c.Name())
	}
	return task.Usage("%s has no command %q%s; “%s --help” lists them", cmd.CommandPath(), name, nearest.Hint(name, known), cmd.CommandPath())
}

// needsCommand is what a command does that is there for those below it.
func needsCommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return unknownCommand(cmd, args[0])
	}
	return cmd.Help()
}

// oneFile refuses all arguments but one.
func oneFile(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return task.Usage("%s takes one file, not %d", cmd.Name(), len(args))
	}
	return nil
}

// noArgs refuses arguments beside the flags.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return task.Usage("%s takes no argument %q; files are given by flags, see “%s --help”", cmd.CommandPath(), args[0], cmd.CommandPath())
	}
	return nil
}

// require checks that flags without a default were given.
func require(cmd *cobra.Command, flags ...string) error {
	for _, name := range flags {
		if f := cmd.Flags().Lookup(name); f.Value.String() == f.DefValue {
			return task.Usage("%s needs -%s: %s", cmd.CommandPath(), f.Shorthand, f.Usage)
		}
	}
	return nil
}

// wantJSON reports whether the flag --json was given.
func wantJSON(cmd *cobra.Command) bool {
	json, _ := cmd.Flags().GetBool("json")
	return json
}

// do does a task, and prints what came of it: as JSON, or by text.
func do[O, R any](cmd *cobra.Command, it func(context.Context, O, task.Progress) (R, error), options O, text func(io.Writer, R) error) error {
	show := newProgress(cmd)
	result, err := it(cmd.Context(), options, show.Progress)
	show.finish()
	switch {
	case err != nil:
		return err
	case wantJSON(cmd):
		return printJSON(cmd, result)
	}
	return text(cmd.OutOrStdout(), result)
}

// printJSON prints v as the one JSON object on standard output.
func printJSON(cmd *cobra.Command, v any) error {
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
