package nn

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// pool runs numbered pieces of work on all processors. What a piece computes
// may depend on its number only, never on the goroutine that takes it: that is
// how results come out the same for any GOMAXPROCS.
type pool struct {
	task  func(i int)
	n     int64
	next  atomic.Int64
	start []chan struct{}
	done  sync.WaitGroup
}

func newPool() *pool {
	p := &pool{start: make([]chan struct{}, runtime.GOMAXPROCS(0)-1)}
	for i := range p.start {
		c := make(chan struct{})
		p.start[i] = c
		go func() {
			for range c {
				p.work()
				p.done.Done()
			}
		}()
	}
	return p
}

// run calls task(0) … task(n−1), each once, and returns when all are done.
func (p *pool) run(n int, task func(i int)) {
	p.task, p.n = task, int64(n)
	p.next.Store(0)
	p.done.Add(len(p.start))
	for _, c := range p.start {
		c <- struct{}{}
	}
	p.work()
	p.done.Wait()
}

func (p *pool) work() {
	for {
		i := p.next.Add(1) - 1
		if i >= p.n {
			return
		}
		p.task(int(i))
	}
}

// close ends the goroutines.
func (p *pool) close() {
	for _, c := range p.start {
		close(c)
	}
}

// Parallel calls task for consecutive ranges [lo, hi) that cover n rows, on all
// processors; a range never has more than size rows. What task computes for a
// row must not depend on the range that it comes in.
func Parallel(n, size int, task func(lo, hi int)) {
	tiles := (n + size - 1) / size
	if tiles <= 1 {
		if n > 0 {
			task(0, n)
		}
		return
	}
	p := newPool()
	defer p.close()
	p.run(tiles, func(i int) { task(i*size, min((i+1)*size, n)) })
}
