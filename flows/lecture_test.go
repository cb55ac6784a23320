package flows

import (
	"fmt"
	"math"
	"testing"

	"github.com/eidolon-hep/eidolon/kernels/dense"
)

// lectureLayer is a layer of the lecture's pseudocode on vectors of the whole length, written
// from that: a mask b, a swap M, and functions S and T.
type lectureLayer struct {
	b    []float64
	m    [][]float64
	s, t func(x []float64) []float64
}

func (l *lectureLayer) forward(x []float64) (y []float64, logJ float64) {
	x = times(x, l.m)
	s, t := l.s(masked(l.b, x)), l.t(masked(l.b, x))
	y = make([]float64, len(x))
	for j, b := range l.b {
		logJ += (1 - b) * s[j]
		y[j] = b*x[j] + (1-b)*(x[j]*math.Exp(s[j])+t[j])
	}
	return y, logJ
}

func (l *lectureLayer) inverse(y []float64) []float64 {
	s, t := l.s(masked(l.b, y)), l.t(masked(l.b, y))
	x := make([]float64, len(y))
	for j, b := range l.b {
		x[j] = b*y[j] + (1-b)*(y[j]-t[j])*math.Exp(-s[j])
	}
	transposed := make([][]float64, len(l.m))
	for i := range l.m {
		for j := range l.m {
			transposed[i] = append(transposed[i], l.m[j][i])
		}
	}
	return times(x, transposed) // M⁻¹ = Mᵀ, and M where the parts are equally long
}

func masked(b, x []float64) []float64 {
	y := make([]float64, len(x))
	for j := range y {
		y[j] = b[j] * x[j]
	}
	return y
}

func times(x []float64, m [][]float64) []float64 {
	y := make([]float64, len(x))
	for i := range x {
		for j := range y {
			y[j] += x[i] * m[i][j]
		}
	}
	return y
}

// fullNetwork is a network of D features to D features with two hidden layers of ReLU, from
// tensors for those d that the mask shows and those D−d that it does not: what it says of the
// others is nonsense that must not matter.
func fullNetwork(dim, d int, tensors [][]float64) func(x []float64) []float64 {
	const nonsense = 17
	return func(x []float64) []float64 {
		h := x[:d]
		for k := 0; k < len(tensors); k += 2 {
			w, bias := tensors[k], tensors[k+1]
			y := make([]float64, len(bias))
			for j := range y {
				y[j] = bias[j]
				for i, v := range h {
					y[j] += v * w[i*len(bias)+j]
				}
				if k < len(tensors)-2 {
					y[j] = max(y[j], 0)
				}
			}
			h = y
		}
		out := make([]float64, dim)
		for j := range out {
			out[j] = nonsense
			if j >= d {
				out[j] = h[j-d]
			}
		}
		return out
	}
}

// TestLectureRealNVP compares both directions with the pseudocode of the lecture in float64.
func TestLectureRealNVP(t *testing.T) {
	const layers, n = 6, 100
	for _, dim := range []int{1, 2, 3, 6, 7} {
		f := randomFlow(t, dim, 0, LectureRealNVP(dim, RealNVPOptions{Layers: layers, Hidden: []int{9, 8}, Activation: dense.ReLU})...)
		for i := range f.params.Value {
			f.params.Value[i] *= 0.5 // so that six layers without a bound do not overflow
		}
		f.Update()
		d := dim / 2
		tensors := map[string][]float64{}
		for _, tensor := range f.Tensors() {
			tensors[tensor.Name] = floats(tensor.Value)
		}
		var of []lectureLayer
		for i := range layers {
			network := func(name string) func(x []float64) []float64 {
				var all [][]float64
				for k := range 3 {
					for _, part := range []string{"weight", "bias"} {
						all = append(all, tensors[fmt.Sprintf("%d.%s.%d.%s", 2*i+1, name, k, part)])
					}
				}
				return fullNetwork(dim, d, all)
			}
			l := lectureLayer{b: make([]float64, dim), s: network("s"), t: network("t")}
			for j := range dim {
				l.m = append(l.m, make([]float64, dim))
				l.m[j][(j+d)%dim] = 1 // (x_B, x_A) M = (x_A, x_B)
				if j < d {
					l.b[j] = 1
				}
			}
			of = append(of, l)
		}
		x := normals(n*dim, 3)
		y, back := make([]float32, len(x)), make([]float32, len(x))
		logDet, logBack := make([]float32, n), make([]float32, n)
		f.Forward(y, logDet, x, nil)
		f.Inverse(back, logBack, y, nil)
		near := func(got float32, want, scale float64) bool { return math.Abs(float64(got)-want) < 2e-5*(1+scale) }
		for i := range n {
			z := floats(x[i*dim : (i+1)*dim])
			logJ, scale := 0.0, 0.0
			for k := range of {
				var log float64
				z, log = of[k].forward(z)
				logJ += log
				for _, v := range z {
					scale = max(scale, math.Abs(v))
				}
			}
			from := floats(y[i*dim : (i+1)*dim])
			for k := layers - 1; k >= 0; k-- {
				from = of[k].inverse(from)
			}
			for j := range dim {
				if !near(y[i*dim+j], z[j], scale) {
					t.Fatalf("D = %d: y is %v, want %v", dim, y[i*dim:(i+1)*dim], z)
				}
				if !near(back[i*dim+j], from[j], 100*scale) {
					t.Fatalf("D = %d: x is %v, want %v", dim, back[i*dim:(i+1)*dim], from)
				}
			}
			if !near(logDet[i], logJ, math.Abs(logJ)) || !near(logBack[i], -logJ, 10*scale) {
				t.Fatalf("D = %d: log|det J| is %g and %g back, want %g", dim, logDet[i], logBack[i], logJ)
			}
		}
	}
}
