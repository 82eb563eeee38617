"""Interrupts and cancellations at any moment: nothing hangs, nothing is lost, nothing is left."""

from __future__ import annotations

import pytest

from support.programs import Room

pytestmark = pytest.mark.only_thornback

DEFINITIONS = """
    import gc, random, threading

    from thornback import _debug

    @ray.remote
    def f(x):
        return x

    @ray.remote(max_retries=-1)
    def tree(depth, ms):
        if depth == 0:
            time.sleep(ms / 1000)
            return 1
        return sum(ray.get([tree.remote(depth - 1, ms) for _ in range(2)]))

    @ray.remote
    def busy(ms):
        end = time.monotonic() + ms / 1000
        while time.monotonic() < end:
            pass
        return 1

    @ray.remote
    def items(n):
        for i in range(n):
            time.sleep(0.001)
            yield i

    @ray.remote(num_cpus=0)
    class A:
        def __init__(self):
            self.n = 0

        def add(self):
            self.n += 1
            time.sleep(0.001)
            return self.n

        def tree(self, depth):
            return ray.get(tree.remote(depth, 1))

    def back(before):
        \"\"\"Wait until all is as it was.\"\"\"
        end = time.monotonic() + 20
        while time.monotonic() < end:
            gc.collect()
            now = _debug.stats()
            if ray.available_resources().get("CPU") == 2 and all(
                now[key] <= before[key] for key in ("objects", "tasks", "actors", "store_extents")
            ):
                return
            time.sleep(0.02)
        raise SystemExit(f"left: {now}, before: {before}, {ray.available_resources()}")
"""

INTERRUPTS = """
    a = A.remote()
    ray.get(a.add.remote())
    before = _debug.stats()
    steps = [
        lambda: ray.get([f.remote(i) for i in range(20)]) == list(range(20)),
        lambda: ray.get(tree.remote(2, 0)) == 4,
        lambda: ray.get(a.add.remote()) > 0,
        lambda: ray.get(ray.put([1] * 1000)) == [1] * 1000,
        lambda: len(ray.wait([f.remote(i) for i in range(5)], num_returns=5)[0]) == 5,
        lambda: [ray.get(ref) for ref in items.remote(5)] == list(range(5)),
        lambda: ray.cancel(f.remote(1)) is None,
        lambda: ray.get(f.remote(ray.put(b"x" * 200_000))) == b"x" * 200_000,
        lambda: f.options(num_cpus=random.randrange(1, 1000) / 1000).remote(1) is not None,
        lambda: ray.get(A.remote().add.remote()) == 1,
        lambda: ray.available_resources() is not None,
    ]
    hits = done = 0
    over = threading.Event()

    def storm():
        while not over.wait(random.random() * 0.004):
            os.kill(os.getpid(), signal.SIGINT)

    def work(end):
        global done
        while time.monotonic() < end:
            step = random.randrange(len(steps))
            assert steps[step](), step
            done += 1

    thread = threading.Thread(target=storm)
    end = time.monotonic() + 3
    while time.monotonic() < end:
        try:
            if thread.ident is None:
                thread.start()
            work(end)
        except KeyboardInterrupt:
            hits += 1
    while thread.is_alive():
        try:
            over.set()
            thread.join()
        except KeyboardInterrupt:
            hits += 1
    assert hits > 50 and done > 50, (hits, done)
    assert ray.get([f.remote(i) for i in range(100)], timeout=20) == list(range(100))
    assert ray.get(a.add.remote(), timeout=20) > 1
    back(before)
    print("well")
"""


def test_ctrl_c_at_any_moment_leaves_the_session_usable(room: Room) -> None:
    """In get, wait, put, .remote(), cancel, and everything between them."""
    assert "well" in room.run(DEFINITIONS + INTERRUPTS, limit_s=90).ok()
    room.watch.assert_clean()


CANCELS = """
    from thornback.exceptions import TaskCancelledError

    rng = random.Random(SEED)
    actors = [A.remote() for _ in range(3)]
    ray.get([a.add.remote() for a in actors])
    before = _debug.stats()
    values = cancelled = 0

    def check(ref):
        global values, cancelled
        try:
            ray.get(ref, timeout=30)
            values += 1
        except TaskCancelledError:
            cancelled += 1

    def submit(refs):
        return rng.choice([
            lambda: tree.remote(rng.randrange(4), rng.randrange(3)),
            lambda: busy.remote(rng.randrange(5)),
            lambda: rng.choice(actors).add.remote(),
            lambda: rng.choice(actors).tree.remote(rng.randrange(3)),
            lambda: items.remote(20).completed(),
            lambda: f.remote(refs[-1] if refs else 1),
        ])()

    refs = []
    end = time.monotonic() + 4
    while time.monotonic() < end:
        refs.append(submit(refs))
        if rng.random() < 0.7:
            how = {"recursive": rng.random() < 0.8, "interrupt": rng.random() < 0.5}
            if rng.random() < 0.05:
                how["force"] = True
            try:
                ray.cancel(rng.choice(refs), **how)
            except ValueError as error:
                assert "force" in how and "force=True" in str(error), (how, error)
        while len(refs) > 40:
            ref = refs.pop(0)
            if rng.random() < 0.8:  # others are let go unseen
                check(ref)
    for ref in refs:
        check(ref)
    assert values > 20 and cancelled > 20, (values, cancelled)
    del refs, ref
    assert all(n > 0 for n in ray.get([a.add.remote() for a in actors], timeout=20))
    back(before)
    print("well")
"""


@pytest.mark.parametrize("seed", range(3))
def test_cancels_at_any_moment(seed: int, room: Room) -> None:
    """Tasks in trees, calls, generators: each ends, with its value or as cancelled."""
    program = DEFINITIONS + CANCELS.replace("SEED", str(seed))
    assert "well" in room.run(program, limit_s=120).ok()
    room.watch.assert_clean()
