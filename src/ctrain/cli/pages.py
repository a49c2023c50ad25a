"""What reading verbs show a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from ctrain.amounts import duration, size
from ctrain.cli.terminal import mark
from ctrain.events import Event
from ctrain.flow.status import ServingNow, StageStatus
from ctrain.gate import Foresight, Rule
from ctrain.gate.phrases import two_digits
from ctrain.gate.power import WANTED
from ctrain.plan import Deploy, Gate, Plan, PlanStep, Register, Train
from ctrain.release import Ending, Release
from ctrain.rollout import at_share
from ctrain.rollout.times import Part
from ctrain.training import TrainingRun
from ctrain.verdict import Finding, Outcome, Verdict
from ctrain.version import ModelVersion


def plan(made: Plan, continues: Release | None = None) -> str:
    """The plan: what it is about, then the steps that `ctrain run` walks, each with its reason.

    `continues` is the release whose plan this is, where running goes on with it or finds that it stands.
    """
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
        *([f"  release    {_continues(continues)}"] if continues else []),
        "",
    ]
    for place, step in enumerate(made.steps, 1):
        done = _done(step, continues) if continues else None
        lines += [_line(place, _subject(step), done)] if done else _step(place, step, made)
    if not made.deploys:
        lines.append(f"  nothing is registered or deployed: the trigger {made.trigger} deploys nowhere")
    return "\n".join(lines)


def _continues(release: Release) -> str:
    if release.ended:
        return f"{release.id} has been made and stands ({end(release)}): nothing to do"
    return f"goes on with {release.id}"


def _subject(step: PlanStep) -> str:
    return step.stage.name if isinstance(step, Deploy) else step.kind


def _done(step: PlanStep, release: Release) -> str | None:
    """What the release has made of the step already; None where it is still to be done."""
    match step:
        case Train() if release.training is not None and release.training.status.succeeded:
            return f"done: {step.job}"
        case Gate() if release.verdict is not None:
            return f"done: {release.verdict.outcome}, over {release.rows or 0:,} rows"
        case Register() if release.version is not None:
            return f"done: {release.version}"
        case Deploy() if release.serves(step.stage.name):
            return f"done: {step.stage.endpoint} serves {release.version}"
        case _:
            return None


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
            return [_line(place, "gate", step.why), *_rules(step, made)]
        case Register():
            return [_line(place, "register", step.why)]
        case Deploy():
            waits = "; waits for `ctrain deploy --to " + step.stage.name + "`" if step.waits else ""
            return [_line(place, step.stage.name, f"{step.why}{waits}"), *_times(step)]
    assert_never(step)


def _times(step: Deploy) -> list[str]:
    """How long it takes at least to get there, and at most to come back."""
    times = step.times
    if times is None:
        return []
    pauses = f", and a person's word at {', '.join(f'{share}%' for share in times.pauses)}" if times.pauses else ""
    takes = f"takes {duration(times.at_least)} at least" if times.at_least else "takes as long as its smoke tests"
    return [
        f"       {'promotion':<12} {takes}{pauses}",
        *_made_of(times.promotion),
        f"       {'rollback':<12} takes {duration(times.at_most)} at most, once it is decided; else a person is called",
        *_made_of(times.rollback),
    ]


def _made_of(parts: Sequence[Part]) -> list[str]:
    return [f"       {'':<12}   {duration(part.seconds):<12} {part.what}" for part in parts]


def _rules(step: Gate, made: Plan) -> list[str]:
    """The rules, each with what it will be able to tell."""
    lines = []
    for name, rule in made.gate.metrics.items():
        lines.append(f"       {name:<12} {_rule(rule)}")
        lines += [f"       {'':<12} {_foreseen(one)}" for one in step.foresees if one.metric == name]
    if not step.foresees:
        lines.append("       how sure this will be is not known before a first evaluation")
    else:
        after = step.foresees[0]
        lines.append(f"       expected from {after.after}: about {after.rows:,} evaluation rows, answered as then")
    return lines


def _foreseen(one: Foresight) -> str:
    if one.within is not None:
        return f"will be known to about ±{one.within:.2g}"
    told = []
    if one.passes is not None:
        more = one.passes < WANTED and one.needs is not None
        told.append(f"an equally good model passes in {one.passes:.0%} of cases")
        told += [f"80% take about {two_digits(one.needs or 0):,} rows"] if more else []
    if one.shows is not None:
        told.append(f"a loss of {one.shows:.2g} is found out in 80%")
    return ", ".join(told)


def _line(place: int, subject: str, text: str) -> str:
    return f"  {place:>2}. {subject:<10} {text}"


def _rule(rule: Rule) -> str:
    parts = [f"{rule.direction} is better"]
    if rule.compares:
        parts.append(_compared(rule))
    if rule.floor is not None:
        parts.append(f"at least {rule.floor}")
    if rule.ceiling is not None:
        parts.append(f"at most {rule.ceiling}")
    if rule.beats:
        parts.append(f"better than always the {' or the '.join(rule.beats)}")
    if not rule.blocking:
        parts.append("advisory")
    return ", ".join(parts)


def _compared(rule: Rule) -> str:
    match rule.rule:
        case "superior":
            return f"more than {rule.margin} better than the champion" if rule.margin else "better than the champion"
        case "equivalent":
            return f"within {rule.margin} of the champion"
        case _:
            return f"at most {rule.margin} worse than the champion"


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
    down = {s.stage: s.endpoint.start_command for s in stages if s.endpoint and not s.endpoint.running}
    hint = [f"{', '.join(down)} down: `{next(iter(down.values()))}` starts what is down"] if down else []
    return "\n".join([_table(rows), "", *hint, f"champion: {champion or 'none yet'}", *urls])


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
    rows: list[tuple[str, ...]] = [("release", "opened", "verdict", "version", "end")]
    rows += [_brief(release) for release in releases]
    return _table(rows)


def _brief(release: Release) -> tuple[str, ...]:
    return (
        release.id,
        _moment(release.opened),
        release.verdict.outcome if release.verdict else "-",
        str(release.version) if release.version else "-",
        end(release),
    )


def end(release: Release) -> str:
    """How the release ended, or, while it is open, what comes next for it."""
    taken_back = [name for name, record in release.stages.items() if record.rolled_back is not None]
    if release.ending is Ending.DELIVERED and taken_back:
        return f"delivered, then rolled back at {', '.join(taken_back)}"
    if release.ending is not None:
        undeployed = release.ending is Ending.DELIVERED and not release.plan.deploys
        return "passed" if undeployed else release.ending
    if release.training is None:
        return "open: training"
    if release.verdict is None:
        return "open: to be judged"
    if release.paused_at is not None:
        return f"paused at {release.paused_at}"
    if release.waits_for is not None:
        return f"waits for {release.waits_for}"
    ahead = next((step.stage.name for step in release.plan.deploys if not release.serves(step.stage.name)), None)
    return f"open: going to {ahead}" if ahead else "open: to be closed"


def release(record: Release, events: Sequence[Event]) -> str:
    """One release: its plan, its verdict, and everything that happened."""
    lines = [
        f"release {record.id}: {end(record)}",
        *([f"  why        {record.why}"] if record.why else []),
        *([f"  took       {duration((record.closed - record.opened).total_seconds())}"] if record.closed else []),
        *([f"  version    {record.version}, digest {record.version.digest}"] if record.version else []),
        "",
        plan(record.plan),
    ]
    if record.training is not None:
        lines += ["", *_training(record.training)]
    if record.verdict is not None:
        lines += ["", f"gate: {record.verdict.outcome}, over {record.rows or 0:,} rows", *_findings(record.verdict)]
        if record.evidence:
            lines.append(f"  evidence   sha256 {record.evidence}")
    for name, stage in record.stages.items():
        for how, verdict in (("by name", stage.smoked), ("through the endpoint", stage.proven)):
            if verdict is not None:
                passed = sum(finding.outcome is Outcome.PASS for finding in verdict.findings)
                told = f"{verdict.outcome}, {passed} of {len(verdict.findings)} checks passed"
                lines += ["", f"smoke tests at {name}, {how}: {told}", *([] if verdict.passed else _findings(verdict))]
        for share, verdict in stage.watched.items():
            lines += ["", f"watched at {name}, {at_share(share)}: {verdict.outcome}", *_findings(verdict)]
    return "\n".join([*lines, "", *_happened(events)])


def _training(run: TrainingRun) -> list[str]:
    """The steps of the training with their logs, and the end of the log of one that failed."""
    lines = [f"training: {run.status.told}", f"  job        {run.job}, MLflow run {run.run_id or '-'}"]
    for step in run.steps:
        how = f"reused from {step.reused_from}" if step.reused_from else f"{duration(step.seconds)}  {step.log or ''}"
        if not step.status.ended:
            how = step.status.told
        sign = "✓" if step.status.succeeded else "✗" if step.status.ended else "·"
        why, _, log = (step.error or "").partition("\n")
        lines.append(f"  {sign} {step.name:<12} {how}{f': {why}' if why else ''}")
        lines += [f"      │ {line}" for line in log.splitlines()]
    return lines


def _happened(events: Sequence[Event]) -> list[str]:
    """Every event, under who did it and when."""
    lines = ["what happened"]
    above = ""
    for event in events:
        at = event.at.astimezone()
        who = f"  {at:%Y-%m-%d}, by {event.by}"
        if who != above:
            lines.append(who)
            above = who
        lines.append(f"    {at:%H:%M:%S}  {event.what.kind:<14} {_told(event)}".rstrip())
    return lines


def finding(found: Finding) -> str:
    """One line of an examination."""
    return f"{mark(found.outcome)[0]} {found.subject:<24} {found.says}"


def _findings(verdict: Verdict) -> list[str]:
    lines = []
    for finding in verdict.findings:
        aside = "" if finding.blocking else " (advisory)"
        lines.append(f"  {mark(finding.outcome)[0]} {finding.subject}: {finding.says}{aside}")
    return lines + [f"  · {note}" for note in verdict.notes]


_WORDS = ("stage", "deployment", "endpoint", "job", "version", "to", "ending")


def _told(event: Event) -> str:
    what = event.what
    words = [str(getattr(what, name)) for name in _WORDS if hasattr(what, name)]
    if hasattr(what, "run"):
        words.append(what.run.status.told)
    if hasattr(what, "traffic"):
        words.append(", ".join(f"{name} {percent}%" for name, percent in what.traffic.items() if percent))
    if hasattr(what, "verdict"):
        words.append(what.verdict.outcome)
    if hasattr(what, "who"):
        words.append(f"by {what.who}")
    why = getattr(what, "why", "") or getattr(what, "reason", "")
    if why:
        words.append(f"({why})" if words else why)
    return " ".join(words)


def _moment(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
