"""Amounts of resources: what an option asks for, in integers of 1/10,000 of a unit.

Floats end here; everything behind counts in integers.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

UNITS = 10_000
_UNITS_MAX = 2**63 - 1
_ACCELERATOR_SHARE = 0.001
_WHOLE = (
    "{name} resource quantity must be whole numbers. The specified quantity {quantity} is invalid."
)
_NO_SHARES = (
    "{{name}} resource quantity must be a whole number. {maker} NPUs do not support fractional "
    "resource sharing. The specified quantity {{quantity}} is invalid."
)
_WHOLE_ONLY = {
    "neuron_cores": _WHOLE,
    "HPU": _WHOLE,
    "RBLN": _WHOLE,
    "FURIOSA": _NO_SHARES.format(maker="Furiosa"),
    "MBLT": _NO_SHARES.format(maker="Mobilint"),
    "TTNPU": "TTNPU resource quantity ({quantity}) must be an integer.",
}
_TPU_COUNTS = (1, 2, 4, 8)
# A task gets shares of one device or several devices whole, never one and a half.
_DEVICES = frozenset({"GPU", "neuron_cores", "TPU", "NPU", "HPU", "RBLN", "FURIOSA", "MBLT"})


def quantity_error(name: str, quantity: float) -> str | None:
    """Return what is wrong with asking for `quantity` of the resource `name`, or None."""
    if quantity < 0:
        return f"The quantity of resource {name} cannot be negative"
    if not isinstance(quantity, int) and quantity != 0 and int(quantity * UNITS) == 0:
        return (
            f"The precision of the fractional quantity of resource {name} cannot go beyond 0.0001"
        )
    if name == "TPU" and quantity not in _TPU_COUNTS:
        return (
            f"The number of requested 'TPU' was set to {quantity} which is not a supported chip "
            f"configuration. Supported configs: {_TPU_COUNTS}"
        )
    if name in _WHOLE_ONLY and not isinstance(quantity, int) and not quantity.is_integer():
        return _WHOLE_ONLY[name].format(name=name, quantity=quantity)
    return None


def custom_error(resources: Mapping[str, float] | None) -> str | None:
    """Return what is wrong with the option `resources`, or None."""
    if resources is None:
        return None
    if "CPU" in resources or "GPU" in resources:
        return (
            "Use the 'num_cpus' and 'num_gpus' keyword instead of 'CPU' and 'GPU' "
            "in 'resources' keyword"
        )
    for name, quantity in resources.items():
        error = quantity_error(name, quantity)
        if error:
            return error
    return None


def resource_demand(
    opts: Mapping[str, Any], *, for_actor: bool
) -> tuple[dict[str, int], dict[str, int]]:
    """Return what placing takes and what running takes.

    A task gets 1 CPU unless `num_cpus` is there. An actor that asks for nothing but memory takes
    1 CPU to be placed and gives it back; one that asks for anything keeps all of it, 1 CPU included
    unless `num_cpus` says otherwise.

    Parameters
    ----------
    opts : mapping
        Options as checked, defaults not filled in.
    for_actor : bool

    Returns
    -------
    placement, running : dict of str to int
        In 1/10,000 of a unit, memory in 1/10,000 of a byte; amounts of 0 are left out.

    Raises
    ------
    ValueError
        A reserved name in `resources`, one and a half devices, or an amount beyond 64 bits.
    TypeError
        A resource's name that is not a str.
    """
    wanted = _wanted(opts)
    if not for_actor:
        if "num_cpus" not in opts:
            wanted["CPU"] = 1
        running = _to_units(wanted)
        return running, running.copy()
    if wanted.keys() - {"memory", "object_store_memory"}:
        wanted.setdefault("CPU", 1)
        running = _to_units(wanted)
        return running, running.copy()
    running = _to_units(wanted)
    return {"CPU": UNITS, **running}, running


def _wanted(opts: Mapping[str, Any]) -> dict[str, float]:
    wanted: dict[str, float] = dict(opts.get("resources") or {})
    if "memory" in wanted or "object_store_memory" in wanted:
        raise ValueError(
            "The resources dictionary must not contain the key 'memory' or 'object_store_memory'"
        )
    if "bundle" in wanted:
        raise ValueError(
            "The resource should not include `bundle` which is reserved for Ray. "
            f"resources: {wanted}"
        )
    for option, name in (("num_cpus", "CPU"), ("num_gpus", "GPU")):
        if opts.get(option) is not None:
            wanted[name] = opts[option]
    for name in ("memory", "object_store_memory"):
        if opts.get(name) is not None:
            wanted[name] = int(opts[name])
    if opts.get("accelerator_type") is not None:
        wanted[f"accelerator_type:{opts['accelerator_type']}"] = _ACCELERATOR_SHARE
    return wanted


def _to_units(wanted: Mapping[str, float]) -> dict[str, int]:
    units: dict[str, int] = {}
    for name, quantity in wanted.items():
        if not isinstance(name, str):
            raise TypeError(f"the name of a resource must be a str, got {name!r}")
        if name in _DEVICES and quantity > 1 and quantity != int(quantity):
            raise ValueError(
                f"{name} resource quantities >1 must be whole numbers. "
                f"The specified quantity {quantity} is invalid."
            )
        amount = _amount(quantity)
        if amount > _UNITS_MAX:
            raise ValueError(f"The quantity {quantity} of resource {name} is too large")
        if amount:
            units[name] = amount
    return units


def _amount(quantity: float) -> int:
    """Return `quantity` in units: the next lower one, unless it is one up to the float's error."""
    if isinstance(quantity, int):
        return quantity * UNITS
    scaled = quantity * UNITS
    nearest = round(scaled)
    # 0.0003 * 10,000 is 2.9999999999999996, and three shares of 0.0003 must be 0.0009.
    return nearest if abs(scaled - nearest) <= 1e-9 * max(1.0, scaled) else int(scaled)
