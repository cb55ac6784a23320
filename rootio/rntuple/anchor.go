package rntuple

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/zeebo/xxh3"
)

// Class is the class of an anchor in a ROOT file. ClassVersion is its version.
const (
	Class        = "ROOT::RNTuple"
	ClassVersion = 2
)

// anchor says where header and footer are. In a ROOT file it is an object with big-endian
// numbers, behind which its checksum follows.
type anchor struct {
	version                    [4]uint16 // epoch, major, minor, patch
	header, footer             locator
	headerLength, footerLength int64 // decompressed
	maxKeySize                 int64
}

const (
	anchorHead   = 4 + 2           // number of bytes that follow, version of the class
	anchorFields = 4*2 + 7*8       // and these
	byteCount    = uint32(1) << 30 // is set in a number of bytes
)

func readAnchor(b []byte) (a anchor, err error) {
	order := binary.BigEndian
	if len(b) < anchorHead+anchorFields {
		return a, errors.New("its anchor ends too early")
	}
	end := int64(order.Uint32(b)&^byteCount) + 4
	if epoch := order.Uint16(b[anchorHead:]); epoch != 1 {
		return a, fmt.Errorf("%w (epoch %d)", ErrVersion, epoch)
	}
	if end < anchorHead+anchorFields || end+checksumSize > int64(len(b)) {
		return a, errors.New("its anchor ends too early")
	}
	if xxh3.Hash(b[anchorHead:end]) != order.Uint64(b[end:]) {
		return a, errors.New("the checksum of its anchor is wrong")
	}
	b = b[anchorHead:]
	for i := range a.version {
		a.version[i] = order.Uint16(b[2*i:])
	}
	b = b[8:]
	for i, x := range []*int64{&a.header.pos, &a.header.size, &a.headerLength, &a.footer.pos, &a.footer.size, &a.footerLength, &a.maxKeySize} {
		*x = int64(order.Uint64(b[8*i:]))
	}
	return a, nil
}

// bytes returns the object of the anchor with its checksum.
func (a anchor) bytes() []byte {
	order := binary.BigEndian
	b := order.AppendUint32(nil, byteCount|(2+anchorFields))
	b = order.AppendUint16(b, ClassVersion)
	for _, v := range a.version {
		b = order.AppendUint16(b, v)
	}
	for _, x := range []int64{a.header.pos, a.header.size, a.headerLength, a.footer.pos, a.footer.size, a.footerLength, a.maxKeySize} {
		b = order.AppendUint64(b, uint64(x))
	}
	return order.AppendUint64(b, xxh3.Hash(b[anchorHead:]))
}
