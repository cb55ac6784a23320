"""Trains XGBoost's trees on request. Arguments: the number of features. A line on standard input has the number of
events to train on, that of events to judge, and the rounds; after it come the features of all, float32, and what the first should
have. The answer is a line with the seconds of this process from the rows in memory to the trees, and the outputs for
the others, float32."""

import sys
import time

import numpy as np
import xgboost as xgb

read, write = sys.stdin.buffer, sys.stdout.buffer
while line := read.readline():
    dim, n, judged, rounds, depth, rate = line.split()
    dim, n, judged, rounds, depth = int(dim), int(n), int(judged), int(rounds), int(depth)
    x = np.frombuffer(read.read(4 * (n + judged) * dim), dtype="<f4").reshape(-1, dim)
    y = np.frombuffer(read.read(4 * n), dtype="<f4")
    begin = time.process_time()
    data = xgb.QuantileDMatrix(x[:n], y, max_bin=256, nthread=1)
    settings = dict(objective="binary:logistic", tree_method="hist", max_bin=256, nthread=1)
    settings |= dict(max_depth=depth, eta=float(rate), reg_lambda=1, min_child_weight=5, base_score=0.5)
    model = xgb.train(settings, data, rounds)
    seconds = time.process_time() - begin
    out = model.predict(xgb.DMatrix(x[n:], nthread=1), output_margin=True).astype("<f4")
    write.write(f"{seconds}\n".encode() + out.tobytes())
    write.flush()
