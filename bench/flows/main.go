//go:build linux

// Command flows runs the jobs of eidolon bench flows and the same ones in JAX, PyTorch,
// ONNX Runtime and nflows in turn, and prints how much faster Eidolon is. The script
// run beside it installs the peers and starts it.
//
// JAX and PyTorch, eager and compiled, do every job but a million events at once. ONNX
// Runtime samples and evaluates the Real NVP, with the same weights, and
// must come to the same numbers. nflows, on one thread, trains splines.
//
// A turn lasts a fraction of a second. On one thread it is timed by the processor
// time of the whole process. On two it is timed by the wall clock, in short
// windows of which the fastest counts, since others on the machine disturb it. A line of
// the table is for a job and a peer. It has the best turn of each, and the ratios of the
// two turns of a round: least, median and greatest.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/klauspost/cpuid/v2"

	"github.com/eidolon-hep/eidolon/bench/internal/peer"
	"github.com/eidolon-hep/eidolon/bench/measure"
	"github.com/eidolon-hep/eidolon/kernels/philox"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	peers := peers{running: map[string]*peer.Peer{}}
	flag.StringVar(&peers.python, "python", "python3", "the Python that has the peers")
	flag.StringVar(&peers.names, "peers", "jax,pytorch,torch.compile,onnxruntime,nflows", "whom to compare with; none for nobody")
	flag.StringVar(&peers.folder, "folder", ".", "where jobs are passed to peers")
	only := flag.String("only", "", "measure only what matches this regular expression, such as “train.*threads=2”")
	rounds := flag.Int("rounds", 5, "rounds of turns for each job; three at most for a million events at once")
	turn := flag.Duration("turn", 400*time.Millisecond, "time of a turn")
	flag.Parse()
	wanted, err := regexp.Compile(*only)
	if err != nil {
		log.Fatal(err)
	}
	if *rounds < 1 {
		log.Fatalf("there must be a round, not %d", *rounds)
	}
	jobs, err := measure.FlowJobs(512, 1<<16, million)
	if err != nil {
		log.Fatal(err)
	}
	switch has512 := cpuid.CPU.Supports(cpuid.AVX512F); {
	case has512 && os.Getenv("EIDOLON_NOAVX512") != "":
		fmt.Println("This processor has AVX-512. All are kept to AVX2 but ONNX Runtime, which cannot be, and may use AVX-512.")
	case has512:
		fmt.Println("This processor has AVX-512, which all may use.")
	default:
		fmt.Println("This processor has no AVX-512.")
	}
	fmt.Println("thousand events per second, best turn; ratio of the turns of a round")
	fmt.Printf("%-20s %-19s %7s %9s   %-13s %9s   %s\n", "what", "shape", "threads", "eidolon", "peer", "speed", "least median greatest")
	for _, threads := range []int{1, 2} {
		for _, j := range jobs {
			name := fmt.Sprintf("%s %s threads=%d", j.Kernel, j.Shape(), threads)
			if !wanted.MatchString(name) || j.Batch == million && (threads > 1 || !strings.Contains(name, "realnvp")) {
				continue
			}
			lines, err := peers.compare(j, threads, *rounds, *turn)
			if err != nil {
				log.Fatalf("%s: %v", name, err)
			}
			for i, line := range lines {
				if i == 0 {
					fmt.Printf("%-20s %-19s %7d %s\n", j.Kernel, j.Shape(), threads, line)
				} else {
					fmt.Printf("%-20s %-19s %7s %s\n", "", "", "", line)
				}
			}
		}
		peers.stop()
	}
}

const million = 1 << 20

// peers are the peers that are compared with.
type peers struct {
	python, names, folder string
	running               map[string]*peer.Peer
}

// does reports whether a peer has a job.
func does(name string, j measure.FlowJob, threads int) bool {
	switch name {
	case "onnxruntime":
		return strings.HasSuffix(j.Kernel, " realnvp") && !strings.HasPrefix(j.Kernel, "train ")
	case "nflows":
		return threads == 1 && j.Kernel == "train spline"
	default:
		return j.Batch < million
	}
}

