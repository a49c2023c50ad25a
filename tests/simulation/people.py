"""What people call, and how it ends: each call is a process of its own, and ends with an exit code or is killed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ctrain.errors import CtrainError, ExitCode, UsageError
from ctrain.flow import deploy as deploying
from ctrain.flow import steer
from ctrain.flow.approve import approve
from ctrain.flow.collect_garbage import collect_garbage
from ctrain.flow.deliver import close, deliver, go_on
from ctrain.flow.journal import Journal
from ctrain.flow.open_release import lock_name
from ctrain.flow.register import register
from ctrain.flow.roll_back import newest_first, roll_back
from ctrain.plan import Plan
from ctrain.release import Release
from ctrain.rollout import Stage
from tests.builders import a_plan
from tests.simulation.ports import Killed, Visit
from tests.simulation.schedule import Commit, Person, Schedule, Verb
from tests.simulation.world import SECRET

AGAIN = (ExitCode.CONFLICT, ExitCode.UNAVAILABLE, ExitCode.INTERRUPTED, ExitCode.STILL_RUNNING)
"""What one tries again a little later."""


def visit(person: Person, at: Visit) -> ExitCode | None:
    """One process: as `ctrain VERB` begins, acts and ends. None where it was killed."""
    code = _lived(person, at)
    at.storm.note(at.name, "process", person.verb.value, code)
    return code


def _lived(person: Person, at: Visit) -> ExitCode | None:
    journal = Journal(at.ports, at.name, lambda _: None, patience=person.patience)
    try:
        try:
            return VERBS[person.verb](person, at.world.schedule, journal)
        finally:
            journal.unlock_all()
    except Killed:
        return None
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except CtrainError as failure:
        if SECRET in str(failure):
            at.checker.wrong(6, at.name, f"a secret is told: {failure}")
        return failure.exit_code
    except Exception as failure:  # noqa: BLE001  whatever it is, it is a bug, and to be told as one
        at.checker.wrong(0, at.name, f"a bug: {type(failure).__name__}: {failure}")
        return ExitCode.BUG


def plan_of(commit: Commit, schedule: Schedule, journal: Journal) -> Plan:
    """What `ctrain plan` makes of that commit, here and now."""
    champion = journal.at.registry.champion("visits")
    plan = a_plan(commit=commit.sha, stages=schedule.stages, champion=champion, parameters={"commit": commit.number})
    return replace(plan, source=replace(plan.source, committed=commit.committed))


def _run(person: Person, schedule: Schedule, journal: Journal) -> ExitCode:
    return code_of(deliver(plan_of(schedule.commit(person.about), schedule, journal), journal))


def code_of(release: Release) -> ExitCode:
    """What the process ends with."""
    if release.ending is None:
        return ExitCode.UNDECIDED if release.waits_for or release.paused_at else ExitCode.DONE
    return release.ending.exit_code


def _rollback(person: Person, schedule: Schedule, journal: Journal) -> ExitCode:
    stage, version = _stage(person, schedule), person.about if person.verb is Verb.BACK_TO else None
    roll_back(stage, "it is asked for", journal, last=stage is schedule.stages[-1], to=version)
    return ExitCode.DONE


def _stage(person: Person, schedule: Schedule) -> Stage:
    return next(stage for stage in schedule.stages if stage.name == person.stage)


def _resume(person: Person, schedule: Schedule, journal: Journal) -> ExitCode:
    return code_of(go_on(_newest(person, schedule, journal), journal))


def _pause(person: Person, schedule: Schedule, journal: Journal) -> ExitCode:
    steer.pause(_stage(person, schedule), journal, who=person.name, reason="it looks odd")
    return ExitCode.DONE


def _go_on(person: Person, schedule: Schedule, journal: Journal) -> ExitCode:
    steer.resume(_stage(person, schedule), journal, who=person.name, reason="it looks well")
    return ExitCode.DONE


def _abort(person: Person, schedule: Schedule, journal: Journal) -> ExitCode:
    steer.abort(_stage(person, schedule), journal, who=person.name, reason="it looks bad")
    return ExitCode.DONE


def _collect(person: Person, schedule: Schedule, journal: Journal) -> ExitCode:
    collect_garbage(schedule.stages, journal)
    return ExitCode.DONE


def _newest(person: Person, schedule: Schedule, journal: Journal) -> Release:
    """The commit's newest release, with its lock held."""
    sha = schedule.commit(person.about).sha
    for release in newest_first(journal.at.ledger):
        if release.plan.source.commit == sha:
            journal.lock(lock_name(release.plan))
            return journal.read_again(release.id)
    raise UsageError("this commit has no release yet", why="it was never run", hint="run it")


def _approve(person: Person, schedule: Schedule, journal: Journal) -> ExitCode:
    release = _newest(person, schedule, journal)
    approve(release, schedule.stages[-1].name, journal, who=person.name, reason="it looks good")
    return ExitCode.DONE


def _deploy(person: Person, schedule: Schedule, journal: Journal) -> ExitCode:
    release = _newest(person, schedule, journal)
    step = deploying.step_to(release, person.stage)
    release = deploying.deploy(register(release, journal), step, journal)
    if all(release.serves(other.stage.name) for other in release.plan.deploys):
        release = close(release, journal)
    return release.ending.exit_code if release.ending else ExitCode.DONE


VERBS: dict[Verb, Callable[[Person, Schedule, Journal], ExitCode]] = {
    Verb.RUN: _run,
    Verb.ROLLBACK: _rollback,
    Verb.APPROVE: _approve,
    Verb.DEPLOY: _deploy,
    Verb.BACK_TO: _rollback,
    Verb.PAUSE: _pause,
    Verb.GO_ON: _go_on,
    Verb.ABORT: _abort,
    Verb.RESUME: _resume,
    Verb.COLLECT: _collect,
}
