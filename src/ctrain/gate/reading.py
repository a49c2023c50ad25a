"""The evaluation output, from files to evidence: one table of Parquet or CSV, in one file or in parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ctrain.document import nearest
from ctrain.errors import DataError
from ctrain.gate.evidence import Categories, Evidence, Floats, RowIds, named
from ctrain.gate.settings import EvaluationSettings, Segments
from ctrain.training import Scalar

if TYPE_CHECKING:
    import polars as pl

_FEW_VALUES = 12
_FORMATS = {".parquet": "Parquet", ".pq": "Parquet", ".csv": "CSV"}
_MOST_DECIMALS = r"^-?(0|[1-9][0-9]{0,17})$"  # what int64 holds for certain, in the one way of writing it


def read_evidence(
    path: Path,
    settings: EvaluationSettings,
    slices: Sequence[str] = (),
    columns: Sequence[str] = (),
    *,
    segments: Segments | None = None,
) -> Evidence:
    """The evidence in a file, or in a folder (with its subfolders) that holds one table.

    Several files of one format are parts of one table. Slice columns that the table lacks are left out: the gate has
    a finding for them. `columns` are numbers that a project's own metrics read;
    `segments` says among which columns weak segments will be looked for.

    Raises DataError where there is no table, or it cannot be read, or it lacks another column, or its rows cannot be
    judged (see `Evidence.of`).
    """
    required = [settings.row_id, settings.label, settings.prediction, *([settings.group] if settings.group else [])]
    optional = [settings.champion, *slices, *_share_columns(settings.prediction, settings)]
    optional += _share_columns(settings.champion, settings)
    required += columns
    among = segments.among if segments else ()
    looked_at: list[str] = []

    def choose(names: list[str]) -> list[str]:
        looked_at[:] = among or ([name for name in names if name not in (*required, *optional)] if segments else [])
        return _choose(names, [*required, *among], [*optional, *looked_at], path)

    table = _read(path, choose, as_text=True)
    ids = _row_ids(table, settings.row_id, path)
    features = {name: made for name in looked_at if (made := _feature(table[name]))}
    group = _group(table, settings.group, ids) if settings.group else None
    parts = {name: _categories(table[name]) for name in slices if name in table.columns}

    def number(column: str) -> pl.Series:
        return _numbers(table[column], ids)

    others = {name: number(name).to_numpy() for name in columns}
    if settings.task == "multiclass":
        return _of_classes(table, ids, settings, group=group, slices=parts, columns=others, features=features)

    return Evidence.of(
        ids,
        number(settings.label),
        number(settings.prediction),
        number(settings.champion) if settings.champion in table.columns else None,
        group=group,
        slices=parts,
        columns=others,
        features=features,
        task=settings.task,
    )


def _feature(column: pl.Series) -> Categories | None:
    """A column as parts to look at: its values where they are few, numbers in four; None for what is neither."""
    import polars as pl

    if column.n_unique() <= _FEW_VALUES:
        return _categories(column)
    numbers = column.cast(pl.Float64, strict=False) if column.dtype in (pl.String, pl.Boolean) else column
    if not numbers.dtype.is_numeric() or numbers.null_count() > column.null_count():
        return None
    numbers = numbers.cast(pl.Float64)
    cuts = sorted({float(cut) for share in (0.25, 0.5, 0.75) if (cut := numbers.quantile(share)) is not None})
    words = [f"below {cuts[0]:g}", *(f"{low:g} to {high:g}" for low, high in pairwise(cuts)), f"{cuts[-1]:g} or more"]
    place = np.searchsorted(cuts, numbers.fill_null(0.0).to_numpy(), side="right")
    place[numbers.is_null().to_numpy()] = len(words)
    return Categories((*words, None), place.astype(np.int64)).where(np.arange(len(place)))


def _share_columns(prefix: str, settings: EvaluationSettings) -> list[str]:
    return [f"{prefix}_{name}" for name in settings.classes]


def _of_classes(
    table: pl.DataFrame,
    ids: RowIds,
    settings: EvaluationSettings,
    *,
    group: Categories | None,
    slices: Mapping[str, Categories],
    columns: Mapping[str, Floats],
    features: Mapping[str, Categories],
) -> Evidence:
    """Labels and answers as places in the classes: those of the settings, else all that the rows name."""
    named_columns = [settings.label, settings.prediction]
    if settings.champion in table.columns and table[settings.champion].null_count() < len(ids):
        named_columns.append(settings.champion)
    words = {column: _words(table[column]) for column in named_columns}
    found = {word for column in words.values() for word in column.drop_nulls().to_list()}
    classes = settings.classes or tuple(sorted(found))
    for column, values in words.items():
        unknown = (values.is_null() | ~values.is_in(list(classes))).fill_null(value=True).to_numpy()
        if unknown.any():
            seen = ", ".join(repr(one) for one in values.filter(unknown).unique().sort().head(3).to_list())
            raise DataError(
                f"the column {column!r} holds what is no class in {int(unknown.sum()):,} of {len(ids):,} rows",
                why=f"such as {seen}: {named(np.sort(ids[unknown]))}; the classes are {', '.join(classes[:10])}",
                hint="write a class in every row, or correct `evaluation.classes`",
            )
    places = {name: float(place) for place, name in enumerate(classes)}
    codes = [np.array([places[word] for word in words[column].to_list()]) for column in named_columns]
    return Evidence.of(
        ids,
        *codes,
        group=group,
        slices=slices,
        columns=columns,
        features=features,
        task="multiclass",
        classes=classes,
        shares=_shares(table, ids, settings.prediction, settings),
        champion_shares=_shares(table, ids, settings.champion, settings) if len(named_columns) == 3 else None,
    )


def _words(column: pl.Series) -> pl.Series:
    """As text; whole numbers in the usual way of writing, whatever type the column has."""
    import polars as pl

    if column.dtype.is_float() and (column.drop_nulls() % 1 == 0).all():
        column = column.cast(pl.Int64)
    return column.cast(pl.String)


def _shares(table: pl.DataFrame, ids: RowIds, prefix: str, settings: EvaluationSettings) -> Floats | None:
    """The probabilities, (rows, classes); None where there is no column of them. Raises DataError for only some."""
    wanted = _share_columns(prefix, settings)
    there = [name for name in wanted if name in table.columns]
    if not there:
        return None
    if there != wanted:
        raise DataError(
            f"the probabilities of {settings.prediction} are incomplete",
            why=f"there is no column {', '.join(sorted(set(wanted) - set(there)))}",
            hint="write one column a class, or none",
        )
    return np.column_stack([_numbers(table[name], ids).to_numpy() for name in wanted])


@dataclass(frozen=True)
class Rows:
    """Some rows as they were scored: `cells[i]` holds the values of `columns`, `predictions[i]` the challenger's."""

    columns: tuple[str, ...]
    cells: tuple[tuple[Scalar | None, ...], ...]
    predictions: tuple[float, ...]


