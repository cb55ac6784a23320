package gauss

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/kernels/cpu"
)

var (
	nan, inf = math.NaN(), math.Inf(1)
	fast     = cpu.AVX2
	dims     = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 33, 64}
	counts   = []int{1, 2, 7, 8, 9, 15, 16, 17, 255, 256, 257, 1000}
)

// TestScores compares all kernels for the distances with float64, and the
// assembly with its twin.
func TestScores(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, dim := range dims {
		for _, blocks := range []int{1, 2, 3, blocksOnce} {
			name := fmt.Sprintf("dim=%d blocks=%d", dim, blocks)
			size := blockSize(dim)
			y, base, events := normal(rnd, dim*tileLen), normal(rnd, tileLen), normal(rnd, blocks*size)
			v, twin := guarded(rnd, blocks*BlockLen*tileLen), guarded(rnd, blocks*BlockLen*tileLen)
			const scale = 1.7
			least := scores(v.inside, y.inside, base.inside, events.inside, blocks, dim, scale)
			leastTwin := scoresPure(twin.inside, y.inside, base.inside, events.inside, blocks, dim, scale)
			for i, got := range []int32{least, leastTwin} {
				all := [][]float32{v.inside, twin.inside}[i]
				want := slices.MinFunc(all, func(a, b float32) int {
					return int(int64(int32(math.Float32bits(a))) - int64(int32(math.Float32bits(b))))
				})
				if got != int32(math.Float32bits(want)) {
					t.Fatalf("%s: the least is %v, want %v", name, math.Float32frombits(uint32(got)), want)
				}
			}
			for b := range blocks {
				block := events.inside[b*size:]
				for q := range tileLen {
					for j := range BlockLen {
						var sum float64
						for d := range dim {
							u := float64(y.inside[d*tileLen+q]) - float64(block[(1+d)*BlockLen+j])
							sum += u * u
						}
						from := float64(base.inside[q])
						want := (sum-from)*scale + float64(block[j])
						bound := float64(dim+4) * 0x1p-24 * (scale*(sum+math.Abs(from)) + math.Abs(float64(block[j])))
						at := (b*tileLen+q)*BlockLen + j
						near(t, name+" v", float64(v.inside[at]), want, bound)
						near(t, name+" twin's v", float64(twin.inside[at]), want, bound)
					}
				}
			}
			var low, lowTwin [tileLen * lanes]float32
			lowest(low[:], v.inside, blocks)
			lowestPure(lowTwin[:], v.inside, blocks)
			for q := range tileLen {
				want := float32(inf)
				for b := range blocks {
					want = min(want, slices.Min(v.inside[(b*tileLen+q)*BlockLen:][:BlockLen]))
				}
				got, twin := slices.Min(low[q*lanes:][:lanes]), slices.Min(lowTwin[q*lanes:][:lanes])
				if got != want || twin != want {
					t.Fatalf("%s: query %d: the lowest is %v, by the twin %v, want %v", name, q, got, twin, want)
				}
			}
			for _, s := range []slice{y, base, events, v, twin} {
				s.check(t, name)
			}
		}
	}
}

// TestWeights compares 2⁻ᵛ with float64 over the whole range, and wants nothing
// but 0 from farthest on.
func TestWeights(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	const n = BlockLen * tileLen
	for range 200 {
		v, w, twin := guarded(rnd, 2*n), guarded(rnd, 2*n), guarded(rnd, 2*n)
		for i := range v.inside {
			v.inside[i] = 130 * rnd.Float32()
		}
		copy(v.inside, []float32{0, 0.5, 1, 1.5, 125.5, 126, 127, 127.5, 1e30, unseen, float32(inf), 0x1p-149})
		weights(w.inside, v.inside, 2)
		weightsPure(twin.inside, v.inside, 2)
		for i, x := range v.inside {
			for _, got := range []float32{w.inside[i], twin.inside[i]} {
				want := math.Exp2(-float64(x))
				switch {
				case x >= farthest:
					if got != 0 {
						t.Fatalf("2^−%v = %v, want 0", x, got)
					}
				case x > 126: // a subnormal number, or about to be
					near(t, fmt.Sprintf("2^−%v", x), float64(got), 0x1p-127, 0x1p-127)
				default:
					near(t, fmt.Sprintf("2^−%v", x), float64(got), want, 2.5e-7*want)
				}
			}
		}
		weights(v.inside, v.inside, 2)
		if !slices.Equal(v.inside, w.inside) {
			t.Fatal("in place there are other weights")
		}
		for _, s := range []slice{v, w, twin} {
			s.check(t, "weights")
		}
	}
}

