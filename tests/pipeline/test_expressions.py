"""`${{...}}` and `$[[...]]`, taken apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrain.pipeline import FromParent, FromStep
from ctrain.pipeline.expressions import (
    FromStepInput,
    Own,
    Reference,
    ToParent,
    Unknown,
    pieces,
    reference,
    without_optional_parts,
)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("parent.inputs.x", FromParent("x")),
        ("parent.inputs.group.x", FromParent("group.x")),
        ("parent.jobs.s.outputs.o", FromStep("s", "o")),
        ("parent.jobs.s.inputs.i", FromStepInput("s", "i")),
        ("parent.outputs.o", ToParent("o")),
        ("inputs.x", Own("inputs", "x")),
        ("outputs.group.x", Own("outputs", "group.x")),
        ("parent.jobs.s", Unknown("parent.jobs.s")),
        ("name", Unknown("name")),
        ("parent.inputs.x y", Unknown("parent.inputs.x y")),
        ("", Unknown("")),
    ],
)
def test_each_form_means_one_thing(text: str, means: Reference) -> None:
    """And anything else is unknown, never a guess."""
    assert reference(text) == means


def test_text_comes_apart_in_order() -> None:
    """Spaces within the braces do not count; an opening without an end is unknown."""
    assert list(pieces("a ${{ parent.inputs.x }}${{inputs.y}} b ${{z")) == [
        "a ", FromParent("x"), Own("inputs", "y"), Unknown("${{z"),
    ]  # fmt: skip


@given(st.text())
def test_text_without_expressions_is_itself(text: str) -> None:
    """One piece, or none of an empty one."""
    if "${{" not in text:
        assert "".join(str(piece) for piece in pieces(text)) == text


@given(
    st.lists(st.one_of(st.text("ab $[]{}\n", max_size=5), st.sampled_from(["${{inputs.x}}", "${{parent.inputs.y}}"])))
)
def test_the_pieces_put_together_are_the_text(parts: list[str]) -> None:
    """Whatever stands around them, nothing is lost."""
    text = "".join(parts)
    found = list(pieces(text))
    if any(isinstance(piece, Unknown) for piece in found):
        return
    shown = {Own("inputs", "x"): "${{inputs.x}}", FromParent("y"): "${{parent.inputs.y}}"}
    assert "".join(piece if isinstance(piece, str) else shown[piece] for piece in found) == text


def test_optional_parts_go_whole() -> None:
    """Over lines too; `]]` of the shell's own stays."""
    command = "a $[[--x ${{inputs.x}}\n--y]] [[ -f b ]] $[[c]]d"
    assert without_optional_parts(command) == "a  [[ -f b ]] d"
