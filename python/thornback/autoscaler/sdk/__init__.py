"""Requests to the autoscaler, which has one machine only."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def request_resources(
    num_cpus: int | None = None,
    bundles: list[dict[str, float]] | None = None,
    bundle_label_selectors: list[dict[str, str]] | None = None,
) -> None:
    """Say what is needed soon: checked, and without effect on one machine.

    Parameters
    ----------
    num_cpus : int, optional
    bundles : list of dict, optional
        Resources that must fit one node each.
    bundle_label_selectors : list of dict, optional
        As many as bundles.

    Raises
    ------
    TypeError, ValueError
        Something is of another type, or the lengths differ.
    RuntimeError
        There is no session.
    """
    if num_cpus is not None and not isinstance(num_cpus, int):
        raise TypeError("num_cpus should be of type int.")
    if bundles is not None:
        if not isinstance(bundles, list):
            raise TypeError("bundles should be of type List")
        for bundle in bundles:
            _check_bundle(bundle)
    if bundle_label_selectors is not None:
        _check_selectors(bundles, bundle_label_selectors)
    from ... import _core

    if not _core.session():
        raise RuntimeError("Ray is not initialized yet")


def _check_bundle(bundle: Any) -> None:
    if not isinstance(bundle, dict):
        raise TypeError("each bundle should be a Dict.")
    for key, value in bundle.items():
        if not isinstance(key, str):
            raise TypeError("each bundle key should be str.")
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError("each bundle value should be a number (int or float).")


def _check_selectors(bundles: Any, selectors: Any) -> None:
    if bundles is None:
        raise ValueError("`bundles` must be provided when `bundle_label_selectors` is specified.")
    if len(selectors) != len(bundles):
        raise ValueError(
            "`bundle_label_selector` must be a list with length equal to the number of bundles."
        )
    for selector in selectors:
        if not isinstance(selector, dict) or not all(
            isinstance(part, str) for pair in selector.items() for part in pair
        ):
            raise ValueError(
                "Bundle label selector must be a list of string dictionary label selectors. For "
                'example: `[{ray.io/market_type": "spot"}, {"ray.io/accelerator-type": "A100"}]`.'
            )
