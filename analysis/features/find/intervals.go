package find

import (
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/column"
	"github.com/eidolon-hep/eidolon/analysis/features/step"
)

// findIntervals finds codes that follow from the interval that a number is in, but for a few exceptions.
func (s *Search) findIntervals() {
	const (
		mostCodes      = 8
		mostExceptions = 0.02 // of the events
		part           = 0.2  // of the events that have not the most frequent code, and of the entropy
		some           = 4096 // events that rule most pairs out
	)
	type number struct {
		name string
		some []float64 // its values in some events
	}
	var numbers []number
	for _, field := range s.remaining() {
		if s.over() {
			return
		}
		if _, ok := s.table.Column(field.Name); !ok || !field.Kind.IsFloat() {
			continue
		}
		x := s.load(field.Name)
		isOne := countValues(x, column.MaxCodes) > column.MaxCodes && !slices.ContainsFunc(x, math.IsNaN)
		if some := s.some(field.Name, some); isOne {
			numbers = append(numbers, number{field.Name, some})
		}
	}
	if len(numbers) == 0 {
		return
	}
	for _, y := range s.findCoded() {
		if len(y.values) > mostCodes || !s.isFree(y.Name) || s.options.As[y.Name] != "" {
			continue
		}
		counts := make([]float64, len(y.values))
		for _, c := range y.code {
			counts[c]++
		}
		rare := float64(s.N) - slices.Max(counts)
		var best *step.Intervals
		fewest := min(mostExceptions*float64(s.N), part*rare) // exceptions
		for _, x := range numbers {
			if s.over() {
				return
			}
			if n := len(x.some); n < s.N {
				codes := make([]uint8, n)
				for i := range codes {
					codes[i] = y.code[i*s.N/n]
				}
				if t := cut(x.some, codes, len(y.values), 0); t.exceptions > 2*fewest*float64(n)/float64(s.N)+10 {
					continue
				}
			}
			t := cut(s.load(x.name), y.code, len(y.values), evidence(2, len(numbers))+2*math.Log(float64(s.N)))
			if len(t.walls) > 0 && t.exceptions <= fewest && t.entropy <= part*y.entropy*float64(s.N) {
				best = &step.Intervals{Variable: y.Name, Of: x.name, Codes: y.values, Walls: t.walls, Usual: t.usual}
				fewest = t.exceptions
			}
			s.forget(x.name)
		}
		if best != nil {
			s.apply(best)
			s.forget(best.Of)
		}
	}
}

// cutting is a number that is cut into intervals, in each of which another code is the usual one.
type cutting struct {
	walls      []float64
	usual      [][]int // places of the codes in each interval, the most frequent one first
	exceptions float64 // events that have not the usual code
	entropy    float64 // of the codes given the interval, nats of all events
}

// cut cuts the numbers x of events, so that the codes, of which there are so many, are as pure as can be: each wall
// gains at least so many nats.
func cut(x []float64, code []uint8, codes int, least float64) (t cutting) {
	const most = 8 // intervals
	order := make([]int, len(x))
	for k := range order {
		order[k] = k
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case x[a] < x[b]:
			return -1
		case x[a] > x[b]:
			return 1
		}
		return 0
	})
	entropy := func(counts []float64) (h float64) {
		total := 0.0
		for _, n := range counts {
			total += n
			if n > 0 {
				h -= n * math.Log(n)
			}
		}
		if total > 0 {
			h += total * math.Log(total)
		}
		return h
	}
	count := func(from, to int) []float64 {
		counts := make([]float64, codes)
		for _, k := range order[from:to] {
			counts[code[k]]++
		}
		return counts
	}
	// isAlone reports whether no other event has the number of the one in a place.
	isAlone := func(i int) bool {
		v := x[order[i]]
		return (i == 0 || x[order[i-1]] != v) && (i == len(order)-1 || x[order[i+1]] != v)
	}
	// bestOf returns where to cut the events from one place to another, and what that gains.
	bestOf := func(from, to int) (at int, gain float64) {
		above := count(from, to)
		all, below := entropy(above), make([]float64, codes)
		for i := from; i < to-1; i++ {
			c := code[order[i]]
			below[c]++
			above[c]--
			if x[order[i]] == x[order[i+1]] {
				continue
			}
			if c == code[order[i+1]] && isAlone(i) && isAlone(i+1) {
				continue // the best walls are between different codes
			}
			if g := all - entropy(below) - entropy(above); g > gain {
				at, gain = i+1, g
			}
		}
		return at, gain
	}
	ends := []int{0, len(x)} // of the intervals
	for len(ends) <= most {
		at, gain := 0, max(least, 1e-9)
		for i := range len(ends) - 1 {
			if a, g := bestOf(ends[i], ends[i+1]); g > gain {
				at, gain = a, g
			}
		}
		if at == 0 {
			break
		}
		ends = append(ends, at)
		slices.Sort(ends)
	}
	for i := range len(ends) - 1 {
		counts := count(ends[i], ends[i+1])
		usual := make([]int, codes)
		for k := range usual {
			usual[k] = k
		}
		slices.SortStableFunc(usual, func(a, b int) int { return int(counts[b] - counts[a]) })
		t.exceptions += float64(ends[i+1]-ends[i]) - counts[usual[0]]
		t.entropy += entropy(counts)
		t.usual = append(t.usual, usual)
		if i > 0 {
			below, above := x[order[ends[i]-1]], x[order[ends[i]]]
			wall := below + (above-below)/2
			if wall <= below { // neighbouring numbers
				wall = above
			}
			t.walls = append(t.walls, wall)
		}
	}
	return t
}
