"""A panic in the Go library: the first prints its stack, later calls answer, nothing hangs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.programs import Room

ROOT = Path(__file__).resolve().parent.parent

PANICS = """
    import threading
    import thornback._core as core
    import thornback._init as beginning

    beginning._library = lambda: {library!r}
    ray.init(num_cpus=2)
    f = ray.remote(lambda x: x + 1)
    assert ray.get(f.remote(1)) == 2
    slow = ray.remote(lambda: time.sleep(600)).remote()
    waits = threading.Thread(target=lambda: told(lambda: ray.get(slow)))

    def told(call):
        try:
            call()
        except Exception as error:
            print(type(error).__name__, error)
        else:
            raise AssertionError("no error")

    waits.start()
    told(lambda: core.control("panic", b"{{}}"))
    calls = [lambda: f.remote(1), lambda: ray.put(1), lambda: ray.get(slow)]
    for call in [*calls, ray.cluster_resources]:
        told(call)
    ray.shutdown()
    waits.join(20)
    assert not waits.is_alive()
    print("survived")
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A library with the operation that panics."""
    go = shutil.which(os.environ.get("GO", "go"))
    if go is None or not (ROOT / "core").is_dir():
        pytest.skip("building the library takes Go and the sources")
    built = tmp_path_factory.mktemp("panic") / "libthornback.so"
    command = [go, "build", "-tags", "xr_panic", "-buildmode=c-shared", "-o", str(built)]
    subprocess.run([*command, "./core/border"], cwd=ROOT, check=True, timeout=240)
    return str(built)


@pytest.mark.only_thornback
@pytest.mark.timeout(280)
def test_a_panic_is_told_and_nothing_hangs(library: str, room: Room) -> None:
    driver = room.start(PANICS.format(library=library), init=False)
    done = driver.finish(60)
    assert "survived" in done.ok()
    assert "a panic on purpose" in driver.err
    assert driver.err.count("goroutine ") >= 1
    assert "controlPanic" in driver.err or "panic_on.go" in driver.err
    assert done.ok().count("Error") >= 5
    room.watch.assert_clean()
