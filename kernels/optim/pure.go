package optim

import "math"

func adamPure(w, m, v, g []float32, c *constants) {
	m, v, g = m[:len(w)], v[:len(w)], g[:len(w)]
	for i, g := range g {
		m[i] = c.beta1*m[i] + c.gain1*g
		v[i] = c.beta2*v[i] + c.gain2*g*g
		w[i] = c.keep*w[i] - c.rate*m[i]/(c.root*float32(math.Sqrt(float64(v[i])))+c.epsilon)
	}
}

func sumSquaresPure(g []float32) float64 {
	var sum float64
	for _, g := range g {
		sum += float64(g) * float64(g)
	}
	return sum
}

func drainPure(dst, src []float32) {
	for i, x := range src {
		dst[i] += x
	}
	clear(src)
}
