package surrogate

import (
	"math"
	"testing"

	"github.com/eidolon-hep/eidolon/kernels/philox"
	"github.com/eidolon-hep/eidolon/rootio"
)

// TestTrial checks which flow is taken for a sample with steps, for one of which the
// features only make sense together, and where something says so.
func TestTrial(t *testing.T) {
	const n = 1 << 13
	u, z := make([]float64, 3*n), make([]float32, 3*n)
	philox.Uniform64(u, 1, 0, 0)
	philox.Normal(z, 1, 1, 0)
	sample := func(f func(i int) [4]float64) *rootio.Table {
		fields := make([]rootio.Field, 4)
		for j, name := range []string{"a", "b", "c", "d"} {
			fields[j] = rootio.Field{Name: name, Kind: rootio.Float64}
		}
		table := rootio.NewTable(fields, n)
		for j := range fields {
			x := make([]float64, n)
			for i := range x {
				x[i] = f(i)[j]
			}
			table.Columns[j].SetFloats(0, x)
		}
		return table
	}
	steps := sample(func(i int) [4]float64 { // b and c know in which sector a is
		a := u[i]
		sector := math.Floor(8 * a)
		b := math.Mod(3*sector, 8) + u[n+i]/2
		return [4]float64{a, b, math.Mod(5*sector, 8) - 0.3*u[2*n+i], float64(z[i])}
	})
	together := sample(func(i int) [4]float64 { // nothing but a sum
		a, b, c := float64(z[i]), float64(z[n+i]), float64(z[2*n+i])
		return [4]float64{a, b, c, a + b + c + 0.02*(u[i]-0.5)}
	})
	opts := Options{Seed: 1, Hidden: 16, Components: 1}
	for _, test := range []struct {
		name   string
		sample *rootio.Table
		change func(o *Options)
		want   string
	}{
		{"steps", steps, func(*Options) {}, autoregressive},
		{"a sum", together, func(*Options) {}, spline},
		{"steps, told otherwise", steps, func(o *Options) { o.Model = spline }, spline},
		{"steps, over a mixture", steps, func(o *Options) { o.Components = 2 }, spline},
	} {
		o := opts
		test.change(&o)
		tr, err := New(test.sample, nil, o)
		if err != nil {
			t.Fatal(err)
		}
		if got := tr.Card.Options; got.Model != test.want || got.Components != max(o.Components, 1) {
			t.Errorf("%s: %s over %d normals, want %s", test.name, got.Model, got.Components, test.want)
		}
	}
}
