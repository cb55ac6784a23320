package gauss

import "math"

// exp2 are the coefficients of asm/gauss/weights.go.
var exp2 = [...]float32{1, 0x1.62e42ap-01, 0x1.ebf9c2p-03, 0x1.c6b6d8p-05, 0x1.3ce8acp-07, 0x1.5bda4p-10}

// scoresPure is, for every query i of a tile and event j of the blocks,
//
//	v[i,j] = (Σ_d (y[i,d] − x0[j,d])² − base[i])·scale + penalty[j]
//
// where v has for each block and query a row of BlockLen floats. It returns the
// bits of the least v, in the order of integers.
func scoresPure(v, y, base, events []float32, blocks, dim int, scale float32) int32 {
	least := int32(math.MaxInt32)
	for b := range blocks {
		block := events[b*blockSize(dim):][:blockSize(dim)]
		for i := range tileLen {
			var sums [BlockLen]float32
			for d := range dim {
				yd := y[d*tileLen+i]
				for j, x := range block[(1+d)*BlockLen:][:BlockLen] {
					u := yd - x
					sums[j] += u * u
				}
			}
			to := row(v, b, i)
			for j, sum := range sums {
				to[j] = (sum-base[i])*scale + block[j]
				least = min(least, int32(math.Float32bits(to[j])))
			}
		}
	}
	return least
}

// lowestPure stores in each of the lanes of a query in low a v of which the
// least is the least v of the query.
func lowestPure(low, v []float32, blocks int) {
	for i := range tileLen {
		part := low[i*lanes:][:lanes]
		copy(part, row(v, 0, i))
		for b := range blocks {
			for j, value := range row(v, b, i) {
				part[j%lanes] = min(part[j%lanes], value)
			}
		}
	}
}

// weightsPure is w = 2⁻ᵛ for 0 ≤ v, 0 for v ≥ farthest. w may be v.
func weightsPure(w, v []float32, blocks int) {
	const rounder = 0x1.8p23
	for i, x := range v[:blocks*tileLen*BlockLen] {
		x = min(x, farthest)
		n := rounder - x // −round(x), in the low bits
		f := rounder - n - x
		p := exp2[5]
		for k := 4; k >= 0; k-- {
			p = p*f + exp2[k]
		}
		w[i] = math.Float32frombits(math.Float32bits(p) + math.Float32bits(n)<<23)
	}
}

// addProductsPure adds to the lanes of each query of a tile Σ w and, for so many
// columns of the events from the first dimension on, Σ w·x.
func addProductsPure(lane, w, events []float32, blocks, dim, columns int) {
	for i := range tileLen {
		addPure(lane, i, 0, dim, blocks, func(sums *[lanes]float32, b int) {
			for j, w := range row(w, b, i) {
				sums[j%lanes] += w
			}
		})
		for c := 1; c <= columns; c++ {
			addPure(lane, i, c, dim, blocks, func(sums *[lanes]float32, b int) {
				x := events[b*blockSize(dim)+c*BlockLen:][:BlockLen]
				for j, w := range row(w, b, i) {
					sums[j%lanes] += w * x[j]
				}
			})
		}
	}
}

// addSquaresPure adds Σ w².
func addSquaresPure(lane, w []float32, blocks, dim int) {
	for i := range tileLen {
		addPure(lane, i, squaresSum(dim), dim, blocks, func(sums *[lanes]float32, b int) {
			for j, w := range row(w, b, i) {
				sums[j%lanes] += w * w
			}
		})
	}
}

// addExcessPure adds Σ w·(v − penalty), v being at most farthest.
func addExcessPure(lane, w, v, events []float32, blocks, dim int) {
	for i := range tileLen {
		addPure(lane, i, excessSum(dim), dim, blocks, func(sums *[lanes]float32, b int) {
			v, penalty := row(v, b, i), events[b*blockSize(dim):][:BlockLen]
			for j, w := range row(w, b, i) {
				sums[j%lanes] += w * (min(v[j], farthest) - penalty[j])
			}
		})
	}
}

// addPure adds what add sums up over the blocks to the lanes of a sum of query i.
func addPure(lane []float32, i, column, dim, blocks int, add func(sums *[lanes]float32, b int)) {
	var sums [lanes]float32
	for b := range blocks {
		add(&sums, b)
	}
	for l, v := range sums {
		lane[(i*sumCount(dim)+column)*lanes+l] += v
	}
}

// row is what exponents or weights have for query i and block b.
func row(w []float32, b, i int) []float32 { return w[(b*tileLen+i)*BlockLen:][:BlockLen] }
