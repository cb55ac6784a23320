// Ratio prints how well the ratio of two densities is learnt that are known in closed form: two normals,
// p(x|0), are made two moons, p(x|1) = p(x|0) r(x)/Z.
//
//	go run ./bench/ratio [-events 100000] [-seeds 3]
//
// It prints, over events of the moons that were not used, the mean of log r less the truth (bias) and its
// spread, KL(moons ‖ normals·r/Z) in nats, and Z, which is 1 for the exact ratio.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"math"
	"time"

	"gonum.org/v1/gonum/stat"

	"github.com/eidolon-hep/eidolon/analysis/classify"
	"github.com/eidolon-hep/eidolon/internal/known"
)

func main() {
	events := flag.Int("events", 100_000, "the number of events of each sample")
	seeds := flag.Uint64("seeds", 1, "how often it is done, with other events")
	flag.Parse()
	fmt.Printf("%7s %5s %8s %8s %8s %8s %8s %7s\n", "events", "seed", "bias", "spread", "KL", "Z", "AUC", "seconds")
	for seed := uint64(1); seed <= *seeds; seed++ {
		if err := measure(seed, *events); err != nil {
			log.Fatal(err)
		}
	}
}

func measure(seed uint64, n int) error {
	const judged = 100_000
	ctx := context.Background()
	normals := known.TwoNormals()
	moons, _ := known.Named("moons")
	begin := time.Now()
	r, result, err := classify.Fit(ctx,
		classify.Sample{Table: normals.Table(seed, 0, n)}, classify.Sample{Table: moons.Table(seed+1000, 0, n)},
		classify.Options{MaxEvents: 1 << 30, Seed: seed})
	if err != nil {
		return err
	}
	seconds := time.Since(begin).Seconds()

	t := moons.Table(seed+2000, 0, judged)
	s, p, q := make([]float64, judged), make([]float64, judged), make([]float64, judged)
	if err := r.LogRatio(ctx, s, t, 0); err != nil {
		return err
	}
	normals.LogDensity(p, t)
	moons.LogDensity(q, t)
	for i := range s {
		s[i] -= q[i] - p[i]
	}
	bias, spread := stat.MeanStdDev(s, nil)
	if err := r.LogRatio(ctx, s, normals.Table(seed+3000, 0, judged), 0); err != nil {
		return err
	}
	z := 0.0
	for _, v := range s {
		z += math.Exp(v) / judged
	}
	fmt.Printf("%7d %5d %8.4f %8.4f %8.4f %8.4f %8.4f %7.0f\n", n, seed, bias, spread, math.Log(z)-bias, z, result.AUC, seconds)
	return nil
}
