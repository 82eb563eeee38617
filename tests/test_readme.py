"""The README's examples, run as they stand there, with what they take for granted around them."""

from __future__ import annotations

import ast
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.programs import Room

pytestmark = pytest.mark.only_thornback

README = (Path(__file__).parent.parent / "README.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@dataclass
class Example:
    """A block of the README and what is typed around it."""

    holds: str  # words of the block
    before: str = "ray.init(num_cpus=2)"
    use: str = ""  # right behind it
    raises: str = ""  # the exception that both end with
    after: str = ""
    says: str = ""


EXAMPLES = [
    Example("class Counter:\n", before="", says="[1, 2, 3, 4] 2\n"),
    Example(
        'infeasible="error"',
        before="train = ray.remote(lambda: 1)",
        raises="TaskUnschedulableError",
        says="The task is not schedulable: No available node types can fulfill resource request "
        "{'CPU': 1.0, 'GPU': 8.0}. GPU: 8 wanted, the node has ",
    ),
    Example(
        "me.inner.remote()",
        use="a = A.remote()\nray.get(a.outer.remote(a), timeout=20)",
        raises="DeadlockError",
        says="these wait for each other, and none can go on: "
        "A.outer (in get) -> A.inner (for its turn) -> A.outer (in get)",
    ),
    Example(
        "interrupt=True",
        before="""
ray.init(num_cpus=2)

@ray.remote
class Model:
    def simulate(self, steps):
        open("begun", "w").close()
        for i in range(steps):
            time.sleep(0.001)

    def well(self):
        return "well"

actor = Model.remote()
""",
        raises="TaskCancelledError",
        after="assert ray.get(actor.well.remote()) == 'well'",
    ),
    Example(
        "timeout=2.0",
        before="""
ray.init(num_cpus=2)

@ray.remote
def page(url):
    time.sleep(60)

url = "somewhere"
""",
        says="page None\n",
    ),
    Example(
        "ray.scope()",
        before="""
ray.init(num_cpus=2)
load = ray.remote(lambda path: len(path))
merge = ray.remote(lambda *parts: sum(parts))
page = ray.remote(lambda url: url)
paths, urls = ["a", "bc"], ["x", "y"]
""",
        after="print(table, ray.wait(parts + refs, num_returns=4, timeout=0)[1] == [])",
        says="3 True\n",
    ),
    Example("thornback.Executor()", before="import thornback", says="512\n"),
    Example(
        "class Counter(ray.Actor)",
        use="print(ray.get(Counter.remote(start=5).add.remote(k=2)))\n"
        "Counter.remote().add.remote('2', 3)",
        raises="TypeError",
        says="7\n",
    ),
    Example(
        "ray.progress(",
        before="ray.init(num_cpus=2)\nwork = ray.remote(lambda i: i)",
        after="print(values == list(range(100)))",
        says="True\n",
    ),
    Example("logging_config=", before="import logging", says='"loss": 0.3'),
]


def _chosen(example: Example) -> str:
    (block,) = [block for block in BLOCKS if example.holds in block]
    return str(block)


def test_each_example_is_run() -> None:
    assert len(BLOCKS) >= 10
    assert sorted(_chosen(example) for example in EXAMPLES) == sorted(BLOCKS)


def _source(example: Example) -> str:
    """The block as a program: with a try around it where it is to end with an exception."""
    block = _chosen(example)
    if "async with" in block:  # as it is typed in a notebook or in `python -m asyncio`
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        block = (
            "import asyncio\n"
            f"code = compile({block!r}, 'README.md', 'exec', {flags})\n"
            "asyncio.run(eval(code))\n"
        )
    block += example.use
    if example.raises:
        block = (
            f"try:\n{textwrap.indent(block, '    ')}\nexcept Exception as error:\n"
            f"    names = [kind.__name__ for kind in type(error).__mro__]\n"
            f"    assert {example.raises!r} in names, repr(error)\n"
            "    print(error)\n"
            f"else:\n    raise SystemExit('no {example.raises}')\n"
        )
    return f"{example.before}\n{block}\n{example.after}\n"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.holds.strip())
def test_example(example: Example, room: Room) -> None:
    done = room.run(_source(example), init=False)
    said = " ".join((done.ok() + done.err).split())
    assert " ".join(example.says.split()) in said, said
    room.watch.assert_clean()
