package gauss

import (
	"fmt"
	"math"
)

// Result is where the results for m queries in dim dimensions go. A slice that
// is nil is not asked for and saves its part of the work: log Σ w alone takes nine
// tenths of the time of the mean in 2 dimensions, half in many, and all results
// together take a quarter more than the mean in 2 dimensions, nothing in many.
//
// Where no event has weight, LogSum is −Inf and the rest NaN. Where a coordinate
// of the query is NaN, all are NaN.
type Result struct {
	// LogSum (m) is the natural logarithm of Σ w.
	LogSum []float64
	// Mean (m×dim, row-major) is Σ w·x0 / Σ w.
	Mean []float32
	// Second (m) is Σ w·‖x0‖² / Σ w.
	Second []float32
	// Variance (m) is Second − ‖Mean‖², the trace of the covariance of x0, without
	// the cancellation of this at small σ: summed about the query, it is right
	// to some 10⁻⁶ of (σ/α)² and of ‖Mean‖·σ/α.
	Variance []float32
	// InvNeff (m) is Σ w² / (Σ w)², one over the effective number of events.
	InvNeff []float32
}

const (
	tileLen    = 12 // queries worked on at a time
	tileMost   = 8  // of them are enough not to look for others
	lanes      = 8  // of a sum, until they are added up
	blocksOnce = 16 // blocks whose weights are in memory at a time
	blocksKept = 64 // additions to a lane before it is added up in float64
	rowsKept   = 32 // the same, where they are to single queries
)

const (
	// farthest is the exponent from which on weights are 0.
	farthest = 127
	// nearest and far say where the exponent of the nearest event should be
	// when a query meets the first: it is brought to nearest if beyond far.
	// Later ones may then be nearer still without a change of the base, while
	// the squares of weights that matter stay within float32.
	nearest, far = 24, 48
	// sharpest is the largest α/σ: coordinates of size 1 that differ at all in
	// float32 are a thousand widths apart then.
	sharpest = 1 << 35
	// negligible is the scale below which all events count as being at the
	// origin, and smallest what it is set to then, lest a base overflows.
	negligible, smallest = 0x1p-90, 0x1p-110
)

// Sums are running sums over events for a block of queries. The exponents are
// those of two: w = 2⁻ᵛ with v = scale·(‖y − x0‖² − base) + penalty, where y = x/α
// and the penalty is the event's.
type Sums struct {
	dim, m int
	out    Result
	// scale is (α/σ)²·log₂(e)/2.
	scale float64
	// columns is the number of columns of events that weights are multiplied with.
	columns int
	// moments: second moments are summed, both about 0 and about the query.
	moments bool
	// used is how many of a query's sums, from the first on, have those asked for.
	used int
	// logLargest is the logarithm of the weight that counts as 1, which is that
	// of the first events once the sums have begun.
	logLargest float64
	begun      bool
	// blocks counts the additions to the lanes since they were added up, added those
	// to single queries.
	blocks int
	added  []uint8

	// y has dim×tileLen floats for each tile of queries, base one for each query.
	y, base []float32
	// offset is what a query's log Σ w has besides: 0 as a rule, NaN if the query
	// is, and −½‖x/σ‖² where the events are all as far from it as the origin.
	offset []float64
	// met: the query has met an event with weight, and its base is near it.
	// fresh: a tile has queries that have not.
	met, fresh []bool
	// lane has lanes parts of each of a query's sums, total what was added up
	// of them before.
	lane  []float32
	total []float64

	// v and w are the exponents and weights of a tile and blocksOnce blocks,
	// lowest the least exponents of its queries, in lanes parts.
	v, w, lowest []float32
}