// TestAdd compares the sums of products, squares and excesses with float64 and
// wants the lanes between them untouched.
func TestAdd(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for _, dim := range dims {
		for _, blocks := range []int{1, 2, blocksOnce} {
			size, sums := blockSize(dim), sumCount(dim)
			w, v, events := normal(rnd, blocks*BlockLen*tileLen), normal(rnd, blocks*BlockLen*tileLen), normal(rnd, blocks*size)
			start := normal(rnd, tileLen*sums*lanes)
			v.inside[0] = 300
			term := func(column, b, q, j int) float64 {
				at := (b*tileLen+q)*BlockLen + j
				weight := float64(w.inside[at])
				switch column {
				case 0:
					return weight
				case excessSum(dim):
					return weight * (min(float64(v.inside[at]), farthest) - float64(events.inside[b*size+j]))
				case squaresSum(dim):
					return weight * weight
				}
				return weight * float64(events.inside[b*size+column*BlockLen+j])
			}
			verify := func(name string, got, twin slice, first, last int) {
				t.Helper()
				for q := range tileLen {
					for c := range sums {
						at := (q*sums + c) * lanes
						for l := range lanes {
							want := float64(start.inside[at+l])
							magnitude := math.Abs(want)
							if c >= first && c <= last {
								for b := range blocks {
									for j := l; j < BlockLen; j += lanes {
										want += term(c, b, q, j)
										magnitude += math.Abs(term(c, b, q, j))
									}
								}
							}
							bound := 0.
							if c >= first && c <= last {
								bound = float64(2*blocks+3) * 0x1p-24 * magnitude
							}
							near(t, name, float64(got.inside[at+l]), want, bound)
							near(t, name+" by the twin", float64(twin.inside[at+l]), want, bound)
						}
					}
				}
				got.check(t, name)
				twin.check(t, name)
			}
			fresh := func() (slice, slice) {
				a, b := guarded(rnd, len(start.inside)), guarded(rnd, len(start.inside))
				copy(a.inside, start.inside)
				copy(b.inside, start.inside)
				return a, b
			}
			for columns := range dim + 2 {
				got, twin := fresh()
				addProducts(got.inside, w.inside, events.inside, blocks, dim, columns)
				addProductsPure(twin.inside, w.inside, events.inside, blocks, dim, columns)
				verify(fmt.Sprintf("dim=%d blocks=%d: %d products", dim, blocks, columns), got, twin, 0, columns)
			}
			got, twin := fresh()
			addSquares(got.inside, w.inside, blocks, dim)
			addSquaresPure(twin.inside, w.inside, blocks, dim)
			verify(fmt.Sprintf("dim=%d blocks=%d: squares", dim, blocks), got, twin, squaresSum(dim), squaresSum(dim))
			got, twin = fresh()
			addExcess(got.inside, w.inside, v.inside, events.inside, blocks, dim)
			addExcessPure(twin.inside, w.inside, v.inside, events.inside, blocks, dim)
			verify(fmt.Sprintf("dim=%d blocks=%d: excess", dim, blocks), got, twin, excessSum(dim), excessSum(dim))
			for _, s := range []slice{w, v, events} {
				s.check(t, "operands")
			}
		}
	}
}

// TestAgainstFloat64 compares all results with float64 for every number of
// events and dimensions, schedules from broad to sharp, with and without weights.
func TestAgainstFloat64(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	schedules := [][2]float64{{0.8, 0.6}, {0.97, 0.25}, {1, 0.03}, {1, 1e-3}, {0, 1}, {1e-3, 1}, {-0.5, 0.7}, {1, 1e-8}, {1, 1e-13}, {1e-20, 1}, {3, 100}}
	for i, dim := range dims {
		for j, n := range counts {
			p := newProblem(rnd, n, dim, 1+rnd.IntN(26), schedules[(i+j)%len(schedules)])
			p.weigh(rnd, (i+j)%3)
			p.verify(t)
		}
	}
}

// TestHardCases are those at which sums of exponentials fail.
func TestHardCases(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 10))
	for _, dim := range []int{1, 2, 5, 8, 17} {
		for weighing := range 3 {
			for _, schedule := range [][2]float64{{0.8, 0.6}, {1, 0.01}, {1, 1e-3}, {1, 1e-6}} {
				p := newProblem(rnd, 600, dim, 15, schedule)
				copy(p.x0[500*dim:], p.x0[:100*dim]) // duplicated events
				for d := range dim {
					p.x0[17*dim+d] = 1e6  // an outlier
					p.x[3*dim+d] = 1e6    // and a query there
					p.x[4*dim+d] = -1e6   // one where there is none
					p.x[5*dim+d] *= 1e3   // one outside
					p.x[6*dim+d] = 0.5e6  // one that is as far from everything
					p.x[7*dim+d] = 1e-30  // and one in the middle
					p.x[8*dim+d] = 1e-42  // nearly
					p.x0[18*dim+d] = 0    // of all
					p.x0[19*dim+d] = 1e-9 // events
				}
				p.weigh(rnd, weighing)
				p.verify(t)
			}
		}
	}
}

