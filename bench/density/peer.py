"""A conditional neural spline flow in PyTorch for main.go beside it.

    usage: peer.py FOLDER THREADS SECONDS auto|nflows|pytorch SEED

FOLDER has the files train and test, rows of float64: pdg, cc, true_energy, true_coszen,
reco_energy, reco_coszen. The log-density of each test event, in these units, goes into
the file density; what there is to say of the training is printed as JSON.

The flow is that of arXiv:1906.04032: 8 rational-quadratic couplings of 8 bins on ±5 with
linear tails, conditioners of two hidden layers of 128, between them a swap. The features
are log(reco_energy) and atanh(reco_coszen), standardised; the condition is log(true_energy),
true_coszen and its atanh, standardised, the flavour and the current. It is trained by Adam
with a cosine schedule over the time that there is, which is cut to so many passes as are
good for it; one event in ten validates, and the best parameters are kept. It is made of
the parts of nflows where Python finds these, else of what is written here.
"""

import copy
import importlib.util
import json
import math
import pathlib
import sys
import time
from unittest.mock import MagicMock

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

LAYERS, HIDDEN, BINS, BOUND = 8, 128, 8, 5.0
BATCH, RATE, CLIP, PASSES = 512, 1e-3, 5.0, 60


class Net(nn.Module):
    """Two hidden layers with ReLU; the last layer starts near the identity."""

    def __init__(self, inputs, outputs, context):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(inputs + context, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, outputs)
        )
        nn.init.zeros_(self.layers[-1].weight)
        nn.init.zeros_(self.layers[-1].bias)

    def forward(self, x, context=None):
        return self.layers(torch.cat([x, context], 1))


def spline(x, p):
    """The rational-quadratic spline of all elements: y and log dy/dx."""
    p = p.unflatten(1, [x.shape[1], -1])
    inside = x.abs() < BOUND
    v = torch.where(inside, x, torch.zeros_like(x)).unsqueeze(2)
    share = 1e-3 + (1 - 1e-3 * BINS) * torch.softmax(p[:, :, : 2 * BINS].unflatten(2, [2, BINS]), 3)
    at = F.pad(2 * BOUND * share.cumsum(3) - BOUND, (1, 0), value=-BOUND)
    slopes = F.pad(1e-3 + F.softplus(p[:, :, 2 * BINS :] + 0.5397424), (1, 1), value=1.0)
    k = (v >= at[:, :, 0, 1:-1]).sum(2, keepdim=True).unsqueeze(2).expand(-1, -1, 3, 1)
    table = torch.cat([at, slopes.unsqueeze(2)], 2)
    (x0, y0, d0), (x1, y1, d1) = (part.unbind(2) for part in table.gather(3, torch.cat([k, k + 1], 3)).unbind(3))
    w, h = x1 - x0, y1 - y0
    s, t = h / w, (v.squeeze(2) - x0) / w
    u = 1 - t
    den = s + (d1 + d0 - 2 * s) * t * u
    y = y0 + h * (s * t * t + d0 * t * u) / den
    slope = s * s * (d1 * t * t + 2 * s * t * u + d0 * u * u) / (den * den)
    return torch.where(inside, y, x), torch.where(inside, slope.log(), torch.zeros_like(x)).sum(1)


class Flow(nn.Module):
    """The first of two features conditions the second; then they change places."""

    def __init__(self, dim, context):
        super().__init__()
        self.half = dim // 2
        self.nets = nn.ModuleList(Net(self.half, (dim - self.half) * (3 * BINS - 1), context) for _ in range(LAYERS))

    def log_prob(self, x, context):
        a, b = x[:, : self.half], x[:, self.half :]
        log_det = torch.zeros(len(x))
        for net in self.nets:
            b, log = spline(b, net(a, context))
            a, b = b, a
            log_det = log_det + log
        z = torch.cat([a, b], 1)
        return log_det - 0.5 * z.square().sum(1) - 0.5 * math.log(2 * math.pi) * x.shape[1]


def nflow(dim, context):
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

    couplings = [
        PiecewiseRationalQuadraticCouplingTransform(
            torch.tensor([(i + k) % 2 for k in range(dim)]), lambda a, b: Net(a, b, context), num_bins=BINS, tails="linear", tail_bound=BOUND
        )
        for i in range(LAYERS)
    ]
    return Composed(CompositeTransform(couplings), StandardNormal([dim]))


def encode(rows):
    """Features, log|det| of what they are made by, and the condition."""
    pdg, cc, energy, cos, reco_energy, reco_cos = rows.T
    x = np.stack([np.log(reco_energy), np.arctanh(reco_cos)], 1)
    log_det = -np.log(reco_energy) - np.log1p(-(reco_cos**2))
    c = np.stack([np.log(energy), cos, np.arctanh(cos)], 1)
    codes = np.stack([pdg == k for k in (-16, -14, -12, 12, 14, 16)] + [cc > 0.5], 1)
    return x, log_det, c, codes


def main():
    folder, threads, seconds, library, seed = pathlib.Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4], int(sys.argv[5])
    begin = time.perf_counter()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(seed)
    if library == "auto":
        library = "nflows" if importlib.util.find_spec("nflows") else "pytorch"
    parts = [encode(np.fromfile(folder / name).reshape(-1, 6)) for name in ("train", "test")]
    (x, _, c, _) = parts[0]
    scales = (x.mean(0), x.std(0)), (c.mean(0), c.std(0))
    tensors = []
    for x, log_det, c, codes in parts:
        x, c = ((v - mean) / std for v, (mean, std) in zip((x, c), scales))
        log_det = log_det - np.log(scales[0][1]).sum()
        tensors.append((torch.tensor(x).float(), torch.tensor(np.concatenate([c, codes], 1)).float(), log_det))
    (x, c, _), (test_x, test_c, test_log_det) = tensors

    order = torch.randperm(len(x))
    held, order = order[: len(x) // 10], order[len(x) // 10 :]
    valid_x, valid_c, x, c = x[held], c[held], x[order], c[order]
    flow = nflow(2, c.shape[1]) if library == "nflows" else Flow(2, c.shape[1])
    optimizer = torch.optim.Adam(flow.parameters(), lr=RATE)

    def log_prob(x, c):
        with torch.no_grad():
            return torch.cat([flow.log_prob(*part) for part in zip(x.split(1 << 13), c.split(1 << 13))])

    best, kept, steps, done = math.inf, None, 0, 0.0
    per_pass = len(x) // BATCH
    every = max(1, per_pass // 2)
    while done < 1:
        if steps % per_pass == 0:
            order = torch.randperm(len(x))
        rows = order[steps % per_pass * BATCH :][:BATCH]
        for group in optimizer.param_groups:
            group["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * done))
        optimizer.zero_grad()
        loss = -flow.log_prob(x[rows], c[rows]).mean()
        loss.backward()
        nn.utils.clip_grad_norm_(flow.parameters(), CLIP)
        optimizer.step()
        steps += 1
        done = max((time.perf_counter() - begin) / seconds, steps / (PASSES * per_pass))
        if steps % every == 0 or done >= 1:
            loss = -float(log_prob(valid_x, valid_c).mean())
            if loss < best:
                best, kept = loss, copy.deepcopy(flow.state_dict())
    trained = time.perf_counter() - begin
    flow.load_state_dict(kept)
    density = log_prob(test_x, test_c).double().numpy() + test_log_det
    density.astype("<f8").tofile(folder / "density")
    print(json.dumps({"library": library, "seconds": trained, "steps": steps, "epochs": steps / per_pass, "best": best}))


main()