// NewSums makes room for the sums of at most n queries at a time in dim dimensions.
// n is best about 100: enough to read the events seldom, few enough to have the
// sums in the cache.
func NewSums(n, dim int) *Sums {
	if n < 1 || dim < 1 {
		panic(fmt.Sprintf("gauss: NewSums: room for %d queries in %d dimensions", n, dim))
	}
	tiles := (n+tileLen-1)/tileLen + 1 // one for gather
	s := &Sums{dim: dim}
	n = tiles * tileLen
	s.y, s.base = aligned(n*dim), aligned(n)
	s.added = make([]uint8, n)
	s.offset, s.met, s.fresh = make([]float64, n), make([]bool, n), make([]bool, tiles)
	s.lane, s.total = aligned(n*sumCount(s.dim)*lanes), make([]float64, n*sumCount(s.dim))
	s.v, s.w = aligned(blocksOnce*BlockLen*tileLen), aligned(blocksOnce*BlockLen*tileLen)
	s.lowest = aligned(tileLen * lanes)
	return s
}

// The sums of a query are those of w, of w·x0 for each dimension, of w·‖x0‖², of
// w·scale·(‖y − x0‖² − base), and of w².
func sumCount(dim int) int   { return dim + 4 }
func secondSum(dim int) int  { return dim + 1 }
func excessSum(dim int) int  { return dim + 2 }
func squaresSum(dim int) int { return dim + 3 }

// Cap returns the number of queries that there is room for.
func (s *Sums) Cap() int { return len(s.base) - tileLen }

// Compute writes to out the results of all events for the m queries x (m×dim,
// row-major). m may be any number.
func (s *Sums) Compute(out Result, events *Events, x []float32, m int, alpha, sigma float64) {
	out.check("Compute", m, s.dim)
	check("Compute", "x", len(x), m*s.dim)
	for i := 0; i < m; i += s.Cap() {
		n := min(s.Cap(), m-i)
		s.Start(out.rows(i, n, s.dim), x[i*s.dim:][:n*s.dim], n, alpha, sigma)
		s.Add(events, 0, events.Blocks())
		s.Finish()
	}
}

// Start begins the sums for the m ≤ Cap() queries x (m×dim, row-major), with no
// events so far. out is kept until Finish, x is not; which slices of out are nil
// decides what is summed. alpha is any number, 0 too; sigma is positive, and taken
// as |alpha|·2⁻³⁵ if below.
func (s *Sums) Start(out Result, x []float32, m int, alpha, sigma float64) {
	out.check("Start", m, s.dim)
	check("Start", "x", len(x), m*s.dim)
	if m > s.Cap() {
		panic(fmt.Sprintf("gauss: Start: %d queries where there is room for %d", m, s.Cap()))
	}
	if !(sigma > 0) || math.IsNaN(alpha) || math.IsInf(alpha, 0) {
		panic(fmt.Sprintf("gauss: Start: alpha = %v, sigma = %v", alpha, sigma))
	}
	s.out, s.m = out, m
	s.moments = out.Second != nil || out.Variance != nil
	switch {
	case s.moments:
		s.columns = s.dim + 1
	case out.Mean != nil:
		s.columns = s.dim
	default:
		s.columns = 0
	}
	switch {
	case out.InvNeff != nil:
		s.used = squaresSum(s.dim) + 1
	case s.moments:
		s.used = excessSum(s.dim) + 1
	default:
		s.used = 1 + s.columns
	}
	s.logLargest, s.begun, s.blocks = 0, false, 0

	inverse, sharpness := 1/alpha, min(math.Abs(alpha)/sigma, sharpest)
	s.scale = sharpness * sharpness * (math.Log2E / 2)
	if s.scale < negligible {
		inverse, s.scale = 0, smallest
	}
	tiles := (m + tileLen - 1) / tileLen
	for t := range tiles {
		s.fresh[t] = true
		clear(s.tileLane(t))
	}
	n := tiles * tileLen
	clear(s.added)
	clear(s.base[:n])
	clear(s.total[:n*sumCount(s.dim)])
	for i := range n {
		// A tile is filled up with queries like its first.
		from := i
		if i >= m {
			from = i - i%tileLen
		}
		s.startQuery(i, x[from*s.dim:][:s.dim], inverse, sigma)
	}
}

