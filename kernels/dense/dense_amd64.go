//go:build !purego

package dense

import (
	"unsafe"

	"github.com/eidolon-hep/eidolon/kernels/cpu"
)

const (
	// blockFloats is how many floats of a product's input are worked on at a
	// time, so that they and their results stay in the second cache from panel
	// to panel.
	blockFloats = 1 << 13
	// tileRows is a multiple of the rows of every tile.
	tileRows = 12
	// overhang is the number of last rows that may lie less than 8 floats
	// before the end of a matrix narrower than 8.
	overhang = 7
	// gatherRows is the number of rows over which a gradient of the weights is
	// summed in registers: their panel of dz stays in the first cache.
	gatherRows = 128
)

func packPanel(dst, w []float32, k, n, start, width int) {
	if !cpu.AVX2 || k == 0 || width < 16 {
		packPanelPure(dst, w, k, n, start, width)
		return
	}
	pack16(&dst[0], &w[start], k, n)
}

func packT(dst, w []float32, k, n int) {
	if !cpu.AVX2 || k < 8 || n < 8 {
		packTPure(dst, w, k, n)
		return
	}
	for j := 0; j < k; {
		start, width := panel(j, k)
		for c := 0; c < width; c += 8 {
			transpose8(&dst[c], &w[(start+c)*n], n/8, width, n)
			for p := n &^ 7; p < n; p++ {
				for r := range 8 {
					dst[p*width+c+r] = w[(start+c+r)*n+p]
				}
			}
		}
		dst = dst[n*width:]
		j = start + width
	}
}

func forward(y, z, x, wp, b []float32, m, k, n int, act Activation) {
	if !cpu.AVX2 {
		forwardPure(y, z, x, wp, b, m, k, n, act)
		return
	}
	if n >= 8 {
		forwardBlocks(y, z, x, wp, b, m, k, n, act)
		return
	}

	// Eight columns are computed. What a row writes beyond its end is the next
	// row's, which comes later; the last rows go through a matrix with room.
	var bias [8]float32
	copy(bias[:], b)
	inside := max(0, m-overhang)
	forwardBlocks(y, z, x, wp, bias[:], inside, k, n, act)

	var lastY, lastZ [overhang * 8]float32
	forwardBlocks(lastY[:], lastZ[:], x[inside*k:], wp, bias[:], m-inside, k, 8, act)
	for i := inside; i < m; i++ {
		copy(y[i*n:][:n], lastY[(i-inside)*8:])
		if z != nil {
			copy(z[i*n:][:n], lastZ[(i-inside)*8:])
		}
	}
}

// forwardBlocks takes the rows block by block, and of each block panel by
// panel. Panels may reach beyond the end of their row.
func forwardBlocks(y, z, x, wp, b []float32, m, k, n int, act Activation) {
	for i, rows := 0, 0; i < m; i += rows {
		rows = blockRows(m-i, k)
		x := unsafe.SliceData(x[i*k:])
		wp := wp
		for j := 0; j < n; {
			start, width := panel(j, n)
			y := &y[i*n+start]
			var zp *float32
			if z != nil {
				zp = &z[i*n+start]
			}
			switch {
			case cpu.AVX512 && n-j >= 32:
				width = 32
				forward32Wide(y, zp, x, unsafe.SliceData(wp), &b[start], rows, k, n, int(act))
			case cpu.AVX512 && width == 16:
				forward16Wide(y, zp, x, unsafe.SliceData(wp), &b[start], rows, k, n, int(act))
			case width == 16:
				forward16(y, zp, x, unsafe.SliceData(wp), &b[start], rows, k, n, int(act))
			default:
				forward8(y, zp, x, unsafe.SliceData(wp), &b[start], rows, k, n, int(act))
			}
			wp = wp[k*width:]
			j = start + width
		}
		if act == SiLU || act == Tanh {
			activateFlat(y[i*n:][:rows*n], act)
		}
	}
}

func activateFlat(y []float32, act Activation) {
	p, n := unsafe.SliceData(y), len(y)
	switch {
	case !cpu.AVX2:
		activatePure(y, act)
	case cpu.AVX512 && act == ReLU:
		reluWide(p, n)
	case cpu.AVX512 && act == LeakyReLU:
		leakyReLUWide(p, n)
	case cpu.AVX512 && act == SiLU:
		siluWide(p, n)
	case cpu.AVX512 && act == Tanh:
		tanhWide(p, n)
	case act == ReLU:
		relu(p, n)
	case act == LeakyReLU:
		leakyReLU(p, n)
	case act == SiLU:
		silu(p, n)
	case act == Tanh:
		tanh(p, n)
	}
}

func addTo(y, x []float32) {
	switch {
	case cpu.AVX512:
		addWide(unsafe.SliceData(y), unsafe.SliceData(x), len(y))
	case cpu.AVX2:
		add(unsafe.SliceData(y), unsafe.SliceData(x), len(y))
	default:
		addPure(y, x)
	}
}

