"""What workers print comes out of a pipe in frames."""

from __future__ import annotations

import io
import os
import sys

import pytest

from support.waiting import wait_until
from thornback._logs import LogPrinter, Style
from thornback._state.logs import without_colours


def frame(stream: int, text: str) -> bytes:
    data = text.encode()
    return bytes([stream]) + len(data).to_bytes(4, "little") + data


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_frames_go_to_their_streams(capsys: pytest.CaptureFixture[str]) -> None:
    before = open_descriptors()
    printer = LogPrinter(Style({"RAY_COLOR_PREFIX": "0"}))
    data = frame(1, "(f pid=1) é\n") + frame(2, "error\n") + frame(1, "") + frame(1, "a\nb\n")
    for i in range(0, len(data), 7):  # frames cut anywhere
        os.write(printer.write_fd, data[i : i + 7])
    printer.close()
    out, err = capsys.readouterr()
    assert out == "(f pid=1) é\na\nb\n"
    assert err == "error\n"
    printer.close()  # again: nothing to do
    wait_until(lambda: open_descriptors() == before, 5, "the pipe to be closed")


def test_a_frame_appears_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    printer = LogPrinter()
    os.write(printer.write_fd, frame(1, "now\n"))
    wait_until(lambda: out.getvalue() == "now\n", 10, "the line")
    # As notebooks do: the stream is another one from now on.
    later = io.StringIO()
    monkeypatch.setattr(sys, "stdout", later)
    os.write(printer.write_fd, frame(1, "later\n"))
    printer.close()
    assert (out.getvalue(), later.getvalue()) == ("now\n", "later\n")


@pytest.mark.parametrize("broken", ["closed", "missing"])
def test_a_stream_that_is_gone(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    out = io.StringIO()
    out.close()
    monkeypatch.setattr(sys, "stdout", out if broken == "closed" else None)
    err = io.StringIO()
    monkeypatch.setattr(sys, "stderr", err)
    printer = LogPrinter()
    os.write(printer.write_fd, frame(1, "lost\n") + frame(2, "kept\n"))
    printer.close()
    assert err.getvalue() == "kept\n"


def test_nonsense_ends_the_printing_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    before = open_descriptors()
    printer = LogPrinter()
    os.write(printer.write_fd, frame(1, "good\n") + b"\x01\xff\xff\xff\xff")
    wait_until(lambda: open_descriptors() == before + 1, 10, "the reading end to be closed")
    printer.close()
    assert capsys.readouterr().out == "good\n"


def test_colours_are_left_out_wherever_pieces_are_cut() -> None:
    text = b"a\x1b[31mred\x1b[0m b\x1b[1;32mgreen\x1b[K\n[0m stays\x1b[3"
    for size in range(1, len(text) + 1):
        pieces = [text[i : i + size] for i in range(0, len(text), size)]
        assert b"".join(without_colours(pieces)) == b"ared bgreen\n[0m stays\x1b[3"