// startQuery sets query i to x·inverse. An inverse of 0 is that of an α at which
// all events are as far away as the origin is.
func (s *Sums) startQuery(i int, x []float32, inverse, sigma float64) {
	s.offset[i] = 0
	s.met[i] = false
	for d, v := range x {
		y := float64(v) * inverse
		switch {
		case v != v:
			s.offset[i] = math.NaN()
			y = math.Inf(1)
		case inverse == 0:
			s.offset[i] -= float64(v) / sigma * float64(v) / sigma / 2
			y = 0
		}
		to := &s.y[(i/tileLen*s.dim+d)*tileLen+i%tileLen]
		*to = float32(y)
		if math.IsInf(float64(*to), 0) {
			s.met[i] = true // for it will meet none
		}
	}
}

// Add adds the events of the blocks lo ≤ b < hi. They may come from several
// Events, each with its own weights; one after the other costs less than in turn.
func (s *Sums) Add(events *Events, lo, hi int) {
	if !s.meet("Add", events, lo, hi) {
		return
	}
	size := blockSize(s.dim)
	for ; lo < hi; lo += blocksOnce {
		blocks := min(blocksOnce, hi-lo)
		part := events.packed[lo*size:][:blocks*size]
		for t := 0; t*tileLen < s.m; t++ {
			s.addTile(t, part, blocks)
		}
		// Counting what changes nothing too keeps each query's sums apart from
		// those of the others in its tile.
		if s.blocks++; s.blocks == blocksKept {
			s.addUp()
		}
	}
}

// AddRows is Add for the queries whose numbers are in rows, in rising order: the sums
// of the others stay what they are. It takes the time of the next multiple of twelve
// queries, and some more where these are not neighbours.
func (s *Sums) AddRows(events *Events, lo, hi int, rows []int32) {
	if !s.meet("AddRows", events, lo, hi) {
		return
	}
	part := events.packed[lo*blockSize(s.dim) : hi*blockSize(s.dim)]
	var few [tileLen]int32 // rows of tiles with few of them
	n := 0
	for len(rows) > 0 {
		t, k := int(rows[0])/tileLen, 1
		for k < len(rows) && int(rows[k])/tileLen == t {
			k++
		}
		same := rows[:k]
		rows = rows[k:]
		if k >= tileMost {
			s.addTo(t, same, part)
			continue
		}
		for _, q := range same {
			if few[n], n = q, n+1; n == tileLen {
				s.addApart(few[:], part)
				n = 0
			}
		}
	}
	if n > 0 {
		s.addApart(few[:n], part)
	}
}

// meet prepares the sums for blocks of events, and reports whether any has weight.
func (s *Sums) meet(function string, events *Events, lo, hi int) bool {
	if events.dim != s.dim {
		panic(fmt.Sprintf("gauss: %s: events have %d dimensions, queries %d", function, events.dim, s.dim))
	}
	if lo < 0 || hi < lo || hi > events.Blocks() {
		panic(fmt.Sprintf("gauss: %s: blocks %d to %d of %d", function, lo, hi, events.Blocks()))
	}
	if math.IsInf(events.logLargest, -1) {
		return false
	}
	s.unit(events.logLargest)
	return true
}

// addTo adds events for some queries of tile t.
func (s *Sums) addTo(t int, rows []int32, events []float32) {
	// At an infinite distance from all events, the others are left alone.
	base := s.base[t*tileLen:][:tileLen]
	away := [tileLen]float32(base)
	if len(rows) < tileLen {
		for i := range base {
			base[i] = float32(math.Inf(-1))
		}
		for _, q := range rows {
			base[int(q)%tileLen] = away[int(q)%tileLen]
		}
	}
	s.addParts(t, events, func() {
		for _, q := range rows {
			s.count(int(q), int(q))
		}
	})
	for _, q := range rows {
		away[int(q)%tileLen] = base[int(q)%tileLen]
	}
	copy(base, away[:])
}

