"""Coroutines and groups of one actor: what the thread of one reads for another is heard of."""

from __future__ import annotations

from typing import Any

import pytest

from support.engine import ray

pytestmark = [pytest.mark.only_thornback, pytest.mark.usefixtures("balanced")]

ROUNDS = 500
LIMIT_S = 20.0


@ray.remote(num_cpus=0)
class Echo:
    def echo(self, value: int) -> int:
        return value


@ray.remote(num_cpus=0, concurrency_groups={"one": 1, "two": 1})
class Groups:
    def __init__(self, echo: Any) -> None:
        self.echo = echo

    async def awaits(self, value: int) -> int:
        result: int = await self.echo.echo.remote(value)
        return result

    @ray.method(concurrency_group="one")
    async def gets(self, value: int) -> int:
        """Wait for a reply on the group's thread, which reads what comes for the main loop too."""
        result: int = ray.get(self.echo.echo.remote(value), timeout=2 * LIMIT_S)
        return result

    @ray.method(concurrency_group="two")
    async def gets_too(self, value: int) -> int:
        result: int = ray.get(self.echo.echo.remote(value), timeout=2 * LIMIT_S)
        return result


@pytest.mark.parametrize("methods", [["gets"], ["gets", "gets_too"]])
def test_a_loop_hears_what_another_thread_has_read_for_it(methods: list[str]) -> None:
    """A lost wake leaves the main loop asleep, with the value there that it awaits.

    Each round ends in silence, since whatever comes next would wake the loop all the same.
    """
    actor = Groups.remote(Echo.remote())
    for i in range(ROUNDS):
        refs = [actor.awaits.remote(i), *(getattr(actor, name).remote(i) for name in methods)]
        assert ray.get(refs, timeout=LIMIT_S) == [i] * len(refs)
