"""Turn visits into one row a person-year with features and a label, and set aside persons to evaluate on."""

from __future__ import annotations

import argparse
from hashlib import blake2b
from pathlib import Path

import pandas as pd

HEALTH = ["excellent", "good", "fair", "poor"]
"""Self-rated, from best to worst."""

AS_THEY_ARE = [
    "age",
    "female",
    "family_size",
    "coinsurance",
    "individual_deductible",
    "max_expenditure",
    "physical_limitation",
    "chronic_diseases",
    "mental_health",
    "general_health",
]


def prepare(visits: pd.DataFrame) -> pd.DataFrame:
    """One row a person-year: who it is, the label, the columns to slice by, and the features as floats.

    `visited` is whether the person sees a doctor in that year. What the features know of a person's visits is from
    earlier years only. Floats, because a model's signature with integers has no place for a missing value.
    """
    visits = visits.sort_values(["person", "year"], ignore_index=True)
    visited = (visits["visits"] > 0).astype("int64")
    person = visits["person"]
    earlier_years = visits.groupby("person").cumcount()
    earlier_visited = visited.groupby(person).cumsum() - visited
    features = visits[AS_THEY_ARE].assign(
        self_rated_health=visits["health"].map(HEALTH.index),
        earlier_years=earlier_years,
        visits_last_year=visits.groupby("person")["visits"].shift(fill_value=0),
        visited_share=earlier_visited / earlier_years.clip(lower=1),
    )
    rows = visits[["row_id", "person", "health"]].assign(plan=plan_of(visits), visited=visited)
    return rows.join(features.astype("float64"))


def plan_of(visits: pd.DataFrame) -> pd.Series[str]:
    """The kind of insurance that the experiment assigned."""
    plan = pd.Series("cost sharing", index=visits.index)
    plan[visits["coinsurance"] == 0] = "free"
    plan[visits["individual_deductible"] == 1] = "individual deductible"
    return plan


def evaluated(person: pd.Series[int], share: float) -> pd.Series[bool]:
    """Which rows are for evaluation: all years of about this share of the persons, or none of them.

    A hash of the person decides, whatever else is in the data: who is set aside stays set aside in a sample, as data
    grows, and from one training to the next, so that no champion is evaluated on persons it has learned from.
    """
    chosen = {key: _unit(key) < share for key in person.unique()}
    return person.map(chosen)


def _unit(key: int) -> float:
    """A number in [0, 1) that depends on nothing but the key."""
    return int.from_bytes(blake2b(f"evaluation:{key}".encode(), digest_size=8).digest(), "big") / 2**64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="visits, a Parquet file")
    parser.add_argument("--evaluation-share", type=float, required=True, help="share of persons, e.g. 0.3")
    parser.add_argument("--training", type=Path, required=True, help="folder to write the training rows to")
    parser.add_argument("--evaluation", type=Path, required=True, help="folder to write the evaluation rows to")
    args = parser.parse_args()

    rows = prepare(pd.read_parquet(args.data))
    aside = evaluated(rows["person"], args.evaluation_share)
    for folder, part in ((args.training, rows[~aside]), (args.evaluation, rows[aside])):
        if part.empty:
            parser.error(f"no row is left for {folder.name}: {len(rows):,} rows, share {args.evaluation_share}")
        folder.mkdir(parents=True, exist_ok=True)
        part.to_parquet(folder / "rows.parquet", index=False)
        print(f"{folder.name}: {len(part):,} rows of {part['person'].nunique():,} persons")


if __name__ == "__main__":
    main()
