package surrogate_test

import (
	"context"
	"fmt"

	"github.com/eidolon-hep/eidolon/analysis/surrogate"
	"github.com/eidolon-hep/eidolon/internal/zmumu"
	"github.com/eidolon-hep/eidolon/rootio"
	"github.com/eidolon-hep/eidolon/training"
)

// A surrogate is trained on a table of events and asked for new ones.
func Example() {
	events := zmumu.Default().Table(1, 0, 5000) // or rootio.Open and Read

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

	generated := rootio.NewTable(model.Features.Fields(), 20000)
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
