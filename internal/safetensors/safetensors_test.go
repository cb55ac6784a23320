package safetensors

import (
	"bytes"
	"encoding/binary"
	"math"
	"reflect"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	tensors := []Tensor{
		{"b", []int{2, 3}, []float32{1, -2, 3.5, float32(math.Inf(1)), 0, math.MaxFloat32}},
		{"a", []int{}, []float32{7}},
		{"none", []int{0, 4}, []float32{}},
	}
	meta := map[string]string{"who": "µ⁺µ⁻ \"quoted\""}
	var file bytes.Buffer
	if err := Write(&file, tensors, meta); err != nil {
		t.Fatal(err)
	}
	if n := binary.LittleEndian.Uint64(file.Bytes()); n%8 != 0 {
		t.Errorf("the numbers begin at %d, no multiple of 8", n+8)
	}
	got, gotMeta, err := Read(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, tensors) || !reflect.DeepEqual(gotMeta, meta) {
		t.Errorf("read %v, %v", got, gotMeta)
	}
	if err := Write(&file, []Tensor{{"x", []int{2}, make([]float32, 3)}}, nil); err == nil {
		t.Error("no error for a shape that does not fit")
	}
	if err := Write(&file, []Tensor{{"x", nil, make([]float32, 1)}, {"x", nil, make([]float32, 1)}}, nil); err == nil {
		t.Error("no error for two tensors of one name")
	}
}

func TestReadRefuses(t *testing.T) {
	file := func(header string, data int) []byte {
		b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
		return append(append(b, header...), make([]byte, data)...)
	}
	for name, bad := range map[string][]byte{
		"nothing":        nil,
		"short":          {1, 2, 3},
		"long header":    binary.LittleEndian.AppendUint64(nil, 1<<40),
		"header cut":     binary.LittleEndian.AppendUint64(nil, 10),
		"no JSON":        file("{", 0),
		"text":           file(`{"__metadata__": {"a": 1}}`, 0),
		"other type":     file(`{"a": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}`, 2),
		"huge shape":     file(`{"a": {"dtype": "F32", "shape": [4611686018427387904, 4], "data_offsets": [0, 0]}}`, 0),
		"negative":       file(`{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, -4]}}`, 0),
		"missing data":   file(`{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}`, 4),
		"too much data":  file(`{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}`, 12),
		"overlap":        file(`{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "b": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}`, 4),
		"gap":            file(`{"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}`, 8),
		"negative start": file(`{"a": {"dtype": "F32", "shape": [3], "data_offsets": [-4, 8]}}`, 8),
	} {
		if _, _, err := Read(bytes.NewReader(bad), int64(len(bad))); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
