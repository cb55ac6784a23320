package rootio

// clusterSize is fAutoFlush of the tree: the number of events of a cluster.
func (w *Writer) clusterSize() int64 {
	const none = -30_000_000 // what ROOT has before the first one ends
	switch {
	case w.cluster.events > 0:
		return w.cluster.events
	case w.events > 0:
		return w.events
	}
	return none
}

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
		classes[b.leafClass()] = true
		if b.vector {
			classes["TBranchElement"] = true
		}
	}
	compression := w.out.opts.compression.setting()
	o.object(20, func() {
		o.named(w.name, w.like.Title)
		o.lineAttributes()
		o.fillAttributes()
		o.markerAttributes()
		o.i64(w.events)
		o.i64(total)
		o.i64(file)
		o.i64(0)    // saved
		o.i64(file) // flushed
		o.f64(1)    // weight
		o.i32(0)    // timer
		o.i32(25)
		o.i32(0) // update
		o.i32(defaultStarts)
		o.i32(0) // clusters
		o.i64(MaxEntries)
		o.i64(MaxEntries)
		o.i64(0)            // virtual size
		o.i64(-300_000_000) // autosave
		o.i64(w.clusterSize())
		o.i64(1_000_000) // estimate
		o.u8(0)          // ends of clusters
		o.u8(0)          // and their sizes
		o.features()
		o.array(len(w.branches), func(i int) { w.branches[i].write(o, compression) })
		o.array(len(w.branches), func(i int) { w.branches[i].writeLeaf(o) })
		if aliases := w.like.Aliases; len(aliases) == 0 {
			o.null()
		} else {
			o.pointer("TList", nil, func() {
				o.list(len(aliases), func(i int) {
					o.pointer("TNamed", nil, func() { o.named(aliases[i].Name, aliases[i].Expression) })
				})
			})
		}
		for range 4 { // values of an index, their order, its class; friends
			o.null()
		}
		if objects := w.like.carried; len(objects) == 0 {
			o.null()
		} else {
			o.pointer("TList", nil, func() { o.list(len(objects), func(i int) { o.userObject(objects[i]) }) })
			for _, u := range objects {
				classes[u.class] = true
			}
		}
		o.null() // references
	})
	return o.b
}
