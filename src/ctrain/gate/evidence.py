"""The rows that a gate judges by: what is true, what the challenger said, what the champion said."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ctrain.errors import DataError
from ctrain.gate.settings import Task

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
RowIds = npt.NDArray[np.int64] | npt.NDArray[np.str_]

_SHOWN = 5
_SUM = 1e-3


@dataclass(frozen=True)
class Categories:
    """A column of categories: `codes[i]` is the place in `names` of row i's value. The name None is a missing value."""

    names: tuple[str | None, ...]
    codes: Ints

    @classmethod
    def of(cls, values: Iterable[str | None]) -> Categories:
        """From one value a row (text, or None); names come sorted, a missing value last."""
        raw = list(values)
        missing = np.array([value is None for value in raw], dtype=np.bool_)
        names, codes = np.unique(np.array([value or "" for value in raw], dtype=np.str_), return_inverse=True)
        if not missing.any():
            return cls(tuple(names.tolist()), codes.astype(np.int64))
        codes[missing] = len(names)
        used, codes = np.unique(codes, return_inverse=True)
        known: list[str | None] = [*names.tolist(), None]
        return cls(tuple(known[place] for place in used), codes.astype(np.int64))

    def where(self, mask: Bools | Ints) -> Categories:
        """The same for some of the rows; names that no row has any more are dropped."""
        used, codes = np.unique(self.codes[mask], return_inverse=True)
        return Categories(tuple(self.names[place] for place in used), codes.astype(np.int64))


@dataclass(frozen=True, eq=False)
class Evidence:
    """Row-level predictions, sorted by row id; every array has one entry a row. Build it with `Evidence.of`.

    `label` is 0 or 1 for a binary task, the true value for a regression, the relevance for a ranking, and the place in
    `classes` for a multiclass task; `challenger` and `champion` are the two models' predictions, all of them finite;
    `champion` is None where the rows hold none. `shares` are a multiclass model's probabilities, (rows, classes);
    `columns` are what a project's own metrics read, `features` where weak segments are looked for: they decide nothing,
    and are no part of the digest.
    """

    row_id: RowIds
    label: Floats
    challenger: Floats
    champion: Floats | None = None
    group: Categories | None = None
    slices: Mapping[str, Categories] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    shares: Floats | None = None
    champion_shares: Floats | None = None
    columns: Mapping[str, Floats] = field(default_factory=dict)
    features: Mapping[str, Categories] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        row_id: npt.ArrayLike,
        label: npt.ArrayLike,
        challenger: npt.ArrayLike,
        champion: npt.ArrayLike | None = None,
        *,
        group: Categories | None = None,
        slices: Mapping[str, Categories] | None = None,
        task: Task = "binary",
        classes: tuple[str, ...] = (),
        shares: Floats | None = None,
        champion_shares: Floats | None = None,
        columns: Mapping[str, npt.ArrayLike] | None = None,
        features: Mapping[str, Categories] | None = None,
    ) -> Evidence:
        """Check and sort. NaN stands for a missing number; champions that are all NaN count as absent.

        Raises DataError for no rows, a duplicate row id, a missing or infinite number, or labels that a binary task
        cannot have; the first rows concerned are named.
        """
        ids = _row_ids(row_id)
        numbers = {"label": _floats(label), "prediction": _floats(challenger)}
        if champion is not None and not np.isnan(_floats(champion)).all():
            numbers["champion's prediction"] = _floats(champion)
        others = {name: _floats(values) for name, values in (columns or {}).items()}
        codes = [*([group.codes] if group else []), *(c.codes for c in (slices or {}).values())]
        parts = [*numbers.values(), *others.values(), *codes]
        if any(len(part) != len(ids) for part in parts):
            raise ValueError("every column needs one entry a row")
        if not len(ids):
            raise DataError(
                "the evaluation has no rows",
                why="without predictions there is nothing to judge",
                hint="check the evaluation step: it writes one row for each row that it scored",
            )
        order = np.argsort(ids, kind="stable")
        ids = ids[order]
        numbers = {name: column[order] for name, column in numbers.items()}
        others = {name: column[order] for name, column in others.items()}
        _refuse_duplicates(ids)
        for name, column in [*numbers.items(), *((f"column {name!r}", column) for name, column in others.items())]:
            _refuse_not_finite(ids, name, column)
        if task == "binary":
            _refuse_not_binary(ids, numbers["label"])
        return cls(
            ids,
            numbers["label"],
            numbers["prediction"],
            numbers.get("champion's prediction"),
            group.where(order) if group else None,
            {name: column.where(order) for name, column in (slices or {}).items()},
            classes,
            _probabilities(ids, shares, order),
            _probabilities(ids, champion_shares, order),
            others,
            {name: column.where(order) for name, column in (features or {}).items()},
        )

    @property
    def rows(self) -> int:
        return len(self.row_id)

    @property
    def units(self) -> int:
        """What counts as one piece of evidence: groups where there are any, else rows."""
        return len(self.group.names) if self.group else self.rows

    def where(self, mask: Bools | Ints) -> Evidence:
        """The rows where `mask` is true, or at these places."""
        return Evidence(
            self.row_id[mask],
            self.label[mask],
            self.challenger[mask],
            None if self.champion is None else self.champion[mask],
            self.group.where(mask) if self.group else None,
            {name: column.where(mask) for name, column in self.slices.items()},
            self.classes,
            None if self.shares is None else self.shares[mask],
            None if self.champion_shares is None else self.champion_shares[mask],
            {name: values[mask] for name, values in self.columns.items()},
            {name: column.where(mask) for name, column in self.features.items()},
        )

    @property
    def same_answers(self) -> bool:
        """Whether both models answered the same on every row."""
        if self.champion is None or not np.array_equal(self.challenger, self.champion):
            return False
        if self.shares is None or self.champion_shares is None:
            return self.shares is self.champion_shares
        return np.array_equal(self.shares, self.champion_shares)

    @cached_property
    def digest(self) -> str:
        """A sha256 in hex over the content: the same rows give the same digest, in any order and any file format."""
        numbers = {"label": self.label, "challenger": self.challenger, "champion": self.champion}
        categories = {"group": self.group, **{f"slice {name}": self.slices[name] for name in sorted(self.slices)}}
        total = hashlib.sha256(b"ctrain evidence 1\n")
        if self.row_id.dtype.kind == "i":
            total.update(self.row_id.astype("<i8").tobytes())
        else:
            total.update(json.dumps(self.row_id.tolist()).encode())
        for name, column in numbers.items():
            total.update(f"\n{name}\n".encode())
            if column is not None:
                total.update((column + 0.0).astype("<f8").tobytes())  # + 0.0 makes -0.0 the zero that it equals
        for name, category in categories.items():
            total.update(f"\n{json.dumps([name, category and category.names])}\n".encode())
            if category is not None:
                total.update(category.codes.astype("<i8").tobytes())
        for name, shares in {"shares": self.shares, "champion shares": self.champion_shares}.items():
            if shares is not None:
                total.update(f"\n{name}\n".encode() + (shares + 0.0).astype("<f8").tobytes())
        for name in sorted(self.columns):
            total.update(f"\ncolumn {name}\n".encode() + (self.columns[name] + 0.0).astype("<f8").tobytes())
        if self.classes:
            total.update(f"\n{json.dumps(self.classes)}\n".encode())
        return total.hexdigest()


