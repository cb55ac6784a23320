package job

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go-hep.org/x/hep/fwk"
)

// events keeps the books of the events in flight: which ports hold a value, which
// tasks have returned, and which wait for a value. fwk's own store waits without
// end for a value that nobody puts, for the second Put on a port, and for a Put on a
// port that does not exist; here these are errors.
type events struct {
	producers, tasks int             // tasks that can put something; all tasks but the input stream
	input            map[string]bool // the ports of the input stream

	working sync.WaitGroup // the components that work on events
	stopped chan struct{}  // closed by the failure

	mu      sync.Mutex
	flying  map[int64]*event
	turn    *sync.Cond // of an event at an output
	failure error      // the first one of the job
}

func (ev *events) init() {
	ev.input, ev.flying, ev.stopped = map[string]bool{}, map[int64]*event{}, make(chan struct{})
	ev.turn = sync.NewCond(&ev.mu)
}

// span are the events that an event of fwk holds, from first to before next: one, or a batch.
type span struct{ first, next int64 }

// String is what errors call them.
func (s span) String() string {
	if s.next-s.first > 1 {
		return fmt.Sprintf("events %d to %d", s.first, s.next-1)
	}
	return fmt.Sprintf("event %d", s.first)
}

// event is what is known of one event of fwk.
type event struct {
	span
	left    int                // tasks that have not returned
	idle    int                // producers that have returned or wait
	put     map[string]bool    // ports that hold a value
	waiting map[string]*waiter // for ports
	wake    *sync.Cond
}

// waiter stands for the tasks that wait for a port.
type waiter struct {
	producers int
	task      string // one of them
}

// errStopped is what a task gets after the job has failed elsewhere.
var errStopped = errors.New("the job has failed")

// fail notes the first failure of the job and wakes all that wait.
func (ev *events) fail(err error) {
	ev.mu.Lock()
	defer ev.mu.Unlock()
	ev.failLocked(err)
}

func (ev *events) failLocked(err error) {
	if ev.failure != nil {
		if errors.Is(err, ev.failure) { // it tells more about it
			ev.failure = err
		}
		return
	}
	ev.failure = err
	close(ev.stopped)
	ev.turn.Broadcast()
	for _, e := range ev.flying {
		e.wake.Broadcast()
	}
}

// failed returns the first failure of the job, if any.
func (ev *events) failed() error {
	ev.mu.Lock()
	defer ev.mu.Unlock()
	return ev.failure
}

// begin reports whether there is more to do. The caller is working then, until it says
// that it is done.
func (ev *events) begin() bool {
	ev.mu.Lock()
	defer ev.mu.Unlock()
	return ev.beginLocked()
}

func (ev *events) beginLocked() bool {
	if ev.failure != nil {
		return false
	}
	ev.working.Add(1) // before the failure, after which these are waited for
	return true
}

// await waits for the turn of an event at an output.
func (ev *events) await(next *int64, id int64) error {
	ev.mu.Lock()
	defer ev.mu.Unlock()
	for ev.failure == nil && *next != id {
		ev.turn.Wait()
	}
	if ev.failure != nil {
		return errStopped
	}
	return nil
}

// advance gives the turn at an output to the next event.
func (ev *events) advance(next *int64) {
	ev.mu.Lock()
	defer ev.mu.Unlock()
	*next++
	ev.turn.Broadcast()
}

// open begins an event of fwk, which holds some events.
func (ev *events) open(id int64, of span) {
	ev.mu.Lock()
	defer ev.mu.Unlock()
	ev.flying[id] = &event{span: of, left: ev.tasks, put: map[string]bool{}, waiting: map[string]*waiter{}, wake: sync.NewCond(&ev.mu)}
}

// enter begins a task of an event; nil means that the job has failed.
func (ev *events) enter(id int64) *event {
	ev.mu.Lock()
	defer ev.mu.Unlock()
	if !ev.beginLocked() {
		return nil
	}
	return ev.flying[id]
}