// of returns those that have a job, ready for turns.
func (p *peers) of(j measure.FlowJob, threads int) (ready []*peer.Peer, err error) {
	for name := range strings.SplitSeq(p.names, ",") {
		if name == "none" || !does(name, j, threads) {
			continue
		}
		other, err := p.start(name, threads)
		if err != nil {
			return nil, fmt.Errorf("could not start %s: %w", name, err)
		}
		if name == "onnxruntime" {
			if err := describe(p.file(), j); err != nil {
				return nil, err
			}
		}
		if _, err := other.Ask("load %s %d %d", j.Kernel, j.Hidden, j.Batch); err != nil {
			return nil, err
		}
		const tolerance = 1e-4
		if apart, err := other.Ask("check"); err != nil {
			return nil, err
		} else if !(apart < tolerance) {
			return nil, fmt.Errorf("%s is off by %g", name, apart)
		}
		ready = append(ready, other)
	}
	return ready, nil
}

// file is where a job is passed to ONNX Runtime.
func (p *peers) file() string { return filepath.Join(p.folder, "job.json") }

// start returns the peer of the name, started unless it runs.
func (p *peers) start(name string, threads int) (*peer.Peer, error) {
	if other, ok := p.running[name]; ok {
		return other, nil
	}
	cmd := exec.Command(p.python, "peer.py", fmt.Sprint(threads), name, p.file())
	cmd.Env = os.Environ()
	for _, library := range []string{"OMP", "OPENBLAS", "BLIS", "MKL"} {
		cmd.Env = append(cmd.Env, fmt.Sprintf("%s_NUM_THREADS=%d", library, threads))
	}
	started, err := peer.Start(name, cmd)
	if err != nil {
		return nil, err
	}
	p.running[name] = started
	return started, nil
}

func (p *peers) stop() {
	for name, running := range p.running {
		running.Stop()
		delete(p.running, name)
	}
}

// describe writes a job to a file: its flow, and rows with what comes of them.
func describe(file string, j measure.FlowJob) error {
	const rows = 1000
	in := make([]float32, rows*j.Flow.Dim())
	philox.Normal(in, 2, 0, 0)
	x, p := make([]float32, len(in)), make([]float64, rows)
	var out any = x
	if strings.HasPrefix(j.Kernel, "sample ") {
		j.Flow.Inverse(x, nil, in, nil)
	} else {
		if err := j.Flow.LogDensity(context.Background(), p, in, nil); err != nil {
			return err
		}
		out = p
	}
	text, err := json.Marshal(map[string]any{"Flow": j.Flow, "Tensors": j.Flow.Tensors(), "In": in, "Out": out})
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

// compare measures one job on all sides and returns a line for each peer.
func (p *peers) compare(j measure.FlowJob, threads, rounds int, turn time.Duration) (lines []string, err error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
	run, stop := j.Start()
	defer stop()
	if err := run(); err != nil {
		return nil, err
	}
	others, err := p.of(j, threads)
	if err != nil {
		return nil, err
	}
	if j.Batch == million {
		rounds = min(rounds, 3)
	}
	own, best, ratios := 0.0, make([]float64, len(others)), make([][]float64, len(others))
	for range rounds {
		mine, err := ownTurn(run, j.Events, threads, turn)
		if err != nil {
			return nil, err
		}
		own = max(own, mine)
		for i, other := range others {
			theirs, err := other.Ask("turn %g", turn.Seconds())
			if err != nil {
				return nil, err
			}
			best[i] = max(best[i], theirs)
			ratios[i] = append(ratios[i], mine/theirs)
		}
	}
	for i, r := range ratios {
		lines = append(lines, fmt.Sprintf("%9.1f   %-13s %9.1f   %s", own/1e3, others[i].Name, best[i]/1e3, peer.Spread(r)))
	}
	if lines == nil {
		lines = []string{fmt.Sprintf("%9.1f", own/1e3)}
	}
	return lines, nil
}

// ownTurn is a turn of Eidolon's, in events per second: on one thread all of it, by
// the time of the process; on several the best of short windows, by the wall clock.
func ownTurn(run func() error, events, threads int, turn time.Duration) (float64, error) {
	began, window, clock := time.Now(), turn, processTime
	if threads > 1 {
		window = turn / 20
		clock = func() time.Duration { return time.Since(began) }
	}
	best := 0.0
	for best == 0 || time.Since(began) < turn {
		started, spent, calls := clock(), time.Duration(0), 0
		for ; calls < 1 || spent < window; calls++ {
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
