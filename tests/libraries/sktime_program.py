"""sktime's back-tests and searches run by Ray tasks, in sessions that it starts itself or finds."""

from __future__ import annotations

import warnings

import ray
from sktime.datasets import load_airline
from sktime.forecasting.model_evaluation import evaluate
from sktime.forecasting.model_selection import ForecastingGridSearchCV
from sktime.forecasting.naive import NaiveForecaster
from sktime.forecasting.trend import PolynomialTrendForecaster
from sktime.split import ExpandingWindowSplitter
from sktime.utils.parallel import parallelize


def squared(item: int, meta: dict[str, int]) -> int:
    return item**2 + meta["plus"]


def main() -> None:
    warnings.simplefilter("ignore")  # of sktime, of deprecated names
    own = {"ray_remote_args": {"num_cpus": 2, "include_dashboard": False}}
    results = parallelize(squared, range(50), {"plus": 1}, "ray", own)
    assert results == [i**2 + 1 for i in range(50)]
    assert not ray.is_initialized()  # it has ended its session

    ray.init(num_cpus=2)
    kept = {"shutdown_ray": False, "mute_warnings": True}
    series = load_airline()
    splitter = ExpandingWindowSplitter(fh=[1, 2, 3], initial_window=100, step_length=6)
    tables = [
        evaluate(PolynomialTrendForecaster(degree=2), splitter, series, **how)
        for how in ({"backend": "ray", "backend_params": kept}, {})
    ]
    column = "test_MeanAbsolutePercentageError"
    assert len(tables[0]) == 7
    assert tables[0][column].tolist() == tables[1][column].tolist()

    best = []
    for how in ({"backend": "ray", "backend_params": kept}, {}):
        search = ForecastingGridSearchCV(
            NaiveForecaster(), splitter, {"strategy": ["last", "mean"], "sp": [1, 12]}, **how
        )
        search.fit(series)
        best.append((search.best_params_, search.best_score_))
    assert best[0] == best[1]
    assert ray.is_initialized()
    print("passed on", ray.__name__)


if __name__ == "__main__":
    main()
