// Package analysis is the plug-in for fwk, the event-processing framework of go-hep:
// components that read and write ROOT trees, draw events from surrogates, use surrogates
// as a fast simulation, train them and ask them, beside the tasks of an analysis.
//
//	TreeReader   input stream    entries of a ROOT tree, one by one or in batches
//	Source       input stream    events drawn from a surrogate, as if read from a tree
//	FastSim      task            what a conditional surrogate draws for each event or object
//	Score        task            the log-density of each event or object
//	Map          task            the image of each event in the base distribution, and back
//	Reweight     task            weights with which the events are distributed as others
//	Train        task            a surrogate of what flows by, trained at the end of the job
//	TreeWriter   output stream   a ROOT tree, in the order of the events
//
// Importing the package registers them in fwk as
// github.com/eidolon-hep/eidolon/analysis.TreeReader and so on. Their properties are the
// exported fields of the types here; an input or output stream has the property Ports as
// well, as fwk has it.
//
// A port carries a column of a tree or of a surrogate, under its name: one number per
// event, of the type of the branch. An event of fwk may also be a batch of events
// (Batch), which costs a thousand times less per event; then ports carry slices, and all
// components here take these, too. What is drawn at random for an event depends on a
// seed and the number of the event alone: not on how many are processed at the same time
// (NProcs), and, with a port of entries (Entry), not on the batch.
//
// Package [github.com/eidolon-hep/eidolon/analysis/job] runs them: it ends jobs well that fwk
// itself would let hang, and writes output completely or not at all. “eidolon job” runs a job
// that is written in a file.
package analysis
