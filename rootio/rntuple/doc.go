// Package rntuple reads and writes RNTuples, the columnar format that follows TTree in ROOT 7.
//
// [Open] reads the description of a tuple from an [io.ReaderAt]; its [Leaf]s are the fields of
// numbers, and a [Reader] gives the values of one of them, a range of entries at a time. A
// [Writer] makes a tuple of columns that grow. Where the bytes of a tuple are kept is the
// business of others: a ROOT file keeps them in records of the class RBlob, and the anchor, by
// which all else is found, in one of the class ROOT::RNTuple. So is compression, see [Inflate] and [Deflate].
//
// The format is that of the "RNTuple Binary Format Specification", version 1.0
// (https://github.com/root-project/root/blob/master/tree/ntuple/doc/BinaryFormatSpecification.md).
// A file is not believed: every size is compared with that of the file before memory is asked
// for, every checksum is compared with the data, and what contradicts itself is an error.
package rntuple

// Where things are. envelope.go: the blocks that descriptions are made of. anchor.go, schema.go
// and cluster.go: where the rest is, fields and columns, clusters and their pages. element.go:
// how numbers lie in a page. leaf.go: the fields of numbers; reader.go: their values. writer.go:
// all of it in the other direction.
