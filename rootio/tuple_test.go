package rootio_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// hash and number are those of bench/interop/make_rntuples.py, which made the files in testdata.
func hash(i, k int) uint32 {
	x := uint32(i)*2654435761 + uint32(k)*2246822519
	x ^= x >> 15
	x *= 2246822519
	x ^= x >> 13
	x *= 3266489917
	return x ^ x>>16
}

func number(i, k int) float64 { return float64(int(hash(i, k)%4001)-2000) / 16 }

// numbers returns n of them.
func numbers(i, k, n int) (x []float64) {
	for q := range n {
		x = append(x, number(i, k+q))
	}
	return x
}

func truncated(bits int) func(i int, x float64) float64 {
	return func(_ int, x float64) float64 {
		return float64(math.Float32frombits(math.Float32bits(float32(x)) &^ (1<<(32-bits) - 1)))
	}
}

func quantised(bits int, single bool) func(i int, x float64) float64 {
	const low, high = -125, 125
	steps := float64(uint64(1)<<bits - 1)
	return func(_ int, x float64) float64 {
		y := float64(uint64(0.5+(x-low)*(steps/(high-low))))*((high-low)/steps) + low
		if single {
			y = float64(float32(y))
		}
		return y
	}
}

// The values of an entry of each column, one after the other.
type tupleColumn struct {
	kind   rootio.Kind
	values func(i int) []float64
}

func one(kind rootio.Kind, of func(i int) float64) tupleColumn {
	return tupleColumn{kind, func(i int) []float64 { return []float64{of(i)} }}
}

func repeated(n int, x float64) []float64 { return slices.Repeat([]float64{x}, n) }

func flatColumns() map[string]tupleColumn {
	return map[string]tupleColumn{
		"b": one(rootio.Bool, func(i int) float64 {
			if hash(i, 0)%3 == 0 {
				return 1
			}
			return 0
		}),
		"c":   one(rootio.Int8, func(i int) float64 { return float64(hash(i, 1) % 100) }),
		"by":  one(rootio.Uint8, func(i int) float64 { return float64(uint8(hash(i, 2))) }),
		"i8":  one(rootio.Int8, func(i int) float64 { return float64(int8(hash(i, 3))) }),
		"u8":  one(rootio.Uint8, func(i int) float64 { return float64(uint8(hash(i, 4))) }),
		"i16": one(rootio.Int16, func(i int) float64 { return float64(int16(hash(i, 5))) }),
		"u16": one(rootio.Uint16, func(i int) float64 { return float64(uint16(hash(i, 6))) }),
		"i32": one(rootio.Int32, func(i int) float64 { return float64(int32(hash(i, 7))) }),
		"u32": one(rootio.Uint32, func(i int) float64 { return float64(hash(i, 8)) }),
		"i64": one(rootio.Int64, func(i int) float64 { return float64(int64(hash(i, 9))*int64(hash(i, 10)) - 1<<62) }),
		"u64": one(rootio.Uint64, func(i int) float64 { return float64(uint64(hash(i, 11)) * uint64(hash(i, 12))) }),
		"x":   one(rootio.Float32, func(i int) float64 { return number(i, 13) }),
		"d":   one(rootio.Float64, func(i int) float64 { return number(i, 14) / 3 }),
		"d32": one(rootio.Float64, func(i int) float64 { return number(i, 15) }),
	}
}

