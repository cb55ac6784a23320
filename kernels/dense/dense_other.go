//go:build !amd64 || purego

package dense

func packPanel(dst, w []float32, k, n, start, width int) { packPanelPure(dst, w, k, n, start, width) }

func packT(dst, w []float32, k, n int) { packTPure(dst, w, k, n) }

func forward(y, z, x, wp, b []float32, m, k, n int, act Activation) {
	forwardPure(y, z, x, wp, b, m, k, n, act)
}

func gradInput(dx, dz, wtp, s []float32, m, k, n int, act Activation) {
	gradInputPure(dx, dz, wtp, s, m, k, n, act)
}

func activateFlat(y []float32, act Activation) { activatePure(y, act) }

func addTo(y, x []float32) { addPure(y, x) }

func gradWeights(dw, db, x, dz []float32, m, k, n int) {
	gradWeightsPure(dw, db, x, dz, m, k, n)
}
