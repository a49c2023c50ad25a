"""The first line that a person reads: how it stands, and the number that says so."""

from __future__ import annotations

from ctrain.gate import GateSettings
from ctrain.release import Ending, Release
from ctrain.report import words
from ctrain.report.report import Headline, Line, State
from ctrain.training import TrainingRun
from ctrain.verdict import Outcome


def state_of(release: Release | None) -> State:
    """How far the release has come; None is no release."""
    if release is None:
        return State.NOTHING
    match release.ending:
        case None:
            return State.WAITING if release.waits_for or release.paused_at else State.RUNNING
        case Ending.DELIVERED:
            if any(record.rolled_back is not None for record in release.stages.values()):
                return State.ROLLED_BACK
            return State.DELIVERED if release.plan.deploys else State.PASSED
        case Ending.REJECTED:
            return State.REJECTED
        case Ending.UNDECIDED:
            return State.UNDECIDED
        case Ending.NEUTRAL:
            return State.INCONCLUSIVE
        case Ending.TRAINING_FAILED:
            return State.FAILED
        case Ending.ROLLED_BACK:
            return State.ROLLED_BACK
        case Ending.NOT_RESTORED:
            return State.NOT_RESTORED


def headline(release: Release, lines: tuple[Line, ...], running: TrainingRun | None) -> Headline:
    """How it stands, then the number of the rule that decided, where the gate has spoken."""
    verdict = _verdict(release, lines)
    match state_of(release):
        case State.FAILED:
            return Headline("training failed", failure(release.training) or release.why or "the job did not complete")
        case State.RUNNING:
            return Headline(f"still running: {_now(release, running)}", str(verdict), "; ")
        case State.WAITING if release.paused_at:
            return Headline(f"paused at {release.paused_at}, for a person to let it go on", str(verdict), "; ")
        case State.WAITING:
            return Headline(f"waits for a person at {release.waits_for}", str(verdict), "; ")
        case State.ROLLED_BACK:
            return Headline(f"rolled back at {words.listed(_taken_back(release)) or 'a stage'}", _why(release))
        case State.NOT_RESTORED:
            return Headline("act now, serving could not be restored", release.why)
        case _:
            return verdict


def failure(run: TrainingRun | None) -> str:
    """The first step that failed, and why, without its log."""
    if run is None:
        return ""
    for step in run.steps:
        if step.status.ended and not step.status.succeeded:
            return f"{step.name}: {(step.error or step.status.told).partition(chr(10))[0]}"
    return (run.error or "").partition("\n")[0]


def _now(release: Release, running: TrainingRun | None) -> str:
    if release.training is None:
        at = [step.name for step in running.steps if not step.status.ended] if running else []
        return f"training ({at[0]})" if at else "training"
    if release.verdict is None:
        return "to be judged"
    ahead = next((step.stage.name for step in release.plan.deploys if not release.serves(step.stage.name)), None)
    return f"going to {ahead}" if ahead else "to be closed"


def _taken_back(release: Release) -> tuple[str, ...]:
    stages = release.stages.items()
    taken = tuple(name for name, record in stages if record.rolled_back is not None or record.restored)
    return taken or tuple(name for name, record in stages if record.rejected is not None)


def _why(release: Release) -> str:
    for record in release.stages.values():
        if record.rolled_back is not None:
            return record.rolled_back
    names = _taken_back(release)
    return release.why.removeprefix(f"{names[0]}: ") if names else release.why


def _verdict(release: Release, lines: tuple[Line, ...]) -> Headline:
    if release.verdict is None:
        return Headline("")
    outcome = release.verdict.outcome
    line = deciding(lines, outcome)
    if line is None:
        return Headline("nothing was judged")
    match outcome:
        case Outcome.PASS:
            return Headline(_kind(line, release.plan.gate), _number(line))
        case Outcome.FAIL:
            return Headline("rejected", _number(line))
        case Outcome.INCONCLUSIVE:
            more = words.would_decide(line)
            return Headline("inconclusive", "; ".join(filter(None, (_number(line), more))))
        case Outcome.ERROR:
            return Headline("could not be judged", f"{line.finding.subject}: {line.finding.says}")


def deciding(lines: tuple[Line, ...], outcome: Outcome) -> Line | None:
    """The blocking finding that made the verdict: a comparison with the champion before a limit or a slice."""
    blocking = [line for line in lines if line.finding.blocking and line.finding.outcome is outcome]
    against = [line for line in blocking if line.about == "rule" and line.opponent == "champion"]
    return next(iter([*against, *(line for line in blocking if line.about == "rule"), *blocking]), None)


def _kind(line: Line, gate: GateSettings) -> str:
    if line.opponent != "champion" or line.metric not in gate.metrics:
        return "all limits kept"
    match gate.metrics[line.metric].rule:
        case "superior":
            return "better"
        case "equivalent":
            return "equivalent"
        case "non_inferior" | "absolute":
            return "non-inferior"


def _number(line: Line) -> str:
    """`auc +0.0012, 95% CI from..to, margin 0.005, n = 12,431`."""
    if line.seen("challenger") is None:
        return f"{line.finding.subject}: {line.finding.says}"
    about = f"{line.metric or line.finding.subject}{f', {line.where}' if line.where else ''}"
    value = words.told(line, "difference" if line.compares else "challenger")
    parts = [f"{about} {value}"]
    if line.seen("low") is not None:
        parts.append(f"{words.level(line)} {words.interval(line)}")
    margin = line.seen("margin")
    if line.compares and margin is not None:
        parts.append(f"margin {margin:.2%}" if line.seen("relative") else f"margin {margin:g}")
    parts += [f"{word} {limit:g}" for word in ("floor", "ceiling") if (limit := line.seen(word)) is not None]
    return ", ".join([*parts, *([f"n = {line.rows:,}"] if line.rows is not None else [])])
