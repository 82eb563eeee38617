"""The state API in sessions with more tasks than are remembered."""

from __future__ import annotations

import pytest

from support.commands import thornback
from support.programs import Room

pytestmark = pytest.mark.only_thornback

FORGETFUL = """
    import warnings
    from thornback.util import state

    @ray.remote
    def f(i):
        return i

    ray.get([f.remote(i) for i in range(5000)])

    def text(ask):
        try:
            return len(ask())
        except state.exception.RayStateApiException as error:
            return error

    print("list:", text(lambda: state.list_tasks()))
    print("summary:", text(lambda: state.summarize_tasks()))
    print("allowed:", len(state.list_tasks(raise_on_missing_output=False, limit=10)))
    counts = state.summarize_tasks(raise_on_missing_output=False)["cluster"]
    print("counted:", 1000 <= counts["total_tasks"] <= 1500)
    with warnings.catch_warnings(record=True) as got:
        warnings.simplefilter("always")
        state.list_tasks(raise_on_missing_output=False, limit=10, _explain=True)
    print("warned:", *(str(one.message) for one in got))
    print("actors:", text(lambda: state.list_actors()), flush=True)
    while not os.path.exists("end"):
        time.sleep(0.01)
"""


def test_tasks_that_are_forgotten(room: Room) -> None:
    driver = room.start(FORGETFUL, env={"RAY_task_events_max_num_task_in_gcs": "1000"})
    driver.wait_for("actors:")
    lines = dict(line.split(": ", 1) for line in driver.out.splitlines())
    for what in ("list", "summary"):
        assert lines[what].startswith("Failed to retrieve all 5000 tasks from the cluster because")
        assert "set `raise_on_missing_output=False`" in lines[what]
    assert (lines["allowed"], lines["counted"], lines["actors"]) == ("10", "True", "0")
    assert "The returned data may contain incomplete result." in lines["warned"]
    assert "(5000 total from the cluster) tasks are retrieved from the data" in lines["warned"]
    assert "Limit last 10 entries (Total 1" in lines["warned"]
    listed = thornback(room, "list", "tasks", "--limit", "10")
    assert "Total: 10" in listed.ok()
    assert "(5000 total from the cluster)" in listed.err
    counted = thornback(room, "summary", "tasks")
    counted.ok()
    assert "of 5000 tasks are not counted" in counted.err
    (room.work / "end").touch()
    driver.finish().ok()


MANY = """
    import resource
    from thornback.util import state

    @ray.remote
    def f():
        pass

    for _ in range(10):
        ray.get([f.remote() for _ in range(100_000)])

    def peak_mb():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    before, begun = peak_mb(), time.monotonic()
    assert len(state.list_tasks(limit=10_000, raise_on_missing_output=False)) == 10_000
    nobody = [("name", "=", "nobody")]
    assert state.list_tasks(filters=nobody, raise_on_missing_output=False) == []
    print(time.monotonic() - begun, peak_mb() - before)
"""


def test_a_million_ended_tasks(room: Room) -> None:
    seconds, more_mb = map(float, room.run(MANY, limit_s=120).ok().split())
    assert seconds < 20  # one, on an idle machine
    assert more_mb < 200
