"""How a release ended, for the person who watched: what serves where, why, and a line to try it."""

from __future__ import annotations

import json

from ctrain.amounts import duration
from ctrain.cli.pages import end
from ctrain.cli.session import Session
from ctrain.cli.terminal import mark, say
from ctrain.errors import ExitCode
from ctrain.flow.judge import golden_of
from ctrain.flow.status import StageStatus, status
from ctrain.flow.under_way import not_restored
from ctrain.flow.way_out import way_out
from ctrain.release import Ending, Release
from ctrain.rollout import at_share
from ctrain.serving import Deployment, Endpoint
from ctrain.verdict import Verdict

_MOST_PICTURES = 6


def show_end(release: Release, s: Session) -> int:
    """Print the closing summary; returns the exit code."""
    s.noted.about(release)
    s.over()
    say()
    if release.ending is None:
        return _show_waiting(release)
    if s.journal.recorded == 0 and release.ending is not Ending.NOT_RESTORED:
        say("nothing to do: this commit, data and configuration have had their release", bold=True)
    color = {Ending.DELIVERED: "green", Ending.NEUTRAL: "yellow"}.get(release.ending, "red")
    took = f" in {duration((release.closed - release.opened).total_seconds())}" if release.closed else ""
    say(f"{release.id}: {end(release)}{took}", color=color, bold=True)
    say(f"  why        {release.why}")
    if release.verdict is not None and release.verdict.passed:
        passed = sum(finding.blocking for finding in release.verdict.findings)
        say(f"  gate       all {passed} blocking rules passed, over {release.rows or 0:,} rows")
    if release.verdict is not None:
        _show_pictures(release.verdict)
    for name, record in release.stages.items():
        if record.rolled_back is not None:
            say(f"  since      rolled back at {name}: {record.rolled_back}", color="yellow")
    stages = status(s.project.stages, s.at)
    if release.plan.deploys or release.ending is not Ending.DELIVERED:
        _show_stages(stages)
    if release.ending is Ending.TRAINING_FAILED:
        say("  next       run again to try once more, or commit a change")
    elif release.ending in (Ending.ROLLED_BACK, Ending.REJECTED, Ending.UNDECIDED, Ending.NEUTRAL):
        say("  next       commit a change and run again, or `ctrain run --fresh`")
    say(f"  record     ctrain show {release.id}")
    say(f"  logs       ctrain logs {release.id}")
    if release.ending is Ending.NOT_RESTORED:
        _show_commands(release, s)
    elif release.ending is Ending.DELIVERED and release.plan.deploys:
        _show_curl(release, stages[-1], s)
    return release.ending.exit_code


def _show_pictures(verdict: Verdict) -> None:
    """The blocking intervals against their margins, where they are few enough to be looked at."""
    from ctrain.gate import drawing
    from ctrain.gate.picture import picture_of

    drawn = [(one, picture) for one in verdict.findings if one.blocking and (picture := picture_of(one))]
    if not 0 < len(drawn) <= _MOST_PICTURES:
        return
    wide = max(len(finding.subject) for finding, _ in drawn)
    for finding, picture in drawn:
        sign, color = mark(finding.outcome)
        say(f" {finding.subject:<{wide}}  {drawing.bar(picture, 40)}", color=color, lead=f"    {sign}")


def show_verdict(judged: Release | Verdict) -> None:
    """Print a verdict in one line; its findings were told as they came."""
    verdict = judged.verdict if isinstance(judged, Release) else judged
    if verdict is None:
        return
    sign, color = mark(verdict.outcome)
    of = f"{judged.id}: the gate says " if isinstance(judged, Release) else ""
    say(f"{sign} {of}{verdict.outcome}", color=color, bold=True)
    if isinstance(judged, Verdict):
        for finding in verdict.findings:
            sign, color = mark(finding.outcome)
            say(f"  {sign} {finding.subject}: {finding.says}", color=color)


def _show_waiting(release: Release) -> int:
    if release.paused_at is not None:
        return _show_paused(release, release.paused_at)
    stage = release.waits_for or "?"
    say(f"{release.id} waits for a person to let it go to {stage}", color="yellow", bold=True)
    say(f"  approve    ctrain approve {release.id} --stage {stage} --reason ..., and run again")
    say(f"  or         ctrain deploy --to {stage} {release.id}")
    return ExitCode.UNDECIDED


def _show_paused(release: Release, stage: str) -> int:
    record = release.stages[stage]
    say(f"{release.id} is paused at {stage}, {at_share(record.halted or 0)}", color="yellow", bold=True)
    say(f"  why        {record.paused or 'its step says `pause`'}")
    say(f"  go on      ctrain rollout resume {stage}")
    say(f"  or         ctrain rollout abort {stage}")
    say(f"  see        ctrain rollout status {stage}")
    return ExitCode.UNDECIDED


def _show_stages(stages: tuple[StageStatus, ...]) -> None:
    for stage in stages:
        say(f"  {stage.stage:<10} {_serving(stage)}")


def _serving(stage: StageStatus) -> str:
    serving = [now for now in stage.deployments if now.percent]
    if stage.endpoint is None or not serving:
        return "serves nothing"
    what = ", ".join(
        f"{now.deployment.model}:{now.deployment.model_version} "
        f"({now.percent}%, commit {now.commit[:7] or 'unknown'}{_ailing(stage.endpoint, now.deployment)})"
        for now in serving
    )
    return f"serves {what}   {stage.endpoint.scoring_url}"


def _ailing(endpoint: Endpoint, deployment: Deployment) -> str:
    if not endpoint.running:
        return f", DOWN: `{endpoint.start_command}` starts it"
    return "" if deployment.healthy else ", NOT READY"


def _show_curl(release: Release, stage: StageStatus, s: Session) -> None:
    golden = golden_of(release.id, s.journal)
    if stage.endpoint is None or golden is None or not golden.rows:
        return
    body = json.dumps(json.loads(golden.body(0, 1))).replace("'", "'\\''")
    say("  try it")
    say(f"    curl -s {stage.endpoint.scoring_url} -H 'Content-Type: application/json' \\")
    say(f'      -H "Authorization: Bearer $({stage.endpoint.key_command})" \\')
    say(f"      -d '{body}'")


def _show_commands(release: Release, s: Session) -> None:
    say("  act now: a stage serves neither the new version nor, as it should, the old one", color="red", bold=True)
    for stage in s.project.stages:
        if not_restored(release, stage):
            for command in way_out(release, stage, s.at.serving(stage).look(stage.endpoint), s.at.ledger):
                say(f"    {command}")
