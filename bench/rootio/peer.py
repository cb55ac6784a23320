"""Writes and reads files with ROOT and uproot on request. Arguments: a folder to compile in, and how many flat and jagged
events there are. A line on standard input says what to do, with which events, ROOT's compression, and the file. The
answer is a line with the seconds of processor time that it took."""

import os
import resource
import shutil
import sys

import ROOT
import uproot

here = os.path.dirname(os.path.abspath(__file__))
folder, flat, jagged = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what ROOT prints is no answer
ROOT.gErrorIgnoreLevel = ROOT.kWarning
shutil.copy(os.path.join(here, "peer.h"), os.path.join(folder, "peer.C"))
if not ROOT.gSystem.CompileMacro(os.path.join(folder, "peer.C"), "kO"):
    sys.exit("peer.h does not compile")
ROOT.prepare(flat, jagged)
codecs = {0: None, 1: uproot.ZLIB, 4: uproot.LZ4, 5: uproot.ZSTD}


def uproot_write(setting, file):
    codec = codecs[setting // 100]
    with uproot.recreate(file, compression=codec and codec(setting % 100)) as out:
        out["t"] = events


for line in sys.stdin:
    what, layout, setting, file = line.split()
    setting = int(setting)
    if what == "uproot_write" and "events" not in globals():
        name = os.path.join(folder, "events.root")
        ROOT.write_flat(name, 0)
        events = uproot.open(name)["t"].arrays(library="np")
    before = resource.getrusage(resource.RUSAGE_SELF)
    if what == "uproot":
        uproot.open(file)["t"].arrays(library="np" if layout == "flat" else "ak")
    elif what == "uproot_write":
        uproot_write(setting, file)
    elif what == "write":
        getattr(ROOT, "write_" + layout)(file, setting)
    else:
        getattr(ROOT, what + "_" + layout)(file)
    after = resource.getrusage(resource.RUSAGE_SELF)
    print(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, file=answers, flush=True)
