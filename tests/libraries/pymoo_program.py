"""pymoo evaluates its populations by Ray tasks."""

from __future__ import annotations

from typing import Any

import numpy as np
import ray
from pymoo.algorithms.soo.nonconvex.ga import GA
from pymoo.core.problem import ElementwiseProblem
from pymoo.optimize import minimize
from pymoo.parallelization.ray import RayParallelization


class Sphere(ElementwiseProblem):
    def __init__(self, **options: Any) -> None:
        super().__init__(n_var=3, n_obj=1, xl=-1.0, xu=1.0, **options)

    def _evaluate(self, x: Any, out: Any, *args: Any, **kwargs: Any) -> None:
        out["F"] = (x**2).sum()


def main() -> None:
    ray.init(num_cpus=2)
    there = minimize(
        Sphere(elementwise_runner=RayParallelization()), GA(pop_size=20), ("n_gen", 10), seed=1
    )
    here = minimize(Sphere(), GA(pop_size=20), ("n_gen", 10), seed=1)
    assert np.array_equal(there.F, here.F)
    print("passed on", ray.__name__)


main()
