"""Judges what eidolon learns of ROOT files: see the script run.

For each file it trains with default flags and those after --, generates as many events as the
file has, reads both with uproot, and prints what a physicist would ask of the new events. All
quantities are computed here, by code that the product does not share. The table FILES, in
files.py, says what the columns of a known file are.
"""

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and scikit-learn read it

import awkward as ak
import numpy as np
import uproot
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from files import FILES, Known, Vectors

MOST = 10_000  # events of each sample that the trees see
SEEDS = (1, 2, 3)
ABLATIONS = {  # of docs/physics.md
    "default": [],
    "without formulas": ["--no-formulas"],
    "columns as they are": ["--coordinates=plain"],
    "the best coordinates": ["--coordinates=best"],
    "without refinement": ["--refine=off"],
    "none of these": ["--no-formulas", "--coordinates=plain", "--refine=off"],
}


def read(path, tree):
    """Returns the columns of numbers of a tree, and of a collection its length and two objects."""
    file = uproot.open(path)
    if not tree:
        trees = {k.split(";")[0] for k, c in file.classnames().items() if c == "TTree" or "RNTuple" in c}
        trees = {k for k in trees if not k.endswith("_histograms")}
        if len(trees) != 1:
            sys.exit(f"{path}: name one of the trees, FILE.root:TREE: {', '.join(sorted(trees))}")
        (tree,) = trees
    columns = {}
    arrays = file[tree].arrays(library="ak")
    for name in arrays.fields:
        a = arrays[name]
        kind = str(a.type).split(" * ", 1)[1]
        if kind.startswith("var * "):
            columns.setdefault(name.split("_")[0] + "_number", ak.to_numpy(ak.num(a)).astype(float))
            for k in range(2):
                columns[f"{name}:{k}"] = ak.to_numpy(ak.fill_none(ak.pad_none(a, k + 1)[:, k], -999.0)).astype(float)
        elif kind in ("bool", "float32", "float64") or kind.startswith(("int", "uint")):
            columns[name] = np.asarray(a).astype(float)
    return tree, columns


def auc(real, candidate, seed, rounds=200):
    """Returns the AUC of trees, the mean of five folds."""
    x = np.concatenate([real, candidate])
    y = np.repeat([0, 1], [len(real), len(candidate)])
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    scores = []
    for train, test in folds.split(x, y):
        trees = HistGradientBoostingClassifier(max_iter=rounds, min_samples_leaf=40, early_stopping=False, random_state=seed)
        trees.fit(x[train], y[train])
        scores.append(roc_auc_score(y[test], trees.decision_function(x[test])))
    return float(np.mean(scores))


def tell_apart(real, candidate):
    """Returns the mean AUC of three seeds, its spread, and that of halves of the real events."""
    some = lambda x, rng: x[rng.permutation(len(x))[:MOST]]
    aucs = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        aucs.append(auc(some(real, rng), some(candidate, rng), seed))
    mixed = some(real, np.random.default_rng(0))
    half = len(mixed) // 2
    return {"auc": np.mean(aucs), "spread": np.std(aucs, ddof=1), "floor": auc(mixed[:half], mixed[half:], 1)}


def culprits(real, candidate, names, most=6):
    """Returns by how much the AUC of trees falls when one column is shuffled, largest first."""
    rng = np.random.default_rng(1)
    x = np.concatenate([real[rng.permutation(len(real))[:MOST]], candidate[rng.permutation(len(candidate))[:MOST]]])
    y = np.repeat([0, 1], [min(MOST, len(real)), min(MOST, len(candidate))])
    test = rng.random(len(x)) < 0.3
    trees = HistGradientBoostingClassifier(max_iter=200, min_samples_leaf=40, early_stopping=False, random_state=1)
    trees.fit(x[~test], y[~test])
    whole = roc_auc_score(y[test], trees.decision_function(x[test]))
    falls = []
    for j, name in enumerate(names):
        shuffled = x[test].copy()
        shuffled[:, j] = rng.permutation(shuffled[:, j])
        falls.append((whole - roc_auc_score(y[test], trees.decision_function(shuffled)), name))
    return [(name, fall) for fall, name in sorted(falls, reverse=True)[:most]]


def ks(a, b):
    """Returns the largest distance of two empirical distribution functions."""
    a, b = np.sort(a), np.sort(b)
    at = np.concatenate([a, b])
    return float(np.max(np.abs(np.searchsorted(a, at, "right") / len(a) - np.searchsorted(b, at, "right") / len(b))))


def learnt(name, values):
    """Reports whether a column counts as a part of the event: no number of an event, no constant."""
    return name.lower() not in ("run", "event", "eventnumber", "luminosityblock", "ls", "lumi") and np.ptp(values) > 0


