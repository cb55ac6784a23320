// Package safetensors reads and writes files of named float32 tensors with text
// metadata in the safetensors format: eight bytes of header length, a JSON
// header, the numbers. Such a file holds no code, and every size in it is checked
// against the size of the file before memory is asked for.
package safetensors

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// Tensor is a named array of any shape, row-major.
type Tensor struct {
	Name  string
	Shape []int
	Value []float32
}

// ErrFormat says that a file is not a safetensors file.
var ErrFormat = errors.New("not a safetensors file")

// metadataKey is where the header keeps text.
const metadataKey = "__metadata__"

// maxHeader is the largest header that readers of the format accept.
const maxHeader = 100 << 20

type entry struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// Write writes the tensors and the metadata to w.
func Write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	header := map[string]any{metadataKey: metadata}
	offset := int64(0)
	for _, t := range tensors {
		n, err := elements(t.Shape)
		if err != nil || n != int64(len(t.Value)) {
			return fmt.Errorf("safetensors: tensor %q of shape %v has %d values", t.Name, t.Shape, len(t.Value))
		}
		if _, ok := header[t.Name]; ok {
			return fmt.Errorf("safetensors: two tensors are called %q", t.Name)
		}
		header[t.Name] = entry{"F32", t.Shape, [2]int64{offset, offset + 4*n}}
		offset += 4 * n
	}
	text, err := json.Marshal(header)
	if err != nil {
		return fmt.Errorf("safetensors: could not write the header: %w", err)
	}
	text = append(text, bytes.Repeat([]byte{' '}, -len(text)&7)...) // the numbers begin at a multiple of 8

	b := bufio.NewWriterSize(w, 1<<16)
	var word [8]byte
	binary.LittleEndian.PutUint64(word[:], uint64(len(text)))
	b.Write(word[:]) // errors stick until Flush
	b.Write(text)
	for _, t := range tensors {
		for _, x := range t.Value {
			binary.LittleEndian.PutUint32(word[:4], math.Float32bits(x))
			b.Write(word[:4])
		}
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	return nil
}

// Metadata reads the metadata alone of a file of the given size. Errors are those of [Read].
func Metadata(r io.Reader, size int64) (map[string]string, error) {
	_, _, metadata, err := readHeader(r, size)
	return metadata, err
}

// readHeader reads what comes before the data, and returns the entries of the tensors and
// its length.
func readHeader(r io.Reader, size int64) (header map[string]json.RawMessage, length int64, metadata map[string]string, err error) {
	fail := func(err error) (map[string]json.RawMessage, int64, map[string]string, error) {
		return nil, 0, nil, fmt.Errorf("safetensors: %w", err)
	}
	var word [8]byte
	if _, err := io.ReadFull(r, word[:]); err != nil {
		return fail(ErrFormat)
	}
	n := binary.LittleEndian.Uint64(word[:])
	if n > maxHeader || int64(n) > size-8 {
		return fail(ErrFormat)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return fail(fmt.Errorf("could not read the header: %w", err))
	}
	if err := json.Unmarshal(text, &header); err != nil {
		return fail(ErrFormat)
	}
	if raw, ok := header[metadataKey]; ok {
		if err := json.Unmarshal(raw, &metadata); err != nil {
			return fail(fmt.Errorf("the metadata is not text: %w", ErrFormat))
		}
		delete(header, metadataKey)
	}
	return header, 8 + int64(n), metadata, nil
}

// Read reads the tensors, in the order of their data, and the metadata from a file
// of the given size. Only tensors of float32 are understood. The error wraps
// [ErrFormat] where the header is not that of such a file.
func Read(r io.Reader, size int64) ([]Tensor, map[string]string, error) {
	header, length, metadata, err := readHeader(r, size)
	if err != nil {
		return nil, nil, err
	}
	entries, err := layout(header, size-length)
	if err != nil {
		return nil, nil, err
	}

	var tensors []Tensor
	for _, e := range entries {
		t := Tensor{Name: e.name, Shape: e.Shape, Value: make([]float32, (e.Offsets[1]-e.Offsets[0])/4)}
		if err := binary.Read(r, binary.LittleEndian, t.Value); err != nil {
			return nil, nil, fmt.Errorf("safetensors: could not read tensor %q: %w", e.name, err)
		}
		tensors = append(tensors, t)
	}
	return tensors, metadata, nil
}

type namedEntry struct {
	name string
	entry
}

// layout returns the entries of a header in the order of their data, checked to
// fill size bytes without gap or overlap.
func layout(header map[string]json.RawMessage, size int64) ([]namedEntry, error) {
	var entries []namedEntry
	for name, raw := range header {
		e := namedEntry{name: name}
		if err := json.Unmarshal(raw, &e.entry); err != nil {
			return nil, fmt.Errorf("safetensors: tensor %q: %w", name, ErrFormat)
		}
		if e.DType != "F32" {
			return nil, fmt.Errorf("safetensors: tensor %q has the type %q, only F32 is understood", name, e.DType)
		}
		n, err := elements(e.Shape)
		if err != nil || n > size/4 || e.Offsets[1]-e.Offsets[0] != 4*n {
			return nil, fmt.Errorf("safetensors: the shape %v of tensor %q does not fit its data", e.Shape, name)
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b namedEntry) int {
		return cmp.Or(slices.Compare(a.Offsets[:], b.Offsets[:]), strings.Compare(a.name, b.name))
	})
	end := int64(0)
	for _, e := range entries {
		if e.Offsets[0] != end {
			return nil, fmt.Errorf("safetensors: the data of tensor %q begin at %d, not at %d", e.name, e.Offsets[0], end)
		}
		end = e.Offsets[1]
	}
	if end != size {
		return nil, fmt.Errorf("safetensors: %d bytes of data, the header tells of %d: the file is cut short or damaged", size, end)
	}
	return entries, nil
}

// elements returns the number of elements of a shape.
func elements(shape []int) (int64, error) {
	n := int64(1)
	for _, s := range shape {
		if s < 0 || s > 0 && n > math.MaxInt64/8/int64(s) {
			return 0, fmt.Errorf("safetensors: impossible shape %v", shape)
		}
		n *= int64(s)
	}
	return n, nil
}