// addApart adds events for at most tileLen queries of any tiles.
func (s *Sums) addApart(rows []int32, events []float32) {
	t := s.gather(rows)
	s.addParts(t, events, func() {
		for i, q := range rows {
			s.count(int(q), t*tileLen+i)
		}
	})
	s.scatter(rows)
}

// addParts adds events to a tile, and calls done for each addition to its lanes.
func (s *Sums) addParts(t int, events []float32, done func()) {
	size := blockSize(s.dim)
	for len(events) > 0 {
		blocks := min(blocksOnce, len(events)/size)
		s.addTile(t, events[:blocks*size], blocks)
		events = events[blocks*size:]
		done()
	}
}

// count counts an addition to the lanes of query q, which are at place i.
func (s *Sums) count(q, i int) {
	if s.added[q]++; s.added[q] == rowsKept {
		s.addUpQuery(i)
		s.added[q] = 0
	}
}

// gather makes the last tile one of queries of others, and returns its number.
func (s *Sums) gather(rows []int32) int {
	t := len(s.fresh) - 1
	s.fresh[t] = false
	y := s.y[t*s.dim*tileLen:]
	for i := range tileLen {
		to := t*tileLen + i
		if i >= len(rows) { // at an infinite distance from all events
			s.base[to], s.met[to] = float32(math.Inf(-1)), true
			continue
		}
		q := int(rows[i])
		for d := range s.dim {
			y[d*tileLen+i] = s.y[(q/tileLen*s.dim+d)*tileLen+q%tileLen]
		}
		s.copyQuery(to, q)
		s.fresh[t] = s.fresh[t] || !s.met[to]
	}
	return t
}

// scatter takes the queries of the last tile back to theirs.
func (s *Sums) scatter(rows []int32) {
	t := len(s.fresh) - 1
	for i, q := range rows {
		s.copyQuery(int(q), t*tileLen+i)
		s.fresh[int(q)/tileLen] = s.fresh[int(q)/tileLen] || !s.met[q]
	}
}

// copyQuery makes the sums of a query those of another.
func (s *Sums) copyQuery(to, from int) {
	s.base[to], s.met[to] = s.base[from], s.met[from]
	copy(s.queryLane(to), s.queryLane(from))
	copy(s.queryTotal(to), s.queryTotal(from))
}

// unit makes the weight with logarithm l the one that counts as 1.
func (s *Sums) unit(l float64) {
	more := (l - s.logLargest) * math.Log2E
	if s.begun && more != 0 {
		s.addUp()
		for q := range s.m {
			s.rebase(q, float32(float64(s.base[q])+more/s.scale), more)
		}
	}
	s.begun, s.logLargest = true, l
}

// addTile adds blocks of events to the sums of the queries of a tile.
func (s *Sums) addTile(t int, events []float32, blocks int) {
	least := s.score(t, events, blocks)
	switch {
	case least < 0 || s.fresh[t]:
		s.settle(t, events, blocks)
	case least >= int32(math.Float32bits(farthest)):
		return
	}
	v, w := s.v, s.v
	if s.moments {
		w = s.w
	}
	weights(w, v, blocks)
	lane := s.tileLane(t)
	addProducts(lane, w, events, blocks, s.dim, s.columns)
	if s.moments {
		addExcess(lane, w, v, events, blocks, s.dim)
	}
	if s.out.InvNeff != nil {
		addSquares(lane, w, blocks, s.dim)
	}
}

