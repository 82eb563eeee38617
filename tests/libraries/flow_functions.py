"""The functions of a small flow, as Hamilton wants them: what one needs is the name of another."""

from __future__ import annotations


def doubled(numbers: list) -> list:
    return [2 * n for n in numbers]


def total(doubled: list) -> int:
    return sum(doubled)


def mean(total: int, doubled: list) -> float:
    return total / len(doubled)
