"""Where is the model weakest? Segments that nobody declared, found on one half of the rows and measured on the other.

Whoever looks at a hundred segments finds a bad one by chance, and its figures on the rows that found it are too
bad to be true. So half of the rows (of the groups, where there are groups) choose, by the mean of a row's loss, and
only the other half is measured: its intervals mean what intervals mean. All of it is advisory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ctrain.gate.evidence import Bools, Categories, Evidence, Floats, Ints
from ctrain.gate.measuring import rightly
from ctrain.gate.settings import Segments, Task

_COLUMNS = 30
"""The most columns that are looked at, alone and in pairs."""


Values = tuple[tuple[str, int], ...]
"""The columns of a segment, each with the place of its value."""


@dataclass(frozen=True)
class Segment:
    """The rows of one value of a column, or of two, of the half that did not choose it."""

    where: str
    evidence: Evidence


def weakest(wanted: Segments, evidence: Evidence, task: Task, threshold: float) -> tuple[Segment, ...]:
    """Up to `most` segments where the challenger gains least on the champion (alone: where it loses most), worst first.

    Empty for rankings, whose rows have no loss of their own, and where no segment is large enough.
    """
    if task == "ranking" or not evidence.features:
        return ()
    choosing = _half(evidence)
    found = sorted(_candidates(wanted, evidence.features, choosing, _gains(evidence, task, threshold)))
    kept: list[tuple[str, Bools]] = []
    for behind, where, values in found:
        if behind >= 0 or len(kept) == wanted.most:
            break
        mask = _rows_of(values, evidence.features)
        if not any(_much_the_same(mask, other) for _, other in kept):
            kept.append((where, mask))
    return tuple(Segment(where, evidence.where(mask & ~choosing)) for where, mask in kept)


def _half(evidence: Evidence) -> Bools:
    """The rows that choose: half of the units, the same for the same evidence."""
    units = evidence.units
    chosen = np.zeros(units, dtype=np.bool_)
    chosen[np.random.default_rng(int(evidence.digest[:16], 16)).permutation(units)[: units // 2]] = True
    return chosen[evidence.group.codes] if evidence.group else chosen


def _gains(evidence: Evidence, task: Task, threshold: float) -> Floats:
    """Of each row: what the champion lost more than the challenger; without a champion, less than nothing."""
    ours = _loss(evidence, task, threshold, champion=False)
    if evidence.champion is None:
        return -ours
    return _loss(evidence, task, threshold, champion=True) - ours


def _loss(evidence: Evidence, task: Task, threshold: float, *, champion: bool) -> Floats:
    answers = evidence.champion if champion and evidence.champion is not None else evidence.challenger
    probable = task == "binary" and bool(((answers >= 0) & (answers <= 1)).all())
    if task == "regression" or probable:
        squares: Floats = np.square(answers - evidence.label)
        return squares
    return 1 - rightly(evidence, threshold, champion=champion)


def _candidates(
    wanted: Segments, features: Mapping[str, Categories], choosing: Bools, gain: Floats
) -> Iterator[tuple[float, str, Values]]:
    """Values of one column, then of two, that have rows enough in both halves; how far behind first, in errors."""
    names = list(features)[:_COLUMNS]
    here, mean = gain[choosing], float(gain[choosing].mean())
    for several in [*((name,) for name in names), *combinations(names, 2)]:
        codes: Ints = np.zeros(len(choosing), dtype=np.int64)
        for name in several:
            codes = codes * len(features[name].names) + features[name].codes
        size = int(codes.max()) + 1
        many, others = (np.bincount(codes[half], minlength=size) for half in (choosing, ~choosing))
        sums = np.bincount(codes[choosing], weights=here, minlength=size)
        squares = np.bincount(codes[choosing], weights=here**2, minlength=size)
        for code in np.flatnonzero((many >= wanted.min_rows) & (others >= wanted.min_rows)):
            count = int(many[code])
            error = (max(squares[code] / count - (sums[code] / count) ** 2, 0) / (count - 1)) ** 0.5
            if error > 0:
                values = _values(int(code), several, features)
                yield (sums[code] / count - mean) / error, _told(values, features), values


def _values(code: int, several: tuple[str, ...], features: Mapping[str, Categories]) -> Values:
    """Which place of each column a combined code stands for."""
    places: list[tuple[str, int]] = []
    for name in reversed(several):
        code, place = divmod(code, len(features[name].names))
        places.insert(0, (name, place))
    return tuple(places)


def _told(values: Values, features: Mapping[str, Categories]) -> str:
    words = [(name, features[name].names[place]) for name, place in values]
    return ", ".join(f"{name} = {'(missing)' if word is None else word}" for name, word in words)


def _rows_of(values: Values, features: Mapping[str, Categories]) -> Bools:
    masks = [features[name].codes == place for name, place in values]
    rows: Bools = np.logical_and.reduce(masks)
    return rows


def _much_the_same(one: Bools, other: Bools) -> bool:
    both = int((one & other).sum())
    return both > 0.7 * min(int(one.sum()), int(other.sum()))
