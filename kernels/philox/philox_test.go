package philox

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/eidolon-hep/eidolon/kernels/internal/guard"
)

// TestKnownAnswers has the vectors "philox4x32 10" of the file
// tests/kat_vectors in the Random123 distribution (v1.14.0).
func TestKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{
			[4]uint32{}, [2]uint32{},
			[4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
		}, {
			[4]uint32{math.MaxUint32, math.MaxUint32, math.MaxUint32, math.MaxUint32}, [2]uint32{math.MaxUint32, math.MaxUint32},
			[4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
		}, {
			[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, [2]uint32{0xa4093822, 0x299f31d0},
			[4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
		},
	} {
		if got := philox(c.counter, c.key); got != c.want {
			t.Errorf("counter %x key %x: %x, want %x", c.counter, c.key, got, c.want)
		}
		low := func(a, b uint32) uint64 { return uint64(a) | uint64(b)<<32 }
		seed, stream, index := low(c.key[0], c.key[1]), low(c.counter[2], c.counter[3]), low(c.counter[0], c.counter[1])
		if got := block(seed, stream, index); got != c.want {
			t.Errorf("block(%x, %x, %x) = %x, want %x", seed, stream, index, got, c.want)
		}
	}
}

// TestAnyCut draws every part of a range, also across the end of the index's
// low half and of the index itself, and wants the deviates of the whole.
func TestAnyCut(t *testing.T) {
	const n = 150
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, first := range []uint64{0, 1, 2, 3, 1<<34 - 77, math.MaxUint64 - 66} {
		u, z, d := make([]float32, n), make([]float32, n), make([]float64, n)
		for i := range uint64(n) {
			Uniform(u[i:i+1], 5, 6, first+i)
			Normal(z[i:i+1], 5, 6, first+i)
			Uniform64(d[i:i+1], 5, 6, first+i)
			if want := (float64(Uint64(5, 6, first+i)>>12) + 0.5) * 0x1p-52; d[i] != want {
				t.Fatalf("Uniform64 %d+%d: %v, want %v", first, i, d[i], want)
			}
			w := block(5, 6, (first+i)/4)
			if want := (float32(w[(first+i)%4]>>9) + 0.5) * 0x1p-23; u[i] != want {
				t.Fatalf("Uniform %d+%d: %v, want %v", first, i, u[i], want)
			}
		}
		for from := range n {
			for _, size := range []int{0, 2, 3, 7, 8, 9, 31, 32, 33, 63, 64, 70, n - from} {
				if from+size > n {
					continue
				}
				buffer, buffer64 := guard.New[float32](rnd, size), guard.New[float64](rnd, size)
				part, part64 := buffer.Inside, buffer64.Inside
				Uniform(part, 5, 6, first+uint64(from))
				for i, v := range part {
					if v != u[from+i] {
						t.Fatalf("Uniform first %d from %d: [%d] is %v, want %v", first, from, i, v, u[from+i])
					}
				}
				Normal(part, 5, 6, first+uint64(from))
				for i, v := range part {
					if math.Float32bits(v) != math.Float32bits(z[from+i]) {
						t.Fatalf("Normal first %d from %d: [%d] is %v, want %v", first, from, i, v, z[from+i])
					}
				}
				Uniform64(part64, 5, 6, first+uint64(from))
				for i, v := range part64 {
					if v != d[from+i] {
						t.Fatalf("Uniform64 first %d from %d: [%d] is %v, want %v", first, from, i, v, d[from+i])
					}
				}
				name := fmt.Sprintf("first %d from %d", first, from)
				buffer.Intact(t, name)
				buffer64.Intact(t, name)
			}
		}
	}
}

// TestMoments compares mean, variance, kurtosis and tails of many deviates
// with those of their laws, within five standard errors.
func TestMoments(t *testing.T) {
	const n = 1 << 20
	dst := make([]float32, n)
	moment := func(p int) float64 {
		var sum float64
		for _, v := range dst {
			sum += math.Pow(float64(v), float64(p))
		}
		return sum / n
	}
	near := func(name string, got, want, sigma float64) {
		t.Helper()
		if math.Abs(got-want) > 5*sigma/math.Sqrt(n) {
			t.Errorf("%s: %v, want %v ± %v", name, got, want, sigma/math.Sqrt(n))
		}
	}
	Normal(dst, 1, 2, 0)
	near("normal mean", moment(1), 0, 1)
	near("normal variance", moment(2), 1, math.Sqrt(2))
	near("normal third", moment(3), 0, math.Sqrt(15))
	near("normal fourth", moment(4), 3, math.Sqrt(96))
	var lag [5]float64
	var tail float64
	for i, v := range dst {
		for l := range lag {
			lag[l] += float64(v) * float64(dst[(i+l+1)%n]) / n
		}
		if math.Abs(float64(v)) > 4 {
			tail++
		}
	}
	for l, v := range lag {
		near(fmt.Sprintf("normal correlation at distance %d", l+1), v, 0, 1)
	}
	p := math.Erfc(4 / math.Sqrt2)
	near("normal tail", tail/n, p, math.Sqrt(p))

	Uniform(dst, 1, 3, 0)
	near("uniform mean", moment(1), 1./2, math.Sqrt(1./12))
	near("uniform square", moment(2), 1./3, math.Sqrt(4./45))
	for _, v := range dst {
		if v <= 0 || v >= 1 {
			t.Fatalf("uniform deviate %v", v)
		}
	}
}

func TestTwin(t *testing.T) {
	for stream, first := range []uint64{3, 1<<40 + 1, math.MaxUint64 - 1<<17} {
		checkTwin(t, 7, uint64(stream), first, 1<<18)
	}
}

func FuzzTwin(f *testing.F) {
	f.Add(uint64(1), uint64(2), uint64(math.MaxUint64-20), uint16(77))
	f.Fuzz(func(t *testing.T, seed, stream, first uint64, n uint16) {
		checkTwin(t, seed, stream, first, int(n))
	})
}

// checkTwin compares the deviates with those of the pure twin: the same bits
// from the uniform ones, at most 4 ULP between the normal ones.
func checkTwin(t *testing.T, seed, stream, first uint64, n int) {
	u, uTwin, d, dTwin := make([]float32, n), make([]float32, n), make([]float64, n), make([]float64, n)
	Uniform(u, seed, stream, first)
	uniformPure(uTwin, seed, stream, first)
	Uniform64(d, seed, stream, first)
	uniform64Pure(dTwin, seed, stream, first)
	for i := range u {
		if u[i] != uTwin[i] || d[i] != dTwin[i] {
			t.Fatalf("uniform deviate %d+%d: %v, %v, the twin's %v, %v", first, i, u[i], d[i], uTwin[i], dTwin[i])
		}
	}
	Normal(u, seed, stream, first)
	normalPure(uTwin, seed, stream, first)
	for i := range u {
		a, b := math.Float32bits(u[i]), math.Float32bits(uTwin[i])
		if max(a, b)-min(a, b) > 4 {
			t.Fatalf("normal deviate %d+%d: %v, the twin's %v", first, i, u[i], uTwin[i])
		}
	}
}

// TestBoxMuller checks the corners of the map and that it is a map to the
// plane: x² + y² = −2 ln u, and the angle is that of the second word.
func TestBoxMuller(t *testing.T) {
	for _, w := range []uint32{0, 1, 1 << 20, 1 << 31, math.MaxUint32 - 1, math.MaxUint32} {
		for q := range uint32(8) {
			for _, off := range []uint32{0, 1, 1000, math.MaxUint32} {
				a := q<<29 + off
				x, y := boxMuller(w, a)
				r2 := -2 * math.Log((float64(w)+0.5)*0x1p-32)
				if got := float64(x)*float64(x) + float64(y)*float64(y); math.Abs(got-r2) > 3e-7*r2 {
					t.Errorf("(%d, %d): radius² %v, want %v", w, a, got, r2)
				}
				angle := float64(a) * 0x1p-31 * math.Pi
				if d := math.Mod(math.Atan2(float64(y), float64(x))-angle+3*math.Pi, 2*math.Pi) - math.Pi; math.Abs(d) > 3e-7 {
					t.Errorf("(%d, %d): angle is off by %v", w, a, d)
				}
			}
		}
	}
	if x, y := boxMuller(7, 1<<30); x != 0 || y <= 0 {
		t.Errorf("a quarter turn: %v, %v", x, y)
	}
}

func TestNoAllocations(t *testing.T) {
	u, d := make([]float32, 99), make([]float64, 99)
	if n := testing.AllocsPerRun(5, func() {
		Uniform(u, 1, 2, 3)
		Normal(u, 1, 2, 3)
		Uniform64(d, 1, 2, 3)
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// Deviates 4 to 7 of a stream are the same, drawn at once or one by one.
func ExampleNormal() {
	const seed, stream = 42, 0
	var batch, single [4]float32
	Normal(batch[:], seed, stream, 4)
	for i := range single {
		Normal(single[i:i+1], seed, stream, 4+uint64(i))
	}
	fmt.Println(batch == single)
	// Output: true
}
