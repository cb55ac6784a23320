// Package rootio reads branches of ROOT trees as columns and writes columns as
// branches. A tree is a TTree or an RNTuple.
//
// [List] says what a file holds, [Open] opens a chain of files as one [Tree],
// and a Tree gives its events as a [Table]: all at once with [Tree.Read], or
// chunk by chunk, in memory that does not grow with the file, with
// [Tree.Chunks]. [Create] writes tables to a new file that appears under its
// name only when it is complete.
//
// A [Column] has a [Field] (name and [Kind]) and one value per event. A scalar
// branch gives one column; a branch with several leaves a column "branch.leaf" for
// each of them; a branch of fixed arrays x[3] the columns x_0, x_1 and x_2, which
// are written as x[3] again. Branches with a varying number of values per event,
// counted arrays and std::vectors, are [Jagged] columns, which are read if they
// are asked for. Branches that hold texts or objects are listed with the reason
// why they are no column.
//
// A file is not believed until it has been checked: before events are read,
// every record is visited and every checksum that the file carries is compared
// with the data, so that a damaged file is an error and not a wrong number. (The
// Adler-32 of zlib is weak where a column has two values and many events; that of a
// file without compression is none.) Numbers are then read a basket at a time. What
// cannot be decoded comes back as an error that names the file, the tree and, where there
// is one, the entry.
package rootio

// Where things are. Tables: kind.go (kinds of numbers, and what ROOT calls them), column.go.
// Reading: file.go and remote.go open, record.go and bytes.go are the layout of a file,
// verify.go and inflate.go compare checksums, object.go, treerecord.go and classes.go decode
// the description of a tree, branch.go makes columns of its branches, basket.go and low_precision.go
// decode values, source.go is what a tree needs of either format, tuple.go the other one of them, tree.go, scan.go and chunk.go hand them out. Views: view.go, per_event.go.
// Writing, in the same order: create.go, newfile.go, deflate.go, objectwriter.go,
// treewriter.go, branchwriter.go; histograms.go.
