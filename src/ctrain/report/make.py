"""A release and its events to a report: all that is decided about what to tell is decided here."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from ctrain.events import Event, Submitting
from ctrain.plan import Plan
from ctrain.project import DataUse, Project, Trigger
from ctrain.release import Release
from ctrain.report import words
from ctrain.report.headline import headline, state_of
from ctrain.report.lines import lines_of
from ctrain.report.policy import policy_change
from ctrain.report.remarks import Places, remarks_of
from ctrain.report.report import Curve, Data, Headline, Link, PolicyChange, Report, StageLine, State, Step, Training
from ctrain.report.stages import stages_of
from ctrain.report.timeline import phases
from ctrain.training import StepRun, TrainingRun


@dataclass(frozen=True)
class Beside:
    """What else is known when a report is made; a report does without any of it.

    `champions` is the release that made the champion, `earlier` what other jobs took, by their names, `running` the job
    as it is now, where it has not ended; `links` are addresses that the caller knows.
    """

    project: Project | None = None
    champions: Release | None = None
    earlier: Mapping[str, TrainingRun] = field(default_factory=dict)
    running: TrainingRun | None = None
    places: Places = field(default_factory=Places)
    links: tuple[Link, ...] = ()
    curves: tuple[Curve, ...] = ()


def make_report(
    release: Release | None, events: Sequence[Event], *, now: datetime, beside: Beside | None = None
) -> Report:
    """All there is to tell of a release; of no release, that there is none yet."""
    beside = beside or Beside()
    if release is None:
        return _nothing(beside)
    plan = release.plan
    lines = lines_of(release.verdict, plan.gate) if release.verdict else ()
    policy = policy_change(plan, beside.champions)
    training = _training(release, events, beside)
    stages = stages_of(release, events, now)
    source = plan.source
    return Report(
        project=plan.project,
        state=state_of(release),
        headline=headline(release, lines, beside.running),
        summary=_summary(release, policy),
        release=release.id,
        trigger=plan.trigger,
        commit=source.commit,
        branch=source.branch,
        dirty=source.dirty,
        opened=release.opened,
        seconds=((release.closed or now) - release.opened).total_seconds(),
        model=str(release.version or ""),
        champion=str(plan.champion or ""),
        outcome=release.verdict.outcome if release.verdict else None,
        rows=release.rows,
        confidence=plan.gate.at_each_look(plan.trigger).confidence,
        lines=lines,
        notes=release.verdict.notes if release.verdict else (),
        policy=policy,
        data=_data(plan),
        parameters=plan.parameters,
        training=training,
        stages=stages,
        ahead=_ahead(plan, beside.project),
        next=_next(release, stages),
        reproduce=_reproduce(plan, beside.places.folder),
        phases=phases(events, [step.stage.name for step in plan.deploys if step.waits], now),
        links=_links(release, beside),
        remarks=tuple(remarks_of(lines, policy, training, stages, beside.places)),
        curves=beside.curves,
    )


def _nothing(beside: Beside) -> Report:
    project = beside.project.name if beside.project else "this project"
    return Report(
        project=project,
        state=State.NOTHING,
        headline=Headline("no release yet"),
        summary="The ledger has no release of this commit: nothing was trained, judged or deployed.",
        next=("ctrain plan", "ctrain run"),
        links=_safe(beside.links),
    )


def _summary(release: Release, policy: PolicyChange | None) -> str:
    """What it means, in a sentence or two."""
    loosened = " The gate is looser than the one that its champion passed." if policy and policy.relaxed else ""
    return _meaning(release) + loosened


def _meaning(release: Release) -> str:
    plan = release.plan
    served = tuple(step.stage.name for step in plan.deploys if release.serves(step.stage.name))
    champion = f"{plan.champion} serves on" if plan.champion else "nothing was deployed"
    match state_of(release):
        case State.DELIVERED:
            return f"{release.version} serves {words.listed(served)}."
        case State.PASSED:
            return f"The gate passed it; the trigger {plan.trigger} deploys nowhere."
        case State.REJECTED:
            return f"The gate said no, and {champion}."
        case State.UNDECIDED:
            return f"The gate could not tell, so a person decides; {champion}."
        case State.INCONCLUSIVE:
            return "Too few rows to tell, which is no failure for this trigger; nothing was registered or deployed."
        case State.FAILED:
            return f"There was no model to judge, and {champion}."
        case State.WAITING:
            return f"{release.version} passed the gate{f', and serves {words.listed(served)}' if served else ''}."
        case State.ROLLED_BACK:
            return "Serving is as it was before."
        case State.NOT_RESTORED:
            return "A stage serves neither the new model nor, as it should, the old one."
        case State.RUNNING | State.NOTHING:
            return "It is not over: this report is of what there is so far."


def _training(release: Release, events: Sequence[Event], beside: Beside) -> Training | None:
    run = release.training or beside.running
    if run is None:
        return None
    seconds = (run.ended - run.submitted).total_seconds() if run.ended and run.submitted else None
    adopted = any(isinstance(event.what, Submitting) and event.what.adopted for event in events)
    return Training(
        job=run.job,
        status=run.status,
        run_id=run.run_id,
        seconds=seconds,
        adopted=adopted,
        steps=tuple(_step(step, beside.earlier) for step in run.steps),
        metrics=run.metrics,
        why=run.error or "",
    )


def _step(step: StepRun, earlier: Mapping[str, TrainingRun]) -> Step:
    why, _, log = (step.error or "").partition("\n")
    saved = None
    if step.reused_from is not None and step.reused_from in earlier:
        there = {other.name: other.seconds for other in earlier[step.reused_from].steps}
        saved = there.get(step.name)
    return Step(step.name, step.status, step.seconds, step.reused_from, saved, why, log)


def _data(plan: Plan) -> Data:
    told = ""
    if plan.sample is not None:
        sample = plan.sample
        within = f", within each {sample.stratify}" if sample.stratify else ""
        told = f"{sample.fraction:.0%} by {sample.key}{within}, seed {sample.seed}"
    return Data(plan.data.name, plan.data.version, plan.data.size, plan.data.rows, told)


def _ahead(plan: Plan, project: Project | None) -> str:
    """What a pull request leads to once it is merged."""
    if project is None or plan.trigger is not Trigger.PULL_REQUEST:
        return ""
    rule = project.trigger(Trigger.MAIN)
    data = "all the data" if rule.data is DataUse.FULL else "a sample"
    if not rule.deploy:
        return f"Once merged, it trains on {data}, and deploys nowhere."
    waits = tuple(stage.name for stage in project.stages if stage.name in rule.deploy and stage.approval == "required")
    person = f" ({words.listed(waits)}: once a person says so)" if waits else ""
    return f"Once merged, it trains on {data}, is judged anew, and goes to {words.listed(rule.deploy)}{person}."


def _next(release: Release, stages: tuple[StageLine, ...]) -> tuple[str, ...]:
    match state_of(release):
        case State.WAITING if release.paused_at is not None:
            return (f"ctrain rollout resume {release.paused_at}", f"ctrain rollout abort {release.paused_at}")
        case State.WAITING:
            return (
                f"ctrain approve {release.id} --stage {release.waits_for} --reason '...'",
                f"ctrain resume {release.id}",
            )
        case State.RUNNING:
            return (f"ctrain resume {release.id}",)
        case State.FAILED:
            return (f"ctrain logs {release.id}",)
        case State.REJECTED | State.UNDECIDED | State.INCONCLUSIVE:
            return (f"ctrain gate {release.id} --explain", f"ctrain gate {release.id} --policy other.yaml")
        case State.NOT_RESTORED:
            torn = [stage.name for stage in stages if stage.state in ("given up", "under way")]
            return ("ctrain status", *(f"ctrain rollout abort {name}" for name in torn))
        case State.ROLLED_BACK:
            return ("ctrain status", f"ctrain show {release.id}")
        case State.PASSED | State.DELIVERED | State.NOTHING:
            return ()


def _reproduce(plan: Plan, folder: str) -> tuple[str, ...]:
    """The lines that train and judge the same on a laptop; they deploy nothing."""
    checkout = [f"git checkout {plan.source.commit}"] if plan.source.commit else []
    inside = [f"cd {shlex.quote(folder)}"] if folder else []
    return (*checkout, *inside, f"ctrain train --trigger {plan.trigger} --backend local", "ctrain gate --explain")


def _links(release: Release, beside: Beside) -> tuple[Link, ...]:
    run = release.training or beside.running
    known = [
        Link("CI run", release.plan.source.run_url),
        Link("training job", (run.log or "") if run else ""),
        *(Link(f"step {step.name}", step.log or "") for step in (run.steps if run else ())),
    ]
    return _safe((*beside.links, *known))


def _safe(links: tuple[Link, ...]) -> tuple[Link, ...]:
    """Addresses of the web, each once; a path on some machine, or a script, is none."""
    kept: dict[str, Link] = {}
    for link in links:
        try:
            parts = urlsplit(link.url)
        except ValueError:
            continue
        whole = link.url.isascii() and link.url.isprintable() and not set(link.url) & set(" <>\"'`|\\()[]{}")
        if parts.scheme in ("https", "http") and parts.hostname and "@" not in parts.netloc and whole:
            kept.setdefault(link.url, link)
    return tuple(kept.values())