// tupleFiles are the files and their columns.
var tupleFiles = map[string]map[string]tupleColumn{
	"rntuple_flat":  flatColumns(),
	"rntuple_plain": flatColumns(),
	"rntuple_encodings": encodingColumns([]string{"half", "real32", "split32", "real64", "split64", "trunc10", "trunc17", "trunc31", "quant1", "quant7", "quant20",
		"quant32", "int32", "zigzag32", "index32", "split_index32", "index64", "split_index64"}, map[string]func(int, float64) float64{
		"trunc10": truncated(10), "trunc17": truncated(17), "trunc31": truncated(31),
		"quant1": quantised(1, true), "quant7": quantised(7, true), "quant20": quantised(20, true), "quant32": quantised(32, false),
	}),
	"rntuple_lists": {
		"v":     {rootio.Float64, func(i int) []float64 { return numbers(i, 0, i%4) }},
		"vb":    {rootio.Bool, func(i int) []float64 { return hashes(i, i%11, func(h uint32) float64 { return float64(h % 2) }) }},
		"rv":    {rootio.Int16, func(i int) []float64 { return hashes(i, i%5, func(h uint32) float64 { return float64(int16(h)) }) }},
		"vv":    {rootio.Float32, func(i int) []float64 { return numbers(i, 0, total(lengths(i, i%3, 4))) }},
		"vv_n1": {rootio.Int32, func(i int) []float64 { return lengths(i, i%3, 4) }},
		"vvv": {rootio.Int32, func(i int) []float64 {
			return hashes(i, total(inner(i)), func(h uint32) float64 { return float64(int32(h)) })
		}},
		"vvv_n1": {rootio.Int32, inner},
		"vvv_n2": {rootio.Int32, func(i int) []float64 { return lengths(i, i%3, 3) }},
		"va_0":   {rootio.Float32, func(i int) []float64 { return every(3, numbers(i, 0, 3*(i%3))) }},
		"va_1":   {rootio.Float32, func(i int) []float64 { return every(3, from(1, numbers(i, 0, 3*(i%3)))) }},
		"va_2":   {rootio.Float32, func(i int) []float64 { return every(3, from(2, numbers(i, 0, 3*(i%3)))) }},
		"av":     {rootio.Float32, func(i int) []float64 { return numbers(i, 0, total(lengths(i, 2, 3))) }},
		"av_n1":  {rootio.Int32, func(i int) []float64 { return lengths(i, 2, 3) }},
		"vp._0":  {rootio.Float32, func(i int) []float64 { return numbers(i, 0, i%4) }},
		"vp._1":  {rootio.Int32, func(i int) []float64 { return hashes(i, i%4, func(h uint32) float64 { return float64(int32(h)) }) }},
	},
	"rntuple_others": {
		"a":    {rootio.Float32, func(i int) []float64 { return numbers(i, 0, 3) }},
		"a2":   {rootio.Int32, func(i int) []float64 { return hashes(i, 6, func(h uint32) float64 { return float64(int32(h)) }) }},
		"ab":   {rootio.Bool, func(i int) []float64 { return hashes(i, 5, func(h uint32) float64 { return float64(h % 2) }) }},
		"bits": {rootio.Bool, bitset},
		"p._0": one(rootio.Float32, func(i int) float64 { return number(i, 1) }),
		"p._1": one(rootio.Int32, func(i int) float64 { return float64(int32(hash(i, 2))) }),
		"of":   one(rootio.Float32, func(i int) float64 { return unless(i%3 == 0, number(i, 3)) }),
		"up":   one(rootio.Float64, func(i int) float64 { return unless(i%5 == 0, number(i, 4)) }),
		"oi":   {rootio.Int32, func(i int) []float64 { return repeated(min(1, i%4), float64(i)) }},
		"va": one(rootio.Float64, func(i int) float64 {
			if i%2 == 0 {
				return float64(i)
			}
			return number(i, 5)
		}),
		"at": one(rootio.Int32, func(i int) float64 { return float64(-i) }),
	},
	"rntuple_late": {
		"x": one(rootio.Float32, func(i int) float64 { return number(i, 0) }),
		"y": one(rootio.Float32, func(i int) float64 { return late(i) * number(i, 1) }),
		"v": {rootio.Float32, func(i int) []float64 { return repeated(int(late(i))*(i%3), number(i, 2)) }},
		"a": {rootio.Float32, func(i int) []float64 { return []float64{late(i) * number(i, 3), late(i) * number(i, 4)} }},
	},
	"rntuple_projected": {
		"_jets._0": {rootio.Float32, func(i int) []float64 { return every(2, numbers(i, 0, 2*(i%4))) }},
		"_jets._1": {rootio.Float32, func(i int) []float64 { return every(2, numbers(i, 1, 2*(i%4))) }},
		"Jet_pt":   {rootio.Float32, func(i int) []float64 { return every(2, numbers(i, 0, 2*(i%4))) }},
		"Jet_eta":  {rootio.Float32, func(i int) []float64 { return every(2, numbers(i, 1, 2*(i%4))) }},
		"nJet":     one(rootio.Uint32, func(i int) float64 { return float64(i % 4) }),
	},
	"rntuple_uproot": uprootColumns(),
}

