"""Why something is not there yet: a tree of reasons, for people and for programs."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

_DETAILS = ("argument", "pid", "place", "message", "left")


class Explanation:
    """One thing that is not there yet, and what it waits for.

    Printed, it is the whole tree.

    Attributes
    ----------
    code : str
        The reason, one of those in the README, such as ``"RESOURCES_SHORT"``.
    text : str
        The same in words.
    name : str
        Of the task, or of the actor's class; empty for what is neither.
    because : list of Explanation
        What it waits for, each with its own reason.
    short : list of dict
        Resources that are short: `resource`, `wanted`, `free`, `total`.
    holders : list of dict
        Who has them: `resource`, `amount`, `name`, `pid`.
    details : dict
        More, as far as it applies: `argument` (of the task above: its place, from 1, or its
        keyword), `place` (tasks or calls before it), `pid`, `message`, `left` (things not listed).
    seen : bool
        Explained elsewhere in the tree. Below itself: a circle of waits.
    """

    def __init__(self, node: Mapping[str, Any]) -> None:
        self.code: str = node["code"]
        self.text: str = node["text"]
        self.name: str = node.get("name", "")
        self.because = [Explanation(child) for child in node["because"]]
        self.short: list[dict[str, Any]] = list(node.get("short") or ())
        self.holders: list[dict[str, Any]] = list(node.get("holders") or ())
        self.details = {name: node[name] for name in _DETAILS if node.get(name)}
        self.seen = bool(node.get("seen"))

    @property
    def codes(self) -> list[str]:
        """The reasons of the whole tree, from the top down."""
        return [node.code for node in self.walk()]

    @property
    def causes(self) -> list[Explanation]:
        """The ends of the tree: what does not wait for anything else."""
        return [node for node in self.walk() if not node.because]

    def walk(self) -> Iterator[Explanation]:
        """Go through the tree from the top down."""
        yield self
        for child in self.because:
            yield from child.walk()

    def lines(self) -> list[str]:
        """Return the tree as lines of text."""
        lines = [self.text]
        for i, child in enumerate(self.because):
            last = i == len(self.because) - 1
            first, rest = ("`- ", "   ") if last else ("|- ", "|  ")
            below = child.lines()
            lines.append(first + below[0])
            lines += [rest + line for line in below[1:]]
        return lines

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        return f"<Explanation {self.code}: {self.text}>"


def explain(target: Any) -> Explanation:
    """Say why something is not there yet.

    Parameters
    ----------
    target : ObjectRef, ObjectRefGenerator or actor handle
        Of a generator, the next item is explained.

    Returns
    -------
    Explanation
        A tree of reasons: which argument of which task is missing, which resource is short by how
        much and who has it, what stands before it, what is blocked in a `get` on what.

    Raises
    ------
    TypeError
        Something else.
    ValueError
        It is of a session that has ended.

    Examples
    --------
    >>> import thornback as ray
    >>> ray.explain(ray.put(1)).code
    'READY'
    """
    from . import _core

    ref = getattr(target, "_ref", target)
    if isinstance(ref, _core.Stream):
        return _explain_stream(ref)
    if not isinstance(ref, _core.ObjectRef):
        raise TypeError(
            "explain() takes an ObjectRef, an ObjectRefGenerator or an actor handle, "
            f"got {type(target)}"
        )
    if ref.session != _core.session():
        raise ValueError("the reference belongs to a session that has ended")
    return explain_handle(ref.handle)


def _explain_stream(stream: Any) -> Explanation:
    if stream.exhausted():
        node = {"code": "READY", "text": "the generator has ended, and all was taken"}
        return Explanation({**node, "because": []})
    return explain(stream.peek())


def explain_handle(handle: int) -> Explanation:
    """Explain what the engine knows by a number."""
    import json

    from . import _core

    request = json.dumps({"object": handle}).encode()
    found: Sequence[dict[str, Any]] = json.loads(_core.control("explain", request))
    return Explanation(found[0])
