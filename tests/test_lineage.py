"""Results lost from the store are computed again; values freed by hand are gone."""

from __future__ import annotations

import pytest

from support.programs import Room

pytestmark = [pytest.mark.only_thornback, pytest.mark.timeout(60)]

HOOKS: dict[str, str | None] = {"THORNBACK_TEST_HOOKS": "1"}

PRELUDE = """
    from support import balance
    from thornback import _debug
    from thornback._private.internal_api import free

    before = balance.stats()

    def lose(*refs):
        _debug.control("object.lose", objects=[ref.handle for ref in refs])

    def runs(name):
        return len([f for f in os.listdir(".") if f.startswith(name + "-")])

    def ran(name):
        open(f"{name}-{os.getpid()}-{time.monotonic_ns()}", "w").close()

    @ray.remote
    def make(name, size, *more):
        ran(name)
        return bytes([size % 256]) * size

    def fails(ref, reason):
        try:
            ray.get(ref, timeout=30)
        except ray.exceptions.ObjectReconstructionFailedError as error:
            assert isinstance(error, ray.exceptions.ObjectLostError)
            assert ref.hex() in str(error), (ref.hex(), str(error))
            assert reason in str(error), str(error)
            return
        raise AssertionError("no error")

    def settled():
        balance.wait_balanced()
        balance.wait_objects(before)
        print("well")
"""


def run(body: str, room: Room, **env: str | None) -> None:
    out = room.run(PRELUDE + body, env={**HOOKS, **env}).ok()
    assert "well" in out
    room.watch.assert_clean()


def test_a_result_is_computed_again(room: Room) -> None:
    run(
        """
    ref = make.remote("a", 300_000)
    right = ray.get(ref)
    lose(ref)
    assert ray.get(ref, timeout=30) == right
    assert runs("a") == 2

    @ray.remote
    def size(data):
        return len(data)

    lose(ref)
    assert ray.get(size.remote(ref), timeout=30) == 300_000  # as an argument too
    lose(ref)
    ready, _ = ray.wait([ref], timeout=30)
    assert ready and runs("a") == 4
    del ref, ready
    settled()
        """,
        room,
    )


def test_and_the_results_that_it_needs(room: Room) -> None:
    """Arguments that nobody holds any more have no value then; they are computed for this once."""
    run(
        """
    a = make.remote("a", 200_000)
    b = make.remote("b", 210_000, a)
    c = make.remote("c", 220_000, b, [a])
    ray.get(c)
    used = _debug.stats()["store_used_bytes"]
    del a, b
    deadline = time.monotonic() + 10
    while _debug.stats()["store_used_bytes"] > used - 400_000:
        assert time.monotonic() < deadline, "what nobody holds is not given back"
        time.sleep(0.01)
    lose(c)
    assert len(ray.get(c, timeout=30)) == 220_000
    assert [runs(name) for name in "abc"] == [2, 2, 2]
    del c
    settled()
        """,
        room,
    )


def test_one_of_several_results(room: Room) -> None:
    run(
        """
    @ray.remote(num_returns=3)
    def three():
        ran("three")
        return os.urandom(200_000), os.urandom(210_000), 7

    a, b, c = three.remote()
    first, second = ray.get([a, b])
    lose(b)
    again = ray.get(b, timeout=30)
    assert len(again) == 210_000 and again != second and ray.get([a, c]) == [first, 7]
    assert runs("three") == 2
    del a, b, c
    settled()
        """,
        room,
    )


