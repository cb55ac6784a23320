// Package mutate damages JSON and safetensors files as programs would not, for tests of what
// reads them: the form stays right, and what it says makes no sense.
package mutate

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// JSON returns a text in which something is different: a number, a string, or a value that
// is missing, there twice, nested deeply or in the place of another. What is no JSON is
// returned as it is.
func JSON(rng *rand.Rand, text []byte) []byte {
	root, err := decoded(text)
	if err != nil {
		return text
	}
	for range 1 + rng.IntN(3)*rng.IntN(2) {
		places := placesIn(&root)
		p := places[rng.IntN(len(places))]
		other := places[rng.IntN(len(places))].get()
		mutate(rng, p, other)
	}
	out, err := json.Marshal(root)
	if err != nil {
		return text
	}
	// json.Marshal writes no number that is out of range, and readers of ours read none.
	return bytes.ReplaceAll(out, []byte(`"1e999"`), []byte("1e999"))
}

// place is a value in a tree.
type place struct {
	get    func() any
	set    func(any)
	remove func()
	twice  func()
}

// placesIn returns all values of a tree, in an order that depends on it alone.
func placesIn(root *any) []place {
	all := []place{{func() any { return *root }, func(v any) { *root = v }, func() { *root = nil }, func() {}}}
	var walk func(v any, set func(any))
	walk = func(v any, set func(any)) {
		switch v := v.(type) {
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(v)) {
				change := func(x any) { v[name] = x }
				all = append(all, place{func() any { return v[name] }, change, func() { delete(v, name) }, func() { v[name+"2"] = v[name] }})
				walk(v[name], change)
			}
		case []any:
			for i := range v {
				change := func(x any) { v[i] = x }
				all = append(all, place{
					func() any { return v[i] }, change,
					func() { set(slices.Delete(slices.Clone(v), i, i+1)) },
					func() { set(slices.Insert(slices.Clone(v), i, v[i])) },
				})
				walk(v[i], change)
			}
		}
	}
	walk(*root, func(v any) { *root = v })
	return all
}

func mutate(rng *rand.Rand, p place, other any) {
	if rng.IntN(3) > 0 {
		switch v := p.get().(type) {
		case json.Number:
			p.set(number(rng, v))
			return
		case string:
			texts := []string{"", "\x00", v + "x", strings.Repeat(v, 1000), "\x1b[31m", "-", "1e999"}
			p.set(texts[rng.IntN(len(texts))])
			return
		case bool:
			p.set(!v)
			return
		}
	}
	switch rng.IntN(6) {
	case 0:
		p.remove()
	case 1:
		p.twice()
	case 2:
		p.set(nil)
	case 3:
		p.set([]any{map[string]any{}, []any{}, []any{json.Number("0")}, "x", json.Number("7")}[rng.IntN(5)])
	case 4:
		deep := copyOf(other)
		for range 1 << rng.IntN(15) {
			deep = []any{deep}
		}
		p.set(deep)
	case 5:
		p.set(copyOf(other))
	}
}

func number(rng *rand.Rand, v json.Number) any {
	x, _ := v.Float64()
	near := []float64{x + 1, x - 1, 2 * x, x / 2, -x, x * 1e3, x * (1 + 1e-9)}
	if rng.IntN(2) == 0 {
		text, err := json.Marshal(near[rng.IntN(len(near))])
		if err == nil {
			return json.Number(text)
		}
	}
	all := []string{
		"0", "1", "-1", "2", "64", "255", "1000", "4096", "16384", "20000", "65536", "1048576", "2147483647", "2147483648", "4294967296",
		"1099511627776", "4611686018427387904", "9223372036854775807", "-9223372036854775808", "18446744073709551616",
		"0.5", "1e-300", "5e-324", "1e300", "-1e300", "1.7976931348623157e308", "1e-9", "-1e-9",
	}
	if k := rng.IntN(len(all) + 1); k < len(all) {
		return json.Number(all[k])
	}
	return "1e999"
}

// copyOf returns a value that shares nothing with another one.
func copyOf(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	again, _ := decoded(text) // we wrote it
	return again
}

// decoded returns what a text says, with its numbers as they are written.
func decoded(text []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

// Safetensors returns a file of the format that is different in the text that it holds under
// a key of its metadata, in its header or in its numbers.
func Safetensors(rng *rand.Rand, file []byte, key string) []byte {
	if len(file) < 8 {
		return file
	}
	length := binary.LittleEndian.Uint64(file)
	if length > uint64(len(file)-8) {
		return file
	}
	header, data := bytes.Clone(file[8:8+length]), bytes.Clone(file[8+length:])
	switch rng.IntN(8) {
	case 0:
		header = JSON(rng, header)
	case 1: // numbers
		large := []float32{float32(math.NaN()), float32(math.Inf(1)), math.MaxFloat32, -math.MaxFloat32, 1e10, 100, -100, 1e-40, 0}
		x := math.Float32bits(large[rng.IntN(len(large))])
		for range 1 + rng.IntN(4) {
			if n := len(data) / 4; n > 0 {
				at := rng.IntN(n)
				for i := at; i < min(n, at+1+rng.IntN(100)); i++ {
					binary.LittleEndian.PutUint32(data[4*i:], x)
				}
			}
		}
	case 2: // fewer of them, or more
		if rng.IntN(2) == 0 {
			data = data[:rng.IntN(len(data)+1)]
		} else {
			data = append(data, make([]byte, 4*rng.IntN(100))...)
		}
	default:
		header = inMetadata(header, key, func(text []byte) []byte { return JSON(rng, text) })
	}
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return slices.Concat(out, header, data)
}

// inMetadata returns a header with another text under a key.
func inMetadata(header []byte, key string, change func([]byte) []byte) []byte {
	var entries map[string]json.RawMessage
	var texts map[string]string
	if json.Unmarshal(header, &entries) != nil || json.Unmarshal(entries["__metadata__"], &texts) != nil {
		return header
	}
	texts[key] = string(change([]byte(texts[key])))
	var err error
	if entries["__metadata__"], err = json.Marshal(texts); err != nil {
		return header
	}
	out, err := json.Marshal(entries)
	if err != nil {
		return header
	}
	return out
}
