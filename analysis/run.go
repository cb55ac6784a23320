package analysis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"go-hep.org/x/hep/fwk"
	"go-hep.org/x/hep/fwk/fsm"

	"github.com/eidolon-hep/eidolon/internal/panics"
)

// Run runs the application from Configure to Shutdown, as its Run method does, and
// sees to it that the job ends well whatever happens:
//
//   - The first error of any component ends the job: no further event is read, and
//     Run returns that error, with the number of the event and the name of the
//     component. So does a panic, and the end of ctx. Components that still work on an
//     event then are waited for a second.
//   - A job that could only hang is an error: a port on which nothing was put, a
//     second Put, a Put on a port that was not declared, a job without tasks.
//   - There may be any number of output streams. Each gets all events, one at a time and
//     in order, for any NProcs; fwk's own mix up the events of several.
//   - Before anything is read or written, all files of output are checked: that they can
//     be written, and that no file is lost by them, such as one that is read.
//   - Output is completed when everything else has gone well, including the end of all
//     tasks: after an error, streamers with a method Abort() are aborted, others are
//     disconnected.
//   - fwk syncs standard output after each task of each event: where that is a file, it
//     gets a pipe instead.
//
// Ports without a type, in the property Ports of a component of this package or of a
// stream, get that of the component that puts them, where it is one of ours. Tasks get
// and put in the goroutine that calls Process. An application runs once.
func Run(ctx context.Context, app fwk.App) error {
	defer unsynced()()
	return newRunner(ctx, app).run()
}

// The names of fwk's own components.
const (
	inputStream  = "go-hep.org/x/hep/fwk.InputStream"
	outputStream = "go-hep.org/x/hep/fwk.OutputStream"
)

// What a job may ask for.
const (
	mostEvents  int64 = 1_000_000_000_000 // that a tree of ROOT can hold
	mostAtATime       = 1024              // events in flight
	mostInBatch       = 1 << elementBits  // rows that can be numbered
)

// runner is a running application.
type runner struct {
	events
	ctx     context.Context
	app     fwk.App
	file    string    // of the job, if it is in one
	level   fwk.Level // of messages
	input   *input
	outputs []*output
}

func newRunner(ctx context.Context, app fwk.App) *runner {
	r := &runner{ctx: ctx, app: app}
	r.events.init()
	return r
}

// run runs the job and ends it well.
func (r *runner) run() error {
	defer context.AfterFunc(r.ctx, func() { r.fail(r.ctx.Err()) })()
	err := panics.Guard(r.prepare)
	if err == nil {
		err = r.steps()
	}
	if first := r.failed(); first != nil {
		err = first
	}
	if err != nil {
		r.abort()
		return lined(err)
	}
	return nil
}

// count returns the number of events that were read.
func (r *runner) count() int64 {
	if r.input == nil {
		return 0
	}
	return r.input.events
}

