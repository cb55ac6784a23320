package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
)

// readCard sets the flags of cmd from a YAML file that holds values under the
// flags' long names. A flag on the command line has precedence.
func readCard(cmd *cobra.Command, file string) error {
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("could not read the card: %w", err)
	}
	var card yaml.MapSlice
	if err := yaml.Unmarshal(text, &card); err != nil {
		return fmt.Errorf("could not read the card %s: %s", file, strings.ReplaceAll(strings.TrimSpace(yaml.FormatError(err, false, false)), "\n", " "))
	}
	for _, item := range card {
		name := fmt.Sprint(item.Key)
		flag := cmd.Flags().Lookup(name)
		if flag == nil || name == "card" || name == "help" {
			return usagef("card %s: there is no setting %q; “%s --help” lists them", file, name, cmd.CommandPath())
		}
		if flag.Changed {
			continue
		}
		values := []any{item.Value}
		if list, ok := item.Value.([]any); ok {
			if !slices.Contains([]string{"strings", "stringSlice", "stringArray"}, flag.Value.Type()) {
				return usagef("card %s: setting %q must be one value", file, name)
			}
			values = list
		}
		for _, v := range values {
			switch v.(type) {
			case nil, yaml.MapSlice, map[string]any, []any:
				return usagef("card %s: setting %q must be a value or a list of values", file, name)
			}
			if err := cmd.Flags().Set(name, fmt.Sprint(v)); err != nil {
				return usagef("card %s: %w", file, err)
			}
		}
	}
	return nil
}
