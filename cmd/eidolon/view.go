package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/eidolon-hep/eidolon/rootio"
)

// viewFlags say how events are read.
type viewFlags struct {
	options  rootio.ViewOptions
	noVerify bool
}

// add adds the flags that say which rows there are, and how files are opened.
func (v *viewFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&v.options.Each, "each", "", "one row per object of this collection: Jet for the branches Jet_…")
	flags.StringVar(&v.options.Where, "where", "", "only rows for which this is true: 'pt > 20 && abs(eta) < 2.4'")
	v.addNoVerify(cmd)
}

// addNoVerify adds the flag that leaves out the check of files.
func (v *viewFlags) addNoVerify(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&v.noVerify, "no-verify", false, "do not compare the checksums of files before they are read")
}

// open opens a chain of files.
func (v *viewFlags) open(ctx context.Context, tree string, files []string) (*rootio.Tree, error) {
	return rootio.OpenOptions{NoVerify: v.noVerify}.Open(ctx, tree, files...)
}

// define takes the definitions out of a list of names: of “m=a+b” it leaves m, and
// adds it to the columns of the view.
func (v *viewFlags) define(names []string) []string {
	var plain []string
	for _, item := range names {
		if name, _, ok := rootio.SplitDefinition(item); ok {
			v.options.Define = append(v.options.Define, item)
			item = name
		}
		plain = append(plain, item)
	}
	return plain
}

// ofModel returns the view of a tree that has the named columns of a model, computed ones
// too. What the tree has already is not computed, which is said.
func ofModel(in *rootio.Tree, options rootio.ViewOptions, names []string, say io.Writer) (*rootio.View, error) {
	for _, item := range options.Define {
		name, _, _ := rootio.SplitDefinition(item)
		if slices.Contains(names, name) && has(in, name) {
			fmt.Fprintf(say, "%s is a branch of %s: it is not computed again (%s)\n", name, in.Files()[0], item)
		}
	}
	return in.View(in.Needed(options, names))
}

// has reports whether a tree has a column of that name.
func has(in *rootio.Tree, name string) bool {
	return slices.ContainsFunc(in.AllFields(), func(f rootio.Field) bool { return f.Name == name })
}

// list is a flag of several values with commas between them. A comma in brackets is
// part of a value, as in “r=hypot(x,y)”.
type list struct {
	values  *[]string
	changed bool
}

func (l *list) Type() string { return "strings" }

func (l *list) String() string {
	if l.values == nil {
		return ""
	}
	return strings.Join(*l.values, ",")
}

// Append, Replace and GetSlice make it a pflag.SliceValue, so that a card may have a
// list of values.
func (l *list) Append(value string) error { return l.Set(value) }

func (l *list) Replace(values []string) error {
	*l.values, l.changed = slices.Clone(values), true
	return nil
}

func (l *list) GetSlice() []string { return *l.values }

func (l *list) Set(text string) error {
	if !l.changed {
		*l.values, l.changed = nil, true
	}
	depth, start := 0, 0
	for i, r := range text + "," {
		switch {
		case strings.ContainsRune("([{", r):
			depth++
		case strings.ContainsRune(")]}", r):
			depth--
		case r == ',' && depth <= 0:
			*l.values = append(*l.values, strings.TrimSpace(text[start:i]))
			start = i + 1
		}
	}
	if start < len(text) { // a bracket that is not closed: the parser will say so
		*l.values = append(*l.values, text[start:])
	}
	return nil
}
