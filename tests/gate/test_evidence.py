"""Evidence: which rows can be judged, and what pins them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrain.errors import DataError
from ctrain.gate import Categories, Evidence
from tests.gate.cases import a_hundred_and_more

NAN, INF = float("nan"), float("inf")


def small(**changed: object) -> Evidence:
    columns: dict[str, object] = {
        "row_id": [3, 1, 2, 4],
        "label": [0, 1, 0, 1],
        "challenger": [0.1, 0.8, 0.3, 0.6],
        "champion": [0.2, 0.7, 0.2, 0.9],
    }
    return Evidence.of(**{**columns, **changed})  # type: ignore[arg-type]


def test_rows_are_sorted_by_their_id() -> None:
    """Each column follows its row."""
    evidence = small(group=Categories.of(["c", "a", "b", "d"]), slices={"s": Categories.of(["z", "x", None, "x"])})
    assert evidence.row_id.tolist() == [1, 2, 3, 4]
    assert evidence.challenger.tolist() == [0.8, 0.3, 0.1, 0.6]
    assert evidence.group is not None
    assert evidence.group.codes.tolist() == [0, 1, 2, 3]
    assert evidence.slices["s"].names == ("x", "z", None)
    assert evidence.slices["s"].codes.tolist() == [0, 2, 1, 0]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"row_id": [1, 1, 2, 2]}, "2 of them do: row ids 1, 2"),
        ({"row_id": ["a", "b", "a", "c"]}, "1 of them do: row id a"),
        ({"label": [0, 1, NAN, 1]}, "the label is missing or not finite in 1 of 4 rows"),
        ({"challenger": [0.1, NAN, INF, 0.2]}, "1 missing or NaN and 1 infinite: row ids 1, 2"),
        ({"champion": [0.1, NAN, 0.3, 0.2]}, "the champion's prediction is missing"),
        ({"label": [0, 1, 2, 1]}, "1 are neither 0 nor 1 (row id 2); values seen: 0, 1, 2"),
        ({"row_id": [], "label": [], "challenger": [], "champion": []}, "no rows"),
    ],
)
def test_rows_that_cannot_be_judged_are_named(changed: dict[str, object], words: str) -> None:
    """How many they are, and the ids of the first."""
    with pytest.raises(DataError) as caught:
        small(**changed)
    assert words in str(caught.value)


def test_a_column_without_any_champion_is_no_champion() -> None:
    """A first evaluation may write the column and leave it empty."""
    assert small(champion=[NAN] * 4).champion is None


def test_columns_of_different_lengths_are_a_bug() -> None:
    """That is the caller's mistake, not the user's."""
    with pytest.raises(ValueError, match="one entry a row"):
        small(label=[0, 1])


def test_a_regression_takes_any_finite_label() -> None:
    """Binary labels are asked of binary tasks only."""
    assert small(label=[1.5, -2, 0, 9], task="regression").rows == 4


@given(st.permutations(range(6)))
def test_the_digest_does_not_know_the_order_of_rows(order: list[int]) -> None:
    """The same rows in any order are the same evidence."""
    pick = np.array(order)
    label, said = np.array([0, 1, 0, 1, 1, 0]), np.linspace(0.1, 0.9, 6)
    names = np.array(["x", "y", "x", "z", None, "x"], dtype=object)

    def made(of: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Evidence:
        return Evidence.of(of, label[of], said[of], slices={"s": Categories.of(names[of])})

    assert made(pick).digest == made(np.arange(6)).digest


@pytest.mark.parametrize(
    "changed",
    [
        {"row_id": [3, 1, 2, 5]},
        {"row_id": ["3", "1", "2", "4x"]},
        {"label": [1, 1, 0, 1]},
        {"challenger": [0.1, 0.8, 0.3, 0.6000000001]},
        {"champion": None},
        {"group": Categories.of(["a", "a", "b", "b"])},
        {"slices": {"s": Categories.of(["a", "a", "b", None])}},
    ],
)
def test_the_digest_knows_every_value(changed: dict[str, object]) -> None:
    """Whatever differs, the evidence is another."""
    assert small(**changed).digest != small().digest


def test_zero_has_one_digest() -> None:
    """-0.0 equals 0.0, so it pins the same."""
    assert small(challenger=[-0.0, 1, 1, 1]).digest == small(challenger=[0.0, 1, 1, 1]).digest


def test_a_part_of_the_rows_keeps_their_names_together() -> None:
    """Names that no row has any more are gone, so that groups are counted rightly."""
    evidence = small(group=Categories.of(["a", "a", "b", "c"]))
    part = evidence.where(np.arange(4) < 3)
    assert part.rows == 3
    assert part.group is not None
    assert part.group.names == ("a", "b")
    assert part.units == 2


def test_evidence_without_groups_counts_rows() -> None:
    """A row is a unit of its own unless it is said to belong to others."""
    assert a_hundred_and_more(123).units == 123
