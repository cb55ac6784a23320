package diffusion_test

import (
	"fmt"
	"math"

	"github.com/eidolon-hep/eidolon/diffusion"
)

// A schedule and a grid are named, as in a card, and asked for times; then noise
// becomes events, here of a normal distribution of mean 5 and width 0.1, whose
// posterior mean q(t, x) is known.
func Example() {
	var schedule diffusion.Schedule
	if err := schedule.UnmarshalText([]byte("shifted:0.01")); err != nil {
		fmt.Println(err)
		return
	}
	times, err := diffusion.Quadratic.Times(schedule, 1000, 0)
	if err != nil {
		fmt.Println(err)
		return
	}

	const mean, width = 5, 0.1
	for _, x := range []float64{-1, 0, 1} {
		for i, t := range times[1:] {
			s := times[i]
			alpha, sigma := schedule.Alpha(s), schedule.Sigma(s)
			gain := alpha * width * width / (alpha*alpha*width*width + sigma*sigma)
			q := mean + gain*(x-alpha*mean)

			a, b := schedule.Step(s, t)
			x = a*x + b*q
		}
		fmt.Printf("%.3f\n", x)
	}
	fmt.Printf("their width: √(0.1² + σ₀²) = %.4f\n", math.Hypot(width, schedule.Sigma(0)))
	// Output:
	// 4.900
	// 5.000
	// 5.100
	// their width: √(0.1² + σ₀²) = 0.1005
}

// Near t = 1 the log-SNR is −∞: the first step of a grid that is uniform in it is
// one of its own.
func ExampleGrid_Times() {
	schedule := diffusion.Linear()
	times, err := diffusion.UniformLogSNR.Times(schedule, 5, 0.01)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range times {
		fmt.Printf("t = %.4f  log(α/σ) = %6.3f\n", t, schedule.LogSNR(t))
	}
	// Output:
	// t = 1.0000  log(α/σ) =   -Inf
	// t = 0.8386  log(α/σ) = -1.648
	// t = 0.5218  log(α/σ) = -0.087
	// t = 0.1864  log(α/σ) =  1.474
	// t = 0.0459  log(α/σ) =  3.034
	// t = 0.0100  log(α/σ) =  4.595
}
