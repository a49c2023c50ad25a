"""The committed data are what statsmodels ships, and rows are put aside by person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reference.scripts import PIPELINES, VISITS, defined_in, script

if TYPE_CHECKING:
    import pandas as pd

prep = defined_in(script("prep"))

SAME_NAME = {
    "visits": "mdvis",
    "individual_deductible": "idp",
    "max_expenditure": "fmde",
    "physical_limitation": "physlm",
    "chronic_diseases": "disea",
}


@pytest.fixture(scope="module")
def visits() -> pd.DataFrame:
    import pandas as pd

    return pd.read_parquet(VISITS)


def test_the_data_are_what_the_export_makes(visits: pd.DataFrame) -> None:
    """Nobody edits visits.parquet: it equals a fresh export, value for value."""
    import pandas as pd

    export = defined_in(PIPELINES / "data" / "export.py")

    pd.testing.assert_frame_equal(visits, export.visits(export.original()))


def test_the_data_are_those_of_statsmodels_documented_loader(visits: pd.DataFrame) -> None:
    """The original file that we export has the rows of `load_pandas`, in the same order."""
    from statsmodels.datasets import randhie

    documented = randhie.load_pandas().data
    healths = documented[["hlthg", "hlthf", "hlthp"]].sum(axis="columns")

    for ours, theirs in SAME_NAME.items():
        assert (visits[ours] == documented[theirs]).all(), ours
    assert ((visits["health"] == "excellent") == (healths == 0)).all()
    assert len(visits) == 20_190
    assert visits["person"].nunique() == 5_912


def test_what_was_taken_at_enrolment_never_changes_within_a_person(visits: pd.DataFrame) -> None:
    """The README's claim about the columns, and that rows are sorted by person and year."""
    fixed = ["female", "coinsurance", "individual_deductible", "chronic_diseases", "mental_health", "health"]

    assert (visits.groupby("person")[fixed].nunique() == 1).all(axis=None)
    assert visits["row_id"].is_monotonic_increasing
    assert visits["row_id"].is_unique


def test_the_features_know_earlier_years_only(visits: pd.DataFrame) -> None:
    """Changing what happened in someone's last year changes the label of that row, and no feature at all."""
    last = visits.groupby("person")["year"].transform("max") == visits["year"]
    changed = visits.assign(visits=visits["visits"].where(~last, 99))

    before, after = prep.prepare(visits), prep.prepare(changed)

    assert before.drop(columns="visited").equals(after.drop(columns="visited"))
    assert after.loc[last, "visited"].eq(1).all()


def test_rows_in_any_order_give_the_same_features(visits: pd.DataFrame) -> None:
    """Nothing depends on how a data store orders rows."""
    shuffled = visits.sample(frac=1.0, random_state=0)

    assert prep.prepare(visits).equals(prep.prepare(shuffled))


persons = st.lists(st.integers(100_000, 999_999), min_size=1, max_size=60)


@given(persons, st.floats(0.05, 0.9))
def test_no_person_is_in_both_parts(years: list[int], share: float) -> None:
    """All years of a person are set aside, or none."""
    import pandas as pd

    person = pd.Series(years)

    aside = prep.evaluated(person, share)

    assert not set(person[aside]) & set(person[~aside])


@given(persons, persons, st.floats(0.05, 0.9))
def test_who_is_set_aside_does_not_depend_on_who_else_is_there(some: list[int], more: list[int], share: float) -> None:
    """In a sample, and as data grow, a person stays in the part that they are in."""
    import pandas as pd

    alone, together = pd.Series(some), pd.Series([*more, *some])

    assert set(alone[prep.evaluated(alone, share)]) == set(together[prep.evaluated(together, share)]) & set(some)


def test_the_part_set_aside_has_the_share_asked_for(visits: pd.DataFrame) -> None:
    """The hash is even over the real ids: 30% of 5,912 persons, within three standard deviations."""
    import pandas as pd

    ids = pd.Series(visits["person"].unique())

    assert prep.evaluated(ids, 0.3).mean() == pytest.approx(0.3, abs=3 * (0.3 * 0.7 / 5_912) ** 0.5)
