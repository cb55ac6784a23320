// Package task has the tasks of Eidolon as functions from files to files: [Train],
// [Generate], [Score], [Compare], [Reweight], [Demo] and [Example]. The command eidolon and the
// components of fwk are thin callers of these.
//
// A task checks its options and outputs before it reads anything. It writes an output under
// a temporary name and renames it when it is complete. What is asked for by mistake is an
// error that wraps [ErrUsage] or output.ErrRefused; nothing was written then.
package task

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/internal/origin"
	"github.com/eidolon-hep/eidolon/internal/output"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// chunk is the number of events that are in memory at a time.
const chunk = 1 << 16

// Progress is told how a task goes. Functions that are nil are not called. They are called
// one at a time.
type Progress struct {
	// Log is told what was found and decided, in one line without its end. What a user
	// should know begins with "note: ", what may be wrong with "warning: ".
	Log func(line string)
	// Training is told how far a training is, after each step.
	Training func(training.Status)
	// Count is told how many events, or per cent of the work, are done. The next call with
	// another total is of other work.
	Count func(done, total int64)
}

func (p Progress) logf(format string, args ...any) {
	if p.Log != nil {
		p.Log(fmt.Sprintf(format, args...))
	}
}

func (p Progress) count(done, total int64) {
	if p.Count != nil {
		p.Count(done, total)
	}
}

// percent counts the part of a work that is done in per cent.
func (p Progress) percent(done float64) { p.count(int64(100*done), 100) }

// ErrUsage is wrapped by errors about options that are wrong, or do not go together.
var ErrUsage = errors.New("wrong usage")

// usageError is an error that needs not name its kind.
type usageError struct{ error }

func (e usageError) Is(kind error) bool { return kind == ErrUsage }
func (e usageError) Unwrap() error      { return e.error }

// Usage returns an error that wraps [ErrUsage]. Its text is that of [fmt.Errorf].
func Usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// open opens a chain of files.
func open(ctx context.Context, noVerify bool, tree string, files []string) (*rootio.Tree, error) {
	if len(files) == 0 {
		return nil, Usage("there are no files to read")
	}
	return rootio.OpenOptions{NoVerify: noVerify}.Open(ctx, tree, files...)
}

// define takes the definitions out of a list of names: of “m=a+b” it leaves m, and adds the
// definition to those of the view.
func define(view *rootio.ViewOptions, names []string) []string {
	var plain []string
	for _, item := range names {
		if name, _, ok := rootio.SplitDefinition(item); ok {
			view.Define = append(view.Define, item)
			item = name
		}
		plain = append(plain, item)
	}
	return plain
}

// viewFor returns the view of a tree that has the named columns of a model, computed ones
// too. What the tree has already is not computed, which is logged.
func viewFor(in *rootio.Tree, options rootio.ViewOptions, names []string, p Progress) (*rootio.View, error) {
	for _, item := range options.Define {
		name, _, _ := rootio.SplitDefinition(item)
		if slices.Contains(names, name) && has(in.AllFields(), name) {
			p.logf("%s is a branch of %s: it is not computed again (%s)", name, in.Files()[0], item)
		}
	}
	return in.View(in.Needed(options, names))
}

// has reports whether there is a field of that name.
func has(fields []rootio.Field, name string) bool {
	return slices.ContainsFunc(fields, func(f rootio.Field) bool { return f.Name == name })
}

// union appends the names that are not among the others.
func union(names, more []string) []string {
	for _, name := range more {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// source names what events were read from. Entries that an error speaks of count
// along all files.
func source(files []string, tree string) string {
	if len(files) == 1 {
		return fmt.Sprintf("%s, tree %q", files[0], tree)
	}
	return fmt.Sprintf("%s as one chain, tree %q", strings.Join(files, ","), tree)
}

// treeName is the name of a tree without its cycle. Directories are part of it.
func treeName(full string) string {
	name, _, _ := strings.Cut(strings.Trim(full, "/"), ";")
	if name == "" {
		return "Events"
	}
	return name
}

// freeName returns a name that no field has: the given one, or with _2, _3, … after it.
func freeName(name string, fields []rootio.Field) string {
	free := name
	for k := 2; has(fields, free); k++ {
		free = fmt.Sprintf("%s_%d", name, k)
	}
	return free
}

// abbreviate joins the first n names and says how many more there are.
func abbreviate(names []string, n int) string {
	if len(names) <= n {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:n], ", "), len(names)-n)
}

// upTo returns 0, 1, …, n−1.
func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// CheckOutput checks that a ROOT file can be written, and that nothing of the user's is lost by
// it: see [output.Check]. It is none of the inputs, and none of the files that a model among
// these was trained on, unless that was drawn from a model itself.
func CheckOutput(ctx context.Context, file string, inputs ...string) error {
	if err := output.Check(file, output.ROOT, inputs...); err != nil {
		return err
	}
	if _, err := os.Stat(file); err != nil {
		return nil // there is no such file yet
	}
	isFile := func(name string) bool { return output.Same(name, file) }
	for _, input := range inputs {
		for _, trained := range surrogate.TrainedOn(input) {
			if !slices.ContainsFunc(output.Local(trained), isFile) {
				continue
			}
			if from, err := origin.Of(ctx, file); err != nil || from == nil {
				return output.Refuse("the model %s was trained on %s, which would be lost: give the output another name", input, file)
			}
		}
	}
	return nil
}
