"""Has ROOT write files, eidolon read and write them, and ROOT and uproot read what it wrote.

usage: check.py EIDOLON DIRECTORY      (bench/interop/run calls it)

Every branch of every output has the same values in ROOT, in uproot, and, where it was
carried along, in the input. An output opens a hundred times in one process, has a UUID of
its own, and is the same to the byte when it is made again."""

import os
import re
import subprocess
import sys

import awkward
import numpy
import ROOT
import uproot

eidolon, work = sys.argv[1:3]
here = os.path.dirname(os.path.abspath(__file__))
os.chdir(work)
ROOT.gROOT.SetBatch(True)
ROOT.gErrorIgnoreLevel = ROOT.kWarning
faults = []


def check(ok, *text):
    if not ok:
        faults.append(" ".join(map(str, text)))
        print("WRONG:", faults[-1], flush=True)


def run(*args):
    done = subprocess.run([eidolon, *args], capture_output=True, text=True)
    check(done.returncode == 0, "eidolon", *args, "ends with", done.returncode, done.stderr.strip())
    return done


def by_uproot(file, tree):
    """All values of each branch, one after the other, and how many each event has."""
    columns = {}
    opened = uproot.open(file)[tree]
    for name in opened.keys():
        values = opened[name].array()
        counts = numpy.ones(len(values), int)
        if values.ndim > 1:
            counts = numpy.asarray(awkward.num(values, axis=1))
            values = awkward.flatten(values, axis=1)
        columns[name] = counts, numpy.asarray(values)
    return columns


def by_root(file, tree):
    """The same by ROOT, event by event."""
    opened = ROOT.TFile.Open(file)
    check(not opened.IsZombie() and not opened.TestBit(ROOT.TFile.kRecovered), file, "is a zombie or was recovered")
    t = opened.Get(tree)
    columns = {}
    for b in t.GetListOfBranches():
        leaf = b.GetListOfLeaves().At(0)
        counts, values = [], []
        if b.InheritsFrom("TBranchElement"):
            columns[b.GetName()] = draw(t, "@" + b.GetName() + ".size()").astype(int), draw(t, b.GetName())
            continue
        for i in range(t.GetEntries()):
            if leaf.GetLeafCount():
                leaf.GetLeafCount().GetBranch().GetEntry(i)
            b.GetEntry(i)
            got = [leaf.GetValue(k) if leaf.GetLenType() < 8 or leaf.InheritsFrom("TLeafD") or leaf.InheritsFrom("TLeafD32") else leaf.GetValueLong64(k) for k in range(leaf.GetLen())]
            counts.append(len(got))
            values += got
        columns[b.GetName()] = numpy.array(counts), numpy.array(values)
    opened.Close()
    return columns


def draw(tree, what):
    n = tree.Draw(what, "", "goff")
    return numpy.array([tree.GetV1()[i] for i in range(n)])


def same(a, b):
    return numpy.array_equal(a[0], b[0]) and numpy.array_equal(a[1].astype(float), b[1].astype(float), equal_nan=True)


def compare(file, tree, source={}, times=1):
    """ROOT and uproot read the same, and what was carried along from the source."""
    theirs, ours = by_root(file, tree), by_uproot(file, tree)
    check(len(theirs) == len(ours) > 0, file, "has branches", list(theirs), list(ours))
    carried = 0
    for name, values in theirs.items():
        check(name in ours and same(values, ours[name]), file, name, "differs between ROOT and uproot")
        if name in source:
            carried += 1
            check(same(values, source[name]), file, name, "is not that of the input")
    print(f"{file}: {len(theirs)} branches, {carried} of the input", flush=True)
    return theirs


def uuid(file):
    opened = uproot.open(file)
    return str(opened.file.uuid)


import classes

with open(os.path.join(here, "..", "..", "rootio", "classes.tsv")) as table:
    check(table.read().splitlines() == list(classes.lines()), "rootio/classes.tsv is not what classes.py prints")
ROOT.gInterpreter.Declare(open(os.path.join(here, "input.h")).read())
ROOT.write_input("in.root", 300)
source = by_root("in.root", "t")
train = ["--epochs", "1", "--hidden", "8", "--model", "autoregressive"]
run("train", "-i", "in.root", "-o", "all.eidolon", *train)
run("train", "-i", "in.root", "-o", "some.eidolon", "--features", "F,D", "--condition", "I", *train)
run("generate", "-m", "all.eidolon", "-n", "500", "--seed", "1", "-o", "all.root")
run("generate", "-m", "all.eidolon", "-n", "500", "--seed", "2", "-o", "other.root")
run("generate", "-m", "all.eidolon", "-n", "500", "--seed", "1", "-o", "histograms.root", "--histograms", "-t", "a/b/t")
run("generate", "-m", "some.eidolon", "-i", "in.root", "--seed", "1", "-o", "carried.root")
run("generate", "-m", "some.eidolon", "-i", "in.root", "--seed", "1", "-o", "again.root", "--basket-size", "1000", "--compression", "lz4")
run("score", "-m", "all.eidolon", "-i", "in.root", "-o", "scored.root")

carried = dict(source)
for name in ("F", "D"):
    carried.pop(name)
