"""What type checkers say of actors; see tests/lint/test_types.py."""

from collections.abc import AsyncIterator, Iterator

import thornback as ray
from thornback.actor import ActorHandle


@ray.remote
class Counter(ray.Actor):
    def __init__(self, start: int = 0, *, name: str = "") -> None:
        self.n = start

    @ray.method
    def add(self, k: int = 1, *, twice: bool = False) -> int:
        self.n += 2 * k if twice else k
        return self.n

    @ray.method(max_task_retries=2)
    def value(self) -> float:
        return self.n + self.offset()

    @ray.method(num_returns=2)
    def both(self) -> tuple[int, int]:
        return self.n, self.n

    @ray.method
    async def later(self, text: str) -> bytes:
        return text.encode()

    @ray.method(concurrency_group="io")
    async def grouped(self) -> list[str]:
        return []

    @ray.method
    def items(self, n: int) -> Iterator[int]:
        yield from range(n)

    @ray.method
    async def lines(self) -> AsyncIterator[str]:
        yield ""

    def offset(self) -> float:
        return 0.5


counter = Counter.remote(5, name="c")
reveal_type(counter)  # R: Counter
reveal_type(Counter.remote())  # R: Counter
reveal_type(Counter.remote(start=1))  # R: Counter
reveal_type(Counter.options(name="a").remote(1))  # R: Counter
reveal_type(Counter.options(max_restarts=1, num_cpus=1).remote())  # R: Counter
reveal_type(counter.add.remote())  # R: ObjectRef[int]
reveal_type(counter.add.remote(2))  # R: ObjectRef[int]
reveal_type(counter.add.remote(k=2, twice=True))  # R: ObjectRef[int]
reveal_type(counter.value.remote())  # R: ObjectRef[float]
reveal_type(counter.both.remote())  # R: Any
reveal_type(counter.later.remote("a"))  # R: ObjectRef[bytes]
reveal_type(counter.grouped.remote())  # R: ObjectRef[list[str]]
reveal_type(counter.items.remote(1))  # R: ObjectRefGenerator[int]
reveal_type(counter.lines.remote())  # R: ObjectRefGenerator[str]
reveal_type(counter.add.options(name="x").remote(1))  # R: Any
reveal_type(ray.get(counter.add.remote()))  # R: int
reveal_type(ray.get([counter.add.remote(i) for i in range(2)]))  # R: list[int]
reveal_type(counter.add.remote(ray.put(1)))  # R: ObjectRef[int]
reveal_type(counter.later.remote(ray.put("a")))  # R: ObjectRef[bytes]


class Plain:
    def __init__(self, a: int) -> None:
        self.a = a

    def m(self, x: int) -> str:
        return str(x)


# A class that does not derive from Actor: anything can be called.
Remote = ray.remote(Plain)
WithOptions = ray.remote(num_cpus=1)(Plain)
handle = Remote.remote(1)
reveal_type(Remote)  # R: ActorClass[Plain]
reveal_type(WithOptions)  # R: ActorClass[Plain]
reveal_type(Remote.options(name="b"))  # R: ActorClass[Plain]
reveal_type(handle)  # R: ActorHandle[Plain]
reveal_type(Remote.options(name="b").remote(2))  # R: ActorHandle[Plain]
reveal_type(WithOptions.remote(1))  # R: ActorHandle[Plain]
reveal_type(handle.m)  # R: ActorMethod
reveal_type(handle.m.remote(1))  # R: Any


def passes(one: Counter, other: ActorHandle[Plain]) -> None:
    reveal_type(one.add.remote(1))  # R: ObjectRef[int]
    reveal_type(other)  # R: ActorHandle[Plain]
    ray.kill(other)
    ray.kill(one)


passes(counter, handle)

# Errors
Counter.remote("a")  # E
Counter.remote(1, 2)  # E
Counter.remote(names="a")  # E
counter.add.remote("a")  # E
counter.add.remote(1, True)  # E
counter.add.remote(once=True)  # E
counter.later.remote(3)  # E
counter.value.remote(1)  # E
counter.offset.remote()  # E
counter.missing.remote()  # E
passes(handle, counter)  # E
