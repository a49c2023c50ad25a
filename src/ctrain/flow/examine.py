"""Whether everything is there that a release will need: the pipeline, then what the backend needs."""

from __future__ import annotations

from collections.abc import Iterator

from ctrain.errors import CtrainError
from ctrain.flow.prepare import check_pipeline
from ctrain.ports import Backend
from ctrain.project import Project
from ctrain.training import TrainingSpec
from ctrain.verdict import Finding, Outcome


def examine(project: Project, at: Backend) -> Iterator[Finding]:
    """One finding a check, as it is made. What is wrong is a finding; nothing is changed."""
    yield _pipeline(project, at)
    yield from at.doctor.examine(project)


def wrong(subject: str, error: CtrainError) -> Finding:
    """An error, as a finding that ends with the fix."""
    where = f"{error.at}: " if error.at else ""
    return Finding(subject, Outcome.FAIL, f"{where}{error.what}: {error.why}: {error.hint}")


def _pipeline(project: Project, at: Backend) -> Finding:
    try:
        pipeline = check_pipeline(project, any_job=at.any_job)
        at.trainer.check(TrainingSpec("doctor", project.pipeline, project.parameters, project.name, "doctor"))
    except CtrainError as error:
        return wrong("pipeline", error)
    return Finding("pipeline", Outcome.PASS, f"{pipeline.file.name} has all that {project.file.name} names")