// score computes the exponents of a tile's weights and returns the bits of the
// least, as integers go: a negative number if any exponent is negative.
func (s *Sums) score(t int, events []float32, blocks int) int32 {
	first, next := t*tileLen, (t+1)*tileLen
	return scores(s.v, s.y[first*s.dim:next*s.dim], s.base[first:next], events, blocks, s.dim, float32(s.scale))
}

// settle moves the bases of a tile's queries to where the exponents of these
// blocks are not negative and, if a query had met no event, not large either.
// What a query's base becomes does not depend on the other queries.
func (s *Sums) settle(t int, events []float32, blocks int) {
	const raises = 8 // rounding could make more of them go round in circles
	for attempt := 0; ; attempt++ {
		lowest(s.lowest, s.v, blocks)
		settled := true
		s.fresh[t] = false
		for i := range tileLen {
			q := t*tileLen + i
			if math.IsInf(float64(s.base[q]), -1) { // not in use
				s.fresh[t] = s.fresh[t] || !s.met[q]
				continue
			}
			least := s.lowest[i*lanes]
			for _, v := range s.lowest[i*lanes+1:][:lanes-1] {
				least = min(least, v)
			}
			tooFar := !s.met[q] && least > far && least < unseen/2 && attempt < raises
			if (tooFar || math.Signbit(float64(least))) && s.move(q, least) {
				settled = false
			} else if least < farthest {
				s.met[q] = true
			}
			s.fresh[t] = s.fresh[t] || !s.met[q]
		}
		if settled {
			return
		}
		s.score(t, events, blocks)
	}
}

// move moves the base of query q such that an exponent that was least becomes
// nearest, as far as float32 allows, and reports whether this changed it. A
// negative exponent always does.
func (s *Sums) move(q int, least float32) bool {
	from := s.base[q]
	to := float32(float64(from) + (float64(least)-nearest)/s.scale)
	if math.Signbit(float64(least)) && to >= from {
		to = math.Nextafter32(from, float32(math.Inf(-1)))
	}
	if to == from {
		return false
	}
	s.rebase(q, to, 0)
	return true
}

// rebase moves the base of query q, makes all exponents larger by more besides,
// and the sums what they are then. Where nothing is left of them, it is as if the
// query had met no event.
func (s *Sums) rebase(q int, to float32, more float64) {
	apart := s.scale * (float64(s.base[q]) - float64(to))
	s.base[q] = to
	if !s.met[q] {
		return
	}
	lane, total := s.queryLane(q)[:s.used*lanes], s.queryTotal(q)[:s.used]
	if apart+more > 1000 {
		clear(lane)
		clear(total)
		s.met[q] = false
		return
	}
	factor := math.Exp2(-apart - more)
	if s.moments {
		for l := range lanes {
			lane[excessSum(s.dim)*lanes+l] += float32(apart) * lane[l]
		}
		total[excessSum(s.dim)] += apart * total[0]
	}
	for i := range lane {
		lane[i] *= float32(factor)
	}
	for i := range total {
		total[i] *= factor
	}
	if s.out.InvNeff == nil {
		return
	}
	for l := range lanes {
		lane[squaresSum(s.dim)*lanes+l] *= float32(factor)
	}
	total[squaresSum(s.dim)] *= factor
}

// addUp adds the lanes to the totals.
func (s *Sums) addUp() {
	for q := range s.m {
		s.addUpQuery(q)
	}
	s.blocks = 0
}

func (s *Sums) addUpQuery(q int) {
	lane, total := s.queryLane(q)[:s.used*lanes], s.queryTotal(q)[:s.used]
	for i := range total {
		total[i] += addLanes(lane[i*lanes:])
	}
	clear(lane)
}

// addLanes adds the first lanes, each to a neighbour, so that few additions wait for
// each other.
func addLanes(lane []float32) float64 {
	v := (*[lanes]float32)(lane)
	return ((float64(v[0]) + float64(v[1])) + (float64(v[2]) + float64(v[3]))) +
		((float64(v[4]) + float64(v[5])) + (float64(v[6]) + float64(v[7])))
}

