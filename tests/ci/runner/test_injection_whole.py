"""The injection corpus through a whole release: logs, segments, a commit's message, a branch, an approver, a reason."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.ci.runner.execution import Effects, in_a_terminal, in_devops, in_github
from tests.ci.runner.github_log import pairs
from tests.ci.runner.payloads import PAYLOADS
from tests.e2e.repository import Repository
from tests.e2e.tiny import CONFIGURATION, rows, tiny

pytestmark = [pytest.mark.e2e, pytest.mark.long]

TEXTS = [one.text.replace("\0", "") for one in PAYLOADS]
ALL = "\n".join(TEXTS)
KINDS = TEXTS[::4]
HOSTILE = """\
import csv
import itertools
import json
import sys
from pathlib import Path

data, factor, model, evaluation = sys.argv[1:]
told = json.loads(Path("texts.json").read_text())
for text in told["logs"]:
    print(text)
    print(text, file=sys.stderr)
Path(model, "MLmodel").write_text(json.dumps({"signature": {"inputs": '[{"name": "x", "type": "double"}]'}}))
Path(model, "factor.json").write_text(factor)
kinds = itertools.cycle(told["kinds"])
with Path(evaluation, "rows.csv").open("w", newline="") as file:
    write = csv.writer(file)
    write.writerow(["id", "x", "label", "prediction", "kind"])
    for row in csv.DictReader(open(data)):
        write.writerow([row["id"], row["x"], row["label"], float(row["x"]) * float(factor), next(kinds)])
"""
SEGMENTS = CONFIGURATION.replace(
    "  min_rows: 40\n", "  min_rows: 40\n  segments: {among: [kind], most: 99, min_rows: 20}\n"
)
WAITING = re.sub(r"  prod: .*\n", "  prod: {endpoint: tiny-prod, approval: required, smoke: {golden: 3}}\n", SEGMENTS)
OURS = {"add-mask", "endgroup", "error", "group", "notice", "warning"}
OURS_TOO = {"logissue", "setsecret", "setvariable", "uploadsummary"}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[str]:
    """All that ctrain prints from the first run to a rollback, as a CI hears it; outputs and summary in files."""
    home = tmp_path_factory.mktemp("user")
    variables = {**request.param(home), "AGENT_TEMPDIRECTORY": str(home)}
    files = {
        "ctrain.yaml": WAITING,
        "code/train.py": HOSTILE,
        "code/texts.json": json.dumps({"logs": TEXTS, "kinds": KINDS}),
        "rows.csv": _rows(),
    }
    repository = tiny(home / "tiny", files)
    (home / "message").write_text(ALL)
    repository.git("commit", "--quiet", "--allow-empty", "--cleanup=verbatim", "--file", str(home / "message"))
    told = Repository(repository.root, variables)
    heard = []
    try:
        for code, words in _whole():
            done = told.ctrain(*words)
            assert done.code == code, done.err
            heard.append(done.out + done.err)
        assert told.champion() == 1
        assert "Pwned4q" in "".join(heard)
        yield "\n".join(heard)
    finally:
        told.down()


def _whole() -> Iterator[tuple[int, tuple[str, ...]]]:
    """Each call, with the exit code that it has."""
    reading = [("show",), ("show", "--json"), ("logs",), ("logs", "--json"), ("history",), ("status",), ("plan",)]
    reading += [("report", "--format", one) for one in ("md", "html", "json", "junit", "sarif")]
    yield 4, ("run", "--trigger", "main")
    yield from ((0, words) for words in reading)
    yield 0, ("approve", "--stage", "prod", "--as", ALL, "--reason", ALL)
    yield 0, ("run", "--trigger", "main")
    yield from ((0, words) for words in reading)
    yield 0, ("gate", "--explain")
    yield 0, ("smoke", "prod")
    for text in TEXTS[::9]:
        yield 2, ("run", f"--trigger={text}")
        yield 2, ("show", f"release {text}")
    yield 0, ("report", "--publish")


def _rows() -> str:
    """Those of the tiny project, many; of every seventh kind the label is the other one: weak segments, to be named."""
    head, *lines = rows(60 * len(KINDS)).splitlines()
    parts = [line.split(",") for line in lines]
    wrong = [(place % len(KINDS)) % 7 == 0 for place in range(len(parts))]
    turned = (
        f"{name},{x},{1 - int(label) if bad else label}" for (name, x, label), bad in zip(parts, wrong, strict=True)
    )
    return "\n".join([head, *turned]) + "\n"


def _github(home: Path) -> Mapping[str, str]:
    for name in ("output", "summary"):
        (home / name).touch()
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "push",
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_ACTOR": ALL,
        "GITHUB_OUTPUT": str(home / "output"),
        "GITHUB_STEP_SUMMARY": str(home / "summary"),
    }


def _devops(home: Path) -> Mapping[str, str]:
    return {
        "TF_BUILD": "True",
        "BUILD_REASON": "IndividualCI",
        "BUILD_SOURCEBRANCH": "refs/heads/main",
        "BUILD_REQUESTEDFOR": ALL,
    }


def _raw(read: Callable[[str], Effects]) -> Effects:
    return {effect for text in TEXTS for effect in read(text)}


@pytest.mark.parametrize("said", [_github], indirect=True, ids=["github"])
def test_github_obeys_ctrain_alone(said: str) -> None:
    """What was asked for in the payloads was not done, and every command is one of ours."""
    obeyed = in_github(said)

    assert {one[0] for one in obeyed if isinstance(one, tuple)} <= OURS
    assert not obeyed & _raw(in_github)
    assert in_devops(said) | in_a_terminal(said) == set()


@pytest.mark.parametrize("said", [_github], indirect=True, ids=["github"])
def test_no_output_is_set_that_is_not_ours(said: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Their names, and values of one line."""
    (file,) = tmp_path_factory.getbasetemp().rglob("output")
    set_ = list(pairs(file.read_text()))

    assert {name for name, _ in set_} == {"release", "state", "verdict", "model", "stage", "stages", "endpoint"}
    assert not [value for _, value in set_ if "\n" in value or "Pwned" in value]


@pytest.mark.parametrize("said", [_devops], indirect=True, ids=["devops"])
def test_azure_obeys_ctrain_alone(said: str) -> None:
    """The same."""
    obeyed = in_devops(said)

    assert {one[1] for one in obeyed if isinstance(one, tuple)} <= OURS_TOO
    assert not obeyed & _raw(in_devops)
    assert {str(one[0]) for one in in_github(said) if isinstance(one, tuple)} <= {"group", "endgroup"}
    assert in_a_terminal(said) == set()
