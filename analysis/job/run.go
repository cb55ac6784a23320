package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"go-hep.org/x/hep/fwk"
	"go-hep.org/x/hep/fwk/fsm"

	"github.com/eidolon-hep/eidolon/internal/panics"
	"github.com/eidolon-hep/eidolon/rootio"
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
//   - Events are counted as such, also where the input stream reads them in batches
//     ([BatchInput]): EvtMax is the number of events at most, and errors name the events.
//   - fwk syncs standard output after each task of each event: where that is a file, it
//     gets a pipe instead.
//
// Ports without a type, in the property Ports of a stream or a [Completer], get that of the
// component that puts them, where it tells it ([InputCompleter], [Completer]). Tasks get
// and put in the goroutine that calls Process. An application runs once.
func Run(ctx context.Context, app fwk.App) error {
	defer unsynced()()
	return newRunner(ctx, app).run()
}

// What a job may ask for.
const (
	mostEvents  int64 = rootio.MaxEntries
	mostAtATime       = 1024 // events in flight
)

// runner is a running application.
type runner struct {
	events
	ctx     context.Context
	app     fwk.App
	file    string    // of the job, if it is in one
	level   fwk.Level // of messages
	most    int64     // events; −1: all
	input   *watchedInput
	outputs []*watchedOutput
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
	return r.input.given()
}

// prepare checks the application and puts ourselves between fwk and its components.
func (r *runner) prepare() error {
	if state := r.app.FSMState(); state != fsm.Undefined {
		return fmt.Errorf("job: the application is %v: it cannot be run again", state)
	}
	var err error
	if r.most, err = property[int64](r.app, r.app, "EvtMax"); err != nil {
		return err
	}
	if r.level, err = property[fwk.Level](r.app, r.app, "MsgLevel"); err != nil {
		return err
	}
	procs, err := property[int](r.app, r.app, "NProcs")
	switch {
	case err != nil:
		return err
	case r.most < -1 || r.most > mostEvents:
		return fmt.Errorf("job: EvtMax is %d: it must be a number of events, %d at most, or -1 for all", r.most, mostEvents)
	case procs > mostAtATime:
		return fmt.Errorf("job: NProcs is %d: at most %d events can be processed at the same time", procs, mostAtATime)
	}
	var inputs []string
	for _, t := range r.app.Tasks() {
		if _, ok := t.(*fwk.InputStream); ok {
			inputs = append(inputs, t.Name())
		}
	}
	switch {
	case len(inputs) > 1:
		return fmt.Errorf("job: there are %d input streams (%s): a job can have one", len(inputs), strings.Join(inputs, ", "))
	case len(inputs) == 0 && r.most < 0:
		return errors.New("job: there is no input stream: say how many events to make (EvtMax)")
	case len(r.app.Tasks()) == len(inputs):
		return errors.New("job: there is nothing to do: the job has no task")
	case len(inputs) == 0:
		if err := r.addPump(); err != nil {
			return err
		}
	}
	for _, step := range []func() error{r.wrap, r.checkFiles, r.completePorts, r.tellOrigin} {
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
		return fmt.Errorf("job: %w", err)
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
			return fmt.Errorf("job: %w", err)
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
			r.input = &watchedInput{InputStreamer: s, run: r, name: streamName(t), stream: t}
			if b, ok := s.(BatchInput); ok {
				r.input.batches = b
				if r.most > 0 {
					b.Limit(r.most)
				}
			}
			if err := r.app.SetProp(t, "Streamer", fwk.InputStreamer(r.input)); err != nil {
				return fmt.Errorf("job: %w", err)
			}
		case *fwk.OutputStream:
			s, err := property[fwk.OutputStreamer](r.app, t, "Streamer")
			if err != nil {
				return err
			}
			o := &watchedOutput{Task: t, streamer: s, run: r, name: streamName(t)}
			watched, r.outputs = o, append(r.outputs, o)
			r.tasks++
		default:
			watched = &watchedTask{Task: t, run: r}
			r.tasks++
			r.producers++
		}
		if err := r.app.AddTask(watched); err != nil {
			return fmt.Errorf("job: %w", err)
		}
	}
	return nil
}

// property returns a property of a component, which has to be there.
func property[T any](app fwk.App, c fwk.Component, name string) (T, error) {
	v, err := app.GetProp(c, name)
	if err != nil {
		return *new(T), fmt.Errorf("job: %w", err)
	}
	value, ok := v.(T)
	if !ok {
		return value, fmt.Errorf("job: %q has no %s", c.Name(), name)
	}
	return value, nil
}

// steps takes the application from Configure to Shutdown.
func (r *runner) steps() error {
	s := r.app.Scripter()
	for _, step := range []func() error{
		s.Configure, s.Start, r.each((*watchedOutput).connect), func() error { return r.loop(s) },
		s.Stop, r.each((*watchedOutput).commit), s.Shutdown,
	} {
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

// each returns a step that all outputs take.
func (r *runner) each(step func(o *watchedOutput) error) func() error {
	return func() error {
		for _, o := range r.outputs {
			if err := step(o); err != nil {
				return err
			}
		}
		return nil
	}
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

// call runs a part of a component, in some events or in none (nil). What fails there, fails the
// job: an error, a panic, and the end of the goroutine.
func (r *runner) call(in *span, name string, f func() error) (err error) {
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
		if in != nil {
			where = fmt.Sprintf("%v: ", in)
		}
		err = fmt.Errorf("job: %s%q: %w", where, name, err)
		r.fail(err)
	}()
	err = f()
	returned = true
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
