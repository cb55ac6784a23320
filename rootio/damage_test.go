package rootio_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/adler32"
	"math/rand/v2"
	"os"
	"reflect"
	"testing"

	"github.com/eidolon-hep/eidolon/rootio"
)

// smooth returns events like those of an analysis. Written in baskets of
// 16,000 bytes, 5,000 of them leave no basket so small that it is stored as it
// is: all carry a checksum.
func smooth(n int) *rootio.Table {
	rng := rand.New(rand.NewPCG(7, 7))
	x, m, id, charge, tag := make([]float64, n), make([]float32, n), make([]int64, n), make([]int8, n), make([]bool, n)
	for i := range n {
		x[i] = rng.NormFloat64()
		m[i] = float32(91 + 2*rng.NormFloat64())
		id[i] = int64(i)
		charge[i] = int8(2*rng.IntN(2) - 1)
		tag[i] = rng.IntN(4) == 0
	}
	return &rootio.Table{Columns: []rootio.Column{
		rootio.ColumnOf("x", x), rootio.ColumnOf("m", m), rootio.ColumnOf("id", id),
		rootio.ColumnOf("charge", charge), rootio.ColumnOf("tag", tag),
	}}
}

// A damaged file is an error, or the damage has hit nothing of the events.
// Where the file has no checksums, it is at least no crash.
func TestDamage(t *testing.T) {
	t.Chdir(t.TempDir()) // the path is kept in the file, and where damage hits shall not depend on it
	for _, c := range []struct {
		name        string
		compression rootio.Compression
		damages     int
		checksums   bool
	}{
		{"zlib", rootio.Zlib, 300, true},
		{"lz4", rootio.LZ4, 60, false}, // most floating-point columns do not shrink and are stored as they are
		{"zstd", rootio.Zstd, 60, false},
		{"none", rootio.NoCompression, 60, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			const name = "test.root"
			want := smooth(5_000)
			writeTo(t, name, "Events", want, rootio.WithCompression(c.compression), rootio.WithBasketSize(16_000))
			good, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(8, 8))
			found := 0
			for i := range c.damages {
				harm := harms[i%len(harms)]
				if err := os.WriteFile(name, harm.do(rng, bytes.Clone(good)), 0o644); err != nil {
					t.Fatal(err)
				}
				got, err := readAll(name)
				if err != nil {
					complains(t, err, name)
					found++
					continue
				}
				if !c.checksums {
					continue
				}
				if !reflect.DeepEqual(got.Fields(), want.Fields()) {
					t.Errorf("%d, %s: the columns are %v", i, harm.name, got.Fields())
					continue
				}
				for k, c := range want.Columns {
					if !reflect.DeepEqual(bits(got.Columns[k]), bits(c)) {
						if sum(got.Columns[k]) == sum(c) {
							t.Logf("%d, %s: column %q is wrong, and its Adler-32 is right", i, harm.name, c.Name)
							continue
						}
						t.Errorf("%d, %s: column %q is silently wrong", i, harm.name, c.Name)
					}
				}
			}
			if c.checksums && found < c.damages*9/10 {
				t.Errorf("only %d of %d damages were found", found, c.damages)
			}
		})
	}
}

// sum returns the checksum that zlib has of the values of a column. It is weak for
// columns of few values: +1 −1 −1 +1 and −1 +1 +1 −1 have the same.
func sum(c rootio.Column) uint32 {
	h := adler32.New()
	_ = binary.Write(h, binary.BigEndian, c.Values())
	return h.Sum32()
}

var harms = []struct {
	name string
	do   func(rng *rand.Rand, b []byte) []byte
}{
	{"truncate", func(rng *rand.Rand, b []byte) []byte { return b[:rng.IntN(len(b))] }},
	{"flip a bit", func(rng *rand.Rand, b []byte) []byte {
		b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		return b
	}},
	{"flip a bit at the end", func(rng *rand.Rand, b []byte) []byte {
		b[len(b)-1-rng.IntN(len(b)/8)] ^= 1 << rng.IntN(8)
		return b
	}},
	{"zero 512 bytes", func(rng *rand.Rand, b []byte) []byte {
		at := rng.IntN(len(b) - 512)
		clear(b[at : at+512])
		return b
	}},
}

func readAll(name string) (*rootio.Table, error) {
	return rootio.ReadFile(context.Background(), "Events", name)
}