// prepare checks the application and puts ourselves between fwk and its components.
func (r *runner) prepare() error {
	if state := r.app.FSMState(); state != fsm.Undefined {
		return fmt.Errorf("analysis: the application is %v: it cannot be run again", state)
	}
	n, err := property[int64](r.app, r.app, "EvtMax")
	if err != nil {
		return err
	}
	if r.level, err = property[fwk.Level](r.app, r.app, "MsgLevel"); err != nil {
		return err
	}
	procs, err := property[int](r.app, r.app, "NProcs")
	switch {
	case err != nil:
		return err
	case n < -1 || n > mostEvents:
		return fmt.Errorf("analysis: EvtMax is %d: it must be a number of events, %d at most, or -1 for all", n, mostEvents)
	case procs > mostAtATime:
		return fmt.Errorf("analysis: NProcs is %d: at most %d events can be processed at the same time", procs, mostAtATime)
	}
	var inputs []string
	for _, t := range r.app.Tasks() {
		if _, ok := t.(*fwk.InputStream); ok {
			inputs = append(inputs, t.Name())
		}
	}
	switch {
	case len(inputs) > 1:
		return fmt.Errorf("analysis: there are %d input streams (%s): a job can have one", len(inputs), strings.Join(inputs, ", "))
	case len(inputs) == 0 && n < 0:
		return errors.New("analysis: there is no input stream: say how many events to make (EvtMax)")
	case len(r.app.Tasks()) == len(inputs):
		return errors.New("analysis: there is nothing to do: the job has no task")
	case len(inputs) == 0:
		if err := r.addPump(); err != nil {
			return err
		}
	}
	for _, step := range []func() error{r.wrap, r.checkFiles, r.resolve, r.tellOrigin} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// addPump adds an input stream of empty events.
func (r *runner) addPump() error {
	c, err := r.app.New(inputStream, "events")
	if err != nil {
		return fmt.Errorf("analysis: %w", err)
	}
	return r.app.SetProp(c, "Streamer", fwk.InputStreamer(pump{}))
}

type pump struct{}

func (pump) Connect([]fwk.Port) error { return nil }
func (pump) Read(fwk.Context) error   { return nil }
func (pump) Disconnect() error        { return nil }

// wrap replaces all tasks and streamers by ones that we watch.
func (r *runner) wrap() error {
	tasks := slices.Clone(r.app.Tasks())
	for _, t := range tasks {
		if err := r.app.DelTask(t); err != nil {
			return fmt.Errorf("analysis: %w", err)
		}
	}
	for _, t := range tasks {
		watched := t
		switch t.(type) {
		case *fwk.InputStream:
			s, err := property[fwk.InputStreamer](r.app, t, "Streamer")
			if err != nil {
				return err
			}
			r.input = &input{InputStreamer: s, run: r, name: streamName(t), stream: t}
			if err := r.app.SetProp(t, "Streamer", fwk.InputStreamer(r.input)); err != nil {
				return fmt.Errorf("analysis: %w", err)
			}
		case *fwk.OutputStream:
			s, err := property[fwk.OutputStreamer](r.app, t, "Streamer")
			if err != nil {
				return err
			}
			o := &output{Task: t, streamer: s, run: r, name: streamName(t)}
			watched, r.outputs = o, append(r.outputs, o)
			r.tasks++
		default:
			watched = &task{Task: t, run: r}
			r.tasks++
			r.producers++
		}
		if err := r.app.AddTask(watched); err != nil {
			return fmt.Errorf("analysis: %w", err)
		}
	}
	return nil
}

// property returns a property of a component, which has to be there.
func property[T any](app fwk.App, c fwk.Component, name string) (T, error) {
	v, err := app.GetProp(c, name)
	if err != nil {
		return *new(T), fmt.Errorf("analysis: %w", err)
	}
	value, ok := v.(T)
	if !ok {
		return value, fmt.Errorf("analysis: %q has no %s", c.Name(), name)
	}
	return value, nil
}

// steps takes the application from Configure to Shutdown.
func (r *runner) steps() error {
	s := r.app.Scripter()
	for _, step := range []func() error{s.Configure, s.Start, r.connect, func() error { return r.loop(s) }, s.Stop, r.commit, s.Shutdown} {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		err := panics.Guard(step)
		if errors.Is(err, io.EOF) && r.failed() == nil {
			err = nil // so fwk tells the end of the input of a sequential job
		}
		if err != nil {
			return err
		}
		if err := r.failed(); err != nil {
			return err
		}
	}
	return nil
}

// patience is how long components may still work after the job has failed.
const patience = time.Second

// loop runs the loop over events. It ends soon after the job has failed, even when a
// component does not, such as one that waits for another that has panicked.
func (r *runner) loop(s fwk.Scripter) error {
	procs := runtime.GOMAXPROCS(0) // fwk changes it
	ended := make(chan error, 1)
	go func() {
		err := panics.Guard(func() error { return s.Run(-1) })
		if err != nil && !errors.Is(err, io.EOF) {
			r.fail(err)
		}
		r.working.Wait() // fwk does not wait for the other tasks of an event in which one has failed
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case <-r.stopped:
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(patience):
		runtime.GOMAXPROCS(procs)
		return r.failed()
	}
}

// connect starts the output.
func (r *runner) connect() error {
	for _, o := range r.outputs {
		if err := o.connect(); err != nil {
			return err
		}
	}
	return nil
}

// commit completes the output.
func (r *runner) commit() error {
	for _, o := range r.outputs {
		if err := o.commit(); err != nil {
			return err
		}
	}
	return nil
}

// abort ends all streams of a job that has failed.
func (r *runner) abort() {
	if r.input != nil {
		r.input.abort()
	}
	for _, o := range r.outputs {
		o.abort()
	}
}

// noEvent is the number of no event.
const noEvent = -1

// call runs a part of a component, in an event or in none. What fails there, fails the job: an
// error, a panic, and the end of the goroutine.
func (r *runner) call(event int64, name string, f func() error) (err error) {
	returned := false
	defer func() {
		if p := recover(); p != nil {
			err = panics.New(p)
		} else if !returned {
			err = errors.New("it has ended its goroutine")
		}
		if err == nil {
			return
		}
		where := ""
		if event != noEvent {
			where = fmt.Sprintf("event %d: ", event)
		}
		err = fmt.Errorf("analysis: %s%q: %w", where, name, err)
		r.fail(err)
	}()
	err = f()
	returned = true
	return err
}

// task is a task that is watched.
type task struct {
	fwk.Task
	run *runner
}

func (t *task) Configure(ctx fwk.Context) error {
	c, ok := t.Task.(fwk.Configurer)
	if !ok {
		return nil
	}
	return t.run.call(noEvent, t.Name(), func() error { return c.Configure(ctx) })
}

func (t *task) StartTask(ctx fwk.Context) error {
	return t.run.call(noEvent, t.Name(), func() error { return t.Task.StartTask(t.outsideOfEvents(ctx)) })
}

func (t *task) StopTask(ctx fwk.Context) error {
	return t.run.call(noEvent, t.Name(), func() error { return t.Task.StopTask(t.outsideOfEvents(ctx)) })
}

// outsideOfEvents returns the context of a task for what is not about events. Its messages
// go to standard error; fwk's go to standard output, and at StopTask they are those of another task.
func (t *task) outsideOfEvents(ctx fwk.Context) fwk.Context {
	msg := fwk.NewMsgStream(t.Name(), t.run.level, os.Stderr)
	return jobContext{Context: ctx, id: ctx.ID(), store: ctx.Store(), job: t.run.ctx, msg: msg}
}

func (t *task) Process(ctx fwk.Context) error {
	id := ctx.ID()
	e := t.run.enter(id)
	if e == nil {
		return errStopped
	}
	defer t.run.leave(id, e, true)
	s := &store{Store: ctx.Store(), ev: &t.run.events, event: e, id: id, task: t.Name(), producer: true}
	return t.run.call(id, t.Name(), func() error {
		return t.Task.Process(jobContext{Context: ctx, id: id, store: s, job: t.run.ctx})
	})
}

// input is an input streamer that is watched.
type input struct {
	fwk.InputStreamer
	run    *runner
	name   string
	stream fwk.Task
	put    map[string]int64 // by port: the last event in which something was put
	events int64

	mu        sync.Mutex // held while it works: in a job that has failed it may do so without end
	connected bool
}

func (s *input) Connect(ports []fwk.Port) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put = make(map[string]int64, len(ports))
	for _, p := range ports {
		s.run.events.input[p.Name] = true
		s.put[p.Name] = -1
	}
	s.connected = true
	return s.run.call(noEvent, s.name, func() error { return s.InputStreamer.Connect(ports) })
}

