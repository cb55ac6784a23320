package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/rootio"
)

// chunk is the number of events that are in memory at a time.
const chunk = 1 << 16

type generateFlags struct {
	model  string
	n      int64
	seed   uint64
	tree   string
	output string
}

func newGenerate() *cobra.Command {
	var f generateFlags
	cmd := &cobra.Command{
		Use:   "generate -m MODEL -n N -o OUT.root",
		Short: "Draw new events from a model",
		Long: `Generate draws events from a model and writes them to a ROOT file, with the
names, the order and the types of the branches that the model was trained on.

Event i depends on the seed and on i alone: the same seed gives the same events.
Events that fall outside the range of the training events are drawn again; how
many did is printed.`,
		Example: `  eidolon generate -m zmumu.eidolon -n 1000000 -o new.root
  eidolon generate -m zmumu.eidolon -n 1000000 --seed $SLURM_ARRAY_TASK_ID -o new.root`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := require(cmd, "model", "number", "output"); err != nil {
				return err
			}
			if f.n < 0 {
				return usagef("the number of events cannot be %d", f.n)
			}
			return f.run(cmd)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&f.model, "model", "m", "", "the model file")
	flags.Int64VarP(&f.n, "number", "n", 0, "the number of events to generate")
	flags.StringVarP(&f.output, "output", "o", "", "the ROOT file to write")
	flags.Uint64Var(&f.seed, "seed", 1, "the seed of the events")
	flags.StringVarP(&f.tree, "tree", "t", "", "the name of the tree to write (default: that of the training events)")
	return cmd
}

func (f *generateFlags) run(cmd *cobra.Command) error {
	model, err := surrogate.Load(f.model)
	if err != nil {
		return err
	}
	start := time.Now()
	tails, err := f.generate(cmd, model)
	if err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	if wantJSON(cmd) {
		return printJSON(cmd, struct {
			Output  string  `json:"output"`
			Events  int64   `json:"events"`
			Seed    uint64  `json:"seed"`
			Redrawn int64   `json:"redrawn"`
			Clipped int64   `json:"clipped"`
			Seconds float64 `json:"seconds"`
		}{f.output, f.n, f.seed, tails.Redrawn, tails.Clipped, seconds})
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %d events (%s events/s); outside the range of the training events: %d drawn again, %d clipped\n",
		f.output, f.n, siFormat(float64(f.n)/seconds), tails.Redrawn, tails.Clipped)
	return nil
}

// treeName is the name of a tree without directory and cycle.
func treeName(full string) string {
	name, _, _ := strings.Cut(full[strings.LastIndex(full, "/")+1:], ";")
	if name == "" {
		return "Events"
	}
	return name
}

// generate writes the events, chunk by chunk.
func (f *generateFlags) generate(cmd *cobra.Command, model *surrogate.Surrogate) (tails surrogate.Tails, err error) {
	tree := f.tree
	if tree == "" {
		tree = treeName(model.Card.Tree)
	}
	w, err := rootio.Create(f.output, tree, model.Features.Fields())
	if err != nil {
		return tails, err
	}
	defer w.Abort()
	table := rootio.NewTable(model.Features.Fields(), int(min(chunk, f.n)))
	for first := int64(0); first < f.n; first += chunk {
		if err := cmd.Context().Err(); err != nil {
			return tails, err
		}
		part := table.Slice(0, int(min(chunk, f.n-first)))
		t := model.Generate(part, f.seed, uint64(first))
		tails.Redrawn += t.Redrawn
		tails.Clipped += t.Clipped
		if err := w.Write(part); err != nil {
			return tails, err
		}
	}
	return tails, w.Close()
}