func late(i int) float64 {
	if i >= 23 {
		return 1
	}
	return 0
}

func uprootColumns() map[string]tupleColumn {
	columns := flatColumns()
	for _, name := range []string{"c", "by", "u8", "i16", "u32", "i64", "d32"} {
		delete(columns, name)
	}
	columns["v"] = tupleColumn{rootio.Float64, func(i int) []float64 { return numbers(i, 0, i%4) }}
	columns["vv"] = tupleColumn{rootio.Float32, func(i int) (x []float64) {
		for j, n := range lengths(i, i%3, 4) {
			x = append(x, numbers(i, 4*j, int(n))...)
		}
		return x
	}}
	columns["vv_n1"] = tupleColumn{rootio.Int32, func(i int) []float64 { return lengths(i, i%3, 4) }}
	columns["r.m"] = one(rootio.Float64, func(i int) float64 { return number(i, 1) })
	columns["r.n"] = one(rootio.Int64, func(i int) float64 { return float64(i) })
	return columns
}

func encodingColumns(names []string, change map[string]func(int, float64) float64) map[string]tupleColumn {
	columns := make(map[string]tupleColumn)
	for k, name := range names {
		switch {
		case strings.Contains(name, "index"):
			columns[name] = tupleColumn{rootio.Float32, func(i int) []float64 { return numbers(i, k, i%3) }}
		case name == "int32" || name == "zigzag32":
			columns[name] = one(rootio.Int32, func(i int) float64 { return float64(int32(hash(i, k))) })
		default:
			kind := rootio.Float32
			if strings.HasSuffix(name, "64") || name == "trunc31" || name == "quant32" {
				kind = rootio.Float64
			}
			columns[name] = one(kind, func(i int) float64 {
				if f := change[name]; f != nil {
					return f(i, number(i, k))
				}
				return number(i, k)
			})
		}
	}
	return columns
}

func hashes(i, n int, of func(uint32) float64) (x []float64) {
	for q := range n {
		x = append(x, of(hash(i, q)))
	}
	return x
}

func lengths(i, n, modulus int) (x []float64) {
	for j := range n {
		x = append(x, float64((i+j)%modulus))
	}
	return x
}

func inner(i int) (x []float64) {
	for j, n := range lengths(i, i%3, 3) {
		x = append(x, lengths(i+j, int(n), 3)...)
	}
	return x
}

func bitset(i int) (x []float64) {
	for b := range 11 {
		x = append(x, float64(hash(i, 0)>>b&1))
	}
	return x
}

func unless(none bool, x float64) float64 {
	if none {
		return math.NaN()
	}
	return x
}

func from(n int, x []float64) []float64 { return x[min(n, len(x)):] }

func every(n int, x []float64) (y []float64) {
	for i := 0; i < len(x); i += n {
		y = append(y, x[i])
	}
	return y
}

func total(x []float64) (n int) {
	for _, v := range x {
		n += int(v)
	}
	return n
}

func TestTupleKinds(t *testing.T) {
	kinds := 0
	for name, columns := range tupleFiles {
		table := readTuple(t, filepath.Join("testdata", name+".root"))
		for column, want := range columns {
			checkTupleColumn(t, name, table, column, want)
			kinds++
		}
		if n := len(names(table)); n != len(columns) {
			t.Errorf("%s: %d columns, not %d: %q", name, n, len(columns), names(table))
		}
	}
	t.Logf("%d columns", kinds)
}

// names returns those of columns and jagged columns, one of each array.
func names(t *rootio.Table) (names []string) {
	for _, f := range t.Fields() {
		if f.Index == 0 || f.IsJagged() {
			names = append(names, f.Name)
		}
	}
	return names
}

