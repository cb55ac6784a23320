//go:build linux

// Package peer runs a program of another library, which answers requests line by line, so that
// it and ours can be measured in turn.
package peer

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
	"unsafe"
)

// Peer is a running program.
type Peer struct {
	Name string
	in   io.WriteCloser
	out  *bufio.Reader
	cmd  *exec.Cmd
}

// Start starts the program.
func Start(name string, cmd *exec.Cmd) (*Peer, error) {
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &Peer{name, in, bufio.NewReader(out), cmd}, cmd.Start()
}

// Ask sends a request and returns the number that is the answer.
func (p *Peer) Ask(format string, args ...any) (answer float64, err error) {
	err = p.AskAll([]any{&answer}, format, args...)
	return answer, err
}

// AskAll sends a request and reads the numbers of the answer into what the pointers point to.
func (p *Peer) AskAll(answers []any, format string, args ...any) error {
	_, err := fmt.Fprintf(p.in, format+"\n", args...)
	if err == nil {
		_, err = fmt.Fscanln(p.out, answers...)
	}
	if err != nil {
		return fmt.Errorf("%s does not answer: %w", p.Name, err)
	}
	return nil
}

// Stop ends the program.
func (p *Peer) Stop() {
	_ = p.in.Close()
	_ = p.cmd.Wait()
}

// Spread is the least, the median and the greatest of the ratios of all rounds.
func Spread(ratios []float64) string {
	slices.Sort(ratios)
	return fmt.Sprintf("%.2f %.2f %.2f", ratios[0], ratios[len(ratios)/2], ratios[len(ratios)-1])
}

// ThreadTime is the processor time that this thread has used.
func ThreadTime() time.Duration {
	const clock = 3 // CLOCK_THREAD_CPUTIME_ID of Linux
	var t syscall.Timespec
	if _, _, err := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&t)), 0); err != 0 {
		log.Fatalf("could not read the thread's time: %v", err)
	}
	return time.Duration(t.Nano())
}
