"""scikit-learn through joblib: a search, a forest, cross-validation; the same as without Ray."""

from __future__ import annotations

import joblib
import numpy as np
import ray
from ray.util.joblib import register_ray
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.svm import SVC


def main() -> None:
    ray.init(num_cpus=2)
    register_ray()
    x, y = load_digits(return_X_y=True)
    x, y = x[:500], y[:500]

    def results() -> tuple[float, float, list[float]]:
        search = GridSearchCV(SVC(), {"C": [0.1, 1, 10]}, cv=3).fit(x, y)
        forest = RandomForestClassifier(20, random_state=0).fit(x, y)
        return search.best_score_, forest.score(x, y), list(cross_val_score(SVC(), x, y, cv=3))

    with joblib.parallel_config("ray", n_jobs=2):
        there = results()
    here = results()
    assert there[:2] == here[:2]
    assert np.allclose(there[2], here[2])
    print("passed on", ray.__name__)


main()
