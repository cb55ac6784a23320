package inflate

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	std "hash/adler32"
	"io"
	"math"
	"math/rand/v2"
	"testing"

	kzlib "github.com/klauspost/compress/zlib"
)

// samples are data of all sorts: noise, numbers as ROOT has them, runs, repetitions near and far, few and many bytes.
func samples() map[string][]byte {
	rng := rand.New(rand.NewPCG(1, 1))
	noise := make([]byte, 100_000)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	var floats, counts []byte
	for i := range 30_000 {
		floats = binary.BigEndian.AppendUint32(floats, math.Float32bits(float32(rng.NormFloat64())))
		counts = binary.BigEndian.AppendUint32(counts, uint32(1_000_000+i))
	}
	var skewed []byte // long codes: the frequencies are Fibonacci numbers
	for s, a, b := 0, 1, 1; s < 24; s, a, b = s+1, b, a+b {
		skewed = append(skewed, bytes.Repeat([]byte{byte(s)}, a)...)
	}
	rng.Shuffle(len(skewed), func(i, k int) { skewed[i], skewed[k] = skewed[k], skewed[i] })
	s := map[string][]byte{"noise": noise, "floats": floats, "counts": counts, "skewed": skewed, "runs": bytes.Repeat([]byte("a"), 70_000),
		"far": append(append(bytes.Clone(noise[:32_768]), noise[:300]...), noise[:20_000]...)}
	for period := 2; period < 20; period++ {
		s[fmt.Sprint("period ", period)] = bytes.Repeat(noise[:period], 5_000/period)
	}
	for _, n := range []int{0, 1, 2, 3, 7, 8, 9, 258, 273, 274, 275} {
		s[fmt.Sprint("short ", n)] = floats[:n]
	}
	return s
}

func compressed(t testing.TB, level int, data []byte) [][]byte {
	t.Helper()
	var streams [][]byte
	for _, open := range []func(w io.Writer) (io.WriteCloser, error){
		func(w io.Writer) (io.WriteCloser, error) { return zlib.NewWriterLevel(w, level) },
		func(w io.Writer) (io.WriteCloser, error) { return kzlib.NewWriterLevel(w, level) },
	} {
		var b bytes.Buffer
		w, err := open(&b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		streams = append(streams, b.Bytes())
	}
	return streams
}

// What two compressors make at any level comes out again, in a slice of just its size and in no other.
func TestRoundTrip(t *testing.T) {
	var d Decoder
	for name, data := range samples() {
		for level := zlib.HuffmanOnly; level <= zlib.BestCompression; level++ {
			for i, stream := range compressed(t, level, data) {
				got := make([]byte, len(data))
				if err := d.Zlib(got, stream); err != nil || !bytes.Equal(got, data) {
					t.Fatalf("%s, level %d, compressor %d: %v", name, level, i, err)
				}
				if d.Zlib(make([]byte, len(data)+1), stream) == nil {
					t.Errorf("%s, level %d: a byte more than there is", name, level)
				}
				if len(data) > 0 && d.Zlib(make([]byte, len(data)-1), stream) == nil {
					t.Errorf("%s, level %d: a byte less than there is", name, level)
				}
			}
		}
	}
}

// Damage is an error, or what the package compress/zlib reads, too; and no panic.
func TestDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	var d Decoder
	found := 0
	for _, data := range samples() {
		data = data[:min(len(data), 5_000)]
		for _, level := range []int{1, 6, zlib.HuffmanOnly} {
			stream := compressed(t, level, data)[0]
			for range 60 {
				bad := bytes.Clone(stream)
				if rng.IntN(4) == 0 {
					bad = bad[:rng.IntN(len(bad))]
				} else {
					bad[rng.IntN(len(bad))] ^= 1 << rng.IntN(8)
				}
				found += agrees(t, &d, bad, len(data))
			}
		}
	}
	if found < 1000 {
		t.Errorf("only %d damages are found", found)
	}
}

// agrees compares what both decoders say of a stream for so many bytes: 1 if it is an error.
func agrees(t *testing.T, d *Decoder, stream []byte, n int) int {
	t.Helper()
	got := make([]byte, n)
	err := d.Zlib(got, stream)
	var want []byte
	r, e := zlib.NewReader(bytes.NewReader(stream))
	if e == nil {
		want, e = io.ReadAll(io.LimitReader(r, int64(n)+1))
	}
	switch {
	case err == nil && (e != nil || !bytes.Equal(got, want)):
		t.Fatalf("%d bytes are read without an error, compress/zlib says %v", n, e)
	case err != nil && e == nil && len(want) == n:
		t.Fatalf("%v, and compress/zlib reads it", err)
	case err != nil:
		return 1
	}
	return 0
}

func TestAdler32(t *testing.T) {
	for _, data := range samples() {
		if adler32(data) != std.Checksum(data) {
			t.Errorf("of %d bytes it is %x, not %x", len(data), adler32(data), std.Checksum(data))
		}
	}
	if most := bytes.Repeat([]byte{255}, 100_001); adler32(most) != std.Checksum(most) {
		t.Error("of the largest bytes it is wrong")
	}
}

func FuzzZlib(f *testing.F) {
	for _, data := range samples() {
		data = data[:min(len(data), 300)]
		f.Add(compressed(f, 6, data)[0], len(data))
	}
	var d Decoder
	f.Fuzz(func(t *testing.T, stream []byte, n int) {
		if n >= 0 && n < 1<<20 {
			agrees(t, &d, stream, n)
		}
	})
}

func BenchmarkZlib(b *testing.B) {
	for _, name := range []string{"floats", "counts", "skewed"} {
		data := samples()[name]
		data = data[:min(len(data), 32_000)]
		stream := compressed(b, 1, data)[0]
		dst := make([]byte, len(data))
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			var d Decoder
			for b.Loop() {
				if err := d.Zlib(dst, stream); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+" klauspost", func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			r, _ := kzlib.NewReader(bytes.NewReader(stream))
			for b.Loop() {
				_ = r.(kzlib.Resetter).Reset(bytes.NewReader(stream), nil)
				if _, err := io.ReadFull(r, dst); err != nil {
					b.Fatal(err)
				}
				_, _ = r.Read(make([]byte, 1))
			}
		})
	}
}
