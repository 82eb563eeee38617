"""Parallel and local iterators."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from support.engine import ray

pytestmark = [
    pytest.mark.usefixtures("balanced"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

it = import_module(f"{ray.__name__}.util.iter")


def test_sources() -> None:
    items = it.from_items([1, 2, 3, 4], num_shards=3)
    assert repr(items) == "ParallelIterator[from_items[int, 4, shards=3]]"
    assert [list(shard) for shard in items.shards()] == [[1, 4], [2], [3]]
    numbers = it.from_range(5, num_shards=2)
    assert [list(shard) for shard in numbers.shards()] == [[0, 1], [2, 3, 4]]
    assert list(it.from_range(1, num_shards=3).gather_sync()) == [0]
    made = it.from_iterators([range(2), lambda: (x for x in "ab")])
    assert repr(made) == "ParallelIterator[from_iterators[shards=2]]"
    assert list(made.gather_sync()) == [0, "a", 1, "b"]
    assert it.from_range(2, num_shards=1, repeat=True).take(5) == [0, 1, 0, 1, 0]


def test_transformations() -> None:
    numbers = it.from_range(6, num_shards=2)
    assert list(numbers.for_each(lambda x: x * 2).gather_sync()) == [0, 6, 2, 8, 4, 10]
    assert sorted(numbers.filter(lambda x: x % 2).gather_async()) == [1, 3, 5]
    assert list(numbers.batch(2).gather_sync()) == [[0, 1], [3, 4], [2], [5]]
    assert sorted(numbers.batch(2).flatten().gather_sync()) == list(range(6))
    assert sorted(numbers.combine(lambda x: [x] * (x == 5) * 3).gather_sync()) == [5, 5, 5]
    assert sorted(numbers.transform(lambda xs: (x + 1 for x in xs)).gather_sync()) == [
        1,
        2,
        3,
        4,
        5,
        6,
    ]
    shuffled = it.from_range(20, num_shards=1).local_shuffle(5, seed=1)
    assert sorted(shuffled.gather_sync()) == list(range(20))
    concurrent = it.from_range(4, 1).for_each(lambda x: -x, max_concurrency=2)
    assert sorted(concurrent.gather_sync()) == [-3, -2, -1, 0]


def test_reading() -> None:
    numbers = it.from_range(4, num_shards=2)
    assert list(numbers.batch_across_shards()) == [[0, 2], [1, 3]]
    assert numbers.take(3) == [0, 2, 1]
    assert sorted(numbers.gather_async(batch_ms=5, num_async=2)) == [0, 1, 2, 3]
    assert list(numbers.get_shard(1, batch_ms=5, num_async=2)) == [2, 3]
    uneven = it.from_iterators([range(1), range(3)])
    assert list(uneven.batch_across_shards()) == [[0, 0], [1], [2]]
    with pytest.raises(TypeError, match="gather_sync"):
        iter(numbers)
    for bad in (
        lambda: numbers.gather_async(num_async=0),
        lambda: numbers.gather_async(batch_ms=-1),
        lambda: numbers.get_shard(0, num_async=0),
        lambda: numbers.get_shard(2),
        lambda: numbers.select_shards([]),
    ):
        with pytest.raises(ValueError):
            bad()


def test_show(capsys: pytest.CaptureFixture[str]) -> None:
    it.from_range(4, num_shards=1).show(2)
    assert capsys.readouterr().out == "0\n1\n"


def test_unions_and_selections() -> None:
    one, other = it.from_range(2, 1), it.from_items(["a"], 1)
    both = one.union(other)
    assert both.num_shards() == 2
    assert sorted(map(str, both.gather_async())) == ["0", "1", "a"]
    with pytest.raises(TypeError, match="ParallelIterator"):
        one.union([1])
    with pytest.raises(ValueError, match="after union"):
        both.select_shards([0])
    assert list(it.from_range(6, 3).select_shards([0, 2]).gather_sync()) == [0, 4, 1, 5]


def test_repartition() -> None:
    numbers = it.from_range(8, num_shards=2).repartition(3)
    assert numbers.num_shards() == 3
    assert sorted(numbers.gather_sync()) == list(range(8))


def test_local_iterators() -> None:
    numbers = it.from_range(6, num_shards=1).gather_sync()
    assert numbers.for_each(lambda x: x + 1).filter(lambda x: x % 2).take(9) == [1, 3, 5]
    fresh = it.from_range(4, num_shards=1).gather_sync()
    assert list(fresh.batch(3).flatten().combine(lambda x: [x, x])) == [0, 0, 1, 1, 2, 2, 3, 3]
    first, second = it.from_range(3, num_shards=1).gather_sync().duplicate(2)
    mixed = first.union(second, deterministic=True)
    assert sorted(mixed) == [0, 0, 1, 1, 2, 2]
    with pytest.raises(ValueError, match=">= 2"):
        fresh.duplicate(1)


def test_local_unions() -> None:
    def source(n: int) -> Any:
        return it.from_range(n, num_shards=1).gather_sync()

    assert sorted(source(3).union(source(2))) == [0, 0, 1, 1, 2]
    assert list(source(2).union(source(2), deterministic=True)) == [0, 0, 1, 1]
    weighted = source(4).union(source(2), round_robin_weights=[2, 1])
    assert list(weighted) == [0, 1, 0, 2, 3, 1]
    assert sorted(source(2).union(source(2), round_robin_weights=["*", 1])) == [0, 0, 1, 1]
    with pytest.raises(ValueError, match="round robin weights"):
        source(1).union(source(1), round_robin_weights=[1])
    with pytest.raises(ValueError, match="LocalIterator"):
        source(1).union([1])


def test_metrics_and_source() -> None:
    def count(x: int) -> int:
        it.LocalIterator.get_metrics().counters["seen"] += 1
        return x

    numbers = it.from_range(4, num_shards=2)
    gathered = numbers.gather_async().for_each(count)
    assert sorted(gathered) == [0, 1, 2, 3]
    assert gathered.shared_metrics.get().counters["seen"] == 4
    pairs = list(numbers.gather_async().zip_with_source_actor())
    assert sorted(item for _, item in pairs) == [0, 1, 2, 3]
    assert len({actor for actor, _ in pairs}) == 2


def test_shards_can_be_read_elsewhere() -> None:
    @ray.remote(num_cpus=0)
    def read(shard: Any) -> list[Any]:
        return list(shard)

    shards = it.from_range(6, num_shards=2).for_each(lambda x: x * x).shards()
    assert ray.get([read.remote(shard) for shard in shards]) == [[0, 1, 4], [9, 16, 25]]


def test_actors_of_the_users() -> None:
    @ray.remote
    class Own(it.ParallelIteratorWorker):  # type: ignore[name-defined,misc]
        def __init__(self, n: int) -> None:
            super().__init__(range(n), repeat=False)

    own = it.from_actors([Own.remote(2), Own.remote(3)])
    assert repr(own) == "ParallelIterator[from_actors[shards=2]]"
    assert list(own.gather_sync()) == [0, 0, 1, 1, 2]
