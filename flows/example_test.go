package flows_test

import (
	"context"
	"fmt"
	"math"

	"github.com/eidolon-hep/eidolon/flows"
	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/training"
)

// A flow is composed, trained on rows, and then asked for densities and samples.
func Example() {
	ctx := context.Background()
	// 10,000 events of two features: x normal, y = x² + a little noise.
	const n = 10000
	x := make([]float32, 2*n)
	philox.Normal(x, 1, 0, 0)
	for i := 0; i < len(x); i += 2 {
		x[i+1] = x[i]*x[i] + 0.1*x[i+1]
	}
	rows := func(x []float32) training.Data { return training.Data{X: x, Dim: 2} }

	layers := flows.RealNVP(2, 1, flows.RealNVPOptions{Layers: 4, Hidden: []int{32, 32}})
	flow, err := flows.New(2, 0, 1, layers...)
	if err != nil {
		fmt.Println(err)
		return
	}
	train, valid := rows(x[:2*9000]), rows(x[2*9000:])
	if _, err := flow.Train(ctx, train, valid, training.Options{Epochs: 40, Batch: 128, Rate: 3e-3}); err != nil {
		fmt.Println(err)
		return
	}

	// The log-density is high on the parabola and low beside it.
	p := make([]float64, 2)
	if err := flow.LogDensity(ctx, p, []float32{1, 1, 1, 2}, nil); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("on the parabola:", p[0] > -1, " beside it:", p[1] < -5)

	// New events lie on the parabola, too.
	sample := make([]float32, 2*1000)
	if err := flow.Sample(ctx, sample, nil, 42, 0, 0); err != nil {
		fmt.Println(err)
		return
	}
	off := 0.0
	for i := 0; i < len(sample); i += 2 {
		off += math.Abs(float64(sample[i+1]-sample[i]*sample[i])) / 1000
	}
	fmt.Println("mean distance of samples from it below 0.2:", off < 0.2)
	// Output:
	// on the parabola: true  beside it: true
	// mean distance of samples from it below 0.2: true
}