// leave ends a task of an event.
func (ev *events) leave(id int64, e *event, producer bool) {
	defer ev.working.Done()
	ev.mu.Lock()
	defer ev.mu.Unlock()
	if e.left--; e.left == 0 {
		delete(ev.flying, id)
	}
	if producer {
		e.idle++
	}
	ev.checkStuck(e)
}

// checkStuck fails if a task waits for a port and no other can put anything.
func (ev *events) checkStuck(e *event) {
	if e.idle < ev.producers {
		return
	}
	for port, w := range e.waiting {
		ev.failLocked(fmt.Errorf("job: %v: %q waits for port %q, on which nothing was put: the task that declares it has returned, or waits itself", e.span, w.task, port))
	}
}

// store is fwk's store of an event as one task sees it, with books kept.
type store struct {
	fwk.Store
	ev       *events
	event    *event
	task     string
	producer bool
}

// Get returns the value of a port. It waits until there is one.
func (s *store) Get(port string) (any, error) {
	if err := s.await(port); err != nil {
		return nil, err
	}
	return s.Store.Get(port)
}

func (s *store) await(port string) error {
	ev, e := s.ev, s.event
	ev.mu.Lock()
	defer ev.mu.Unlock()
	if ev.failure == nil && !s.Has(port) {
		return fmt.Errorf("port %q was not declared", port)
	}
	if !ev.input[port] && !e.put[port] {
		w := e.waiting[port]
		if w == nil {
			w = &waiter{task: s.task}
			e.waiting[port] = w
		}
		if s.producer {
			w.producers++
			e.idle++
		}
		ev.checkStuck(e)
	}
	for ev.failure == nil && !ev.input[port] && !e.put[port] {
		e.wake.Wait()
	}
	if ev.failure != nil {
		return errStopped
	}
	return nil
}

// Put gives a port its value, once per event.
func (s *store) Put(port string, value any) error {
	ev, e := s.ev, s.event
	ev.mu.Lock()
	defer ev.mu.Unlock()
	switch {
	case ev.failure != nil:
		return errStopped
	case !s.Has(port):
		return fmt.Errorf("a value is put on port %q, which was not declared", port)
	case ev.input[port] || e.put[port]:
		return fmt.Errorf("a second value is put on port %q", port)
	}
	if err := s.Store.Put(port, value); err != nil {
		return err
	}
	e.put[port] = true
	if w := e.waiting[port]; w != nil {
		e.idle -= w.producers
		delete(e.waiting, port)
	}
	e.wake.Broadcast()
	return nil
}

// inputStore is fwk's store of an event as the input streamer sees it.
type inputStore struct {
	fwk.Store
	event int64
	count int
	put   map[string]int64 // by port of the stream: the last event in which something was put
}

func (s *inputStore) Put(port string, value any) error {
	last, ok := s.put[port]
	switch {
	case !ok:
		return fmt.Errorf("a value is put on port %q, which is none of the stream's", port)
	case last == s.event:
		return fmt.Errorf("a second value is put on port %q", port)
	}
	s.put[port] = s.event
	s.count++
	return s.Store.Put(port, value)
}

// full reports whether something was put on all ports.
func (s *inputStore) full() error {
	if s.count == len(s.put) {
		return nil
	}
	for port, last := range s.put {
		if last != s.event {
			return fmt.Errorf("nothing was put on port %q", port)
		}
	}
	return nil
}

// jobContext is fwk's context with our store in it, and with the context of the job.
type jobContext struct {
	fwk.Context
	id    int64
	store fwk.Store
	job   context.Context
	msg   fwk.MsgStream // nil: fwk's
}

func (c jobContext) ID() int64        { return c.id }
func (c jobContext) Store() fwk.Store { return c.store }

func (c jobContext) Msg() fwk.MsgStream {
	if c.msg != nil {
		return c.msg
	}
	return c.Context.Msg()
}

// Context returns the context of the job, which is cancelled when it is interrupted.
func Context(ctx fwk.Context) context.Context {
	if c, ok := ctx.(jobContext); ok {
		return c.job
	}
	return context.Background()
}
