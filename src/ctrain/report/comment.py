"""A report in Markdown: what a pull request and a job summary show.

Plots are drawn in characters: neither GitHub nor Azure DevOps shows SVG or `data:` images in a comment
(https://github.com/github/markup/issues/1065, https://github.com/gjtorikian/html-pipeline/pull/227).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ctrain.amounts import duration, size
from ctrain.gate import drawing
from ctrain.gate.picture import picture_of
from ctrain.report import words
from ctrain.report.harmless import block, clean, code, prose
from ctrain.report.report import Line, Report, StageLine, State, Step, Tone
from ctrain.verdict import Outcome

MARKS: dict[Tone, str] = {"good": "✅", "bad": "❌", "unsure": "⚠️", "open": "⏳"}
_SIGNS = {Outcome.PASS: "✅", Outcome.FAIL: "❌", Outcome.INCONCLUSIVE: "⚠️", Outcome.ERROR: "❌"}
_STAGES = {
    "serves": "✅ serves it",
    "ahead": "⏳ ahead",
    "waits": "✋ waits for a person",
    "under way": "⏳ under way",
    "paused": "✋ paused",
    "given up": "❌ given up",
    "taken back": "❌ rolled back",
    "not reached": f"{words.NONE} not reached",
}
_MOST_LINES = 60
_MOST_LOG = 2000
_WIDTH = 48
LEAST = 5_000
"""The fewest characters that a report can be held to: its first part has as many."""


@dataclass(frozen=True)
class _Part:
    """`name` is for the line that says what was left out; a part without one always stays."""

    name: str
    text: str
    weight: int


def markdown(report: Report, *, limit: int = 65_000) -> str:
    """The report within `limit` characters (at least LEAST): whole parts are left out, the least important first.

    GitHub takes 65,536 in a comment. Raises ValueError for a limit that is below LEAST.
    """
    if limit < LEAST:
        raise ValueError(f"a report has {LEAST:,} characters at least")
    parts = [part for part in _parts(report) if part.text]
    left_out: list[str] = []
    while len(made := _whole(parts, left_out, report)) > limit:
        least = max((part for part in parts if part.name), key=lambda part: part.weight)
        parts.remove(least)
        left_out.append(least.name)
    return made


def _whole(parts: Sequence[_Part], left_out: Sequence[str], report: Report) -> str:
    texts = [part.text for part in parts]
    if left_out:
        told = ", ".join(left_out)
        command = code(f"ctrain report {clean(report.release, 100)} --format html")
        texts.append(f"_Left out, for length: {told}. All of it: {command}_")
    return "\n\n".join(texts) + "\n"


def _parts(report: Report) -> Iterator[_Part]:
    yield _Part("", _head(report), 0)
    yield _Part("what has changed in the gate", "\n\n".join(_banners(report)), 0)
    yield _Part("the rules", "\n\n".join(filter(None, [_table(report.rules), _notes(report)])), 1)
    yield _Part("the worst slice", "\n\n".join(_worst(report)), 2)
    yield _Part("stages", _stages(report), 3)
    yield _Part("data and time", _data(report), 4)
    yield _Part("what comes next", _next(report), 5)
    yield _Part("how to reproduce it", _reproduce(report), 6)
    yield _Part("intervals", _folded("Intervals", _intervals(report)), 9)
    yield _Part("slices", _folded(f"Slices ({len(report.slices)})", _table(report.slices)), 8)
    yield _Part("logs", "\n\n".join(_logs(report)), 10)
    yield _Part("logged metrics", _folded("Metrics that the training logged", _metrics(report)), 11)
    yield _Part("links", _links(report), 7)


def _head(report: Report) -> str:
    mark = MARKS[report.state.tone]
    title = f"### ctrain · {prose(report.project, 80)} · {mark} {prose(str(report.headline), 300)}"
    return f"{title}\n\n{prose(report.summary)}{_about(report)}"


def _about(report: Report) -> str:
    if not report.release:
        return ""
    commit = code(report.commit[:7]) if report.commit else "no commit"
    branch = f" on {code(report.branch, 100)}" if report.branch else ""
    dirty = ", with changes that no commit holds" if report.dirty else ""
    so_far = " so far" if report.state in (State.RUNNING, State.WAITING) else ""
    took = f", {duration(report.seconds)}{so_far}" if report.seconds is not None else ""
    return f" Release {code(report.release, 100)}, {prose(report.trigger, 40)}, commit {commit}{branch}{dirty}{took}."


def _banners(report: Report) -> Iterator[str]:
    if report.policy is not None:
        relaxed, others = report.policy.relaxed, len(report.policy.changes) - len(report.policy.relaxed)
        shown = relaxed or report.policy.changes
        told = [f"{code(one.key, 80)} {prose(one.before, 60)} → {prose(one.after, 60)}" for one in shown[:6]]
        more = [f"and {len(shown) - 6} more"] if len(shown) > 6 else []
        word = "⚠️ **The gate was relaxed**" if relaxed else "**The gate was changed**"
        others_too = f"; {others} more key{'s' if others > 1 else ''} changed" if relaxed and others else ""
        since = f"since {code(report.policy.since, 100)}, which made the champion"
        yield f"> {word} {since}: {', '.join([*told, *more])}{others_too}."


def _table(lines: Sequence[Line]) -> str:
    """Rules, or slices. Where they are too many, those that did not pass come first."""
    if not lines:
        return ""
    shown = list(lines)
    if len(shown) > _MOST_LINES:
        shown = sorted(shown, key=lambda line: line.finding.outcome is Outcome.PASS)[:_MOST_LINES]
    interval = next((words.level(line) for line in lines if line.seen("confidence") is not None), "interval")
    rows = [
        f"| metric | champion | challenger | difference ({interval}) | rule | finding |",
        "|:--|--:|--:|--:|:--|:--|",
        *(_row(line) for line in shown),
    ]
    if len(lines) > len(shown):
        rows.append(f"| … | | | | and {len(lines) - len(shown)} more | |")
    return "\n".join(rows)


def _row(line: Line) -> str:
    finding = line.finding
    name = " ".join(
        part for part in (code(line.metric, 60, cell=True) if line.metric else "", prose(line.where, 120)) if part
    )
    champion = words.plain(line.seen("champion"))
    if line.opponent not in ("", "champion"):
        champion += f"<br>({prose(line.opponent, 40)})"
    said = f"{_SIGNS[finding.outcome]} {words.outcome_word(finding.outcome, blocking=finding.blocking)}"
    if finding.outcome is not Outcome.PASS or line.seen("challenger") is None:
        said += f": {prose(words.reason(line), 300)}"
    figures = (_figure(words.value(line)), _figure(words.difference(line)))
    cells = (name, champion, *figures, prose(line.asked, 120), said)
    return f"| {' | '.join(cells)} |"


def _figure(text: str) -> str:
    """A value, and below it its interval, in one piece."""
    return text.replace(" (", "<br>(").replace("…", "…\u2060")


def _worst(report: Report) -> Iterator[str]:
    worst = report.worst_slice
    if worst is not None:
        passed = worst.finding.outcome is Outcome.PASS
        rest = "" if passed else f" {prose(words.reason(worst), 300).capitalize()}."
        rows = f", n = {worst.rows:,}" if worst.rows is not None else ""
        weak = f", {words.power(worst)}" if words.power(worst) else ""
        told = f"{code(worst.metric, 60)} {words.difference(worst)}{rows}, {prose(worst.asked, 80)}{weak}"
        yield f"**Worst slice** {_SIGNS[worst.finding.outcome]} {prose(worst.where, 120)}: {told}.{rest}"
    small = sum(not line.compares and line.rows is not None for line in report.slices)
    if small:
        yield f"{small} slice{'s have' if small > 1 else ' has'} too few rows to be judged."
    if report.segments:
        found = [f"- {_SIGNS[line.finding.outcome]} {_segment(line)}" for line in report.segments[:5]]
        yield "**Weakest segments** (found on half of the rows, measured on the other; they decide nothing)\n\n" + (
            "\n".join(found)
        )


def _segment(line: Line) -> str:
    if not line.compares:
        return f"{prose(line.where, 120)}: {prose(line.finding.says, 300)}"
    rows = f", n = {line.rows:,}" if line.rows is not None else ""
    return f"{prose(line.where, 120)}: {code(line.metric, 60)} {words.difference(line)}{rows}, {prose(line.asked, 80)}"


def _notes(report: Report) -> str:
    """What the gate said of its own comparison, as sentences."""
    return " ".join(f"{prose(note[:1].upper() + note[1:])}." for note in report.notes[:5])


def _stages(report: Report) -> str:
    if not report.stages:
        return prose(report.ahead)
    if all(stage.state == "not reached" for stage in report.stages):
        return f"It would have gone to {prose(words.listed(tuple(stage.name for stage in report.stages)))}."
    rows = ["| stage | | how | watched and tested | time |", "|:--|:--|:--|:--|--:|"]
    rows += [_stage(stage) for stage in report.stages[:_MOST_LINES]]
    return "\n".join(rows)


def _stage(stage: StageLine) -> str:
    checks = [f"{_SIGNS[one.verdict.outcome]} {prose(one.what, 60)}" for one in stage.checks[:8]]
    why = f": {prose(stage.why, 300)}" if stage.why else ""
    approved = f" (approved by {prose(stage.approval, 120)})" if stage.approval else ""
    cells = (
        f"**{prose(stage.name, 60)}**",
        f"{_STAGES[stage.state]}{why}",
        f"{prose(stage.how, 120)}{approved}",
        "<br>".join(checks) or words.NONE,
        duration(stage.seconds) if stage.seconds is not None else words.NONE,
    )
    return f"| {' | '.join(cells)} |"


def _data(report: Report) -> str:
    lines = []
    if report.data is not None:
        data = report.data
        rows = f"{data.rows:,} rows, " if data.rows is not None else ""
        whole = f"{code(f'{data.name}:{data.version}', 100)} ({rows}{size(data.size)})"
        used = f"a sample of {whole}: {prose(data.sample, 120)}" if data.sample else f"all of {whole}"
        judged = f"; judged on {report.rows:,} rows" if report.rows else ""
        lines.append(f"**Data** {used}{judged}")
    if report.parameters:
        told = [code(f"{name}={value}", 80) for name, value in list(report.parameters.items())[:20]]
        lines.append(f"**Parameters** {', '.join(told)}")
    training = report.training
    if training is not None and training.steps:
        told = [_step(step) for step in training.steps[:20]]
        took = f", {duration(training.seconds)} in all" if training.seconds is not None else ""
        how = f"taken from {code(training.job, 100)}, which trained the same: " if training.adopted else ""
        saved = f"; reuse saved {duration(training.saved)}" if training.saved else ""
        lines.append(f"**Training** {how}{' · '.join(told)}{took}{saved}")
    spent = [f"{prose(one.name, 60)} {duration(one.seconds)}{'' if one.over else ' so far'}" for one in report.phases]
    if spent:
        lines.append(f"**Time** {' · '.join(spent[:20])}")
    return "\n".join(f"- {line}" for line in lines)


def _step(step: Step) -> str:
    if step.reused_from is not None:
        return f"{prose(step.name, 60)} reused from {code(step.reused_from, 80)}"
    if step.status == "Completed":
        return f"{prose(step.name, 60)} {duration(step.seconds)}"
    return f"{prose(step.name, 60)} **{prose(step.status.told)}**"


def _next(report: Report) -> str:
    if not report.next:
        return ""
    return f"**Next** {' · '.join(code(line, 200) for line in report.next)}"


def _reproduce(report: Report) -> str:
    if not report.reproduce:
        return ""
    dirty = " The tree had changes that no commit holds." if report.dirty else ""
    lines = "\n".join(clean(line, 300) for line in report.reproduce)
    return f"**Reproduce it on a laptop** (it deploys nothing).{dirty}\n\n{block(lines, 2000, 'sh')}"


def _intervals(report: Report) -> str:
    """The blocking rules' intervals against what they had to keep, in characters."""
    drawn = [(line, picture) for line in report.rules if (picture := picture_of(line.finding))][:12]
    lines = []
    for line, picture in drawn:
        lines += [
            clean(line.finding.subject, 60),
            f"  {drawing.bar(picture, _WIDTH)}",
            f"  {drawing.labels(picture, _WIDTH)}",
        ]
    legend = "░ where the interval must not be, ┃ its edge, ╎ no difference, ● measured"
    return block("\n".join([*lines, legend]), 8000) if lines else ""


def _logs(report: Report) -> Iterator[str]:
    for step in report.training.steps if report.training else ():
        if step.log:
            yield _folded(f"The end of the log of step {prose(step.name, 60)}", block(step.log, _MOST_LOG))
    for stage in report.stages:
        if stage.log:
            yield _folded(f"What the deployment at {prose(stage.name, 60)} printed last", block(stage.log, _MOST_LOG))


def _metrics(report: Report) -> str:
    metrics = report.training.metrics if report.training else {}
    told = [f"- {code(name, 100)} {words.logged(value)}" for name, value in list(metrics.items())[:_MOST_LINES]]
    return "\n".join(told)


def _links(report: Report) -> str:
    links = [f"[{prose(link.title, 60)}]({link.url})" for link in report.links[:12]]
    run = [f"MLflow run {code(report.training.run_id, 80)}"] if report.training and report.training.run_id else []
    record = [code(f"ctrain show {clean(report.release, 100)}")] if report.release else []
    return " · ".join([*links, *run, *record])


def _folded(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>" if text else ""
