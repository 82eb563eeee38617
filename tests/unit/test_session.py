"""Session folders: where they are, whose they are, and how the dead ones go."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.waiting import wait_for_file, wait_until
from thornback import _session


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("THORNBACK_TMPDIR", str(tmp_path / "root"))
    monkeypatch.delenv("THORNBACK_KEEP_LOGS", raising=False)
    return tmp_path / "root"


def made() -> _session.SessionFolder:
    folder = _session.plan()
    folder.make()
    return folder


def sessions(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


def test_a_folder_is_private_and_goes(root: Path) -> None:
    folder = made()
    assert Path(folder.path).parent == root
    assert Path(folder.path).stat().st_mode & 0o777 == 0o700
    assert Path(folder.logs).is_dir()
    assert folder.name.startswith("session_")
    assert folder.name.endswith(f"_{os.getpid()}")
    (Path(folder.logs) / "worker.out").write_text("text")
    folder.close()
    assert sessions(root) == []
    folder.close()  # again: nothing to do


def test_several_in_one_process(root: Path) -> None:
    names = []
    for _ in range(5):
        folder = made()
        names.append(folder.name)
        folder.close()
    assert len(set(names)) == 5


@pytest.mark.parametrize(
    "thornback, ray, expected",
    [("a", "b", "a"), (None, "b", "b"), ("", "b", "b"), (None, None, "system")],
)
def test_who_names_the_root(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    thornback: str | None,
    ray: str | None,
    expected: str,
) -> None:
    (tmp_path / "system").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "system"))
    for name, value in (("THORNBACK_TMPDIR", thornback), ("RAY_TMPDIR", ray)):
        monkeypatch.setenv(name, str(tmp_path / value) if value else "")
    found = Path(_session.root_folder())
    if expected == "system":
        assert found == tmp_path / "system" / f"thornback-{os.getuid()}"
        assert found.stat().st_mode & 0o777 == 0o700
        assert Path(_session.root_folder()) == found  # it is there already
    else:
        assert found == tmp_path / expected
    assert found.is_dir()


def test_a_root_that_others_can_open_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("THORNBACK_TMPDIR", "RAY_TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    path = tmp_path / f"thornback-{os.getuid()}"
    path.mkdir()
    path.chmod(0o755)
    with pytest.raises(RuntimeError, match="mode 0755"):
        _session.root_folder()
    path.rmdir()
    path.symlink_to(tmp_path)
    with pytest.raises(RuntimeError, match="must be a folder of this user"):
        _session.root_folder()


HOLDER = """
import os, sys, time
from thornback import _session
folder = _session.plan()
folder.make()
if len(sys.argv) > 2:
    if os.fork() > 0:
        os._exit(0)  # the child has inherited what there is to inherit
with open(sys.argv[1] + ".new", "w") as ready:
    ready.write(f"{os.getpid()} {folder.path}")
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)
"""


def holder(tmp_path: Path, *more: str) -> tuple[subprocess.Popen[bytes], int, str]:
    """Start a process with a session folder."""
    ready = tmp_path / f"ready{len(list(tmp_path.iterdir()))}"
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(ready), *more])
    pid, path = wait_for_file(ready).split()
    return process, int(pid), path


def test_the_folder_of_a_killed_process_is_swept(root: Path, tmp_path: Path) -> None:
    process, _, path = holder(tmp_path)
    assert _session.sweep(str(root)) == []
    process.kill()
    process.wait()
    assert Path(path).is_dir()
    folder = made()
    assert sessions(root) == [folder.name]
    folder.close()


def test_a_forked_child_does_not_keep_the_folder(root: Path, tmp_path: Path) -> None:
    process, child, path = holder(tmp_path, "fork")
    try:
        assert process.wait(20) == 0
        assert _session.sweep(str(root)) == [path]
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_folder_that_is_kept_is_not_swept(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THORNBACK_KEEP_LOGS", "1")
    folder = made()
    folder.close()
    monkeypatch.setenv("THORNBACK_KEEP_LOGS", "0")
    made().close()
    assert sessions(root) == [folder.name]


def test_half_made_folders_go_when_they_are_old(root: Path) -> None:
    root.mkdir()
    for name in ("session_b", "other"):
        (root / name).mkdir()
    assert _session.sweep(str(root)) == []
    old = time.time() - 3600
    for path in root.iterdir():
        os.utime(path, (old, old))
    _session.sweep(str(root))
    assert sessions(root) == ["other"]


def test_two_sweeps_at_once(root: Path, tmp_path: Path) -> None:
    """Whoever is slower finds nothing, which is no error."""
    process, _, path = holder(tmp_path)
    process.kill()
    process.wait()
    for i in range(500):
        (Path(path) / "logs" / f"{i}").touch()
    sweeper = f"from thornback import _session; _session.sweep({str(root)!r})"
    running = [subprocess.Popen([sys.executable, "-c", sweeper]) for _ in range(2)]
    assert [process.wait(30) for process in running] == [0, 0]
    wait_until(lambda: sessions(root) == [], 1, "the folder to go")


def test_the_folder_of_all_goes_with_the_last_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("THORNBACK_TMPDIR", "RAY_TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    one, two = made(), _session.plan()
    one.close()
    assert list(tmp_path.iterdir()) == []
    two.make()  # planned while the folder was there
    three = made()
    two.close()
    assert Path(three.path).is_dir()
    three.close()
    assert list(tmp_path.iterdir()) == []
