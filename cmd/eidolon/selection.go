package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/eidolon-hep/eidolon/rootio"
)

// addView adds the flags that say which rows there are.
func addView(cmd *cobra.Command, view *rootio.ViewOptions) {
	cmd.Flags().StringVar(&view.Each, "each", "", "one row per object of this collection: Jet for the branches Jet_…")
	cmd.Flags().StringVar(&view.Where, "where", "", "only rows for which this is true: 'pt > 20 && abs(eta) < 2.4'")
}

// addNoVerify adds the flag that leaves out the check of files.
func addNoVerify(cmd *cobra.Command, noVerify *bool) {
	cmd.Flags().BoolVar(noVerify, "no-verify", false, "do not compare the records of a file with each other before it is read")
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
