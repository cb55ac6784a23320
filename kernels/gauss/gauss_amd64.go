//go:build !purego

package gauss

import "github.com/eidolon-hep/eidolon/kernels/cpu"

func scores(v, y, base, events []float32, blocks, dim int, scale float32) int32 {
	if !cpu.AVX2 {
		return scoresPure(v, y, base, events, blocks, dim, scale)
	}
	vp, yp, bp, ep := &v[0], &y[0], &base[0], &events[0]
	switch dim {
	case 1:
		return scores1(vp, yp, bp, ep, blocks, dim, scale)
	case 2:
		return scores2(vp, yp, bp, ep, blocks, dim, scale)
	case 3:
		return scores3(vp, yp, bp, ep, blocks, dim, scale)
	case 4:
		return scores4(vp, yp, bp, ep, blocks, dim, scale)
	case 5:
		return scores5(vp, yp, bp, ep, blocks, dim, scale)
	case 6:
		return scores6(vp, yp, bp, ep, blocks, dim, scale)
	case 7:
		return scores7(vp, yp, bp, ep, blocks, dim, scale)
	case 8:
		return scores8(vp, yp, bp, ep, blocks, dim, scale)
	case 9:
		return scores9(vp, yp, bp, ep, blocks, dim, scale)
	case 10:
		return scores10(vp, yp, bp, ep, blocks, dim, scale)
	case 11:
		return scores11(vp, yp, bp, ep, blocks, dim, scale)
	case 12:
		return scores12(vp, yp, bp, ep, blocks, dim, scale)
	case 13:
		return scores13(vp, yp, bp, ep, blocks, dim, scale)
	case 14:
		return scores14(vp, yp, bp, ep, blocks, dim, scale)
	case 15:
		return scores15(vp, yp, bp, ep, blocks, dim, scale)
	case 16:
		return scores16(vp, yp, bp, ep, blocks, dim, scale)
	}
	return scoresMany(vp, yp, bp, ep, blocks, dim, scale)
}

func lowest(low, v []float32, blocks int) {
	if !cpu.AVX2 {
		lowestPure(low, v, blocks)
		return
	}
	lowestAVX2(&low[0], &v[0], blocks)
}

func weights(w, v []float32, blocks int) {
	if !cpu.AVX2 {
		weightsPure(w, v, blocks)
		return
	}
	weightsAVX2(&w[0], &v[0], blocks)
}

// addProducts takes three columns with the sum of the weights, and the others in
// fours, so that every kernel has additions enough to keep the processor busy.
func addProducts(lane, w, events []float32, blocks, dim, columns int) {
	if !cpu.AVX2 {
		addProductsPure(lane, w, events, blocks, dim, columns)
		return
	}
	wp, rows, sums := &w[0], rowCount(dim), sumCount(dim)
	to, x := &lane[0], &events[BlockLen]
	done := min(3, columns)
	switch done {
	case 0:
		sums0(to, wp, nil, x, blocks, rows, sums)
	case 1:
		sums1(to, wp, nil, x, blocks, rows, sums)
	case 2:
		sums2(to, wp, nil, x, blocks, rows, sums)
	case 3:
		sums3(to, wp, nil, x, blocks, rows, sums)
	}
	for done < columns {
		to, x = &lane[(1+done)*lanes], &events[(1+done)*BlockLen]
		switch columns - done {
		case 1:
			products1(to, wp, nil, x, blocks, rows, sums)
		case 2:
			products2(to, wp, nil, x, blocks, rows, sums)
		case 3:
			products3(to, wp, nil, x, blocks, rows, sums)
		default:
			products4(to, wp, nil, x, blocks, rows, sums)
		}
		done += 4
	}
}

func addSquares(lane, w []float32, blocks, dim int) {
	if !cpu.AVX2 {
		addSquaresPure(lane, w, blocks, dim)
		return
	}
	squares(&lane[squaresSum(dim)*lanes], &w[0], nil, nil, blocks, rowCount(dim), sumCount(dim))
}

func addExcess(lane, w, v, events []float32, blocks, dim int) {
	if !cpu.AVX2 {
		addExcessPure(lane, w, v, events, blocks, dim)
		return
	}
	excess(&lane[excessSum(dim)*lanes], &w[0], &v[0], &events[0], blocks, rowCount(dim), sumCount(dim))
}
