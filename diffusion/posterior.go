package diffusion

import "context"

// Posterior is the posterior mean of a density of events, which may be conditional
// on a context: all that a solver needs to know of it. Its methods may be called by
// several goroutines at a time.
type Posterior interface {
	// Dim returns the number of features of an event.
	Dim() int
	// Context returns the number of features that the density is conditional on.
	Context() int
	// Mean stores in q (m×Dim) the posterior mean E[x_0 | x_t = x] of each row of x
	// (m×Dim), given the context c (m×Context), where events have shrunk by alpha ≥ 0
	// and the noise has the width sigma > 0; and in div (m), unless it is nil, its
	// divergence ∇·q, which is α/σ² times the trace of the covariance of x_0 given
	// x_t = x. A row's results depend on that row alone. q may not be x. When ctx is
	// cancelled Mean may return early; what it has stored is of no use then.
	Mean(ctx context.Context, q []float32, div []float64, x, c []float32, alpha, sigma float64)
}
