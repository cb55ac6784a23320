"""Flows in PyTorch, to be measured in turn with Eidolon's; main.go beside it asks.

    usage: peer.py THREADS pytorch|nflows

They are written here, or made of the parts of nflows. Reads requests from standard
input, a line each, and answers with a line each:

    load WHAT MODEL HIDDEN BATCH    WHAT is train, sample or log-density, MODEL realnvp or spline;
                                    answers with the number of parameters
    check                           the largest |f⁻¹(f(x)) − x| over 1000 events
    turn SECONDS                    events per second

The flows are those of eidolon bench flows: 8 features, 8 coupling layers that
swap halves, conditioners of two hidden layers with ReLU; splines have 8 bins on ±5. They do
without the linear layers that Eidolon's spline flow has between its couplings.
What is done per event is written so that PyTorch does it in few calls on large
tensors. Of the ways to run it, eager and TorchScript, Adam over a list of tensors
and Adam over one flat vector, each request uses the fastest on a short trial.

One thread is timed by the process's own time, several by the wall clock in short windows.
"""

import importlib
import sys
import time
import warnings
from typing import Tuple
from unittest.mock import MagicMock

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FEATURES, LAYERS, BINS, BOUND = 8, 8, 8, 5.0
threads, library = int(sys.argv[1]), sys.argv[2]
torch.set_num_threads(threads)
torch.set_flush_denormal(True)
torch.manual_seed(1)
warnings.filterwarnings("ignore", "Inputs to the softmax")  # of nflows, about conditioners that start at random
clock = time.process_time if threads == 1 else time.perf_counter


class Affine(nn.Module):
    """y = x·exp(s) + t, s = 2 tanh(r/2)."""

    outputs: int = 2

    def forward(self, x: Tensor, p: Tensor) -> Tuple[Tensor, Tensor]:
        r, t = p.chunk(2, 1)
        s = 2 * torch.tanh(0.5 * r)
        return torch.addcmul(t, x, s.exp()), s.sum(1)

    @torch.jit.export
    def inverse(self, y: Tensor, p: Tensor) -> Tensor:
        r, t = p.chunk(2, 1)
        return (y - t) * torch.exp(-2 * torch.tanh(0.5 * r))


class Spline(nn.Module):
    """The rational-quadratic spline of arXiv:1906.04032, all elements at once."""

    outputs: int = 3 * BINS - 1

    def __init__(self):
        super().__init__()
        self.bins: int = BINS
        self.bound: float = BOUND

    def knots(self, p: Tensor) -> Tuple[Tensor, Tensor]:
        """Knots along both axes (m×n×2×(bins+1)) and slopes (m×n×(bins+1))."""
        k = self.bins
        share = 1e-3 + (1 - 1e-3 * k) * torch.softmax(p[:, :, : 2 * k].unflatten(2, [2, k]), 3)
        at = F.pad(2 * self.bound * share.cumsum(3) - self.bound, (1, 0), value=-self.bound)
        slopes = F.pad(1e-3 + F.softplus(p[:, :, 2 * k :] + 0.5397424), (1, 1), value=1.0)
        return at, slopes

    def piece(self, v: Tensor, p: Tensor, axis: int) -> Tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """The bin that v is in: x, y, width, height, slope at both ends."""
        at, slopes = self.knots(p)
        k = (v.unsqueeze(2) >= at[:, :, axis, 1:-1]).sum(2, keepdim=True)
        table = torch.cat([at, slopes.unsqueeze(2)], 2)  # m×n×3×(bins+1)
        k = k.unsqueeze(2).expand(-1, -1, 3, 1)
        lo, hi = table.gather(3, torch.cat([k, k + 1], 3)).unbind(3)
        x, y, d0 = lo.unbind(2)
        x1, y1, d1 = hi.unbind(2)
        return x, y, x1 - x, y1 - y, d0, d1

    def forward(self, x: Tensor, p: Tensor) -> Tuple[Tensor, Tensor]:
        p = p.unflatten(1, [x.shape[1], -1])
        inside = x.abs() < self.bound
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

    @torch.jit.export
    def inverse(self, y: Tensor, p: Tensor) -> Tensor:
        p = p.unflatten(1, [y.shape[1], -1])
        inside = y.abs() < self.bound
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

    def __init__(self, inputs: int, hidden: int, outputs: int):
        super().__init__()
        self.first = nn.Linear(inputs, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, outputs)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.relu(self.second(F.relu(self.first(x)))))