func gradInput(dx, dz, wtp, s []float32, m, k, n int, act Activation) {
	if !cpu.AVX2 {
		gradInputPure(dx, dz, wtp, s, m, k, n, act)
		return
	}
	if k >= 8 {
		gradInputBlocks(dx, dz, wtp, s, m, k, n, act)
		return
	}

	inside := max(0, m-overhang)
	gradInputBlocks(dx, dz, wtp, s, inside, k, n, act)

	var lastX, lastS [overhang * 8]float32
	if act != None {
		for i := inside; i < m; i++ {
			copy(lastS[(i-inside)*8:], s[i*k:][:k])
		}
	}
	gradInputBlocks(lastX[:], dz[inside*n:], wtp, lastS[:], m-inside, 8, n, act)
	for i := inside; i < m; i++ {
		copy(dx[i*k:][:k], lastX[(i-inside)*8:])
	}
}

func gradInputBlocks(dx, dz, wtp, s []float32, m, k, n int, act Activation) {
	fused := act
	if act == SiLU {
		fused = None
	}
	for i, rows := 0, 0; i < m; i += rows {
		rows = blockRows(m-i, n)
		dz := unsafe.SliceData(dz[i*n:])
		wtp := wtp
		for j := 0; j < k; {
			start, width := panel(j, k)
			dx := &dx[i*k+start]
			var sp *float32
			if fused != None {
				sp = &s[i*k+start]
			}
			switch {
			case cpu.AVX512 && k-j >= 32:
				width = 32
				gradInput32Wide(dx, sp, dz, unsafe.SliceData(wtp), rows, n, k, int(fused))
			case cpu.AVX512 && width == 16:
				gradInput16Wide(dx, sp, dz, unsafe.SliceData(wtp), rows, n, k, int(fused))
			case width == 16:
				gradInput16(dx, sp, dz, unsafe.SliceData(wtp), rows, n, k, int(fused))
			default:
				gradInput8(dx, sp, dz, unsafe.SliceData(wtp), rows, n, k, int(fused))
			}
			wtp = wtp[n*width:]
			j = start + width
		}
		switch {
		case act == SiLU && cpu.AVX512:
			siluGradientWide(&dx[i*k], &s[i*k], rows*k)
		case act == SiLU:
			siluGradient(&dx[i*k], &s[i*k], rows*k)
		}
	}
}

// blockRows is the number of rows in the first block of m rows of k floats. No
// block is left with fewer rows than a tile.
func blockRows(m, k int) int {
	rows := max(4, blockFloats/tileRows/max(k, 1)) * tileRows
	if m < rows+tileRows {
		return m
	}
	return rows
}

func gradWeights(dw, db, x, dz []float32, m, k, n int) {
	if !cpu.AVX2 {
		gradWeightsPure(dw, db, x, dz, m, k, n)
		return
	}
	blocks := (m + gatherRows - 1) / gatherRows
	block := (m + blocks - 1) / blocks
	for i := 0; i < m; i += block {
		rows := min(block, m-i)
		x, dz := x[i*k:], dz[i*n:]
		if cpu.AVX512 {
			gradWeightsBlockWide(dw, db, x, dz, rows, k, n)
		} else {
			gradWeightsBlock(dw, db, x, dz, rows, k, n)
		}
	}
}

// gradWeightsBlock adds what at most gatherRows rows contribute.
func gradWeightsBlock(dw, db, x, dz []float32, m, k, n int) {
	for j := 0; j < n; {
		columns := min(n-j, 16)
		gradWeightsPanel(dw, db, x, dz, m, k, n, j, columns)
		j += columns
	}
}

// gradWeightsPanel is gradWeightsBlock for at most 16 columns from j on.
func gradWeightsPanel(dw, db, x, dz []float32, m, k, n, j, columns int) {
	var gathered [gatherRows * 16]float32
	g, w, xp := &gathered[0], unsafe.SliceData(dw[min(j, len(dw)):]), unsafe.SliceData(x)
	if columns > 8 {
		gather16(g, &db[j], &dz[j], m, n, columns)
		gradWeights16(w, xp, g, m, k, n, columns)
	} else {
		gather8(g, &db[j], &dz[j], m, n, columns)
		gradWeights8(w, xp, g, m, k, n, columns)
	}
}

// gradWeightsBlockWide is gradWeightsBlock with AVX-512, which reads dz where it is:
// tiles are so large that it is read seldom.
func gradWeightsBlockWide(dw, db, x, dz []float32, m, k, n int) {
	inside := n // columns whose registers are more than half full
	if last := n % 16; 0 < last && last <= 8 {
		inside -= last
	}
	for j := 0; j < inside; j += 64 {
		sumRowsWide(&db[j], &dz[j], m, n, min(inside-j, 64))
	}
	for j := 0; j < n; {
		w, xp := unsafe.SliceData(dw[min(j, len(dw)):]), unsafe.SliceData(x)
		columns := min(n-j, 16)
		switch {
		case n-j >= 32:
			columns = 32
			gradWeights32Wide(w, xp, &dz[j], m, k, n)
		case j < inside:
			gradWeights16Wide(w, xp, &dz[j], m, k, n, columns)
		default:
			gradWeightsPanel(dw, db, x, dz, m, k, n, j, columns)
		}
		j += columns
	}
}
