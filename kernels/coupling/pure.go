package coupling

import "math"

func forwardPure(y, s, logDet, x, st []float32, m, n int, bound float32) {
	for i := range m {
		var sum float32
		for j := range n {
			sij := softBound(st[2*i*n+j], bound)
			y[i*n+j] = x[i*n+j]*exp(sij) + st[(2*i+1)*n+j]
			if s != nil {
				s[i*n+j] = sij
			}
			sum += sij
		}
		logDet[i] += sum
	}
}

func inversePure(x, logDet, y, st []float32, m, n int, bound float32) {
	for i := range m {
		var sum float32
		for j := range n {
			sij := softBound(st[2*i*n+j], bound)
			x[i*n+j] = (y[i*n+j] - st[(2*i+1)*n+j]) * exp(-sij)
			sum += sij
		}
		logDet[i] -= sum
	}
}

func backwardPure(gx, gst, gy, gl, x, s []float32, m, n int, bound float32) {
	for i := range m {
		for j := range n {
			g, sij := gy[i*n+j], s[i*n+j]
			ratio := sij / bound
			gst[(2*i+1)*n+j] = g
			g *= exp(sij)
			gst[2*i*n+j] = (g*x[i*n+j] + gl[i]) * (1 - ratio*ratio)
			gx[i*n+j] = g
		}
	}
}

func softBound(r, bound float32) float32 {
	return bound * float32(math.Tanh(float64(r/bound)))
}

func exp(x float32) float32 { return float32(math.Exp(float64(x))) }
