//go:build unix

package analysis_test

import (
	"context"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/analysis/job"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/internal/zmumu"
	"github.com/eidolon-hep/eidolon/rootio"
)

// cpu is the time of the processors that this program has had.
func cpu(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkReaderWriter copies a file of 12 branches in a job and without one, in turn. What
// the job takes more is printed per entry, one by one and in batches of 1000: as time that
// passes, and as time of all processors, which others on the machine do not change.
func BenchmarkReaderWriter(b *testing.B) {
	const n = 100_000
	in := zmumuFile(b, n)
	for _, c := range []struct {
		name  string
		batch int
	}{{"one", 0}, {"batch", 1000}} {
		b.Run(c.name, func(b *testing.B) {
			var inJob, plain, jobCPU, plainCPU time.Duration
			for b.Loop() {
				out := filepath.Join(b.TempDir(), "out.root")
				app := newApp(b, -1, runtime.NumCPU())
				create(b, app, ours+"TreeReader", "events", props{"Files": []string{in}, "Batch": c.batch})
				create(b, app, ours+"TreeWriter", "out", props{"File": out, "Batch": c.batch > 0})
				runtime.GC()
				start, used := time.Now(), cpu(b)
				if err := job.Run(b.Context(), app); err != nil {
					b.Fatal(err)
				}
				inJob, jobCPU = inJob+time.Since(start), jobCPU+cpu(b)-used
				runtime.GC()
				start, used = time.Now(), cpu(b)
				copyFile(b, in, out)
				plain, plainCPU = plain+time.Since(start), plainCPU+cpu(b)-used
			}
			rows := float64(b.N * n)
			b.ReportMetric(float64(plain.Nanoseconds())/rows, "plain-ns/row")
			b.ReportMetric(float64((inJob-plain).Nanoseconds())/rows, "overhead-ns/row")
			b.ReportMetric(float64((jobCPU-plainCPU).Nanoseconds())/rows, "overhead-cpu-ns/row")
		})
	}
}

func copyFile(b *testing.B, in, out string) {
	tree, err := rootio.Open(context.Background(), "", in)
	if err != nil {
		b.Fatal(err)
	}
	defer tree.Close()
	w, err := rootio.Create(out, "Events", tree.Fields())
	if err != nil {
		b.Fatal(err)
	}
	defer w.Abort()
	for table, err := range tree.Chunks(nil, 4096) {
		if err != nil {
			b.Fatal(err)
		}
		if err := w.Write(table); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkFastSim simulates the events of a file, in batches and one by one.
func BenchmarkFastSim(b *testing.B) {
	const n = 200_000
	table := zmumu.Default().Table(1, 0, n)
	in := write(b, filepath.Join(b.TempDir(), "in.root"), table)
	tr, err := surrogate.New(b.Context(), table.Slice(0, 5000), nil, surrogate.Options{
		Model: "spline", Condition: []string{"mass", "y", "pt", "phi", "costheta", "phistar", "mu1_pt", "mu1_eta", "mu1_phi", "mu2_pt"}, Train: quick.Train,
	})
	if err != nil {
		b.Fatal(err)
	}
	model, err := tr.Run(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	file := filepath.Join(b.TempDir(), "m.eidolon")
	if err := model.Save(file); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name          string
		batch, nprocs int
	}{{"batch", 5000, runtime.NumCPU()}, {"one", 0, runtime.NumCPU()}, {"one-of-16", 0, 16}} {
		b.Run(c.name, func(b *testing.B) {
			events := int64(n)
			if c.batch == 0 {
				events /= 10
			}
			used := cpu(b)
			for b.Loop() {
				app := newApp(b, events/int64(max(1, c.batch)), c.nprocs)
				var ports []fwk.Port
				for _, f := range model.Context.Fields() {
					ports = append(ports, fwk.Port{Name: f.Name})
				}
				create(b, app, ours+"TreeReader", "events", props{"Files": []string{in}, "Batch": c.batch, "Ports": ports})
				create(b, app, ours+"FastSim", "detector", props{"Model": file})
				if err := job.Run(b.Context(), app); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64((cpu(b)-used).Nanoseconds())/float64(events*int64(b.N)), "cpu-ns/event")
		})
	}
}
