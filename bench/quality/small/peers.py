"""Densities of small samples by nflows, zuko, flowjax and scikit-learn, for main.go beside it.

    usage: peers.py FOLDER nflows|zuko|flowjax|kde DIM SAMPLE…

FOLDER has the file test and one for each sample, rows of DIM float64. The log-densities of the
events of test, in these units, go into SAMPLE.PEER.

All see standardised columns. The flows are trained by Adam on nine events of ten until the loss of
the others has not fallen for 25 passes, and the best parameters are kept. nflows: 4 couplings by
rational-quadratic splines of 8 bins with residual networks of 32, and linear layers between them; zuko:
its NSF of 3 autoregressive transforms, networks of 64, 64; flowjax: its masked autoregressive
flow of 4 layers with splines of 8 knots. The kernel density has the width, and standardised or whitened columns,
by which five folds are most likely.
"""

import copy
import importlib
import math
import pathlib
import sys
import warnings
from unittest.mock import MagicMock

import numpy as np

RATE, PATIENCE, PASSES, CLIP = 1e-3, 25, 400, 5.0


def batch(n):
    return 64 if n < 2000 else 128


def kde(x, test, seed):
    from sklearn.model_selection import GridSearchCV
    from sklearn.neighbors import KernelDensity

    mean, best = x.mean(0), -math.inf
    order = np.random.default_rng(seed).permutation(len(x))
    for scale in np.diag(1 / x.std(0)), np.linalg.inv(np.linalg.cholesky(np.cov(x.T))):
        log_det = np.log(np.abs(np.linalg.det(scale)))
        search = GridSearchCV(KernelDensity(), {"bandwidth": np.geomspace(0.05, 0.8, 16)}, cv=5)
        search.fit(((x - mean) @ scale.T)[order])
        score = search.best_score_ / (len(x) / 5) + log_det
        if score > best:
            best, density = score, search.best_estimator_.score_samples((test - mean) @ scale.T) + log_det
    return density


def by_torch(log_prob_of, x, test, seed):
    """Trains a flow of PyTorch. log_prob_of(dim) returns the module and its log_prob."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    mean, std = x.mean(0), x.std(0)
    all_events = torch.tensor((x - mean) / std).float()
    learn, judge = all_events[: len(x) * 9 // 10], all_events[len(x) * 9 // 10 :]
    flow, log_prob = log_prob_of(x.shape[1])
    optimizer = torch.optim.Adam(flow.parameters(), lr=RATE)
    best, kept, stale = math.inf, None, 0
    for _ in range(PASSES):
        for rows in torch.randperm(len(learn)).split(batch(len(learn))):
            optimizer.zero_grad()
            (-log_prob(learn[rows]).mean()).backward()
            torch.nn.utils.clip_grad_norm_(flow.parameters(), CLIP)
            optimizer.step()
        with torch.no_grad():
            loss = -float(log_prob(judge).mean())
        if loss < best:
            best, kept, stale = loss, copy.deepcopy(flow.state_dict()), 0
        elif (stale := stale + 1) >= PATIENCE:
            break
    flow.load_state_dict(kept)
    with torch.no_grad():
        parts = torch.tensor((test - mean) / std).float().split(5000)
        return np.concatenate([log_prob(part).double().numpy() for part in parts]) - np.log(std).sum()


def zuko(x, test, seed):
    def flow(dim):
        f = importlib.import_module("zuko").flows.NSF(dim, transforms=3, hidden_features=(64, 64))
        return f, lambda rows: f().log_prob(rows)

    return by_torch(flow, x, test, seed)


def nflows(x, test, seed):
    for name in "matplotlib", "matplotlib.pyplot", "UMNN":  # imported, but not needed here
        sys.modules.setdefault(name, MagicMock())
    import torch
    from nflows.distributions.normal import StandardNormal
    from nflows.flows.base import Flow
    from nflows.nn.nets import ResidualNet
    from nflows.transforms.base import CompositeTransform
    from nflows.transforms.coupling import PiecewiseRationalQuadraticCouplingTransform
    from nflows.transforms.lu import LULinear

    def flow(dim):
        layers = []
        for i in range(4):
            layers.append(LULinear(dim, identity_init=True))
            layers.append(
                PiecewiseRationalQuadraticCouplingTransform(
                    torch.tensor([(i + k) % 2 for k in range(dim)]),
                    lambda a, b: ResidualNet(a, b, hidden_features=32, num_blocks=2),
                    num_bins=8,
                    tails="linear",
                    tail_bound=4.0,
                )
            )
        f = Flow(CompositeTransform(layers), StandardNormal([dim]))
        return f, f.log_prob

    return by_torch(flow, x, test, seed)


def flowjax(x, test, seed):
    import jax.numpy as jnp
    import jax.random as jr
    from flowjax.bijections import RationalQuadraticSpline
    from flowjax.distributions import Normal
    from flowjax.flows import masked_autoregressive_flow
    from flowjax.train import fit_to_data

    mean, std = x.mean(0), x.std(0)
    make, fit = jr.split(jr.key(seed))
    flow = masked_autoregressive_flow(
        make,
        base_dist=Normal(jnp.zeros(x.shape[1])),
        transformer=RationalQuadraticSpline(knots=8, interval=4),
        flow_layers=4,
    )
    flow, _ = fit_to_data(
        fit,
        flow,
        jnp.asarray((x - mean) / std),
        learning_rate=RATE,
        max_epochs=PASSES,
        max_patience=PATIENCE,
        batch_size=batch(len(x)),
        val_prop=0.1,
        show_progress=False,
    )
    return np.asarray(flow.log_prob(jnp.asarray((test - mean) / std)), dtype=float) - np.log(std).sum()


def main():
    warnings.filterwarnings("ignore")
    folder, peer, dim = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    test = np.fromfile(folder / "test").reshape(-1, dim)
    for seed, sample in enumerate(sys.argv[4:]):
        density = globals()[peer](np.fromfile(folder / sample).reshape(-1, dim), test, seed)
        density.astype("<f8").tofile(folder / f"{sample}.{peer}")


main()
