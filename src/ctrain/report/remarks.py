"""What is to be shown where it comes from: annotations and SARIF results are made of these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ctrain.document import Document, Keys
from ctrain.errors import CtrainError, Location, ProjectError
from ctrain.report.cause import cause
from ctrain.report.report import Level, Line, PolicyChange, Remark, StageLine, Training
from ctrain.verdict import Outcome


@dataclass(frozen=True)
class Places:
    """The project's files as they are now; None for one that cannot be read. `root` is the repository's folder.

    `code` has the files that each of the training's steps runs, by its name; they matter where a step failed.
    """

    root: Path | None = None
    project: Document | None = None
    pipeline: Document | None = None
    code: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)

    def of(self, document: Document | None, keys: Keys) -> tuple[str | None, int | None]:
        """The file, relative to the repository, and the line of these keys, or of what would hold them."""
        return (None, None) if document is None else self.relative(document.at(*keys))

    def relative(self, at: Location | None) -> tuple[str | None, int | None]:
        """Nowhere, for what is outside of the repository."""
        if at is None or self.root is None:
            return None, None
        file, root = at.file.resolve(), self.root.resolve()
        return (file.relative_to(root).as_posix(), at.line) if file.is_relative_to(root) else (None, None)

    @property
    def folder(self) -> str:
        """The project's folder, relative to the repository; empty where it is the same."""
        if self.project is None or self.root is None:
            return ""
        file, root = self.project.file.resolve(), self.root.resolve()
        return file.parent.relative_to(root).as_posix().removeprefix(".") if file.is_relative_to(root) else ""


def remarks_of(
    lines: tuple[Line, ...],
    policy: PolicyChange | None,
    training: Training | None,
    stages: tuple[StageLine, ...],
    places: Places,
) -> Iterator[Remark]:
    """Of what went wrong, and of what a person should know, the worst first within each part."""
    yield from _training(training, places)
    yield from _lines(lines, places)
    yield from _stages(stages, places)
    for change in policy.relaxed if policy else ():
        text = f"{change.before} → {change.after}, since the champion was judged in {policy.since if policy else ''}"
        at = places.of(places.project, tuple(change.key.split(".")))
        yield Remark("warning", f"gate relaxed: {change.key}", text, "gate-relaxed", *at)


def remarks_of_error(error: CtrainError, places: Places) -> tuple[Remark, ...]:
    """What ctrain refused, each where it stands; what stands nowhere is shown without a place."""
    problems = error.problems if isinstance(error, ProjectError) else (error,)
    rule = type(error).__name__
    return tuple(
        Remark("error", problem.what, f"{problem.why}. {problem.hint}", rule, *places.relative(problem.at))
        for problem in problems
    )


def _lines(lines: tuple[Line, ...], places: Places) -> Iterator[Remark]:
    found = [(line, level) for line in lines if (level := _level(line)) is not None]
    for line, level in sorted(found, key=lambda one: ("error", "warning", "notice").index(one[1])):
        title = f"{line.finding.subject}: {line.finding.outcome}"
        yield Remark(level, title, line.finding.says, _rule(line), *places.of(places.project, _keys(line)))


def _level(line: Line) -> Level | None:
    bad = line.finding.outcome in (Outcome.FAIL, Outcome.ERROR)
    if not line.finding.blocking:
        return "notice" if bad else None
    return "error" if bad else None if line.finding.outcome is Outcome.PASS else "warning"


def _rule(line: Line) -> str:
    return f"gate/{line.metric}" if line.metric else f"gate/{line.about}"


def _keys(line: Line) -> Keys:
    match line.about:
        case "rule":
            return ("gate", "metrics", line.metric, *_part(line))
        case "slice":
            return ("gate", "slices")
        case "segment":
            return ("gate", "segments")
        case "other":
            return ("evaluation",) if line.finding.subject == "evaluation" else ("gate",)


def _part(line: Line) -> Keys:
    return next(((word,) for word in ("floor", "ceiling") if line.finding.subject == f"{line.metric} {word}"), ())


def _training(training: Training | None, places: Places) -> Iterator[Remark]:
    for step in training.steps if training else ():
        if step.status in ("Failed", "Canceled"):
            broke = cause(step.log, places.code.get(step.name, ()))
            at = places.relative(broke) if broke else places.of(places.pipeline, ("jobs", step.name.split(".")[0]))
            yield Remark("error", f"step {step.name}: {step.status.told}", step.why or "it has no log", "train", *at)


def _stages(stages: tuple[StageLine, ...], places: Places) -> Iterator[Remark]:
    for stage in stages:
        for checked in stage.checks:
            section = "rollout" if checked.what.startswith("watched") else "smoke"
            at = places.of(places.project, ("stages", stage.name, section))
            for finding in checked.verdict.findings:
                if finding.outcome is not Outcome.PASS and finding.blocking:
                    level: Level = "warning" if finding.outcome is Outcome.INCONCLUSIVE else "error"
                    title = f"{stage.name}, {checked.what}: {finding.subject}"
                    yield Remark(level, title, finding.says, f"stages/{stage.name}/{section}", *at)
        if stage.state in ("given up", "taken back"):
            at = places.of(places.project, ("stages", stage.name))
            yield Remark("error", f"{stage.name}: {stage.state}", stage.why, f"stages/{stage.name}", *at)
