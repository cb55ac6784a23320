package factor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/flows"
	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/training"
)

// codes is the probability of the codes of events, some of whose features are one of a few
// values ([features.Discrete]). Its own part are the codes, and what is left of the features is
// for the factors after it, which get the codes as ones and zeros: their density so needs no steps
// at the walls of the codes' cells.
//
// The codes are drawn jointly, from the combinations that the training events have, so that they
// fit each other. A combination that was never seen gets a probability, too: a share of the total
// that is as large as that of combinations seen once (Good, Biometrika 40 (1953) 237), in which
// every code has its own proportion, independent of the others.
//
// Codes of features that have too few events for each combination are for another factor of this
// kind, which gets those of the first in its context.
type codes struct {
	about codesDescription
	of    Features            // that come to it
	parts []features.Discrete // those that are split
	kept  []int               // the features that something is left of
	told  int                 // the width of the ones and zeros
	place map[string]int      // of a combination, by its codes
	*flows.Categorical
}

// codesDescription is what a file says of codes beside the network.
type codesDescription struct {
	Features     []int       `json:"features"`     // that are split
	Combinations [][]byte    `json:"combinations"` // of their codes
	Unseen       float64     `json:"unseen"`       // the probability of all others
	Proportions  [][]float64 `json:"proportions"`  // of the codes of each feature
}

const (
	// mostSplit is the number of codes up to which a feature is split if nothing is left of it,
	// mostAtoms that if it has spikes, and mostCombinations the number of their combinations.
	mostSplit        = 64
	mostAtoms        = 256
	mostCombinations = 1024
)

// isSplit reports whether a feature has not too many codes.
func isSplit(d features.Discrete) bool {
	return d.Codes <= mostSplit || !d.Pure && d.Codes <= mostAtoms
}

func codesKind() Kind { return Kind{Name: "codes", Find: findCodes, Load: loadCodes} }

// findCodes decides which features of events to split: of those of a few values as many as have
// enough events for each combination, those of the fewest values first.
func findCodes(ctx context.Context, events Events, s Settings) (Factor, error) {
	dim, n := events.Dim, events.N
	all := slices.Clone(events.Discrete)
	slices.SortStableFunc(all, func(a, b features.Discrete) int { return a.Codes - b.Codes })
	m := &codes{}
	keys := make([][]byte, n)
	var seen map[string]float64
	for _, d := range all {
		if !isSplit(d) || n == 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		longer, z := map[string]float64{}, events.Rows()
		for i, key := range keys {
			code, _, _ := d.Split(z[i*dim+d.Feature])
			keys[i] = append(key, byte(code))
			longer[string(keys[i])] += events.weight(i)
		}
		each := 20 // events of a combination
		if seen == nil && !d.Pure {
			each = 8
		}
		if len(longer) > mostCombinations || each*len(longer) > n {
			for i := range keys {
				keys[i] = keys[i][:len(keys[i])-1]
			}
			continue
		}
		seen = longer
		m.about.Features = append(m.about.Features, d.Feature)
	}
	if len(m.about.Features) == 0 {
		return nil, nil
	}
	var once float64
	counts := map[string]int{}
	for _, key := range keys {
		counts[string(key)]++
	}
	for key, n := range counts {
		m.about.Combinations = append(m.about.Combinations, []byte(key))
		if n == 1 {
			once++
		}
	}
	slices.SortFunc(m.about.Combinations, slices.Compare)
	m.about.Unseen = max(once, 0.5) / float64(n)
	if err := m.finish(events.Features); err != nil {
		return nil, err
	}
	m.about.Proportions = make([][]float64, len(m.parts))
	for j, p := range m.parts {
		share := make([]float64, p.Codes)
		total := 0.0
		for _, key := range slices.Sorted(maps.Keys(seen)) { // in one order, so that the sum has the same bits each time
			w := seen[key]
			share[key[j]] += w
			total += w
		}
		sum := 0.0
		for k, w := range share { // sums of weights of both signs may be negative, and none is impossible
			share[k] = max(w, 1e-9*total)
			sum += share[k]
		}
		for k := range share {
			share[k] /= sum
		}
		m.about.Proportions[j] = share
	}
	var err error
	m.Categorical, err = flows.NewCategorical(len(m.about.Combinations), events.Context, s.hidden(), s.Seed)
	return m, err
}

