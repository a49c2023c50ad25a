"""What a job makes, kept in storage: outputs, logs, and the assets that outputs become."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.azure.jobs.records import Job, OutputAsset, Run, Step
from tests.azure.jobs.resources import Resources
from tests.azure.jobs.stored import put, put_files
from tests.azure.jobs.workshop import Jobs
from tests.azure.routing import Body, Refused

LOGS: Final = "workspaceartifactstore"
OUTPUTS: Final = "workspaceblobstore"

Types = Mapping[tuple[str, str], str]
"""Of a step's (name, output)."""


class Keeper:
    """Of one job. `register` runs on the event loop; the other methods block, and are for threads."""

    def __init__(self, jobs: Jobs, job: Job, resources: Resources | None = None) -> None:
        self.jobs = jobs
        self.job = job
        self.cloud = jobs.cloud
        self.resources = resources or Resources(jobs.cloud, jobs.workspace)

    def outputs(self, step: Step, place: Path, types: Types) -> None:
        """Into the store that the submission names, by default under azureml/{run}/{output}.

        `place` is where the engine has the step.
        """
        if step.reused is not None:
            step.outputs = dict(step.reused.outputs)
            return
        for output in self._outputs_of(step.name):
            made = place / "outputs" / output
            kind = types.get((step.name, output), "uri_folder")
            asset = self._asset(step, output, kind, file=made.is_file())
            where = self.resources.in_datastore(asset.datastore, asset.path)
            put_files(self.cloud.storage, where, made)
            step.outputs[output] = asset

    def _outputs_of(self, step: str) -> list[str]:
        return next(list(planned.outputs) for planned in self.jobs.plan(self.job.id).steps if planned.name == step)

    def _asset(self, step: Step, output: str, kind: str, *, file: bool) -> OutputAsset:
        wished = self._wish(step.name, output).get("uri")
        store, path = OUTPUTS, f"azureml/{step.id}/{output}"
        if wished:
            store, path = _split(wished.replace("${{name}}", step.id).replace("${{default_datastore}}", OUTPUTS))
        path = path.rstrip("/") + ("" if file else "/")
        part = "models" if kind.endswith("_model") else "data"
        workspace = self.jobs.workspace
        asset_id = (
            f"azureml://locations/{workspace.location}/workspaces/{workspace.workspace_id}/{part}"
            f"/azureml_{step.id}_output_data_{output}/versions/1"
        )
        return OutputAsset(kind, store, path, asset_id)

    def _wish(self, step: str, output: str) -> Body:
        """What the submission says of this output: of the job's own, if it is one."""
        wished: Body = self.job.submitted.get("outputs") or {}
        for name, made in self.jobs.plan(self.job.id).outputs.items():
            if (made.step, made.output) == (step, output) and wished.get(name):
                return dict(wished[name])
        return {}

    def logs(self) -> None:
        """Of all steps."""
        for step in self.job.steps.values():
            self.log(step)

    def log(self, run: Run) -> None:
        """Bring the run's log in storage up to date."""
        if isinstance(run, Step) and not run.reused:
            if run.log is None or not Path(run.log).is_file():
                return
            content = Path(run.log).read_bytes()
            name = "user_logs/std_log.txt"
        elif isinstance(run, Job) and run.pipeline:
            content = ("\n".join(run.log_lines) + "\n").encode()
            name = "logs/azureml/executionlogs.txt"
        else:
            return
        if len(content) != run.logged:
            where = self.resources.in_datastore(LOGS, f"ExperimentRun/dcid.{run.id}/{name}")
            put(self.cloud.storage, where, content)
            run.logged = len(content)

    async def register(self) -> None:
        """Outputs that were given a name become assets of it."""
        for name, output in (self.job.submitted.get("outputs") or {}).items():
            if output.get("assetName") and name in self.job.outputs:
                await self._register_one(self.job.outputs[name], output)

    async def _register_one(self, asset: OutputAsset, wished: Body) -> None:
        model = asset.kind.endswith("_model")
        part, api_version = ("models", "2023-08-01-preview") if model else ("data", "2023-04-01-preview")
        base = f"{self.jobs.workspace.arm_id}/{part}/{wished['assetName']}"
        version = wished.get("assetVersion") or await self._next_version(base, api_version)
        uri = self.jobs.uri(asset)
        properties: Body = (
            {"modelType": asset.kind, "modelUri": uri} if model else {"dataType": asset.kind, "dataUri": uri}
        )
        properties["description"] = wished.get("description")
        await self.resources.ask(
            "PUT", f"{base}/versions/{version}", api_version, json.dumps({"properties": properties}).encode()
        )

    async def _next_version(self, container: str, api_version: str) -> str:
        try:
            found = (await self.resources.ask("GET", container, api_version)).body
        except Refused:
            return "1"
        return str(found["properties"].get("nextVersion") or "1")


def _split(uri: str) -> tuple[str, str]:
    """Store and path of a datastore's URI."""
    rest = uri.partition("datastores/")[2]
    store, _, path = rest.partition("/")
    return store, path.removeprefix("paths/")
