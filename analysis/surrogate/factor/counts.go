package factor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/optimize"

	"github.com/eidolon-hep/eidolon/analysis/features"
	"github.com/eidolon-hep/eidolon/internal/parallel"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/training"
)

// counts is the negative binomial of a column of counts k (above the least one), such as the number of
// tracks,
//
//	P(k | c) = Γ(k+r)/(Γ(r) k!) (r/(r+μ))ʳ (μ/(r+μ))ᵏ
//
// of the mean μ and the variance μ + μ²/r. log μ and log r are linear in the context c, and
// found by maximum likelihood. The factors after it get log(1+k), standardised, and whether k is
// 0.
type counts struct {
	about  countsDescription
	of     features.Counted
	dim    int       // the number of features that come to it
	params []float32 // of log μ, 1 and one for each feature of the context, and of log r
}

// countsDescription is what a file says of counts beside the parameters.
type countsDescription struct {
	Feature int     `json:"feature"`
	Context int     `json:"context,omitempty"`
	Mean    float64 `json:"mean"`   // of log(1+k)
	Spread  float64 `json:"spread"` // its standard deviation
}

const (
	mostCount = 1 << 24 // float32 has all whole numbers up to here
	logMost   = 12      // the largest |log r|, beyond which it is a Poisson distribution, and log μ
)

func countsKind() Kind { return Kind{Name: "counts", Find: findCounts, Load: loadCounts} }

// findCounts takes the first column of counts that a negative binomial suits.
func findCounts(ctx context.Context, events Events, _ Settings) (Factor, error) {
	for _, c := range events.Counts {
		own, w := make([]float32, events.N), make([]float32, events.N)
		var sum, logs, squares float64
		for i, z := range events.Rows() {
			if i%events.Dim != c.Feature {
				continue
			}
			i /= events.Dim
			count, _ := c.Split(z)
			own[i], w[i] = float32(count-c.Least), float32(events.weight(i))
			l := math.Log1p(float64(own[i]))
			sum, logs, squares = sum+events.weight(i), logs+events.weight(i)*l, squares+events.weight(i)*l*l
		}
		mean := logs / sum
		m := newCounts(countsDescription{Feature: c.Feature, Mean: mean, Spread: math.Sqrt(max(squares/sum-mean*mean, 1e-6))}, events.Features)
		suits, err := m.suits(ctx, own, w)
		if err != nil {
			return nil, err
		}
		if suits {
			m.about.Context = events.Context
			return newCounts(m.about, events.Features), nil
		}
	}
	return nil, nil
}

// suits reports whether counts that are left out of a fit are as likely by it as by the frequencies of
// the others.
func (m *counts) suits(ctx context.Context, own, w []float32) (bool, error) {
	const worse = 0.05 // nats
	learn, judge := training.Data{Dim: 1}, training.Data{Dim: 1}
	frequency, total := map[float32]float64{}, 0.0
	for i, k := range own {
		if i%2 == 0 {
			learn.X, learn.W = append(learn.X, k), append(learn.W, w[i])
			frequency[k]++
			total++
		} else {
			judge.X, judge.W = append(judge.X, k), append(judge.W, w[i])
		}
	}
	if _, err := m.Train(ctx, learn, judge, training.Options{}); err != nil {
		return false, err
	}
	p := make([]float64, judge.Len())
	if err := m.LogDensity(ctx, p, judge.X, nil); err != nil {
		return false, err
	}
	gain, sum := 0.0, 0.0
	for i, l := range p {
		v := float64(judge.W[i])
		gain += v * (l - math.Log((frequency[judge.X[i]]+1)/(total+float64(len(frequency))+1)))
		sum += v
	}
	return gain >= -worse*sum, nil
}

func newCounts(about countsDescription, of Features) *counts {
	m := &counts{about: about, dim: of.Dim, params: make([]float32, 2*(1+about.Context))}
	m.params[0] = float32(about.Mean) // as if the mean of the logarithm were that of the counts
	for _, c := range of.Counts {
		if c.Feature == about.Feature {
			m.of = c
		}
	}
	return m
}

