package rootio_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// everyKind returns a table with a column of each kind: the extreme values
// first, then n random ones of all magnitudes.
func everyKind(n int, seed uint64) *rootio.Table {
	rng := rand.New(rand.NewPCG(seed, 1))
	table := &rootio.Table{Columns: []rootio.Column{
		rootio.ColumnOf("b", values(n, []bool{false, true}, func() bool { return rng.IntN(2) == 1 })),
		rootio.ColumnOf("i8", values(n, []int8{math.MinInt8, -1, 0, 1, math.MaxInt8}, func() int8 { return int8(rng.Uint64()) })),
		rootio.ColumnOf("i16", values(n, []int16{math.MinInt16, -1, 0, 1, math.MaxInt16}, func() int16 { return int16(rng.Uint64()) })),
		rootio.ColumnOf("i32", values(n, []int32{math.MinInt32, -1, 0, 1, math.MaxInt32}, func() int32 { return int32(rng.Uint64()) })),
		rootio.ColumnOf("i64", values(n, []int64{math.MinInt64, -1, 0, 1, math.MaxInt64}, func() int64 { return int64(rng.Uint64()) >> rng.IntN(64) })),
		rootio.ColumnOf("u8", values(n, []uint8{0, 1, math.MaxInt8, math.MaxUint8}, func() uint8 { return uint8(rng.Uint64()) })),
		rootio.ColumnOf("u16", values(n, []uint16{0, 1, math.MaxInt16, math.MaxUint16}, func() uint16 { return uint16(rng.Uint64()) })),
		rootio.ColumnOf("u32", values(n, []uint32{0, 1, math.MaxInt32, math.MaxUint32}, func() uint32 { return uint32(rng.Uint64()) })),
		rootio.ColumnOf("u64", values(n, []uint64{0, 1, math.MaxInt64, math.MaxUint64}, func() uint64 { return rng.Uint64() >> rng.IntN(64) })),
		rootio.ColumnOf("f32", values(n, []float32{
			float32(math.Copysign(0, -1)), 0, -1, 1, math.SmallestNonzeroFloat32, math.MaxFloat32, -math.MaxFloat32,
			float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()),
		}, func() float32 { return math.Float32frombits(uint32(rng.Uint64())) })),
		rootio.ColumnOf("f64", values(n, []float64{
			math.Copysign(0, -1), 0, -1, 1, math.SmallestNonzeroFloat64, math.MaxFloat64, -math.MaxFloat64,
			math.Inf(1), math.Inf(-1), math.NaN(),
		}, func() float64 { return math.Float64frombits(rng.Uint64()) })),
	}}
	return table
}

func values[T any](n int, first []T, next func() T) []T {
	v := make([]T, n)
	for i := copy(v, first); i < n; i++ {
		v[i] = next()
	}
	return v
}

// bits returns the values of a column with floating-point numbers as their
// bits, so that NaN equals NaN and 0 does not equal -0.
func bits(c rootio.Column) any {
	switch v := c.Values().(type) {
	case []float32:
		b := make([]uint32, len(v))
		for i, x := range v {
			b[i] = math.Float32bits(x)
		}
		return b
	case []float64:
		b := make([]uint64, len(v))
		for i, x := range v {
			b[i] = math.Float64bits(x)
		}
		return b
	}
	return c.Values()
}

func equal(t *testing.T, got, want *rootio.Table) {
	t.Helper()
	if !reflect.DeepEqual(got.Fields(), want.Fields()) {
		t.Fatalf("fields: got %v, want %v", got.Fields(), want.Fields())
	}
	for i, c := range want.Columns {
		if !reflect.DeepEqual(bits(got.Columns[i]), bits(c)) {
			t.Errorf("column %q differs (%d events)", c.Name, c.Len())
		}
	}
	for i, j := range want.Jagged {
		for k := range want.Len() {
			if !reflect.DeepEqual(bits(got.Jagged[i].Event(k)), bits(j.Event(k))) {
				t.Errorf("column %q differs in event %d", j.Name, k)
				break
			}
		}
	}
}

// write writes the table to a new file in a new directory.
func write(t testing.TB, table *rootio.Table, opts ...rootio.Option) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "test.root")
	writeTo(t, name, "Events", table, opts...)
	return name
}

func writeTo(t testing.TB, name, tree string, table *rootio.Table, opts ...rootio.Option) {
	t.Helper()
	if err := rootio.WriteFile(name, tree, table, opts...); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, tree string, files ...string) *rootio.Tree {
	t.Helper()
	tr, err := rootio.Open(context.Background(), tree, files...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	})
	return tr
}

func TestRoundTrip(t *testing.T) {
	for _, c := range []struct {
		name string
		n    int
		opts []rootio.Option
	}{
		{"one event", 1, nil},
		{"zlib", 20_000, []rootio.Option{rootio.WithTitle("a title"), rootio.WithBasketSize(10_000)}},
		{"lz4", 5_000, []rootio.Option{rootio.WithCompression(rootio.LZ4)}},
		{"zstd", 5_000, []rootio.Option{rootio.WithCompression(rootio.Zstd)}},
		{"lzma", 5_000, []rootio.Option{rootio.WithCompression(rootio.LZMA)}},
		{"none", 5_000, []rootio.Option{rootio.WithCompression(rootio.NoCompression)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := everyKind(c.n, 1)
			tr := open(t, "Events", write(t, want, c.opts...))
			if tr.Len() != int64(c.n) || tr.Name() != "Events" {
				t.Errorf("tree %q has %d events, not %d", tr.Name(), tr.Len(), c.n)
			}
			got, err := tr.Read(nil, 0, tr.Len())
			if err != nil {
				t.Fatal(err)
			}
			equal(t, got, want)
		})
	}
}