generated = compare("all.root", "t")
for name in ("p_{T}^{miss} [GeV]", "x[0]", "fixed", "shortened"):
    check(name in generated, "all.root has no", name)
compare("other.root", "t")
compare("histograms.root", "a/b/t")
new = compare("carried.root", "t", carried)
check(set(carried) <= set(new), "carried.root lacks", set(carried) - set(new))
compare("again.root", "t", carried)
compare("scored.root", "t", source)

run("generate", "-m", "all.eidolon", "-n", "200000", "--seed", "3", "-o", "many.root")
opened = ROOT.TFile.Open("many.root")
clusters = opened.Get("t").GetClusterIterator(0)
starts = []
while (start := clusters()) < 200000:
    starts.append(start)
t = opened.Get("t")
check(len(starts) > 3, "many.root has clusters at", starts)
check(t.GetTotBytes() > t.GetZipBytes() > 0, "many.root has", t.GetTotBytes(), t.GetZipBytes(), "bytes")
check(opened.GetListOfKeys().First().GetName() == "t", "the tree is not the first key")
opened.Close()
opened = ROOT.TFile.Open("carried.root")
t = opened.Get("t")
check(t.GetTitle() == "a tree", "the title of the tree is", t.GetTitle())
check(t.GetAlias("twice") == "2*F" and t.GetUserInfo().GetSize() == 2 and t.GetUserInfo().FindObject("luminosity").GetVal() == 1.5, "aliases or user information are lost")
order = [b.GetName() for b in t.GetListOfBranches() if b.GetName() in source]
check(order == list(source), "the branches come as", order)
check(t.GetLeaf("f16b").GetTitle() == "f16b/f[0,200,10]", "f16b is", t.GetLeaf("f16b").GetTitle())
opened.Close()

with uproot.open("histograms.root") as file:
    for name in ("F", "fixed_0"):
        values = generated[name][1] if name in generated else generated["fixed"][1][::3]
        check(file["a/b/t_histograms/" + name].values().sum() == len(values), "the histogram of", name)
root_file = ROOT.TFile.Open("histograms.root")
h = root_file.Get("a/b/t_histograms/F")
check(h.GetEntries() == 500, "ROOT reads", h.GetEntries(), "entries of a histogram")
root_file.Close()

check(uproot.open("carried.root")["t"]["fixed"].title == "three numbers", "the title of a branch is lost")
for file in ("carried.root", "all.root"):
    for _ in range(100):
        ROOT.TFile.Open(file).Close()
    opened = ROOT.TFile.Open(file)
    infos = [i.GetName() for i in opened.GetStreamerInfoList()]
    opened.Close()
    check(len(infos) == len(set(infos)), file, "describes a class twice", infos)

opened, clone = ROOT.TFile.Open("carried.root"), ROOT.TFile("clone.root", "RECREATE")
opened.Get("t").CloneTree(-1).Write()
clone.Close()
opened.Close()
compare("clone.root", "t", carried)
for options in ([], ["-fk"]):
    done = subprocess.run([os.path.join(os.path.dirname(ROOT.__file__), "bin", "hadd"), "-f", *options, "merged.root", "carried.root", "carried.root"], capture_output=True, text=True)
    check(done.returncode == 0, "hadd", done.stderr)
twice = by_uproot("merged.root", "t")
for name, (counts, values) in by_uproot("carried.root", "t").items():
    check(same(twice[name], (numpy.tile(counts, 2), numpy.tile(values, 2))), "merged", name)

outputs = ["all.root", "other.root", "histograms.root", "carried.root", "again.root", "scored.root"]
uuids = {uuid(f) for f in outputs}
check(len(uuids) == len(outputs) and not any(u.startswith("00000000") for u in uuids), "UUIDs", uuids)
with open("all.root", "rb") as file:
    first = file.read()
run("generate", "-m", "all.eidolon", "-n", "500", "--seed", "1", "-o", "all.root")
with open("all.root", "rb") as file:
    check(file.read() == first, "made again, an output has other bytes")

# What eidolon writes, it reads as ROOT does: it is carried along once more.
run("generate", "-m", "some.eidolon", "-i", "carried.root", "--seed", "1", "-o", "third.root")
compare("third.root", "t", carried)

# The C++ and the Python of docs/reading.md run on the files that its commands make.
with open(os.path.join(here, "..", "..", "docs", "reading.md")) as file:
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", file.read(), re.MULTILINE | re.DOTALL)
check({"sh", "cpp", "python"} <= {kind for kind, _ in blocks}, "docs/reading.md has blocks", [kind for kind, _ in blocks])
for i, (kind, code) in enumerate(blocks):
    try:
        if kind == "sh":
            small = code.replace("eidolon demo", "eidolon demo -n 2000")
            subprocess.run(["bash", "-euc", f'eidolon() {{ "{eidolon}" "$@"; }}\n{small}'], check=True, capture_output=True)
        elif kind == "cpp":
            check(ROOT.gInterpreter.Declare(f"void block{i}() {{\n{code}}}"), "ROOT does not compile", code)
            getattr(ROOT, f"block{i}")()
        elif kind == "python":
            exec(code, {})
    except Exception as err:
        check(False, "docs/reading.md:", kind, "block:", err, code)

print(len(faults), "things are wrong")
sys.exit(bool(faults))
