"""Cross-fitted AUC of scikit-learn's gradient-boosted trees: rows of float64 on
standard input, those of the reference first. Arguments: columns, events of the
reference."""

import sys

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

columns, reference = int(sys.argv[1]), int(sys.argv[2])
x = np.frombuffer(sys.stdin.buffer.read(), dtype="<f8").reshape(-1, columns)
y = (np.arange(len(x)) >= reference).astype(int)
aucs = []
for train, test in StratifiedKFold(5, shuffle=True, random_state=1).split(x, y):
    model = HistGradientBoostingClassifier(max_iter=300, early_stopping=True, random_state=1)
    model.fit(x[train], y[train])
    aucs.append(roc_auc_score(y[test], model.decision_function(x[test])))
print(f"{np.mean(aucs):.4f} ± {np.std(aucs, ddof=1) / len(aucs) ** 0.5:.4f}")
