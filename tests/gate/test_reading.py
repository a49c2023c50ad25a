"""From the evaluation's files to evidence, and what is said of files that cannot be used."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctrain.errors import DataError
from ctrain.gate import read_evidence, read_rows
from tests.gate.cases import BINARY, MULTICLASS, REGRESSION

GROUPED = replace(BINARY, group="person")
HEAD = "row_id,visited,prediction\n"


def table(rows: int = 12) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "row_id": list(range(rows)),
            "person": [one // 2 for one in range(rows)],
            "visited": [one % 2 for one in range(rows)],
            "health": [("good", "poor", None)[one % 3] for one in range(rows)],
            "age": [20.5 + one for one in range(rows)],
            "prediction": [(one + 1) / (rows + 1) for one in range(rows)],
            "champion_prediction": [(one + 2) / (rows + 3) for one in range(rows)],
        }
    )


def written(folder: Path, content: str, name: str = "predictions.csv") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return file


def refusal(path: Path, settings: object = BINARY) -> str:
    with pytest.raises(DataError) as caught:
        read_evidence(path, settings, ["health"])  # type: ignore[arg-type]
    return str(caught.value)


def test_a_format_and_the_split_into_files_change_nothing(tmp_path: Path) -> None:
    """One CSV file, one Parquet file, and a folder with shuffled parts pin the same evidence."""
    rows = table()
    rows.write_csv(tmp_path / "one.csv")
    rows.write_parquet(tmp_path / "one.parquet")
    parts = tmp_path / "output" / "predictions"
    parts.mkdir(parents=True)
    shuffled = rows.sample(fraction=1, shuffle=True, seed=1)
    shuffled[:5].write_parquet(parts / "part-0.parquet")
    shuffled[5:].write_parquet(parts / "part-1.parquet")
    (parts / "_SUCCESS").touch()
    (parts / ".part-0.parquet.crc").write_text("x")
    (tmp_path / "output" / "metrics.json").write_text("{}")
    read = [read_evidence(tmp_path / where, GROUPED, ["health"]) for where in ("one.csv", "one.parquet", "output")]
    assert len({evidence.digest for evidence in read}) == 1
    assert read[0].rows == 12
    assert read[0].units == 6
    assert read[0].slices["health"].names == ("good", "poor", None)


def test_a_champion_column_is_optional(tmp_path: Path) -> None:
    """Without one, or with an empty one, the evidence holds no champion."""
    rows = table()
    rows.drop("champion_prediction").write_csv(tmp_path / "none.csv")
    rows.with_columns(champion_prediction=None).write_csv(tmp_path / "empty.csv")
    assert read_evidence(tmp_path / "none.csv", BINARY).champion is None
    assert read_evidence(tmp_path / "empty.csv", BINARY).champion is None


def test_a_slice_column_that_is_absent_is_left_to_the_gate(tmp_path: Path) -> None:
    """The gate has a finding for it, beside all the others."""
    table().write_csv(tmp_path / "rows.csv")
    assert read_evidence(tmp_path / "rows.csv", BINARY, ["nowhere"]).slices == {}


@pytest.mark.parametrize("words", [("True", "False"), ("true", "false"), ("1", "0"), ("1.0", "0.0"), (" 1 ", "0")])
def test_a_label_may_be_written_as_truth(tmp_path: Path, words: tuple[str, str]) -> None:
    """pandas writes True and False into CSV, others write numbers."""
    file = written(tmp_path, f"{HEAD}1,{words[0]},0.3\n2,{words[1]},0.4\n")
    assert read_evidence(file, BINARY).label.tolist() == [1.0, 0.0]


def test_a_boolean_column_of_parquet_is_zero_and_one(tmp_path: Path) -> None:
    """For labels as for predictions."""
    pl.DataFrame({"row_id": ["a", "b"], "visited": [True, False], "prediction": [False, True]}).write_parquet(
        tmp_path / "rows.parquet"
    )
    evidence = read_evidence(tmp_path / "rows.parquet", BINARY)
    assert evidence.label.tolist() == [1.0, 0.0]
    assert evidence.challenger.tolist() == [0.0, 1.0]


def test_ids_that_are_not_plain_numbers_stay_text(tmp_path: Path) -> None:
    """7 and 007 are two rows."""
    evidence = read_evidence(written(tmp_path, f"{HEAD}7,1,0.3\n007,0,0.4\n"), BINARY)
    assert evidence.row_id.tolist() == ["007", "7"]


def test_ids_beyond_64_bits_are_kept_apart(tmp_path: Path) -> None:
    """They fall back to text instead of overflowing."""
    pl.DataFrame(
        {"row_id": pl.Series([2**64 - 1, 2**64 - 2], dtype=pl.UInt64), "visited": [1, 0], "prediction": [0.1, 0.2]}
    ).write_parquet(tmp_path / "rows.parquet")
    assert read_evidence(tmp_path / "rows.parquet", BINARY).rows == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "not even a header"),
        (HEAD, "no rows"),
        ("row_id,visit,prediction\n1,1,0.5\n", "did you mean 'visit'?"),
        ("id;visited;prediction\n1;1;0.5\n", "no column 'row_id'"),
        (f"{HEAD}1,1,0.5\n1,0,0.5\n", "more than once"),
        (f"{HEAD}1,1,\n2,0,0.5\n", "missing or not finite in 1 of 2 rows"),
        (f"{HEAD}1,1,nan\n2,0,inf\n", "1 missing or NaN and 1 infinite"),
        (f"{HEAD}1,,0.5\n2,0,0.5\n", "the label is missing"),
        (f"{HEAD}1,yes,0.5\n2,no,0.5\n", "'no', 'yes': row ids 1, 2"),
        (f"{HEAD}1,1,high\n2,0,0.5\n", "holds text where a number is needed"),
        (f"{HEAD}1,3,0.5\n2,0,0.5\n", "not binary"),
        (f"{HEAD},1,0.5\n2,0,0.5\n", "row ids are missing"),
        (f"{HEAD}1,1,0.5,9\n2,0,0.5\n", "cannot read"),
        ("row_id,visited,prediction,champion_prediction\n1,1,0.5,\n2,0,0.5,0.5\n", "champion's prediction is missing"),
    ],
)
def test_csv_that_cannot_be_judged_is_refused(tmp_path: Path, content: str, words: str) -> None:
    """Each with what is wrong and where."""
    assert words in refusal(written(tmp_path, content))


def test_a_missing_group_is_refused(tmp_path: Path) -> None:
    """Rows without one may or may not belong together."""
    file = written(tmp_path, "row_id,visited,prediction,person\n1,1,0.5,\n2,0,0.5,a\n")
    assert "the group 'person' is missing in 1 rows" in refusal(file, GROUPED)


def test_bytes_that_are_no_parquet_are_refused(tmp_path: Path) -> None:
    """Garbage, and a file cut off in the middle."""
    garbage = written(tmp_path, "not parquet at all", "garbage.parquet")
    table().write_parquet(tmp_path / "whole.parquet")
    cut = tmp_path / "cut.parquet"
    cut.write_bytes((tmp_path / "whole.parquet").read_bytes()[:-40])
    assert "cannot read" in refusal(garbage)
    assert "cannot read" in refusal(cut)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """A CSV in another encoding."""
    file = tmp_path / "rows.csv"
    file.write_bytes(f"{HEAD}".encode() + b"\xff\xfe,1,0.5\n")
    assert "cannot read" in refusal(file)


def test_a_path_without_a_table_is_refused(tmp_path: Path) -> None:
    """Nothing there, an empty folder, and a folder with other files only."""
    assert "does not exist" in refusal(tmp_path / "nowhere")
    (tmp_path / "model").mkdir()
    assert "no Parquet and no CSV" in refusal(tmp_path / "model")
    written(tmp_path / "model", "{}", "metrics.json")
    assert "no Parquet and no CSV" in refusal(tmp_path / "model")


def test_two_tables_are_refused(tmp_path: Path) -> None:
    """Which of them should count is not ours to guess."""
    table().write_csv(tmp_path / "a.csv")
    table().write_parquet(tmp_path / "b.parquet")
    assert "more than one table" in refusal(tmp_path)


def test_files_that_are_not_parts_of_one_table_are_refused(tmp_path: Path) -> None:
    """A table of something else beside the predictions."""
    table().write_csv(tmp_path / "a.csv")
    table().drop("champion_prediction").write_csv(tmp_path / "b.csv")
    assert "only some of them have champion_prediction" in refusal(tmp_path)


def test_a_row_in_two_parts_is_refused(tmp_path: Path) -> None:
    """A retried writer leaves its rows twice."""
    table().write_csv(tmp_path / "a.csv")
    table().write_csv(tmp_path / "b.csv")
    assert "more than once" in refusal(tmp_path)


def test_a_column_of_lists_is_refused(tmp_path: Path) -> None:
    """A vector of class probabilities is not one number."""
    pl.DataFrame({"row_id": [1], "visited": [1], "prediction": [[0.2, 0.8]]}).write_parquet(tmp_path / "rows.parquet")
    assert "does not hold numbers" in refusal(tmp_path / "rows.parquet")


def test_a_regression_reads_any_number(tmp_path: Path) -> None:
    """Labels are values there."""
    file = written(tmp_path, "row_id,cost,prediction\n1,12.5,11\n2,-3e2,1\n")
    assert read_evidence(file, REGRESSION).label.tolist() == [12.5, -300.0]


def test_drawn_rows_do_not_depend_on_the_order_or_format(tmp_path: Path) -> None:
    """Golden requests of two runs over the same rows are the same."""
    rows = table(50)
    rows.write_parquet(tmp_path / "rows.parquet")
    rows.sample(fraction=1, shuffle=True, seed=3).write_csv(tmp_path / "rows.csv")
    drawn = [read_rows(tmp_path / name, BINARY, ["age", "health"], count=5) for name in ("rows.parquet", "rows.csv")]
    assert drawn[0] == drawn[1]
    assert drawn[0].columns == ("age", "health")
    assert len(drawn[0].cells) == len(drawn[0].predictions) == 5


def test_drawn_rows_carry_their_own_predictions(tmp_path: Path) -> None:
    """Cells and prediction of one row stay together, and asking for too many gives all."""
    table().write_parquet(tmp_path / "rows.parquet")
    drawn = read_rows(tmp_path / "rows.parquet", BINARY, ["row_id", "health"], count=99)
    expected = {row["row_id"]: (row["health"], row["prediction"]) for row in table().iter_rows(named=True)}
    assert {cells[0]: (cells[1], said) for cells, said in zip(drawn.cells, drawn.predictions, strict=True)} == expected


def test_another_seed_draws_other_rows(tmp_path: Path) -> None:
    """The draw is by the seed, not by the file."""
    table(200).write_parquet(tmp_path / "rows.parquet")
    drawn = {read_rows(tmp_path / "rows.parquet", BINARY, ["row_id"], count=5, seed=seed).cells for seed in range(3)}
    assert len(drawn) == 3


def test_a_feature_that_the_rows_lack_is_named(tmp_path: Path) -> None:
    """Golden requests need the model's inputs in the evaluation rows."""
    table().write_csv(tmp_path / "rows.csv")
    with pytest.raises(DataError, match="did you mean 'health'"):
        read_rows(tmp_path / "rows.csv", BINARY, ["healths"], count=5)


