"""Profile the Go core while the benchmarks run; its compiler optimises by the result.

`go build` reads core/border/default.pgo, a CPU profile in pprof's format. `make profile` makes it
anew: the scripts below run with a library that was built with the tag `xr_profile`. To be done when
the hot paths have changed much; a profile that is a little old still helps.
"""

from __future__ import annotations

import argparse
import gzip
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = (
    "task_overhead",
    "actor_overhead",
    "chain",
    "generator_items",
    "many_values",
    "object_small",
    "actor_concurrency",
    "await_refs",
)
STRING_TABLE = 6  # field of pprof's Profile message
LENGTH_DELIMITED = 2


def record(script: str, site: str, seconds: float, folder: Path) -> Path:
    """Run one benchmark and return its profile."""
    profile = folder / f"{script}.pb.gz"
    command = [sys.executable, str(ROOT / "benchmarks" / f"{script}.py")]
    command += ["--seconds", str(seconds), "--samples", "1"]
    env = os.environ | {"PYTHONPATH": site, "THORNBACK_CPU_PROFILE": str(profile)}
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
    return profile


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def without_folders(profile: bytes) -> bytes:
    """Return a profile whose strings name no absolute path, only the file.

    The fields of a protocol buffer's message stand one after the other; all but the table of
    strings are copied.
    """
    out, at = bytearray(), 0
    while at < len(profile):
        start = at
        tag, at = _varint(profile, at)
        field, kind = tag >> 3, tag & 7
        if kind != LENGTH_DELIMITED:
            _, at = _varint(profile, at)
            out += profile[start:at]
            continue
        length, at = _varint(profile, at)
        content, at = profile[at : at + length], at + length
        if field == STRING_TABLE and content.startswith(b"/"):
            content = content.rsplit(b"/", 1)[1]
        out += _encoded(tag) + _encoded(len(content)) + content
    return bytes(out)


def main() -> None:
    """Record, merge, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--site", required=True, help="folder that holds the profiling build")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of one sample")
    parser.add_argument("--output", type=Path, default=ROOT / "core" / "border" / "default.pgo")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="profile-") as folder:
        profiles = [record(s, options.site, options.seconds, Path(folder)) for s in SCRIPTS]
        merged = Path(folder) / "merged.pb.gz"
        merge = ["go", "tool", "pprof", "-proto", "-symbolize=none", f"-output={merged}"]
        subprocess.run([*merge, *map(str, profiles)], check=True)
        raw = gzip.decompress(merged.read_bytes())
    options.output.write_bytes(gzip.compress(without_folders(raw), mtime=0))
    print(f"{options.output}: {options.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
