package job

import (
	"io"
	"os"
	"sync"

	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/internal/panics"
)

// The components of a job run inside wrappers: what fails in one of them fails the job, and
// what they get and put is noted.

// watchedTask is a task that is watched.
type watchedTask struct {
	fwk.Task
	run *runner
}

func (t *watchedTask) Configure(ctx fwk.Context) error {
	c, ok := t.Task.(fwk.Configurer)
	if !ok {
		return nil
	}
	return t.run.call(nil, t.Name(), func() error { return c.Configure(ctx) })
}

func (t *watchedTask) StartTask(ctx fwk.Context) error {
	return t.run.call(nil, t.Name(), func() error { return t.Task.StartTask(t.outsideOfEvents(ctx)) })
}

func (t *watchedTask) StopTask(ctx fwk.Context) error {
	return t.run.call(nil, t.Name(), func() error { return t.Task.StopTask(t.outsideOfEvents(ctx)) })
}

// outsideOfEvents returns the context of a task for what is not about events. Its messages
// go to standard error; fwk's go to standard output, and at StopTask they are those of another task.
func (t *watchedTask) outsideOfEvents(ctx fwk.Context) fwk.Context {
	msg := fwk.NewMsgStream(t.Name(), t.run.level, os.Stderr)
	return jobContext{Context: ctx, id: ctx.ID(), store: ctx.Store(), job: t.run.ctx, msg: msg}
}

func (t *watchedTask) Process(ctx fwk.Context) error {
	id := ctx.ID()
	e := t.run.enter(id)
	if e == nil {
		return errStopped
	}
	defer t.run.leave(id, e, true)
	s := &store{Store: ctx.Store(), ev: &t.run.events, event: e, task: t.Name(), producer: true}
	return t.run.call(&e.span, t.Name(), func() error {
		return t.Task.Process(jobContext{Context: ctx, id: id, store: s, job: t.run.ctx})
	})
}

// BatchInput is an input streamer of which an event of fwk can hold several events, a batch.
type BatchInput interface {
	fwk.InputStreamer
	// Limit says, before the streamer is connected, how many events it gives at most.
	Limit(events int64)
	// Given returns the number of events that it has given.
	Given() int64
}

// watchedInput is an input streamer that is watched.
type watchedInput struct {
	fwk.InputStreamer
	batches BatchInput // the same, if it is one
	run     *runner
	name    string
	stream  fwk.Task
	put     map[string]int64 // by port: the last event of fwk in which something was put
	events  int64            // of fwk

	mu        sync.Mutex // held while it works: in a job that has failed it may do so without end
	connected bool
}

func (s *watchedInput) Connect(ports []fwk.Port) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put = make(map[string]int64, len(ports))
	for _, p := range ports {
		s.run.events.input[p.Name] = true
		s.put[p.Name] = -1
	}
	s.connected = true
	return s.run.call(nil, s.name, func() error { return s.InputStreamer.Connect(ports) })
}

// Read reads an event. After a failure anywhere in the job there are no more.
func (s *watchedInput) Read(ctx fwk.Context) error {
	if err := s.run.ctx.Err(); err != nil {
		s.run.fail(err)
	}
	if !s.run.begin() {
		return io.EOF
	}
	defer s.run.working.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	id, in := s.events, &span{first: s.given()}
	st := &inputStore{Store: ctx.Store(), put: s.put, event: id}
	over := false
	err := s.run.call(in, s.name, func() error {
		err := s.InputStreamer.Read(jobContext{Context: ctx, id: id, store: st, job: s.run.ctx})
		if over = err == io.EOF; over {
			return nil
		}
		if err != nil {
			return err
		}
		return st.full()
	})
	if over || err != nil {
		return io.EOF // of the events: what is wrong is known
	}
	s.events++
	in.next = s.given()
	s.run.open(id, *in)
	return nil
}

// given returns the number of events so far.
func (s *watchedInput) given() int64 {
	if s.batches != nil {
		return s.batches.Given()
	}
	return s.events
}

func (s *watchedInput) Disconnect() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.connected {
		return nil
	}
	s.connected = false
	return s.run.call(nil, s.name, s.InputStreamer.Disconnect)
}

func (s *watchedInput) abort() {
	if s.mu.TryLock() {
		s.mu.Unlock()
		_ = s.Disconnect()
	}
}

// watchedOutput is an output stream that is watched. It takes the place of fwk's task, which
// has one channel for the events of all output streams, so that each of several writes
// what comes to another one.
type watchedOutput struct {
	fwk.Task // fwk's, which declares the ports
	streamer fwk.OutputStreamer
	run      *runner
	name     string
	next     int64 // the event whose turn it is, guarded by that of the events

	mu        sync.Mutex // held while it works: in a job that has failed it may do so without end
	connected bool
}

func (s *watchedOutput) Configure(ctx fwk.Context) error {
	return s.run.call(nil, s.name, func() error { return s.Task.(fwk.Configurer).Configure(ctx) })
}

// StartTask and StopTask do nothing: output begins when all tasks have started, and it is
// completed when all of the job has gone well.
func (s *watchedOutput) StartTask(fwk.Context) error { return nil }
func (s *watchedOutput) StopTask(fwk.Context) error  { return nil }

func (s *watchedOutput) connect() error {
	ports, err := property[[]fwk.Port](s.run.app, s.Task, "Ports")
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connected = true
	return s.run.call(nil, s.name, func() error { return s.streamer.Connect(ports) })
}

// Process writes an event when its turn has come.
func (s *watchedOutput) Process(ctx fwk.Context) error {
	id := ctx.ID()
	e := s.run.enter(id)
	if e == nil {
		return errStopped
	}
	defer s.run.leave(id, e, false)
	if err := s.run.await(&s.next, id); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.connected {
		return errStopped
	}
	st := &store{Store: ctx.Store(), ev: &s.run.events, event: e, task: s.name}
	err := s.run.call(&e.span, s.name, func() error {
		return s.streamer.Write(jobContext{Context: ctx, id: id, store: st, job: s.run.ctx})
	})
	if err == nil {
		s.run.advance(&s.next)
	}
	return err
}

func (s *watchedOutput) commit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connected = false
	return s.run.call(nil, s.name, s.streamer.Disconnect)
}

func (s *watchedOutput) abort() {
	if !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	if !s.connected {
		return
	}
	s.connected = false
	_ = panics.Guard(func() error {
		if a, ok := s.streamer.(interface{ Abort() }); ok {
			a.Abort()
			return nil
		}
		return s.streamer.Disconnect()
	})
}
