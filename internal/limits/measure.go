package limits

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Result is what [Measure] has seen. Speeds are in units of work per
// nanosecond: 10⁹ units per second.
type Result struct {
	Speed    float64 // of the kernel, in its best window
	Limit    float64 // of the limit, in its best window
	Fraction float64 // Speed/Limit
	Median   float64 // of the ratios of the two speeds, window by window
}

const (
	window     = 500 * time.Microsecond // at least
	minWindows = 10
)

// Measure runs a kernel and a limit in turn for about the given time, each on
// so many threads at once. Every thread has a Work of its own, made by kernel
// and limit. The speed of several threads is the sum of their work over the
// time that the slowest took. Without a limit, the zero Work, all but Speed is 0.
func Measure(threads int, duration time.Duration, kernel, limit func() Work) Result {
	began := time.Now()
	k, l := newTeam(threads, kernel), newTeam(threads, limit)
	var r Result
	var ratios []float64
	for len(ratios) < minWindows || time.Since(began) < duration {
		speed, most := k.speed(), l.speed()
		r.Speed, r.Limit = max(r.Speed, speed), max(r.Limit, most)
		if most > 0 {
			speed /= most
		}
		ratios = append(ratios, speed)
	}
	if r.Limit > 0 {
		slices.Sort(ratios)
		r.Fraction, r.Median = r.Speed/r.Limit, ratios[len(ratios)/2]
	}
	return r
}

// Dense is [Measure] for one thread and a kernel that does so many
// floating-point operations in a call, against [FMA], in GFLOP/s.
func Dense(flops float64, kernel func()) (speed, limit float64) {
	r := Measure(1, 50*time.Millisecond,
		func() Work { return Work{Amount: flops, Run: kernel} },
		func() Work { return FMA(1) })
	return r.Speed, r.Limit
}

// team is threads that do the same work side by side, in calls that fill a window.
type team struct {
	works []Work
	calls int
}

func newTeam(threads int, work func() Work) team {
	t := team{calls: 1}
	for range threads {
		t.works = append(t.works, work())
	}
	if t.works[0].Run != nil {
		t.window()
		shortest := min(t.window(), t.window(), t.window())
		t.calls += int(window / max(shortest, 1))
	}
	return t
}

// speed is that of all threads together in one window.
func (t team) speed() float64 {
	if t.works[0].Run == nil {
		return 0
	}
	return float64(len(t.works)*t.calls) * t.works[0].Amount / float64(t.window().Nanoseconds())
}

// window lets all threads begin at the same time and returns how long the
// slowest took. A call before that brings the data back into the caches.
func (t team) window() time.Duration {
	var (
		ready   atomic.Int32
		done    sync.WaitGroup
		elapsed = make([]time.Duration, len(t.works))
	)
	for i, w := range t.works {
		done.Go(func() {
			w.Run()
			for ready.Add(1); int(ready.Load()) < len(t.works); {
				runtime.Gosched()
			}
			start := time.Now()
			for range t.calls {
				w.Run()
			}
			elapsed[i] = time.Since(start)
		})
	}
	done.Wait()
	return max(1, slices.Max(elapsed))
}
