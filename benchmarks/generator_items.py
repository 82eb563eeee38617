"""How fast the items of a streaming generator come."""

from __future__ import annotations

from collections.abc import Iterator

import harness

_ITEMS = 5000


def measure(bench: harness.Bench) -> None:
    """Emit generator_items, items per second, each got by the driver."""
    ray = bench.ray

    @ray.remote
    def items(count: int) -> Iterator[int]:
        yield from (i for i in range(count))

    def consume() -> None:
        assert sum(ray.get(ref) for ref in items.remote(_ITEMS)) == _ITEMS * (_ITEMS - 1) // 2

    consume()
    bench.rate("generator_items", consume, _ITEMS)


if __name__ == "__main__":
    harness.main(measure)