def test_why_it_can_not_be(room: Room) -> None:
    run(
        """
    put = ray.put(bytes(300_000))
    never = make.options(max_retries=0).remote("never", 300_000)
    once = make.options(max_retries=1).remote("once", 300_000)
    ray.get([never, once])
    lose(put, never, once)
    fails(put, "created by ray.put()")
    fails(never, "max_retries=0")
    assert len(ray.get(once, timeout=30)) == 300_000
    lose(once)
    fails(once, "maximum number of task retries")
    assert runs("once") == 2 and runs("never") == 1

    # A task fails with the reason of its argument.
    needs = make.remote("needs", 300_000, ray.put(bytes(200_000)))
    ray.get(needs)
    lose(needs)
    try:
        ray.get(needs, timeout=30)
        raise SystemExit("computed without its argument")
    except ray.exceptions.RayError as error:
        assert "ray.put()" in str(error), error
    del put, never, once, needs
    settled()
        """,
        room,
    )


def test_a_worker_that_dies_meanwhile(room: Room) -> None:
    run(
        """
    @ray.remote(max_retries=2)
    def mortal():
        ran("mortal")
        if runs("mortal") == 2:
            os._exit(1)
        return bytes(300_000)

    ref = mortal.remote()
    ray.get(ref)
    lose(ref)
    assert len(ray.get(ref, timeout=30)) == 300_000
    assert runs("mortal") == 3
    del ref
    settled()
        """,
        room,
    )


def test_the_limit_of_what_is_kept(room: Room) -> None:
    run(
        """
    refs = []
    for _ in range(5):  # one after the other: the first to end is the first to be forgotten
        refs.append(make.remote("a", 200_000))
        ray.wait(refs[-1:])
    lose(refs[0], refs[-1])
    fails(refs[0], "lineage has been evicted")
    assert len(ray.get(refs[-1], timeout=30)) == 200_000
    refs.clear()
    settled()
        """,
        room,
        RAY_max_lineage_bytes="600",
    )


def test_a_long_chain_keeps_no_values(room: Room) -> None:
    run(
        """
    @ray.remote
    def step(data):
        return data[:-1] + b"x"

    ref = ray.put(bytes(200_000))
    for _ in range(300):
        ref = step.remote(ref)
    ray.get(ref)
    deadline = time.monotonic() + 10
    while _debug.stats()["store_used_bytes"] > 1_000_000:
        assert time.monotonic() < deadline, _debug.stats()
        time.sleep(0.01)
    assert balance.stats()["objects"] <= before["objects"] + 1
    del ref
    settled()
        """,
        room,
    )


def test_losing_is_for_tests(room: Room) -> None:
    out = room.run(
        """
    from thornback import _debug
    ref = ray.put(bytes(300_000))
    try:
        _debug.control("object.lose", objects=[ref.handle])
    except RuntimeError as error:
        print(error)
    assert len(ray.get(ref)) == 300_000
        """
    ).ok()
    assert "THORNBACK_TEST_HOOKS" in out


def test_free(room: Room) -> None:
    run(
        """
    import numpy as np

    small, big, array = ray.put("x"), ray.put(bytes(300_000)), ray.put(np.arange(100_000))
    result = make.remote("a", 300_000)
    ray.get(result)
    view = ray.get(array)
    pending = ray.remote(lambda: time.sleep(0.5) or 5).remote()
    free([small, big, array, result, pending])
    free(small)
    free([])
    for ref in (small, big, array, result):
        try:
            ray.get(ref, timeout=10)
            raise SystemExit("not freed")
        except ray.exceptions.ObjectFreedError as error:
            assert "manually freed using the internal `free` call" in str(error)
            assert ref.hex() in str(error)
        assert ray.wait([ref], timeout=10)[0] == [ref]
    assert (view == np.arange(100_000)).all()  # a view goes on showing what it showed

    @ray.remote(max_retries=0)
    def use(x):
        return x

    try:
        ray.get(use.remote(big), timeout=10)
        raise SystemExit("not freed")
    except ray.exceptions.RayError as error:
        assert "manually freed" in str(error)
    assert runs("a") == 1
    assert ray.get(pending, timeout=10) == 5  # it was not there yet
    for wrong in (1, [1], (small,)):
        try:
            free(wrong)
            raise SystemExit("accepted")
        except TypeError:
            pass
    del small, big, array, result, view, ref, pending, wrong
    settled()
        """,
        room,
    )
