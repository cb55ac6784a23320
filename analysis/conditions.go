package analysis

import (
	"sync"

	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/rootio"
)

// conditions are those that a task has asked its surrogate about. It counts those that the
// training events did not have.
type conditions struct {
	mu     sync.Mutex
	strays features.Strays
}

// reset begins to count.
func (c *conditions) reset() { c.strays = features.Strays{} }

// admit returns the rows that the surrogate can be asked about: see
// [features.Context.Admit].
func (c *conditions) admit(model *surrogate.Surrogate, rows *rootio.Table, outside string, entries []uint64) (features.Admitted, error) {
	admitted, err := model.Context.Admit(rows, features.Outside(outside), entries)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.strays.Add(admitted.Strays)
	return admitted, err
}

// say says how many conditions the training events did not have, and more about these.
func (c *conditions) say(ctx fwk.Context, more string) {
	if c.strays.Outside > 0 {
		ctx.Msg().Warnf("%v%s\n", c.strays, more)
	}
}