@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255), cut=st.booleans(), parquet=st.booleans())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_are_read_or_refused(tmp_path: Path, place: float, byte: int, cut: bool, parquet: bool) -> None:
    """One byte changed anywhere, or the rest cut off: evidence or a DataError, never anything else."""
    file = tmp_path / ("rows.parquet" if parquet else "rows.csv")
    whole = io.BytesIO()
    table().write_parquet(whole) if parquet else table().write_csv(whole)
    content = bytearray(whole.getvalue())
    at = int(place * len(content))
    content[at] = byte
    file.write_bytes(content[:at] if cut else content)
    with contextlib.suppress(DataError):
        read_evidence(file, BINARY, ["health"])


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_file_without_an_ending_is_known_by_how_it_begins(tmp_path: Path, kind: str) -> None:
    """A `uri_file` output has none."""
    file = tmp_path / "evaluation"
    if kind == "parquet":
        table().write_parquet(file)
    else:
        table().write_csv(file)

    assert read_evidence(file, BINARY).rows == 12


SIZES = pl.DataFrame(
    {
        "row_id": [3, 1, 2],
        "size": ["big", "small", "big"],
        "prediction": ["small", "small", "big"],
        "champion_prediction": ["big", "big", "big"],
        "prediction_small": [0.6, 0.9, 0.2],
        "prediction_big": [0.4, 0.1, 0.8],
    }
)


