"""The examples run, and say the same when they say `import ray`, on this engine and on Ray."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from support.engine import IS_THORNBACK
from support.programs import Room

EXAMPLES = Path(__file__).parents[1] / "examples"
# What an example's output must contain; numbers that depend on the order of events are left open.
SAYS = {
    "hello": r"four tasks: \[",
    "parameter_server": r"step 200: +\d\.\d% away from the true weights",
    "pipeline_wait": r"\d+ pages, \d+ dead links",
    "tree_reduce": r"primes below 64,000: 6,413\n",
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", SAYS)
def test_example_by_alias(room: Room, name: str) -> None:
    source = (EXAMPLES / f"{name}.py").read_text()
    assert source.count("import thornback as ray") == 1
    script = room.work / f"{name}.py"
    script.write_text(source.replace("import thornback as ray", "import ray"))
    engine = ["-m", "thornback", "run"] if IS_THORNBACK else []
    command = [sys.executable, *engine, str(script)]
    out = room.start("", init=False, command=command).finish(100).ok()
    assert re.search(SAYS[name], out), out


@pytest.mark.only_thornback
@pytest.mark.timeout(120)
def test_example_as_it_is(room: Room) -> None:
    command = [sys.executable, str(EXAMPLES / "tree_reduce.py")]
    out = room.start("", init=False, command=command).finish(100).ok()
    assert "6,413" in out
    room.watch.assert_clean()
