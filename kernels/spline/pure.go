package spline

import "math"

// The twins compute in float64 and round at the end.

func forwardPure(y, logSlope, x, params []float32, bins int, bound, floor, free float32) {
	c := curve{bins: bins, bound: float64(bound), floor: float64(floor), free: float64(free)}
	for i, v := range x {
		if outside(v, bound) {
			y[i], logSlope[i] = v, 0
			continue
		}
		c.set(params[i*Params(bins):][:Params(bins)])
		p := c.pieceAt(float64(v), c.widths[:bins])
		xi := p.position(float64(v))
		y[i], logSlope[i] = float32(p.value(xi)), float32(p.logSlope(xi))
	}
}

func inversePure(x, logSlope, y, params []float32, bins int, bound, floor, free float32) (clamped int) {
	c := curve{bins: bins, bound: float64(bound), floor: float64(floor), free: float64(free)}
	for i, v := range y {
		if outside(v, bound) {
			x[i], logSlope[i] = v, 0
			continue
		}
		c.set(params[i*Params(bins):][:Params(bins)])
		p := c.pieceAt(float64(v), c.heights[:bins])
		xi, negative := p.solve(float64(v))
		if negative {
			clamped++
		}
		x[i], logSlope[i] = float32(p.x+xi*p.w), float32(-p.logSlope(xi))
	}
	return clamped
}

func backwardPure(gx, gparams, gy, gl, x, params []float32, bins int, bound, floor, free float32) {
	c := curve{bins: bins, bound: float64(bound), floor: float64(floor), free: float64(free)}
	for i, v := range x {
		out := gparams[i*Params(bins):][:Params(bins)]
		clear(out)
		if outside(v, bound) {
			gx[i] = gy[i]
			continue
		}
		c.set(params[i*Params(bins):][:Params(bins)])
		p := c.pieceAt(float64(v), c.widths[:bins])
		g := p.gradient(p.position(float64(v)), float64(gy[i]), float64(gl[i]))
		gx[i] = float32(-g.x)
		c.shareGradient(out[:bins], c.widths[:bins], p.bin, g.x, g.w)
		c.shareGradient(out[bins:2*bins], c.heights[:bins], p.bin, g.y, g.h)
		if p.bin > 0 {
			out[2*bins+p.bin-1] = float32(g.left * sigmoid(c.slopes[p.bin-1]))
		}
		if p.bin < bins-1 {
			out[2*bins+p.bin] = float32(g.right * sigmoid(c.slopes[p.bin]))
		}
	}
}

// outside is true for NaN too.
func outside(x, bound float32) bool { return !(x >= -bound && x <= bound) }

// curve is the spline of one element.
type curve struct {
	bins               int
	bound, floor, free float64
	widths, heights    [MaxBins]float64
	slopes             [MaxBins]float64 // logits, with slopeOffset, at the knots between bins
}

func (c *curve) set(params []float32) {
	c.share(c.widths[:c.bins], params[:c.bins])
	c.share(c.heights[:c.bins], params[c.bins:2*c.bins])
	for k, logit := range params[2*c.bins:] {
		c.slopes[k] = float64(logit) + slopeOffset
	}
}

// share divides the interval by the softmax of logits.
func (c *curve) share(dst []float64, logits []float32) {
	largest, sum := math.Inf(-1), 0.0
	for _, l := range logits {
		largest = max(largest, float64(l))
	}
	for k, l := range logits {
		dst[k] = math.Exp(float64(l) - largest)
		sum += dst[k]
	}
	for k := range dst {
		dst[k] = c.floor + c.free*dst[k]/sum
	}
}

// shareGradient turns the gradient of the left edge and the size of a bin into that of the logits.
func (c *curve) shareGradient(dst []float32, sizes []float64, bin int, edge, size float64) {
	mean := 0.0
	for k := range bin {
		mean += (sizes[k] - c.floor) * edge
	}
	mean = (mean + (sizes[bin]-c.floor)*size) / c.free
	for k := range dst {
		g := -mean
		switch {
		case k < bin:
			g += edge
		case k == bin:
			g += size
		}
		dst[k] = float32((sizes[k] - c.floor) * g)
	}
}