func (m *counts) Kind() string   { return "counts" }
func (m *counts) Cut() Cut       { return m }
func (m *counts) Dim() int       { return 1 }
func (m *counts) Context() int   { return m.about.Context }
func (m *counts) Own() []int     { return []int{m.about.Feature} }
func (m *counts) Left() int      { return m.dim - 1 }
func (m *counts) Told() int      { return 2 }
func (m *counts) String() string { return "a negative binomial" }

// Values makes them [Whole].
func (m *counts) Values() []int { return []int{mostCount + 1} }

func (m *counts) Rest(of Features) Features { return of.without(m.about.Feature) }

func (m *counts) Split(own, rest []float32, logDet []float64, x []float32) {
	parallel.Ranges(len(own), 1<<10, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			z := takeOut(rest[i*(m.dim-1):(i+1)*(m.dim-1)], x[i*m.dim:(i+1)*m.dim], m.about.Feature)
			count, ld := m.of.Split(z)
			own[i] = float32(count - m.of.Least)
			if logDet != nil {
				logDet[i] += ld
			}
		}
	})
}

func (m *counts) Join(x, own, rest []float32) {
	parallel.Ranges(len(own), 1<<10, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			putIn(x[i*m.dim:(i+1)*m.dim], rest[i*(m.dim-1):(i+1)*(m.dim-1)], m.about.Feature, m.of.Join(float64(own[i])+m.of.Least))
		}
	})
}

func (m *counts) Tell(told, own []float32) {
	told[0], told[1] = float32((math.Log1p(float64(own[0]))-m.about.Mean)/m.about.Spread), 0
	if own[0] == 0 {
		told[1] = 1
	}
}

// at returns log μ and log r in a context.
func (m *counts) at(params []float64, c []float32) (logMean, logR float64) {
	n := 1 + m.about.Context
	logMean, logR = params[0], params[n]
	for j, v := range c {
		logMean += params[1+j] * float64(v)
		logR += params[n+1+j] * float64(v)
	}
	return min(max(logMean, -logMost), logMost), min(max(logR, -logMost), logMost)
}

// wide returns the parameters in float64.
func (m *counts) wide() []float64 {
	params := make([]float64, len(m.params))
	for i, v := range m.params {
		params[i] = float64(v)
	}
	return params
}

// logNegativeBinomial returns log P(k).
func logNegativeBinomial(k, mean, r float64) float64 {
	a, _ := math.Lgamma(k + r)
	b, _ := math.Lgamma(r)
	c, _ := math.Lgamma(k + 1)
	return a - b - c + r*math.Log(r/(r+mean)) + k*math.Log(mean/(r+mean))
}

func (m *counts) LogDensity(ctx context.Context, dst []float64, own, c []float32) error {
	params, width := m.wide(), m.about.Context
	parallel.Ranges(len(dst), 1<<10, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			logMean, logR := m.at(params, c[i*width:(i+1)*width])
			dst[i] = logNegativeBinomial(float64(own[i]), math.Exp(logMean), math.Exp(logR))
		}
	})
	return ctx.Err()
}

// Sample draws counts by the inverse of their distribution, P(K ≤ k) = I(r/(r+μ); r, k+1).
func (m *counts) Sample(ctx context.Context, own, c []float32, seed, attempt uint64, numbers []uint64) error {
	u := make([]float64, len(numbers))
	for lo, hi := range philox.Runs(numbers) {
		philox.Uniform64(u[lo:hi], seed, streamCounts+uint64(m.about.Context)<<32+attempt, numbers[lo])
	}
	params, width := m.wide(), m.about.Context
	parallel.Ranges(len(u), 1<<8, func(lo, hi int) {
		for i := lo; i < hi && ctx.Err() == nil; i++ {
			logMean, logR := m.at(params, c[i*width:(i+1)*width])
			own[i] = float32(quantile(u[i], math.Exp(logMean), math.Exp(logR)))
		}
	})
	return ctx.Err()
}

