//go:build !amd64 || purego

package gauss

func scores(v, y, base, events []float32, blocks, dim int, scale float32) int32 {
	return scoresPure(v, y, base, events, blocks, dim, scale)
}

func lowest(low, v []float32, blocks int) { lowestPure(low, v, blocks) }

func weights(w, v []float32, blocks int) { weightsPure(w, v, blocks) }

func addProducts(lane, w, events []float32, blocks, dim, columns int) {
	addProductsPure(lane, w, events, blocks, dim, columns)
}

func addSquares(lane, w []float32, blocks, dim int) { addSquaresPure(lane, w, blocks, dim) }

func addExcess(lane, w, v, events []float32, blocks, dim int) {
	addExcessPure(lane, w, v, events, blocks, dim)
}
