"""What type checkers say of remote functions and objects; see tests/lint/test_types.py."""

from collections.abc import Generator, Iterator

import thornback as ray
from thornback import ObjectRef


@ray.remote
def scale(x: int, *, by: float = 2.0) -> float:
    return x * by


@ray.remote(num_cpus=2)
def words(text: str, sep: str | None = None) -> list[str]:
    return text.split(sep)


@ray.remote(num_returns=2)
def pair(x: int) -> tuple[int, int]:
    return x, x


@ray.remote
def nothing() -> None: ...


def plain(a: int, b: str = "") -> dict[str, int]:
    return {b: a}


made = ray.remote(plain)
with_options = ray.remote(max_retries=1)(plain)

reveal_type(scale.remote(1))  # R: ObjectRef[float]
reveal_type(scale.remote(1, by=3))  # R: ObjectRef[float]
reveal_type(scale.remote(x=1, by=3))  # R: ObjectRef[float]
reveal_type(words.remote("a b"))  # R: ObjectRef[list[str]]
reveal_type(words.remote("a b", sep=" "))  # R: ObjectRef[list[str]]
reveal_type(nothing.remote())  # R: ObjectRef[None]
reveal_type(pair.remote(1))  # R: Any
reveal_type(made.remote(1))  # R: ObjectRef[dict[str, int]]
reveal_type(made.remote(a=1, b="c"))  # R: ObjectRef[dict[str, int]]
reveal_type(with_options.remote(1, "c"))  # R: ObjectRef[dict[str, int]]

# Options keep the type, but for the number of results.
reveal_type(scale.options(num_cpus=1).remote(1))  # R: ObjectRef[float]
reveal_type(scale.options(name="s", max_retries=0).remote(1, by=2))  # R: ObjectRef[float]
reveal_type(scale.options(num_returns=2).remote(1))  # R: Any
reveal_type(words.options(resources={"slot": 1}).remote("a"))  # R: ObjectRef[list[str]]

# References stand for their values.
number = ray.put(3)
text = ray.put("a b")
reveal_type(number)  # R: ObjectRef[int]
reveal_type(text)  # R: ObjectRef[str]
reveal_type(ray.put([1, 2]))  # R: ObjectRef[list[int]]
reveal_type(ray.put({"a": 1.5}))  # R: ObjectRef[dict[str, float]]
reveal_type(scale.remote(number))  # R: ObjectRef[float]
reveal_type(scale.remote(number, by=2.5))  # R: ObjectRef[float]
reveal_type(words.remote(text, " "))  # R: ObjectRef[list[str]]
reveal_type(words.remote("a", text))  # R: ObjectRef[list[str]]
reveal_type(made.remote(scale.remote(1)))  # R: ObjectRef[dict[str, int]]

# get, wait
reveal_type(ray.get(number))  # R: int
reveal_type(ray.get(text, timeout=1))  # R: str
reveal_type(ray.get(scale.remote(1)))  # R: float
reveal_type(ray.get(words.remote("a")))  # R: list[str]
reveal_type(ray.get(nothing.remote()))  # R: None
reveal_type(ray.get([number, number]))  # R: list[int]
reveal_type(ray.get([scale.remote(i) for i in range(3)]))  # R: list[float]
reveal_type(ray.get([words.remote("a")], timeout=2))  # R: list[list[str]]
ready, rest = ray.wait([number], num_returns=1, timeout=1)
reveal_type(ready)  # R: list[ObjectRef[int]]
reveal_type(rest)  # R: list[ObjectRef[int]]
reveal_type(ray.wait([scale.remote(1)])[0])  # R: list[ObjectRef[float]]
reveal_type(ray.get(ready))  # R: list[int]

# Futures and awaiting
reveal_type(number.future())  # R: Future[int]
reveal_type(number.future().result())  # R: int
reveal_type(scale.remote(1).future())  # R: Future[float]


async def awaits() -> None:
    reveal_type(await number)  # R: int
    reveal_type(await scale.remote(1))  # R: float
    reveal_type(await words.remote("a"))  # R: list[str]


def takes(ref: ObjectRef[int]) -> int:
    reveal_type(ref)  # R: ObjectRef[int]
    return ray.get(ref)


@ray.remote
def nested(refs: list[ObjectRef[int]]) -> ObjectRef[int]:
    return refs[0]


reveal_type(nested.remote([number]))  # R: ObjectRef[ObjectRef[int]]
reveal_type(ray.get(ray.get(nested.remote([number]))))  # R: int


@ray.remote
def letters(n: int, *, upper: bool = False) -> Iterator[str]:
    yield from "abc"[:n]


@ray.remote(num_cpus=0)
def numbers(n: int) -> Generator[int, None, None]:
    yield from range(n)


reveal_type(letters.remote(2))  # R: ObjectRefGenerator[str]
reveal_type(letters.remote(2, upper=True))  # R: ObjectRefGenerator[str]
reveal_type(numbers.remote(2))  # R: ObjectRefGenerator[int]
reveal_type(next(letters.remote(2)))  # R: ObjectRef[str]
reveal_type([ray.get(ref) for ref in numbers.remote(2)])  # R: list[int]
reveal_type(letters.remote(1).completed())  # R: ObjectRef[None]
reveal_type(ray.wait([letters.remote(2)])[0])  # R: list[ObjectRefGenerator[str]]


async def iterates() -> None:
    async for ref in letters.remote(1):
        reveal_type(ref)  # R: ObjectRef[str]


with ray.scope() as scope:
    reveal_type(scope)  # R: Scope
    reveal_type(scope.cancel())  # R: None


async def in_a_scope() -> None:
    async with ray.scope() as inner:
        reveal_type(inner)  # R: Scope


# Errors
with ray.scope(1):  # E
    pass
letters.remote("a")  # E
scale.remote("a")  # E
scale.remote(1, 2)  # E
scale.remote(1, bye=2)  # E
scale.remote()  # E
words.remote(3)  # E
nothing.remote(1)  # E
made.remote("a")  # E
with_options.remote(1, 2)  # E
scale(1)  # E
takes(text)  # E
ray.get(3)  # E