def read_rows(path: Path, settings: EvaluationSettings, columns: Sequence[str], *, count: int, seed: int = 0) -> Rows:
    """`count` rows of the table (all, where it has fewer), drawn by `seed` whatever order the rows are stored in.

    Dates become ISO text, NaN becomes None. Raises DataError as `read_evidence` does.
    """
    wanted = list(dict.fromkeys([settings.row_id, settings.prediction, *columns]))
    table = _read(path, lambda names: _choose(names, wanted, (), path), as_text=False)
    ids = _row_ids(table, settings.row_id, path)
    order = np.argsort(ids, kind="stable")
    drawn = np.random.default_rng(seed).choice(len(order), size=min(count, len(order)), replace=False)
    places = order[np.sort(drawn)].tolist()
    return Rows(
        tuple(columns),
        tuple(tuple(_plain(value) for value in row) for row in table[places].select(columns).iter_rows()),
        tuple(_numbers(table[settings.prediction], ids)[places].to_list()),
    )


def _plain(value: object) -> Scalar | None:
    match value:
        case float():
            return None if isnan(value) else value
        case None | bool() | int() | str():
            return value
        case datetime() | date():
            return value.isoformat()
        case _:
            return str(value)


def _files(path: Path) -> list[Path]:
    """The parts, in sorted order. Hidden files and those that begin with an underscore are markers of writers."""
    if path.is_file():
        return [path]
    inside = [(file, file.relative_to(path).parts) for file in sorted(path.rglob("*")) if file.is_file()]
    parts = [
        file
        for file, steps in inside
        if file.suffix.lower() in _FORMATS and not any(step.startswith((".", "_")) for step in steps)
    ]
    formats = sorted({_FORMATS[part.suffix.lower()] for part in parts})
    if not formats:
        raise DataError(
            f"there are no evaluation rows in {path}",
            why="it holds no Parquet and no CSV file" if path.exists() else "it does not exist",
            hint="let the evaluation step write its rows as `predictions.parquet` or `predictions.csv` there",
        )
    if len(formats) > 1:
        raise DataError(
            f"there is more than one table in {path}",
            why=f"it holds Parquet and CSV: {', '.join(part.name for part in parts[:5])}",
            hint="write the rows in one format, and everything else to another output",
        )
    return parts


