package rootio

// describe returns the object of the tree, and adds the classes in it.
func (w *Writer) describe(offset int, classes map[string]bool) []byte {
	o := newObjectWriter(offset)
	total, file := int64(0), int64(0)
	for _, class := range []string{"TTree", "TBranch", "TNamed", "TObjArray"} {
		classes[class] = true
	}
	for _, b := range w.branches {
		total += b.total
		file += b.file
		if b.vector {
			classes["TBranchElement"], classes["TLeafElement"] = true, true
		} else {
			classes[rootTypes[b.kind].leaf] = true
		}
	}
	compression := w.out.opts.compression.setting()
	o.object(20, func() {
		o.named(w.name, w.title)
		o.lineAttributes()
		o.fillAttributes()
		o.markerAttributes()
		o.i64(w.events)
		o.i64(total)
		o.i64(file)
		o.i64(0) // saved
		o.i64(0) // flushed
		o.f64(1) // weight
		o.i32(0) // timer
		o.i32(25)
		o.i32(0) // update
		o.i32(defaultStarts)
		o.i32(0) // clusters
		o.i64(MaxEntries)
		o.i64(MaxEntries)
		o.i64(0)            // virtual size
		o.i64(-300_000_000) // autosave
		o.i64(-30_000_000)  // autoflush
		o.i64(1_000_000)    // estimate
		o.u8(0)             // ends of clusters
		o.u8(0)             // and their sizes
		o.features()
		o.array(len(w.branches), func(i int) { w.branches[i].write(o, compression) })
		o.array(len(w.branches), func(i int) { w.branches[i].writeLeaf(o) })
		for range 7 { // aliases, two of an index, its class, friends, user information, references
			o.null()
		}
	})
	return o.b
}
