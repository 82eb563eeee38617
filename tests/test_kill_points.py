"""A worker killed at each step of a call, a restart, a request: nothing hangs or leaks."""

from __future__ import annotations

import pytest

from support.programs import Room

pytestmark = [pytest.mark.only_thornback, pytest.mark.timeout(120)]

# See capi/kill_point.h; the names are those that the worker's sources give.
OF_A_TASK = ("claimed", "decoded", "called", "encoded", "refs", "reported")
OF_A_REQUEST = ("asked", "answered")
STEPS = [
    *(f"worker.{step}" for step in ("forked", "mapped", "ready", "leaving")),
    *(f"{kind}.{step}" for kind in ("task", "method", "create") for step in OF_A_TASK),
    *(f"{kind}.{step}" for kind in ("submit", "put") for step in ("begun", "said")),
    *(
        f"{kind}.{step}"
        for kind in ("define", "template", "alloc", "get", "wait", "control")
        for step in OF_A_REQUEST
    ),
]
RESTART_STEPS = [f"restart.{step}" for step in OF_A_TASK]

PROGRAM = """
    from support import balance
    from support.waiting import wait_until

    DIED = (ray.exceptions.WorkerCrashedError, ray.exceptions.RayActorError)
    before = balance.stats()
    handles = balance.handles()

    @ray.remote(max_retries=5 if RETRY else 0)
    def work(n, box):
        @ray.remote(max_retries=5 if RETRY else 0)
        def leaf(n):
            return n + 1

        big = ray.put(bytes(300_000))
        children = [leaf.remote(n), leaf.options(name="renamed").remote(n)]
        ray.wait(children, num_returns=2)
        try:
            ray.get_actor("nobody")
        except ValueError:
            pass
        return sum(ray.get(children)), len(ray.get(big)), bytes(200_000), ray.put(len(box))

    AGAIN = -1 if RETRY else 0

    @ray.remote(max_restarts=AGAIN, max_task_retries=AGAIN, max_concurrency=THREADS)
    class Keeper:
        def __init__(self, folder, data):
            self.folder = folder
            self.size = len(data)

        def size_of(self, data, box):
            return self.size + len(data) + len(ray.get(box[0]))

        def die_once(self):
            try:
                os.close(os.open(self.folder + "/died", os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return "made again"
            os._exit(7)

    def check(ref, right):
        # The value, or, where nothing is tried again, the error that is documented.
        try:
            value = ray.get(ref, timeout=60)
        except DIED as error:
            assert not RETRY, error
            return None
        assert right(value), value
        return value

    @ray.remote(max_restarts=AGAIN, max_task_retries=AGAIN)
    class Loop(Keeper._class):
        async def size_of(self, data, box):
            return self.size + len(data) + len(await box[0])

        async def die_once(self):
            return super().die_once()

    data = ray.put(bytes(150_000))
    refs = [work.remote(i, [data]) for i in range(3)]
    Kind = Loop if LOOP else Keeper
    keepers = [Kind.remote(os.getcwd(), data) for _ in range(2)]
    calls = [k.size_of.remote(data, [data]) for k in keepers for _ in range(3)]
    for i, ref in enumerate(refs):
        value = check(ref, lambda v: v[:2] == (2 * i + 2, 300_000) and len(v[2]) == 200_000)
        if value is not None:
            check(value[3], lambda v: v == 1)
    for call in calls:
        check(call, lambda v: v == 450_000)
    if RETRY:
        check(keepers[0].die_once.remote(), lambda v: v == "made again")
        check(keepers[0].size_of.remote(data, [data]), lambda v: v == 450_000)
    ray.kill(keepers.pop())
    keepers.clear()  # the other one leaves by itself
    value = ref = call = None
    refs.clear(), calls.clear()
    del data
    wait_until(lambda: os.path.exists("reached"), 30, "the step to be reached")

    # Everything is as before, and the session works.
    double = ray.remote(lambda x: x * 2)
    assert ray.get([double.remote(i) for i in range(20)]) == list(range(0, 40, 2))
    balance.wait_balanced()
    balance.wait_objects(before)
    balance.wait_handles(handles)
    print("well")
"""


def run(step: str, retry: bool, room: Room, threads: int | None = None, loop: bool = False) -> None:
    flag = room.work / "reached"
    body = f"    RETRY, THREADS, LOOP = {retry}, {threads}, {loop}\n{PROGRAM}"
    out = room.run(body, env={"THORNBACK_TEST_KILL": f"{step}:1:{flag}"}, limit_s=90).ok()
    assert "well" in out
    assert flag.exists()
    room.watch.assert_clean()


@pytest.mark.parametrize("step", STEPS)
def test_with_retries_nothing_is_seen(step: str, room: Room) -> None:
    run(step, True, room)


@pytest.mark.parametrize("step", RESTART_STEPS)
def test_a_restart_that_is_interrupted(step: str, room: Room) -> None:
    run(step, True, room)


CONCURRENT = [
    (f"{kind}.{step}", retry)
    for kind, retry in (("method", False), ("method", True), ("create", True), ("restart", True))
    for step in OF_A_TASK
]


@pytest.mark.parametrize("kind", ["threads", "loop"])
@pytest.mark.parametrize(("step", "retry"), CONCURRENT)
def test_actors_that_take_several_calls(step: str, retry: bool, kind: str, room: Room) -> None:
    run(step, retry, room, threads=3 if kind == "threads" else None, loop=kind == "loop")


@pytest.mark.parametrize("step", STEPS)
def test_without_retries_the_errors_are_the_documented_ones(step: str, room: Room) -> None:
    run(step, False, room)


@pytest.mark.parametrize(
    "step, error",
    [
        ("task.decoded", "WorkerCrashedError"),
        ("task.encoded", "WorkerCrashedError"),
        ("create.decoded", "ActorDiedError"),
        ("restart.decoded", "ActorDiedError"),
    ],
)
def test_each_attempt_dies(step: str, error: str, room: Room) -> None:
    """Every process that comes to the step dies there, until the attempts are used up."""
    out = room.run(
        """
        @ray.remote(max_retries=2)
        def work():
            return 1

        @ray.remote(max_restarts=2, max_task_retries=-1)
        class Keeper:
            def die(self):
                os._exit(7)

        try:
            if STEP.startswith("task"):
                ray.get(work.remote(), timeout=60)
            else:
                ray.get(Keeper.remote().die.remote(), timeout=60)
            print("no error")
        except ray.exceptions.RayError as error:
            print(type(error).__name__)
        """.replace("STEP", repr(step)),
        env={"THORNBACK_TEST_KILL": step},
    ).ok()
    assert error in out
    room.watch.assert_clean()
