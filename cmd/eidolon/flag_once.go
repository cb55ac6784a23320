package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// once is a flag of one value. Two different ones are an error: the last would win
// without a word. A flag of pairs, name=value, has one value for each name.
type once struct {
	pflag.Value
	hint string
	told map[string]string // the values by name; that of a flag without names is ""
}

// hints say what to do instead, where that is not plain.
var hints = map[string]string{
	"each":  "a model learns the objects of one collection: train one for each",
	"tree":  "run the command for one tree after the other",
	"where": "join the conditions with && into one",
}

// giveOnce makes each flag of one value of a command, and of all below it, refuse another.
func giveOnce(cmd *cobra.Command) {
	for _, flags := range []*pflag.FlagSet{cmd.Flags(), cmd.PersistentFlags()} {
		flags.VisitAll(func(f *pflag.Flag) {
			if _, list := f.Value.(pflag.SliceValue); list {
				return
			}
			if f.DefValue == "0s" { // pflag knows that it is no default only of its own type
				f.DefValue = "0"
			}
			f.Value = &once{Value: f.Value, hint: hints[f.Name], told: map[string]string{}}
		})
	}
	for _, c := range cmd.Commands() {
		giveOnce(c)
	}
}

// Set takes the value of the flag.
func (o *once) Set(text string) error {
	pairs := []string{text}
	if o.Type() == "stringToString" {
		pairs = strings.Split(text, ",")
	}
	for _, pair := range pairs {
		name, value := "", pair
		if o.Type() == "stringToString" {
			name, value, _ = strings.Cut(pair, "=")
		}
		before, ok := o.told[name]
		if ok && before != value {
			return o.twice(name, before)
		}
		o.told[name] = value
	}
	return o.Value.Set(text)
}

func (o *once) twice(name, before string) error {
	if name != "" {
		name = " for " + name
	}
	text := fmt.Sprintf("it is %q%s already", before, name)
	if o.hint != "" {
		text += "; " + o.hint
	}
	return errors.New(text)
}
