"""The definition of a sample, against a slow one written apart, and its promises for any data."""

from __future__ import annotations

import math
import re
from datetime import date
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrain.data import SampleSpec
from ctrain.errors import DataError
from ctrain.sampling import can_be_key, check_spec, hash_keys, largest_hash, rows_in

INT64 = st.integers(-(2**63), 2**63 - 1)
SEEDS = st.integers(-(2**70), 2**70)
FRACTIONS = st.floats(0, 1, exclude_min=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.from_regex(
    r"-?(0|[1-9][0-9]{0,20})(\.0)?", fullmatch=True
)


def slow_mix(z: int) -> int:
    """Splitmix64's step on Python's own integers."""
    z = (z + 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
    return z ^ z >> 31


def slow_hash(key: int | str, seed: int) -> int:
    """The documented definition, step by step."""
    if isinstance(key, str) and (spelled := re.fullmatch(r"(-?(?:0|[1-9][0-9]*))(?:\.0)?", key, re.ASCII)):
        number = int(spelled[1])
        key = number if -(2**63) <= number < 2**64 else key
    h = slow_mix(seed % 2**64)
    if isinstance(key, int):
        return slow_mix(h ^ key % 2**64)
    text = key.encode()
    for place in range(0, len(text), 8):
        h = slow_mix(h ^ int.from_bytes(text[place : place + 8], "little"))
    return slow_mix(h ^ len(text))


def chosen(keys: pl.Series, **spec: object) -> list[object]:
    """The keys that are in, in order."""
    settings = SampleSpec(**{"fraction": 0.5, "key": "k", **spec})  # type: ignore[arg-type]
    return keys.filter(pl.Series(rows_in(keys, settings), dtype=pl.Boolean)).to_list()


def test_the_step_is_splitmix64s() -> None:
    """The first outputs for seed 1234567, as published on rosettacode.org, "Pseudo-random numbers/Splitmix64"."""
    golden = 0x9E3779B97F4A7C15
    outputs = [slow_mix((1234567 + step * golden) % 2**64) for step in range(5)]
    assert outputs == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


KNOWN = [
    (0, 0, 12035550249420947055),
    (1, 0, 627405149472732430),
    (-1, 0, 3303439293501059696),
    (2**63 - 1, 7, 500464802628977885),
    (20190, 7, 3960205801929591430),
    ("", 0, 12035550249420947055),
    ("a", 0, 10443419574614846231),
    ("patient-000123", 7, 2758227432169663409),
    ("grüße, 世界", 7, 4448089274966077318),
    ("01", 7, 16285522732357681725),
]


@pytest.mark.parametrize(("key", "seed", "expected"), KNOWN)
def test_known_keys_keep_their_hashes_for_ever(key: int | str, seed: int, expected: int) -> None:
    """Numbers written down once: a change here is a new `DEFINITION`, and other rows for every user."""
    assert (slow_hash(key, seed), int(hash_keys(pl.Series([key]), seed)[0])) == (expected, expected)


@given(st.lists(INT64), SEEDS)
def test_integers_hash_as_defined(keys: list[int], seed: int) -> None:
    """In numpy as in the slow definition, for any integer and seed."""
    assert hash_keys(pl.Series(keys, dtype=pl.Int64), seed).tolist() == [slow_hash(key, seed) for key in keys]


@given(st.lists(TEXTS), SEEDS)
def test_texts_hash_as_defined(keys: list[str], seed: int) -> None:
    """Of any length and script, mixed with texts that spell integers."""
    assert hash_keys(pl.Series(keys, dtype=pl.String), seed).tolist() == [slow_hash(key, seed) for key in keys]


@given(st.lists(st.integers(0, 127), min_size=1), SEEDS)
def test_an_integer_is_the_same_key_in_every_type(keys: list[int], seed: int) -> None:
    """CSV says neither width nor type; pandas turns integers into floating point numbers."""
    hashes = hash_keys(pl.Series(keys, dtype=pl.Int64), seed).tolist()
    kinds = [pl.Int8, pl.UInt8, pl.Int32, pl.UInt64, pl.Float32, pl.Float64, pl.String]
    others = [pl.Series(keys).cast(kind) for kind in kinds] + [pl.Series([f"{key}.0" for key in keys])]
    assert all(hash_keys(other, seed).tolist() == hashes for other in others)


def test_dates_and_categories_are_the_same_keys_as_their_texts() -> None:
    """As they stand in a CSV file."""
    days = pl.Series([date(2024, 2, 29), date(1969, 12, 31)])
    kinds = pl.Series(["x", "y", "x"])
    assert hash_keys(days, 1).tolist() == hash_keys(pl.Series(["2024-02-29", "1969-12-31"]), 1).tolist()
    for dtype in (pl.Categorical(), pl.Enum(["y", "x"])):
        assert hash_keys(kinds.cast(dtype), 1).tolist() == hash_keys(kinds, 1).tolist()


def test_a_slice_of_a_column_hashes_as_the_same_rows_apart() -> None:
    """Arrow shares buffers between slices."""
    keys = pl.Series(["left out", "grüße", "", "a longer text than one block"])
    assert hash_keys(keys[1:], 3).tolist() == [slow_hash(str(key), 3) for key in keys[1:]]


@given(FRACTIONS)
def test_the_limit_is_exact(fraction: float) -> None:
    """A hash is in if it is below fraction * 2**64, without rounding; a fraction of 1 takes all."""
    largest = largest_hash(fraction)
    assert largest < Fraction(fraction) * 2**64 <= largest + 1


@given(st.lists(TEXTS, max_size=60), st.lists(TEXTS, max_size=60), FRACTIONS, SEEDS)
def test_a_row_that_is_in_stays_in_as_data_grows(old: list[str], new: list[str], fraction: float, seed: int) -> None:
    """And one that is out stays out."""
    before = chosen(pl.Series(old, dtype=pl.String), fraction=fraction, seed=seed)
    after = chosen(pl.Series(old + new, dtype=pl.String), fraction=fraction, seed=seed)
    assert after[: len(before)] == before
    assert set(after[len(before) :]) <= set(new)


@given(st.lists(INT64, max_size=60), FRACTIONS, FRACTIONS, SEEDS)
def test_a_larger_fraction_is_a_superset(keys: list[int], one: float, other: float, seed: int) -> None:
    """For the same seed."""
    small, large = sorted([one, other])
    column = pl.Series(keys, dtype=pl.Int64)
    assert set(chosen(column, fraction=small, seed=seed)) <= set(chosen(column, fraction=large, seed=seed))


@given(st.lists(INT64, max_size=60), SEEDS)
def test_the_order_of_rows_does_not_matter(keys: list[int], seed: int) -> None:
    """Which rows are in depends on their keys alone."""
    shuffled = sorted(keys, key=lambda key: slow_mix(key % 2**64))
    assert sorted(map(str, chosen(pl.Series(keys, dtype=pl.Int64), seed=seed))) == sorted(
        map(str, chosen(pl.Series(shuffled, dtype=pl.Int64), seed=seed))
    )


@given(st.lists(TEXTS, min_size=1, max_size=60), SEEDS)
def test_keys_that_are_always_in_are_in(keys: list[str], seed: int) -> None:
    """The first rows of the strata, at any fraction; nobody else comes in with them."""
    always = np.sort(hash_keys(pl.Series(keys[:3]), seed))
    found = chosen_with(pl.Series(keys), always, seed)
    assert found == [slow_hash(key, seed) in always or slow_hash(key, seed) == 0 for key in keys]


def chosen_with(keys: pl.Series, always: np.ndarray[tuple[int], np.dtype[np.uint64]], seed: int) -> list[bool]:
    return [bool(row) for row in rows_in(keys, SampleSpec(5e-324, "k", seed=seed), always)]


@pytest.mark.parametrize("seed", [0, 1, 2**64 - 1])
@pytest.mark.parametrize("fraction", [0.01, 0.05, 0.5])
@pytest.mark.parametrize("kind", ["serial", "strided", "text"])
def test_the_share_is_what_chance_would_give(kind: str, fraction: float, seed: int) -> None:
    """Within five standard deviations of a binomial share, for the keys that people have."""
    n = 100_000
    numbers = pl.Series(np.arange(n) * (4096 if kind == "strided" else 1))
    keys = "person-" + numbers.cast(pl.String) if kind == "text" else numbers
    share = rows_in(keys, SampleSpec(fraction, "k", seed=seed)).mean()
    assert abs(share - fraction) < 5 * math.sqrt(fraction * (1 - fraction) / n)


def test_two_seeds_give_samples_that_know_nothing_of_each_other() -> None:
    """A tenth of a tenth is in both."""
    keys = pl.Series(np.arange(100_000))
    both = rows_in(keys, SampleSpec(0.1, "k", seed=1)) & rows_in(keys, SampleSpec(0.1, "k", seed=2))
    assert abs(both.mean() - 0.01) < 5 * math.sqrt(0.01 * 0.99 / 100_000)


@pytest.mark.parametrize("fraction", [0, -0.1, 1.01, math.nan, math.inf])
def test_a_fraction_outside_of_zero_to_one_is_refused(fraction: float) -> None:
    """NaN included."""
    with pytest.raises(DataError, match="not a fraction"):
        check_spec(SampleSpec(fraction, "k"))


def test_types_that_cannot_tell_rows_apart_cannot_be_keys() -> None:
    """Or whose text is no convention."""
    bad = [pl.Boolean(), pl.Datetime(), pl.Binary(), pl.List(pl.Int64), pl.Decimal(9, 2), pl.Int128(), pl.Null()]
    good = [pl.Int8(), pl.UInt64(), pl.String(), pl.Date(), pl.Categorical(), pl.Float64()]
    assert ([*map(can_be_key, bad)], [*map(can_be_key, good)]) == ([False] * len(bad), [True] * len(good))
