package surrogate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/flows"
	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/training"
)

// mixed is the density of events some of whose features are one of a few values:
//
//	p(x | c) = P(k | c) p(y | k, c)
//
// k are the codes of an event, and y what is left of its features ([features.Discrete]).
// The codes are drawn jointly, from the combinations that the training events have, so
// that they fit each other; they are part of the context of the density of y, which so
// needs no steps at the walls of their cells.
//
// A combination that was never seen gets a probability, too: a share of the total
// that is as large as that of combinations seen once (Good, Biometrika 40 (1953) 237),
// in which every code has its own proportion, independent of the others.
type mixed struct {
	dim, context int
	about        mixedDescription
	parts        []features.Discrete // those of the features that are split
	kept         []int               // the features that something is left of
	widths       int                 // of the codes' part of the context
	place        map[string]int      // of a combination, by its codes

	codes *flows.Categorical
	rest  Density // nil where nothing is left
}

// mixedDescription is what a file says of a mixed density beside its parts.
type mixedDescription struct {
	Features     []int       `json:"features"`     // that are split
	Combinations [][]byte    `json:"combinations"` // of their codes
	Unseen       float64     `json:"unseen"`       // the probability of all others
	Proportions  [][]float64 `json:"proportions"`  // of the codes of each feature
}

const (
	// mostSplit is the number of codes up to which a feature is split, and
	// mostCombinations the number of their combinations.
	mostSplit        = 64
	mostCombinations = 1024
)

