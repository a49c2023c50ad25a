"""Every error says what, why and how to fix it, and has its exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctrain import errors
from ctrain.errors import CtrainError, ExitCode, Location, Problem, ProjectError

CLASSES = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, CtrainError)]
RAISED = [kind for kind in CLASSES if kind is not CtrainError]
AT = Location(Path("ctrain.yaml"), 3, 5)


@pytest.mark.parametrize("kind", RAISED)
def test_an_error_renders_all_it_has_to_say(kind: type[CtrainError]) -> None:
    """Place, what, why and hint, in one line."""
    told = str(kind("it broke", why="it was old", hint="buy a new one", at=AT))

    assert told == "ctrain.yaml:3:5: it broke: it was old (buy a new one)"


@pytest.mark.parametrize("kind", RAISED)
def test_an_error_has_an_exit_code_of_the_table(kind: type[CtrainError]) -> None:
    """Neither success nor the code of a bug, of a verdict, or of a signal."""
    others = (ExitCode.DONE, ExitCode.BUG, ExitCode.REJECTED, ExitCode.UNDECIDED, ExitCode.INTERRUPTED)

    assert kind.exit_code in set(ExitCode) - {*others, ExitCode.TERMINATED}


def test_each_family_of_errors_has_a_code_of_its_own() -> None:
    """A CI job can tell them apart."""
    families = [kind for kind in RAISED if kind.__bases__ == (CtrainError,)]

    assert len({kind.exit_code for kind in families}) == len(families)


@pytest.mark.parametrize("kind", RAISED)
def test_the_tree_in_the_docstring_is_the_tree(kind: type[CtrainError]) -> None:
    """A reader of errors.py sees every class at a glance."""
    assert kind.__name__ in (errors.__doc__ or "")


def test_a_project_error_lists_all_its_problems() -> None:
    """One line a problem, so that nobody has to run ctrain once for each mistake."""
    problems = [Problem(f"problem {n}", "why", "hint", Location(Path("f"), n)) for n in (1, 2)]

    told = ProjectError.of(problems)

    assert told.problems == tuple(problems)
    assert str(told) == "f:1:1: problem 1: why (hint)\nf:2:1: problem 2: why (hint)"
    assert told.what == "2 things are wrong with the project"


def test_a_single_problem_is_the_error_itself() -> None:
    """Then nothing is said twice."""
    told = ProjectError.of([Problem("what", "why", "hint", AT)])

    assert (told.what, told.why, told.hint, told.at) == ("what", "why", "hint", AT)
    assert told.problems == (Problem("what", "why", "hint", AT),)


def _rows(columns: str) -> list[list[str]]:
    """The cells of the rows of a table in docs/exit-codes.md, by the line that heads it."""
    page = (Path(__file__).parents[1] / "docs" / "exit-codes.md").read_text(encoding="utf-8")
    table = page.partition(f"{columns}\n")[2].partition("\n\n")[0].splitlines()[1:]
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in table]


def test_the_documented_codes_are_the_codes() -> None:
    """docs/exit-codes.md is what users rely on."""
    documented = {row[1]: int(row[0]) for row in _rows("| code | name | means | what to do |")}

    assert documented == {code.name: code.value for code in ExitCode}


def test_the_documented_errors_are_the_errors() -> None:
    """Every class, with its code."""
    documented = {row[0]: int(row[1]) for row in _rows("| error | code |")}

    assert documented == {kind.__name__: kind.exit_code.value for kind in RAISED}
