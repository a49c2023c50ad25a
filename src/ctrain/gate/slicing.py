"""The slices that a project declared: which there are, which are too small, which are missing, which tell the label."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import log

import numpy as np

from ctrain.gate.evidence import Categories, Evidence
from ctrain.gate.phrases import rows
from ctrain.gate.settings import Slices, Task
from ctrain.verdict import Finding, Outcome

_MOST = 100
_BY_CHANCE = log(1e-6)


@dataclass(frozen=True)
class Part:
    """The rows of one value of one column. `expected`: the project says that it must be there."""

    where: str
    evidence: Evidence
    expected: bool


def parts(wanted: Slices, evidence: Evidence, task: Task, *, blocking: bool) -> Iterator[Part | Finding]:
    """Every slice that can be judged, and a finding for each thing that cannot.

    A column with none that is large enough is inconclusive: slices that were asked for are not passed over, where
    comparing within them would have been `blocking`.
    """
    for column in wanted.by:
        categories = evidence.slices.get(column)
        subject = f"slices by {column}"
        if categories is None:
            says = f"the evaluation rows have no column {column!r}: write it in the evaluation step"
            yield Finding(subject, Outcome.FAIL, says)
        elif len(categories.names) > _MOST:
            says = f"{column} has {len(categories.names):,} values, {_MOST} is the limit: slice by bins of it"
            yield Finding(subject, Outcome.ERROR, says)
        elif task == "binary" and tells_label(categories, evidence):
            says = (
                f"the values of {column} tell the label: within each of them all labels are the same, "
                "so it was made of the label, and says nothing on who the rows are about"
            )
            yield Finding(subject, Outcome.ERROR, says)
        else:
            yield from _values(column, categories, wanted, evidence, blocking=blocking)


def _values(
    column: str, categories: Categories, wanted: Slices, evidence: Evidence, *, blocking: bool
) -> Iterator[Part | Finding]:
    expected = set(wanted.expect.get(column, ()))
    large = 0
    for code, value in enumerate(categories.names):
        where = f"{column} = {'(missing)' if value is None else value}"
        mask = categories.codes == code
        count = int(mask.sum())
        if count >= wanted.min_rows:
            large += 1
            yield Part(where, evidence.where(mask), expected=value in expected)
            continue
        says = f"{rows(count)}, and {wanted.min_rows:,} are asked for (gate.slices.min_rows)"
        yield Finding(where, Outcome.INCONCLUSIVE, says, blocking and value in expected, {"rows": float(count)})
    for value in sorted(expected - {name for name in categories.names if name is not None}):
        says = f"no row has it, and it is expected to be there (gate.slices.expect.{column})"
        yield Finding(f"{column} = {value}", Outcome.FAIL, says, blocking, {"rows": 0.0})
    if not large:
        says = f"no value of {column} has the {wanted.min_rows:,} rows that are asked for (gate.slices.min_rows)"
        yield Finding(f"slices by {column}", Outcome.INCONCLUSIVE, says, blocking and wanted.on_inconclusive == "block")


def tells_label(categories: Categories, evidence: Evidence) -> bool:
    """Whether all rows of each value have one label, where chance would hardly have made it so."""
    positive = evidence.label == 1
    share = float(positive.mean())
    if not 0 < share < 1:
        return False
    many = np.bincount(categories.codes, minlength=len(categories.names))
    ones = np.bincount(categories.codes[positive], minlength=len(categories.names))
    if ((ones > 0) & (ones < many)).any():
        return False
    chance = np.logaddexp(many * log(share), many * log(1 - share)).sum()
    return bool(chance < _BY_CHANCE)
