//go:build linux

// Command flows runs the jobs of eidolon bench flows and the same ones in PyTorch
// in turn, and prints how much faster Eidolon is. The script run beside it starts it.
//
// A turn lasts a fraction of a second. On one thread it is timed by the processor
// time of the whole process. On two it is timed by the wall clock, in short
// windows of which the fastest counts, since others on the machine disturb it. A line of the table has the best turn of each, and the ratios of the two
// turns of a round: least, median and greatest.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/eidolon-hep/eidolon/internal/bench"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	python := flag.String("python", "python3", "the Python that has PyTorch; none to run without it")
	program := flag.String("peer", "peer.py", "the peer's program")
	only := flag.String("only", "", "measure only what matches this regular expression, such as “train.*threads=2”")
	rounds := flag.Int("rounds", 5, "rounds of turns for each line")
	turn := flag.Duration("turn", 400*time.Millisecond, "time of a turn")
	flag.Parse()
	wanted, err := regexp.Compile(*only)
	if err != nil {
		log.Fatal(err)
	}
	if *rounds < 1 {
		log.Fatalf("there must be a round, not %d", *rounds)
	}
	jobs, err := bench.FlowJobs()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("thousand events per second, best turn; ratio of the turns of a round")
	fmt.Printf("%-20s %-18s %7s %9s %9s   %s\n", "what", "shape", "threads", "eidolon", "pytorch", "least median greatest")
	for _, threads := range []int{1, 2} {
		var torch *peer
		for _, j := range jobs {
			name := fmt.Sprintf("%s %s threads=%d", j.Kernel, j.Shape(), threads)
			if !wanted.MatchString(name) {
				continue
			}
			if torch == nil && *python != "none" {
				if torch, err = start(*python, *program, threads); err != nil {
					log.Fatalf("could not start PyTorch: %v", err)
				}
			}
			line, err := compare(j, torch, threads, *rounds, *turn)
			if err != nil {
				log.Fatalf("%s: %v", name, err)
			}
			fmt.Printf("%-20s %-18s %7d %s\n", j.Kernel, j.Shape(), threads, line)
		}
		torch.stop()
	}
}

// compare measures one job on both sides.
func compare(j bench.FlowJob, torch *peer, threads, rounds int, turn time.Duration) (string, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
	run, stop := j.Start()
	defer stop()
	if err := run(); err != nil {
		return "", err
	}
	if torch != nil {
		if _, err := torch.ask("load %s %d %d", j.Kernel, j.Hidden, j.Batch); err != nil {
			return "", err
		}
		if apart, err := torch.ask("check 1000"); err != nil || !(apart < 1e-4) {
			return "", fmt.Errorf("PyTorch's flow comes back to %g only (%v)", apart, err)
		}
	}
	var own, other float64
	var ratios []float64
	for range rounds {
		mine, err := measure(run, j.Events, threads, turn)
		if err != nil {
			return "", err
		}
		own = max(own, mine)
		if torch == nil {
			continue
		}
		peers, err := torch.ask("turn %g", turn.Seconds())
		if err != nil {
			return "", err
		}
		other = max(other, peers)
		ratios = append(ratios, mine/peers)
	}
	if torch == nil {
		return fmt.Sprintf("%9.1f", own/1e3), nil
	}
	slices.Sort(ratios)
	return fmt.Sprintf("%9.1f %9.1f   %.2f %.2f %.2f", own/1e3, other/1e3, ratios[0], ratios[rounds/2], ratios[rounds-1]), nil
}

// measure is a turn of Eidolon's, in events per second: on one thread all of it, by
// the time of the process; on several the best of short windows, by the wall clock.
func measure(run func() error, events, threads int, turn time.Duration) (float64, error) {
	began, window, clock := time.Now(), turn, processTime
	if threads > 1 {
		window = turn / 20
		clock = func() time.Duration { return time.Since(began) }
	}
	best := 0.0
	for best == 0 || time.Since(began) < turn {
		started, spent, calls := clock(), time.Duration(0), 0
		for ; calls < 2 || spent < window; calls++ {
			if err := run(); err != nil {
				return 0, err
			}
			spent = clock() - started
		}
		best = max(best, float64(events)*float64(calls)/spent.Seconds())
	}
	return best, nil
}

// processTime is the processor time that this process has used.
func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		log.Fatalf("could not read the time of the process: %v", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peer is the running peer.py, which has the requests.
type peer struct {
	in  io.WriteCloser
	out *bufio.Reader
	cmd *exec.Cmd
}

func start(python, program string, threads int) (*peer, error) {
	cmd := exec.Command(python, program, fmt.Sprint(threads))
	cmd.Env = os.Environ()
	for _, library := range []string{"OMP", "OPENBLAS", "BLIS", "MKL"} {
		cmd.Env = append(cmd.Env, fmt.Sprintf("%s_NUM_THREADS=%d", library, threads))
	}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p := &peer{in, bufio.NewReader(out), cmd}
	return p, cmd.Start()
}

func (p *peer) stop() {
	if p != nil {
		p.in.Close()
		p.cmd.Wait()
	}
}

// ask sends a request and returns the answer.
func (p *peer) ask(format string, args ...any) (float64, error) {
	if _, err := fmt.Fprintf(p.in, format+"\n", args...); err != nil {
		return 0, err
	}
	var answer float64
	_, err := fmt.Fscanln(p.out, &answer)
	return answer, err
}
