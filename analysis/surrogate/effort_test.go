package surrogate

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/eidolon-hep/eidolon/internal/known"
	"github.com/eidolon-hep/eidolon/training"
)

// An effort scales the passes of a training and the width of its networks, of which nothing is said where they are asked for. What is no
// effort is refused.
func TestEffort(t *testing.T) {
	moons, _ := known.Named("moons")
	table := moons.Table(1, 0, 70_000)
	plan := func(o Options) Plan {
		o.Model, o.Components, o.Seed = autoregressive, 1, 1
		tr, err := New(t.Context(), table, nil, o)
		must(t, err)
		return tr.Card.Plan
	}
	quick, normal, thorough := plan(Options{Effort: "quick"}), plan(Options{}), plan(Options{Effort: "thorough"})
	if a, b, c := quick.Schedule.Epochs, normal.Schedule.Epochs, thorough.Schedule.Epochs; a*5 > b || b*2 > c {
		t.Errorf("%d, %d and %d epochs", a, b, c)
	}
	if a, b, c := quick.Hidden, normal.Hidden, thorough.Hidden; a != b || c <= b {
		t.Errorf("%d, %d and %d outputs of a hidden layer", a, b, c)
	}
	asked := plan(Options{Effort: "thorough", Hidden: 16, Train: training.Options{Epochs: 7}})
	if asked.Hidden != 16 || asked.Schedule.Epochs != 7 {
		t.Errorf("%d epochs and %d outputs, asked for 7 and 16", asked.Schedule.Epochs, asked.Hidden)
	}
	err := Options{Effort: "thorogh"}.Check()
	if err == nil || !strings.Contains(err.Error(), "quick, normal, thorough") {
		t.Errorf("an effort with a slip of the pen: %v", err)
	}
}

// The same seed gives the same model to the bit, whatever the number of processors: of momenta, in coordinates that are looked for, as
// a mixture if that gains, and refined.
func TestSameSeedSameModel(t *testing.T) {
	table := muons(4000, true)
	train := func() *Surrogate {
		tr, err := New(t.Context(), table, nil, Options{Model: autoregressive, Hidden: 8, Depth: 1, Components: 1, Seed: 1, Effort: "quick", Refine: "1", Train: training.Options{Epochs: 4}})
		must(t, err)
		s, err := tr.Run(t.Context())
		must(t, err)
		return s
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	want := train()
	if c := want.Card.Plan.Coordinates; c == nil || len(c.Tried) == 0 || want.Refined == nil {
		t.Fatalf("coordinates %v, refined %v", c, want.Refined)
	}
	runtime.GOMAXPROCS(3)
	got := train()
	if a, b := strings.Join(want.Card.Plan.Coordinates.Table(), "\n"), strings.Join(got.Card.Plan.Coordinates.Table(), "\n"); a != b {
		t.Errorf("coordinates\n%s\nand then\n%s", a, b)
	}
	if len(want.Parts) != len(got.Parts) {
		t.Fatalf("%d parts, and then %d", len(want.Parts), len(got.Parts))
	}
	for k, p := range want.Parts {
		for i, tensor := range p.Chain.Tensors() {
			if !slices.Equal(got.Parts[k].Chain.Tensors()[i].Value, tensor.Value) {
				t.Errorf("tensor %s of part %d is another one", tensor.Name, k)
			}
		}
	}
	for i, tensor := range want.Refined.Boosted.Tensors() {
		if !slices.Equal(got.Refined.Boosted.Tensors()[i].Value, tensor.Value) {
			t.Errorf("tensor %s of the refinement is another one", tensor.Name)
		}
	}
	if want.Refined.Z != got.Refined.Z {
		t.Errorf("Z is %v, and then %v", want.Refined.Z, got.Refined.Z)
	}
}
