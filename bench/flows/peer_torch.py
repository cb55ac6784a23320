"""Flows in PyTorch, eager and compiled, and made of the parts of nflows."""

import importlib
import sys
import warnings
from unittest.mock import MagicMock

import torch
import torch.nn.functional as F
from torch import nn

from peer import BINS, BOUND, FEATURES, LAYERS


class Affine(nn.Module):
    """y = x·exp(s) + t, s = 2 tanh(r/2)."""

    outputs = 2

    def forward(self, x, p):
        r, t = p.chunk(2, 1)
        s = 2 * torch.tanh(0.5 * r)
        return torch.addcmul(t, x, s.exp()), s.sum(1)

    def inverse(self, y, p):
        r, t = p.chunk(2, 1)
        return (y - t) * torch.exp(-2 * torch.tanh(0.5 * r))


class Spline(nn.Module):
    """The rational-quadratic spline of arXiv:1906.04032, all elements at once."""

    outputs = 3 * BINS - 1

    def knots(self, p):
        """Knots along both axes (m×n×2×(bins+1)) and slopes (m×n×(bins+1))."""
        share = 1e-3 + (1 - 1e-3 * BINS) * torch.softmax(p[:, :, : 2 * BINS].unflatten(2, [2, BINS]), 3)
        at = F.pad(2 * BOUND * share.cumsum(3) - BOUND, (1, 0), value=-BOUND)
        slopes = F.pad(1e-3 + F.softplus(p[:, :, 2 * BINS :] + 0.5397424), (1, 1), value=1.0)
        return at, slopes

    def piece(self, v, p, axis):
        """The bin that v is in: x, y, width, height, slope at both ends."""
        at, slopes = self.knots(p)
        k = (v.unsqueeze(2) >= at[:, :, axis, 1:-1]).sum(2, keepdim=True)
        table = torch.cat([at, slopes.unsqueeze(2)], 2)  # m×n×3×(bins+1)
        k = k.unsqueeze(2).expand(-1, -1, 3, 1)
        lo, hi = table.gather(3, torch.cat([k, k + 1], 3)).unbind(3)
        x, y, d0 = lo.unbind(2)
        x1, y1, d1 = hi.unbind(2)
        return x, y, x1 - x, y1 - y, d0, d1

    def forward(self, x, p):
        p = p.unflatten(1, [x.shape[1], -1])
        inside = x.abs() < BOUND
        v = torch.where(inside, x, torch.zeros_like(x))
        x0, y0, w, h, d0, d1 = self.piece(v, p, 0)
        s = h / w
        t = (v - x0) / w
        u = 1 - t
        tu = t * u
        den = s + (d1 + d0 - 2 * s) * tu
        y = y0 + h * (s * t * t + d0 * tu) / den
        slope = s * s * (d1 * t * t + 2 * s * tu + d0 * u * u) / (den * den)
        log = torch.where(inside, slope.log(), torch.zeros_like(x))
        return torch.where(inside, y, x), log.sum(1)

    def inverse(self, y, p):
        p = p.unflatten(1, [y.shape[1], -1])
        inside = y.abs() < BOUND
        v = torch.where(inside, y, torch.zeros_like(y))
        x0, y0, w, h, d0, d1 = self.piece(v, p, 1)
        s = h / w
        e = (v - y0) * (d1 + d0 - 2 * s)
        a = h * (s - d0) + e
        b = h * d0 - e
        c = -s * (v - y0)
        t = -2 * c / (b + (b * b - 4 * a * c).clamp_min(0).sqrt())
        return torch.where(inside, x0 + t * w, y)


class Conditioner(nn.Module):
    """Two hidden layers with ReLU; the last layer starts at zero."""

    def __init__(self, inputs, hidden, outputs):
        super().__init__()
        self.first = nn.Linear(inputs, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, outputs)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x):
        return self.last(F.relu(self.second(F.relu(self.first(x)))))


