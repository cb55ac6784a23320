package analysis

import (
	"strings"

	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/analysis/task"
	"github.com/eidolon-hep/eidolon/training"
)

// progressOf hands what a task says to the messages of a component: notes and warnings as
// warnings, all else as information.
func progressOf(ctx fwk.Context) task.Progress {
	return task.Progress{
		Log: func(line string) {
			warning, isWarning := strings.CutPrefix(line, "warning: ")
			if isWarning || strings.HasPrefix(line, "note: ") {
				ctx.Msg().Warnf("%s\n", warning)
			} else {
				ctx.Msg().Infof("%s\n", line)
			}
		},
		Training: func(s training.Status) {
			if s.Validated {
				ctx.Msg().Infof("step %d/%d  loss %.4f  validation %.4f  best %.4f\n", s.Step, s.Steps, s.Train, s.Valid, s.Best)
			}
		},
	}
}
