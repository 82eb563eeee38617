"""The zygote, driven over its protocol by a stand-in for the node."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from support.processes import is_alive
from support.waiting import wait_until

from .zygote_node import LIMIT_S, WAIT_FOR_EVER, FakeNode, killed

# The promise: this long after the node's end nothing is left.
GONE_S = 2.0


def gone(*pids: int) -> None:
    """Wait until the processes have ended, as soon as they must."""
    wait_until(lambda: not any(map(is_alive, pids)), GONE_S, f"the end of {pids}")


def test_a_worker_is_what_the_boot_message_says(tmp_path: Path) -> None:
    body = """
    import json
    print(json.dumps({
        "argv": sys.argv,
        "boot": os.environ.get("FROM_BOOT"),
        "group": os.getpgid(0) == os.getpid(),
        "stdin": os.readlink("/proc/self/fd/0"),
        "fds": sorted(os.readlink(f"/proc/self/fd/{fd}").split(" ")[0] for fd in
                      (channel, board, arena)),
        "sockets": [fd for fd in os.listdir("/proc/self/fd") if fd != "3" and
                    os.path.exists(f"/proc/self/fd/{fd}") and
                    os.readlink(f"/proc/self/fd/{fd}").startswith("socket")],
        "session": session,
        "bytes": arena_bytes,
        "threads": os.environ["OMP_NUM_THREADS"],
        "sigint": signal.getsignal(signal.SIGINT) == signal.SIG_IGN,
        "sigterm": signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
    }))
    print("done")
    return 0
    """
    with FakeNode(tmp_path, body) as node:
        worker, _ = node.fork()
        said = json.loads(node.output(worker).splitlines()[0])
        assert node.ended(worker) == 0
    assert said == {
        "argv": ["driver.py", "argument"],
        "boot": "yes",
        "group": True,
        "stdin": "/dev/null",
        "fds": ["/memfd:arena", "/memfd:board", "/memfd:channel"],
        "sockets": [],
        "session": 2**64 - 1,
        "bytes": 4096,
        "threads": "1",
        "sigint": True,
        "sigterm": True,
    }


@pytest.mark.parametrize(
    "body, status",
    [
        ("return 0", 0),
        ("return 7", 7 << 8),
        ("sys.exit(3)", 3 << 8),
        ("sys.exit('a text')", 1 << 8),
        ("raise ValueError('meant')", 1 << 8),
        ("os.kill(os.getpid(), signal.SIGTERM); signal.pause()", signal.SIGTERM),
    ],
)
def test_the_status_of_a_worker_reaches_the_node(tmp_path: Path, body: str, status: int) -> None:
    with FakeNode(tmp_path, body) as node:
        worker, _ = node.fork()
        assert node.ended(worker) == status


def test_exit_handlers_run_and_output_is_flushed(tmp_path: Path) -> None:
    body = """
    import atexit
    atexit.register(lambda: print("done"))
    sys.stdout.write("unfinished, ")
    return 0
    """
    with FakeNode(tmp_path, body) as node:
        worker, _ = node.fork()
        assert node.output(worker) == "unfinished, done\n"
        assert node.ended(worker) == 0


def test_kill_ends_one_worker_alone(tmp_path: Path) -> None:
    with FakeNode(tmp_path, WAIT_FOR_EVER) as node:
        (first, first_pid), (_, second_pid) = node.fork(), node.fork()
        node.send("K", {"pid": first_pid})
        assert killed(node.ended(first))
        assert is_alive(second_pid)
        node.send("K", {"pid": os.getpid()})  # not one of its own: nothing happens
        worker, pid = node.fork()
        node.send("K", {"pid": pid})
        assert killed(node.ended(worker))


def child_of(node: FakeNode, worker: int) -> int:
    return int(node.output(worker).split()[0])


CHILD = """
child = os.fork()
if child == 0:
    signal.pause()
