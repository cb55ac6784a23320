package analysis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"go-hep.org/x/hep/fwk"
	"go-hep.org/x/hep/fwk/fsm"
)

// Run runs the application from Configure to Shutdown, as its Run method does, and
// sees to it that the job ends well whatever happens:
//
//   - The first error of any component ends the job: no further event is read, and
//     Run returns that error, with the number of the event and the name of the
//     component. So does a panic, and the end of ctx.
//   - A job that could only hang is an error: a port on which nothing was put, a
//     second Put, a Put on a port that was not declared, a job without tasks.
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

// runner is a running application.
type runner struct {
	events
	ctx     context.Context
	app     fwk.App
	level   fwk.Level // of messages
	input   *input
	outputs []*output
}

func newRunner(ctx context.Context, app fwk.App) *runner {
	return &runner{ctx: ctx, app: app, events: events{flying: map[int64]*event{}, input: map[string]bool{}}}
}

// run runs the job and ends it well.
func (r *runner) run() error {
	err := r.prepare()
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
	if n < -1 {
		return fmt.Errorf("analysis: EvtMax is %d: it must be a number of events, or -1 for all", n)
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
	if err := r.wrap(); err != nil {
		return err
	}
	return r.resolve()
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
			o := &output{OutputStreamer: s, run: r, name: streamName(t), stream: t}
			if err := r.app.SetProp(t, "Streamer", fwk.OutputStreamer(o)); err != nil {
				return fmt.Errorf("analysis: %w", err)
			}
			r.outputs = append(r.outputs, o)
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
	for _, step := range []func() error{s.Configure, s.Start, func() error { return s.Run(-1) }, s.Stop, r.commit, s.Shutdown} {
		err := guard("the job", step)
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
		_ = r.input.Disconnect()
	}
	for _, o := range r.outputs {
		o.abort()
	}
}

// guard runs a part of a component and makes an error of a panic.
func guard(name string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("analysis: panic in %s: %v", name, p)
		}
	}()
	return f()
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
	return t.do(func() error { return c.Configure(ctx) })
}

func (t *task) StartTask(ctx fwk.Context) error {
	ctx = jobContext{Context: ctx, id: ctx.ID(), store: ctx.Store(), job: t.run.ctx}
	return t.do(func() error { return t.Task.StartTask(ctx) })
}

func (t *task) StopTask(ctx fwk.Context) error {
	// fwk gives it the messages of another task when there is an input stream.
	msg := fwk.NewMsgStream(t.Name(), t.run.level, nil)
	ctx = jobContext{Context: ctx, id: ctx.ID(), store: ctx.Store(), job: t.run.ctx, msg: msg}
	return t.do(func() error { return t.Task.StopTask(ctx) })
}

// do runs a part of the task that is outside of the loop over events.
func (t *task) do(f func() error) error {
	err := guard(t.Name(), f)
	if err != nil {
		err = fmt.Errorf("analysis: %q: %w", t.Name(), err)
		t.run.fail(err)
	}
	return err
}

func (t *task) Process(ctx fwk.Context) error {
	id := ctx.ID()
	e := t.run.enter(id)
	if e == nil {
		return errStopped
	}
	s := &store{Store: ctx.Store(), ev: &t.run.events, event: e, id: id, task: t.Name(), producer: true}
	err := guard(t.Name(), func() error {
		return t.Task.Process(jobContext{Context: ctx, id: id, store: s, job: t.run.ctx})
	})
	if err != nil {
		err = fmt.Errorf("analysis: event %d: %q: %w", id, t.Name(), err)
		t.run.fail(err)
	}
	t.run.leave(id, e, true)
	return err
}

// input is an input streamer that is watched.
type input struct {
	fwk.InputStreamer
	run       *runner
	name      string
	stream    fwk.Task
	connected bool
	events    int64
	put       map[string]int64 // by port: the last event in which something was put
}

func (s *input) Connect(ports []fwk.Port) error {
	s.put = make(map[string]int64, len(ports))
	for _, p := range ports {
		s.run.events.input[p.Name] = true
		s.put[p.Name] = -1
	}
	s.connected = true
	return s.do("", func() error { return s.InputStreamer.Connect(ports) })
}

// Read reads an event. After a failure anywhere in the job there are no more.
func (s *input) Read(ctx fwk.Context) error {
	if err := s.run.ctx.Err(); err != nil {
		s.run.fail(err)
	}
	if s.run.failed() != nil {
		return io.EOF
	}
	id := s.events
	st := &inputStore{Store: ctx.Store(), put: s.put, event: id}
	err := s.do(fmt.Sprintf("event %d: ", id), func() error {
		err := s.InputStreamer.Read(jobContext{Context: ctx, id: id, store: st, job: s.run.ctx})
		if err != nil {
			return err
		}
		return st.full()
	})
	if err != nil {
		return io.EOF // of the events: what is wrong is known
	}
	s.events++
	return nil
}

func (s *input) Disconnect() error {
	if !s.connected {
		return nil
	}
	s.connected = false
	return s.do("", s.InputStreamer.Disconnect)
}

// do runs a part of the streamer.
func (s *input) do(where string, f func() error) error {
	err := guard(s.name, f)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("analysis: %s%q: %w", where, s.name, err)
		s.run.fail(err)
	}
	return err
}

// output is an output streamer that is watched.
type output struct {
	fwk.OutputStreamer
	run    *runner
	name   string
	stream fwk.Task

	mu        sync.Mutex // a failed job may end while an event is written
	connected bool
}

func (s *output) Connect(ports []fwk.Port) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connected = true
	return s.do("", func() error { return s.OutputStreamer.Connect(ports) })
}

func (s *output) Write(ctx fwk.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := ctx.ID()
	e := s.run.enter(id)
	if e == nil || !s.connected {
		return errStopped
	}
	defer s.run.leave(id, e, false)
	st := &store{Store: ctx.Store(), ev: &s.run.events, event: e, id: id, task: s.name}
	return s.do(fmt.Sprintf("event %d: ", id), func() error {
		return s.OutputStreamer.Write(jobContext{Context: ctx, id: id, store: st, job: s.run.ctx})
	})
}

// Disconnect does nothing: output is completed when all of the job has gone well.
func (s *output) Disconnect() error { return nil }

func (s *output) commit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connected = false
	return s.do("", s.OutputStreamer.Disconnect)
}

func (s *output) abort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.connected {
		return
	}
	s.connected = false
	_ = guard(s.name, func() error {
		if a, ok := s.OutputStreamer.(interface{ Abort() }); ok {
			a.Abort()
			return nil
		}
		return s.OutputStreamer.Disconnect()
	})
}

func (s *output) do(where string, f func() error) error {
	err := guard(s.name, f)
	if err != nil {
		err = fmt.Errorf("analysis: %s%q: %w", where, s.name, err)
		s.run.fail(err)
	}
	return err
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
