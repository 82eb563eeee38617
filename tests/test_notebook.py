"""A notebook's kernel as a driver."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.engine import IS_THORNBACK
from support.programs import INIT, PRELUDE, Room
from support.waiting import wait_until

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")

# Jupyter's own packages warn of their own future.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(120)]

CELLS = [
    PRELUDE + INIT,
    """
@ray.remote
def f(x):
    return x + 1

@ray.remote
class Counter:
    def __init__(self):
        self.n = 0
    def add(self, k):
        self.n += k
        return self.n
""",
    "c = Counter.remote()\nray.get([f.remote(1), c.add.remote(2)])",
    "@ray.remote\ndef f(x):\n    return x + 100\nray.get(f.remote(1))",
    """
import asyncio
async def through_a_thread():
    return await asyncio.get_running_loop().run_in_executor(None, ray.get, f.remote(5))
await through_a_thread()
""",
    "ray.get(ray.remote(lambda: 1 / 0).remote())",
    "ray.get(c.add.remote(3))",
    """
@ray.remote
def talk():
    print("from a task")
ray.get(talk.remote())
deadline = time.monotonic() + 5
while time.monotonic() < deadline:  # output may come a little later than the result
    sys.stdout.flush()
    time.sleep(0.05)
""",
    "ray.shutdown()\nray.is_initialized()",
]
SHOWN = [
    PRELUDE + "context = ray.init(num_cpus=1, resources={'<slot>': 2})",
    CELLS[1] + "c = Counter.remote()\nref = c.add.remote(1)\nray.get(ref)\ncontext",
    "ref",
    "c",
    "ray.progress([f.remote(i) for i in range(3)], desc='adding')",
    "ray.shutdown()\ncontext",
    "c",
]


def _run(cells: list[str], room: Room) -> list[Any]:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    client = nbclient.NotebookClient(notebook, timeout=100, allow_errors=True)
    client.execute(cwd=str(room.work), env=room.environment(IPYTHONDIR=str(room.work)))
    return [cell.outputs for cell in notebook.cells]


def _result(outputs: list[Any]) -> str:
    return "".join(o["data"]["text/plain"] for o in outputs if o.output_type == "execute_result")


def test_a_notebook(room: Room) -> None:
    outputs = _run(CELLS, room)
    errors = [o for outs in (*outputs[:5], *outputs[6:]) for o in outs if o.output_type == "error"]
    assert errors == []
    assert _result(outputs[2]) == "[2, 2]"
    assert _result(outputs[3]) == "101"
    assert _result(outputs[4]) == "105"
    assert "ZeroDivisionError" in outputs[5][-1].ename
    assert _result(outputs[6]) == "5"
    texts = "".join(o.text for outs in outputs for o in outs if o.output_type == "stream")
    assert "from a task" in texts
    assert _result(outputs[8]) == "False"
    if IS_THORNBACK:
        room.watch.assert_clean()


@pytest.mark.only_thornback
def test_a_kernel_that_ends_leaves_nothing(room: Room) -> None:
    outputs = _run([*CELLS[:3], "busy = ray.remote(time.sleep).remote(600)"], room)
    assert _result(outputs[2]) == "[2, 2]"
    # The client kills the kernel at its end.
    room.watch.assert_clean()
    assert Path(room.work).is_dir()


def test_interrupt_of_a_cell_that_waits(room: Room) -> None:
    """The stop button: the cell ends, the task goes on, the next cell works."""
    jupyter = pytest.importorskip("jupyter_client")
    slow = """
@ray.remote(num_cpus=1)
def slow():
    open("runs", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.01)
    return "slow"
ref = slow.remote()
"""
    manager, client = jupyter.manager.start_new_kernel(
        cwd=str(room.work), env=room.environment(IPYTHONDIR=str(room.work))
    )

    def run(code: str) -> Any:
        return client.execute_interactive(code, timeout=60, store_history=False)["content"]

    try:
        assert run(PRELUDE + INIT + slow)["status"] == "ok"
        # By default a kernel aborts for a while what comes after a cell that failed.
        waits = client.execute("open('waits', 'w').close(); ray.get(ref)", stop_on_error=False)
        wait_until(lambda: all((room.work / name).exists() for name in ("runs", "waits")), 30)
        manager.interrupt_kernel()
        reply = client.get_shell_msg(timeout=20)
        assert reply["parent_header"]["msg_id"] == waits
        assert reply["content"]["ename"] == "KeyboardInterrupt"
        done = "open('go', 'w').close(); assert ray.get(ref, timeout=20) == 'slow'"
        assert run(done)["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    if IS_THORNBACK:
        room.watch.assert_clean()


def _html(outputs: list[Any]) -> str:
    return "".join(o["data"].get("text/html", "") for o in outputs if "data" in o)


@pytest.mark.only_thornback
def test_what_a_notebook_shows(room: Room) -> None:
    outputs = _run(SHOWN, room)
    assert [o for outs in outputs for o in outs if o.output_type == "error"] == []
    running, ref, actor, bar, ended, ended_actor = outputs[1:]
    assert "Running session" in _html(running)
    assert "&lt;slot&gt;" in _html(running)
    assert "2 of 2 free" in _html(running)
    assert ">ready<" in _html(ref)
    assert ">ALIVE<" in _html(actor)
    assert ">add<" in _html(actor)
    assert _result(bar) == "[1, 2, 3]"
    shown = "".join(o.text for o in bar if o.output_type == "stream") + str(bar)
    assert "adding" in shown
    assert "3/3" in shown
    assert "Session that has ended" in _html(ended)
    assert "of a session that has ended" in _html(ended_actor)
    room.watch.assert_clean()
