package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
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

// withSignals returns a context that a signal cancels, with the signal as its cause.
// A second signal kills.
func withSignals(parent context.Context) (ctx context.Context, stop func()) {
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
		signal.Stop(c)
		for _, s := range signals {
			if s.Signal == got {
				cancel(s)
			}
		}
	}()
	return ctx, func() { signal.Stop(c) }
}
