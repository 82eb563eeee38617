"""The program of the README, checked: run by tools/test_wheels.sh in a bare environment."""

from __future__ import annotations

import sys
import time

import thornback as ray


@ray.remote
def increment(x: int) -> int:
    return x + 1


@ray.remote
class Counter:
    def __init__(self) -> None:
        self.n = 0

    def add(self, k: int) -> int:
        self.n += k
        return self.n


def main() -> None:
    started = time.perf_counter()
    ray.init()
    assert ray.get([increment.remote(i) for i in range(4)]) == [1, 2, 3, 4]
    counter = Counter.remote()
    assert ray.get([counter.add.remote(2), counter.add.remote(3)]) == [2, 5]
    blob = bytes(10_000_000)
    assert ray.get(ray.put(blob)) == blob
    ray.shutdown()
    took = time.perf_counter() - started
    print(f"thornback works on Python {sys.version.split()[0]} ({took:.2f} s)")


if __name__ == "__main__":
    main()