// quantile returns the least k with P(K ≤ k) ≥ u.
func quantile(u, mean, r float64) float64 {
	upTo := func(k float64) float64 { return mathext.RegIncBeta(r, k+1, r/(r+mean)) }
	below, above := -1.0, math.Ceil(mean)
	for upTo(above) < u && above < mostCount {
		below, above = above, 2*above+1
	}
	for above-below > 1 {
		if k := math.Floor((below + above) / 2); upTo(k) < u {
			below = k
		} else {
			above = k
		}
	}
	return min(above, mostCount)
}

// Train fits the parameters by L-BFGS, to some of the rows where there are many.
func (m *counts) Train(ctx context.Context, train, _ training.Data, _ training.Options) (training.History, error) {
	const most = 50_000 // rows
	n, width := train.Len(), m.about.Context
	step := max(n/most, 1)
	row := func(i int) (k, w float64, c []float32) {
		return float64(train.X[i]), train.Weight(i), train.C[i*width : (i+1)*width]
	}
	// The loss has a penalty, of the size of one event, that keeps the slopes finite.
	loss := func(params []float64) float64 {
		sum := 0.0
		for i := 0; i < n; i += step {
			k, w, c := row(i)
			logMean, logR := m.at(params, c)
			sum -= w * logNegativeBinomial(k, math.Exp(logMean), math.Exp(logR))
		}
		for _, v := range params {
			sum += v * v / 2
		}
		return sum
	}
	gradient := func(grad, params []float64) {
		copy(grad, params)
		for i := 0; i < n; i += step {
			k, w, c := row(i)
			logMean, logR := m.at(params, c)
			mean, r := math.Exp(logMean), math.Exp(logR)
			dMean := w * r * (k - mean) / (r + mean)
			dR := w * r * (mathext.Digamma(k+r) - mathext.Digamma(r) + math.Log(r/(r+mean)) + 1 - (k+r)/(r+mean))
			grad[0] -= dMean
			grad[1+width] -= dR
			for j, v := range c {
				grad[1+j] -= dMean * float64(v)
				grad[2+width+j] -= dR * float64(v)
			}
		}
	}
	problem := optimize.Problem{Func: loss, Grad: gradient, Status: func() (optimize.Status, error) {
		return optimize.NotTerminated, ctx.Err()
	}}
	found, err := optimize.Minimize(problem, m.wide(), &optimize.Settings{MajorIterations: 200}, &optimize.LBFGS{})
	if ctx.Err() != nil {
		return training.History{}, ctx.Err()
	}
	if found == nil || math.IsNaN(found.F) {
		return training.History{}, fmt.Errorf("factor: could not fit counts: %w", err)
	}
	for i, v := range found.X {
		m.params[i] = float32(v)
	}
	return training.History{Stopped: "the likelihood of the counts is at its maximum"}, nil
}

func (m *counts) Tensors() []training.Tensor {
	return []training.Tensor{{Name: "parameters", Shape: []int{2, 1 + m.about.Context}, Value: m.params}}
}

func (m *counts) MarshalJSON() ([]byte, error) { return json.Marshal(m.about) }

// loadCounts returns the counts that a file describes.
func loadCounts(text []byte, tensors []training.Tensor, of Features) (Factor, error) {
	var about countsDescription
	if err := json.Unmarshal(text, &about); err != nil {
		return nil, fmt.Errorf("factor: could not read the description of counts: %w", err)
	}
	damaged := errors.New("factor: the description of counts is damaged")
	isOfCounts := func(c features.Counted) bool { return c.Feature == about.Feature }
	if !slices.ContainsFunc(of.Counts, isOfCounts) || len(tensors) != 1 || about.Context < 0 ||
		len(tensors[0].Value)%2 != 0 || len(tensors[0].Value)/2-1 != about.Context || !(about.Spread > 0) || math.IsInf(about.Spread+about.Mean, 0) {
		return nil, damaged
	}
	m := newCounts(about, of)
	for i, v := range tensors[0].Value {
		if v-v != 0 {
			return nil, damaged
		}
		m.params[i] = v
	}
	return m, nil
}
