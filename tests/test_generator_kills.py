"""A worker killed at each step of a generator: each item comes once, nothing hangs or leaks."""

from __future__ import annotations

import pytest

from support.programs import Room

pytestmark = [pytest.mark.only_thornback, pytest.mark.timeout(120)]

# See capi/kill_point.h; the number says how often a process comes to the step.
STEPS = [
    *((f"yield.{step}", 1) for step in ("begun", "said", "paused", "closed", "ended")),
    # Whether one process pauses three times depends on how fast the items are taken.
    *((f"yield.{step}", 3) for step in ("begun", "said")),
    *((f"next.{step}", time) for step in ("asked", "answered") for time in (1, 2)),
]

PROGRAM = """
    from support import balance
    from support.waiting import wait_until

    DIED = (ray.exceptions.WorkerCrashedError, ray.exceptions.RayActorError)
    RETRIES = 5 if RETRY else 0
    before = balance.stats()
    handles = balance.handles()

    @ray.remote(max_retries=RETRIES)
    def upto(n, data):
        for i in range(n):
            yield i, bytes(200_000), data

    @ray.remote(max_restarts=-1 if RETRY else 0, max_task_retries=-1 if RETRY else 0)
    class Source:
        def upto(self, n, data):
            for i in range(n):
                yield i, bytes(200_000), data

    @ray.remote(max_restarts=-1 if RETRY else 0, max_task_retries=-1 if RETRY else 0)
    class Loop:
        async def upto(self, n, data):
            for i in range(n):
                yield i, bytes(200_000), data

    @ray.remote(max_retries=RETRIES)
    def consume(data):
        return [ray.get(ref)[0] for ref in upto.remote(5, data)]

    def check(generator, n):
        # The items in order, each once; where nothing is tried again, as far as the death.
        seen = []
        for ref in generator:
            try:
                seen.append(ray.get(ref)[0])
            except DIED as error:
                assert not RETRY, error
                break
        else:
            assert len(seen) == n
        assert seen == list(range(len(seen))), seen

    data = [ray.put(bytes(150_000))]
    if not LOOP:
        check(upto.remote(6, data), 6)
        check(upto.options(_generator_backpressure_num_objects=2).remote(6, data), 6)
    for source in (Loop.remote(), Source.remote()) if LOOP else (Source.remote(), Loop.remote()):
        check(source.upto.remote(6, data), 6)
        check(source.upto.options(_generator_backpressure_num_objects=1).remote(6, data), 6)
    for _ in range(2):
        dropped = upto.options(_generator_backpressure_num_objects=1).remote(10**9, data)
        end = ray.wait([dropped], timeout=60)
        if PAUSES:  # where items are taken as fast as they come, it might never do so
            wait_until(lambda: os.path.exists("reached"), 30, "it to pause")
        del dropped, end
    try:
        assert ray.get(consume.remote(data), timeout=60) == list(range(5))
    except DIED as error:
        assert not RETRY, error
    wait_until(lambda: os.path.exists("reached"), 30, "the step to be reached")

    # Everything is as before, and the session works.
    del source, data
    check(upto.remote(3, None), 3)
    balance.wait_balanced()
    balance.wait_objects(before)
    balance.wait_handles(handles)
    print("well")
"""


def run(step: str, time: int, retry: bool, room: Room, loop: bool = False) -> None:
    flag = room.work / "reached"
    pauses = step == "yield.paused"
    body = f"    RETRY, LOOP, PAUSES = {retry}, {loop}, {pauses}\n{PROGRAM}"
    out = room.run(body, env={"THORNBACK_TEST_KILL": f"{step}:{time}:{flag}"}, limit_s=90).ok()
    assert "well" in out
    assert flag.exists()
    room.watch.assert_clean()


@pytest.mark.parametrize("retry", [True, False])
@pytest.mark.parametrize(("step", "time"), STEPS)
def test_killed_at_a_step(step: str, time: int, retry: bool, room: Room) -> None:
    run(step, time, retry, room)


@pytest.mark.parametrize("retry", [True, False])
@pytest.mark.parametrize(("step", "time"), [s for s in STEPS if s[0].startswith("yield")])
def test_an_async_one_killed_at_a_step(step: str, time: int, retry: bool, room: Room) -> None:
    run(step, time, retry, room, loop=True)