def test_classes_are_read_as_places(tmp_path: Path) -> None:
    """In the settings' order, or sorted; probabilities follow the classes' names."""
    SIZES.write_parquet(tmp_path / "rows.parquet")
    read = read_evidence(tmp_path / "rows.parquet", replace(MULTICLASS, classes=("small", "big")))
    assert read.classes == ("small", "big")
    assert read.label.tolist() == [0, 1, 1]
    assert read.challenger.tolist() == [0, 1, 0]
    assert read.champion is not None
    assert read.shares is not None
    assert read.shares.tolist() == [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]
    assert read.champion_shares is None
    found = read_evidence(tmp_path / "rows.parquet", MULTICLASS)
    assert (found.classes, found.shares) == (("big", "small"), None)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"size": ["big", "tiny", None]}, "the column 'size' holds what is no class in 2 of 3 rows"),
        ({"prediction": ["big", "Big", "big"]}, "such as 'Big'"),
        ({"prediction_big": [0.4, 0.1, 0.9]}, "the probabilities of the classes are none in 1 of 3 rows"),
        ({"prediction_small": [0.6, -0.1, 0.2], "prediction_big": [0.4, 1.1, 0.8]}, "row id 1"),
    ],
)
def test_classes_that_cannot_be_read_are_named(tmp_path: Path, changed: dict[str, list[object]], words: str) -> None:
    """Labels, answers and probabilities alike."""
    SIZES.with_columns(**{name: pl.Series(values) for name, values in changed.items()}).write_parquet(
        tmp_path / "r.parquet"
    )
    with pytest.raises(DataError, match=re.escape(words)):
        read_evidence(tmp_path / "r.parquet", replace(MULTICLASS, classes=("small", "big")))


