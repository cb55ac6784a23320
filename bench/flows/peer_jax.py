"""Flows in JAX, compiled by XLA for the processor.

A sample is made of noise that is given, while Eidolon draws it: that is for nothing here.
"""

import jax
import jax.numpy as jnp
import numpy as np

from peer import BINS, BOUND, FEATURES, LAYERS

HALF = FEATURES // 2


class Affine:
    """y = x·exp(s) + t, s = 2 tanh(r/2)."""

    outputs = 2

    @staticmethod
    def forward(x, p):
        r, t = jnp.split(p, 2, 1)
        s = 2 * jnp.tanh(0.5 * r)
        return x * jnp.exp(s) + t, s.sum(1)

    @staticmethod
    def inverse(y, p):
        r, t = jnp.split(p, 2, 1)
        return (y - t) * jnp.exp(-2 * jnp.tanh(0.5 * r))


class Spline:
    """The rational-quadratic spline of arXiv:1906.04032. The bin is found by a chain of
    selections, of which XLA makes one loop: faster here than a gather."""

    outputs = 3 * BINS - 1

    @staticmethod
    def piece(v, p, axis):
        """The bin that v is in: x, y, width, height, slope at both ends. The parameters of all
        features stand side by side: p is m×outputs×n."""
        share = 1e-3 + (1 - 1e-3 * BINS) * jax.nn.softmax(p[:, : 2 * BINS].reshape(-1, 2, BINS, HALF), 2)
        size = 2 * BOUND * share
        one = jnp.ones_like(v)
        slopes = [one] + [1e-3 + jax.nn.softplus(p[:, 2 * BINS + k] + 0.5397424) for k in range(BINS - 1)] + [one]
        at = [-BOUND * one, -BOUND * one]
        bin = None
        for k in range(BINS):
            here = (at[0], at[1], size[:, 0, k], size[:, 1, k], slopes[k], slopes[k + 1])
            beyond = v >= at[axis]
            bin = here if bin is None else [jnp.where(beyond, new, old) for new, old in zip(here, bin)]
            at = [at[0] + size[:, 0, k], at[1] + size[:, 1, k]]
        return bin

    @classmethod
    def forward(cls, x, p):
        p = p.reshape(len(x), cls.outputs, HALF)
        inside = jnp.abs(x) < BOUND
        v = jnp.where(inside, x, 0)
        x0, y0, w, h, d0, d1 = cls.piece(v, p, 0)
        s = h / w
        t = (v - x0) / w
        u = 1 - t
        den = s + (d1 + d0 - 2 * s) * t * u
        y = y0 + h * (s * t * t + d0 * t * u) / den
        slope = s * s * (d1 * t * t + 2 * s * t * u + d0 * u * u) / (den * den)
        return jnp.where(inside, y, x), jnp.where(inside, jnp.log(slope), 0).sum(1)

    @classmethod
    def inverse(cls, y, p):
        p = p.reshape(len(y), cls.outputs, HALF)
        inside = jnp.abs(y) < BOUND
        v = jnp.where(inside, y, 0)
        x0, y0, w, h, d0, d1 = cls.piece(v, p, 1)
        s = h / w
        e = (v - y0) * (d1 + d0 - 2 * s)
        a = h * (s - d0) + e
        b = h * d0 - e
        c = -s * (v - y0)
        t = -2 * c / (b + jnp.sqrt(jnp.maximum(b * b - 4 * a * c, 0)))
        return jnp.where(inside, x0 + t * w, y)


TRANSFORMS = {"realnvp": Affine, "spline": Spline}


def start(transform, hidden, random):
    """Weights of all conditioners: two hidden layers; the last layer starts at zero."""
    sizes = [HALF, hidden, hidden, HALF * transform.outputs]
    draw = lambda i, o: (random.standard_normal((i, o)) * (2 / i) ** 0.5).astype(np.float32)
    net = lambda: [(jnp.asarray(draw(i, o) * (o != sizes[3])), jnp.zeros(o)) for i, o in zip(sizes, sizes[1:])]
    return [net() for _ in range(LAYERS)]


def conditioner(net, x):
    for w, b in net[:-1]:
        x = jax.nn.relu(x @ w + b)
    return x @ net[-1][0] + net[-1][1]


def noise(transform, nets, x):
    """The first half of the columns stays and conditions the second; then they change places."""
    a, b, log_det = x[:, :HALF], x[:, HALF:], 0
    for net in nets:
        y, log = transform.forward(b, conditioner(net, a))
        a, b, log_det = y, a, log_det + log
    return jnp.concatenate([a, b], 1), log_det


def log_density(transform, nets, x):
    z, log_det = noise(transform, nets, x)
    return log_det - 0.5 * (z * z).sum(1) - 0.9189385332046727 * FEATURES


def inverse(transform, nets, z):
    a, b = z[:, :HALF], z[:, HALF:]
    for net in reversed(nets):
        a, b = b, transform.inverse(a, conditioner(net, b))
    return jnp.concatenate([a, b], 1)


def adam_step(transform, state, x):
    """A step of Adam (arXiv:1412.6980)."""
    nets, m, v, step = state
    grad = jax.grad(lambda nets: -log_density(transform, nets, x).mean())(nets)
    step = step + 1
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, grad)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, grad)
    rate, unbias = 1e-3 / (1 - 0.9**step), 1 / (1 - 0.999**step)
    nets = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v * unbias) + 1e-8), nets, m, v)
    return nets, m, v, step


class Peer:
    def __init__(self, *_):
        self.random = np.random.default_rng(1)

    def rows(self, n):
        return jnp.asarray(self.random.standard_normal((n, FEATURES), np.float32))

    def ways(self, what, model, hidden, batch):
        """The one way to do what is asked for, a function for one call."""
        self.transform = TRANSFORMS[model]
        self.nets = start(self.transform, hidden, self.random)
        if what == "train":
            batches = [self.rows(batch) for _ in range(max(8, (1 << 13) // batch))]
            zero = lambda: jax.tree.map(jnp.zeros_like, self.nets)
            copy = jax.tree.map(jnp.copy, self.nets)
            state = [(copy, zero(), zero(), jnp.float32(0)), 0]
            step = jax.jit(lambda state, x: adam_step(self.transform, state, x), donate_argnums=0)

            def call():
                state[0] = jax.block_until_ready(step(state[0], batches[state[1] % len(batches)]))
                state[1] += 1

            yield call
            return
        x = self.rows(batch)
        direction = inverse if what == "sample" else log_density
        run = jax.jit(lambda nets, x: direction(self.transform, nets, x))
        yield lambda: jax.block_until_ready(run(self.nets, x))

    def parameters(self):
        return sum(w.size for w in jax.tree.leaves(self.nets))

    def check(self):
        """The largest |f⁻¹(f(x)) − x| over 1000 events, with other weights."""
        nets = jax.tree.map(lambda w: jnp.asarray(self.random.standard_normal(w.shape, np.float32)) * 0.5 * w.shape[0] ** -0.5 if w.ndim == 2 else w, self.nets)
        x = self.rows(1000)
        there_and_back = jax.jit(lambda x: inverse(self.transform, nets, noise(self.transform, nets, x)[0]))
        return float(jnp.abs(there_and_back(x) - x).max())
