"""A peer of Eidolon's flows, to be measured in turn with them; main.go beside it asks.

    usage: peer.py THREADS LIBRARY FILE

LIBRARY is pytorch, torch.compile, nflows, jax or onnxruntime. Reads requests from standard
input, a line each, and answers with a line each:

    load WHAT MODEL HIDDEN BATCH    WHAT is train, sample or log-density, MODEL realnvp or spline;
                                    answers with the number of parameters
    check                           how far the peer is off: see the module of the library
    turn SECONDS                    events per second

The flows are those of eidolon bench flows: 8 features, 8 coupling layers that swap halves,
conditioners of two hidden layers with ReLU; splines have 8 bins on ±5. PyTorch's and JAX's do
without the linear layers that Eidolon's spline flow has between its couplings. What is done
per event is written so that a library does it in few operations on large tensors; where
there are several ways, each request uses the fastest on a short trial.

One thread is timed by the process's own time, several by the wall clock in short windows.
"""

import importlib
import os
import sys
import time

FEATURES, LAYERS, BINS, BOUND = 8, 8, 8, 5.0
MODULES = {"pytorch": "peer_torch", "torch.compile": "peer_torch", "nflows": "peer_torch", "jax": "peer_jax", "onnxruntime": "peer_onnx"}


def speed(call, clock, batch, turn):
    """Events per second in whole calls: in all of a turn, or its best window on several threads."""
    window = turn if clock is time.process_time else turn / 20
    best, began = 0.0, time.perf_counter()
    while best == 0 or time.perf_counter() - began < turn:
        calls, start = 0, clock()
        while calls < 1 or clock() - start < window:
            call()
            calls += 1
        best = max(best, batch * calls / (clock() - start))
    return best


def main():
    threads, library, file = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    clock = time.process_time if threads == 1 else time.perf_counter
    if threads == 1:  # XLA has as many threads as there are processors for it
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    peer = importlib.import_module(MODULES[library]).Peer(library, threads, file)
    for line in sys.stdin:
        request, *args = line.split()
        if request == "load":
            what, model, batch = args[0], args[1], int(args[3])
            tried = []
            for call in peer.ways(what, model, int(args[2]), batch):
                for _ in range(4):  # what is compiled is compiled now
                    call()
                tried.append((max(speed(call, clock, batch, 0.15) for _ in range(2)), len(tried), call))
            best = max(tried)[2]
            answer = peer.parameters()
        elif request == "check":
            answer = peer.check()
        else:
            answer = speed(best, clock, batch, float(args[0]))
        print(answer, flush=True)


if __name__ == "__main__":
    main()
