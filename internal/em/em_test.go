package em

import (
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/eidolon-hep/eidolon/kernels/philox"
)

// islands are n rows of two normals in the plane, in the proportion 1:3, one after the
// other.
func islands(n int) []float32 {
	x := make([]float32, 2*n)
	philox.Normal(x, 1, 0, 0)
	for i := range n {
		a, b := x[2*i], x[2*i+1]
		if i < n/4 {
			x[2*i], x[2*i+1] = -2+0.5*a, 1+0.2*b
		} else {
			x[2*i], x[2*i+1] = 1+0.4*a, 0.3*a+0.1*b
		}
	}
	return x
}

// TestFit wants the parameters of islands to be found, the more exactly the more rows
// there are; by any number of threads, and any scale of weights.
func TestFit(t *testing.T) {
	const n = 100_000
	x := islands(n)
	w := make([]float32, n)
	for i := range w {
		w[i] = 1e-10
	}
	g := Fit(t.Context(), 2, 2, x, nil, n, 1)
	before := runtime.GOMAXPROCS(1)
	again := Fit(t.Context(), 2, 2, x, w, n, 1)
	runtime.GOMAXPROCS(before)
	for i, v := range again.Covariance {
		if math.Abs(v-g.Covariance[i]) > 1e-9 {
			t.Errorf("the covariances are %v and, with weights, %v", g.Covariance, again.Covariance)
			break
		}
	}
	if !slices.Equal(Fit(t.Context(), 2, 2, x, w, n, 1).Factor, again.Factor) {
		t.Error("the mixture depends on the number of threads")
	}
	k := 0 // the first island
	if g.Share[1] < g.Share[0] {
		k = 1
	}
	l := 1 - k
	for _, c := range []struct {
		name           string
		got, want, tol float64 // tol: four standard deviations
	}{
		{"share", g.Share[k], 0.25, 1e-4}, // they overlap hardly
		{"mean", g.Mean[2*k], -2, 4 * 0.5 / math.Sqrt(n/4)},
		{"mean", g.Mean[2*l+1], 0, 4 * 0.32 / math.Sqrt(n*3/4)},
		{"variance", g.Covariance[4*k], 0.25, 4 * 0.25 * math.Sqrt(8./n)},
		{"covariance", g.Covariance[4*l+1], 0.12, 4 * 0.18 * math.Sqrt(4./3/n)},
		{"covariance", g.Covariance[4*l+2], 0.12, 4 * 0.18 * math.Sqrt(4./3/n)},
		{"variance", g.Covariance[4*l+3], 0.10, 4 * 0.10 * math.Sqrt(8./3/n)},
	} {
		if math.Abs(c.got-c.want) > c.tol {
			t.Errorf("%s %g, want %g ± %g", c.name, c.got, c.want, c.tol)
		}
	}
	for k := range 2 { // Aᵀ A is the inverse of the covariance
		a, s := g.Factor[4*k:], g.Covariance[4*k:]
		p00, p01, p11 := a[0]*a[0]+a[2]*a[2], a[2]*a[3], a[3]*a[3]
		if math.Abs(p00*s[0]+p01*s[2]-1) > 1e-9 || math.Abs(p00*s[1]+p01*s[3]) > 1e-9 || math.Abs(p01*s[1]+p11*s[3]-1) > 1e-9 {
			t.Errorf("normal %d: the factor %v does not belong to the covariance %v", k, a[:4], s[:4])
		}
	}
}

// TestFitOfWhatIsNoData wants no mixture where there can be none.
func TestFitOfWhatIsNoData(t *testing.T) {
	x := islands(20_000)
	if Fit(t.Context(), 2, 2, x, nil, 1, 1) != nil {
		t.Error("a mixture of one row")
	}
	for _, row := range []int{0, 12_345} { // one that is looked at first, and one that is not
		bad := slices.Clone(x)
		bad[2*row] = float32(math.NaN())
		if Fit(t.Context(), 2, 2, bad, nil, 20_000, 1) != nil {
			t.Errorf("a mixture where row %d is not finite", row)
		}
	}
}
