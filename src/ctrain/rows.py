"""Rows of Parquet and CSV files: counting them, and writing those that are in a sample, streaming.

Polars filters; a Parquet file whose schema it would not give back as it is (lists, ordered categories, binary of fixed
size and the like) is filtered with pyarrow instead, at a quarter of the speed. CSV is read as text, so that values keep
their spelling.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ctrain.data import SampleSpec
from ctrain.digest import tree_files
from ctrain.document import nearest
from ctrain.errors import DataError, PlatformUnavailable
from ctrain.sampling import WHOLE_FLOATS, can_be_key, hash_keys, rows_in

if TYPE_CHECKING:
    from ctrain.sampling import Hashes

MAX_STRATA = 1000
"""A column with more values than this tells rows apart; keeping one row of each would keep them all."""

SEPARATORS = (",", ";", "\t", "|")
ROWS_AT_ONCE = 131_072

_FORMATS: Mapping[str, Literal["parquet", "csv"]] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
}


def has_rows(file: Path) -> bool:
    """Whether a file's name says that we can read its rows."""
    return file.suffix.lower() in _FORMATS


def count_rows(file: Path) -> int | None:
    """How many rows, from a Parquet file's footer or by reading a CSV file; None for other files.

    A CSV file that is not one still has a digest: its rows are unknown (None). Raises DataError for a Parquet file
    that is none.
    """
    match _FORMATS.get(file.suffix.lower()):
        case "parquet":
            with _readable(file):
                return int(pq.read_metadata(file).num_rows)
        case "csv":
            try:
                return int(pl.scan_csv(file, glob=False, infer_schema=False).select(pl.len()).collect().item())
            except pl.exceptions.PolarsError:
                return None
        case None:
            return None


def count(path: Path) -> int | None:
    """How many rows a data set has, a file or a folder of them; None where a file's cannot be counted cheaply."""
    files = [path] if path.is_file() else [file for _, file in tree_files(path, DataError) if has_rows(file)]
    counts = [count_rows(file) for file in files if file.stat().st_size]
    return sum(filter(None, counts)) if counts and None not in counts else None


def write_sample(source: Path, target: Path, spec: SampleSpec) -> int:
    """Write the sample of a data set, a file as a file and a folder as a folder; how many rows are in it.

    The one definition for every backend. Raises DataError where the rows cannot be sampled by this spec.
    """
    files = [("", source)] if source.is_file() else tree_files(source, DataError)
    parts = {name: Part(file, spec) for name, file in files if has_rows(file) and file.stat().st_size}
    if not parts:
        raise DataError(
            f"{source} cannot be sampled",
            why="rows are read from .parquet, .pq, .csv and .tsv files, and it has none",
            hint="write it as Parquet or CSV, or use all the data",
        )
    always = combined((part.firsts() for part in parts.values()), spec)
    for name, file in files:
        if name not in parts:
            copy_beside(file, target / name)
    return sum(part.write(target / name if name else target, always) for name, part in parts.items())


