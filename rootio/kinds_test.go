package rootio

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/internal/testenv"
)

// writeFile writes a tree of two columns in many baskets without compression, in a
// directory within another, and returns its bytes.
func writeFile(t testing.TB, name string, opts ...Option) []byte {
	t.Helper()
	const n = 1000
	rng := rand.New(rand.NewPCG(1, 2))
	x, y := make([]float64, n), make([]float64, n)
	counts, offsets := make([]int32, n), make([]int, n+1)
	for i := range n {
		x[i], y[i], counts[i] = rng.NormFloat64(), rng.Float64(), int32(i%4)
		offsets[i+1] = offsets[i] + i%4
	}
	table := &Table{Columns: []Column{ColumnOf("x", x), ColumnOf("y", y), ColumnOf("n", counts)}}
	for _, f := range []Field{{Name: "jet", Kind: Float32, Counter: "n"}, {Name: "vec", Kind: Int16, Counter: Vector}} {
		j := Jagged{NewColumn(f, offsets[n]), offsets}
		table.Jagged = append(table.Jagged, j)
	}
	if err := WriteFile(name, "a/b/t", table, append([]Option{WithCompression(NoCompression), WithBasketSize(1000), WithText("note", "text")}, opts...)...); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// readAll reads all that commands read of a file.
func readAll(name string, o OpenOptions) error {
	ctx := context.Background()
	infos, err := List(ctx, name)
	if err != nil {
		return err
	}
	if _, err := ReadText(ctx, name, "note"); err != nil {
		return err
	}
	for _, info := range infos {
		tree, err := o.Open(ctx, info.Name, name)
		if err != nil {
			return err
		}
		var names []string
		for _, f := range tree.AllFields() {
			names = append(names, f.Name)
		}
		for _, e := range tree.Chunks(names, 500) {
			err = e
		}
		if e := tree.Close(); err == nil {
			err = e
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// records returns the records of a file.
func records(t *testing.T, data []byte) (h header, all []record) {
	t.Helper()
	f := bytes.NewReader(data)
	h, err := readHeader(f, int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for pos := h.begin; pos < h.end; {
		rec, err := readRecord(f, pos, h.end)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rec)
		pos += rec.size
	}
	return h, all
}

// Two baskets that have changed places are found: of two branches, and of one.
func TestSwappedBaskets(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.root")
	data := writeFile(t, name)
	_, all := records(t, data)
	var x, y []record
	for _, rec := range all {
		switch {
		case rec.class == "TBasket" && rec.name == "x":
			x = append(x, rec)
		case rec.class == "TBasket" && rec.name == "y":
			y = append(y, rec)
		}
	}
	for what, pair := range map[string][2]record{"two branches": {x[1], y[1]}, "one branch": {x[1], x[2]}, "far apart": {x[0], x[4]}} {
		bad := bytes.Clone(data)
		a, b := pair[0], pair[1]
		if a.size != b.size {
			t.Fatal(what, a.size, b.size)
		}
		copy(bad[a.pos:], data[b.pos:b.pos+b.size])
		copy(bad[b.pos:], data[a.pos:a.pos+a.size])
		const seekAt = 18
		binary.BigEndian.PutUint64(bad[a.pos+seekAt:], uint64(a.pos))
		binary.BigEndian.PutUint64(bad[b.pos+seekAt:], uint64(b.pos))
		if err := os.WriteFile(name, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := readAll(name, OpenOptions{}); !errors.Is(err, ErrDamaged) {
			t.Errorf("baskets of %s: %v", what, err)
		}
	}
}

// What holds itself has an end: directories, objects and branches.
func TestNothingHoldsItself(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.root")
	data := writeFile(t, name)
	h, all := records(t, data)
	f := bytes.NewReader(data)
	var dirs []record
	for _, rec := range all {
		if rec.class == "TDirectory" && len(dirs) < 2 {
			dirs = append(dirs, rec)
		}
	}
	above, err := h.directory(f, dirs[0].pos, dirs[0].keySize)
	if err != nil {
		t.Fatal(err)
	}
	const listAt = 2 + 4 + 4 + 4 + 4 + 8 + 8 // of the list of keys in the description
	bad := bytes.Clone(data)
	binary.BigEndian.PutUint64(bad[dirs[1].pos+dirs[1].keySize+listAt:], uint64(above.seek))
	if err := os.WriteFile(name, bad, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := readAll(name, OpenOptions{}); !errors.Is(err, ErrDamaged) {
		t.Errorf("a directory in itself: %v", err)
	}

	w := newObjectWriter(0)
	var nest func(depth int)
	nest = func(depth int) {
		w.array(1, func(int) {
			w.pointer("TObjArray", nil, func() {
				if depth > 0 {
					nest(depth - 1)
				} else {
					w.array(0, nil)
				}
			})
		})
	}
	nest(10 * deepest)
	if err := readObject(w.b, 0, func(r *objectReader) { r.array(r.part) }); !errors.Is(err, ErrDamaged) {
		t.Errorf("objects in objects: %v", err)
	}
	b := &branchRecord{name: "b"}
	b.branches = []*branchRecord{b}
	if _, err := (&rootFile{}).branchesOf(&treeRecord{branches: []*branchRecord{b}}); !errors.Is(err, ErrDamaged) {
		t.Errorf("a branch in itself: %v", err)
	}
}

// Whatever happens to a file, reading it neither panics nor takes memory that its size
// does not justify. FuzzRead does this to more files.
func TestMutants(t *testing.T) {
	testenv.Slow(t, "it reads 1,200 damaged files")
	name := filepath.Join(t.TempDir(), "x.root")
	data := writeFile(t, name)
	_, all := records(t, data)
	var places []int // most damage is done where there are no values
	for _, rec := range all {
		size := rec.size
		if rec.class == "TBasket" || rec.class == "TList" {
			size = rec.keySize
		}
		for k := range size {
			places = append(places, int(rec.pos+k))
		}
	}
	numbers := []uint32{0, 1, 0x7fffffff, 0xffffffff, 0x80000000, 1 << 20, 1 << 28, 1<<30 | 1<<29, 0x40000000}
	rng := rand.New(rand.NewPCG(4, 4))
	refused := 0
	for i := range 1200 {
		bad := bytes.Clone(data)
		at := min(places[rng.IntN(len(places))], len(bad)-4)
		switch i % 3 {
		case 0:
			bad[at] ^= 1 << rng.IntN(8)
		case 1:
			binary.BigEndian.PutUint32(bad[at:], numbers[rng.IntN(len(numbers))])
		case 2:
			binary.BigEndian.PutUint32(bad[at:], binary.BigEndian.Uint32(bad[at:])+uint32(rng.IntN(5)-2))
		}
		if err := os.WriteFile(name, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		allocated := testenv.Allocated()
		err := readAll(name, OpenOptions{NoVerify: i%2 == 0})
		if n := allocated(); n > 256<<20 {
			t.Errorf("mutant %d, byte %d: %d MB, %v", i, at, n>>20, err)
		}
		if err != nil {
			refused++
			if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "x.root") {
				t.Errorf("mutant %d: %q", i, err)
			}
		}
	}
	if refused < 300 {
		t.Errorf("only %d of 1200 mutants are refused", refused)
	}
}

// Branches with brackets in their names come back, and so do titles.
func TestBrackets(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.root")
	fields := []Field{{Name: "p_{T}^{miss} [GeV]", Title: "a title", Kind: Float32}, {Name: "x[0]", Kind: Int32}, {Name: "x[2]", Kind: Float64},
		{Name: "y[1]_0", Kind: Float32, Array: "y[1][2]"}, {Name: "y[1]_1", Kind: Float32, Array: "y[1][2]", Index: 1},
		{Name: "n [1]", Kind: Int32}, {Name: "jets[3]", Kind: Float32, Counter: "n [1]"}, {Name: "v[4]", Kind: Float32, Counter: Vector}}
	table := NewTable(fields, 3)
	if err := WriteFile(name, "t", table); err != nil {
		t.Fatal(err)
	}
	tree, err := Open(context.Background(), "", name)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	if got := tree.AllFields(); !slices.Equal(got, fields) {
		t.Errorf("%v\n%v", got, fields)
	}
}

// The same events make the same bytes; others make another UUID.
func TestSameBytes(t *testing.T) {
	dir := t.TempDir()
	uuid := func(data []byte) string {
		const at = 63
		return fmt.Sprintf("%x", data[at:at+16])
	}
	one, two := writeFile(t, filepath.Join(dir, "one.root")), writeFile(t, filepath.Join(dir, "two.root"))
	if !bytes.Equal(one, two) {
		t.Error("the same events make other bytes")
	}
	seen := map[string]string{uuid(one): "the same"}
	for what, o := range map[string]Option{"a title": WithTitle("title"), "a text": WithText("note2", "x"), "a compression": WithCompression(Zlib), "a basket size": WithBasketSize(999)} {
		id := uuid(writeFile(t, filepath.Join(dir, "x.root"), o))
		if other := seen[id]; other != "" || strings.HasPrefix(id, "000000") {
			t.Errorf("the UUID with %s is that of %s: %s", what, other, id)
		}
		seen[id] = what
	}
}

// Numbers on a grid and with a short mantissa, as ROOT's TBufferFile writes them.
func TestShortenedNumbers(t *testing.T) {
	for _, c := range []struct {
		member int
		title  string
		want   stored
	}{
		{memberFloat16, "x", stored{size: 3, bits: 12}},
		{memberDouble32, "x", stored{size: 4, single: true}},
		{memberDouble32, "x[3]", stored{size: 4, single: true}},
		{memberFloat16, "x/f[0,200]", stored{size: 4, factor: math.MaxUint32 / 200.0, xmax: 200}},
		{memberFloat16, "x[3]/f[-100,100,10]", stored{size: 4, factor: 1 << 10 / 200.0, xmin: -100, xmax: 100}},
		{memberDouble32, "x/d[0,0,8]", stored{size: 3, bits: 8}},
		{memberDouble32, "[-pi,pi,16] azimuth", stored{size: 4, factor: 1 << 16 / (2 * math.Pi), xmin: -math.Pi, xmax: math.Pi}},
		{memberDouble32, "x[n]/d[0, twopi ]", stored{size: 4, factor: math.MaxUint32 / (2 * math.Pi), xmax: 2 * math.Pi}},
		{memberFloat16, "x/f[0,one]", stored{}},
		{memberFloat16, "x/f[20,20]", stored{bits: 20}},
	} {
		got := lowPrecision(c.member, c.title)
		if got != c.want {
			t.Errorf("%q: %+v, not %+v", c.title, got, c.want)
		}
		if !got.isKnown() {
			continue
		}
		for _, x := range []float64{0, 1.25, 2.5, 0.1, 3} {
			b := make([]byte, 4)
			switch { // ROOT's WriteDouble32
			case got.factor != 0:
				binary.BigEndian.PutUint32(b, uint32(0.5+got.factor*(x-got.xmin)))
			case got.bits != 0:
				u := math.Float32bits(float32(x))
				b[0] = byte(u << 1 >> 24)
				binary.BigEndian.PutUint16(b[1:], uint16(u>>(23-got.bits-1)&(1<<(got.bits+1)-1)+1)>>1)
			default:
				binary.BigEndian.PutUint32(b, math.Float32bits(float32(x)))
			}
			value := make([]float64, 1)
			got.decode(value, b, got.size)
			tolerance := 1e-6 * x
			if got.factor != 0 {
				tolerance = 0.51 / got.factor
			} else if got.bits != 0 {
				tolerance = x * math.Exp2(-float64(got.bits))
			}
			if math.Abs(value[0]-x) > tolerance {
				t.Errorf("%q: %g became %g", c.title, x, value[0])
			}
		}
	}
	tree, err := Open(context.Background(), "", testenv.SharedFile(t, "cases/root_interop/f16d32.root"))
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	got, err := tree.Read([]string{"b", "c", "e", "g"}, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{1.25, 1.171875, 1.1260986328125, 1.125} {
		x := make([]float64, 1)
		if got.Columns[i].Floats(x, 0); math.Abs(x[0]-want) > 1e-7 {
			t.Errorf("%s is %v, not %v", got.Columns[i].Name, x[0], want)
		}
	}
}

// Friends, aliases, an index and user information of a tree are told, and so is where a
// branch is that the tree does not have.
func TestBesideTheTree(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.root")
	data := writeFile(t, name)
	_, all := records(t, data)
	for _, rec := range all {
		if rec.class != "TTree" {
			continue
		}
		object := data[rec.pos+rec.keySize : rec.pos+rec.size]
		w := newObjectWriter(int(rec.keySize))
		w.b = bytes.Clone(object[:len(object)-7*4])
		list := func(n int, class string, item func(i int)) {
			w.pointer("TList", nil, func() {
				w.object(5, func() {
					w.tobject()
					w.str("")
					w.i32(n)
					for i := range n {
						w.pointer(class, nil, func() { item(i) })
						w.str("") // how to draw it
					}
				})
			})
		}
		list(2, "TNamed", func(i int) { w.named(fmt.Sprint("alias", i), "x*x") })
		w.null()
		w.null()
		w.pointer("TTreeIndex", nil, func() { w.object(1, func() { w.i32(7) }) })
		list(1, "TFriendElement", func(int) {
			w.object(2, func() {
				w.named("fr", "")
				w.str("a/b/t")
			})
		})
		list(3, "TVector2", func(int) { w.object(1, func() { w.i32(0) }) })
		w.null()
		w.size(0)
		tree, err := readTree(w.b, rec)
		if err != nil {
			t.Fatal(err)
		}
		if len(tree.aliases) != 2 || tree.aliases[1] != (Alias{"alias1", "x*x"}) || tree.index != "TTreeIndex" || tree.extras != 3 ||
			!slices.Equal(tree.friends, []Friend{{Name: "fr", Tree: "a/b/t"}}) {
			t.Errorf("%+v", tree)
		}
		main := &Tree{name: "t", parts: []part{{file: name, root: &rootFile{ctx: t.Context()}, source: treeSource{tree: tree}}}}
		for branch, text := range map[string]string{"jet": `friend "fr" has it`, "fr.vec": `friend "fr" has it`, "alias0": "write alias0=x*x"} {
			if _, err := main.index(branch); err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v", branch, err)
			}
		}
		return
	}
	t.Error("there is no tree")
}

// What uproot and old versions of ROOT write otherwise is no damage.
func TestOddButWhole(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.root")
	data := writeFile(t, name)
	h, _ := records(t, data)
	top, err := h.directory(bytes.NewReader(data), h.begin, h.nameSize)
	if err != nil {
		t.Fatal(err)
	}
	short := bytes.Clone(data) // the key of the list of contents counts itself and four bytes
	list, err := readRecord(bytes.NewReader(data), top.seek, h.end)
	if err != nil {
		t.Fatal(err)
	}
	binary.BigEndian.PutUint32(short[top.seek:], uint32(list.keySize+4))

	const endAt = 12 // of the end of a large file in its header; of a small one it is 4 bytes
	left := bytes.Clone(data)
	left = binary.BigEndian.AppendUint16(left, 1) // an old entry behind the list of free segments
	left = binary.BigEndian.AppendUint32(left, uint32(len(data)+10))
	left = binary.BigEndian.AppendUint32(left, 2_000_000_000)
	if binary.BigEndian.Uint32(left[4:]) >= 1_000_000 {
		binary.BigEndian.PutUint64(left[endAt:], uint64(len(left)))
	} else {
		binary.BigEndian.PutUint32(left[endAt:], uint32(len(left)))
	}
	for what, whole := range map[string][]byte{"a short list": short, "an entry that is left": left} {
		if err := os.WriteFile(name, whole, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := readAll(name, OpenOptions{}); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}
