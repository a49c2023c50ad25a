"""Open an Azure ML workspace, and those of the stages. Opening sends nothing: signing in comes with the first call."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from ctrain.backends.azureml.data import AzureData
from ctrain.backends.azureml.doctor import AzureDoctor
from ctrain.backends.azureml.ledger import AzureLedger
from ctrain.backends.azureml.registry import AzureRegistry
from ctrain.backends.azureml.serving.port import ROUTE_SECONDS, AzureServing
from ctrain.backends.azureml.serving.telemetry import AzureTelemetry
from ctrain.backends.azureml.trainer import PACE, AzureTrainer
from ctrain.backends.azureml.workspace import AzureSession, AzureWorkspace
from ctrain.errors import ProjectError
from ctrain.ports import Backend, Clock
from ctrain.project import Project
from ctrain.serving import AuthMode, WorkspaceAddress


def connect_azureml(
    project: Project,
    clock: Clock,
    say: Callable[[str], None],
    run_url: str = "",
    hide: Callable[[str], object] = lambda _: None,
) -> Backend:
    """The backend in the project's workspace. Raises ProjectError for what Azure ML cannot do with the file."""
    settings = project.backends.azureml
    if settings is None:
        raise ProjectError(
            "the azureml backend is not configured",
            why=f"{project.file.name} has no `backends.azureml`",
            hint="add it with subscription_id, resource_group and workspace",
        )
    _refuse_scoring_without_environment(project)
    session = AzureSession(clock, tell=say, hide=hide)

    @cache
    def workspace(address: WorkspaceAddress) -> AzureWorkspace:
        return AzureWorkspace(address, session)

    @cache
    def serving(address: WorkspaceAddress, auth_mode: AuthMode, identity: tuple[str, ...]) -> AzureServing:
        return AzureServing(workspace(address), auth_mode, identity)

    own = workspace(settings.address)
    return Backend(
        name="azureml",
        trainer=AzureTrainer(own),
        registry=AzureRegistry(own, workspace, settings.registry, project.name),
        serving=lambda stage: serving(stage.workspace or settings.address, stage.auth_mode, stage.identity),
        data=AzureData(own, settings.compute, project.pipeline),
        ledger=AzureLedger(own, project.name, run_url),
        clock=clock,
        doctor=AzureDoctor(session),
        pace=PACE,
        any_job=True,
        route_seconds=ROUTE_SECONDS,
        telemetry=lambda stage: AzureTelemetry(workspace(stage.workspace or settings.address)),
    )


def _refuse_scoring_without_environment(project: Project) -> None:
    for stage in project.stages:
        scoring = stage.deployment.scoring
        if scoring is not None and scoring.environment is None:
            raise ProjectError(
                f"{stage.name} has a scoring script without an environment",
                why="Azure ML runs it in a container, which has to be told what the script needs",
                hint="add `environment` to `scoring`: a conda file, or `azureml:name:version`",
            )
