package rootio

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"go-hep.org/x/hep/groot/rdict"
	"go-hep.org/x/hep/groot/riofs"
)

// leafClasses are the classes that ROOT describes leaves with.
var leafClasses = [...]string{
	Bool: "TLeafO", Int8: "TLeafB", Uint8: "TLeafB", Int16: "TLeafS", Uint16: "TLeafS",
	Int32: "TLeafI", Uint32: "TLeafI", Int64: "TLeafL", Uint64: "TLeafL",
	Float32: "TLeafF", Float64: "TLeafD",
}

// addStreamers adds the layout of the classes of leaves and branches to the file. ROOT knows
// them by heart, other readers do not: without them JSROOT takes unsigned
// integers for signed ones.
//
// groot leaves these layouts out, and its RegisterStreamer refuses those that
// groot itself knows. So each is registered under a name that groot has never
// seen and replaced in the list that the file shares.
func addStreamers(file *riofs.File, fields []Field) error {
	var classes []string
	for _, f := range fields {
		if f.Counter == Vector {
			classes = append(classes, "TLeafElement", "TBranchElement")
		} else {
			classes = append(classes, leafClasses[f.Kind])
		}
	}
	slices.Sort(classes)
	for _, class := range slices.Compact(classes) {
		layout, err := rdict.StreamerInfos.StreamerInfo(class, -1)
		if err != nil {
			return fmt.Errorf("no layout of class %s: %w", class, err)
		}
		n := len(file.StreamerInfos())
		file.RegisterStreamer(rdict.NewStreamerInfo(fmt.Sprintf("place holder %016x", rand.Uint64()), 1, nil))
		infos := file.StreamerInfos()
		if len(infos) != n+1 {
			return errors.New("groot did not take the layout of class " + class)
		}
		infos[n] = layout
	}
	return nil
}
