"""Dask's arrays, tables and delayed functions with the scheduler of ray.util.dask."""

from __future__ import annotations

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import ray
from ray.util.dask import RayDaskCallback, enable_dask_on_ray, ray_dask_get


def main() -> None:
    ray.init(num_cpus=2)
    keys = []
    with enable_dask_on_ray(), RayDaskCallback(ray_postsubmit=lambda _t, key, *_: keys.append(key)):
        x = da.random.default_rng(0).normal(size=(400, 400), chunks=(100, 100))
        made = (x @ x.T).mean(axis=0).compute()
    assert len(keys) > 16
    assert np.allclose(made, (x @ x.T).mean(axis=0).compute(scheduler="sync"))
    table = pd.DataFrame({"k": np.arange(1_000) % 7, "v": np.arange(1_000.0)})
    frame = dd.from_pandas(table, npartitions=8)
    with dask.config.set(scheduler=ray_dask_get):
        sums = frame.groupby("k").v.sum().compute()
        kept = frame.persist()
        ordered = kept.set_index("v").tail(3)
    assert sums.sort_index().equals(table.groupby("k").v.sum())
    assert list(ordered.index) == [997.0, 998.0, 999.0]
    print("passed on", ray.__name__)


main()