class Flow(nn.Module):
    """The first half of the columns stays and conditions the second; then they change places."""

    def __init__(self, model, hidden):
        super().__init__()
        self.half = FEATURES // 2
        self.transform = Affine() if model == "realnvp" else Spline()
        self.nets = nn.ModuleList(
            Conditioner(self.half, hidden, self.half * self.transform.outputs) for _ in range(LAYERS)
        )

    def noise(self, x):
        a, b = x[:, : self.half], x[:, self.half :]
        log_det = torch.zeros(x.shape[0])
        for net in self.nets:
            y, log = self.transform(b, net(a))
            a, b = y, a
            log_det = log_det + log
        return torch.cat([a, b], 1), log_det

    def forward(self, x):
        z, log_det = self.noise(x)
        return log_det - 0.5 * z.square().sum(1) - 0.9189385332046727 * x.shape[1]

    def inverse(self, z):
        a, b = z[:, : self.half], z[:, self.half :]
        for net in reversed(self.nets):
            a, b = b, self.transform.inverse(a, net(b))
        return torch.cat([a, b], 1)


def nflow(model, hidden):
    """The same flow made of the parts of nflows (github.com/bayesiains/nflows)."""
    for name in "matplotlib", "matplotlib.pyplot", "UMNN":  # imported, but not needed here
        try:
            importlib.import_module(name)
        except ImportError:
            sys.modules[name] = MagicMock()
    from nflows.distributions.normal import StandardNormal
    from nflows.flows.base import Flow as Composed
    from nflows.transforms.base import CompositeTransform
    from nflows.transforms.coupling import PiecewiseRationalQuadraticCouplingTransform

    if model != "spline":
        raise ValueError(f"there is no {model} of nflows here")

    class Net(Conditioner):
        def __init__(self, inputs, outputs):
            super().__init__(inputs, hidden, outputs)

        def forward(self, x, context=None):
            return super().forward(x)

    masks = ([0] * (FEATURES // 2) + [1] * (FEATURES // 2), [1] * (FEATURES // 2) + [0] * (FEATURES // 2))
    couplings = [
        PiecewiseRationalQuadraticCouplingTransform(torch.tensor(masks[i % 2]), Net, num_bins=BINS, tails="linear", tail_bound=BOUND)
        for i in range(LAYERS)
    ]
    flow = Composed(CompositeTransform(couplings), StandardNormal([FEATURES]))
    flow.forward, flow.nets = flow.log_prob, nn.ModuleList(c.transform_net for c in couplings)
    flow.noise, flow.inverse = flow._transform.forward, lambda z: flow._transform.inverse(z)[0]
    return flow


class Peer:
    def __init__(self, library, threads, _):
        self.new = nflow if library == "nflows" else Flow
        self.compiled = torch.compile if library == "torch.compile" else lambda f: f
        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        torch.manual_seed(1)
        warnings.filterwarnings("ignore", "Inputs to the softmax")  # of nflows, about conditioners that start at random

    def ways(self, what, model, hidden, batch):
        """The ways to do what is asked for, each a function for one call."""
        self.flow = self.new(model, hidden)
        if what == "train":
            x = torch.randn(max(8 * batch, 1 << 13), FEATURES)
            loss = self.compiled(lambda x, flow=self.flow: -flow(x).mean())
            for kind in "foreach", "fused":
                adam = torch.optim.Adam(self.flow.parameters(), lr=1e-3, **{kind: True})

                def step(adam=adam, at=[0]):
                    i = at[0] = (at[0] + batch) % (len(x) - batch + 1)
                    adam.zero_grad()
                    loss(x[i : i + batch]).backward()
                    adam.step()

                yield step
            return
        x = torch.randn(batch, FEATURES)
        forward, inverse = self.compiled(self.flow.forward), self.compiled(self.flow.inverse)

        def call():
            with torch.no_grad():
                return inverse(torch.randn(batch, FEATURES)) if what == "sample" else forward(x)

        yield call

    def parameters(self):
        return sum(p.numel() for p in self.flow.parameters())

    def check(self):
        """The largest |f⁻¹(f(x)) − x| over 1000 events, with other weights."""
        flow = self.flow
        with torch.no_grad():
            flow.nets.apply(lambda m: nn.init.normal_(m.weight, std=0.5 * m.in_features**-0.5) if isinstance(m, nn.Linear) else None)
            x = torch.randn(1000, FEATURES)
            return float((flow.inverse(flow.noise(x)[0]) - x).abs().max())
