package analysis_test

import (
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"go-hep.org/x/hep/fwk"

	"github.com/eidolon-hep/eidolon/analysis"
	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/internal/zmumu"
	"github.com/eidolon-hep/eidolon/rootio"
)

// BenchmarkReaderWriter copies a file of 12 branches in a job and without one, in turn. What
// the job takes more is printed per event (one by one) or per row (in batches of 1000).
func BenchmarkReaderWriter(b *testing.B) {
	const n = 100_000
	in := zmumuFile(b, n)
	for _, c := range []struct {
		name  string
		batch int
	}{{"one", 0}, {"batch", 1000}} {
		b.Run(c.name, func(b *testing.B) {
			var job, plain time.Duration
			for b.Loop() {
				out := filepath.Join(b.TempDir(), "out.root")
				app := newApp(b, -1, runtime.NumCPU())
				create(b, app, ours+"TreeReader", "events", props{"Files": []string{in}, "Batch": c.batch})
				create(b, app, ours+"TreeWriter", "out", props{"File": out, "Batch": c.batch > 0})
				start := time.Now()
				if err := analysis.Run(b.Context(), app); err != nil {
					b.Fatal(err)
				}
				job += time.Since(start)
				start = time.Now()
				copyFile(b, in, out)
				plain += time.Since(start)
			}
			rows := float64(b.N * n)
			b.ReportMetric(float64(job.Nanoseconds())/rows, "ns/row")
			b.ReportMetric(float64((job-plain).Nanoseconds())/rows, "overhead-ns/row")
		})
	}
}

func copyFile(b *testing.B, in, out string) {
	tree, err := rootio.Open("", in)
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
	tr, err := surrogate.New(table.Slice(0, 5000), nil, surrogate.Options{
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
			for b.Loop() {
				app := newApp(b, events/int64(max(1, c.batch)), c.nprocs)
				var ports []fwk.Port
				for _, f := range model.Context.Fields() {
					ports = append(ports, fwk.Port{Name: f.Name})
				}
				create(b, app, ours+"TreeReader", "events", props{"Files": []string{in}, "Batch": c.batch, "Ports": ports})
				create(b, app, ours+"FastSim", "detector", props{"Model": file})
				if err := analysis.Run(b.Context(), app); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
