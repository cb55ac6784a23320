package dense

import "math"

// rowBlock is the number of rows whose contributions to a gradient of the
// weights are summed before they are added to it.
const rowBlock = 64

func packPanelPure(dst, w []float32, k, n, start, width int) {
	used := min(width, n-start)
	for p := range k {
		clear(dst[copy(dst, w[p*n+start:][:used]):width])
		dst = dst[width:]
	}
}

func packTPure(dst, w []float32, k, n int) {
	for j := 0; j < k; {
		start, width := panel(j, k)
		used := min(width, k-start)
		for c := range width {
			if c >= used {
				for p := range n {
					dst[p*width+c] = 0
				}
				continue
			}
			for p, v := range w[(start+c)*n:][:n] {
				dst[p*width+c] = v
			}
		}
		dst = dst[n*width:]
		j = start + width
	}
}

func forwardPure(y, z, x, wp, b []float32, m, k, n int, act Activation) {
	var bias [8]float32
	for j := 0; j < n; {
		start, width := panel(j, n)
		for half := 0; half < width; half += 8 {
			columns := min(8, n-start-half)
			copy(bias[:], b[start+half:][:columns])
			for i := range m {
				sums := bias
				row8(&sums, x[i*k:][:k], wp, half, width)
				copy(y[i*n+start+half:][:columns], sums[:])
			}
		}
		wp = wp[k*width:]
		j = start + width
	}
	if z != nil {
		copy(z, y)
	}
	activatePure(y, act)
}

func gradInputPure(dx, dz, wtp, s []float32, m, k, n int, act Activation) {
	for j := 0; j < k; {
		start, width := panel(j, k)
		for half := 0; half < width; half += 8 {
			columns := min(8, k-start-half)
			for i := range m {
				var sums [8]float32
				row8(&sums, dz[i*n:][:n], wtp, half, width)
				copy(dx[i*k+start+half:][:columns], sums[:])
			}
		}
		wtp = wtp[n*width:]
		j = start + width
	}
	derivePure(dx, s, act)
}

func gradWeightsPure(dw, db, x, dz []float32, m, k, n int) {
	for first := 0; first < m; first += rowBlock {
		last := min(first+rowBlock, m)
		for j := range n {
			var sum float32
			for i := first; i < last; i++ {
				sum += dz[i*n+j]
			}
			db[j] += sum
		}
		for j := 0; j < n; j += 8 {
			columns := min(8, n-j)
			for p := range k {
				var sums [8]float32
				if columns == 8 {
					column8(&sums, x[first*k+p:], dz[first*n+j:], k, n, last-first)
				} else {
					for i := first; i < last; i++ {
						for c, g := range dz[i*n+j:][:columns] {
							sums[c] += x[i*k+p] * g
						}
					}
				}
				for c := range dw[p*n+j:][:columns] {
					dw[p*n+j+c] += sums[c]
				}
			}
		}
	}
}

// row8 adds to sums the product of a row x with eight columns, from the column
// first on, of a panel.
func row8(sums *[8]float32, x, panel []float32, first, width int) {
	s0, s1, s2, s3, s4, s5, s6, s7 := sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], sums[6], sums[7]
	for p, v := range x {
		w := (*[8]float32)(panel[p*width+first:])
		s0 += v * w[0]
		s1 += v * w[1]
		s2 += v * w[2]
		s3 += v * w[3]
		s4 += v * w[4]
		s5 += v * w[5]
		s6 += v * w[6]
		s7 += v * w[7]
	}
	*sums = [8]float32{s0, s1, s2, s3, s4, s5, s6, s7}
}

// column8 adds to sums the product of a column of x with eight columns of dz,
// over m rows that are k and n floats apart.
func column8(sums *[8]float32, x, dz []float32, k, n, m int) {
	s0, s1, s2, s3, s4, s5, s6, s7 := sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], sums[6], sums[7]
	for i := range m {
		v := x[i*k]
		g := (*[8]float32)(dz[i*n:])
		s0 += v * g[0]
		s1 += v * g[1]
		s2 += v * g[2]
		s3 += v * g[3]
		s4 += v * g[4]
		s5 += v * g[5]
		s6 += v * g[6]
		s7 += v * g[7]
	}
	*sums = [8]float32{s0, s1, s2, s3, s4, s5, s6, s7}
}

func addPure(y, x []float32) {
	for i, v := range x {
		y[i] += v
	}
}

func activatePure(y []float32, act Activation) {
	switch act {
	case ReLU:
		for i, v := range y {
			if v <= 0 {
				y[i] = 0
			}
		}
	case LeakyReLU:
		for i, v := range y {
			if v <= 0 {
				y[i] = slope * v
			}
		}
	case SiLU:
		for i, v := range y {
			v := math.Max(float64(v), -far)
			y[i] = float32(v * sigmoid(v))
		}
	case Tanh:
		for i, v := range y {
			y[i] = float32(math.Tanh(float64(v)))
		}
	}
}

func derivePure(dx, s []float32, act Activation) {
	switch act {
	case ReLU:
		for i, v := range s {
			if v <= 0 {
				dx[i] = 0
			}
		}
	case LeakyReLU:
		for i, v := range s {
			if v <= 0 {
				dx[i] *= slope
			}
		}
	case SiLU:
		for i, v := range s {
			v := math.Max(-far, math.Min(far, float64(v)))
			dx[i] *= float32(sigmoid(v) * (1 + v*sigmoid(-v)))
		}
	case Tanh:
		for i, v := range s {
			dx[i] *= 1 - v*v
		}
	}
}

// far is beyond what matters to a sigmoid; an infinite number times its limit 0
// would be NaN.
const far = 800

func sigmoid(v float64) float64 { return 1 / (1 + math.Exp(-v)) }
