package trees

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// sample returns events with features of several kinds, and targets 0 and 1 that depend on them, with weights.
func sample(seed uint64, n, dim int) (x, y, w []float32) {
	rng := rand.New(rand.NewPCG(seed, 1))
	for range n {
		s := float32(rng.IntN(2))
		for f := range dim {
			v := float32(rng.NormFloat64()) * (1 + 0.2*s)
			if f%3 == 1 {
				v = float32(math.Round(float64(3*v))) + s*float32(rng.IntN(2))
			}
			if f%3 == 2 && rng.IntN(10) == 0 {
				v = float32(math.NaN())
			}
			x = append(x, v)
		}
		y, w = append(y, s), append(w, 0.5+rng.Float32())
	}
	return x, y, w
}

func rowsOf(n int) []int32 {
	rows := make([]int32, n)
	for i := range rows {
		rows[i] = int32(i)
	}
	return rows
}

var usual = Options{Rounds: 30, Leaves: 32, Depth: 5, Rate: 0.1, Ridge: 1, Least: 5}

// fitAll grows trees on all rows.
func fitAll(t *testing.T, m *Matrix, y, w []float32, loss Loss, o Options) *Forest {
	t.Helper()
	f, err := Fit(context.Background(), m, rowsOf(m.Rows()), nil, y, w, loss, o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The bins of a value are those of the edges, whatever the value.
func TestBins(t *testing.T) {
	x, _, _ := sample(3, 5000, 9)
	inf := float32(math.Inf(1))
	for i, v := range []float32{inf, -inf, math.MaxFloat32, -math.MaxFloat32, 1e-45, -1e-45, 0} {
		x[9*i] = v
	}
	m := NewMatrix(x, 9, 5000)
	for f := range 9 {
		edges := m.edges[f]
		if len(edges) >= bins || !slices.IsSorted(edges) || len(slices.Compact(slices.Clone(edges))) != len(edges) {
			t.Fatalf("feature %d: %d edges, %v", f, len(edges), edges)
		}
		count := make([]int, bins)
		for i := range m.Rows() {
			v := x[i*9+f]
			want := 0
			for _, e := range edges {
				if v > e {
					want++
				}
			}
			got := int(uint8(m.blocks[f/block][i] >> (8 * (f % block))))
			if got != want {
				t.Fatalf("feature %d: %v is in bin %d, not %d", f, v, got, want)
			}
			count[got]++
		}
		if f%3 != 1 && f > 0 && (len(edges) < 200 || slices.Max(count[1:]) > 60) {
			t.Errorf("feature %d: %d edges, up to %d events in a bin", f, len(edges), slices.Max(count[1:]))
		}
	}
	for _, values := range [][]float32{{1, 1, 1}, {2, 1}, {float32(math.NaN()), 1}, {}} {
		want := len(slices.Compact(slices.Clone(values)))
		if m := NewMatrix(values, 1, len(values)); len(m.edges[0]) != max(want-1, 0) {
			t.Errorf("%v: edges %v", values, m.edges[0])
		}
	}
}

// The first split is the best of all, and the values of leaves are Newton's steps, as found by trying everything in float64.
func TestFirstTree(t *testing.T) {
	const n, dim = 3000, 10
	x, y, w := sample(1, n, dim)
	m := NewMatrix(x, dim, n)
	o := usual
	o.Rounds, o.Leaves = 1, 2
	f := fitAll(t, m, y, w, Logistic(), o)
	sums := func(feature int, edge float32) (s [2][2]float64) {
		for i := range n {
			side := 0
			if x[i*dim+feature] > edge {
				side = 1
			}
			s[side][0] += float64(w[i]) * (0.5 - float64(y[i]))
			s[side][1] += float64(w[i]) * 0.25
		}
		return s
	}
	gain := func(s [2][2]float64) float64 {
		return s[0][0]*s[0][0]/(s[0][1]+o.Ridge) + s[1][0]*s[1][0]/(s[1][1]+o.Ridge)
	}
	best := 0.0
	for feature := range dim {
		for _, e := range m.edges[feature] {
			if s := sums(feature, e); min(s[0][1], s[1][1]) >= o.Least {
				best = max(best, gain(s))
			}
		}
	}
	root := f.Trees[0][0]
	got := sums(int(root.Feature), root.Threshold)
	if math.Abs(gain(got)/best-1) > 1e-4 {
		t.Errorf("gain %v, the best is %v", gain(got), best)
	}
	for side, leaf := range f.Trees[0][1:] {
		if want := -o.Rate * got[side][0] / (got[side][1] + o.Ridge); math.Abs(float64(leaf.Value)/want-1) > 1e-4 {
			t.Errorf("leaf %v, want %v", leaf.Value, want)
		}
	}
}

// All ways to evaluate trees agree, and deep trees keep to their limits.
func TestOutputs(t *testing.T) {
	const n, dim = 4000, 11
	x, y, w := sample(2, n, dim)
	m := NewMatrix(x, dim, n)
	f := fitAll(t, m, y, w, Logistic(), usual)
	if err := f.Check(dim); err != nil {
		t.Error(err)
	}
	got := make([]float64, n)
	f.Add(got, x, 2)
	byBins := f.Outputs(m, rowsOf(n))
	for _, tree := range f.Trees {
		if d := depth(tree); d > usual.Depth || len(tree) > 2*usual.Leaves-1 {
			t.Errorf("a tree of %d nodes is %d deep", len(tree), d)
		}
	}
	for i := range n {
		want := 0.0
		for _, tree := range f.Trees {
			k := int32(0)
			for tree[k].Left != 0 {
				k0 := tree[k]
				k = k0.Left
				if x[i*dim+int(k0.Feature)] > k0.Threshold {
					k++
				}
			}
			want += float64(tree[k].Value)
		}
		if math.Abs(got[i]-2*want) > 1e-5 || math.Abs(float64(byBins[i])-want) > 1e-5 {
			t.Fatalf("event %d: %v and %v, want %v", i, got[i]/2, byBins[i], want)
		}
	}
}

// Trees find the ratio of two normals, log r = x − ½, and a mean; those without anything to learn are few.
func TestFindsRatioAndMean(t *testing.T) {
	const n = 40_000
	rng := rand.New(rand.NewPCG(4, 4))
	var x, class, mean []float32
	for i := range n {
		v := rng.NormFloat64() + float64(i%2)
		x = append(x, float32(v), float32(rng.NormFloat64()))
		class, mean = append(class, float32(i%2)), append(mean, float32(math.Sin(v)+rng.NormFloat64()))
	}
	m := NewMatrix(x, 2, n)
	w := slices.Repeat([]float32{1}, n)
	o := usual
	o.Rounds, o.Patience = 1000, 20
	train, valid := rowsOf(n)[:n*3/4], rowsOf(n)[n*3/4:]
	for name, c := range map[string]struct {
		loss Loss
		y    []float32
		want func(x float64) float64
	}{
		"ratio": {Logistic(), class, func(x float64) float64 { return x - 0.5 }},
		"mean":  {Square(), mean, math.Sin},
	} {
		f, err := Fit(context.Background(), m, train, valid, c.y, w, c.loss, o)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float64, n)
		f.Add(got, x, 1)
		var off float64
		for i := range n {
			d := got[i] - c.want(float64(x[2*i]))
			off += d * d / n
		}
		if off = math.Sqrt(off); off > 0.2 {
			t.Errorf("%s: off by %.3f with %d trees", name, off, len(f.Trees))
		}
	}
	random := make([]float32, n)
	for i := range random {
		random[i] = float32(rng.IntN(2))
	}
	f, err := Fit(context.Background(), m, train, valid, random, w, Logistic(), o)
	if err != nil || len(f.Trees) > 15 {
		t.Errorf("%d trees where there is nothing to learn, %v", len(f.Trees), err)
	}
}

// An event of weight 30 is thirty events, and small weights are not lost beside large ones.
func TestWeights(t *testing.T) {
	const n, dim = 2000, 4
	x, y, w := sample(6, n, dim)
	for i, v := range x { // less than 256 values
		x[i] = float32(math.Round(10*float64(v)) / 10)
	}
	var copies, theirY []float32
	for i := range w {
		w[i] = 1
		if i%2 == 0 {
			w[i] = 30
		}
		for range int(w[i]) {
			copies, theirY = append(copies, x[i*dim:(i+1)*dim]...), append(theirY, y[i])
		}
	}
	o := usual
	o.Rounds = 10
	one := slices.Repeat([]float32{1}, len(theirY))
	m := NewMatrix(x, dim, n)
	a, b := make([]float64, n), make([]float64, n)
	fitAll(t, m, y, w, Logistic(), o).Add(a, x, 1)
	fitAll(t, NewMatrix(copies, dim, len(one)), theirY, one, Logistic(), o).Add(b, x, 1)
	var off, size float64
	for i := range a {
		off += (a[i] - b[i]) * (a[i] - b[i])
		size += b[i] * b[i]
	}
	if off > 0.01*size {
		t.Errorf("outputs differ by %.3g of their size", math.Sqrt(off/size))
	}
	for i := range w {
		w[i] *= 1e-6 * float32(1+i%2*(1e6-1)) // every other event is worth a millionth
	}
	o.Rounds, o.Leaves, o.Rate, o.Ridge, o.Least = 1, 2, 1, 0, 1e-9
	for i := range x {
		x[i] = float32(i / dim % 2) // so that a split is between them
	}
	out := make([]float64, 2)
	fitAll(t, NewMatrix(x, dim, n), y, w, Logistic(), o).Add(out, []float32{0, 0, 0, 0, 1, 1, 1, 1}, 1)
	var sum [2]float64
	for i, v := range y {
		sum[i%2] += 4 * (float64(v) - 0.5) / (n / 2)
	}
	if math.Abs(out[0]-sum[0]) > 0.02 || math.Abs(out[1]-sum[1]) > 0.02 {
		t.Errorf("outputs %v, want %v", out, sum)
	}
}

func TestCheckFindsDamage(t *testing.T) {
	good := []Node{{Feature: 1, Left: 1, Threshold: 2}, {Value: 1}, {Value: -1}}
	if err := (&Forest{Trees: [][]Node{good}}).Check(2); err != nil {
		t.Error(err)
	}
	for name, damage := range map[string]func(n []Node) []Node{
		"empty":     func([]Node) []Node { return nil },
		"feature":   func(n []Node) []Node { n[0].Feature = 2; return n },
		"negative":  func(n []Node) []Node { n[0].Feature = -1; return n },
		"circle":    func(n []Node) []Node { n[0].Left = -1; return n },
		"beyond":    func(n []Node) []Node { n[0].Left = 2; return n },
		"NaN":       func(n []Node) []Node { n[0].Threshold = float32(math.NaN()); return n },
		"infinite":  func(n []Node) []Node { n[1].Value = float32(math.Inf(1)); return n },
		"goes back": func(n []Node) []Node { n[1].Left = 1; return n },
	} {
		if (&Forest{Trees: [][]Node{damage(slices.Clone(good))}}).Check(2) == nil {
			t.Errorf("%s is not found", name)
		}
	}
}
