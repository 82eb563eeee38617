"""GPUs, and threads: what a task has of the node's, and the environment variables that say so.

The node counts devices from 0. What users see are the names that the session's driver had for them
in CUDA_VISIBLE_DEVICES, or the numbers themselves when that was not set.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

VISIBLE = "CUDA_VISIBLE_DEVICES"
LEFT_ALONE = "RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES"
_HIDDEN_ELSE = "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"
_THREADS = "OMP_NUM_THREADS"
_DRIVER_FOLDER = "/proc/driver/nvidia/gpus"
# The kinds that Ray's programs look up; of these there are GPUs only.
_KINDS = ("GPU", "TPU", "NPU", "HPU", "RBLN", "neuron_cores", "FURIOSA", "MBLT", "TTNPU")

_visible: list[str] | None = None  # in workers: what the driver saw
_user_threads = False
_held: dict[int, list[int]] = {}  # devices of the tasks that run, by handle
_lasting: list[int] = []  # of the actor that lives here


def visible_devices() -> list[str] | None:
    """Return the devices that CUDA_VISIBLE_DEVICES names, None when it is not set."""
    value = os.environ.get(VISIBLE)
    if value is None:
        return None
    return [] if value in ("", "NoDevFiles") else value.split(",")


def detect(folder: str = _DRIVER_FOLDER) -> int:
    """Return the number of GPUs that NVIDIA's driver shows in /proc; 0 without one."""
    try:
        return len(os.listdir(folder))
    except OSError:
        return 0


def offered(num_gpus: float | None, folder: str = _DRIVER_FOLDER) -> float:
    """Return how many GPUs a session has.

    Parameters
    ----------
    num_gpus : float or None
        As given to `init`; None counts those of the machine that CUDA_VISIBLE_DEVICES leaves.

    Raises
    ------
    ValueError
        More than CUDA_VISIBLE_DEVICES names.
    """
    visible = visible_devices()
    if num_gpus is None:
        found = detect(folder)
        return float(found if visible is None else min(found, len(visible)))
    if visible is not None and num_gpus > len(visible):
        raise ValueError(
            f"Attempting to start raylet with {num_gpus} GPU, but {VISIBLE} contains {visible}."
        )
    return float(num_gpus)


def begin_worker() -> None:
    """Note what the driver saw, before any task can change it."""
    global _visible, _user_threads
    _visible = visible_devices()
    if _is_set(_HIDDEN_ELSE) and not _is_set(LEFT_ALONE):
        os.environ[VISIBLE] = ""  # but for tasks that have some
    _user_threads = _THREADS in os.environ
    # As Ray does: libraries that would use all cores use as many as a task has.
    os.environ.setdefault(_THREADS, "1")


def enter(task: int, lasting: bool) -> Callable[[], None]:
    """Set the environment up for what a task has, before anything of it is loaded.

    Parameters
    ----------
    task : int
        Its handle.
    lasting : bool
        It creates an actor, which keeps it all.

    Returns
    -------
    callable
        Undoes it.
    """
    import json

    from . import _core

    context = json.loads(_core.control("task.context", json.dumps({"task": task}).encode()))
    devices: list[int] = context["gpus"]
    wanted: dict[str, str] = {}
    if not _user_threads:
        wanted[_THREADS] = str(max(1, int(context["cpus"])))
    if devices and not _is_set(LEFT_ALONE):
        wanted[VISIBLE] = ",".join(str(name) for name in _names(devices))
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    if lasting:
        _lasting[:] = devices
        return _nothing
    _held[task] = devices

    def leave() -> None:
        del _held[task]
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    return leave


def get_gpu_ids() -> list[Any]:
    """Return the GPUs of the task or actor that runs.

    Returns
    -------
    list of int, or of str
        Numbers from 0; the names in CUDA_VISIBLE_DEVICES as the driver had it when that was set.
        Empty in the driver, and in tasks without GPUs. Several tasks with a part of a GPU each may
        have the same.
    """
    from . import _core

    if not _core.session():
        from ._init import auto_init

        auto_init()
    return _names(_devices())


def accelerator_ids() -> dict[str, list[str]]:
    """Return the accelerators of the task or actor that runs: for each kind a list of names."""
    ids: dict[str, list[str]] = {kind: [] for kind in _KINDS}
    ids["GPU"] = [str(name) for name in _names(_devices())]
    return ids


def _devices() -> list[int]:
    from . import _core

    current = _core.current_task()
    if current is None:
        return []
    return _lasting if current[2] else _held.get(current[0], [])


def _names(devices: list[int]) -> list[Any]:
    if _visible is None:
        return list(devices)
    return [_visible[device] for device in devices]


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "").lower() in ("1", "true")


def _nothing() -> None:
    return
