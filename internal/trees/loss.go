package trees

import "github.com/eidolon-hep/eidolon/kernels/vmath"

// Logistic is log(1+eˢ) − ys: it is lowest where s is the logarithm of the ratio of the densities of events
// with y = 1 and y = 0.
func Logistic() Loss {
	return Loss{
		Values: func(dst, s, y []float32) {
			vmath.Softplus(dst, s)
			for i := range dst {
				dst[i] -= y[i] * s[i]
			}
		},
		Slopes: func(first, second, s, y []float32) {
			vmath.Sigmoid(first, s)
			for i, p := range first {
				first[i], second[i] = p-y[i], p*(1-p)
			}
		},
	}
}

// Square is (s−y)²/2: it is lowest where s is the mean of y.
func Square() Loss {
	return Loss{
		Values: func(dst, s, y []float32) {
			for i := range dst {
				dst[i] = (s[i] - y[i]) * (s[i] - y[i]) / 2
			}
		},
		Slopes: func(first, second, s, y []float32) {
			for i := range first {
				first[i], second[i] = s[i]-y[i], 1
			}
		},
	}
}
