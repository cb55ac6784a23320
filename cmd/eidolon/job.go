package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	_ "github.com/eidolon-hep/eidolon/analysis" // the components
	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/analysis/task"
	"github.com/eidolon-hep/eidolon/rootio"
)

func newJob() *cobra.Command {
	flagged := job.Job{EvtMax: -1, NProcs: -1}
	var set []string
	cmd := &cobra.Command{
		Use:   "job FILE",
		Short: "Run a job of go-hep's fwk: components, their properties and ports",
		Long: `Job runs the components that a YAML or JSON file lists, for each event: read a tree, draw
events from a model, simulate a detector with a conditional model, score, train, write a
tree.

  nprocs: 2
  components:
    - name: events
      type: TreeReader
      props: {Files: [generator.root], Where: true_e > 1, Batch: 1000, Entry: entry}
    - name: detector
      type: FastSim
      props: {Model: response.eidolon, Entry: entry, Seed: 7}
    - name: out
      type: TreeWriter
      props: {File: fast.root, Batch: true, Ports: [true_e, reco_e]}

A port carries the branch of the same name. With Batch: 1000 a reader passes on 1000 events at
a time, which is much faster. The result does not depend on --nprocs. If no Seed is given, a
random one is chosen and printed. If an output would replace an input or another output, this
is an error. If there is any error, no output is written. Each output stores the models and
seeds that were used (“eidolon info” shows them).

If a training is interrupted, its checkpoint stays. The same job then continues from there.`,
		Example: `  eidolon job job.yaml
  eidolon job job.yaml --evtmax 100 --nprocs 2
  eidolon job job.yaml --set 'events.Files=[a.root, b.root]' --set detector.Seed=$SLURM_ARRAY_TASK_ID`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error { return runJob(cmd, args[0], flagged, set) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.Var(wholeVar(&flagged.EvtMax, -1, rootio.MaxEntries), "evtmax", "process at most this number of events; -1: all")
	flags.Var(wholeVar(&flagged.NProcs, -1, 1024), "nprocs", "how many events, or batches of them, are processed at a time; -1: as many as there are processors")
	flags.StringVar(&flagged.MsgLevel, "msglevel", "WARN", "the lowest level of messages that are printed: DEBUG, INFO, WARN or ERROR")
	flags.StringArrayVar(&set, "set", nil, "give a property another value: component.Property=value")
	return cmd
}

// runJob runs the job of a file, with what flags say otherwise.
func runJob(cmd *cobra.Command, file string, flagged job.Job, set []string) error {
	j, err := job.Load(file)
	if err != nil {
		return err
	}
	flags := cmd.Flags()
	if flags.Changed("evtmax") {
		j.EvtMax = flagged.EvtMax
	}
	if flags.Changed("nprocs") {
		j.NProcs = flagged.NProcs
	}
	if flags.Changed("msglevel") {
		j.MsgLevel = flagged.MsgLevel
	}
	for _, s := range set {
		if err := j.Set(s); err != nil {
			return task.Usage("%w", err)
		}
	}
	start := time.Now()
	events, err := j.Run(cmd.Context())
	if err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	if wantJSON(cmd) {
		return printJSON(cmd, struct {
			Job     string  `json:"job"`
			Events  int64   `json:"events"`
			Seconds float64 `json:"seconds"`
		}{file, events, seconds})
	}
	var names []string
	for _, c := range j.Components {
		names = append(names, c.Name)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %d events through %s in %.1f s\n", file, events, strings.Join(names, ", "), seconds)
	return nil
}