def matrix(columns, names):
    return np.stack([np.nan_to_num(columns[n], nan=-998.0, posinf=1e30, neginf=-1e30) for n in names], axis=1)


def judge(known, real, candidate, why=False):
    """Compares two samples, dictionaries of columns."""
    names = [n for n in real if learnt(n, real[n])]
    missing = [n for n in names if n not in candidate]
    names = [n for n in names if n in candidate]
    vectors = {n: v for n, v in known.vectors.items() if all(c not in real or c in candidate for c in v)}
    with np.errstate(all="ignore"):
        quantities = [Vectors(x, vectors).quantities() | {n: f(x) for n, f in known.more.items()} for x in (real, candidate)]
        formulas = [{n: np.abs(x[n] - f(x)) for n, f in known.formulas.items()} for x in (real, candidate)]
        holds = [{n: float(np.mean(f(x))) for n, f in known.holds.items()} for x in (real, candidate)]
    both = [x | q for x, q in zip((real, candidate), quantities)]
    out = {"columns": tell_apart(*(matrix(x, names) for x in both))}
    if quantities[0]:
        all_names = names + list(quantities[0])
        out["derived"] = tell_apart(*(matrix(x, all_names) for x in both))
        if why:
            out["culprits"] = culprits(*(matrix(x, all_names) for x in both), all_names)
    distances = {n: ks(both[0][n], both[1][n]) for n in names + list(quantities[0])}
    out["ks"] = {n: distances[n] for n in known.watch if n in distances}
    out["worst ks"] = dict(sorted(distances.items(), key=lambda d: -d[1])[:5])
    out["shares"] = {
        f"{lo} < {n} < {hi}": [float(np.mean((x[n] > lo) & (x[n] < hi))) for x in both] for n, lo, hi in known.windows if n in both[1]
    }
    out["formulas"] = {}
    for n, e in formulas[0].items():
        bound = float(np.quantile(e, 0.999)) * 1.000001 + 1e-12
        new = formulas[1][n]
        out["formulas"][n] = {
            "within": bound,
            "data": float(np.mean(e <= bound)),
            "generated": float(np.mean(new <= bound)),
            "medians": [float(np.nanmedian(e)), float(np.nanmedian(new))],
        }
    out["holds"] = {n: [h, holds[1][n]] for n, h in holds[0].items()}
    out["lost columns"] = missing
    return out


