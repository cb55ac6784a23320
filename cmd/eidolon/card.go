package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/spf13/cobra"

	"github.com/eidolon-hep/eidolon/analysis/task"
	"github.com/eidolon-hep/eidolon/internal/yamlfile"
)

// asWritten returns the whole numbers of a card as they stand there, by name: YAML takes 010
// for eight.
func asWritten(text []byte) map[string]string {
	all := map[string]string{}
	file, err := parser.ParseBytes(text, 0)
	if err != nil || len(file.Docs) == 0 {
		return all
	}
	if card, ok := file.Docs[0].Body.(ast.MapNode); ok {
		for item := card.MapRange(); item.Next(); {
			if n, ok := item.Value().(*ast.IntegerNode); ok {
				all[item.Key().String()] = n.GetToken().Value
			}
		}
	}
	return all
}

// readCard sets the flags of cmd from a YAML file that holds values under the
// flags' long names. A flag on the command line has precedence.
func readCard(cmd *cobra.Command, file string) error {
	if file == "" {
		return nil
	}
	text, err := yamlfile.Read(file)
	if err != nil {
		return fmt.Errorf("could not read the card: %w", err)
	}
	var card yaml.MapSlice
	if err := yamlfile.Decode(text, &card); err != nil {
		return fmt.Errorf("could not read the card %s: %s", file, strings.ReplaceAll(strings.TrimSpace(yaml.FormatError(err, false, false)), "\n", " "))
	}
	digits := asWritten(text)
	for _, item := range card {
		name := fmt.Sprint(item.Key)
		flag := cmd.Flags().Lookup(name)
		if flag == nil || name == "card" || name == "help" {
			return task.Usage("card %s: there is no setting %q; “%s --help” lists them", file, name, cmd.CommandPath())
		}
		if flag.Changed {
			continue
		}
		values := []any{item.Value}
		kind := flag.Value.Type()
		switch v := item.Value.(type) {
		case []any:
			if !slices.Contains([]string{"strings", "stringSlice", "stringArray"}, kind) {
				return task.Usage("card %s: setting %q must be one value", file, name)
			}
			values = v
		case map[string]any:
			if kind == "stringToString" {
				values = nil
				for _, key := range slices.Sorted(maps.Keys(v)) {
					if _, list := v[key].([]any); list {
						return task.Usage("card %s: setting %q must have one value for %q", file, name, key)
					}
					values = append(values, fmt.Sprintf("%s=%v", key, v[key]))
				}
			}
		}
		for _, v := range values {
			switch v.(type) {
			case nil, map[string]any, []any:
				return task.Usage("card %s: setting %q must be a value or a list of values", file, name)
			}
			value := fmt.Sprint(v)
			if text, ok := digits[name]; ok {
				value = text
			}
			if err := cmd.Flags().Set(name, value); err != nil {
				return task.Usage("card %s: %w", file, err)
			}
		}
	}
	return nil
}
