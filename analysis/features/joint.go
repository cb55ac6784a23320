package features

import (
	"math"
	"slices"
	"strings"

	"github.com/eidolon-hep/eidolon/rootio"
)

// Joint is the map that makes one code of several that depend on each other, as the
// charges of two muons do: the number of their combination among those of the data,
// in lexical order. No other combination is drawn.
type Joint struct {
	Variables    []string    `json:"variables"`
	Combinations [][]float64 `json:"combinations"` // ascending, of values of the variables
}

const (
	// mostCombinations is the number of combinations up to which codes are joined:
	// where there are more, they are too narrow for other columns to depend on.
	mostCombinations = 32
	// jointInformation is the mutual information, in nats, above which codes are
	// joined: two charges that are opposite in 3 of 4 events have 0.13.
	jointInformation = 0.05
)

func (j *Joint) name() string { return strings.Join(j.Variables, " × ") }

func (j *Joint) variables() (read, taken, made []string) {
	return nil, j.Variables, []string{j.name()}
}

func (j *Joint) isNoisy() bool { return false }

func (j *Joint) forward(f *frame, _ []float64, _ func([]float64)) {
	number := f.add(j.name())
	event := make([]float64, len(j.Variables))
	for k := range number {
		for i, name := range j.Variables {
			event[i] = f.at(name)[k]
		}
		at, ok := slices.BinarySearchFunc(j.Combinations, event, slices.Compare[[]float64])
		if number[k] = float64(at); !ok {
			number[k] = -1 // an unknown code
		}
	}
	for _, name := range j.Variables {
		f.take(name)
	}
}

func (j *Joint) inverse(f *frame) {
	number := f.at(j.name())
	for i, name := range j.Variables {
		x := f.add(name)
		for k, v := range number {
			x[k] = j.Combinations[min(max(int(v), 0), len(j.Combinations)-1)][i]
		}
	}
	f.take(j.name())
}

func (j *Joint) isSound() bool {
	for _, c := range j.Combinations {
		if len(c) != len(j.Variables) {
			return false
		}
	}
	return len(j.Variables) > 1 && len(j.Combinations) > 0 && slices.IsSortedFunc(j.Combinations, slices.Compare[[]float64])
}

// joinCodes adds maps that join the codes which depend on each other most, as long as
// they have few combinations.
func (f *fitting) joinCodes(declared []string) {
	type group struct {
		names  []string
		labels []int // of the events
		count  int   // of labels
	}
	var groups []*group
	for _, field := range f.spec.Branches {
		if f.isLeftOut(field.Name) || slices.Contains(declared, field.Name) {
			continue
		}
		x := f.load(field.Name)
		s := newSample(x, f.w)
		if s.missing > 0 || s.kindOf(field) != Codes || len(s.value) > mostCombinations {
			f.take(field.Name)
			continue
		}
		g := &group{names: []string{field.Name}, labels: make([]int, f.n), count: len(s.value)}
		for k, v := range x {
			g.labels[k], _ = slices.BinarySearch(s.value, v)
		}
		groups = append(groups, g)
	}
	// pair returns the numbers of the combinations that occur, and the mutual
	// information.
	pair := func(a, b *group) (combinations []int, information float64) {
		w := make([]float64, a.count*b.count)
		wa, wb := make([]float64, a.count), make([]float64, b.count)
		seen := make([]bool, a.count*b.count)
		total := 0.0
		for k, label := range a.labels {
			weight := 1.0
			if f.w != nil {
				weight = max(f.w[k], 0)
			}
			both := label*b.count + b.labels[k]
			seen[both] = true
			w[both] += weight
			wa[label] += weight
			wb[b.labels[k]] += weight
			total += weight
		}
		for i, v := range w {
			if seen[i] {
				combinations = append(combinations, i)
			}
			if v > 0 {
				information += v / total * math.Log(v*total/(wa[i/b.count]*wb[i%b.count]))
			}
		}
		chance := float64((a.count-1)*(b.count-1)) / (2 * float64(f.n))
		return combinations, information - 2*chance
	}
	for {
		var first, second *group
		var combinations []int
		most := jointInformation
		for i, a := range groups {
			for _, b := range groups[i+1:] {
				if c, information := pair(a, b); information > most && len(c) <= mostCombinations {
					first, second, combinations, most = a, b, c, information
				}
			}
		}
		if first == nil {
			break
		}
		joined := &group{names: append(slices.Clone(first.names), second.names...), labels: first.labels, count: len(combinations)}
		for k, label := range first.labels {
			joined.labels[k], _ = slices.BinarySearch(combinations, label*second.count+second.labels[k])
		}
		groups = slices.DeleteFunc(groups, func(g *group) bool { return g == first || g == second })
		groups = append(groups, joined)
	}
	for _, g := range groups {
		if len(g.names) == 1 {
			continue
		}
		j := &Joint{}
		for _, name := range f.spec.Names() { // in the order of the file
			if slices.Contains(g.names, name) {
				j.Variables = append(j.Variables, name)
			}
		}
		j.Combinations = make([][]float64, g.count)
		for k, label := range g.labels {
			if j.Combinations[label] == nil {
				for _, name := range j.Variables {
					j.Combinations[label] = append(j.Combinations[label], f.at(name)[k])
				}
			}
		}
		slices.SortFunc(j.Combinations, slices.Compare)
		f.apply(Map{Joint: j})
		f.coordinates = append(f.coordinates, rootio.Field{Name: j.name(), Kind: rootio.Int32})
	}
}