// newMixed looks at the features of n events (z, n×Dim) with the weights w (nil: 1
// each) and decides which of them to split; none (nil) when there is none of a few
// values. rest makes the density of what is left.
func newMixed(ctx context.Context, of shape, context int, z []float32, w []float64, hidden []int, seed uint64, rest func(dim, context int) (Density, error)) (*mixed, error) {
	dim := of.dim
	n := len(z) / dim
	all := slices.Clone(of.discrete)
	slices.SortStableFunc(all, func(a, b features.Discrete) int { return a.Codes - b.Codes })
	m := &mixed{dim: dim, context: context}
	keys := make([][]byte, n)
	var seen map[string]float64
	for _, d := range all {
		if d.Codes > mostSplit || len(keys) == 0 {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		longer := map[string]float64{}
		for i, key := range keys {
			code, _, _ := d.Split(z[i*dim+d.Feature])
			keys[i] = append(key, byte(code))
			longer[string(keys[i])] += weightOf(w, i)
		}
		if len(longer) > mostCombinations || 20*len(longer) > n { // too few events for each
			for i := range keys {
				keys[i] = keys[i][:len(keys[i])-1]
			}
			break
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
	if err := m.setUp(of); err != nil {
		return nil, err
	}
	m.about.Proportions = make([][]float64, len(m.parts))
	for j, p := range m.parts {
		share := make([]float64, p.Codes)
		total := 0.0
		for key, w := range seen {
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
	if m.codes, err = flows.NewCategorical(len(m.about.Combinations), context, hidden, seed); err != nil {
		return nil, err
	}
	if len(m.kept) > 0 {
		m.rest, err = rest(len(m.kept), context+m.widths)
	}
	return m, err
}

func weightOf(w []float64, i int) float64 {
	if w == nil {
		return 1
	}
	return w[i]
}

// setUp derives from the description and the shape what is not in a file.
func (m *mixed) setUp(of shape) error {
	discrete := of.discrete
	left := make([]bool, m.dim)
	for j := range left {
		left[j] = true
	}
	for i, f := range m.about.Features {
		at := slices.IndexFunc(discrete, func(d features.Discrete) bool { return d.Feature == f })
		if at < 0 || discrete[at].Codes > mostSplit || slices.Contains(m.about.Features[:i], f) {
			return fmt.Errorf("surrogate: feature %d is not one of a few values", f)
		}
		d := discrete[at]
		m.parts = append(m.parts, d)
		m.widths += d.Codes - 1
		left[f] = !d.Pure
	}
	for j, ok := range left {
		if ok {
			m.kept = append(m.kept, j)
		}
	}
	m.place = map[string]int{}
	for k, codes := range m.about.Combinations {
		if len(codes) != len(m.parts) {
			return errors.New("surrogate: the description of the codes is damaged")
		}
		for j, code := range codes {
			if int(code) >= m.parts[j].Codes {
				return errors.New("surrogate: the description of the codes is damaged")
			}
		}
		m.place[string(codes)] = k
	}
	return nil
}

func (m *mixed) Dim() int     { return m.dim }
func (m *mixed) Context() int { return m.context }

func (m *mixed) String() string {
	text := fmt.Sprintf("%d combinations of codes", len(m.about.Combinations))
	if m.rest != nil {
		text += fmt.Sprintf(", for what is left %v", m.rest)
	}
	return text
}

// oneHot stores the codes in a row of the context: a 1 for each that is not the
// first of its feature.
func (m *mixed) oneHot(row []float32, codes []byte) {
	clear(row)
	at := 0
	for j, code := range codes {
		if code > 0 {
			row[at+int(code)-1] = 1
		}
		at += m.parts[j].Codes - 1
	}
}

// split parts the rows x with the contexts c: codes (n×parts), what is left (n×kept)
// and, unless nil, its context (n×(context+widths)), and, unless nil, the logarithm of the density
// of x relative to P(codes) p(left | codes).
func (m *mixed) split(codes []byte, y, cy []float32, logDet []float64, x, c []float32) {
	n, wide := len(x)/m.dim, m.context+m.widths
	parallel.Ranges(n, 1<<10, func(lo, hi int) {
		row := make([]float32, m.dim)
		for i := lo; i < hi; i++ {
			copy(row, x[i*m.dim:])
			key := codes[i*len(m.parts) : (i+1)*len(m.parts)]
			sum := 0.0
			for j := range m.parts {
				p := &m.parts[j]
				code, left, ld := p.Split(row[p.Feature])
				key[j], row[p.Feature] = byte(code), left
				sum += ld
			}
			for k, j := range m.kept {
				y[i*len(m.kept)+k] = row[j]
			}
			if cy != nil {
				copy(cy[i*wide:], c[i*m.context:(i+1)*m.context])
				m.oneHot(cy[i*wide+m.context:(i+1)*wide], key)
			}
			if logDet != nil {
				logDet[i] = sum
			}
		}
	})
}

// logIndependent is the logarithm of the probability of codes that have nothing to
// do with each other.
func (m *mixed) logIndependent(codes []byte) float64 {
	sum := 0.0
	for j, code := range codes {
		sum += math.Log(m.about.Proportions[j][code])
	}
	return sum
}

func (m *mixed) LogDensity(ctx context.Context, dst []float64, x, c []float32) error {
	return pieces(len(dst), func(lo, hi int) error {
		return m.logDensity(ctx, dst[lo:hi], x[lo*m.dim:hi*m.dim], c[lo*m.context:hi*m.context])
	})
}

func (m *mixed) logDensity(ctx context.Context, dst []float64, x, c []float32) error {
	n := len(dst)
	codes, y, cy := make([]byte, n*len(m.parts)), make([]float32, n*len(m.kept)), make([]float32, n*(m.context+m.widths))
	m.split(codes, y, cy, dst, x, c)
	if m.rest != nil {
		left := make([]float64, n)
		if err := m.rest.LogDensity(ctx, left, y, cy); err != nil {
			return err
		}
		for i, l := range left {
			dst[i] += l
		}
	}
	classes := m.codes.Classes()
	p := make([]float64, n*classes)
	m.codes.LogProb(p, c)
	for i := range dst {
		key := codes[i*len(m.parts) : (i+1)*len(m.parts)]
		of := m.about.Unseen * math.Exp(m.logIndependent(key))
		if k, ok := m.place[string(key)]; ok {
			of += (1 - m.about.Unseen) * math.Exp(p[i*classes+k])
		}
		dst[i] += math.Log(of)
	}
	return ctx.Err()
}

// streamCodes is the stream of a seed that codes are drawn from.
const streamCodes = 1 << 57

// Sample draws codes first and then the rest. Another attempt has the same codes, so
// that their proportions do not suffer when events are drawn again.
func (m *mixed) Sample(ctx context.Context, x, c []float32, seed, attempt, first uint64) error {
	rows := make([]uint64, len(x)/m.dim)
	for i := range rows {
		rows[i] = first + uint64(i)
	}
	return m.SampleRows(ctx, x, c, seed, attempt, rows)
}

// SampleRows is like [mixed.Sample] for events of the given numbers.
func (m *mixed) SampleRows(ctx context.Context, x, c []float32, seed, attempt uint64, rows []uint64) error {
	return pieces(len(rows), func(lo, hi int) error {
		return m.sample(ctx, x[lo*m.dim:hi*m.dim], c[lo*m.context:hi*m.context], seed, attempt, rows[lo:hi])
	})
}

func (m *mixed) sample(ctx context.Context, x, c []float32, seed, attempt uint64, rows []uint64) error {
	n, wide := len(x)/m.dim, m.context+m.widths
	codes := make([]byte, n*len(m.parts))
	m.drawCodes(codes, c, seed, rows)
	y, cy := make([]float32, n*len(m.kept)), make([]float32, n*wide)
	for i := range n {
		copy(cy[i*wide:], c[i*m.context:(i+1)*m.context])
		m.oneHot(cy[i*wide+m.context:(i+1)*wide], codes[i*len(m.parts):(i+1)*len(m.parts)])
	}
	if m.rest != nil {
		if err := sampleRows(ctx, m.rest, y, cy, seed, attempt, rows); err != nil {
			return err
		}
	}
	parallel.Ranges(n, 1<<10, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row := x[i*m.dim : (i+1)*m.dim]
			for k, j := range m.kept {
				row[j] = y[i*len(m.kept)+k]
			}
			for j := range m.parts {
				p := &m.parts[j]
				row[p.Feature] = p.Join(int(codes[i*len(m.parts)+j]), row[p.Feature])
			}
		}
	})
	return ctx.Err()
}

// drawCodes draws the codes of n events (n×parts).
func (m *mixed) drawCodes(codes []byte, c []float32, seed uint64, rows []uint64) {
	parts, classes := len(m.parts), m.codes.Classes()
	n := len(codes) / parts
	deviates := uint64(parts + 1) // of an event
	u := make([]float64, n*(parts+1))
	for lo, hi := range runs(rows) {
		philox.Uniform64(u[lo*(parts+1):hi*(parts+1)], seed, streamCodes, rows[lo]*deviates)
	}
	var p []float64
	if m.context == 0 { // the same for all
		p = make([]float64, classes)
		m.codes.LogProb(p, nil)
		cumulate(p)
	} else {
		p = make([]float64, n*classes)
		m.codes.LogProb(p, c)
		parallel.Ranges(n, 1<<8, func(lo, hi int) {
			for i := lo; i < hi; i++ {
				cumulate(p[i*classes : (i+1)*classes])
			}
		})
	}
	for i := range n {
		of, key := u[i*(parts+1):(i+1)*(parts+1)], codes[i*parts:(i+1)*parts]
		if of[0] < m.about.Unseen {
			for j, share := range m.about.Proportions {
				left := of[j+1]
				for k, s := range share { // the last with any share takes what rounding leaves
					if s > 0 {
						key[j] = byte(k)
					}
					if left -= s; left < 0 {
						break
					}
				}
			}
			continue
		}
		row := p
		if m.context > 0 {
			row = p[i*classes : (i+1)*classes]
		}
		k, _ := slices.BinarySearch(row, (of[0]-m.about.Unseen)/(1-m.about.Unseen))
		copy(key, m.about.Combinations[min(k, classes-1)])
	}
}

// cumulate turns logarithms of probabilities into sums of probabilities.
func cumulate(p []float64) {
	sum := 0.0
	for k, l := range p {
		sum += math.Exp(l)
		p[k] = sum
	}
}

// Train fits the probabilities of the codes first, then the density of what is left.
func (m *mixed) Train(ctx context.Context, train, valid training.Data, opts training.Options) (training.History, error) {
	begin := time.Now()
	trainCodes, trainRest := m.data(train)
	validCodes, validRest := m.data(valid)
	h, err := m.codes.Train(ctx, trainCodes, validCodes, m.codesOptions(opts))
	if m.rest == nil && h.Batch == 0 {
		h.Stopped = "nothing to train: the frequencies of the codes are the model"
	}
	if err != nil || m.rest == nil {
		return h, err
	}
	return m.rest.Train(ctx, trainRest, validRest, opts.Since(begin))
}

// codesOptions are the options for the probabilities of codes, a small part of all.
func (m *mixed) codesOptions(opts training.Options) training.Options {
	o := training.Options{Batch: opts.Batch, Rate: opts.Rate, Patience: opts.Patience, Seed: opts.Seed, MaxTime: opts.MaxTime / 5, Epochs: opts.Epochs}
	if m.rest == nil {
		o.Progress = opts.Progress
	}
	return o
}

// data returns the rows for both parts. A refresh of the noise in the features
// refreshes what is left of them.
func (m *mixed) data(d training.Data) (codes, rest training.Data) {
	n := len(d.X) / m.dim
	keys := make([]byte, n*len(m.parts))
	rest = training.Data{
		X: make([]float32, n*len(m.kept)), Dim: len(m.kept), W: d.W,
		C: make([]float32, n*(m.context+m.widths)), Context: m.context + m.widths,
	}
	m.split(keys, rest.X, rest.C, nil, d.X, d.C)
	codes = training.Data{X: make([]float32, n), Dim: 1, C: d.C, Context: m.context, W: d.W}
	for i := range codes.X {
		codes.X[i] = float32(m.place[string(keys[i*len(m.parts):(i+1)*len(m.parts)])])
	}
	if d.Refresh != nil {
		rest.Refresh = func(ctx context.Context, pass uint64) {
			d.Refresh(ctx, pass)
			m.split(keys, rest.X, rest.C, nil, d.X, d.C)
		}
	}
	return codes, rest
}

func (m *mixed) Tensors() []training.Tensor {
	tensors := prefixed("codes", m.codes.Tensors())
	if m.rest != nil {
		tensors = append(tensors, prefixed("rest", m.rest.Tensors())...)
	}
	return tensors
}

// mixedFile is a mixed density without its parameters.
type mixedFile struct {
	Dim     int              `json:"dim"`
	Context int              `json:"context,omitempty"`
	About   mixedDescription `json:"about"`
	Codes   json.RawMessage  `json:"codes"`
	Rest    described        `json:"rest,omitempty"`
}

func (m *mixed) MarshalJSON() ([]byte, error) {
	codes, err := json.Marshal(m.codes)
	if err != nil {
		return nil, err
	}
	file := mixedFile{Dim: m.dim, Context: m.context, About: m.about, Codes: codes}
	if m.rest != nil {
		if file.Rest, err = describeDensity(m.rest); err != nil {
			return nil, err
		}
	}
	return json.Marshal(file)
}

// loadMixed returns the density that a file describes, of features of a shape.
func loadMixed(text []byte, tensors []training.Tensor, of shape) (*mixed, error) {
	var file mixedFile
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("surrogate: could not read the description of a density: %w", err)
	}
	m := &mixed{dim: file.Dim, context: file.Context, about: file.About}
	damaged := errors.New("surrogate: the description of the codes is damaged")
	split := m.about.Features
	if m.dim != of.dim || m.context < 0 || len(split) == 0 || len(m.about.Proportions) != len(split) || !(m.about.Unseen > 0 && m.about.Unseen < 1) {
		return nil, damaged
	}
	if err := m.setUp(of); err != nil {
		return nil, err
	}
	for j, share := range m.about.Proportions {
		if len(share) != m.parts[j].Codes || slices.ContainsFunc(share, func(s float64) bool { return !(s >= 0 && s <= 1) }) {
			return nil, damaged
		}
	}
	var err error
	if m.codes, err = flows.LoadCategorical(file.Codes, under("codes", tensors)); err != nil {
		return nil, err
	}
	if m.codes.Classes() != len(m.about.Combinations) || m.codes.Context() != m.context {
		return nil, damaged
	}
	if len(m.kept) == 0 {
		return m, nil
	}
	m.rest, err = file.Rest.load(under("rest", tensors), shape{dim: len(m.kept)}, m.context+m.widths)
	return m, err
}
