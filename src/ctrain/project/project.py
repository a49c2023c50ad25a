"""A project: what `ctrain.yaml` comes to once it is checked and everything left out is filled in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from os.path import relpath
from pathlib import Path

from ctrain.document import nearest
from ctrain.errors import UsageError
from ctrain.gate import EvaluationSettings, GateSettings
from ctrain.project.settings import (
    BackendName,
    BackendsSettings,
    DataSettings,
    DataUse,
    ModelSettings,
    OnCancel,
    ProjectFile,
    StageSettings,
    Trigger,
    TriggerSettings,
)
from ctrain.rollout import Stage
from ctrain.serving import WorkspaceAddress
from ctrain.training import Scalar


@dataclass(frozen=True)
class TriggerRule:
    """What a trigger leads to: which data, to which stages in order, and the parameters of the pipeline.

    `on_cancel` is what becomes of a training whose run is interrupted.
    """

    data: DataUse
    deploy: tuple[str, ...]
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    on_cancel: OnCancel = "detach"


@dataclass(frozen=True, kw_only=True)
class Project:
    """`file` and `pipeline` are absolute; `stages` are in order, each with its complete deployment settings,
    whose paths are absolute, too."""

    file: Path
    name: str
    pipeline: Path
    branch: str = "main"
    data: DataSettings
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    model: ModelSettings
    evaluation: EvaluationSettings
    gate: GateSettings
    triggers: Mapping[Trigger, TriggerRule]
    stages: tuple[Stage, ...] = ()
    backend: BackendName = "local"
    backends: BackendsSettings = field(default_factory=BackendsSettings)

    @property
    def root(self) -> Path:
        """The folder that paths in the file are relative to."""
        return self.file.parent

    def trigger(self, trigger: Trigger) -> TriggerRule:
        return self.triggers[trigger]

    def stage(self, name: str) -> Stage:
        """Raises UsageError, naming the stages there are."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        names = [stage.name for stage in self.stages]
        meant = nearest(name, names)
        raise UsageError(
            f"there is no stage {name!r}",
            why=f"the stages of {self.name} are {', '.join(names)}" if names else f"{self.name} has no stages",
            hint=f"did you mean {meant!r}?" if meant else f"name one of them, or add it to {self.file.name}",
        )

    def data_reference(self, backend: str) -> str:
        """Where the data set is for that backend: an absolute path, or `azureml:name@label`.

        Raises UsageError where the file does not say.
        """
        if backend != "azureml":
            local = self.data.local
            return local if local.startswith("azureml:") else str(self.root / local)
        if self.data.azureml is None:
            raise UsageError(
                "the data set is not known on Azure ML",
                why=f"{self.file.name} has no `data.azureml`",
                hint="add it, such as `azureml: azureml:visits@latest`",
            )
        return self.data.azureml

    @property
    def policy_digest(self) -> str:
        """A sha256 over what a release is judged by: gate, evaluation and stages. Alike on every machine."""
        policy = [asdict(self.evaluation), asdict(self.gate), [_portable(stage, self.root) for stage in self.stages]]
        canonical = json.dumps(policy, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()


def _portable(stage: Stage, root: Path) -> dict[str, object]:
    """The stage with its paths relative to the project again."""
    scoring = stage.deployment.scoring
    if scoring is not None:
        environment = scoring.environment
        if environment is not None and Path(environment).is_absolute():
            environment = relpath(environment, root)
        scoring = replace(scoring, code=relpath(scoring.code, root), environment=environment)
    return asdict(replace(stage, deployment=replace(stage.deployment, scoring=scoring)))


def rule_of(trigger: Trigger, written: TriggerSettings, stages: tuple[str, ...]) -> TriggerRule:
    """What the file says, completed.

    Left out, a pull request trains on the sample and deploys nothing; any other trigger trains on all the data
    and deploys to all stages. A pull request's run is interrupted because it was superseded, mostly, and its training
    is cancelled then; any other's goes on.
    """
    proposal = trigger is Trigger.PULL_REQUEST
    return TriggerRule(
        data=written.data or (DataUse.SAMPLE if proposal else DataUse.FULL),
        deploy=written.deploy if written.deploy is not None else (() if proposal else stages),
        parameters=written.parameters,
        on_cancel=written.on_cancel or ("cancel" if proposal else "detach"),
    )


def workspace_of(file: ProjectFile, stage: StageSettings) -> WorkspaceAddress | None:
    """The stage's own workspace; None where it is the project's, or where the project has none."""
    project, own = file.backends.azureml, stage.azureml
    if project is None or own is None:
        return None
    address = WorkspaceAddress(
        own.subscription_id or project.subscription_id,
        own.resource_group or project.resource_group,
        own.workspace or project.workspace,
    )
    return address if address != project.address else None