print(child)
print("done")
"""


def test_children_of_a_worker_end_with_it(tmp_path: Path) -> None:
    with FakeNode(tmp_path, CHILD + "return 0") as node:
        worker, _ = node.fork()
        child = child_of(node, worker)
        assert node.ended(worker) == 0
        gone(child)


def test_the_end_of_the_node_ends_everything(tmp_path: Path) -> None:
    with FakeNode(tmp_path, CHILD + WAIT_FOR_EVER) as node:
        forked = [node.fork() for _ in range(3)]
        children = [child_of(node, worker) for worker, _ in forked]
        node.close()
        gone(node.process.pid, *(pid for _, pid in forked), *children)
        assert node.process.wait(LIMIT_S) == 0
        assert not node.session.exists()


def test_a_folder_to_keep_is_kept(tmp_path: Path) -> None:
    with FakeNode(tmp_path, WAIT_FOR_EVER, keep=True) as node:
        node.close()
        assert node.process.wait(LIMIT_S) == 0
        assert (node.session / "file").exists()


def test_workers_end_with_the_zygote(tmp_path: Path) -> None:
    with FakeNode(tmp_path, WAIT_FOR_EVER) as node:
        _, pid = node.fork()
        node.process.kill()
        gone(pid)


# --- imports ahead ------------------------------------------------------------------------------


def package(folder: Path, name: str, source: str) -> Path:
    """Write a package; returns a file that it appends its process to when it is imported."""
    record = folder / f"{name}.record"
    note = f"import os\nopen({str(record)!r}, 'a').write(f'{{os.getpid()}} ')\n"
    (folder / f"{name}.py").write_text(note + source)
    return record


def ahead(folder: Path, *names: str) -> dict[str, Any]:
    """The boot message's part that has the packages imported."""
    import sys

    return {"preload": list(names), "sys_path": [str(folder), *sys.path]}


REPORT = """
import json
names = ("ahead_one", "ahead_two", "ahead_bad")
print(json.dumps([name for name in names if name in sys.modules]))
print(json.dumps([os.environ.get(n) for n in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")]))
print("done")
return 0
"""


def report(node: FakeNode) -> tuple[list[str], list[str | None]]:
    """What a new worker finds: imported packages and variables."""
    worker, _ = node.fork()
    modules, variables, _ = node.output(worker).splitlines()
    assert node.ended(worker) == 0
    return json.loads(modules), json.loads(variables)


def test_packages_are_imported_ahead_with_one_thread(tmp_path: Path) -> None:
    seen = "open(__file__ + '.threads', 'w').write(os.environ['OPENBLAS_NUM_THREADS'])\n"
    record = package(tmp_path, "ahead_one", seen)
    package(tmp_path, "ahead_bad", "raise RuntimeError('meant')")
    last = package(tmp_path, "ahead_two", "")
    boot = ahead(tmp_path, "ahead_one", "ahead_bad", "ahead_two")
    with FakeNode(tmp_path, REPORT, **boot) as node:
        wait_until(last.exists, LIMIT_S, "the imports")
        modules, variables = report(node)
        assert modules == ["ahead_one", "ahead_two"]
        assert variables == ["1", None]
        assert record.read_text().split() == [str(node.process.pid)]
        assert "meant" in node.log.read_text()
    assert (tmp_path / "ahead_one.py.threads").read_text() == "1"


THREAD = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\n"


def test_a_package_with_threads_costs_a_new_start(tmp_path: Path) -> None:
    package(tmp_path, "ahead_bad", THREAD)
    last = package(tmp_path, "ahead_two", "")
    boot = ahead(tmp_path, "ahead_bad", "ahead_two")
    body = "if not os.path.exists(sys.argv[0]):\n    signal.pause()\n" + REPORT
    go_on = tmp_path / "go-on"
    with FakeNode(tmp_path, body, argv=[str(go_on)], **boot) as node:
        before, before_pid = node.fork()
        wait_until(last.exists, LIMIT_S, node.log.read_text)
        go_on.touch()
        modules, _ = report(node)
        assert modules == ["ahead_two"]
        assert is_alive(before_pid)
        # The one from before is still known.
        node.send("K", {"pid": before_pid})
        assert killed(node.ended(before))
        assert "ahead_bad starts threads" in node.log.read_text()
        node.close()
        gone(node.process.pid)
        assert not node.session.exists()


def test_the_end_of_the_node_is_noticed_during_an_import(tmp_path: Path) -> None:
    record = package(tmp_path, "ahead_one", "import time\ntime.sleep(60)\n")
    with FakeNode(tmp_path, WAIT_FOR_EVER, **ahead(tmp_path, "ahead_one")) as node:
        _, pid = node.fork()
        wait_until(record.exists, LIMIT_S, "the import to begin")
        node.close()
        gone(node.process.pid, pid)
        assert not node.session.exists()


def test_a_node_that_goes_before_it_says_anything(tmp_path: Path) -> None:
    node = FakeNode(tmp_path, WAIT_FOR_EVER)
    node.close()
    assert node.process.wait(LIMIT_S) == 0
    assert not node.session.exists()
