"""Why we run: what was asked for, what the CI says, and what is no trigger at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ctrain.cli.ci import Caller
from ctrain.cli.session import Session
from ctrain.errors import UsageError
from ctrain.flow.journal import Journal
from ctrain.project import Trigger, load_project
from ctrain.version import Source
from tests.builders import outputs
from tests.memory import MemoryBackend

REFERENCE = Path(__file__).parents[2] / "pipelines" / "ctrain.yaml"


@pytest.fixture
def session(tmp_path: Path) -> Session:
    at = MemoryBackend(tmp_path, outputs()).ports
    return Session(load_project(REFERENCE), at, Caller("anna"), Source(), Journal(at, "anna", lambda _: None))


def called_by(session: Session, trigger: Trigger | None, branch: str = "", run_url: str = "https://ci/1") -> Session:
    return replace(session, caller=Caller("a CI", trigger, branch, run_url=run_url))


def test_what_is_asked_for_comes_first(session: Session) -> None:
    """Whatever the CI says; dashes are as good as underscores."""
    assert called_by(session, Trigger.SCHEDULE).trigger("pull-request") is Trigger.PULL_REQUEST


def test_a_person_at_a_machine_is_manual(session: Session) -> None:
    """Nobody else said why."""
    assert session.trigger(None) is Trigger.MANUAL


def test_a_push_to_the_main_branch_is_main(session: Session) -> None:
    """The branch that ctrain.yaml names, `main` by default."""
    assert called_by(session, Trigger.MAIN, "main").trigger(None) is Trigger.MAIN
    on_trunk = replace(session, project=replace(session.project, branch="trunk"))
    assert called_by(on_trunk, Trigger.MAIN, "trunk").trigger(None) is Trigger.MAIN


def test_a_push_to_another_branch_deploys_nothing_by_accident(session: Session) -> None:
    """It is refused, with the branch that would be right."""
    with pytest.raises(UsageError, match="only pushes to 'main'"):
        called_by(session, Trigger.MAIN, "feature").trigger(None)


def test_a_ci_run_for_something_else_is_no_trigger(session: Session) -> None:
    """An issue comment is not a person at a machine."""
    with pytest.raises(UsageError, match="no trigger"):
        called_by(session, None).trigger(None)


def test_an_unknown_trigger_is_refused_with_the_nearest(session: Session) -> None:
    """A slip of the finger is not `manual`."""
    with pytest.raises(UsageError, match="did you mean 'schedule'"):
        session.trigger("shedule")