def _format(file: Path) -> str:
    """By its ending; without one (a `uri_file` output has none) by how it begins, as Parquet files say what they are.

    Source: "File format", parquet.apache.org: the magic number PAR1.
    """
    known = _FORMATS.get(file.suffix.lower())
    if known is not None:
        return known
    with file.open("rb") as content:
        return "Parquet" if content.read(4) == b"PAR1" else "CSV"


def _read(path: Path, choose: Callable[[list[str]], list[str]], *, as_text: bool) -> pl.DataFrame:
    """The chosen columns of all parts. `as_text`: those of CSV are not interpreted, as guesses differ between parts."""
    import polars as pl

    tables: list[pl.DataFrame] = []
    for part in _files(path):
        try:
            if _format(part) == "Parquet":
                lazy = pl.scan_parquet(part, glob=False, hive_partitioning=False)
            elif as_text:
                lazy = pl.scan_csv(part, glob=False, infer_schema=False)
            else:
                lazy = pl.scan_csv(part, glob=False, infer_schema_length=None)
            columns = choose(lazy.collect_schema().names())
            tables.append(lazy.select(columns).collect())
        except (pl.exceptions.PolarsError, OSError, pl.exceptions.PanicException) as failure:
            if isinstance(failure, pl.exceptions.NoDataError):
                continue
            raise DataError(
                f"cannot read the evaluation rows in {part}",
                why=str(failure).strip().splitlines()[0] if str(failure).strip() else type(failure).__name__,
                hint="check that the evaluation step wrote the whole file, in the format that its name says",
            ) from None
    if not tables:
        raise DataError(
            f"the evaluation rows in {path} are empty",
            why="the file has no content, not even a header",
            hint="check the evaluation step: it writes one row for each row that it scored",
        )
    return _joined(tables, path)


def _joined(tables: list[pl.DataFrame], path: Path) -> pl.DataFrame:
    import polars as pl

    if len({tuple(table.columns) for table in tables}) > 1:
        odd = next(table for table in tables if table.columns != tables[0].columns)
        differ = sorted({*odd.columns} ^ {*tables[0].columns})
        raise DataError(
            f"the files in {path} are not parts of one table",
            why=f"only some of them have {', '.join(differ) or 'these columns in this order'}",
            hint="write the evaluation rows, and nothing else, to the evaluation output",
        )
    try:
        return pl.concat(tables, how="vertical_relaxed")
    except pl.exceptions.PolarsError as failure:
        raise DataError(
            f"the files in {path} are not parts of one table",
            why=str(failure).splitlines()[0],
            hint="give a column the same type in every part",
        ) from None