@dataclass(frozen=True)
class Part:
    """A file of a data set, to be sampled by `spec`."""

    file: Path
    spec: SampleSpec

    def firsts(self) -> dict[str | None, int]:
        """For each stratum, in text, the hash of its first row's key; empty where no strata are asked for.

        Raises DataError where the rows cannot be sampled by this spec.
        """
        with _readable(self.file):
            rows = self._scan()
            schema = rows.collect_schema()
            self._check_columns(schema)
            self._check_keys(rows, schema[self.spec.key])
            if self.spec.stratify is None:
                return {}
            # within a group rows keep their order (polars' manual, LazyFrame.group_by)
            groups = rows.group_by(pl.col(self.spec.stratify).cast(pl.String).alias("stratum"))
            found = groups.agg(pl.col(self.spec.key).first().alias("key")).collect(engine="streaming")
            hashes = hash_keys(found["key"], self.spec.seed).tolist()
            return dict(zip(found["stratum"].to_list(), hashes, strict=True))

    def write(self, to: Path, always: Hashes) -> int:
        """Write the rows that are in, in their order and as the same format; how many they are."""
        to.parent.mkdir(parents=True, exist_ok=True)
        with _readable(self.file):
            if _FORMATS[self.file.suffix.lower()] == "csv":
                self._filtered(always).sink_csv(to, separator=self._separator())
            else:
                schema = pq.read_schema(self.file)
                tables = self._by_polars(schema, always) if _kept_by_polars(schema) else self._by_pyarrow(always)
                with pq.ParquetWriter(to, schema) as writer:
                    for table in tables:
                        writer.write_table(table)
        return count_rows(to) or 0

    def _filtered(self, always: Hashes) -> pl.LazyFrame:
        def chosen(keys: pl.Series) -> pl.Series:
            return pl.Series(rows_in(keys, self.spec, always), dtype=pl.Boolean)

        return self._scan().filter(
            pl.col(self.spec.key).map_batches(chosen, return_dtype=pl.Boolean, is_elementwise=True)
        )

    def _by_polars(self, schema: pa.Schema, always: Hashes) -> Iterator[pa.Table]:
        for frame in self._filtered(always).collect_batches(chunk_size=ROWS_AT_ONCE, engine="streaming"):
            # polars has large strings only, and no metadata
            yield frame.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema)

    def _by_pyarrow(self, always: Hashes) -> Iterator[pa.Table]:
        for batch in pq.ParquetFile(self.file).iter_batches(ROWS_AT_ONCE):
            chosen = rows_in(pl.Series(batch.column(self.spec.key)), self.spec, always)
            if chosen.any():
                yield pa.Table.from_batches([batch]).filter(pa.array(chosen))

    def _scan(self) -> pl.LazyFrame:
        if _FORMATS[self.file.suffix.lower()] == "csv":
            return pl.scan_csv(self.file, glob=False, separator=self._separator(), infer_schema=False)
        return pl.scan_parquet(self.file, glob=False, hive_partitioning=False)

    def _separator(self) -> str:
        """The separator that makes the key a column; a comma where none does."""
        headers = {mark: self._header(mark) for mark in SEPARATORS}
        return next((mark for mark, names in headers.items() if self.spec.key in names), ",")

    def _header(self, separator: str) -> list[str]:
        try:
            with self.file.open(newline="", encoding="utf-8-sig") as text:
                return next(csv.reader(text, delimiter=separator), [])
        except (UnicodeDecodeError, csv.Error) as failure:
            raise _unreadable(self.file, failure) from None

    def _check_columns(self, schema: pl.Schema) -> None:
        for use, column in (("key", self.spec.key), ("stratify", self.spec.stratify)):
            if column is not None and column not in schema:
                meant = nearest(column, schema)
                raise DataError(
                    f"{self.file} has no column {column!r}",
                    why=f"the sample's `{use}` names it; there are {_listed(list(schema))}",
                    hint=f"did you mean {meant!r}?" if meant else f"name one of its columns as `{use}`",
                )
        doubled = next((name for name in schema if _doubles(name, schema)), None)
        if doubled is not None and _FORMATS[self.file.suffix.lower()] == "csv":
            raise DataError(
                f"{self.file} has two columns {doubled.rpartition('_duplicated_')[0]!r}",
                why="a sample of it would not have the same header",
                hint="give each column a name of its own",
            )
        if not can_be_key(schema[self.spec.key]):
            raise DataError(
                f"the column {self.spec.key!r} of {self.file} cannot be a key",
                why=f"its type is {schema[self.spec.key]}, and a key is an integer, a text, a date or a category",
                hint="name another column, or write this one as text",
            )
        if self.spec.stratify is not None and schema[self.spec.stratify].is_nested():
            raise DataError(
                f"the column {self.spec.stratify!r} of {self.file} cannot make strata",
                why=f"its type is {schema[self.spec.stratify]}, and a stratum is one plain value",
                hint="name another column",
            )

    def _check_keys(self, rows: pl.LazyFrame, dtype: pl.DataType) -> None:
        key = pl.col(self.spec.key)
        broken = ~(key.is_finite() & (key == key.floor()) & (key.abs() < WHOLE_FLOATS)) if dtype.is_float() else None
        asked = [key.null_count().alias("nulls"), (pl.lit(0) if broken is None else broken.sum()).alias("broken")]
        nulls, unwhole = rows.select(asked).collect(engine="streaming").row(0)
        if nulls:
            raise DataError(
                f"{nulls:,} rows of {self.file} have no {self.spec.key!r}",
                why="a row without a key is neither in nor out of a sample",
                hint="give each row a key, or name a column that has one in each row",
            )
        if unwhole:
            raise DataError(
                f"{unwhole:,} rows of {self.file} have a {self.spec.key!r} that is no whole number",
                why="a floating point number is spelled in many ways, so that it cannot be a key",
                hint="write the column as integers or text",
            )


def copy_beside(file: Path, to: Path) -> None:
    """Copy a file that holds no rows, such as `MLTable` or `_SUCCESS`, unless it describes the parts byte by byte."""
    if file.suffix == ".crc" or file.name == "_metadata":
        return
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, to)


def combined(firsts: Iterator[dict[str | None, int]], spec: SampleSpec) -> Hashes:
    """The sorted hashes of the keys that are in whatever the fraction: of each stratum's first row over all parts."""
    strata: dict[str | None, int] = {}
    for part in firsts:
        strata = part | strata
        if len(strata) > MAX_STRATA:
            raise DataError(
                f"the column {spec.stratify!r} has more than {MAX_STRATA:,} values",
                why="a row of each stratum is kept, which would be nearly all rows",
                hint="stratify by a column with few values, such as the label",
            )
    return np.unique(np.array(list(strata.values()), np.uint64))


def _kept_by_polars(schema: pa.Schema) -> bool:
    return all(_plain(field.type) for field in schema)


def _plain(kind: pa.DataType) -> bool:
    is_ = pa.types
    tests = (is_.is_integer, is_.is_float32, is_.is_float64, is_.is_boolean, is_.is_string, is_.is_large_string)
    return any(test(kind) for test in tests) or is_.is_date32(kind) or (is_.is_timestamp(kind) and kind.unit != "s")


def _doubles(name: str, schema: pl.Schema) -> bool:
    # polars renames the second `a` of a header to `a_duplicated_0`
    before, mark, count = name.rpartition("_duplicated_")
    return bool(mark) and count.isdigit() and before in schema


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:20]))
    return f"{shown} and {len(names) - 20} more" if len(names) > 20 else shown


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as failure:
        raise PlatformUnavailable(
            f"cannot sample {file}", why=str(failure), hint="make room on the disk, and try again"
        ) from failure
    except (pl.exceptions.PolarsError, pa.ArrowException) as failure:
        raise _unreadable(file, failure) from None


def _unreadable(file: Path, failure: Exception) -> DataError:
    reason = next(iter(str(failure).splitlines()), "") or type(failure).__name__
    kind = file.suffix.lstrip(".").upper()
    return DataError(
        f"{file} is not a {kind} file that can be read", why=reason, hint="write it anew; CSV has to be UTF-8"
    )
