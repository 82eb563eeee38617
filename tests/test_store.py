"""The store's memory is used again; when it is full the error says so, and nothing is lost."""

from __future__ import annotations

import re

import pytest

from support.programs import Room

pytestmark = pytest.mark.only_thornback

MB = 1_000_000

STORE = """
    ray.init(num_cpus=2, object_store_memory=64_000_000)
    Full = ray.exceptions.ObjectStoreFullError

    def fill():
        refs = []
        while True:
            try:
                refs.append(ray.put(bytes([len(refs)]) * 8_000_000))
            except Full as error:
                return refs, str(error)
            assert len(refs) < 9, "more than the store holds"

    def check(refs):
        for i, ref in enumerate(refs):
            data = ray.get(ref)
            assert len(data) == 8_000_000 and data[0] == data[-1] == i, i
"""


def test_the_error_says_how_full_and_by_what(room: Room) -> None:
    out = room.run(
        STORE + "    refs, text = fill(); print(len(refs)); print(text)", init=False
    ).ok()
    held, text = out.split("\n", 1)
    # How full: the size of the store (64,000,000 bytes are 61 MiB) and what was asked for.
    assert re.search(r"\b6[14]", text), text
    assert re.search(r"\b[78]", text), text
    # By what.
    assert re.search(rf"\b{held} objects\b", text), text


def test_nothing_is_lost_and_room_is_used_again(room: Room) -> None:
    room.run(
        STORE
        + """
    refs, _ = fill()
    assert len(refs) >= 6, len(refs)
    check(refs)
    for _ in range(20):
        last = refs.pop()
        del last
        refs.append(ray.put(bytes([len(refs)]) * 8_000_000))
        try:
            ray.put(bytes(16_000_000))
            raise SystemExit("there was room")
        except Full:
            pass
        check(refs)
    assert ray.get(ray.remote(lambda x: x + 1).remote(1)) == 2
    del refs
    refs, _ = fill()
    assert len(refs) >= 6, len(refs)
    """,
        init=False,
    ).ok()


def test_an_object_larger_than_the_store(room: Room) -> None:
    room.run(
        STORE
        + """
    small = ray.put(bytes(1_000_000))
    try:
        ray.put(bytes(100_000_000))
        raise SystemExit("no error")
    except Full:
        pass
    assert len(ray.get(small)) == 1_000_000
    """,
        init=False,
    ).ok()


def test_a_result_that_finds_no_room(room: Room) -> None:
    room.run(
        STORE
        + """
    refs, _ = fill()
    make = ray.remote(lambda: bytes(16_000_000))
    try:
        ray.get(make.remote(), timeout=20)
        raise SystemExit("no error")
    except Full:
        pass
    check(refs)
    del refs
    assert len(ray.get(make.remote(), timeout=20)) == 16_000_000
    """,
        init=False,
    ).ok()


def test_a_put_in_a_task_that_finds_no_room(room: Room) -> None:
    room.run(
        STORE
        + """
    refs, _ = fill()

    @ray.remote
    def try_put():
        try:
            ray.put(bytes(16_000_000))
        except Full:
            return "full"

    assert ray.get(try_put.remote(), timeout=20) == "full"
    check(refs)
    """,
        init=False,
    ).ok()


def test_a_store_full_of_views(room: Room) -> None:
    room.run(
        STORE
        + """
    import numpy as np
    views = []
    try:
        while len(views) < 9:
            views.append(ray.get(ray.put(np.full(1_000_000, len(views)))))
        raise SystemExit("more than the store holds")
    except Full:
        pass
    assert [int(view[-1]) for view in views] == list(range(len(views)))
    del views
    assert ray.get(ray.put(np.ones(1_000_000))).sum() == 1_000_000
    """,
        init=False,
    ).ok()


# --- memory is used again ----------------------------------------------------------------------

REUSE = """
    import numpy as np
    ray.init(num_cpus=2, object_store_memory={store})
    data = np.arange({size} // 8)
    refs = []
    for i in range({puts}):
        data[0] = i
        refs = refs[-{held}:] + [ray.put(data)]
        if i % {look} == 0:
            assert ray.get(refs[0])[0] == max(0, i - {held}), i
    print("done", len(refs))
    ray.shutdown()
"""


@pytest.mark.timeout(120)
def test_memory_is_used_again_by_the_driver(room: Room) -> None:
    source = REUSE.format(store=100 * MB, size=MB, puts=5_000, held=20, look=100)
    assert "done 21" in room.run(source, init=False).ok()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_ten_thousand_puts_of_ten_megabytes_in_one_gigabyte(room: Room) -> None:
    source = REUSE.format(store=1_000 * MB, size=10 * MB, puts=10_000, held=20, look=500)
    assert "done 21" in room.run(source, init=False, limit_s=200).ok()


@pytest.mark.timeout(120)
def test_memory_is_used_again_by_workers(room: Room) -> None:
    room.run(
        """
        ray.init(num_cpus=2, object_store_memory=100_000_000)

        @ray.remote
        def make(i, box=None):
            ray.put(bytes(1_000_000))
            return bytes([i % 256]) * 3_000_000

        for i in range(500):
            assert ray.get(make.remote(i))[0] == i % 256
        """,
        init=False,
    ).ok()
