"""Looking at a job again and again for as few requests as it takes.

A job that runs costs one request a look: in turn the job itself, and its steps. Where a step has not ended, neither
has the job, so that its state need not be asked for; once all that are known have ended, both are. What an ended job
led to (outputs, metrics, the ends of logs) is asked for once and remembered, as it does not change any more.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ctrain.backends.azureml.history import History, Run
from ctrain.backends.azureml.jobs import Job, find_job
from ctrain.backends.azureml.logs import Logs
from ctrain.backends.azureml.metrics import logged
from ctrain.backends.azureml.outputs import Outputs
from ctrain.backends.azureml.states import NOT_BEGUN
from ctrain.backends.azureml.steps import Children, inner_pipelines, named_runs, step_runs
from ctrain.backends.azureml.workspace import AzureWorkspace
from ctrain.errors import CtrainError
from ctrain.secrecy import without_secrets
from ctrain.training import JobStatus, StepRun, TrainingRun


@dataclass
class _Seen:
    """What is known of a job. `steps_next` says whose turn it is."""

    job: Job
    children: Children = field(default_factory=dict)
    steps_next: bool = False
    ended: TrainingRun | None = None


class Watch:
    """Looks at the jobs of one workspace."""

    def __init__(self, workspace: AzureWorkspace) -> None:
        self._workspace = workspace
        self._seen: dict[str, _Seen] = {}

    def look(self, name: str) -> TrainingRun | None:
        """The job as it is now, or None where there is none."""
        seen = self._seen.get(name)
        if seen is not None and seen.ended is not None:
            return seen.ended
        if seen is not None and seen.steps_next and self._still_going(seen):
            return self._told(seen)
        job = find_job(self._workspace.arm, name)
        if job is None:
            self._seen.pop(name, None)
            return None
        if seen is None:
            seen = self._seen[name] = _Seen(job)
            if job.status not in NOT_BEGUN and not job.status.ended:
                self._still_going(seen)
        seen.job, seen.steps_next = job, job.pipeline and job.status not in NOT_BEGUN
        if job.status.ended:
            seen.ended = self._ended(seen)
            return seen.ended
        return self._told(seen)

    def runs(self, name: str) -> dict[str, Run]:
        """The runs of the job's steps by the steps' names; none where there is no such job."""
        self.look(name)
        seen = self._seen.get(name)
        return named_runs(seen.job, seen.children) if seen is not None else {}

    def _still_going(self, seen: _Seen) -> bool:
        """Look at the steps; whether what is known of the job still holds.

        While a step has not ended the job has not either. Where there are no steps yet the job's own turn comes next.
        """
        seen.steps_next = False
        try:
            self._read_steps(seen)
        except CtrainError:  # news only, while it runs; at its end they are needed, and asked for again
            return False
        steps = [run for runs in seen.children.values() for run in runs]
        return not steps or any(not run.status.ended for run in steps)

    def _read_steps(self, seen: _Seen) -> None:
        if not seen.job.pipeline:
            return
        history = History(self._workspace.region)
        children = {seen.job.name: history.children(seen.job.name)}
        waiting = list(inner_pipelines(seen.job, children[seen.job.name]))
        while waiting:
            run = waiting.pop()
            known = seen.children.get(run.id, ())
            done = bool(known) and run.status.ended and all(one.status.ended for one in known)
            children[run.id] = known if done else history.children(run.id)
            waiting += inner_pipelines(replace(seen.job, nodes=()), children[run.id])
        seen.children = children

    def _told(self, seen: _Seen) -> TrainingRun:
        job = seen.job
        return TrainingRun(
            job=job.name,
            status=job.status,
            run_id=job.name,
            steps=self._steps(seen),
            submitted=job.submitted,
            log=job.studio,
        )

    def _steps(self, seen: _Seen) -> tuple[StepRun, ...]:
        own = seen.job.studio or ""

        def studio(run: str) -> str | None:
            return own.replace(f"/runs/{seen.job.name}", f"/runs/{run}") or None

        return step_runs(seen.job, seen.children, self._workspace.clock.now(), studio)

    def _ended(self, seen: _Seen) -> TrainingRun:
        """All of a job that does not change any more."""
        job = seen.job
        self._read_steps(seen)
        region = self._workspace.region
        root = History(region).run(job.source)
        steps = tuple(self._with_log(seen, step) for step in self._steps(seen))
        return replace(
            self._told(seen),
            steps=steps,
            outputs=Outputs(self._workspace).places(job, root) if job.status is JobStatus.COMPLETED else {},
            metrics=logged(region, job.name, named_runs(job, seen.children), seen.children),
            ended=root.ended if root else None,
            error=_error(job, root, steps),
        )

    def _with_log(self, seen: _Seen, step: StepRun) -> StepRun:
        """A failed step with the end of its log after what Azure says of it."""
        if step.status is not JobStatus.FAILED:
            return step
        end = Logs(self._workspace).end(named_runs(seen.job, seen.children)[step.name].source)
        said = step.error or "it failed"
        told = not end or end.splitlines()[-1] in said  # Azure itself often ends its message with the log's end
        return replace(step, error=said if told else f"{said}\n{end}")


def _error(job: Job, root: Run | None, steps: tuple[StepRun, ...]) -> str | None:
    if job.status.succeeded:
        return None
    failed = next((step for step in steps if step.error), None)
    if failed is not None:
        return f"the step {failed.name} failed: {failed.error}"
    return without_secrets(root.error) if root and root.error else None