def test_probabilities_of_some_classes_only_are_refused(tmp_path: Path) -> None:
    """They would not sum to one, or be somebody else's."""
    SIZES.drop("prediction_big").write_parquet(tmp_path / "r.parquet")
    with pytest.raises(DataError, match="no column prediction_big"):
        read_evidence(tmp_path / "r.parquet", replace(MULTICLASS, classes=("small", "big")))


def test_classes_that_are_numbers_are_read_whatever_their_type(tmp_path: Path) -> None:
    """A float column of whole numbers, as data frames with gaps make them, names the same classes."""
    numbers = pl.DataFrame({"row_id": [1, 2], "size": [1, 2], "prediction": [1.0, 1.0]})
    numbers.write_parquet(tmp_path / "r.parquet")
    assert read_evidence(tmp_path / "r.parquet", MULTICLASS).classes == ("1", "2")


def test_columns_of_own_metrics_are_numbers_of_the_rows(tmp_path: Path) -> None:
    """In the rows' order; a missing column or number is named."""
    table().reverse().write_parquet(tmp_path / "r.parquet")
    assert read_evidence(tmp_path / "r.parquet", BINARY, columns=["age"]).columns["age"].tolist() == [
        20.5 + one for one in range(12)
    ]
    with pytest.raises(DataError, match="no column 'amount'"):
        read_evidence(tmp_path / "r.parquet", BINARY, columns=["amount"])
    table().with_columns(pl.lit(None).alias("amount")).write_parquet(tmp_path / "r.parquet")
    with pytest.raises(DataError, match="column 'amount' is missing or not finite in 12"):
        read_evidence(tmp_path / "r.parquet", BINARY, columns=["amount"])
