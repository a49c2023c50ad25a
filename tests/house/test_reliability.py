"""The page on reliability has a place for each proof, and the command that fills it puts only tables there."""

from __future__ import annotations

import pytest
from benchmarks.reliability import PAGE, proofs, put, tables


@pytest.mark.parametrize("name", [proof.name for proof in proofs(1, None)])
def test_each_proof_has_its_place(name: str) -> None:
    """Once, and it can be filled."""
    page = PAGE.read_text()

    made = put(page, name, "| new |")

    assert made.count("| new |") == 1
    assert made.count(f"<!-- begin {name} -->") == made.count(f"<!-- end {name} -->") == 1


def test_a_page_without_the_place_is_refused() -> None:
    """Rather than to lose what was printed."""
    with pytest.raises(ValueError, match="no <!-- begin judge"):
        put("nothing", "judge", "| new |")


def test_talk_before_the_tables_is_left_out() -> None:
    """The tables, and the lines behind the last of them."""
    printed = "24 places\nWRONG one\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n24 runs were killed"

    assert tables(printed) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n\n24 runs were killed"