def _choose(names: list[str], required: Sequence[str], optional: Sequence[str], path: Path) -> list[str]:
    for column in required:
        if column not in names:
            meant = nearest(column, names)
            raise DataError(
                f"the evaluation rows in {path} have no column {column!r}",
                why=f"they have {', '.join(names) if names else 'none'}",
                hint=f"did you mean {meant!r}? Correct the name under `evaluation` in ctrain.yaml"
                if meant
                else "write that column in the evaluation step, or correct its name under `evaluation` in ctrain.yaml",
            )
    return list(dict.fromkeys([*required, *(name for name in optional if name in names)]))


def _row_ids(table: pl.DataFrame, column: str, path: Path) -> RowIds:
    """As int64 where all are whole numbers in the usual way of writing ("007" stays text), else as text."""
    import polars as pl

    ids = table[column]
    if ids.null_count():
        raise DataError(
            f"row ids are missing in {path}",
            why=f"{column!r} is empty in {ids.null_count():,} of {len(ids):,} rows",
            hint="write the id of every scored row",
        )
    if ids.dtype.is_integer() and ids.dtype not in (pl.UInt64, pl.Int128):
        return np.asarray(ids.cast(pl.Int64).to_numpy(), dtype=np.int64)
    text = ids.cast(pl.String)
    if text.str.contains(_MOST_DECIMALS).all():
        return np.asarray(text.cast(pl.Int64).to_numpy(), dtype=np.int64)
    return np.asarray(text.to_list(), dtype=np.str_)


def _numbers(column: pl.Series, ids: RowIds) -> pl.Series:
    """As floats, NaN where a value is missing. Booleans count as 0 and 1, also as words."""
    import polars as pl

    if not (column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.String, pl.Null)):
        raise DataError(
            f"the column {column.name!r} does not hold numbers",
            why=f"its type is {column.dtype}",
            hint="write one number a row",
        )
    if column.dtype == pl.String:
        word = column.str.strip_chars().str.to_lowercase()
        plain = word.replace({"true": "1", "false": "0", "": None})
        parsed = plain.cast(pl.Float64, strict=False)
        bad = (parsed.is_null() & plain.is_not_null()).to_numpy()
        if bad.any():
            seen = ", ".join(repr(value) for value in column.filter(pl.Series(bad)).unique().sort().head(3).to_list())
            raise DataError(
                f"the column {column.name!r} holds text where a number is needed",
                why=f"{int(bad.sum()):,} of {len(ids):,} rows, such as {seen}: {named(np.sort(ids[bad]))}",
                hint="write numbers; for a binary label 0 and 1",
            )
        column = parsed
    return column.cast(pl.Float64).fill_null(float("nan"))


def _group(table: pl.DataFrame, column: str, ids: RowIds) -> Categories:
    missing = table[column].is_null().to_numpy()
    if missing.any():
        raise DataError(
            f"the group {column!r} is missing in {int(missing.sum()):,} rows",
            why=f"rows without one cannot be told to belong together or not: {named(np.sort(ids[missing]))}",
            hint="write the group of every row; a row on its own is a group of its own",
        )
    return _categories(table[column])


def _categories(column: pl.Series) -> Categories:
    """By value, as text; whole floats ("1.0") of Parquet read as they are written in CSV."""
    import polars as pl

    values = column.cast(pl.String)
    names = values.unique().sort(nulls_last=True)
    codes = values.to_frame("value").join(
        names.to_frame("value").with_row_index("code"), on="value", how="left", nulls_equal=True, maintain_order="left"
    )
    return Categories(tuple(names.to_list()), np.asarray(codes["code"].to_numpy(), dtype=np.int64))