// LogSum returns log Σ w of query i < m over the events added so far, before or
// after Finish.
func (s *Sums) LogSum(i int) float64 {
	return s.logSum(i, s.queryTotal(i)[0]+addLanes(s.queryLane(i)))
}

func (s *Sums) logSum(q int, sum float64) float64 {
	return math.Log(sum) - s.scale*math.Ln2*float64(s.base[q]) + s.logLargest + s.offset[q]
}

// Finish writes the results. More events may be added after it, and Finish be
// called again.
func (s *Sums) Finish() {
	s.addUp()
	for q := range s.m {
		total := s.queryTotal(q)
		w := total[0]
		if math.IsNaN(s.offset[q]) {
			w = math.NaN()
		}
		if s.out.LogSum != nil {
			s.out.LogSum[q] = s.logSum(q, w)
		}
		if s.out.InvNeff != nil {
			s.out.InvNeff[q] = float32(total[squaresSum(s.dim)] / w / w)
		}
		if s.columns == 0 {
			continue
		}
		var square, apart float64 // ‖mean‖², ‖mean − y‖²
		for d := range s.dim {
			mean := total[1+d] / w
			if !s.moments {
				s.out.Mean[q*s.dim+d] = float32(mean)
				continue
			}
			square += mean * mean
			from := mean - float64(s.y[(q/tileLen*s.dim+d)*tileLen+q%tileLen])
			apart += from * from
			if s.out.Mean != nil {
				s.out.Mean[q*s.dim+d] = float32(mean)
			}
		}
		if !s.moments {
			continue
		}
		// Of the moment about 0 and that about the query, the one that is
		// smaller, and more than the rounding of an exponent, has more digits.
		variance := total[secondSum(s.dim)]/w - square
		if apart+4/s.scale < total[secondSum(s.dim)]/w {
			variance = float64(s.base[q]) + total[excessSum(s.dim)]/w/s.scale - apart
		}
		variance = max(0, variance)
		if s.out.Second != nil {
			s.out.Second[q] = float32(variance + square)
		}
		if s.out.Variance != nil {
			s.out.Variance[q] = float32(variance)
		}
	}
}

// tileLane is the part of lane for the queries of a tile.
func (s *Sums) tileLane(t int) []float32 {
	n := tileLen * sumCount(s.dim) * lanes
	return s.lane[t*n:][:n]
}

func (s *Sums) queryLane(q int) []float32 {
	n := sumCount(s.dim) * lanes
	return s.lane[q*n:][:n]
}

func (s *Sums) queryTotal(q int) []float64 {
	return s.total[q*sumCount(s.dim):][:sumCount(s.dim)]
}

// check panics if a slice has the wrong length for m queries.
func (r Result) check(function string, m, dim int) {
	for _, s := range []struct {
		name      string
		got, want int
		absent    bool
	}{
		{"LogSum", len(r.LogSum), m, r.LogSum == nil},
		{"Mean", len(r.Mean), m * dim, r.Mean == nil},
		{"Second", len(r.Second), m, r.Second == nil},
		{"Variance", len(r.Variance), m, r.Variance == nil},
		{"InvNeff", len(r.InvNeff), m, r.InvNeff == nil},
	} {
		if !s.absent {
			check(function, s.name, s.got, s.want)
		}
	}
}

// rows is the part of the result for n queries from i on.
func (r Result) rows(i, n, dim int) Result {
	return Result{
		LogSum: cut(r.LogSum, i, n), Mean: cut(r.Mean, i*dim, n*dim), Second: cut(r.Second, i, n),
		Variance: cut(r.Variance, i, n), InvNeff: cut(r.InvNeff, i, n),
	}
}

// cut is n numbers of s from i on, nil if s is.
func cut[T any](s []T, i, n int) []T {
	if s == nil {
		return nil
	}
	return s[i:][:n]
}
