"""What reading verbs show a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from ctrain.cli.terminal import duration, mark, size
from ctrain.events import Event
from ctrain.flow.status import ServingNow, StageStatus
from ctrain.gate import Rule
from ctrain.plan import Deploy, Gate, Plan, PlanStep, Register, Train
from ctrain.release import Release
from ctrain.verdict import Verdict
from ctrain.version import ModelVersion


def plan(made: Plan) -> str:
    """The plan: what it is about, then the steps that `ctrain run` walks, each with its reason."""
    source = made.source
    dirty = ", with uncommitted changes" if source.dirty else ""
    commit = f"{source.short} on {source.branch or 'no branch'}{dirty}" if source.commit else "no git repository"
    lines = [
        f"plan for {made.project}: trigger {made.trigger}",
        f"  commit     {commit}",
        f"  data       {_data(made)}",
        f"  parameters {', '.join(f'{name}={value}' for name, value in made.parameters.items()) or 'the defaults'}",
        f"  champion   {made.champion or 'none yet'}",
        f"  training   {made.fingerprint[:20]}",
        "",
    ]
    for place, step in enumerate(made.steps, 1):
        lines += _step(place, step, made)
    if not made.deploys:
        lines.append(f"  nothing is registered or deployed: the trigger {made.trigger} deploys nowhere")
    return "\n".join(lines)


def _data(made: Plan) -> str:
    data = made.data
    rows = f", {data.rows:,} rows" if data.rows is not None else ""
    whole = f"{data.name}:{data.version} ({size(data.size)}{rows})"
    if made.sample is None:
        return f"all of {whole}"
    within = f", within each {made.sample.stratify}" if made.sample.stratify else ""
    return f"a sample of {whole}: {made.sample.fraction:.0%} by {made.sample.key}{within}, seed {made.sample.seed}"


def _step(place: int, step: PlanStep, made: Plan) -> list[str]:
    match step:
        case Train():
            lines = [_line(place, "train", f"{'adopt' if step.adopts else 'run'} {step.job}: {step.why}")]
            if not step.adopts:
                lines += [
                    f"       {one.name:<12} {f'reused from {one.reused_from}' if one.reused_from else 'runs'}"
                    for one in step.steps
                ]
            return lines
        case Gate():
            rules = [f"       {name:<12} {_rule(rule)}" for name, rule in made.gate.metrics.items()]
            return [_line(place, "gate", step.why), *rules]
        case Register():
            return [_line(place, "register", step.why)]
        case Deploy():
            waits = "; waits for `ctrain deploy --to " + step.stage.name + "`" if step.waits else ""
            return [_line(place, step.stage.name, f"{step.why}{waits}")]
    assert_never(step)


def _line(place: int, subject: str, text: str) -> str:
    return f"  {place:>2}. {subject:<10} {text}"


def _rule(rule: Rule) -> str:
    parts = [f"{rule.direction} is better"]
    if rule.rule == "non_inferior":
        parts.append(f"at most {rule.margin} worse than the champion")
    if rule.floor is not None:
        parts.append(f"at least {rule.floor}")
    if rule.ceiling is not None:
        parts.append(f"at most {rule.ceiling}")
    if not rule.blocking:
        parts.append("advisory")
    return ", ".join(parts)


def status(stages: Sequence[StageStatus], champion: ModelVersion | None) -> str:
    """A table of the stages."""
    rows: list[tuple[str, ...]] = [("stage", "deployment", "version", "commit", "traffic", "health", "since")]
    for stage in stages:
        if stage.endpoint is None:
            rows.append((stage.stage, "nothing deployed yet", "", "", "", "", ""))
        elif not stage.deployments:
            rows.append((stage.stage, "nothing deployed", "", "", "", "up" if stage.endpoint.running else "down", ""))
        rows += [_serving(stage, now) for now in stage.deployments]
    urls = [f"  {stage.stage:<8} {stage.endpoint.scoring_url}" for stage in stages if stage.endpoint]
    return "\n".join([_table(rows), "", f"champion: {champion or 'none yet'}", *urls])


def _serving(stage: StageStatus, now: ServingNow) -> tuple[str, ...]:
    deployment = now.deployment
    health = "healthy" if deployment.healthy else deployment.state.lower() if deployment.ready else "not ready"
    if stage.endpoint is not None and not stage.endpoint.running:
        health = "down"
    if deployment.restarts:
        health += f", {deployment.restarts} restarts"
    return (
        stage.stage,
        deployment.name,
        f"{deployment.model}:{deployment.model_version}",
        now.commit[:7] or "-",
        f"{now.percent}%",
        health,
        _moment(now.since) if now.since else "-",
    )


def history(releases: Sequence[Release]) -> str:
    """A table of releases."""
    if not releases:
        return "no releases yet: start one with `ctrain run`"
    rows: list[tuple[str, ...]] = [("release", "opened", "verdict", "version", "ended")]
    rows += [_brief(release) for release in releases]
    return _table(rows)


def _brief(release: Release) -> tuple[str, ...]:
    waits = f"waits for {release.waits_for}" if release.waits_for else "open"
    return (
        release.id,
        _moment(release.opened),
        release.verdict.outcome if release.verdict else "-",
        str(release.version) if release.version else "-",
        release.ending or waits,
    )


def release(record: Release, events: Sequence[Event]) -> str:
    """One release: its plan, its verdict, and everything that happened."""
    lines = [
        f"release {record.id}: {record.ending or 'open'}",
        *([f"  why        {record.why}"] if record.why else []),
        *([f"  took       {duration((record.closed - record.opened).total_seconds())}"] if record.closed else []),
        *([f"  version    {record.version}, digest {record.version.digest}"] if record.version else []),
        *([f"  job        {record.training.job} ({record.training.status})"] if record.training else []),
        *([f"  run        {record.training.run_id}"] if record.training else []),
        "",
        plan(record.plan),
    ]
    if record.verdict is not None:
        lines += ["", f"gate: {record.verdict.outcome}, over {record.rows or 0:,} rows", *_findings(record.verdict)]
        if record.evidence:
            lines.append(f"  evidence   sha256 {record.evidence}")
    for name, stage in record.stages.items():
        for how, verdict in (("by name", stage.smoked), ("through the endpoint", stage.proven)):
            if verdict is not None:
                lines += ["", f"smoke tests at {name}, {how}: {verdict.outcome}", *_findings(verdict)]
    lines += ["", "what happened"]
    lines += [f"  {_moment(event.at)}  {event.what.kind:<14} {_told(event)}  by {event.by}" for event in events]
    return "\n".join(lines)


def _findings(verdict: Verdict) -> list[str]:
    lines = []
    for finding in verdict.findings:
        aside = "" if finding.blocking else " (advisory)"
        lines.append(f"  {mark(finding.outcome)[0]} {finding.subject}: {finding.says}{aside}")
    return lines + [f"  · {note}" for note in verdict.notes]


def _told(event: Event) -> str:
    what = event.what
    words = [
        str(getattr(what, name)) for name in ("stage", "deployment", "endpoint", "job", "to") if hasattr(what, name)
    ]
    if hasattr(what, "traffic"):
        words += [f"{name} {percent}%" for name, percent in what.traffic.items()]
    if hasattr(what, "verdict"):
        words.append(what.verdict.outcome)
    if hasattr(what, "why"):
        words.append(what.why)
    return " ".join(words)


def _moment(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
