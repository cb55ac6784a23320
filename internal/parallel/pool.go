// Package parallel runs numbered pieces of work on all processors, with results that do not
// depend on how many there are.
package parallel

import (
	"context"
	"runtime"
	"sync/atomic"

	"github.com/eidolon-hep/eidolon/internal/panics"
)

// Pool runs numbered pieces of work on all processors. What a piece computes
// may depend on its number only, never on the goroutine that takes it: that is
// how results come out the same for any GOMAXPROCS.
//
// Pieces are taken one by one, so that a processor that others use, too, gets
// fewer of them, and nobody waits for a goroutine that has taken none. Steps of a
// training come one after the other within microseconds, in which to sleep and
// to be woken would take longer than to wait: a goroutine sleeps only when there
// has been nothing to do for a while.
type Pool struct {
	task    func(i int)
	left    atomic.Int64 // pieces that nobody has taken; below 0 when there were none for some
	pending atomic.Int64 // pieces that are not done
	closed  atomic.Bool
	panics  panics.Net // of the pieces
	helpers []*sleeper
	caller  *sleeper
}

// NewPool starts a goroutine for each further processor. Close ends them.
func NewPool() *Pool {
	p := &Pool{helpers: make([]*sleeper, runtime.GOMAXPROCS(0)-1), caller: newSleeper()}
	for i := range p.helpers {
		s := newSleeper()
		p.helpers[i] = s
		go func() {
			for !p.closed.Load() {
				p.work()
				s.wait(func() bool { return p.left.Load() > 0 || p.closed.Load() })
			}
		}()
	}
	return p
}

// Run calls task(0) … task(n−1), each once, and returns when all are done. A panic of
// one is one of Run.
func (p *Pool) Run(n int, task func(i int)) {
	p.task = task
	p.pending.Store(int64(n))
	p.left.Store(int64(n))
	for _, s := range p.helpers[:min(len(p.helpers), max(n-1, 0))] {
		s.wake()
	}
	p.work()
	p.caller.wait(func() bool { return p.pending.Load() == 0 })
	p.panics.Throw()
}

// work does pieces until there is none left to take. Whoever has taken one may
// read the task: Run does not return, and no other begins, before it is done.
func (p *Pool) work() {
	for {
		i := p.left.Add(-1)
		if i < 0 {
			return
		}
		p.panics.Do(func() { p.task(int(i)) })
		if p.pending.Add(-1) == 0 {
			p.caller.wake()
		}
	}
}

// Close ends the goroutines.
func (p *Pool) Close() {
	p.closed.Store(true)
	for _, s := range p.helpers {
		s.wake()
	}
}

// sleeper is a goroutine that waits for a condition.
type sleeper struct {
	asleep atomic.Bool
	alarm  chan struct{}
}

func newSleeper() *sleeper { return &sleeper{alarm: make(chan struct{}, 1)} }

// wait returns when the condition holds. Whoever makes it hold calls wake.
func (s *sleeper) wait(holds func() bool) {
	// About a tenth of a millisecond, which is what waking takes on a virtual
	// machine. Now and then other goroutines of this processor get their turn.
	const looks, turn = 1 << 16, 1 << 12
	for i := range looks {
		if holds() {
			return
		}
		if i%turn == turn-1 {
			runtime.Gosched()
		}
	}
	for !holds() {
		s.asleep.Store(true)
		if holds() && s.asleep.CompareAndSwap(true, false) {
			return
		}
		<-s.alarm
	}
}

// wake ends the sleep, if there is one.
func (s *sleeper) wake() {
	if s.asleep.Load() && s.asleep.CompareAndSwap(true, false) {
		s.alarm <- struct{}{}
	}
}

// Ranges calls task for consecutive ranges [lo, hi) that cover n rows, on all
// processors; a range never has more than size rows. What task computes for a
// row must not depend on the range that it comes in.
func Ranges(n, size int, task func(lo, hi int)) {
	RangesContext(context.Background(), n, size, task)
}

// RangesContext is [Ranges] until ctx is cancelled: ranges that are not begun then
// are left out. Whoever calls it looks at ctx afterwards.
func RangesContext(ctx context.Context, n, size int, task func(lo, hi int)) {
	// Few rows are cut in smaller ranges, so that all processors get some of them.
	const pieces = 4 // for each
	const grain = 64 // ranges are multiples of it: networks work on so many rows at a time
	if procs := runtime.GOMAXPROCS(0); procs > 1 {
		size = min(size, (n/(pieces*procs)+grain)/grain*grain)
	}
	tiles := (n + size - 1) / size
	if tiles <= 1 {
		if n > 0 && ctx.Err() == nil {
			task(0, n)
		}
		return
	}
	p := NewPool()
	defer p.Close()
	p.Run(tiles, func(i int) {
		if ctx.Err() == nil {
			task(i*size, min((i+1)*size, n))
		}
	})
}
