package analysis

import (
	"fmt"
	"reflect"

	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/internal/origin"
)

// numbering says which number each row of an event has: what is drawn for a row
// depends on the seed and on that number alone.
//
// The number of an event is that of fwk, or what a port of entries says ([TreeReader]
// and [Source] have one). It is the number of the row when there is one; element i of
// a slice has number·2²⁰ + i. In batches each row has an entry of its own in the port,
// so that it does not matter how the rows are cut.
type numbering struct {
	port string
	typ  reflect.Type // of the port: int64, or []int64 in batches
}

// elementBits says how many elements of an event can be numbered, and how many rows a batch
// may have.
const (
	elementBits = 20
	mostInBatch = 1 << elementBits
)

// drawSeed draws a seed where none is given.
func drawSeed(seed *uint64, isDrawn *bool) {
	if *seed == 0 {
		*seed, *isDrawn = origin.DrawSeed(), true
	}
}

func (n numbering) rows(ctx fwk.Context, rows int, sliced bool) ([]uint64, error) {
	numbers := make([]uint64, rows)
	first := uint64(ctx.ID())
	if n.port != "" {
		v, err := ctx.Store().Get(n.port)
		if err != nil {
			return nil, err
		}
		switch v := v.(type) {
		case int64:
			first = uint64(v)
		case []int64:
			if rows != len(v) {
				return nil, fmt.Errorf("port %q has %d entries for %d rows", n.port, len(v), rows)
			}
			for i, e := range v {
				numbers[i] = uint64(e)
			}
			return numbers, nil
		default:
			return nil, fmt.Errorf("port %q holds a %T, not the number of an entry", n.port, v)
		}
	}
	if sliced {
		if rows > 1<<elementBits {
			return nil, fmt.Errorf("there are %d rows in an event, at most %d can be numbered: read a port of entries", rows, 1<<elementBits)
		}
		first <<= elementBits
	}
	for i := range numbers {
		numbers[i] = first + uint64(i)
	}
	return numbers, nil
}
