package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/eidolon-hep/eidolon/internal/atomicfile"
)

// stopSignal is a signal that ends the program before its time.
type stopSignal struct {
	os.Signal
	name string
	code int // the exit code
}

func (s stopSignal) Error() string { return "stopped by " + s.name }

// stopSignals are those that every system has; systemSignals are the others.
func stopSignals() []stopSignal {
	return append([]stopSignal{
		{os.Interrupt, "SIGINT", exitInterrupted},
		{syscall.SIGTERM, "SIGTERM", exitTerminated},
		{syscall.SIGHUP, "SIGHUP", exitHangUp},
	}, systemSignals()...)
}

// withSignals returns a context that a signal cancels, with the signal as its cause. If the
// program has not ended a while later, or at a second signal, it is ended here: without its
// temporary files, and not while an output or a checkpoint is being completed.
func withSignals(parent context.Context) context.Context {
	const (
		patience   = 1500 * time.Millisecond // batch systems and people wait for two seconds
		completing = 5 * time.Second
	)
	ctx, cancel := context.WithCancelCause(parent)
	c := make(chan os.Signal, 1)
	signals := stopSignals()
	for _, s := range signals {
		if s.Signal == syscall.SIGHUP && signal.Ignored(s.Signal) {
			continue // nohup
		}
		signal.Notify(c, s.Signal)
	}
	// A reader of our output that has left is an error of Write, not the end: there may be
	// a file to complete.
	signal.Ignore(syscall.SIGPIPE)
	go func() {
		got := <-c
		first := signals[slices.IndexFunc(signals, func(s stopSignal) bool { return s.Signal == got })]
		cancel(first)
		select {
		case <-c:
		case <-time.After(patience):
		}
		atomicfile.Quit(completing)
		fmt.Fprintf(os.Stderr, "eidolon: %v\n", first)
		os.Exit(first.code)
	}()
	return ctx
}
