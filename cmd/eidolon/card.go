package main

import (
	"fmt"
	"os"
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
		value := fmt.Sprint(item.Value)
		if list, ok := item.Value.([]any); ok {
			parts := make([]string, len(list))
			for i, v := range list {
				parts[i] = fmt.Sprint(v)
			}
			value = strings.Join(parts, ",")
		}
		if err := cmd.Flags().Set(name, value); err != nil {
			return usagef("card %s: %w", file, err)
		}
	}
	return nil
}
