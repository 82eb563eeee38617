"""Many of everything at once: arguments, results, references to get, references in an object."""

from __future__ import annotations

from typing import Any

import harness

_ARGUMENTS = 5000
_RETURNS = 2000
_REFS = 2000


def measure(bench: harness.Bench) -> None:
    """Emit arguments, results, objects and references per second."""
    ray = bench.ray

    @ray.remote
    def count(*args: Any) -> int:
        return len(args)

    @ray.remote(num_returns=_RETURNS)
    def several() -> list[int]:
        return list(range(_RETURNS))

    arguments = [[1] for _ in range(_ARGUMENTS)]
    refs = [ray.put(i) for i in range(_REFS)]
    holder = ray.put(refs)

    def call() -> None:
        assert ray.get(count.remote(*arguments)) == _ARGUMENTS

    bench.rate("many_arguments", call, _ARGUMENTS)
    bench.rate("many_returns", lambda: ray.get(several.remote()), _RETURNS)
    bench.rate("get_list", lambda: ray.get(refs), _REFS)
    bench.rate("get_holder", lambda: ray.get(holder), _REFS)


if __name__ == "__main__":
    harness.main(measure)
