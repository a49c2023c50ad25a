"""The verbs that change something: parse, call the flow, render, and say how it ended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ctrain import flow
from ctrain.cli.leaving import Stay, told_of
from ctrain.cli.session import Session, session
from ctrain.cli.summary import show_end, show_verdict
from ctrain.cli.terminal import give, say
from ctrain.errors import Conflict, ExitCode, NewChampion, StillRunning
from ctrain.flow.approve import approve as let_go
from ctrain.flow.bring_back import bring_back
from ctrain.flow.cancel import cancel_training, clean_up
from ctrain.flow.deliver import close, deliver, judge_alone
from ctrain.flow.journal import Patience
from ctrain.flow.open_release import open_release
from ctrain.flow.prepare import prepare
from ctrain.flow.register import register
from ctrain.flow.resume import own_open, to_resume
from ctrain.flow.resume import resume as go_on_with
from ctrain.flow.roll_back import roll_back, serving_release
from ctrain.flow.smoke_test import smoke_test
from ctrain.release import Release
from ctrain.rollout import live
from ctrain.verdict import Outcome


def run(
    trigger: str | None, *, fresh: bool, allow_older: bool, stay: Stay, file: Path | None, backend: str | None
) -> int:
    try:
        with session(file, backend, act="train", patience=stay.patience(file, backend)) as s:
            return show_end(_delivered(s, trigger, fresh=fresh, allow_older=allow_older), s)
    except StillRunning as left:
        return stay.left(left)


def _delivered(s: Session, trigger: str | None, *, fresh: bool, allow_older: bool) -> Release:
    """Planned and delivered. Who waits for others plans anew where one of them has made another champion: what was
    trained is judged against that."""
    while True:
        plan = replace(prepare(s.project, s.at, s.source, s.trigger(trigger), fresh=fresh), allow_older=allow_older)
        s.may("deploy" if plan.deploys else "train")
        try:
            return deliver(plan, s.journal)
        except NewChampion as changed:
            if not s.journal.patience.lock:
                raise
            s.journal.unlock_all()
            fresh = False
            say(f"planning anew: {changed.why}")


def resume(name: str | None, *, allow_older: bool, stay: Stay, file: Path | None, backend: str | None) -> int:
    try:
        with session(file, backend, act="train", patience=stay.patience(file, backend)) as s:
            found = s.release(name) if name is not None else to_resume(s.source, s.at, trigger=s.caller.trigger)
            if found is None:
                say("nothing to do: no release is open", bold=True)
                return ExitCode.DONE
            if name is None and found.plan.source.commit != s.source.commit:
                say(f"{s.source.short} has no open release: going on with {found.id}, the newest that is open")
            s.may("deploy" if found.plan.deploys else "train")
            return show_end(go_on_with(found, s.project, s.journal, allow_older=allow_older), s)
    except StillRunning as left:
        return stay.left(left)


def train(trigger: str | None, *, fresh: bool, stay: Stay, file: Path | None, backend: str | None) -> int:
    again = "ctrain train" + (f" --trigger {trigger}" if trigger else "") + (" --fresh" if fresh else "")
    try:
        with session(file, backend, act="train", patience=stay.patience(file, backend, again)) as s:
            plan = prepare(s.project, s.at, s.source, s.trigger(trigger), fresh=fresh)
            release = s.noted.about(flow.train.train(open_release(plan, s.journal), s.journal))
            s.over()
            say(f"release {release.id}: trained by the job {release.training.job if release.training else '?'}")
            return _code(release)
    except StillRunning as left:
        return stay.left(left)


def gate(name: str | None, *, explain: bool, file: Path | None, backend: str | None) -> int:
    with session(file, backend, act="train") as s:
        known = s.release(name)
        release = known if explain and known.verdict else judge_alone(_locked(s, known.id), s.journal)
        s.over()
        if explain and release.verdict is not None:
            from ctrain.cli.gating import explained

            give(explained(release.verdict, release.id))
        else:
            show_verdict(release)
        return _code(release)


def deploy(name: str | None, *, to: str, allow_older: bool, stay: Stay, file: Path | None, backend: str | None) -> int:
    try:
        with session(file, backend, patience=stay.patience(file, backend, f"ctrain deploy --to {to} {{}}")) as s:
            stage = s.project.stage(to)
            release = _locked(s, name)
            step = flow.deploy.step_to(release, stage.name)
            if release.serves(stage.name):
                release = bring_back(release, step, s.journal)
            release = flow.deploy.deploy(register(release, s.journal), step, s.journal, allow_older=allow_older)
            if all(release.serves(other.stage.name) for other in release.plan.deploys):
                release = close(release, s.journal)
            s.over()
            return show_end(release, s) if release.ended or release.paused_at else _served(release, to)
    except StillRunning as left:
        return stay.left(left)


def approve(
    name: str | None, *, stage: str, who: str | None, reason: str, file: Path | None, backend: str | None
) -> int:
    with session(file, backend) as s:
        release = _locked(s, name)
        release = let_go(release, s.project.stage(stage).name, s.journal, who=who or s.caller.name, reason=reason)
        approval = release.approvals[stage]
        say(f"{release.id} may go to {stage}: approved by {approval.who}, {approval.reason}", bold=True)
        say(f"  go on      ctrain run, or ctrain deploy --to {stage} {release.id}")
        return ExitCode.DONE


def smoke(name: str, *, file: Path | None, backend: str | None) -> int:
    with session(file, backend) as s:
        stage = s.project.stage(name)
        endpoint = s.at.serving(stage).look(stage.endpoint)
        release = serving_release(stage, endpoint, s.at.ledger)
        if endpoint is None or release is None:
            raise Conflict(
                f"{name} cannot be smoked", why="no release that the ledger knows serves it", hint="see `ctrain status`"
            )
        deployment = next(iter(live(endpoint.traffic)))
        s.noted.about(release)
        s.noted.stage = name
        verdict = smoke_test(release.id, stage, deployment, s.journal, live=True)
        s.noted.verdict = verdict.outcome
        show_verdict(verdict)
        return _verdict_code(verdict.outcome)


def rollback(name: str, *, to: int | None, reason: str, file: Path | None, backend: str | None) -> int:
    with session(file, backend) as s:
        stage = s.project.stage(name)
        s.noted.stage = name
        release = s.noted.about(roll_back(stage, reason, s.journal, last=stage == s.project.stages[-1], to=to))
        s.over()
        what = f"version {to}" if to is not None else "what it served"
        say(f"{name} serves {what}, as before {release.id}", bold=True)
        return ExitCode.DONE


def cancel(name: str | None, *, interrupted: bool, file: Path | None, backend: str | None) -> int:
    if interrupted:
        return _clean_up(name, file, backend)
    with session(file, backend, act=None) as s:
        run = cancel_training(s.release(name), s.journal)
        say(f"the job {run.job} is {run.status.told}")
        return ExitCode.DONE


CLEANING_UP = Patience(deadline=180.0)
"""How long a clean-up job waits for a training to stop."""


def _clean_up(name: str | None, file: Path | None, backend: str | None) -> int:
    """Nothing that is found here is a failure of the clean-up."""
    resume = Stay().patience(file, backend).resume
    with session(file, backend, act=None, patience=replace(CLEANING_UP, resume=resume)) as s:
        release = s.release(name) if name is not None else own_open(s.source, s.at, s.caller.trigger)
        if release is None:
            say("nothing to do: this commit has no open release", bold=True)
            return ExitCode.DONE
        for line in told_of(clean_up(release, s.journal, s.caller.run_url), resume):
            say(line)
        return ExitCode.DONE


def _locked(s: Session, name: str | None) -> Release:
    """The release, with its lock held, as it is under the lock."""
    release = s.release(name)
    s.journal.lock(flow.open_release.lock_name(release.plan))
    return s.release(release.id)


def _code(release: Release) -> int:
    return release.ending.exit_code if release.ending else ExitCode.DONE


def _served(release: Release, stage: str) -> int:
    say(f"{release.version} serves {stage}", bold=True)
    return ExitCode.DONE


def _verdict_code(outcome: Outcome) -> int:
    match outcome:
        case Outcome.PASS:
            return ExitCode.DONE
        case Outcome.FAIL:
            return ExitCode.REJECTED
        case Outcome.INCONCLUSIVE | Outcome.ERROR:
            return ExitCode.UNDECIDED