// TestWeightless has no event, or none with weight.
func TestWeightless(t *testing.T) {
	rnd := rand.New(rand.NewPCG(11, 12))
	for _, n := range []int{0, 1, 40} {
		p := newProblem(rnd, n, 3, 5, [2]float64{0.8, 0.6})
		p.logw = make([]float32, n)
		for i := range p.logw {
			p.logw[i] = float32(-inf)
		}
		out := p.compute(t)
		for i := range p.m {
			if out.LogSum[i] != -inf || !isNaN(out.Mean[i*3:][:3]...) || !isNaN(out.Second[i], out.Variance[i], out.InvNeff[i]) {
				t.Errorf("%d events without weight: %v", n, out)
			}
		}
	}
}

// TestFaintWeights: only the nearest event is met, though it has a weight far below the others'.
func TestFaintWeights(t *testing.T) {
	x0 := make([]float32, 1000)
	logw := make([]float32, 1000)
	for i := range x0 {
		x0[i] = 1 + float32(i)/1000
	}
	x0[500], logw[500] = 0, -2000
	p := &problem{n: 1000, dim: 1, m: 1, alpha: 1, sigma: 1e-3, x0: x0, logw: logw, x: []float32{1e-3}}
	p.verify(t)
	if out := p.compute(t); out.Mean[0] != 0 {
		t.Errorf("the mean is %v, want the event at 0", out.Mean[0])
	}
}

// TestNonFiniteQueries: NaN gives NaN, and infinity is far from all events; the
// other queries get the same bits as without them.
func TestNonFiniteQueries(t *testing.T) {
	rnd := rand.New(rand.NewPCG(13, 14))
	for _, schedule := range [][2]float64{{0.8, 0.6}, {0, 1}, {1, 1e-3}} {
		const dim = 3
		p := newProblem(rnd, 100, dim, 30, schedule)
		want := p.compute(t)
		p.x[4*dim+1] = float32(nan)
		p.x[5*dim] = float32(math.Copysign(nan, -1))
		p.x[6*dim+2] = float32(inf)
		p.x[29*dim] = float32(-inf)
		got := p.compute(t)
		for i := range p.m {
			mean := got.Mean[i*dim:][:dim]
			switch i {
			case 4, 5:
				if !math.IsNaN(got.LogSum[i]) || !isNaN(mean...) || !isNaN(got.Second[i], got.Variance[i], got.InvNeff[i]) {
					t.Errorf("query %d is NaN and gives %v, %v", i, got.LogSum[i], mean)
				}
			case 6, 29:
				if got.LogSum[i] != -inf {
					t.Errorf("query %d is infinite and gives %v, %v", i, got.LogSum[i], mean)
				}
			default:
				same(t, fmt.Sprintf("alpha=%v: query %d beside NaN", p.alpha, i), got.rows(i, 1, dim), want.rows(i, 1, dim))
			}
		}
	}
}

// TestQueriesAreIndependent computes each query in every place of a batch and
// alone, and wants the same bits.
func TestQueriesAreIndependent(t *testing.T) {
	rnd := rand.New(rand.NewPCG(15, 16))
	for _, dim := range []int{1, 2, 7, 18} {
		for _, schedule := range [][2]float64{{0.8, 0.6}, {0.95, 0.1}, {1, 1e-2}, {1, 1e-4}, {0, 1}} {
			p := newProblem(rnd, 700, dim, 40, schedule)
			for i := range dim {
				p.x[12*dim+i] *= 50 // a query whose base moves
			}
			p.weigh(rnd, rnd.IntN(3))
			want := p.compute(t)
			for first := range p.m {
				for _, n := range []int{1, 5, 13} {
					if first+n > p.m {
						continue
					}
					part := *p
					part.m, part.x = n, p.x[first*dim:][:n*dim]
					same(t, fmt.Sprintf("dim=%d sigma=%v: queries from %d on", dim, p.sigma, first), part.compute(t), want.rows(first, n, dim))
				}
			}
		}
	}
}

