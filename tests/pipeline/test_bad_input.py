"""Every mistake of the corpus is refused at its line, in words that say what was wrong.

Each folder of `bad/` is a pipeline with one mistake; the line that has to be named ends with `#!` and the words that
have to be said, `|` between them.
"""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctrain.errors import Location, PipelineError
from ctrain.pipeline import read_pipeline
from tests.pipeline.written import SHAPES

BAD = Path(__file__).parent / "bad"


@dataclass(frozen=True)
class Expected:
    file: Path
    line: int
    words: list[str]


def expected(case: Path) -> Expected:
    found = [
        Expected(file, number, [words.strip() for words in line.split("#!")[1].split("|")])
        for file in sorted(case.rglob("*.yml"))
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if "#!" in line
    ]
    (only,) = found
    return only


@pytest.mark.parametrize("case", sorted(folder.name for folder in BAD.iterdir()))
def test_a_mistake_is_refused_where_it_stands(case: str) -> None:
    """File and line, what, why and a hint."""
    wanted = expected(BAD / case)
    with pytest.raises(PipelineError) as refused:
        read_pipeline(BAD / case / "pipeline.yml")
    error = refused.value
    assert error.at is not None
    assert (error.at.file, error.at.line) == (wanted.file, wanted.line), str(error)
    assert all(words in str(error) for words in wanted.words), str(error)
    assert error.what
    assert error.why
    assert error.hint


@pytest.mark.parametrize("case", sorted(folder.name for folder in BAD.glob("local_*")))
def test_what_only_this_machine_cannot_do_azure_ml_may_be_asked_for(case: str) -> None:
    """The same files are valid pipelines."""
    read_pipeline(BAD / case / "pipeline.yml", local=False)


def test_a_missing_pipeline_is_said_so(tmp_path: Path) -> None:
    """By name."""
    with pytest.raises(PipelineError, match=r"there is no file .*nothing\.yml"):
        read_pipeline(tmp_path / "nothing.yml")


@pytest.mark.parametrize("content", ["", "3", "[1]", "type: pipeline", "jobs:", "{}", "type: [pipeline]\njobs: {}"])
def test_what_is_no_pipeline_at_all_is_refused(tmp_path: Path, content: str) -> None:
    """Empty files too, without a traceback."""
    (tmp_path / "p.yml").write_text(content)
    with pytest.raises(PipelineError):
        read_pipeline(tmp_path / "p.yml")


LINES = [
    (shape, number)
    for shape in ("expressions", "optional_inputs", "single_process", "inline_jobs")
    for number, line in enumerate((SHAPES / shape / "pipeline.yml").read_text().splitlines())
    if line.strip() and not line.startswith("#")
]
VALUES = st.sampled_from(
    [
        "",
        "~",
        "[]",
        "{}",
        "[a]",
        "{a: b}",
        "3",
        "-1.5",
        "true",
        "text",
        "'${{x'",
        "${{parent.inputs.seed}}",
        "${{parent.jobs.first.inputs.left}}",
        "file:",
        "azureml:x",
        '"\\0"',
        "*",
        "../../x",
        ".",
        "&a [*a]",
        "!!python/name:os.system",
    ]
)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(SHAPES, tmp_path_factory.mktemp("spoilt") / "shapes")


@settings(max_examples=200, deadline=None)
@given(place=st.sampled_from(LINES), value=VALUES)
def test_any_value_in_any_place_reads_or_is_refused(shapes: Path, place: tuple[str, int], value: str) -> None:
    """Never another exception: a line of a good pipeline gets another value, or none."""
    shape, number = place
    lines = (SHAPES / shape / "pipeline.yml").read_text().splitlines()
    lines[number] = lines[number].partition(": ")[0].removesuffix(":") + f": {value}"
    spoilt = shapes / shape / "spoilt.yml"
    spoilt.write_text("\n".join(lines))
    with contextlib.suppress(PipelineError):
        read_pipeline(spoilt)


def test_a_link_in_the_code_is_refused_where_the_code_is_named(tmp_path: Path) -> None:
    """The error of `code_files`, with the line of `code:`."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "out").symlink_to(tmp_path)
    (tmp_path / "p.yml").write_text(
        "type: pipeline\njobs:\n  one:\n    command: python x.py\n    environment: azureml:e:1\n    code: src\n"
    )
    with pytest.raises(PipelineError, match="the symbolic link") as refused:
        read_pipeline(tmp_path / "p.yml")
    assert refused.value.at == Location(tmp_path / "p.yml", 6, 5)
