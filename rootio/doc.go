// Package rootio reads the scalar branches of ROOT trees as columns and writes
// columns as branches.
//
// [List] says what a file holds, [Open] opens a chain of files as one [Tree],
// and a Tree gives its events as a [Table]: all at once with [Tree.Read], or
// chunk by chunk, in memory that does not grow with the file, with
// [Tree.Chunks]. [Create] writes tables to a new file that appears under its
// name only when it is complete.
//
// A [Column] is one scalar branch: its [Field] (name and [Kind]) and one value
// per event. A branch with several leaves gives a column "branch.leaf" for
// each of them. Branches that hold arrays, strings or objects are listed with
// the reason why they are no column.
//
// A file is not believed until it has been checked: before events are read,
// every record is visited and every checksum that the file carries is compared
// with the data, so that a damaged file is an error and not a wrong number.
// Files are decoded by go-hep's groot; what it cannot decode comes back as an
// error that names the file, the tree and, where there is one, the entry.
package rootio