func readTuple(t *testing.T, file string) *rootio.Table {
	t.Helper()
	table, err := rootio.ReadFile(context.Background(), "", file)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func checkTupleColumn(t *testing.T, file string, table *rootio.Table, name string, want tupleColumn) {
	t.Helper()
	var have func(i int) []float64
	var kind rootio.Kind
	for _, j := range table.Jagged {
		if j.Name == name {
			kind, have = j.Kind, func(i int) []float64 { return j.Event(i).Float64s() }
		}
	}
	var elements [][]float64
	for _, c := range table.Columns {
		if c.Name == name || strings.HasPrefix(c.Array, name+"[") {
			kind, elements = c.Kind, append(elements, c.Float64s())
		}
	}
	if elements != nil {
		have = func(i int) (x []float64) {
			for _, e := range elements {
				x = append(x, e[i])
			}
			return x
		}
	}
	if have == nil {
		t.Errorf("%s: there is no %s", file, name)
		return
	}
	if kind != want.kind {
		t.Errorf("%s: %s is %v, not %v", file, name, kind, want.kind)
	}
	for i := range table.Len() {
		same := func(a, b float64) bool { return a == b || a != a && b != b }
		if x, y := have(i), want.values(i); !slices.EqualFunc(x, y, same) {
			t.Errorf("%s: %s of entry %d is %v, not %v", file, name, i, x, y)
			return
		}
	}
}

func TestTupleInfo(t *testing.T) {
	infos, err := rootio.List(context.Background(), "testdata/rntuple_others.root")
	if err != nil {
		t.Fatal(err)
	}
	info := infos[0]
	if info.Name != "t" || info.Entries != 50 {
		t.Errorf("%s with %d entries", info.Name, info.Entries)
	}
	reasons := map[string]string{"vs": "std::variant<float,std::string>, not always a number", "s": "a text per event"}
	types := map[string]string{"a2": "[2][3]int32", "of": "optional float32", "oi": "[]int32", "va": "float64", "p._0": "float32"}
	for _, b := range info.Branches {
		if !strings.Contains(b.Reason, reasons[b.Name]) || (b.Reason == "") != (reasons[b.Name] == "") {
			t.Errorf("%s: %q", b.Name, b.Reason)
		}
		if want := types[b.Name]; want != "" && b.Type != want {
			t.Errorf("%s is a %s, not a %s", b.Name, b.Type, want)
		}
	}
	table := readTuple(t, "testdata/rntuple_projected.root")
	for _, j := range table.Jagged {
		if j.Counter != "nJet" {
			t.Errorf("%s is counted by %q", j.Name, j.Counter)
		}
	}
}

// TestTupleChunks reads ranges that do not begin and end where clusters and pages do.
func TestTupleChunks(t *testing.T) {
	for name := range tupleFiles {
		file := filepath.Join("testdata", name+".root")
		all := readTuple(t, file)
		tr, err := rootio.Open(context.Background(), "t", file)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range [][2]int64{{0, 1}, {7, 31}, {19, 21}, {49, 50}, {1, 50}} {
			table, err := tr.Read(rootio.Names(tr.AllFields()), r[0], r[1])
			if err != nil {
				t.Fatal(err)
			}
			same(t, table, all.Slice(int(r[0]), int(r[1])))
		}
		_ = tr.Close()
	}
}

// same reports events that differ.
func same(t *testing.T, a, b *rootio.Table) {
	t.Helper()
	text := func(t *rootio.Table) string {
		s := ""
		for _, c := range t.Columns {
			s += fmt.Sprintln(c.Name, c.Array, c.Values())
		}
		for _, j := range t.Jagged {
			s += fmt.Sprintln(j.Name, j.Counter, j.Kind)
			for i := range j.Events() {
				s += fmt.Sprintln(j.Event(i).Values())
			}
		}
		return s
	}
	if text(a) != text(b) {
		t.Errorf("tables differ:\n%.2000s\n%.2000s", text(a), text(b))
	}
}

// TestTupleRoundTrip writes what was read, in each compression, in chunks of several sizes.
func TestTupleRoundTrip(t *testing.T) {
	for name := range tupleFiles {
		all := readTuple(t, filepath.Join("testdata", name+".root"))
		for k := range all.Jagged {
			all.Jagged[k].Counter = rootio.Vector
		}
		for c := rootio.Zlib; c <= rootio.NoCompression; c++ {
			var files []string
			for _, chunk := range []int{50, 7} {
				file := filepath.Join(t.TempDir(), "out.root")
				w, err := rootio.Create(file, "folder/t", all.Fields(), rootio.WithFormat(rootio.RNTuple), rootio.WithCompression(c),
					rootio.WithBasketSize(100), rootio.WithTitle("a title"), rootio.WithText("note", "kept"))
				if err != nil {
					t.Fatal(err)
				}
				for lo := 0; lo < all.Len(); lo += chunk {
					if err := w.Write(all.Slice(lo, min(lo+chunk, all.Len()))); err != nil {
						t.Fatal(err)
					}
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				same(t, readTuple(t, file), all)
				b, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				files = append(files, string(b))
			}
			if files[0] != files[1] {
				t.Errorf("%s, %v: the file depends on how many events are written at a time", name, c)
			}
		}
	}
}

func TestTupleOfNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out.root")
	x := rootio.ColumnOf("x", []float32{})
	if err := rootio.WriteFile(file, "t", &rootio.Table{Columns: []rootio.Column{x}}, rootio.WithFormat(rootio.RNTuple), rootio.WithTitle("none")); err != nil {
		t.Fatal(err)
	}
	infos, err := rootio.List(context.Background(), file)
	if err != nil || infos[0].Entries != 0 || infos[0].Title != "none" || len(infos[0].Branches) != 1 {
		t.Errorf("%+v, %v", infos, err)
	}
}

func TestTupleNames(t *testing.T) {
	for _, names := range [][]string{{"a b"}, {"a/b"}, {`a\b`}, {"a..b"}, {".a"}, {"a", "a.b"}, {"a.b", "a"}, {"a\n"}} {
		table := &rootio.Table{}
		for _, n := range names {
			table.Columns = append(table.Columns, rootio.ColumnOf(n, []float32{1}))
		}
		file := filepath.Join(t.TempDir(), "out.root")
		err := rootio.WriteFile(file, "t", table, rootio.WithFormat(rootio.RNTuple))
		complains(t, err, "rootio: ", file, "in an RNTuple")
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*")); len(left) > 0 {
			t.Errorf("%q: there is %q", names, left)
		}
	}
}

