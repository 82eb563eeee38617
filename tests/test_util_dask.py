"""Dask's graphs on the session."""

from __future__ import annotations

import operator
from importlib import import_module
from typing import Any

import dask
import numpy as np
import pytest
from dask import delayed
from dask.callbacks import Callback

from support.engine import ray
from support.gates import Gate, work
from support.waiting import wait_until

pytestmark = [
    pytest.mark.usefixtures("balanced"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
    pytest.mark.only_thornback,
]

on_ray = import_module(f"{ray.__name__}.util.dask")
get = on_ray.ray_dask_get


def inc(x: int) -> int:
    return x + 1


def add(a: int, b: int = 0) -> int:
    return a + b


GRAPH = {
    "a": 1,
    "b": (inc, "a"),
    "c": (add, "b", "a"),
    "d": ["a", "b"],
    "e": (sum, ["a", "b", "c"]),
    "f": "b",
    "g": (inc, (inc, "a")),
    "h": (dict, [["x", "b"]]),
}


@pytest.mark.parametrize("scheduler", [get, on_ray.ray_dask_get_sync])
def test_graph(scheduler: Any) -> None:
    assert scheduler(GRAPH, "c") == 3
    assert scheduler(GRAPH, ["c", "b"]) == [3, 2]
    assert scheduler(GRAPH, ["a", "c"]) == (1, 3)
    assert scheduler(GRAPH, [["c", "b"], ["a"]]) == ((3, 2), (1,))
    assert [scheduler(GRAPH, key) for key in "adefgh"] == [1, [1, 2], 6, 2, 3, {"x": 2}]


def test_errors() -> None:
    with pytest.raises(ZeroDivisionError):
        get({"a": (operator.truediv, 1, 0), "b": (inc, "a")}, "b")
    with pytest.raises(KeyError, match="zz"):
        get(GRAPH, "zz")
    with pytest.raises(RuntimeError, match="Cycle detected"):
        get({"a": (inc, "b"), "b": (inc, "a")}, "a")
    with pytest.raises(ValueError, match="resources"):
        get(GRAPH, "c", resources={"x": 1})
    with pytest.raises(ValueError, match="Invalid option keyword zip"):
        get(GRAPH, "c", ray_remote_args={"zip": 1})
    with pytest.raises(ValueError, match="resources"), dask.annotate(resources={"x": 1}):
        get(GRAPH, "c")


def test_delayed_and_configuration() -> None:
    total = delayed(sum)([delayed(inc)(i) for i in range(5)])
    assert total.compute(scheduler=get) == 15
    with on_ray.enable_dask_on_ray():
        assert total.compute() == 15
        assert dask.config.get("scheduler") is get
        with on_ray.disable_dask_on_ray():
            assert dask.config.get("scheduler") is None
    assert dask.compute(total, delayed(inc)(3), scheduler=get) == (15, 4)


def test_persist() -> None:
    total = delayed(sum)([delayed(inc)(i) for i in range(5)])
    kept = total.persist(scheduler=get)
    (value,) = dict(kept.dask).values()
    assert isinstance(value, ray.ObjectRef)
    assert kept.compute(scheduler=get) == 15
    assert (kept + 1).compute(scheduler=get) == 16
    (again,) = on_ray.ray_dask_persist(total, scheduler=get)
    assert again.compute(scheduler=get) == 15
    assert total.persist(scheduler="sync").compute(scheduler="sync") == 15


def test_arrays_and_tables() -> None:
    import dask.array as da
    import dask.dataframe as dd
    import pandas as pd

    x = da.ones((100, 100), chunks=(50, 50))
    assert (x + x.T).sum().compute(scheduler=get) == 20_000
    table = pd.DataFrame({"a": range(100), "b": [i % 3 for i in range(100)]})
    frame = dd.from_pandas(table, npartitions=4)
    sums = frame.groupby("b").a.sum().compute(scheduler=get).to_dict()
    assert sums == table.groupby("b").a.sum().to_dict()
    assert frame.persist(scheduler=get).a.sum().compute(scheduler=get) == 4_950


def test_large_data_is_stored_once() -> None:
    from thornback import _debug

    array = np.ones(1_000_000)
    graph: dict[Any, Any] = {"data": array}
    graph.update({("s", i): (np.sum, "data") for i in range(10)})
    graph["all"] = (sum, [("s", i) for i in range(10)])
    ref = get(graph, "all", ray_persist=True)
    assert _debug.stats()["store_used_bytes"] < 2 * array.nbytes
    assert ray.get(ref) == 10_000_000


def test_tasks_run_at_the_same_time() -> None:
    graph = {("w", i): (work, 0.5) for i in range(2)}
    spans = get(graph, [("w", 0), ("w", 1)])
    assert max(begin for begin, _ in spans) < min(end for _, end in spans)


def test_intermediate_values_go(tmp_path: Any) -> None:
    """Only what is still needed is held while the rest waits."""
    from thornback import _debug

    gate = Gate(tmp_path)

    def late(*_: Any) -> int:
        gate.wait()
        return 1

    graph = {
        "big": (np.ones, 1_000_000),
        "small": (np.sum, "big"),
        "late": (late, "small"),
    }
    ref = get(graph, "late", ray_persist=True)
    wait_until(lambda: _debug.stats()["store_used_bytes"] < 8_000_000, 30)
    gate.open()
    assert ray.get(ref) == 1


class Watching(on_ray.RayDaskCallback):  # type: ignore[name-defined,misc]
    def __init__(self, path: Any) -> None:
        super().__init__()
        self.told: list[Any] = []
        self.path = path

    def _ray_presubmit(self, task: Any, key: Any, deps: Any) -> Any:
        self.told.append(("pre", key, {k: type(v).__name__ for k, v in deps.items()}))

    def _ray_postsubmit(self, task: Any, key: Any, deps: Any, object_ref: Any) -> None:
        self.told.append(("post", key, type(object_ref).__name__))

    def _ray_postsubmit_all(self, object_refs: Any, dsk: Any) -> None:
        self.told.append(("all", len(object_refs), sorted(dsk)))

    def _ray_finish(self, result: Any) -> None:
        self.told.append(("finish", result))


def test_callbacks_of_the_driver(tmp_path: Any) -> None:
    graph = {"a": 1, "b": (inc, "a"), "c": (add, "b", "a"), "f": "c"}
    with Watching(tmp_path) as watching:
        assert get(graph, ["c", "b"]) == [3, 2]
    assert watching.told == [
        ("pre", "b", {"a": "int"}),
        ("post", "b", "ObjectRef"),
        ("pre", "c", {"b": "ObjectRef", "a": "int"}),
        ("post", "c", "ObjectRef"),
        ("pre", "f", {"c": "ObjectRef"}),
        ("all", 2, ["a", "b", "c", "f"]),
        ("finish", [3, 2]),
    ]


def test_callbacks_of_the_workers(tmp_path: Any) -> None:
    def before(key: Any, values: Any) -> Any:
        return key, values

    def after(key: Any, result: Any, state: Any) -> None:
        (tmp_path / str(key)).write_text(f"{result} {state}")

    with on_ray.RayDaskCallback(ray_pretask=before, ray_posttask=after):
        assert get({"a": 1, "b": (inc, "a"), "c": (add, "b", "a")}, "c") == 3
    assert (tmp_path / "b").read_text() == "2 ('b', ())"
    assert (tmp_path / "c").read_text() == "3 ('c', (2,))"


def test_a_callback_that_answers() -> None:
    graph = {"a": 1, "b": (inc, "a"), "c": (add, "b", "a")}
    answer = on_ray.RayDaskCallback(ray_presubmit=lambda _t, key, _d: 100 if key == "b" else None)
    with answer:
        assert get(graph, ["c", "b"]) == (101, 100)
    assert get(graph, "c", ray_callbacks=[answer._ray_callback]) == 101
    assert get(graph, "c") == 3


def test_callbacks_of_dask() -> None:
    told: list[Any] = []
    watching = Callback(
        start=lambda dsk: told.append(("start", sorted(dsk))),
        pretask=lambda key, _dsk, _state: told.append(("pre", key)),
        posttask=lambda key, *_: told.append(("post", key)),
        finish=lambda _dsk, state, failed: told.append(("finish", failed, state["running"])),
    )
    with watching:
        get({"a": 1, "b": (inc, "a")}, "b")
    assert told == [("start", ["a", "b"]), ("pre", "b"), ("post", "b"), ("finish", False, set())]


def test_progress_bar_callback(capsys: pytest.CaptureFixture[str]) -> None:
    bar = on_ray.ProgressBarCallback()
    with bar:
        assert get({"a": 1, "b": (inc, "a"), "c": (inc, "b")}, "c") == 3
    assert "All tasks are completed." in capsys.readouterr().out
    assert ray.get(bar.pb.result.remote()) == (2, 2)
    assert set(ray.get(bar.pb.report.remote())) == {"b", "c", "submission_order"}
    again = on_ray.ProgressBarCallback()
    assert ray.get(again.pb.result.remote()) == (0, 0)


def test_options_by_annotation() -> None:
    def resources() -> Any:
        return ray.available_resources().get("share", 0.0)

    with dask.annotate(ray_remote_args={"resources": {"share": 1}}):
        asked = delayed(resources)()
    assert asked.compute(scheduler=get, optimize_graph=False) == 1.0
    assert get({"x": (resources,)}, "x", ray_remote_args={"resources": {"share": 2}}) == 0.0
    with dask.annotate(ray_remote_args={"resources": {"share": 1}}):
        assert get({"x": (resources,)}, "x") == 1.0


def test_chains_and_fans() -> None:
    n = 2_000
    chain: dict[Any, Any] = {("c", 0): 0}
    chain.update({("c", i): (inc, ("c", i - 1)) for i in range(1, n)})
    assert get(chain, ("c", n - 1)) == n - 1
    fan: dict[Any, Any] = {("x", i): (inc, i) for i in range(n)}
    fan["sum"] = (sum, [("x", i) for i in range(n)])
    assert get(fan, "sum") == sum(range(1, n + 1))


def test_dataframe_optimize_warns() -> None:
    with pytest.warns(UserWarning, match="shuffle optimization"):
        assert on_ray.dataframe_optimize({}, []) is None
