// Package diffusion learns densities of events by reverse-time diffusion, without
// training and with: the schedules α(t), σ(t) by which events drown in noise, the
// posterior means that lead back, the solvers that follow them, and the models that
// this makes.
//
// # Models
//
// A [Kernels] model holds the training events and needs no training. A [Denoiser] is a
// network that learns the posterior mean, and generalises; where events come as islands,
// it learns what the closed form of a mixture of normals gets wrong. A [Distilled] map does
// in one pass of a network what one of these takes tens of evaluations for. All draw events by
// number, independent of each other, have a log-density, and are loaded by [Load].
//
// Below them, [Mixture] is the posterior mean by kernel sums over a tree of events, any
// [Posterior] is solved by a [Solver], and [Copies] says how much of a sample was
// copied from another.
//
// # The equation
//
// Events x_0 turn into noise while t goes from 0 to 1,
//
//	p(x_t|x_0) = N(α x_0, σ² 1),  α(0) = 1, α(1) = 0, σ(1) = 1
//
// so that x_1 is a standard normal that has forgotten x_0. An ordinary
// differential equation has the same densities p_t, and is smooth, deterministic
// and invertible. Solved from t = 1 down, it turns noise into events:
//
//	dx/dt = λ x + μ q(t, x),  λ = d log σ/dt,  μ = α d log(α/σ)/dt
//
// where the posterior mean q(t, x) = E[x_0 | x_t = x] is all that depends on the
// data (arXiv:2310.14458).
//
// # Without the singularities
//
// λ and μ are infinite where σ = 0, and log(α/σ) is −∞ where α = 0. Nothing is
// infinite at t = 1 when the same equation is written with the signal-to-noise
// ratio r = α/σ for its time,
//
//	d(x/σ) = q dr
//
// and nothing is infinite at σ = 0 when it is integrated from s to t at a
// constant q:
//
//	x_t = (σ_t/σ_s) x_s + (α_t − α_s σ_t/σ_s) q
//
// [Schedule.Step] returns these two coefficients, finite and free of
// cancellation. They are the step of order 1 of DPM-Solver++ (arXiv:2211.01095);
// the higher orders add differences of q over steps in log r. A solver with steps
// in log σ has dx/d log σ = x + (μ/λ) q, see [Schedule.MuOverLambda].
package diffusion
