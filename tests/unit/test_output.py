"""A worker's output: markers wherever the speaker changes."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from thornback._output import MarkedFile


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    path = tmp_path / "out"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    yield fd, path
    os.close(fd)


class Speakers:
    """Says who speaks now."""

    now = ""

    def __call__(self) -> str:
        return self.now


def text_stream(fd: int, speaker: Callable[[], str]) -> io.TextIOWrapper:
    raw = io.BufferedWriter(MarkedFile(fd, speaker))
    return io.TextIOWrapper(raw, encoding="utf-8", line_buffering=True)


def test_a_marker_comes_before_the_first_line_of_each_speaker(opened: tuple[int, Path]) -> None:
    fd, path = opened
    who = Speakers()
    stream = text_stream(fd, who)
    print("before any task", file=stream)
    for name, line in (("f", "one"), ("f", "two"), ("g", "three"), ("", "four"), ("f", "five")):
        who.now = f":task_name:{name}" if name else ""
        print(line, file=stream)
    assert path.read_text().splitlines() == [
        "before any task",
        ":task_name:f",
        "one",
        "two",
        ":task_name:g",
        "three",
        "four",
        ":task_name:f",
        "five",
    ]


def test_a_marker_is_a_line_of_its_own(opened: tuple[int, Path]) -> None:
    fd, path = opened
    who = Speakers()
    raw = MarkedFile(fd, who)
    who.now = ":task_name:f"
    assert raw.write(b"unfinished") == 10
    who.now = ":task_name:g"
    assert raw.write(b"") == 0
    assert raw.write(b"next\n") == 5
    assert path.read_text() == ":task_name:f\nunfinished\n:task_name:g\nnext\n"


def test_much_at_once_and_bytes_of_all_kinds(opened: tuple[int, Path]) -> None:
    fd, path = opened
    stream = text_stream(fd, lambda: ":task_name:f")
    text = "é" * 1_000_000
    print(text, file=stream)
    stream.buffer.write(b"\xff\xfe\n")
    stream.flush()
    assert path.read_bytes() == b":task_name:f\n" + text.encode() + b"\n\xff\xfe\n"
    assert stream.fileno() == fd
    assert not stream.isatty()
