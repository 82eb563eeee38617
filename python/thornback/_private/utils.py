"""Small functions of Ray's that libraries have come to use."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def get_num_cpus() -> int:
    """Return the number of cores that this process may use."""
    from .._machine import cpu_count

    return cpu_count()


def get_system_memory() -> int:
    """Return the machine's memory in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def get_visible_accelerator_ids() -> dict[str, list[str] | None]:
    """Return the ids of the GPUs that this process may use, None when nothing limits them."""
    text = os.environ.get("CUDA_VISIBLE_DEVICES")
    return {"GPU": None if text is None else [part for part in text.split(",") if part]}


def read_ray_address(temp_dir: str | None = None) -> None:
    """Return the address of a cluster on this machine: none is running in the background."""
    del temp_dir


def binary_to_hex(identifier: bytes) -> str:
    """Return bytes in hexadecimal."""
    return identifier.hex()


def hex_to_binary(hex_identifier: str) -> bytes:
    """Return the bytes that `binary_to_hex` has written."""
    return bytes.fromhex(hex_identifier)


def get_ray_doc_version() -> str:
    """Return the release whose documentation applies."""
    from .._version import RAY_RELEASE

    return f"releases-{RAY_RELEASE}"


def check_oversized_function(*args: Any, **kwargs: Any) -> None:
    """Do nothing: the size of a function is checked when it is first used."""
    del args, kwargs
