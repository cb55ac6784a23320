package table

import "math"

func forwardPure(y, x, t []float32, m, k, stride, cells, n int) {
	for l := range k {
		table := t[Len(l, cells, n):Len(l+1, cells, n)]
		for i := range m {
			cell, f, _ := place(x[i*stride+l], cells)
			out := y[i*n : (i+1)*n]
			low, high := knots(table, cell, n)
			g := 1 - f
			low, high = low[:len(out)], high[:len(out)] // no checks in the loop
			for j := range out {
				out[j] += g*low[j] + f*high[j]
			}
		}
	}
}

func backwardPure(dx, dt, dy, x, t []float32, m, k, stride, cells, n int) {
	for l := range k {
		from, to := Len(l, cells, n), Len(l+1, cells, n)
		for i := range m {
			cell, f, slope := place(x[i*stride+l], cells)
			d := dy[i*n : (i+1)*n]
			if dt != nil {
				low, high := knots(dt[from:to], cell, n)
				g := 1 - f
				low, high = low[:len(d)], high[:len(d)]
				for j, v := range d {
					low[j] += g * v
					high[j] += f * v
				}
			}
			if dx != nil {
				low, high := knots(t[from:to], cell, n)
				var sum float32
				low, high = low[:len(d)], high[:len(d)]
				for j, v := range d {
					sum += v * (high[j] - low[j])
				}
				dx[i*stride+l] += sum * slope
			}
		}
	}
}

// knots returns the rows of a table on both sides of a cell.
func knots(table []float32, cell, n int) (low, high []float32) {
	return table[cell*n : (cell+1)*n], table[(cell+1)*n : (cell+2)*n]
}

// place returns the cell of x, how far in it x is, and the derivative of that. NaN is in
// the first cell.
func place(x float32, cells int) (cell int, f, slope float32) {
	u := 1 / (1 + math.Exp(-steepness*float64(x)))
	at := u * float64(cells)
	cell = min(max(int(at), 0), cells-1)
	return cell, float32(at - float64(cell)), float32(steepness * u * (1 - u) * float64(cells))
}