// TestPartsOfEvents adds the blocks in pieces and in another order, and looks
// at log Σ w on the way.
func TestPartsOfEvents(t *testing.T) {
	rnd := rand.New(rand.NewPCG(17, 18))
	for _, schedule := range [][2]float64{{0.8, 0.6}, {1, 0.05}, {1, 1e-3}} {
		const dim = 4
		p := newProblem(rnd, 5000, dim, 20, schedule)
		p.weigh(rnd, 2)
		events := p.events(t)
		s, out := NewSums(p.m, dim), newResult(p.m, dim)
		s.Start(out, p.x, p.m, p.alpha, p.sigma)
		last := make([]float64, p.m)
		for i := range last {
			last[i] = -inf
		}
		for hi := events.Blocks(); hi > 0; {
			lo := max(0, hi-1-rnd.IntN(40))
			s.Add(events, lo, hi)
			hi = lo
			for i := range last {
				if now := s.LogSum(i); now < last[i]-1e-6*math.Abs(last[i]) {
					t.Fatalf("sigma=%v: log Σ w fell from %v to %v", p.sigma, last[i], now)
				} else {
					last[i] = now
				}
			}
		}
		s.Finish()
		p.compare(t, out)
		for i, v := range out.LogSum {
			near(t, "log Σ w before Finish", last[i], v, 1e-12*math.Abs(v))
		}
		again := newResult(p.m, dim)
		s.out = again
		s.Finish()
		same(t, "finished again", again, out)
	}
}

// TestAddRows gives each query events of its own choice, and wants the bits that
// it gets when it is alone.
func TestAddRows(t *testing.T) {
	rnd := rand.New(rand.NewPCG(21, 22))
	for _, dim := range []int{1, 2, 8, 20} {
		for _, at := range [][2]float64{{0.5, 0.5}, {0.9, 0.01}, {1, 1e-6}, {0, 1}} {
			const m, n = 31, 700
			p := newProblem(rnd, n, dim, m, at)
			p.weigh(rnd, 1)
			events := p.events(t)
			parts := [][2]int{{0, 3}, {3, 4}, {4, 25}, {25, events.Blocks()}}
			use := make([][]bool, len(parts))
			for i := range use {
				use[i] = make([]bool, m)
				for q := range m {
					use[i][q] = i == q%4 || rnd.IntN(3) == 0
				}
			}
			sum := func(out Result, x []float32, m, first int) {
				s := NewSums(m, dim)
				s.Start(out, x, m, at[0], at[1])
				for i, part := range parts {
					var rows []int32
					for q, in := range use[i][first : first+m] {
						if in {
							rows = append(rows, int32(q))
						}
					}
					s.AddRows(events, part[0], part[1], rows)
				}
				s.Finish()
			}
			together, alone := newResult(m, dim), newResult(m, dim)
			sum(together, p.x, m, 0)
			for q := range m {
				sum(alone.rows(q, 1, dim), p.x[q*dim:][:dim], 1, q)
			}
			same(t, p.String(), together, alone)

			// All parts are what Add adds.
			for i := range use {
				for q := range m {
					use[i][q] = true
				}
			}
			sum(together, p.x, m, 0)
			p.compare(t, together)
		}
	}
}

// TestSeveralEvents adds events that were packed apart, their weights included.
func TestSeveralEvents(t *testing.T) {
	rnd := rand.New(rand.NewPCG(19, 20))
	const dim = 3
	for _, schedule := range [][2]float64{{0.8, 0.6}, {1, 0.02}} {
		p := newProblem(rnd, 900, dim, 20, schedule)
		p.logw = make([]float32, p.n)
		for i := range p.logw {
			p.logw[i] = float32(rnd.NormFloat64()) + float32(20*(i/300))
		}
		s, out := NewSums(p.m, dim), newResult(p.m, dim)
		s.Start(out, p.x, p.m, p.alpha, p.sigma)
		for _, i := range []int{300, 0, 600} {
			events, err := NewEvents(p.x0[i*dim:][:300*dim], p.logw[i:][:300], 300, dim)
			if err != nil {
				t.Fatal(err)
			}
			s.Add(events, 0, events.Blocks())
		}
		s.Finish()
		p.compare(t, out)
	}
}

// TestWhatIsAskedFor leaves out results: those that remain have the same bits.
func TestWhatIsAskedFor(t *testing.T) {
	rnd := rand.New(rand.NewPCG(21, 22))
	for _, schedule := range [][2]float64{{0.8, 0.6}, {0.6, 0.8}} {
		p := newProblem(rnd, 300, 5, 14, schedule)
		all := p.compute(t)
		events := p.events(t)
		for which := range 32 {
			part := newResult(p.m, p.dim)
			want := all
			for i, leave := range []func(*Result){
				func(r *Result) { r.LogSum = nil }, func(r *Result) { r.Mean = nil }, func(r *Result) { r.Second = nil },
				func(r *Result) { r.Variance = nil }, func(r *Result) { r.InvNeff = nil },
			} {
				if which>>i&1 == 1 {
					leave(&part)
					leave(&want)
				}
			}
			NewSums(p.m, p.dim).Compute(part, events, p.x, p.m, p.alpha, p.sigma)
			same(t, fmt.Sprintf("left out %05b", which), part, want)
		}
	}
}

