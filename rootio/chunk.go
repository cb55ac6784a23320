package rootio

// chunkSize returns the number of events of the columns that are in memory at a time unless
// told otherwise: fewer where there are many columns or long arrays.
func (t *Tree) chunkSize(columns []int) (int, error) {
	const (
		most   = 1 << 16 // events
		least  = 1 << 4
		values = 1 << 22
		probed = 1 << 4 // events at each of some places
	)
	scalars, arrays := 0, []int{}
	for _, c := range columns {
		if t.columns[c].IsJagged() {
			arrays = append(arrays, c)
		} else {
			scalars++
		}
	}
	perEvent := 0
	if len(arrays) > 0 {
		for _, at := range []int64{0, t.events / 2, t.events} {
			lo := max(0, min(at, t.events-probed))
			hi := min(lo+probed, t.events)
			table, n := NewTable(t.fieldsAt(arrays), int(hi-lo)), 0
			if err := t.scan(arrays, lo, hi, table, func(int) bool { return true }); err != nil {
				return 0, err
			}
			for _, j := range table.Jagged {
				n += j.Len()
			}
			perEvent = max(perEvent, n/max(1, int(hi-lo)))
		}
	}
	return max(least, min(most, values/max(1, scalars+perEvent))), nil
}
