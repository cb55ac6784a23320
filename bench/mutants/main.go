// Command mutants damages small files in many ways and reads each as the commands of
// eidolon would. No damage may make a reader panic, take longer than ten seconds, or ask
// for more memory than ten times the file and 256 MB.
//
//	go run ./bench/mutants [-n 2000] [-seed 1] [-keep DIR] KIND…
//
// It prints a line for each kind of file and leaves with 1 if one was too much for its
// reader; -keep keeps the files that were. Each reader runs in a process of its own, which
// is measured and may die.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// kind is a kind of file.
type kind struct {
	name string

	// samples returns the names of good files, which it makes in dir or finds elsewhere.
	samples func(dir string) ([]string, error)

	// read reads a file as the commands do.
	read func(ctx context.Context, file string) error

	// harms are done beside those of the table harms.
	harms []harm
}

// kinds is the table of all kinds, each in a file of its own.
var kinds = []kind{rootFiles, modelFiles, checkpoints, jobFiles}

const (
	longest  = 10 * time.Second
	memory   = 256 << 20 // and memoryOf times the file
	memoryOf = 10
)

func main() {
	n := flag.Int("n", 2000, "mutants of each kind")
	seed := flag.Uint64("seed", 1, "seed of the damages")
	keep := flag.String("keep", "", "directory for the files that were too much")
	reader := flag.String("reader", "", "read the files named on standard input (what the program starts itself)")
	flag.Parse()
	if *reader != "" {
		serve(*reader)
		return
	}
	ok := true
	for _, k := range kinds {
		if flag.NArg() > 0 && !slices.Contains(flag.Args(), k.name) {
			continue
		}
		good, err := study(k, *n, *seed, *keep)
		if err != nil {
			fmt.Fprintf(os.Stderr, "mutants: %s: %v\n", k.name, err)
		}
		ok = ok && good && err == nil
	}
	if !ok {
		os.Exit(1)
	}
}

// study reads n mutants of files of a kind, and prints what came of it.
func study(k kind, n int, seed uint64, keep string) (ok bool, err error) {
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	files, err := k.samples(dir)
	if err != nil {
		return false, err
	}
	var good [][]byte
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return false, err
		}
		good = append(good, b)
	}
	all := append(slices.Clone(harms), k.harms...)
	start, refused, unnoticed, largest := time.Now(), 0, 0, int64(0)
	var slowest time.Duration
	faults := make(map[string]int)
	var r *reader
	defer func() { r.stop() }()
	for i := range n {
		which := i % len(good)
		harm := all[i/len(good)%len(all)]
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		bad := harm.do(rng, bytes.Clone(good[which]))
		file := filepath.Join(dir, fmt.Sprintf("mutant%d%s", i, filepath.Ext(files[which])))
		if err := os.WriteFile(file, bad, 0o644); err != nil {
			return false, err
		}
		if r == nil {
			if r, err = startReader(k.name); err != nil {
				return false, err
			}
		}
		a, fault := r.read(file)
		limit := int64(memory + memoryOf*len(bad))
		if fault == "" && a.Memory > limit {
			fault = "memory"
		}
		largest, slowest = max(largest, a.Memory), max(slowest, a.took)
		switch {
		case fault != "":
			faults[fault]++
			fmt.Printf("%s: mutant %d of %s, %s: %s (%d MB, %v) %s\n", k.name, i, filepath.Base(files[which]), harm.name, fault, a.Memory>>20, a.took, a.Error)
			if keep != "" {
				if err := os.WriteFile(filepath.Join(keep, filepath.Base(file)), bad, 0o644); err != nil {
					return false, err
				}
			}
			r.stop()
			r = nil
		case a.Error != "":
			refused++
		default:
			unnoticed++
		}
		_ = os.Remove(file)
	}
	fmt.Printf("%s: %d mutants of %d files: %d refused, %d read, too much %v; at most %d MB and %v each, %v in all\n", k.name, n, len(files),
		refused, unnoticed, faults, largest>>20, slowest.Round(time.Millisecond), time.Since(start).Round(time.Second))
	return len(faults) == 0, nil
}

// answer is what a reader says of a file.
type answer struct {
	Error  string // "" if it could be read
	Panic  bool
	Memory int64 // the most that the process had so far, in bytes

	took time.Duration
}

// reader is a process that reads files.
type reader struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string
	fault bytes.Buffer
}

func startReader(kind string) (*reader, error) {
	r := &reader{cmd: exec.Command(os.Args[0], "-reader", kind), lines: make(chan string)}
	r.cmd.Stderr = &r.fault
	in, err := r.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	r.in = in
	go func() {
		defer close(r.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			r.lines <- s.Text()
		}
	}()
	return r, r.cmd.Start()
}

// read has a file read; fault says how it was too much.
func (r *reader) read(file string) (a answer, fault string) {
	start := time.Now()
	defer func() { a.took = time.Since(start) }()
	if _, err := fmt.Fprintln(r.in, file); err != nil {
		return a, "died: " + err.Error()
	}
	select {
	case line, ok := <-r.lines:
		if !ok {
			_ = r.cmd.Wait()
			text, _, _ := strings.Cut(r.fault.String(), "\n")
			return a, "died: " + text
		}
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			return a, "printed " + line
		}
		if a.Panic {
			return a, "panic"
		}
		return a, ""
	case <-time.After(longest):
		return a, "hang"
	}
}

func (r *reader) stop() {
	if r == nil {
		return
	}
	_ = r.in.Close()
	_ = r.cmd.Process.Kill()
	for range r.lines {
	}
	_ = r.cmd.Wait()
}

// serve reads files until the input ends.
func serve(name string) {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
	for in := bufio.NewScanner(os.Stdin); i >= 0 && in.Scan(); {
		a := try(kinds[i], in.Text())
		a.Memory = peak()
		b, err := json.Marshal(a)
		if err != nil {
			b = []byte(err.Error())
		}
		fmt.Println(string(b))
	}
}

func try(k kind, file string) (a answer) {
	defer func() {
		if r := recover(); r != nil {
			a = answer{Error: fmt.Sprint(r), Panic: true}
		}
	}()
	if err := k.read(context.Background(), file); err != nil {
		a.Error = err.Error()
	}
	return a
}

// peak returns the most memory that the process ever had in use.
func peak() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kB int64
	_, _ = fmt.Sscan(rest, &kB)
	return kB << 10
}