// piece is the spline within one bin: from (x, y) over (w, h) with the slopes at
// its ends. ξ = (x' − x)/w is the position in it.
type piece struct {
	bin         int
	x, w, y, h  float64
	left, right float64
}

// pieceAt is the piece whose range along widths or heights holds v.
func (c *curve) pieceAt(v float64, sizes []float64) piece {
	bin, edge := 0, -c.bound
	for bin < c.bins-1 && edge+sizes[bin] <= v {
		edge += sizes[bin]
		bin++
	}
	p := piece{bin: bin, x: -c.bound, w: c.widths[bin], y: -c.bound, h: c.heights[bin], left: 1, right: 1}
	for k := range bin {
		p.x += c.widths[k]
		p.y += c.heights[k]
	}
	if bin > 0 {
		p.left = minSlope + softplus(c.slopes[bin-1])
	}
	if bin < c.bins-1 {
		p.right = minSlope + softplus(c.slopes[bin])
	}
	return p
}

func (p piece) position(x float64) float64 { return min(max((x-p.x)/p.w, 0), 1) }

// terms of equations 4 and 5 of the paper: y = y_k + h·top/bottom and
// dy/dx = s²·rise/bottom².
func (p piece) terms(xi float64) (s, top, bottom, rise float64) {
	s = p.h / p.w
	z := xi * (1 - xi)
	top = s*xi*xi + p.left*z
	bottom = s + (p.left+p.right-2*s)*z
	rise = p.right*xi*xi + 2*s*z + p.left*(1-xi)*(1-xi)
	return s, top, bottom, rise
}

func (p piece) value(xi float64) float64 {
	_, top, bottom, _ := p.terms(xi)
	return p.y + p.h*top/bottom
}

func (p piece) logSlope(xi float64) float64 {
	s, _, bottom, rise := p.terms(xi)
	return math.Log(rise * (s / bottom) * (s / bottom))
}

// solve finds the position of y: the root of equations 6 to 8 that does not
// cancel. It reports whether the discriminant was negative and taken as zero.
func (p piece) solve(y float64) (xi float64, negative bool) {
	s := p.h / p.w
	dy := y - p.y
	bend := dy * (p.left + p.right - 2*s)
	a := p.h*(s-p.left) + bend
	b := p.h*p.left - bend
	c := -s * dy
	discriminant := b*b - 4*a*c
	xi = 2 * c / (-b - math.Sqrt(max(discriminant, 0)))
	return min(max(xi, 0), 1), discriminant < 0
}

// gradient of gy·y + gl·log(dy/dx) with respect to every number of the piece. That
// with respect to x' is the negative of that with respect to x.
func (p piece) gradient(xi, gy, gl float64) piece {
	s, top, bottom, rise := p.terms(xi)
	z := xi * (1 - xi)
	gTop := gy * p.h / bottom
	gBottom := -(gTop*top + 2*gl) / bottom
	gRise := gl / rise

	gs := 2*gl/s + xi*xi*gTop + (1-2*z)*gBottom + 2*z*gRise
	gxi := gTop*(2*s*xi+p.left*(1-2*xi)) +
		gBottom*(p.left+p.right-2*s)*(1-2*xi) +
		gRise*2*(p.right*xi+s*(1-2*xi)-p.left*(1-xi))
	return piece{
		x:     -gxi / p.w,
		w:     -(gxi*xi + gs*s) / p.w,
		y:     gy,
		h:     gy*top/bottom + gs/p.w,
		left:  z*(gTop+gBottom) + (1-xi)*(1-xi)*gRise,
		right: z*gBottom + xi*xi*gRise,
	}
}

func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
