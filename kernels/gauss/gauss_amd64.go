//go:build !purego

package gauss

import "github.com/eidolon-hep/eidolon/kernels/cpu"

type (
	scoreKernel func(v, y, base, events *float32, blocks, dim int, scale float32) int32
	sumKernel   func(lanes, w, v, x *float32, blocks, rows, columns int)
)

// The kernels for 1, 2, … dimensions, for 0, 1, … columns beside the weights, and
// for 1, 2, … columns alone.
var (
	scoresAVX2 = [...]scoreKernel{
		scores1AVX2, scores2AVX2, scores3AVX2, scores4AVX2, scores5AVX2, scores6AVX2, scores7AVX2, scores8AVX2,
		scores9AVX2, scores10AVX2, scores11AVX2, scores12AVX2, scores13AVX2, scores14AVX2, scores15AVX2, scores16AVX2,
	}
	scoresAVX512 = [...]scoreKernel{
		scores1AVX512, scores2AVX512, scores3AVX512, scores4AVX512, scores5AVX512, scores6AVX512, scores7AVX512, scores8AVX512,
		scores9AVX512, scores10AVX512, scores11AVX512, scores12AVX512, scores13AVX512, scores14AVX512, scores15AVX512, scores16AVX512,
	}
	sumsAVX2       = [...]sumKernel{sums0AVX2, sums1AVX2, sums2AVX2, sums3AVX2}
	sumsAVX512     = [...]sumKernel{sums0AVX512, sums1AVX512, sums2AVX512, sums3AVX512}
	productsAVX2   = [...]sumKernel{products1AVX2, products2AVX2, products3AVX2, products4AVX2}
	productsAVX512 = [...]sumKernel{products1AVX512, products2AVX512, products3AVX512, products4AVX512}
)

func scores(v, y, base, events []float32, blocks, dim int, scale float32) int32 {
	vp, yp, bp, ep := &v[0], &y[0], &base[0], &events[0]
	switch {
	case cpu.AVX512 && dim <= len(scoresAVX512):
		return scoresAVX512[dim-1](vp, yp, bp, ep, blocks, dim, scale)
	case cpu.AVX512:
		return scoresManyAVX512(vp, yp, bp, ep, blocks, dim, scale)
	case cpu.AVX2 && dim <= len(scoresAVX2):
		return scoresAVX2[dim-1](vp, yp, bp, ep, blocks, dim, scale)
	case cpu.AVX2:
		return scoresManyAVX2(vp, yp, bp, ep, blocks, dim, scale)
	}
	return scoresPure(v, y, base, events, blocks, dim, scale)
}

func lowest(low, v []float32, blocks int) {
	switch {
	case cpu.AVX512:
		lowestAVX512(&low[0], &v[0], blocks)
	case cpu.AVX2:
		lowestAVX2(&low[0], &v[0], blocks)
	default:
		lowestPure(low, v, blocks)
	}
}

func weights(w, v []float32, blocks int) {
	switch {
	case cpu.AVX512:
		weightsAVX512(&w[0], &v[0], blocks)
	case cpu.AVX2:
		weightsAVX2(&w[0], &v[0], blocks)
	default:
		weightsPure(w, v, blocks)
	}
}

// addProducts takes three columns with the sum of the weights, and the others in
// fours, so that every kernel has additions enough to keep the processor busy.
func addProducts(lane, w, events []float32, blocks, dim, columns int) {
	sums, products := &sumsAVX2, &productsAVX2
	switch {
	case cpu.AVX512:
		sums, products = &sumsAVX512, &productsAVX512
	case !cpu.AVX2:
		addProductsPure(lane, w, events, blocks, dim, columns)
		return
	}
	wp, rows, all := &w[0], rowCount(dim), sumCount(dim)
	done := min(len(sums)-1, columns)
	sums[done](&lane[0], wp, nil, &events[BlockLen], blocks, rows, all)
	for done < columns {
		n := min(len(products), columns-done)
		products[n-1](&lane[(1+done)*lanes], wp, nil, &events[(1+done)*BlockLen], blocks, rows, all)
		done += n
	}
}

func addSquares(lane, w []float32, blocks, dim int) {
	switch {
	case cpu.AVX512:
		squaresAVX512(&lane[squaresSum(dim)*lanes], &w[0], nil, nil, blocks, rowCount(dim), sumCount(dim))
	case cpu.AVX2:
		squaresAVX2(&lane[squaresSum(dim)*lanes], &w[0], nil, nil, blocks, rowCount(dim), sumCount(dim))
	default:
		addSquaresPure(lane, w, blocks, dim)
	}
}

func addExcess(lane, w, v, events []float32, blocks, dim int) {
	switch {
	case cpu.AVX512:
		excessAVX512(&lane[excessSum(dim)*lanes], &w[0], &v[0], &events[0], blocks, rowCount(dim), sumCount(dim))
	case cpu.AVX2:
		excessAVX2(&lane[excessSum(dim)*lanes], &w[0], &v[0], &events[0], blocks, rowCount(dim), sumCount(dim))
	default:
		addExcessPure(lane, w, v, events, blocks, dim)
	}
}