def _probabilities(ids: RowIds, shares: Floats | None, order: Ints) -> Floats | None:
    """In the rows' order. Raises DataError for rows that are no probabilities."""
    if shares is None:
        return None
    shares = shares[order]
    bad = ~np.isfinite(shares).all(axis=1) | (shares < 0).any(axis=1) | (np.abs(shares.sum(axis=1) - 1) > _SUM)
    if bad.any():
        raise DataError(
            f"the probabilities of the classes are none in {int(bad.sum()):,} of {len(ids):,} rows",
            why=f"they must be 0 or more, and sum to 1: {named(ids[bad])}",
            hint="write one column a class, with what the model gives for it",
        )
    return shares


def _floats(values: npt.ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _row_ids(values: npt.ArrayLike) -> RowIds:
    ids = np.asarray(values)
    return ids.astype(np.int64) if ids.dtype.kind in "iu" or not len(ids) else ids.astype(np.str_)


def named(ids: RowIds) -> str:
    """The first few of these row ids, for a sentence."""
    shown = ", ".join(str(one) for one in ids[:_SHOWN].tolist())
    return f"row id {shown}" if len(ids) == 1 else f"row ids {shown}{', ...' if len(ids) > _SHOWN else ''}"


def _refuse_duplicates(ids: RowIds) -> None:
    again = np.unique(ids[1:][ids[1:] == ids[:-1]])
    if len(again):
        raise DataError(
            "row ids stand more than once in the evaluation",
            why=f"{len(again):,} of them do: {named(again)}",
            hint="give each scored row an id of its own: a row that counts twice makes the gate too sure",
        )


def _refuse_not_finite(ids: RowIds, name: str, column: Floats) -> None:
    bad = ~np.isfinite(column)
    if not bad.any():
        return
    missing = int(np.isnan(column).sum())
    hint = (
        "a model that answers nothing for a row cannot be judged by the rows that it answered; correct the evaluation"
    )
    raise DataError(
        f"the {name} is missing or not finite in {int(bad.sum()):,} of {len(ids):,} rows",
        why=f"{missing:,} missing or NaN and {int(bad.sum()) - missing:,} infinite: {named(ids[bad])}",
        hint=hint if name != "label" else "leave out rows whose label is not known",
    )


def _refuse_not_binary(ids: RowIds, label: Floats) -> None:
    bad = (label != 0) & (label != 1)
    if bad.any():
        values = ", ".join(f"{value:g}" for value in np.unique(label)[:_SHOWN].tolist())
        raise DataError(
            "the labels are not binary",
            why=f"{int(bad.sum()):,} are neither 0 nor 1 ({named(ids[bad])}); values seen: {values}",
            hint="write 0 and 1 (or false and true), or set `evaluation.task: regression`",
        )
