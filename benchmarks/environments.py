"""One virtual environment for each peer, made once and used again."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"

PEERS: dict[str, tuple[str, ...]] = {
    "ray": ("ray==2.60.0", "dask==2026.8.0", "joblib==1.6.0", "pandas==2.3.3", "pyarrow==26.0.1"),
    "std": (),
    "joblib": ("joblib==1.6.0",),
    "dask": ("distributed==2026.8.0",),
}

_VERSIONS = """
import importlib.metadata, json, platform, sys
found = {"python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""
_PACKAGES = ("thornback", "ray", "joblib", "loky", "dask", "distributed", "numpy", "cloudpickle")


def make(peer: str, venvs: Path, python: str) -> str:
    """Return the interpreter of a peer's environment; make it when it is not as asked for.

    Parameters
    ----------
    peer : str, a key of PEERS
    venvs : Path, the folder of all environments; its contents are ignored by git
    python : str, the interpreter whose version the environment gets
    """
    if not PEERS[peer]:
        return python
    folder = venvs / peer
    interpreter = folder / "bin" / "python"
    version = versions(python)["python"]
    recipe = "\n".join([version, *PEERS[peer], REQUIREMENTS.read_text()])
    digest = hashlib.sha256(recipe.encode()).hexdigest()
    stamp = folder / "recipe.sha256"
    if stamp.exists() and stamp.read_text() == digest and interpreter.exists():
        return str(interpreter)
    print(f"making the environment of {peer} in {folder}", file=sys.stderr, flush=True)
    venvs.mkdir(parents=True, exist_ok=True)
    (venvs / ".gitignore").write_text("*\n")
    subprocess.run([python, "-m", "venv", "--clear", str(folder)], check=True)
    pip = [str(interpreter), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "-r", str(REQUIREMENTS), *PEERS[peer]], check=True)
    stamp.write_text(digest)  # last: a broken installation is made again
    return str(interpreter)


def versions(python: str) -> dict[str, str]:
    """Return the versions of Python and of the packages that matter in an environment."""
    command = [python, "-c", _VERSIONS, *_PACKAGES]
    text = subprocess.run(command, check=True, capture_output=True).stdout
    found: dict[str, str] = json.loads(text)
    return found
