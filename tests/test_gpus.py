"""GPUs given by hand: ids, CUDA_VISIBLE_DEVICES and OMP_NUM_THREADS in tasks and actors."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from support.engine import ray
from support.programs import Room

# What every driver of this file can ask of a task, and how it shows the answer.
INFO = """
import json
ray.init(num_cpus=4, {init})

def info():
    variables = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
    return [ray.get_gpu_ids(), *map(os.environ.get, variables)]

task = ray.remote(info)

@ray.remote
class Holder:
    def info(self):
        return info()

def show(name, ref):
    print(json.dumps([name, *ray.get(ref)]), flush=True)
"""


def answers(room: Room, init: str, body: str, **env: str | None) -> dict[str, list[Any]]:
    """Run a driver that shows some answers; return ids, CUDA_VISIBLE_DEVICES, OMP_NUM_THREADS."""
    env.setdefault("CUDA_VISIBLE_DEVICES", None)
    env.setdefault("OMP_NUM_THREADS", None)
    out = room.run(INFO.format(init=init) + body, init=False, env=env).ok()
    return {line[0]: line[1:] for line in map(json.loads, out.splitlines())}


def test_tasks(room: Room) -> None:
    got = answers(
        room,
        "num_gpus=3",
        """
show("plain", task.remote())
for n in (0, 1, 2, 3, 0.5, 2.0):
    show(f"gpus {n}", task.options(num_gpus=n).remote())
for n in (0, 0.5, 1, 2, 1.5, 3):
    show(f"cpus {n}", task.options(num_cpus=n).remote())
show("again", task.remote())
print(json.dumps(["driver", ray.get_gpu_ids(), ray.cluster_resources()["GPU"], 0]))
""",
    )
    assert got["plain"] == got["gpus 0"] == got["again"] == [[], None, "1"]
    assert got["gpus 1"] == [[0], "0", "1"]
    assert got["gpus 2"] == got["gpus 2.0"] == [[0, 1], "0,1", "1"]
    assert got["gpus 3"] == [[0, 1, 2], "0,1,2", "1"]
    assert got["gpus 0.5"] == [[0], "0", "1"]
    assert [got[f"cpus {n}"][2] for n in (0, 0.5, 1, 2, 1.5, 3)] == ["1", "1", "1", "2", "1", "3"]
    assert got["driver"] == [[], 3.0, 0]


def test_actors(room: Room) -> None:
    got = answers(
        room,
        "num_gpus=3",
        """
parts = [Holder.options(num_gpus=0.4, num_cpus=0).remote() for _ in range(4)]
for i, actor in enumerate(parts):
    show(f"part {i}", actor.info.remote())
whole = Holder.options(num_gpus=1, num_cpus=2).remote()
show("whole", whole.info.remote())
late = Holder.options(num_gpus=1, num_cpus=0).remote()
print(json.dumps(["waits", len(ray.wait([late.info.remote()], timeout=0.2)[0])]), flush=True)
show("beside", task.options(num_gpus=0.2).remote())
del actor, parts
show("late", late.info.remote())
show("whole again", whole.info.remote())
show("plain", Holder.remote().info.remote())
""",
    )
    # Parts are packed; a device that is taken in part is no whole one.
    assert [got[f"part {i}"][0] for i in range(4)] == [[0], [0], [1], [1]]
    assert got["whole"] == got["whole again"] == [[2], "2", "2"]
    assert got["waits"] == [0]
    assert got["beside"] == [[0], "0", "1"]
    assert got["late"][0] in ([0], [1])
    assert got["plain"] == [[], None, "1"]


@pytest.mark.parametrize(
    ("visible", "init", "env", "plain", "one", "half"),
    [
        ("4,5", "num_gpus=2", {}, [[], "4,5", "1"], [["4"], "4", "1"], [["4"], "4", "1"]),
        ("4,5", "num_gpus=1", {}, [[], "4,5", "1"], [["4"], "4", "1"], [["4"], "4", "1"]),
        (
            "GPU-aa,GPU-bb",
            "num_gpus=2",
            {},
            [[], "GPU-aa,GPU-bb", "1"],
            [["GPU-aa"], "GPU-aa", "1"],
            [["GPU-aa"], "GPU-aa", "1"],
        ),
        (
            "4,5",
            "num_gpus=2",
            {"RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES": "1"},
            [[], "4,5", "1"],
            [["4"], "4,5", "1"],
            [["4"], "4,5", "1"],
        ),
        (
            "4,5",
            "num_gpus=2",
            {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1"},
            [[], "", "1"],
            [["4"], "4", "1"],
            [["4"], "4", "1"],
        ),
    ],
)
def test_the_drivers_devices(
    room: Room,
    visible: str,
    init: str,
    env: dict[str, str | None],
    plain: list[Any],
    one: list[Any],
    half: list[Any],
) -> None:
    """Ids are the names that the driver had for its devices, strings then."""
    got = answers(
        room,
        init,
        """
