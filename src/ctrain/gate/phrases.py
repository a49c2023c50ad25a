"""Numbers as an operator reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Basis:
    """What a finding rests on: so many rows, in so many groups if they are grouped."""

    rows: int
    groups: int | None
    confidence: float

    def __str__(self) -> str:
        return rows(self.rows) + (f" in {self.groups:,} groups" if self.groups is not None else "")

    @property
    def level(self) -> str:
        return f"{self.confidence * 100:g}% CI"

    @property
    def measured(self) -> Mapping[str, float]:
        groups = {"groups": float(self.groups)} if self.groups is not None else {}
        return {"rows": float(self.rows), "confidence": self.confidence, **groups}


def rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def signed(value: float) -> str:
    return number(value, sign="+")


def number(value: float, *, sign: str = "") -> str:
    """Four decimals for what is about one, six digits for large values, two for those that would vanish."""
    value += 0.0  # no negative zero
    size = abs(value)
    if size >= 1000:
        return f"{value:{sign},.1f}"
    if 0 < size < 0.0005:
        return f"{value:{sign}.2g}"
    return f"{value:{sign}.4f}"


def two_digits(count: int) -> int:
    """Rounded up to two digits: it is an estimate, and should look like one."""
    step = int(10 ** max(len(str(count)) - 2, 0))
    return -(-count // step) * step
