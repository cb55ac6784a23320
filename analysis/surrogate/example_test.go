package surrogate_test

import (
	"context"
	"fmt"
	"math"

	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/internal/zmumu"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// A surrogate is trained on a table of events and asked for new ones.
func Example() {
	events := zmumu.Default().Table(1, 0, 2000) // or rootio.Open and Read

	training, err := surrogate.New(context.Background(), events, nil, surrogate.Options{
		Hidden: 32, Seed: 1,
		Train: training.Options{Epochs: 5},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	model, err := training.Run(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}

	generated := rootio.NewTable(model.Fields(), 20000)
	if _, err := model.Generate(context.Background(), generated, nil, 42, 0); err != nil {
		fmt.Println(err)
		return
	}
	mass, _ := generated.Column("mass")
	onPeak := 0
	for _, m := range mass.Values().([]float64) {
		if m > 86 && m < 96 {
			onPeak++
		}
	}
	fmt.Println(generated.Len(), "events, most of them on the Z:", onPeak > generated.Len()/2)
	// Output: 20000 events, most of them on the Z: true
}

// A surrogate is a map between events and normal noise: log p(x) = log q(y) + log|det J|.
func ExampleSurrogate_Forward() {
	ctx := context.Background()
	events := zmumu.Default().Table(1, 0, 2000)
	training, err := surrogate.New(ctx, events, nil, surrogate.Options{
		Hidden: 16, Seed: 1, Train: training.Options{Epochs: 2},
		Coordinates: surrogate.PlainCoordinates, // a mixture of coordinates is no map
		Refine:      surrogate.RefineOff,        // nor is what trees accept
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	model, err := training.Run(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	image, err := model.Forward(ctx, events, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	density := make([]float64, events.Len())
	if err := model.LogDensity(ctx, density, events, 0); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(model.Base()) == model.Parts[0].Features.Dim(), math.Abs(image.LogBase[0]+image.LogDet[0]-density[0]) < 1e-5)

	back := rootio.NewTable(model.Fields(), events.Len())
	if err := model.Inverse(ctx, back, image.Y, nil, 0); err != nil {
		fmt.Println(err)
		return
	}
	was, _ := events.Column("mass")
	is, _ := back.Column("mass")
	fmt.Println(math.Abs(was.Float64s()[0]-is.Float64s()[0]) < 0.001)
	// Output:
	// true true
	// true
}
