// Package measure is the code of “eidolon bench”: it measures kernels, flows, diffusion and
// reading on the machine it runs on.
//
// [Kernels] measures every row of a table, which is the file rows.go, on one
// thread and on two, against the limits of the machine. A row's kernel and its limit run in
// turn, in short windows (see [limits.Measure]), so that a fraction means something on a
// machine that others use too. The same rows are the benchmarks of this package:
//
//	go test -run none -bench /dense.Forward -benchtime 1x ./bench/measure
package measure

import (
	"context"
	"runtime"
	"time"

	"github.com/klauspost/cpuid/v2"

	"github.com/eidolon-hep/eidolon/internal/limits"
)

// Result is what a kernel reached at one size. Limit, Fraction and Median are 0
// where the kernels run in pure Go: no limit is known there.
type Result struct {
	Kernel   string  `json:"kernel"`  // package and function
	Shape    string  `json:"shape"`   // the sizes
	Threads  int     `json:"threads"` // that ran it at the same time
	Speed    float64 `json:"speed"`   // of all threads together, in the best window
	Unit     string  `json:"unit"`    // of Speed and Limit
	Limit    float64 `json:"limit"`   // of the machine for this kernel, in the best window
	Fraction float64 `json:"fraction"`
	Median   float64 `json:"median"` // of the fractions, window by window
}

// Machine is where the results come from.
type Machine struct {
	CPU     string `json:"cpu"`
	Threads int    `json:"threads"` // that can run at the same time
	AVX2    bool   `json:"avx2"`    // whether the assembly is in use
	// Limits are the speeds that the kernels' limits derive from, on one thread
	// and on two: multiply-adds on registers, exponentials, and loads from the
	// second cache.
	Limits []Limit `json:"limits"`
}

// Limit is a speed of the machine that no kernel exceeds.
type Limit struct {
	Name    string  `json:"name"`
	Threads int     `json:"threads"`
	Speed   float64 `json:"speed"`
	Unit    string  `json:"unit"`
}

// duration is that of the measurement of one row on one number of threads.
const duration = 250 * time.Millisecond

// Kernels measures the machine, then all kernels. After each row it calls
// progress, unless that is nil, with the row's result and how many of the
// total are done. When ctx ends, it returns what it has.
func Kernels(ctx context.Context, progress func(r Result, done, total int)) ([]Result, Machine) {
	m := Machine{CPU: cpuid.CPU.BrandName, Threads: runtime.GOMAXPROCS(0), AVX2: limits.Available()}
	if m.AVX2 {
		m.Limits = machineLimits(ctx)
	}
	return measure(ctx, rows(), duration, progress), m
}

func machineLimits(ctx context.Context) []Limit {
	var all []Limit
	for _, l := range []struct {
		name, unit string
		work       func(float64) limits.Work
	}{
		{"multiply-adds", "GFLOP/s", limits.FMA},
		{"exponentials", "G/s", limits.Exp},
		{"loads from the second cache", "GB/s", limits.Read},
	} {
		for _, n := range threads() {
			if ctx.Err() != nil {
				return all
			}
			one := func() limits.Work { return l.work(1) }
			r := limits.Measure(n, duration/2, one, one)
			all = append(all, Limit{l.name, n, r.Limit, l.unit})
		}
	}
	return all
}

func measure(ctx context.Context, rows []row, duration time.Duration, progress func(Result, int, int)) []Result {
	one := func(r row, threads int) (Result, error) { return r.measure(threads, duration), nil }
	results, _ := onThreads(ctx, rows, one, progress) // but for ctx's error
	return results
}

// onThreads measures each of all on one thread and on two. It calls progress, unless that is
// nil, as [Kernels] does. Where ctx ends, or one fails, it returns what it has, and why.
func onThreads[T any](ctx context.Context, all []T, one func(of T, threads int) (Result, error), progress func(Result, int, int)) ([]Result, error) {
	var results []Result
	for _, of := range all {
		for _, n := range threads() {
			if err := ctx.Err(); err != nil {
				return results, err
			}
			r, err := one(of, n)
			if err != nil {
				return results, err
			}
			results = append(results, r)
			if progress != nil {
				progress(r, len(results), len(all)*len(threads()))
			}
		}
	}
	return results, nil
}

func (r row) measure(threads int, duration time.Duration) Result {
	m := limits.Measure(threads, duration, r.work, r.limit)
	return Result{r.kernel, r.shape, threads, m.Speed, r.unit, m.Limit, m.Fraction, m.Median}
}

// threads are the numbers of threads to measure on.
func threads() []int {
	if runtime.GOMAXPROCS(0) < 2 {
		return []int{1}
	}
	return []int{1, 2}
}
