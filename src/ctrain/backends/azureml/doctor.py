"""Looks at all that a release needs of Azure, before one needs it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ctrain.backends.azureml.examination import access, assets, room
from ctrain.backends.azureml.examination.checks import checked, failed, unchecked
from ctrain.backends.azureml.workspace import AzureSession, AzureWorkspace
from ctrain.project import Project
from ctrain.serving import WorkspaceAddress
from ctrain.verdict import Finding, Outcome


class AzureDoctor:
    """A Doctor for Azure ML. A check that cannot be made, for what another one found, says so."""

    def __init__(self, session: AzureSession) -> None:
        self._session = session

    def examine(self, project: Project) -> Iterator[Finding]:
        """Sign-in first, then the workspaces, then what is in each of them."""
        settings = project.backends.azureml
        signed_in = True
        for finding in access.sign_in(self._session):
            signed_in = signed_in and finding.outcome is Outcome.PASS
            yield finding
        if settings is None:
            yield failed("workspace", "ctrain.yaml names no workspace", "fill in `backends.azureml`")
        elif signed_in:
            yield from self._in_azure(project, settings.address)
        else:
            yield unchecked("workspace", "signing in comes first, and all the rest after it")

    def _in_azure(self, project: Project, own: WorkspaceAddress) -> Iterator[Finding]:
        """`own` is the project's workspace; stages may have others."""
        places = [(stage, stage.workspace or own) for stage in project.stages]
        reached: dict[WorkspaceAddress, AzureWorkspace] = {}
        for address in dict.fromkeys((own, *(address for _, address in places))):
            workspace = AzureWorkspace(address, self._session)
            finding = checked(f"workspace {address.workspace}", partial(_reach, workspace))
            if finding.outcome is Outcome.PASS:
                reached[address] = workspace
            yield finding
        yield from self._training(project, reached.get(own))
        known = [(stage, reached[address]) for stage, address in places if address in reached]
        for stage, workspace in known:
            needed = access.serving_actions(stage.auth_mode)
            yield access.permissions(f"permissions for {stage.name}", workspace, needed)
            if stage.rollout.watches:
                yield access.measurements(f"measurements of {stage.name}", workspace)
        yield from room.endpoints(known)
        yield from room.quota(known)
        for stage, address in places:
            if address not in reached:
                yield unchecked(f"stage {stage.name}", f"the workspace {address.workspace} cannot be reached")

    def _training(self, project: Project, workspace: AzureWorkspace | None) -> Iterator[Finding]:
        if workspace is None:
            yield unchecked("training", "the project's workspace cannot be reached")
            return
        yield access.permissions("permissions for training", workspace, access.training_actions())
        yield checked("store", partial(room.store, workspace))
        yield from assets.training(project, workspace)


def _reach(workspace: AzureWorkspace) -> str:
    facts = workspace.facts
    return f"in {workspace.address.resource_group}, {facts.location}"