// TestTupleDamage flips each byte of the pages and of the description: a checksum tells, in one
// line that says where, or the values stay as they are.
func TestTupleDamage(t *testing.T) {
	file := filepath.Join("testdata", "rntuple_flat.root")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	all := readTuple(t, file)
	found, pages := 0, 0
	random := rand.New(rand.NewPCG(1, 2))
	for range 1500 {
		at, bit := 100+random.IntN(len(b)-100), byte(1)<<random.IntN(8)
		b[at] ^= bit
		name := filepath.Join(t.TempDir(), "damaged.root")
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		b[at] ^= bit
		table, err := rootio.ReadFile(context.Background(), "", name)
		switch {
		case err == nil:
			same(t, table, all)
			continue
		case strings.Contains(err.Error(), "in cluster"):
			complains(t, err, name, `tree "t"`, "could not read branch", "entry", "in cluster", "at byte", "checksum is wrong", "copy or write")
			pages++
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("several lines: %v", err)
		}
		found++
	}
	t.Logf("%d of 1500 found, %d of them in pages", found, pages)
	if pages < 500 {
		t.Errorf("damage was found in %d pages", pages)
	}
}

// TestTupleMutants damages several bytes, or cuts and repeats pieces: no panic, no large memory.
func TestTupleMutants(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for name := range tupleFiles {
		b, err := os.ReadFile(filepath.Join("testdata", name+".root"))
		if err != nil {
			t.Fatal(err)
		}
		for range 60 {
			m := slices.Clone(b)
			switch random.IntN(3) {
			case 0:
				for range 1 + random.IntN(8) {
					m[random.IntN(len(m))] = byte(random.Uint32())
				}
			case 1:
				m = m[:random.IntN(len(m))]
			default:
				from, to := random.IntN(len(m)), random.IntN(len(m))
				copy(m[to:], b[from:min(len(b), from+random.IntN(200))])
			}
			file := filepath.Join(t.TempDir(), "mutant.root")
			if err := os.WriteFile(file, m, 0o600); err != nil {
				t.Fatal(err)
			}
			readMutant(t, file)
		}
	}
}

// readMutant reads what there is, with bounded memory.
func readMutant(t *testing.T, file string) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := rootio.List(context.Background(), file)
	if err == nil {
		_, err = rootio.ReadFile(context.Background(), "", file)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 256<<20 {
		t.Errorf("%d MB are taken for a file of some kB: %v", n>>20, err)
	}
}