// A basket that is full at the last event leaves an empty one behind it.
func TestFullLastBasket(t *testing.T) {
	for _, n := range []int{126, 127, 128} {
		want := everyKind(n, 2)
		tr := open(t, "", write(t, want, rootio.WithBasketSize(1024)))
		got, err := tr.Read(nil, 0, tr.Len())
		if err != nil {
			t.Fatal(err)
		}
		equal(t, got, want)
	}
}

func TestManyBaskets(t *testing.T) {
	const n = 300_001
	rng := rand.New(rand.NewPCG(3, 3))
	i, x := make([]int32, n), make([]float64, n)
	for k := range i {
		i[k], x[k] = int32(k), rng.NormFloat64()
	}
	want := &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("i", i), rootio.ColumnOf("x", x)}}
	tr := open(t, "", write(t, want))

	for _, r := range [][2]int64{{0, n}, {0, 0}, {n, n}, {n - 1, n}, {65_535, 65_537}, {100_000, 250_000}} {
		got, err := tr.Read(nil, r[0], r[1])
		if err != nil {
			t.Fatal(err)
		}
		equal(t, got, want.Slice(int(r[0]), int(r[1])))
	}
	for _, size := range []int{1 << 16, n, n + 1, 7} {
		lo := 0
		for chunk, err := range tr.Chunks([]string{"x", "i"}, size) {
			if err != nil {
				t.Fatal(err)
			}
			hi := lo + chunk.Len()
			if chunk.Len() != min(size, n-lo) {
				t.Fatalf("chunk at %d has %d events", lo, chunk.Len())
			}
			ref := want.Slice(lo, hi)
			equal(t, chunk, &rootio.Table{Columns: []rootio.Column{ref.Columns[1], ref.Columns[0]}})
			if lo = hi; size == 7 && lo > 1000 {
				break
			}
		}
	}
}

func TestChain(t *testing.T) {
	want := everyKind(3_000, 4)
	dir := t.TempDir()
	files := make([]string, 4)
	for i, r := range [][2]int{{0, 1}, {1, 2_000}, {2_000, 2_000}, {2_000, 3_000}} {
		files[i] = filepath.Join(dir, fmt.Sprintf("%d.root", i))
		part := want.Slice(r[0], r[1])
		if i == 1 { // other files may have more branches, in another order
			extra := rootio.ColumnOf("extra", make([]float32, part.Len()))
			part.Columns = append([]rootio.Column{extra, part.Columns[10]}, part.Columns[:10]...)
		}
		writeTo(t, files[i], "dir/sub/Events", part)
	}
	tr := open(t, "dir/sub/Events", files...)
	got, err := tr.Read(nil, 0, tr.Len())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, want)
	// The same files by URLs, and by a pattern in one.
	for _, names := range [][]string{{"file://" + files[0], "file://" + files[1], files[2], files[3]}, {"file://" + filepath.Join(dir, "?.root")}} {
		if got, err = open(t, "dir/sub/Events", names...).Read(nil, 0, tr.Len()); err != nil {
			t.Fatal(err)
		}
		equal(t, got, want)
	}
	if trees, err := rootio.List(t.Context(), "file://"+files[0]); err != nil || len(trees) != 1 {
		t.Errorf("%v, %v", trees, err)
	}
	got, err = tr.Read([]string{"u16"}, 500, 2_500)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, &rootio.Table{Columns: want.Slice(500, 2_500).Columns[6:7]})
	n := 0
	for chunk, err := range tr.Chunks(nil, 700) {
		if err != nil {
			t.Fatal(err)
		}
		equal(t, chunk, want.Slice(n, n+chunk.Len()))
		n += chunk.Len()
	}
	if n != want.Len() {
		t.Errorf("chunks have %d events, not %d", n, want.Len())
	}
}

func TestChainMismatch(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.root"), filepath.Join(dir, "b.root")
	writeTo(t, a, "t", &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", []float64{1}), rootio.ColumnOf("y", []float64{1})}})
	writeTo(t, b, "t", &rootio.Table{Columns: []rootio.Column{rootio.ColumnOf("x", []float32{1})}})
	_, err := rootio.Open(context.Background(), "t", a, b)
	complains(t, err, a, b, `"x" is float32, not float64`, `"y" is missing`)
}

// complains checks that err is one line with all the given texts in it.
func complains(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error; want one with %q", texts)
		return
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error has several lines: %v", err)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error does not say %q: %v", text, err)
		}
	}
}

func TestChunksPanic(t *testing.T) {
	tr := open(t, "", write(t, everyKind(10, 5)))
	defer func() {
		if r := recover(); r != "mine" {
			t.Errorf("the panic of the loop body became %v", r)
		}
	}()
	for range tr.Chunks(nil, 3) {
		panic("mine")
	}
}
