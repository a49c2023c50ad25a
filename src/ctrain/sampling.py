"""Which rows are in a sample: a definition of our own, the same in every version, engine and format.

A row is in if the hash of its key, a number below 2**64, is below `fraction * 2**64`. So rows with one key are in or
out together, a row that is in stays in as data grows, a larger fraction is a superset, and neither the order of rows
nor their split into files matters. With `stratify`, the keys of the first row of each stratum are in as well, so that
no stratum is lost; data has to grow at its end for these rows to stay. (It cannot be had otherwise: a rule that looks
at the set of rows only, keeps at least one row of each stratum and never lets one go has to keep all.)

The hash, definition 1, all arithmetic modulo 2**64:

    mix(z) = splitmix64's step: z += 0x9E3779B97F4A7C15; z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
             z = (z ^ z >> 27) * 0x94D049BB133111EB; z ^ z >> 31
    integer k:  mix(mix(seed) ^ k), a negative k as its two's complement
    text:       h = mix(seed); h = mix(h ^ b) for each 8 bytes b of its UTF-8, read as a little-endian number, the last
                ones padded with zero bytes; then mix(h ^ number of bytes)

What counts as the same key: integers of all widths; a whole floating point number (below 2**53) and that integer; a
text that spells an integer of 64 bits (`-?(0|[1-9][0-9]*)`, with or without `.0`) and that integer, since a CSV file
does not say which it is; a date and its text `YYYY-MM-DD`; a category and its text. Any other type is refused.

Source of the step: Sebastiano Vigna, https://prng.di.unimi.it/splitmix64.c (public domain), after Steele, Lea and
Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ctrain.data import SampleSpec
from ctrain.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]

DEFINITION = 1
"""Counts up whenever the definition above changes; part of what a sample is known by."""

WHOLE_FLOATS = 2.0**53
"""Floating point numbers from here on may stand for more than one integer."""

_INTEGER = r"^(-?(?:0|[1-9][0-9]{0,19}))(?:\.0)?$"


def check_spec(spec: SampleSpec) -> None:
    """Raises DataError where the fraction is not in (0, 1], NaN included."""
    if not 0 < spec.fraction <= 1:
        raise DataError(
            f"{spec.fraction} is not a fraction of the rows",
            why="a sample has more than none and at most all of them",
            hint="give a fraction over 0 and up to 1, such as 0.05",
        )


def largest_hash(fraction: float) -> int:
    """The largest hash that is in; exact, as a float times a power of two is."""
    return math.ceil(fraction * 2.0**64) - 1


def rows_in(keys: pl.Series, spec: SampleSpec, always: Hashes | None = None) -> NDArray[np.bool_]:
    """For each key (n, without nulls) whether its row is in; `always` holds the sorted hashes of keys that are."""
    import numpy as np

    hashes = hash_keys(keys, spec.seed)
    chosen = hashes <= np.uint64(largest_hash(spec.fraction))
    if always is not None and always.size:
        places = np.minimum(np.searchsorted(always, hashes), always.size - 1)
        chosen |= always[places] == hashes
    return chosen


def can_be_key(dtype: pl.DataType) -> bool:
    """Whether columns of this type have a hash; a floating point column does where all its numbers are whole."""
    import polars as pl

    kinds = (pl.String, pl.Date, pl.Categorical, pl.Enum, pl.Float32, pl.Float64)
    return isinstance(dtype, kinds) or (dtype.is_integer() and not isinstance(dtype, pl.Int128 | pl.UInt128))


def hash_keys(keys: pl.Series, seed: int) -> Hashes:
    """The hash of each key (n): of any type for which `can_be_key`, without nulls, and whole where floating point."""
    import numpy as np
    import polars as pl

    if isinstance(keys.dtype, pl.Date):
        keys = keys.dt.strftime("%Y-%m-%d")
    elif isinstance(keys.dtype, pl.Categorical | pl.Enum):
        keys = keys.cast(pl.String)
    if isinstance(keys.dtype, pl.String):
        return _hash_spelled(keys, seed)
    if isinstance(keys.dtype, pl.UInt64):
        return _hash_integers(keys.to_numpy(), seed)
    return _hash_integers(keys.cast(pl.Int64).to_numpy().view(np.uint64), seed)


def _hash_spelled(keys: pl.Series, seed: int) -> Hashes:
    import numpy as np
    import polars as pl

    signed = keys.cast(pl.Int64, strict=False)
    if not signed.has_nulls() and (signed.cast(pl.String) == keys).all():
        return _hash_integers(signed.to_numpy().view(np.uint64), seed)
    digits = keys.str.extract(_INTEGER)
    signed, unsigned = (digits.cast(kind, strict=False) for kind in (pl.Int64, pl.UInt64))
    spelled = (signed.is_not_null() | unsigned.is_not_null()).to_numpy()
    hashes = _hash_texts(keys, seed)
    if spelled.any():
        bits = signed.fill_null(0).to_numpy().view(np.uint64)
        values = np.where(signed.is_null().to_numpy(), unsigned.fill_null(0).to_numpy(), bits)
        hashes = np.where(spelled, _hash_integers(values, seed), hashes)
    return hashes


def _hash_integers(values: Hashes, seed: int) -> Hashes:
    return _mix(values ^ _start(seed))


def _hash_texts(keys: pl.Series, seed: int) -> Hashes:
    import numpy as np
    import polars as pl

    array = keys.to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offset_buffer, data = array.buffers()
    offsets = np.frombuffer(offset_buffer, np.int64, len(keys) + 1, offset=8 * array.offset)
    padded = np.zeros((data.size if data else 0) + 8, np.uint8)
    padded[:-8] = np.frombuffer(data, np.uint8) if data else ()
    # a word begins at every byte, whatever the alignment
    words = np.ndarray((padded.size - 7,), "<u8", padded.data, strides=(1,))
    starts, lengths = offsets[:-1], np.diff(offsets)
    hashes = np.full(len(keys), _start(seed), np.uint64)
    for done in range(0, int(lengths.max(initial=0)), 8):
        rows = np.flatnonzero(lengths > done)
        unused = np.maximum(8 - (lengths[rows] - done), 0).astype(np.uint64) * np.uint64(8)
        block = words[starts[rows] + done] & (np.uint64(2**64 - 1) >> unused)
        hashes[rows] = _mix(hashes[rows] ^ block)
    return _mix(hashes ^ lengths.astype(np.uint64))


def _start(seed: int) -> np.uint64:
    import numpy as np

    return np.uint64(_mix(np.array([seed % 2**64], np.uint64))[0])


def _mix(z: Hashes) -> Hashes:
    import numpy as np

    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