// TestManyEvents is the promise for the mean: a relative error of at most 10⁻⁵,
// and in fact much less, for 2²⁰ events (2¹⁷ in pure Go) and widths from 10⁻³ to 1.
func TestManyEvents(t *testing.T) {
	n := 1 << 17
	if fast {
		n = 1 << 20
	}
	rnd := rand.New(rand.NewPCG(23, 24))
	for _, dim := range []int{1, 2, 4, 8} {
		x0 := make([]float32, n*dim)
		for i := range x0 {
			x0[i] = float32(rnd.NormFloat64()) + 1
		}
		for _, sigma := range []float64{1e-3, 1e-2, 0.1, 0.5, 1} {
			p := &problem{n: n, dim: dim, m: 1, alpha: 1, sigma: sigma, x0: x0}
			for i := range p.m * dim {
				p.x = append(p.x, x0[i]+float32(sigma*rnd.NormFloat64()))
			}
			out := p.compute(t)
			for i := range p.m {
				want := p.truth(i)
				var difference, norm float64
				for d, v := range want.mean {
					difference += sq(float64(out.Mean[i*dim+d]) - v)
					norm += sq(v)
				}
				if err := math.Sqrt(difference / norm); !(err <= 2e-6) {
					t.Errorf("dim=%d sigma=%v: the mean's error is %.2g, want 1e-5 and expect 2e-6", dim, sigma, err)
				}
				near(t, "log Σ w", out.LogSum[i], want.logSum, want.logSumBound)
				near(t, "variance", float64(out.Variance[i]), want.variance, want.varianceBound)
			}
		}
	}
}