// finish derives from the description, and the features that come, what is not in a file.
func (m *codes) finish(of Features) error {
	m.of = of
	isLeft := make([]bool, of.Dim)
	for j := range isLeft {
		isLeft[j] = true
	}
	for i, f := range m.about.Features {
		at := slices.IndexFunc(of.Discrete, func(d features.Discrete) bool { return d.Feature == f })
		if at < 0 || !isSplit(of.Discrete[at]) || slices.Contains(m.about.Features[:i], f) {
			return fmt.Errorf("factor: feature %d is not one of a few values", f)
		}
		d := of.Discrete[at]
		m.parts = append(m.parts, d)
		m.told += d.Codes - 1
		isLeft[f] = !d.Pure
	}
	for j, ok := range isLeft {
		if ok {
			m.kept = append(m.kept, j)
		}
	}
	m.place = map[string]int{}
	for k, codes := range m.about.Combinations {
		if len(codes) != len(m.parts) {
			return errors.New("factor: the description of the codes is damaged")
		}
		for j, code := range codes {
			if int(code) >= m.parts[j].Codes {
				return errors.New("factor: the description of the codes is damaged")
			}
		}
		m.place[string(codes)] = k
	}
	return nil
}

func (m *codes) Kind() string { return "codes" }
func (m *codes) Cut() Cut     { return m }
func (m *codes) Dim() int     { return len(m.parts) }
func (m *codes) Own() []int   { return m.about.Features }
func (m *codes) Left() int    { return len(m.kept) }
func (m *codes) Told() int    { return m.told }

func (m *codes) String() string {
	return fmt.Sprintf("%d combinations of codes", len(m.about.Combinations))
}

// Values makes them [Whole].
func (m *codes) Values() []int {
	values := make([]int, len(m.parts))
	for j, p := range m.parts {
		values[j] = p.Codes
	}
	return values
}

// Rest returns the features that something is left of. What is left of those that are split is not one of
// a few values.
func (m *codes) Rest(of Features) Features {
	of.Discrete = slices.DeleteFunc(slices.Clone(of.Discrete), func(d features.Discrete) bool { return slices.Contains(m.about.Features, d.Feature) })
	return of.Keep(m.kept)
}

func (m *codes) Split(own, rest []float32, logDet []float64, x []float32) {
	dim := m.of.Dim
	parallel.Ranges(len(own)/len(m.parts), 1<<10, func(lo, hi int) {
		row := make([]float32, dim)
		for i := lo; i < hi; i++ {
			copy(row, x[i*dim:])
			sum := 0.0
			for j := range m.parts {
				p := &m.parts[j]
				code, left, ld := p.Split(row[p.Feature])
				own[i*len(m.parts)+j], row[p.Feature] = float32(code), left
				sum += ld
			}
			for k, j := range m.kept {
				rest[i*len(m.kept)+k] = row[j]
			}
			if logDet != nil {
				logDet[i] += sum
			}
		}
	})
}

func (m *codes) Join(x, own, rest []float32) {
	dim := m.of.Dim
	parallel.Ranges(len(own)/len(m.parts), 1<<10, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row := x[i*dim : (i+1)*dim]
			for k, j := range m.kept {
				row[j] = rest[i*len(m.kept)+k]
			}
			for j := range m.parts {
				p := &m.parts[j]
				row[p.Feature] = p.Join(int(own[i*len(m.parts)+j]), row[p.Feature])
			}
		}
	})
}

// Tell writes a 1 for each code that is not the first of its feature.
func (m *codes) Tell(told, own []float32) {
	clear(told)
	at := 0
	for j, code := range own {
		if code > 0 {
			told[at+int(code)-1] = 1
		}
		at += m.parts[j].Codes - 1
	}
}

// placeOf returns the place of the combination of a row of the own part, and false where the
// training events do not have it. memory is for the codes.
func (m *codes) placeOf(own []float32, memory []byte) (place int, ok bool) {
	memory = memory[:0]
	for _, code := range own {
		memory = append(memory, byte(code))
	}
	place, ok = m.place[string(memory)]
	return place, ok
}

func (m *codes) LogDensity(ctx context.Context, dst []float64, own, c []float32) error {
	classes, parts := m.Classes(), len(m.parts)
	p := make([]float64, len(dst)*classes)
	m.LogProb(p, c)
	memory := make([]byte, 0, parts)
	for i := range dst {
		row := own[i*parts : (i+1)*parts]
		independent := 0.0 // the logarithm of the probability of codes that have nothing to do with each other
		for j, code := range row {
			independent += math.Log(m.about.Proportions[j][int(code)])
		}
		of := m.about.Unseen * math.Exp(independent)
		if k, ok := m.placeOf(row, memory); ok {
			of += (1 - m.about.Unseen) * math.Exp(p[i*classes+k])
		}
		dst[i] = math.Log(of)
	}
	return ctx.Err()
}

