"""Graphs by bind() and execute()."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from support.engine import ray

dag = import_module(f"{ray.__name__}.dag")


@pytest.fixture(autouse=True)
def _balanced(balanced: None) -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


@ray.remote(num_cpus=0)
def add(a: Any, b: Any) -> Any:
    return a + b


@ray.remote(num_cpus=0)
def kinds(value: Any) -> Any:
    return type(value["a"][0]).__name__, ray.get(value["a"][0])


@ray.remote(num_cpus=0)
class Counter:
    def __init__(self, start: int = 0) -> None:
        self.n = start

    def add(self, k: int) -> int:
        self.n += k
        return self.n

    @ray.method(num_returns=2)
    def pair(self, k: int) -> tuple[int, int]:
        return k, -k


def test_functions_and_input() -> None:
    with dag.InputNode() as inp:
        node = add.bind(add.bind(inp, 1), 10)
    assert ray.get(node.execute(5)) == 16
    assert ray.get(node.execute(6)) == 17


def test_arguments_of_execute() -> None:
    with dag.InputNode() as inp:
        by_place = add.bind(inp[0], inp[1])
        by_name = add.bind(inp["x"], inp["y"])
        mixed = add.bind(inp[0], inp.y)
        fields = add.bind(inp.real, inp.imag)
    assert ray.get(by_place.execute(1, 2)) == 3
    assert ray.get(by_place.execute([1, 2])) == 3
    assert ray.get(by_name.execute(x=1, y=2)) == 3
    assert ray.get(by_name.execute({"x": 1, "y": 2})) == 3
    assert ray.get(mixed.execute(1, y=2)) == 3
    assert ray.get(fields.execute(3 + 4j)) == 7
    with pytest.raises(TypeError):
        by_place.execute(1)


def test_nodes_in_containers_arrive_as_references() -> None:
    node = kinds.bind({"a": [add.bind(1, 2)], "b": 3})
    assert ray.get(node.execute()) == ("ObjectRef", 3)


def test_a_node_runs_once() -> None:
    counter = Counter.bind()
    once = counter.add.bind(1)
    assert ray.get(add.bind(once, once).execute()) == 2


def test_actors_are_new_each_time_and_calls_in_order() -> None:
    counter = Counter.bind(100)
    calls = [counter.add.bind(1) for _ in range(5)]
    assert ray.get(calls[-1].execute()) == 105
    assert ray.get(calls[-1].execute()) == 105
    assert ray.get(calls[1].execute()) == 102


def test_methods_of_actors_that_exist() -> None:
    counter = Counter.remote(1)
    node = counter.add.bind(2)
    assert isinstance(node, dag.ClassMethodNode)
    assert ray.get(node.execute()) == 3
    assert ray.get(node.execute()) == 5
    one, other = counter.pair.bind(4)
    assert ray.get(dag.MultiOutputNode([other, one]).execute()) == [-4, 4]


def test_several_outputs() -> None:
    with dag.InputNode() as inp:
        outputs = dag.MultiOutputNode([add.bind(inp, 1), add.bind(inp, 2)])
    refs = outputs.execute(10)
    assert isinstance(refs, list)
    assert ray.get(refs) == [11, 12]
    with pytest.raises(ValueError, match="Invalid input type for `args`"):
        dag.MultiOutputNode(3)


def test_a_creation_alone_gives_a_handle() -> None:
    counter = Counter.bind(5).execute()
    assert ray.get(counter.add.remote(1)) == 6


def test_long_chains() -> None:
    node = add.bind(0, 1)
    for _ in range(2_000):
        node = add.bind(node, 1)
    assert ray.get(node.execute()) == 2_001


def test_misuse() -> None:
    with dag.InputNode() as inp:
        node = add.bind(inp, 1)
    with pytest.raises(AttributeError, match=r"\.remote\(\) cannot be used on"):
        node.remote()
    with pytest.raises(AttributeError, match=r"\.bind\(\) cannot be used again"):
        node.bind()
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        Counter.bind().nothing  # noqa: B018
    with pytest.raises(AttributeError, match=r"Use \.bind\(\) instead"):
        Counter.bind().add.remote()
    with pytest.raises(ValueError, match="InputNode should not take any args"):
        dag.InputNode(1)
    with pytest.raises(ValueError, match="cannot be used as args"):
        Counter.bind(inp)
    with pytest.raises(AssertionError, match="only used in context manager"):
        add.bind(dag.InputNode(), 1).execute(1)
    with dag.InputNode() as other:
        two = add.bind(inp, other)
    with pytest.raises(AssertionError, match="one unique InputNode"):
        two.execute(1)


def test_options_and_text() -> None:
    assert add.options(num_cpus=0.5).bind(1, 2).get_options() == {"num_cpus": 0.5}
    node = add.bind(1, b=Counter.bind().add.bind(2))
    text = str(node)
    assert text.startswith(f"(FunctionNode, {node.get_stable_uuid()})(\n    body=<function add")
    assert "ClassMethodNode" in text
    assert node.get_args() == (1,)


def test_results_are_kept_when_asked() -> None:
    node = add.bind(add.bind(1, 2), 3)
    ref = node.execute(_ray_cache_refs=True)
    assert node.cache_from_last_execute[node.get_stable_uuid()] == ref
    assert len(node.cache_from_last_execute) == 2


@pytest.mark.only_thornback
def test_pickled_graphs_run_elsewhere() -> None:
    import cloudpickle

    with dag.InputNode() as inp:
        node = add.bind(inp, 1)

    @ray.remote(num_cpus=0)
    def run(blob: bytes) -> Any:
        return ray.get(pickle.loads(blob).execute(4))

    assert ray.get(run.remote(cloudpickle.dumps(node))) == 5


@pytest.mark.only_thornback
def test_what_comes_later_says_so() -> None:
    with pytest.raises(NotImplementedError, match="experimental_compile"):
        add.bind(1, 2).experimental_compile()
