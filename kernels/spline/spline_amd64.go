//go:build !purego

package spline

import "github.com/eidolon-hep/eidolon/kernels/cpu"

func forward(y, logSlope, x, params []float32, bins int, bound, floor, free float32) {
	if inAssembly(x, bins) {
		forwardAVX2(y, logSlope, x, params, bins, bound, floor, free, group(bins))
	} else {
		forwardPure(y, logSlope, x, params, bins, bound, floor, free)
	}
}

func inverse(x, logSlope, y, params []float32, bins int, bound, floor, free float32) (clamped int) {
	if inAssembly(y, bins) {
		return inverseAVX2(x, logSlope, y, params, bins, bound, floor, free, group(bins))
	}
	return inversePure(x, logSlope, y, params, bins, bound, floor, free)
}

func backward(gx, gparams, gy, gl, x, params []float32, bins int, bound, floor, free float32) {
	if inAssembly(x, bins) {
		backwardAVX2(gx, gparams, gy, gl, x, params, bins, bound, floor, free, group(bins))
	} else {
		backwardPure(gx, gparams, gy, gl, x, params, bins, bound, floor, free)
	}
}

// inAssembly leaves the spline of one bin, the identity, to the twins.
func inAssembly(elements []float32, bins int) bool {
	return cpu.AVX2 && bins > 1 && len(elements) > 0
}

// group is how many vectors of elements with so many bins the assembly has room for.
func group(bins int) int { return min(8, MaxBins/bins) }