// Sample draws codes. Another attempt has the same ones, so that their proportions do not suffer
// when events are drawn again.
func (m *codes) Sample(ctx context.Context, own, c []float32, seed, _ uint64, numbers []uint64) error {
	parts, classes, n := len(m.parts), m.Classes(), len(numbers)
	deviates := parts + 1 // of an event
	u := make([]float64, n*deviates)
	for lo, hi := range philox.Runs(numbers) {
		philox.Uniform64(u[lo*deviates:hi*deviates], seed, streamCodes+uint64(m.Context()), numbers[lo]*uint64(deviates))
	}
	rows := n // of different probabilities
	if m.Context() == 0 {
		rows = 1
	}
	p := make([]float64, rows*classes)
	m.LogProb(p, c)
	parallel.Ranges(rows, 1<<8, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			cumulate(p[i*classes : (i+1)*classes])
		}
	})
	for i := range n {
		of, codes := u[i*deviates:(i+1)*deviates], own[i*parts:(i+1)*parts]
		if of[0] < m.about.Unseen {
			for j, share := range m.about.Proportions {
				left := of[j+1]
				for k, s := range share { // the last with any share takes what rounding leaves
					if s > 0 {
						codes[j] = float32(k)
					}
					if left -= s; left < 0 {
						break
					}
				}
			}
			continue
		}
		row := p[i%rows*classes:][:classes]
		k, _ := slices.BinarySearch(row, (of[0]-m.about.Unseen)/(1-m.about.Unseen))
		for j, code := range m.about.Combinations[min(k, classes-1)] {
			codes[j] = float32(code)
		}
	}
	return ctx.Err()
}

// cumulate turns logarithms of probabilities into sums of probabilities.
func cumulate(p []float64) {
	sum := 0.0
	for k, l := range p {
		sum += math.Exp(l)
		p[k] = sum
	}
}

// Train fits the probabilities, with little of the time: they are a small part of all.
func (m *codes) Train(ctx context.Context, train, valid training.Data, opts training.Options) (training.History, error) {
	small := training.Options{
		Batch: opts.Batch, Rate: opts.Rate, Patience: opts.Patience, Seed: opts.Seed, MaxTime: opts.MaxTime / 5, Epochs: opts.Epochs,
		Progress: opts.Progress,
	}
	h, err := m.Categorical.Train(ctx, m.classesOf(train), m.classesOf(valid), small)
	if h.Batch == 0 {
		h.Stopped = "nothing to train: the frequencies of the codes are the model"
	}
	return h, err
}

// classesOf returns rows of codes as the places of their combinations.
func (m *codes) classesOf(d training.Data) training.Data {
	places, memory := make([]float32, d.Len()), make([]byte, 0, len(m.parts))
	for i := range places {
		place, _ := m.placeOf(d.X[i*d.Dim:(i+1)*d.Dim], memory)
		places[i] = float32(place)
	}
	return training.Data{X: places, Dim: 1, C: d.C, Context: d.Context, W: d.W}
}

// codesFile is a factor of codes without its parameters.
type codesFile struct {
	codesDescription
	Network json.RawMessage `json:"network"`
}

func (m *codes) MarshalJSON() ([]byte, error) {
	network, err := json.Marshal(m.Categorical)
	if err != nil {
		return nil, err
	}
	return json.Marshal(codesFile{m.about, network})
}

// loadCodes returns the codes that a file describes.
func loadCodes(text []byte, tensors []training.Tensor, of Features) (Factor, error) {
	var file codesFile
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("factor: could not read the description of codes: %w", err)
	}
	m := &codes{about: file.codesDescription}
	damaged := errors.New("factor: the description of the codes is damaged")
	split := m.about.Features
	if len(split) == 0 || len(m.about.Proportions) != len(split) || !(m.about.Unseen > 0 && m.about.Unseen < 1) {
		return nil, damaged
	}
	if err := m.finish(of); err != nil {
		return nil, err
	}
	for j, share := range m.about.Proportions {
		if len(share) != m.parts[j].Codes || slices.ContainsFunc(share, func(s float64) bool { return !(s >= 0 && s <= 1) }) {
			return nil, damaged
		}
	}
	var err error
	if m.Categorical, err = flows.LoadCategorical(file.Network, tensors); err != nil {
		return nil, err
	}
	if m.Classes() != len(m.about.Combinations) {
		return nil, damaged
	}
	return m, nil
}
