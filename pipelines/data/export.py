"""Make `visits.parquet` from the copy of the RAND health insurance experiment that ships inside statsmodels.

The same statsmodels, pandas and pyarrow give the same bytes; other versions give the same values.
"""

from __future__ import annotations

import argparse
from importlib.resources import files
from pathlib import Path

import pandas as pd

NAMES = {
    "zper": "person",
    "year": "year",
    "xage": "age",
    "female": "female",
    "num": "family_size",
    "coins": "coinsurance",
    "idp": "individual_deductible",
    "fmde": "max_expenditure",
    "physlm": "physical_limitation",
    "disea": "chronic_diseases",
    "mhi": "mental_health",
    "xghindx": "general_health",
    "mdvis": "visits",
}
"""Column of the original file -> column of ours, for those taken as they are."""

WHOLE = ["person", "year", "female", "family_size", "coinsurance", "individual_deductible", "visits"]


def original() -> pd.DataFrame:
    """All 45 columns; `statsmodels.datasets.randhie.load_pandas()` has ten of them, and no person id."""
    with (files("statsmodels.datasets.randhie") / "src" / "randhie.csv").open("rb") as source:
        return pd.read_csv(source)


def visits(source: pd.DataFrame) -> pd.DataFrame:
    """One row a person and year, in the original's order."""
    table = source[list(NAMES)].rename(columns=NAMES)
    table[WHOLE] = table[WHOLE].astype("int64")
    table.insert(0, "row_id", table["person"] * 10 + table["year"])
    rating = source[["hlthg", "hlthf", "hlthp"]].set_axis(["good", "fair", "poor"], axis="columns")
    table["health"] = rating.idxmax(axis="columns").where(rating.any(axis="columns"), "excellent")
    return table[[*(column for column in table if column != "visits"), "visits"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=Path(__file__).with_name("visits.parquet"))
    to = parser.parse_args().to
    table = visits(original())
    table.to_parquet(to, index=False, compression="zstd")
    print(f"{len(table):,} rows of {table['person'].nunique():,} persons -> {to}")


if __name__ == "__main__":
    main()
