"""What `await` costs for each of a thousand references."""

from __future__ import annotations

import asyncio

import harness

_REFS = 1000


def measure(bench: harness.Bench) -> None:
    """Emit await_1k, references of finished and of new tasks awaited per second."""
    ray = bench.ray

    @ray.remote
    def small_value() -> bytes:
        return b"ok"

    async def gather() -> None:
        values = await asyncio.gather(*(small_value.remote() for _ in range(_REFS)))
        assert len(values) == _REFS

    bench.rate("await_1k", lambda: asyncio.run(gather()), _REFS)


if __name__ == "__main__":
    harness.main(measure)