// TestVariance is the divergence's: at small widths it must not be the
// difference of two large numbers. The events are a lattice, whose variance
// under a Gaussian wider than its spacing is that of the Gaussian.
func TestVariance(t *testing.T) {
	const n = 1 << 14
	x0 := make([]float32, n)
	for i := range x0 {
		x0[i] = 3 + (float32(i)-n/2)/(1<<14)
	}
	events, err := NewEvents(x0, nil, n, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, sigma := range []float64{1e-3, 2e-3, 1e-2} {
		out := newResult(1, 1)
		NewSums(1, 1).Compute(out, events, []float32{3}, 1, 1, sigma)
		near(t, fmt.Sprintf("sigma=%v: variance", sigma), float64(out.Variance[0]), sigma*sigma, 1e-3*sigma*sigma)
	}
}

func TestNoAllocations(t *testing.T) {
	rnd := rand.New(rand.NewPCG(25, 26))
	p := newProblem(rnd, 500, 6, 50, [2]float64{1, 0.01})
	events, s, out := p.events(t), NewSums(24, p.dim), newResult(p.m, p.dim)
	allocs := testing.AllocsPerRun(5, func() {
		s.Compute(out, events, p.x, p.m, p.alpha, p.sigma)
		s.Start(out.rows(0, 24, p.dim), p.x[:24*p.dim], 24, 0.8, 0.6)
		s.Add(events, 3, 9)
		s.LogSum(2)
		s.Finish()
	})
	if allocs != 0 {
		t.Errorf("%v allocations, want none", allocs)
	}
}

func TestImpossibleEvents(t *testing.T) {
	for name, c := range map[string]struct{ x0, logw []float32 }{
		"NaN":        {[]float32{0, float32(nan)}, nil},
		"infinite":   {[]float32{0, float32(-inf)}, nil},
		"too far":    {[]float32{0, 1e16}, nil},
		"NaN weight": {[]float32{0, 1}, []float32{0, float32(nan)}},
		"inf weight": {[]float32{0, 1}, []float32{0, float32(inf)}},
	} {
		_, err := NewEvents(c.x0, c.logw, 2, 1)
		if err == nil || !strings.Contains(err.Error(), "event 1") {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

func TestProgrammersErrorsPanic(t *testing.T) {
	f := func(n int) []float32 { return make([]float32, n) }
	events, err := NewEvents(f(6), nil, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewEvents(f(6), nil, 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	s := NewSums(5, 2)
	for name, call := range map[string]func(){
		"events":          func() { NewEvents(f(5), nil, 3, 2) },
		"log-weights":     func() { NewEvents(f(6), f(2), 3, 2) },
		"dimension":       func() { NewEvents(nil, nil, 3, 0) },
		"room":            func() { NewSums(0, 2) },
		"queries":         func() { s.Compute(Result{}, events, f(5), 3, 1, 1) },
		"log-sums":        func() { s.Compute(Result{LogSum: make([]float64, 2)}, events, f(6), 3, 1, 1) },
		"means":           func() { s.Compute(Result{Mean: f(3)}, events, f(6), 3, 1, 1) },
		"seconds":         func() { s.Compute(Result{Second: f(4)}, events, f(6), 3, 1, 1) },
		"variances":       func() { s.Compute(Result{Variance: f(0)}, events, f(6), 3, 1, 1) },
		"InvNeff":         func() { s.Compute(Result{InvNeff: f(4)}, events, f(6), 3, 1, 1) },
		"sigma":           func() { s.Compute(Result{}, events, f(6), 3, 1, 0) },
		"sigma NaN":       func() { s.Compute(Result{}, events, f(6), 3, 1, nan) },
		"alpha":           func() { s.Compute(Result{}, events, f(6), 3, inf, 1) },
		"too many":        func() { s.Start(Result{}, f(26), 13, 1, 1) },
		"blocks":          func() { s.Add(events, 0, 2) },
		"blocks reversed": func() { s.Add(events, 1, 0) },
		"dimensions":      func() { s.Add(other, 0, 1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
}

// FuzzSums draws a problem from its arguments.
func FuzzSums(f *testing.F) {
	f.Add(uint64(1), uint16(100), uint8(3), uint8(5), 0.8, 0.6, 1.)
	f.Add(uint64(2), uint16(1), uint8(1), uint8(1), 1., 1e-3, 1e6)
	f.Add(uint64(3), uint16(300), uint8(17), uint8(13), 0., 1., 1.)
	f.Add(uint64(4), uint16(257), uint8(2), uint8(30), -1., 1e-9, 1e-3)
	f.Add(uint64(4), uint16(227), uint8(57), uint8(34), -89., 1e-9, -3486.)
	f.Add(uint64(5), uint16(65), uint8(4), uint8(2), 1e-12, 1e3, 1e3)
	f.Fuzz(func(t *testing.T, seed uint64, n uint16, dim, m uint8, alpha, sigma, spread float64) {
		if !(sigma > 1e-12 && sigma < 1e12) || !(math.Abs(alpha) < 1e6) || !(math.Abs(spread) < 1e6) || dim == 0 || dim > 70 || n > 2000 {
			return
		}
		rnd := rand.New(rand.NewPCG(seed, 1))
		p := newProblem(rnd, int(n), int(dim), int(m), [2]float64{alpha, sigma})
		for i := range p.x {
			if rnd.IntN(3) == 0 {
				p.x[i] *= float32(spread)
			}
		}
		p.weigh(rnd, int(seed%3))
		p.verify(t)
	})
}

// The mean of two events, seen from a third of the way between them.
func ExampleSums_Compute() {
	events, err := NewEvents([]float32{0, 3}, nil, 2, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	out := Result{LogSum: make([]float64, 1), Mean: make([]float32, 1)}
	NewSums(1, 1).Compute(out, events, []float32{1}, 1, 1, 1)
	w0, w1 := math.Exp(-0.5), math.Exp(-2)
	fmt.Printf("%.4f %.4f\n", out.Mean[0], 3*w1/(w0+w1))
	fmt.Printf("%.4f %.4f\n", out.LogSum[0], math.Log(w0+w1))
	// Output:
	// 0.5473 0.5473
	// -0.2986 -0.2986
}

// problem is what sums are asked for.
type problem struct {
	n, dim, m    int
	alpha, sigma float64
	x0, logw, x  []float32
}

// newProblem draws n events from a standard normal, and m queries from them.
func newProblem(rnd *rand.Rand, n, dim, m int, schedule [2]float64) *problem {
	p := &problem{n: n, dim: dim, m: m, alpha: schedule[0], sigma: schedule[1]}
	p.x0, p.x = make([]float32, n*dim), make([]float32, m*dim)
	for i := range p.x0 {
		p.x0[i] = float32(rnd.NormFloat64())
	}
	for i := range m {
		from := rnd.IntN(max(1, n))
		for d := range dim {
			centre := rnd.NormFloat64()
			if n > 0 {
				centre = float64(p.x0[from*dim+d])
			}
			p.x[i*dim+d] = float32(p.alpha*centre + p.sigma*rnd.NormFloat64())
		}
	}
	return p
}

// weigh gives weights: none, moderate ones, or those and many zeros.
func (p *problem) weigh(rnd *rand.Rand, how int) {
	if how == 0 {
		return
	}
	p.logw = make([]float32, p.n)
	for i := range p.logw {
		p.logw[i] = float32(3*rnd.NormFloat64()) - 5
		if how == 2 && rnd.IntN(3) == 0 && i > 0 {
			p.logw[i] = float32(-inf)
		}
	}
}

func (p *problem) String() string {
	return fmt.Sprintf("n=%d dim=%d m=%d alpha=%v sigma=%v weighted=%v", p.n, p.dim, p.m, p.alpha, p.sigma, p.logw != nil)
}

func (p *problem) events(t *testing.T) *Events {
	t.Helper()
	e, err := NewEvents(p.x0, p.logw, p.n, p.dim)
	if err != nil {
		t.Fatal(err)
	}
	if e.Len() != p.n || e.Dim() != p.dim || e.Blocks() != (p.n+BlockLen-1)/BlockLen {
		t.Fatalf("%v: packed %d events of %d dimensions in %d blocks", p, e.Len(), e.Dim(), e.Blocks())
	}
	return e
}

func (p *problem) compute(t *testing.T) Result {
	t.Helper()
	out := newResult(p.m, p.dim)
	NewSums(24, p.dim).Compute(out, p.events(t), p.x, p.m, p.alpha, p.sigma)
	return out
}

func (p *problem) verify(t *testing.T) {
	t.Helper()
	p.compare(t, p.compute(t))
}

// compare compares results with float64.
func (p *problem) compare(t *testing.T, out Result) {
	t.Helper()
	for i := range p.m {
		want := p.truth(i)
		name := fmt.Sprintf("%v: query %d: ", p, i)
		if p.n == 0 {
			continue
		}
		for d := range p.dim {
			low, high := inf, -inf
			for j := range p.n {
				low, high = min(low, float64(p.x0[j*p.dim+d])), max(high, float64(p.x0[j*p.dim+d]))
			}
			near(t, name+"mean among the events", float64(out.Mean[i*p.dim+d]), (low+high)/2, (high-low)/2+1e-6*max(-low, high))
		}
		near(t, name+"log Σ w", out.LogSum[i], want.logSum, want.logSumBound)
		for d, v := range want.mean {
			near(t, name+"mean", float64(out.Mean[i*p.dim+d]), v, want.meanBound[d])
		}
		near(t, name+"second", float64(out.Second[i]), want.second, want.secondBound)
		near(t, name+"variance", float64(out.Variance[i]), want.variance, want.varianceBound)
		near(t, name+"1/neff", float64(out.InvNeff[i]), want.invNeff, want.invNeffBound)
	}
}

// truth is a query's results in float64, and how far from them float32 may be
// by what it does to each weight.
type truth struct {
	logSum, second, variance, invNeff                     float64
	logSumBound, secondBound, varianceBound, invNeffBound float64
	mean, meanBound                                       []float64
}

func (p *problem) truth(i int) truth {
	sigma := max(p.sigma, math.Abs(p.alpha)*0x1p-35)
	x := p.x[i*p.dim:][:p.dim]
	logs, wrong := make([]float64, p.n), make([]float64, p.n)
	top, size, penalty := -inf, 0., 0.
	for _, v := range x {
		size += sq(float64(v))
	}
	size = math.Sqrt(size)
	for j := range logs {
		var square, events float64
		for d, v := range x {
			square += sq(float64(v) - p.alpha*float64(p.x0[j*p.dim+d]))
			events += sq(p.alpha * float64(p.x0[j*p.dim+d]))
		}
		// The roundings of the distance, of x/α and of the exponent.
		half := square / sq(sigma) / 2
		logs[j] = -half
		wrong[j] = 0x1p-24*((4+math.Sqrt(float64(p.dim)))*half+math.Sqrt(square)*size/sq(sigma)+50) + sq(0x1p-24*size/sigma)
		if p.logw != nil {
			logs[j] += float64(p.logw[j])
			wrong[j] += 0x1p-23 * math.Abs(float64(p.logw[j]))
			if l := float64(p.logw[j]); !math.IsInf(l, -1) {
				penalty = max(penalty, math.Abs(l))
			}
			if math.IsInf(float64(p.logw[j]), -1) {
				wrong[j] = 0
			}
		}
		top = max(top, logs[j])
	}
	var sum, wrongSum, squares, wrongSquares float64
	mean, second := make([]float64, p.dim), 0.
	w := make([]float64, p.n)
	for j, l := range logs {
		w[j] = math.Exp(l - top)
		wrong[j] = math.Exp(l-top+wrong[j]) - w[j]
		sum += w[j]
		wrongSum += wrong[j]
		squares += sq(w[j])
		wrongSquares += 2 * w[j] * wrong[j]
		for d := range mean {
			mean[d] += w[j] * float64(p.x0[j*p.dim+d])
			second += w[j] * sq(float64(p.x0[j*p.dim+d]))
		}
	}
	r := truth{mean: mean, meanBound: make([]float64, p.dim)}
	r.logSum = top + math.Log(sum)
	r.logSumBound = wrongSum/sum + 3e-7
	r.invNeff = squares / sq(sum)
	r.invNeffBound = r.invNeff * (wrongSquares/squares + 2*wrongSum/sum + 1e-6)
	var norm float64
	for d := range mean {
		mean[d] /= sum
		norm += sq(mean[d])
	}
	r.second = second / sum
	var apart float64
	for d, v := range x {
		if p.alpha != 0 {
			apart += sq(float64(v)/p.alpha - mean[d])
		}
	}
	for j := range w {
		var from float64
		for d := range mean {
			u := float64(p.x0[j*p.dim+d]) - mean[d]
			r.variance += w[j] / sum * sq(u)
			r.meanBound[d] += wrong[j] / sum * math.Abs(u)
			r.meanBound[d] += w[j] / sum * 5e-7 * math.Abs(float64(p.x0[j*p.dim+d]))
			from += sq(u)
		}
		r.varianceBound += wrong[j] / sum * from
	}
	about := 2e-6*(apart+math.Sqrt(apart*norm)) + 1e-6*sq(sigma/p.alpha)*(10+penalty)
	r.varianceBound += min(about, 1e-6*r.second)
	r.secondBound = r.varianceBound + 1e-6*r.second
	for d := range mean {
		r.secondBound += 2 * math.Abs(mean[d]) * r.meanBound[d]
	}
	// Where float32 cannot tell the events apart, it may say anything of them.
	for _, bound := range append([]*float64{&r.logSumBound, &r.secondBound, &r.varianceBound, &r.invNeffBound}, pointers(r.meanBound)...) {
		if math.IsNaN(*bound) {
			*bound = inf
		}
	}
	return r
}

func pointers(s []float64) (p []*float64) {
	for i := range s {
		p = append(p, &s[i])
	}
	return p
}

func newResult(m, dim int) Result {
	return Result{
		LogSum: make([]float64, m), Mean: make([]float32, m*dim),
		Second: make([]float32, m), Variance: make([]float32, m), InvNeff: make([]float32, m),
	}
}

// slice is a slice of floats, at any alignment, between guards.
type slice struct {
	inside []float32
	all    []float32
	start  int
}

func guarded(rnd *rand.Rand, n int) slice {
	const guard = 24
	start := guard + rnd.IntN(8)
	all := make([]float32, start+n+guard)
	for i := range all {
		all[i] = float32(nan)
	}
	return slice{all[start : start+n : start+n], all, start}
}

func normal(rnd *rand.Rand, n int) slice {
	s := guarded(rnd, n)
	for i := range s.inside {
		s.inside[i] = float32(rnd.NormFloat64())
	}
	return s
}

// check reports a write outside the slice or a NaN in it.
func (s slice) check(t *testing.T, name string) {
	t.Helper()
	for i, v := range s.all {
		inside := i >= s.start && i < s.start+len(s.inside)
		if (v != v) == inside {
			t.Fatalf("%s: found %v at %d of a slice of %d", name, v, i-s.start, len(s.inside))
		}
	}
}

// near reports that got is further than bound from want.
func near(t *testing.T, name string, got, want, bound float64) {
	if !(math.Abs(got-want) <= bound+1e-38) && got != want {
		t.Helper()
		t.Fatalf("%s is %v, want %v ± %.2g", name, got, want, bound)
	}
}

// same wants the same bits.
func same(t *testing.T, name string, got, want Result) {
	t.Helper()
	for i := range want.LogSum {
		if math.Float64bits(got.LogSum[i]) != math.Float64bits(want.LogSum[i]) {
			t.Fatalf("%s: log Σ w [%d] is %v, want %v", name, i, got.LogSum[i], want.LogSum[i])
		}
	}
	for j, pair := range [][2][]float32{{got.Mean, want.Mean}, {got.Second, want.Second}, {got.Variance, want.Variance}, {got.InvNeff, want.InvNeff}} {
		for i := range pair[1] {
			if math.Float32bits(pair[0][i]) != math.Float32bits(pair[1][i]) {
				t.Fatalf("%s: %s[%d] is %v, want %v", name, []string{"mean", "second", "variance", "1/neff"}[j], i, pair[0][i], pair[1][i])
			}
		}
	}
}

func isNaN(values ...float32) bool {
	for _, v := range values {
		if v == v {
			return false
		}
	}
	return true
}

func sq(x float64) float64 { return x * x }