def timed(command, log):
    """Runs a command and returns its wall and CPU time in seconds."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with open(log, "w") as f:
        if subprocess.run(command, stdout=f, stderr=subprocess.STDOUT).returncode:
            sys.exit(f"{' '.join(command)}: {open(log).read()[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic() - begin, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def split(path, tree, folder):
    """Writes three events of four to one file and the others to another."""
    arrays = uproot.open(path)[tree].arrays(library="ak")
    test = np.arange(len(arrays)) % 4 == 3
    parts = []
    for name, part in (("train", arrays[~test]), ("test", arrays[test])):
        parts.append(os.path.join(folder, name + ".root"))
        with uproot.recreate(parts[-1]) as f:
            f.mktree(tree, {n: part[n].type.content for n in part.fields})
            f[tree].extend({n: part[n] for n in part.fields})
    return parts


def work(options, path, tree, flags, folder):
    """Trains, generates and judges, and returns what was found."""
    known = FILES.get(os.path.splitext(os.path.basename(path))[0], Known())
    if options.vector:
        known.vectors = dict(v.split("=", 1) for v in options.vector)
        known.vectors = {n: tuple(v.split(",")) for n, v in known.vectors.items()}
    tree, real = read(path, tree)
    source = test = path
    if options.held_out:
        source, test = split(path, tree, folder)
        _, real = read(test, tree)
    n = len(next(iter(real.values())))
    model, new, log = (os.path.join(folder, f) for f in ("model", "new.root", "log"))
    run = options.eidolon
    out = {"file": os.path.basename(path), "events": n, "flags": " ".join(flags)}
    if options.generated:
        _, candidate = read(options.generated, tree)
        return out | judge(known, real, candidate, options.why)
    model = options.keep or model
    out["train wall"], out["train cpu"] = timed([run, "train", "-i", source, "-t", tree, "-o", model, *flags], log)
    if options.keep:
        os.replace(log, options.keep + ".log")
    drawn = ["-i", test] if "--condition" in flags else ["-n", str(n)]
    timed([run, "generate", "-m", model, *drawn, "--seed", "11", "-o", new], log)
    if "--condition" not in flags:
        more, fast = max(100_000, 4 * n), os.path.join(folder, "fast.root")
        short, _ = timed([run, "generate", "-m", model, "-n", "1000", "--seed", "12", "-o", fast], log)
        long, _ = timed([run, "generate", "-m", model, "-n", str(more), "--seed", "12", "-o", fast], log)
        out["events/s"] = (more - 1000) / max(long - short, 1e-3)
    scored = os.path.join(folder, "scored.root")
    timed([run, "score", "-m", model, "-i", test, "-t", tree, "-o", scored], log)
    l = uproot.open(scored)[tree]["log_prob"].array(library="np")
    if l.dtype != object:
        fine = np.isfinite(l)
        out["log-density"] = {"mean": float(np.mean(l[fine])), "error": float(np.std(l[fine]) / max(1, fine.sum()) ** 0.5), "not finite": int((~fine).sum())}
    _, candidate = read(new, tree)
    return out | judge(known, real, candidate, options.why)


def show(r):
    print(f"\n{r['file']}: {r['events']} events {r['flags']}")
    if "train wall" in r:
        speed = f", generates {r['events/s']:,.0f} events/s" if "events/s" in r else ""
        print(f"  training {r['train wall']:.0f} s, {r['train cpu']:.0f} s of CPU{speed}")
    if "log-density" in r:
        d = r["log-density"]
        print(f"  log-density of the events {d['mean']:.4f} ± {d['error']:.4f}, {d['not finite']} not finite")
    for key in ("columns", "derived"):
        if key in r:
            print(f"  AUC, {key:8s} {r[key]['auc']:.4f} ± {r[key]['spread']:.4f}, floor {r[key]['floor']:.4f}")
    if "culprits" in r:
        print("  most telling  " + "  ".join(f"{n} {f:.4f}" for n, f in r["culprits"]))
    for key in ("ks", "worst ks"):
        if r[key]:
            print(f"  {key.replace('ks', 'KS'):13s} " + "  ".join(f"{n} {d:.4f}" for n, d in r[key].items()))
    for n, (a, b) in r["shares"].items():
        print(f"  share of {n}: data {a:.4f}, generated {b:.4f}")
    for n, f in r["formulas"].items():
        print(
            f"  {n} differs from its formula by less than {f['within']:.3g} in: data {f['data']:.4f}, generated {f['generated']:.4f};"
            f" medians {f['medians'][0]:.2g}, {f['medians'][1]:.2g}"
        )
    for n, (a, b) in r["holds"].items():
        print(f"  {n}: data {a:.4f}, generated {b:.4f}")
    if r["lost columns"]:
        lost = r["lost columns"]
        print(f"  {len(lost)} columns are not in the generated events: {', '.join(lost[:4])}{', …' if len(lost) > 4 else ''}")
    sys.stdout.flush()


def main():
    p = argparse.ArgumentParser(prog="bench/physics/run", description="How well generated events are told from data.")
    p.add_argument("files", nargs="+", metavar="FILE.root[:TREE]")
    p.add_argument("--eidolon", required=True, metavar="PROGRAM", help="the program to judge (default: built from this tree)")
    p.add_argument("--vector", action="append", metavar="NAME=PT,ETA,PHI,MASS", help="a four-vector of a file that is not known by name, or PX,PY,PZ,MASS; the mass is a number or a column, or - for a transverse vector")
    p.add_argument("--held-out", action="store_true", help="train on three events of four, judge by the others")
    p.add_argument("--ablations", action="store_true", help="the table of docs/physics.md")
    p.add_argument("--generated", metavar="FILE.root", help="judge these events: no training")
    p.add_argument("--keep", metavar="MODEL", help="keep the model, and the log of its training in MODEL.log")
    p.add_argument("--why", action="store_true", help="the columns and quantities by which the trees decide")
    p.add_argument("--json", action="store_true", help="print one JSON object per file, and nothing else")
    arguments = sys.argv[1:] + ([] if "--" in sys.argv else ["--"])
    end = arguments.index("--")
    options, flags = p.parse_args(arguments[:end]), arguments[end + 1 :]
    rows = []
    for file in options.files:
        path, _, tree = file.partition(".root:")
        path = path if path.endswith(".root") else path + ".root"
        for name, more in ABLATIONS.items() if options.ablations else [("", [])]:
            with tempfile.TemporaryDirectory() as folder:
                r = work(options, path, tree, flags + more, folder)
            if options.json:
                print(json.dumps(r, default=float), flush=True)
            elif not options.ablations:
                show(r)
            rows.append((name, r))
    if options.ablations and not options.json:
        print("| file | | log-density | AUC, columns | AUC, derived | CPU |\n|---|---|---|---|---|---|")
        for name, r in rows:
            derived = f"{r['derived']['auc']:.3f}" if "derived" in r else ""
            print(f"| {r['file']} | {name} | {r['log-density']['mean']:.3f} | {r['columns']['auc']:.3f} | {derived} | {r['train cpu']:.0f} s |")


with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
    main()
