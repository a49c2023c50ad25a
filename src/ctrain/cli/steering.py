"""What people do about rollouts and what they leave behind: parse, call the flow, render, and say how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ctrain.amounts import duration
from ctrain.cli import documents
from ctrain.cli.session import Session, session
from ctrain.cli.summary import show_end
from ctrain.cli.terminal import give, give_json, say
from ctrain.errors import ExitCode, Locked
from ctrain.flow import steer
from ctrain.flow.collect_garbage import Collected, collect_garbage, find_garbage
from ctrain.flow.deploy import deploy
from ctrain.flow.follow import Followed, Share, follow
from ctrain.flow.open_release import lock_name
from ctrain.flow.readmit import readmit as let_in
from ctrain.release import Ending, Release
from ctrain.rollout import at_share, told


def status(name: str, *, json: bool, file: Path | None, backend: str | None) -> int:
    with session(file, backend, show=False) as s:
        found = follow(s.project.stage(name), s.at)
        now = s.at.clock.now()
    if json:
        give_json(documents.document("rollout", found))
    else:
        silent = (now - found.heard).total_seconds() if found.heard else 0.0
        give(page(found, silent))
    match found.state:
        case "under way" | "pausing" | "restoring":
            return ExitCode.STILL_RUNNING
        case "paused":
            return ExitCode.UNDECIDED
        case "not restored":
            return ExitCode.NOT_RESTORED
        case _:
            return ExitCode.DONE


def page(found: Followed, silent: float) -> str:
    """The rollout for a person; `silent` is for how many seconds its release has said nothing."""
    if found.release is None:
        return f"{found.stage}: no rollout yet"
    lines = [f"{found.stage}: the rollout of {found.release} is {found.state}"]
    lines += [f"  why        {found.why}"] if found.why else []
    lines.append(f"  deployment {found.deployment}, {found.version}: {found.share}% of the traffic")
    lines.append(f"  traffic    {told(found.traffic or {})}; before: {told(found.before or {})}")
    lines += [f"  {'step' if place == 0 else '':<10} {_step(one)}" for place, one in enumerate(found.way)]
    lines += [f"  began      {found.began.astimezone():%Y-%m-%d %H:%M:%S}"] if found.began else []
    lines.append(f"  last heard {duration(silent)} ago, of {found.by}")
    lines += [f"  {line}" for line in _next(found)]
    return "\n".join(lines)


def _step(one: Share) -> str:
    parts = [at_share(one.share)]
    parts += [f"watched for {duration(one.bake)}"] if one.bake else []
    parts += [one.outcome] if one.outcome else []
    parts += ["then a person lets it go on"] if one.pause else []
    return ", ".join(parts)


def _next(found: Followed) -> list[str]:
    match found.state:
        case "paused" | "pausing":
            return [f"go on      ctrain rollout resume {found.stage}", *_abort(found)]
        case "under way" | "restoring":
            return [f"go on      ctrain resume {found.release}, where no process drives it", *_abort(found)]
        case "not restored":
            return [f"restore    ctrain rollout abort {found.stage}"]
        case _:
            return []


def _abort(found: Followed) -> list[str]:
    return [] if found.state == "restoring" else [f"or         ctrain rollout abort {found.stage}"]


def pause(name: str, *, who: str | None, reason: str, file: Path | None, backend: str | None) -> int:
    with session(file, backend) as s:
        release = s.noted.about(steer.pause(s.project.stage(name), s.journal, who=who or s.caller.name, reason=reason))
        say(f"the rollout of {release.id} at {name} stops where it is; who drives it notices within seconds", bold=True)
        say(f"  go on      ctrain rollout resume {name}")
        say(f"  or         ctrain rollout abort {name}")
        return ExitCode.DONE


def resume(name: str, *, who: str | None, reason: str, later: bool, file: Path | None, backend: str | None) -> int:
    with session(file, backend) as s:
        stage = s.project.stage(name)
        release = s.noted.about(steer.resume(stage, s.journal, who=who or s.caller.name, reason=reason))
        if later:
            say(f"the rollout of {release.id} at {name} may go on", bold=True)
            say(f"  go on      ctrain resume {release.id}, or ctrain deploy --to {name} {release.id}")
            return ExitCode.DONE
        try:
            s.journal.lock(lock_name(release.plan))
            release = deploy(s.journal.read_again(release.id), steer.step_of(release, stage), s.journal)
        except Locked as held:
            say(f"the rollout of {release.id} at {name} goes on: {held.why}", bold=True)
            return ExitCode.DONE
        if release.ended or release.paused_at is not None:
            return show_end(release, s)
        say(f"{release.version} serves {name}", bold=True)
        ahead = [step.stage.name for step in release.plan.deploys if not release.serves(step.stage.name)]
        say(f"  go on      ctrain resume {release.id}{f', to {ahead[0]}' if ahead else ', which closes the release'}")
        return ExitCode.DONE


def abort(name: str, *, who: str | None, reason: str, file: Path | None, backend: str | None) -> int:
    with session(file, backend) as s:
        stage = s.project.stage(name)
        release = s.noted.about(steer.abort(stage, s.journal, who=who or s.caller.name, reason=reason))
        if release.ending is Ending.NOT_RESTORED:
            return show_end(release, s)
        return _aborted(release, name)


def _aborted(release: Release, name: str) -> int:
    if release.stages[name].promoted is not None:
        say(f"{release.id} had taken {name} over by then: `ctrain rollback {name}` takes it back", color="yellow")
        return ExitCode.CONFLICT
    say(f"{name} serves what it served before {release.id}", bold=True)
    return ExitCode.DONE


def readmit(name: str, number: int, *, who: str | None, reason: str, file: Path | None, backend: str | None) -> int:
    with session(file, backend) as s:
        stage, model = s.project.stage(name), s.project.model.name
        release = let_in(stage, number, model, s.journal, who=who or s.caller.name, reason=reason)
        say(f"{model}:{number} may go to {name} again", bold=True)
        say(f"  go on      ctrain deploy --to {name} {release.id}")
        return ExitCode.DONE


def gc(*, plan: bool, json: bool, file: Path | None, backend: str | None) -> int:
    with session(file, backend, show=not plan and not json) as s:
        if not plan:
            s.may("deploy")
        found = _collected(s, plan=plan)
    if json:
        give_json(documents.document("gc", found))
    else:
        give(_garbage(found, plan=plan))
    return ExitCode.DONE


def _collected(s: Session, *, plan: bool) -> tuple[Collected, ...]:
    stages = s.project.stages
    return find_garbage(stages, s.at) if plan else collect_garbage(stages, s.journal)


def _garbage(found: Sequence[Collected], *, plan: bool) -> str:
    lines = []
    for stage in found:
        for one in stage.found:
            gone = one.deployment in stage.removed
            word = "removed" if gone else ("would go" if plan else "left") if one.goes else "stays"
            lines.append(f"{stage.stage:<10} {one.deployment:<24} {word:<9} {one.why}")
    return "\n".join(lines) or "no deployments yet"
