package classify

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/eidolon-hep/eidolon/rootio"
)

// The AUC of samples of one distribution has the variance (n₁+n₀+1)/(12 n₁n₀); scores
// that do not overlap leave it what it is, and blocks are single events.
func TestVarianceOfEqualSamples(t *testing.T) {
	rng := rand.New(rand.NewPCG(81, 81))
	const n, m = 400, 300
	fill := func(n int, mean float64, times int) *scored {
		s := &scored{}
		for i := range n {
			v := mean + rng.NormFloat64()
			for range times {
				s.add(v, 1)
				if times > 1 {
					s.block = append(s.block, int32(mean)*1000+int32(i))
				}
			}
		}
		return s
	}
	want := float64(n+m+1) / (12 * n * m)
	for _, shift := range []float64{0, 1, 100} {
		zero, one := fill(n, 0, 1), fill(m, shift, 1)
		auc(zero, one)
		if got := nullVariance(zero, one); math.Abs(got/want-1) > 0.15 {
			t.Errorf("shift %v: %v, want %v", shift, got, want)
		}
	}
	zero, one := fill(n, 0, 5), fill(m, 1, 5)
	auc(zero, one)
	if got := nullVariance(zero, one); math.Abs(got/want-1) > 0.15 {
		t.Errorf("in blocks: %v, want %v", got, want)
	}
}

// Rows that are equal are in one fold, in both samples; codes, which are equal by nature, are
// not held together.
func TestEqualRowsStayTogether(t *testing.T) {
	x := normals(1, 300, 0)
	zero := Sample{Table: table(rootio.ColumnOf("x", append(slices.Clone(x), x...)))}
	one := Sample{Table: table(rootio.ColumnOf("x", append(normals(2, 300, 0), x[:100]...)))}
	f, err := newFolds(context.Background(), zero, one, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if f.result.Copies != 400 {
		t.Errorf("%d copies", f.result.Copies)
	}
	for i := range 300 {
		if f.keys[0][i] != f.keys[0][300+i] || i < 100 && f.keys[0][i] != f.keys[1][300+i] {
			t.Fatalf("the copies of row %d are apart", i)
		}
	}
	codes := make([]int32, 600)
	for i := range codes {
		codes[i] = int32(i % 3)
	}
	c := Sample{Table: table(rootio.ColumnOf("x", codes))}
	if f, err = newFolds(context.Background(), c, c, Options{}); err != nil || f.result.Copies != 0 {
		t.Errorf("%d copies among codes, %v", f.result.Copies, err)
	}
}

// The mean weight at the place of an event is found where weights have both signs, and
// nothing but that: it has the sum of the weights.
func TestMeanOfSignedWeights(t *testing.T) {
	rng := rand.New(rand.NewPCG(82, 82))
	const n = 4000
	x, w := normals(1, n, 0), make([]float64, n)
	truth := func(x float64) float64 { return 1 / (1 + math.Exp(-2*x)) }
	for i := range w {
		w[i] = truth(x[i]) + []float64{-1, 1}[rng.IntN(2)]
	}
	f, err := newFolds(context.Background(), Sample{Table: table(rootio.ColumnOf("x", normals(2, n, 0)))},
		Sample{Table: table(rootio.ColumnOf("x", x)), Weights: w}, Options{Hidden: 32})
	if err != nil {
		t.Fatal(err)
	}
	u, err := f.weightsOf(context.Background(), 1, f.rows[1])
	if err != nil {
		t.Fatal(err)
	}
	var off, sum, want float64
	for j, i := range f.rows[1] {
		off += math.Abs(u[j]/f.scale[1]-truth(x[i])) / n
		sum, want = sum+u[j], want+w[i]*f.scale[1]
	}
	if off > 0.08 || slices.Min(u) <= 0 || math.Abs(sum/want-1) > 1e-9 {
		t.Errorf("off by %.3f, smallest %v, sum %v of %v", off, slices.Min(u), sum, want)
	}
}

// A signal ends the work within two seconds.
func TestEndsWithItsContext(t *testing.T) {
	const n = 60_000
	var a, b rootio.Table
	for k := range 6 {
		name := string(rune('a' + k))
		a.Columns = append(a.Columns, rootio.ColumnOf(name, normals(uint64(k), n, 0)))
		b.Columns = append(b.Columns, rootio.ColumnOf(name, normals(uint64(100+k), n, 0.1)))
	}
	for _, after := range []time.Duration{0, 300 * time.Millisecond, time.Second} {
		ctx, cancel := context.WithTimeout(context.Background(), after)
		start := time.Now()
		_, err := CrossFit(ctx, Sample{Table: &a}, Sample{Table: &b}, Options{})
		cancel()
		if late := time.Since(start) - after; !errors.Is(err, context.DeadlineExceeded) || late > 10*time.Second {
			t.Errorf("after %v: %v late, %v", after, late, err)
		}
	}
}
