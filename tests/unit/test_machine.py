"""What the machine offers, and what the zygote is told."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from thornback import _boot, _machine, _session


def test_cores_and_memory() -> None:
    assert 1 <= _machine.cpu_count() <= len(os.sched_getaffinity(0))
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 2**26 < _machine.memory_bytes() <= total


@pytest.mark.parametrize(
    "quota, cores", [("max 100000", 4), ("150000 100000", 2), ("900000 100000", 4), ("1 9", 1)]
)
def test_a_container_has_fewer_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, cores: int
) -> None:
    (tmp_path / "cpu.max").write_text(quota + "\n")
    monkeypatch.setattr(_machine, "_CGROUP_CPUS", str(tmp_path / "cpu.max"))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    assert _machine.cpu_count() == cores


def test_a_container_has_less_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory").write_text("100000000\n")
    monkeypatch.setattr(_machine, "_CGROUP_LIMITS", (str(tmp_path / "memory"),))
    assert _machine.memory_bytes() == 100_000_000


def test_the_size_of_the_store() -> None:
    assert _machine.store_bytes(None, 10**10) == 3 * 10**9
    assert _machine.store_bytes(None, 10**13) == 200 * 10**9
    assert _machine.store_bytes(10**9, 10) == 10**9
    with pytest.raises(ValueError, match="minimum"):
        _machine.store_bytes(1000, 10**10)


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("THORNBACK_TMPDIR", str(tmp_path))
    for name in _boot.THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    folder = _session.plan()

    def make() -> tuple[dict[str, Any], dict[str, Any]]:
        made, _ = _boot.zygote_options(folder, "space", None)
        json.dumps(made["env"]).encode("ascii")
        return made, json.loads(made["boot"])

    yield make
    folder.close()


def test_what_the_zygote_is_told(options: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXT", "é")
    monkeypatch.setitem(os.environ, "RAW", "\udcff")
    monkeypatch.setattr(sys, "path", ["", "relative", "/absolute"])
    made, boot = options()
    assert made["argv"][0] == sys.executable
    assert made["env"]["TEXT"] == "é"
    assert "RAW" not in made["env"]
    assert boot["env"] == {"RAW": "\udcff"}
    here = os.getcwd()
    assert boot["sys_path"] == [here, f"{here}/relative", "/absolute"]
    assert boot["namespace"] == "space"


def test_site_is_left_out_when_nothing_needs_it(
    options: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Finder:
        """As an editable installation puts it there."""

    known = [f for f in sys.meta_path if getattr(f, "__module__", "").startswith("_frozen")]
    monkeypatch.setattr(sys, "meta_path", known)
    assert "-S" in options()[0]["argv"]
    monkeypatch.setattr(sys, "meta_path", [*known, Finder])
    assert "-S" not in options()[0]["argv"]


def test_what_is_imported_ahead(options: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", sys)
    monkeypatch.setitem(sys.modules, "json", sys)
    assert "yaml" in options()[1]["preload"]
    assert "json" not in options()[1]["preload"]
    # Whoever asks for threads gets a library that starts with them.
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert options()[1]["preload"] == []
