"""The variables of Ray's that users set: what each changes; the README lists them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from support.programs import Room

pytestmark = pytest.mark.only_thornback

STRICT: dict[str, str | None] = {"RAY_allow_out_of_band_object_ref_serialization": "0"}

OUT_OF_BAND = """
    import copy, pickle
    from thornback import cloudpickle
    from thornback.exceptions import OufOfBandObjectRefSerializationException as Refused

    def refused(f):
        try:
            f()
        except Refused as error:
            return str(error)
        return ""

    class Holder:
        def __init__(self, ref):
            self.ref = ref

    @ray.remote
    def alone(x):
        return x

    def capturing(thing):
        @ray.remote
        def by_closure():
            return thing

        @ray.remote
        def by_default(x=thing):
            return x

        @ray.remote
        def by_another():
            return by_closure

        @ray.remote
        class Actor:
            def m(self):
                return thing

        return by_closure.remote, by_default.remote, by_another.remote, Actor.remote

    @ray.remote
    def inside(refs):
        return [bool(refused(lambda: cloudpickle.dumps(refs))), ray.get(refs[0])]

    ref = ray.put(1)
    message = refused(lambda: cloudpickle.dumps({"a": [ref]}))
    print("message:", message.replace(ref.hex(), "ID").replace(chr(10), " "))
    print("file:", bool(refused(lambda: cloudpickle.dump(ref, open(os.devnull, "wb")))))
    print("captured:", [bool(refused(f)) for f in capturing(ref)])
    print("named:", refused(capturing(ref)[0]).split(": It is")[0])
    # What the engine counts is allowed, and so is what is not cloudpickle's.
    print("engine's:", ray.get([alone.remote(ray.put([ref])), alone.remote(Holder(ref))])[0] != [])
    print("plain:", type(pickle.loads(pickle.dumps(ref))) is type(copy.copy(ref)))
    print("inside:", ray.get(inside.remote([ref])))

    @ray.remote
    class Counter:
        def add(self):
            return 7

    counter = Counter.remote()

    @ray.remote
    def uses_handle():
        return ray.get(counter.add.remote())

    print("handles:", ray.get(uses_handle.remote()))
    print("again:", ray.get(cloudpickle.loads(cloudpickle.dumps(counter)).add.remote()))
    mixed = [counter, ref]
    print("mixed:", [bool(refused(f)) for f in capturing(mixed)])
"""


def test_references_out_of_band(room: Room) -> None:
    lines = dict(
        line.split(": ", 1) for line in room.run(OUT_OF_BAND, env=STRICT).ok().splitlines()
    )
    assert lines["message"] == (
        "It is not allowed to serialize ray.ObjectRef ID. If you want to allow serialization, set "
        "`RAY_allow_out_of_band_object_ref_serialization=1.` If you set the env var, the object is "
        "pinned forever in the lifetime of the worker process and can cause Ray object leaks. See "
        "the callsite and trace to find where the serialization occurs. Callsite: Disabled. Set "
        "RAY_record_ref_creation_sites=1"
    )
    assert lines["file"] == "True"
    assert lines["captured"] == lines["mixed"] == "[True, True, True, True]"
    assert re.match(r"Could not serialize the function .*by_closure$", lines["named"])
    assert lines["engine's"] == "True"
    assert lines["plain"] == "True"
    assert lines["inside"] == "[True, 1]"
    assert (lines["handles"], lines["again"]) == ("7", "7")


@pytest.mark.parametrize("value", [None, "1", "true"])
def test_references_out_of_band_are_allowed_else(room: Room, value: str | None) -> None:
    out = room.run(OUT_OF_BAND, env={next(iter(STRICT)): value}).ok()
    assert "captured: [False, False, False, False]" in out
    assert "inside: [False, 1]" in out


PRINTS = """
    import logging

    ray.init(num_cpus=1{more})

    @ray.remote
    def f():
        print("printed")
        logging.getLogger("mine").warning("logged")

    ray.get(f.remote())
    logging.getLogger("ray").info("of the engine")
"""


def test_lines_of_workers(room: Room) -> None:
    silent: dict[str, str | None] = {"RAY_LOG_TO_DRIVER": "0"}
    assert "printed" not in room.run(PRINTS.format(more=""), init=False, env=silent).ok()
    told = room.run(PRINTS.format(more=", log_to_driver=True"), init=False, env=silent).ok()
    assert "printed" in told


def test_level_of_the_logger(room: Room) -> None:
    for level, shown in ((None, True), ("warning", False)):
        done = room.run(PRINTS.format(more=""), init=False, env={"RAY_LOGGER_LEVEL": level})
        done.ok()
        assert ("of the engine" in done.err) is shown
    given = PRINTS.format(more=", logging_level=logging.INFO")
    done = room.run(given, init=False, env={"RAY_LOGGER_LEVEL": "warning"})
    assert "of the engine" in done.err


def test_encoding_of_logs(room: Room) -> None:
    done = room.run(PRINTS.format(more=""), init=False, env={"RAY_LOGGING_CONFIG_ENCODING": "JSON"})
    done.ok()
    assert '"message": "logged"' in done.err
    wrong = room.run(PRINTS.format(more=""), init=False, env={"RAY_LOGGING_CONFIG_ENCODING": "XML"})
    assert wrong.code == 1
    assert "Invalid encoding type: XML" in wrong.err


def test_priority_of_workers(room: Room) -> None:
    body = """
        @ray.remote
        def nice():
            return os.nice(0)

        print(os.nice(0), ray.get(nice.remote()))
    """
    own, workers = map(int, room.run(body, env={"RAY_worker_niceness": "3"}).ok().split())
    assert workers == min(19, own + 3)
    own, workers = map(int, room.run(body).ok().split())
    assert workers == own


def test_cores(room: Room) -> None:
    body = """
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
        ray.init()
        print(ray.cluster_resources()["CPU"])
    """
    assert room.run(body, init=False).ok() == "1.0\n"
    all_of_them = room.run(body, init=False, env={"RAY_USE_MULTIPROCESSING_CPU_COUNT": "1"}).ok()
    assert all_of_them == f"{os.cpu_count()}.0\n"


def test_the_readme_lists_them_all() -> None:
    """Every variable that the code reads has a row."""
    top = Path(__file__).parents[1]
    files = [*(top / "python").rglob("*.py"), *(top / "core").rglob("*.go")]
    read = {
        name
        for file in files
        for name in re.findall(
            r"""(?:environ\.get\(|environ\[|getenv\(|_env_\w+\(|_is_set\(|environment\.get\()\s*"""
            r"""["'](RAY_\w+)["']""",
            file.read_text(),
        )
    }
    assert {"RAY_ADDRESS", "RAY_DEDUP_LOGS", "RAY_LOG_TO_DRIVER"} <= read
    listed = set(re.findall(r"`(RAY_\w+)", (top / "README.md").read_text()))
    assert not read - listed