// Read reads an event. After a failure anywhere in the job there are no more.
func (s *input) Read(ctx fwk.Context) error {
	if err := s.run.ctx.Err(); err != nil {
		s.run.fail(err)
	}
	if !s.run.begin() {
		return io.EOF
	}
	defer s.run.working.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.events
	st := &inputStore{Store: ctx.Store(), put: s.put, event: id}
	over := false
	err := s.run.call(id, s.name, func() error {
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
	return nil
}

func (s *input) Disconnect() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.connected {
		return nil
	}
	s.connected = false
	return s.run.call(noEvent, s.name, s.InputStreamer.Disconnect)
}

func (s *input) abort() {
	if s.mu.TryLock() {
		s.mu.Unlock()
		_ = s.Disconnect()
	}
}

// output is an output stream that is watched. It takes the place of fwk's task, which
// has one channel for the events of all output streams, so that each of several writes
// what comes to another one.
type output struct {
	fwk.Task // fwk's, which declares the ports
	streamer fwk.OutputStreamer
	run      *runner
	name     string
	next     int64 // the event whose turn it is, guarded by that of the events

	mu        sync.Mutex // held while it works: in a job that has failed it may do so without end
	connected bool
}

func (s *output) Configure(ctx fwk.Context) error {
	return s.run.call(noEvent, s.name, func() error { return s.Task.(fwk.Configurer).Configure(ctx) })
}

// StartTask and StopTask do nothing: output begins when all tasks have started, and it is
// completed when all of the job has gone well.
func (s *output) StartTask(fwk.Context) error { return nil }
func (s *output) StopTask(fwk.Context) error  { return nil }

func (s *output) connect() error {
	ports, err := property[[]fwk.Port](s.run.app, s.Task, "Ports")
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connected = true
	return s.run.call(noEvent, s.name, func() error { return s.streamer.Connect(ports) })
}

// Process writes an event when its turn has come.
func (s *output) Process(ctx fwk.Context) error {
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
	st := &store{Store: ctx.Store(), ev: &s.run.events, event: e, id: id, task: s.name}
	err := s.run.call(id, s.name, func() error {
		return s.streamer.Write(jobContext{Context: ctx, id: id, store: st, job: s.run.ctx})
	})
	if err == nil {
		s.run.advance(&s.next)
	}
	return err
}

func (s *output) commit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connected = false
	return s.run.call(noEvent, s.name, s.streamer.Disconnect)
}

func (s *output) abort() {
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

// unsynced puts a pipe between fwk and a standard output that is a file, and returns
// what takes it away.
func unsynced() (restore func()) {
	file := os.Stdout
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return func() {}
	}
	r, w, err := os.Pipe()
	if err != nil {
		return func() {}
	}
	os.Stdout = w
	copied := make(chan struct{})
	go func() {
		_, _ = io.Copy(file, r)
		close(copied)
	}()
	return func() {
		os.Stdout = file
		_ = w.Close()
		<-copied
		_ = r.Close()
	}
}

// lined returns an error in one line: some of fwk's have several.
func lined(err error) error {
	if !strings.Contains(err.Error(), "\n") {
		return err
	}
	return oneLine{err}
}

type oneLine struct{ error }

func (e oneLine) Error() string {
	return strings.Join(strings.FieldsFunc(e.error.Error(), func(r rune) bool { return r == '\n' }), ";")
}

func (e oneLine) Unwrap() error { return e.error }
