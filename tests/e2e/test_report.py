"""What a person gets of `ctrain report`: on a tiny project, in every form, before a release and after."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ctrain.cli.reporting import report
from ctrain.errors import UsageError
from tests.e2e.repository import Repository
from tests.e2e.tiny import tiny

pytestmark = pytest.mark.e2e
BRANCH = "a|b<img>@octocat`#1"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A project on a branch with a bad name, whose gate asks for more than the model can give."""
    made = tiny(tmp_path_factory.mktemp("report") / "tiny", factor="0.7")
    made.edit("ctrain.yaml", "floor: 0.6", "floor: 0.99")
    made.git("checkout", "--quiet", "-b", BRANCH)
    return made


def test_before_a_release_there_is_a_report_of_none(repository: Repository) -> None:
    """A comment can be written although nothing has been trained; it is no error."""
    told = repository.ctrain("report")

    assert told.code == 0
    assert told.out.startswith("### ctrain · tiny · ⏳ no release yet\n")


def test_a_report_has_every_form(repository: Repository, tmp_path: Path) -> None:
    """Of the newest release of this commit; the rule stands at its line in the file."""
    assert repository.ctrain("run", "--trigger", "pull-request").code == 3
    told = {form: _written(repository, form, tmp_path) for form in ("md", "html", "json", "junit", "sarif")}

    assert told["md"].startswith("### ctrain · tiny · ❌ rejected: auc 0.8780, 95% CI ")
    assert f"on ``{BRANCH}``, " in told["md"]
    assert "<img" not in told["html"]
    document = json.loads(told["json"])
    assert (document["schema"], document["report"]["state"]) == ("ctrain.report/1", "rejected")
    assert [curve["model"] for curve in document["report"]["curves"]] == ["challenger"]
    assert ElementTree.fromstring(told["junit"].encode()).get("failures") == "1"  # noqa: S314  we wrote it
    (result,) = json.loads(told["sarif"])["runs"][0]["results"]
    line = result["locations"][0]["physicalLocation"]["region"]["startLine"]
    assert "floor: 0.99" in (repository.root / "ctrain.yaml").read_text().splitlines()[line - 1]


@pytest.mark.parametrize(
    ("name", "form", "output", "said"),
    [
        (None, "htm", None, "no format 'htm'"),
        ("main-0000000-1", "md", None, "no release 'main-0000000-1'"),
        (None, "md", "nowhere/report.md", "cannot be written to nowhere/report.md"),
    ],
)
def test_what_cannot_be_reported_is_said(
    name: str | None, form: str, output: str | None, said: str, repository: Repository
) -> None:
    """It is bad usage: nothing is written."""
    into = Path(output) if output else None
    with pytest.raises(UsageError, match=said):
        report(name, form=form, output=into, file=repository.root / "ctrain.yaml", backend="local")


def _written(repository: Repository, form: str, folder: Path) -> str:
    """As the verb writes it, in this process: a new one for each form would only cost time."""
    file = folder / f"report.{form}"
    assert report(None, form=form, output=file, file=repository.root / "ctrain.yaml", backend="local") == 0
    return file.read_text(encoding="utf-8")