show("plain", task.remote())
show("one", task.options(num_gpus=1).remote())
show("half", task.options(num_gpus=0.5).remote())
""",
        CUDA_VISIBLE_DEVICES=visible,
        **env,
    )
    assert (got["plain"], got["one"], got["half"]) == (plain, one, half)


@pytest.mark.parametrize(("visible", "names"), [("4,5", "['4', '5']"), ("", "[]")])
def test_more_than_the_driver_sees(room: Room, visible: str, names: str) -> None:
    out = room.run(
        """
        try:
            ray.init(num_cpus=1, num_gpus=3)
        except ValueError as error:
            print(error)
        """,
        init=False,
        env={"CUDA_VISIBLE_DEVICES": visible},
    ).ok()
    expected = f"Attempting to start raylet with 3 GPU, but CUDA_VISIBLE_DEVICES contains {names}."
    assert expected in out


def test_threads_of_the_users_own(room: Room) -> None:
    got = answers(
        room,
        "num_gpus=1",
        'show("two", task.options(num_cpus=2, num_gpus=1).remote())',
        OMP_NUM_THREADS="7",
    )
    assert got["two"] == [[0], "0", "7"]


def test_before_anything_is_loaded(room: Room) -> None:
    """The variables are set when the arguments are unpickled: a library may look at once."""
    out = room.run(
        """
        ray.init(num_cpus=2, num_gpus=2)

        def look():
            return os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get("OMP_NUM_THREADS")

        class Early:
            def __reduce__(self):
                return look, ()

        @ray.remote(num_gpus=2, num_cpus=2)
        def f(found):
            return found

        @ray.remote(num_gpus=2, num_cpus=2)
        class A:
            def __init__(self, found):
                self.found = found

            def get(self):
                return self.found

        print(*ray.get(f.remote(Early())))
        print(*ray.get(A.remote(Early()).get.remote()))
        """,
        init=False,
        env={"CUDA_VISIBLE_DEVICES": None, "OMP_NUM_THREADS": None},
    ).ok()
    assert out.split() == ["0,1", "2", "0,1", "2"]


def test_runtime_context(room: Room) -> None:
    out = room.run(
        """
        ray.init(num_cpus=1, num_gpus=2)

        @ray.remote(num_gpus=1)
        def f():
            return ray.get_runtime_context().get_accelerator_ids()

        print(ray.get(f.remote())["GPU"], ray.get_runtime_context().get_accelerator_ids()["GPU"])
        """,
        init=False,
        env={"CUDA_VISIBLE_DEVICES": None},
    ).ok()
    assert out.strip() == "['0'] []"


@pytest.mark.only_thornback
def test_failures_give_devices_back(room: Room) -> None:
    """Deaths, exceptions, kills and cancelled creations: every device is free again."""
    out = room.run(
        """
        ray.init(num_cpus=4, num_gpus=2)

        @ray.remote(num_gpus=1, max_retries=0)
        def f(how):
            if how == "die":
                os._exit(1)
            if how == "raise":
                raise ValueError
            return ray.get_gpu_ids()

        @ray.remote(num_gpus=0.5)
        class A:
            def __init__(self, fail=False):
                if fail:
                    raise ValueError

            def ids(self):
                return ray.get_gpu_ids()

        for how in ("die", "raise", "die", "return") * 2:
            try:
                ray.get(f.remote(how))
            except Exception:
                pass
        actors = [A.remote() for _ in range(4)] + [A.remote(True)]
        print([ray.get(a.ids.remote()) for a in actors[:4]])
        for a in actors[:3]:
            ray.kill(a)
        del a, actors
        deadline = time.monotonic() + 20
        while ray.available_resources().get("GPU") != 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        print(ray.get(f.options(num_gpus=2).remote("return")))
        """,
        init=False,
        env={"CUDA_VISIBLE_DEVICES": None},
    ).ok()
    assert out.splitlines() == ["[[0], [0], [1], [1]]", "[0, 1]"]


@pytest.mark.only_thornback
def test_detection(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `num_gpus`, as many as the driver's folder shows and CUDA_VISIBLE_DEVICES leaves."""
    from thornback import _accelerators

    folder = str(tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert _accelerators.offered(None, folder) == 0
    assert _accelerators.offered(None, folder + "/none") == 0
    for name in ("0000:01:00.0", "0000:02:00.0", "0000:03:00.0"):
        os.mkdir(os.path.join(folder, name))
    assert _accelerators.offered(None, folder) == 3
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,1")
    assert _accelerators.offered(None, folder) == 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert _accelerators.offered(None, folder) == 0
    assert _accelerators.offered(0, folder) == 0


@pytest.mark.parametrize("amount", [1.5, 2.5])
def test_one_and_a_half(amount: float) -> None:
    f = ray.remote(num_gpus=amount)(lambda: None)
    with pytest.raises(ValueError, match="must"):
        f.remote()
