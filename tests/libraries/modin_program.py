"""Modin on the engine "ray": what pandas gives, Modin gives."""

from __future__ import annotations

import os

os.environ.update(MODIN_ENGINE="ray", MODIN_CPUS="2")

import modin.pandas as mpd
import numpy as np
import pandas as pd
import ray


def main() -> None:
    ray.init(num_cpus=2)
    rng = np.random.default_rng(0)
    columns = {"a": rng.integers(0, 100, 2_000), "b": rng.normal(size=2_000)}
    theirs, ours = pd.DataFrame(columns), mpd.DataFrame(columns)

    def same(made: object, expected: object) -> None:
        assert np.allclose(np.asarray(made, dtype=float), np.asarray(expected, dtype=float))

    same(ours["b"].sum(), theirs["b"].sum())
    same(ours.groupby("a").mean()["b"], theirs.groupby("a").mean()["b"])
    same(ours[ours["a"] > 50].sort_values("b"), theirs[theirs["a"] > 50].sort_values("b"))
    same(
        ours.merge(ours.groupby("a", as_index=False).max(), on="a")["b_y"].sum(),
        theirs.merge(theirs.groupby("a", as_index=False).max(), on="a")["b_y"].sum(),
    )
    same(
        ours.apply(lambda row: row["a"] + row["b"], axis=1),
        theirs.apply(lambda row: row["a"] + row["b"], axis=1),
    )
    theirs.to_csv("table.csv", index=False)
    same(mpd.read_csv("table.csv").describe(), pd.read_csv("table.csv").describe())
    print("passed on", ray.__name__)


main()
