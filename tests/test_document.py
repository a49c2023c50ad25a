"""Reading a YAML file of the user's: plain values, their places, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ctrain.document import MAX_DEPTH, Document, nearest, parse_document
from ctrain.errors import Location, PipelineError, UsageError

FILE = Path("some.yaml")

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)


def parse(text: str | bytes) -> Document:
    return parse_document(text.encode() if isinstance(text, str) else text, FILE, PipelineError)


def test_values_are_plain_and_know_their_places() -> None:
    """A key's place is where the key stands; an item's, where the item does."""
    document = parse("a: 1\nb:\n  - x\n  - {c: true}\n")

    assert document.value == {"a": 1, "b": ["x", {"c": True}]}
    assert document.at("a") == Location(FILE, 1, 1)
    assert document.at("b", 1) == Location(FILE, 4, 5)
    assert document.at("b", 1, "c") == Location(FILE, 4, 6)


def test_what_is_absent_stands_where_its_parent_does() -> None:
    """So a missing key can be reported where it should be added."""
    document = parse("a:\n  b: 1\n")

    assert document.at("a", "missing", "below") == document.at("a")
    assert document.at("missing") == Location(FILE, 1, 1)


@given(value=plain)
def test_plain_values_are_read_as_pyyaml_reads_them(value: object) -> None:
    """We add places and limits; we change no value."""
    text = yaml.safe_dump(value, allow_unicode=True)

    assert parse(text).value == yaml.safe_load(text)


@given(content=st.binary(max_size=200) | st.text(st.sampled_from("a:-[]{}&*!|>#'\"%@`?, \n\t1~<=."), max_size=60))
def test_any_bytes_are_a_document_or_a_located_error(content: bytes | str) -> None:
    """A file that somebody damaged is refused in words, never with a traceback."""
    try:
        parse(content)
    except UsageError as refused:
        assert refused.what
        assert refused.hint


TAGS = [
    "bool",
    "int",
    "float",
    "null",
    "timestamp",
    "str",
    "binary",
    "omap",
    "pairs",
    "set",
    "seq",
    "map",
    "python/name:x",
]


@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_that_lies_is_refused_or_plain(tag: str) -> None:
    """PyYAML's constructors fail in many ways on a value that does not suit its tag."""
    for value in ("x", "''", "[a]", "{a: b}", "12"):
        try:
            read = parse(f"a: !!{tag} {value}\n").value
        except UsageError as refused:
            assert refused.at == Location(FILE, 1, refused.at.column if refused.at else 0)
        else:
            assert isinstance(read, dict)


def test_dates_stay_as_they_are_written() -> None:
    """A version such as 2024-01-01 is text to us, whatever YAML 1.1 takes it for."""
    assert parse("version: 2024-01-01\n").value == {"version": "2024-01-01"}


def test_a_byte_order_mark_is_no_content() -> None:
    """Windows editors write one."""
    assert parse(b"\xef\xbb\xbfa: 1\n").value == {"a": 1}


def test_infinity_is_a_number_here() -> None:
    """Whether it makes sense is for those to say who know the key."""
    assert parse("a: .inf\n").value == {"a": math.inf}


@pytest.mark.parametrize("levels", [MAX_DEPTH - 1, MAX_DEPTH])
def test_nesting_up_to_the_limit_is_fine(levels: int) -> None:
    """Every level of mapping counts as one."""
    parse("".join(f"{' ' * level}a:\n" for level in range(levels)))


def test_nesting_beyond_the_limit_is_refused() -> None:
    """One level more than the limit."""
    with pytest.raises(PipelineError, match="nested too deeply"):
        parse("".join(f"{' ' * level}a:\n" for level in range(MAX_DEPTH + 1)))


@pytest.mark.parametrize("opening", ["[", "- ", "? ", "{a: "])
def test_nesting_without_end_does_not_take_the_process_along(opening: str) -> None:
    """As deep as a file may be large: libyaml's composer would overrun the C stack."""
    with pytest.raises(PipelineError, match="nested too deeply"):
        parse(opening * 100_000)


def test_a_merge_gives_way_to_what_is_written() -> None:
    """As YAML says: a key of the mapping's own wins, and of several sources the first."""
    text = "one: &one {a: 1, b: 1}\ntwo: &two {b: 2, c: 2}\nall: {<<: [*one, *two], a: 0}\n"

    value = parse(text).value

    assert isinstance(value, dict)
    assert value["all"] == {"a": 0, "b": 1, "c": 2}


def test_errors_are_of_the_kind_that_was_asked_for() -> None:
    """The same reader serves ctrain.yaml, pipelines and components."""
    with pytest.raises(PipelineError) as refused:
        parse("a: 1\na: 2\n")

    assert refused.value.at == Location(FILE, 2, 1)


@pytest.mark.parametrize(("word", "meant"), [("metric", "metrics"), ("slcies", "slices"), ("zzz", None)])
def test_the_nearest_known_word_is_offered(word: str, meant: str | None) -> None:
    """Only where it is near enough to be likely."""
    assert nearest(word, ["metrics", "slices", "confidence"]) == meant