class Flow(nn.Module):
    """The first half of the columns stays and conditions the second; then they change places."""

    def __init__(self, model: str, hidden: int):
        super().__init__()
        self.half: int = FEATURES // 2
        self.transform = Affine() if model == "realnvp" else Spline()
        self.nets = nn.ModuleList(
            Conditioner(self.half, hidden, self.half * self.transform.outputs) for _ in range(LAYERS)
        )

    def noise(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        a, b = x[:, : self.half], x[:, self.half :]
        log_det = torch.zeros(x.shape[0])
        for net in self.nets:
            y, log = self.transform(b, net(a))
            a, b = y, a
            log_det = log_det + log
        return torch.cat([a, b], 1), log_det

    def forward(self, x: Tensor) -> Tensor:
        z, log_det = self.noise(x)
        return log_det - 0.5 * z.square().sum(1) - 0.9189385332046727 * x.shape[1]

    @torch.jit.export
    def inverse(self, z: Tensor) -> Tensor:
        a, b = z[:, : self.half], z[:, self.half :]
        for net in self.nets[::-1]:
            a, b = b, self.transform.inverse(a, net.forward(b))  # TorchScript cannot call it otherwise
        return torch.cat([a, b], 1)


def nflow(model: str, hidden: int) -> nn.Module:
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
        def __init__(self, inputs: int, outputs: int):
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


new = nflow if library == "nflows" else Flow


def flat_adam(params):
    """Adam over one vector, of which the parameters and their gradients are views."""
    n = sum(p.numel() for p in params)
    values, grad, at = torch.empty(n), torch.zeros(n), 0
    for p in params:
        piece = slice(at, at + p.numel())
        values[piece] = p.data.flatten()
        p.data, p.grad = values[piece].view_as(p), grad[piece].view_as(p)
        at += p.numel()
    values = nn.Parameter(values)
    values.grad = grad
    return torch.optim.Adam([values], lr=1e-3), grad.zero_


def ways(what, model, hidden, batch):
    """The ways to do what is asked for, each a function for one call."""
    for script in [False, True][: 2 if new is Flow else 1]:  # nflows cannot be scripted
        if what != "train":
            flow = new(model, hidden).requires_grad_(False)
            flow = torch.jit.script(flow) if script else flow
            x = torch.randn(batch, FEATURES)
            if what == "sample":
                yield lambda flow=flow: flow.inverse(torch.randn(batch, FEATURES))
            else:
                yield lambda flow=flow, x=x: flow(x)
            continue
        for flat in False, True:
            flow = new(model, hidden)
            params = list(flow.parameters())
            flow = torch.jit.script(flow) if script else flow
            x = torch.randn(max(8 * batch, 1 << 13), FEATURES)
            if flat:
                adam, zero = flat_adam(params)
            else:
                adam = torch.optim.Adam(params, lr=1e-3, foreach=True)
                zero = adam.zero_grad

            def step(flow=flow, adam=adam, zero=zero, x=x, at=[0]):
                i = at[0] = (at[0] + batch) % (len(x) - batch + 1)
                zero()
                (-flow(x[i : i + batch]).mean()).backward()
                adam.step()

            yield step


def speed(call, batch, turn):
    """Events per second in whole calls: in all of a turn, or its best window on several threads."""
    window = turn if threads == 1 else turn / 20
    best, began = 0.0, time.perf_counter()
    while best == 0 or time.perf_counter() - began < turn:
        calls, start = 0, clock()
        while calls < 1 or clock() - start < window:
            call()
            calls += 1
        best = max(best, batch * calls / (clock() - start))
    return best


for line in sys.stdin:
    request, *args = line.split()
    if request == "load":
        what, model, batch = args[0], args[1], int(args[3])
        tried = []
        with torch.set_grad_enabled(what == "train"):
            for call in ways(what, model, int(args[2]), batch):
                for _ in range(4):  # TorchScript compiles on the way
                    call()
                tried.append((max(speed(call, batch, 0.15) for _ in range(2)), len(tried), call))
        best = max(tried)[2]
        flow = new(model, int(args[2]))
        answer = sum(p.numel() for p in flow.parameters())
    elif request == "check":
        with torch.no_grad():
            flow.nets.apply(lambda m: nn.init.normal_(m.weight, std=0.5 * m.in_features**-0.5) if isinstance(m, nn.Linear) else None)
            x = torch.randn(1000, FEATURES)
            answer = float((flow.inverse(flow.noise(x)[0]) - x).abs().max())
    else:
        with torch.set_grad_enabled(what == "train"):
            answer = speed(best, batch, float(args[0]))
    print(answer, flush=True)
