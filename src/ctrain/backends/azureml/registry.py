"""Models in the workspace's registry: explicit versions, registered once for each content.

Which versions there are is what Azure ML lists, archived ones with them: what is archived is out of sight and not gone,
may well serve, and its number is taken. ctrain archives nothing and deletes nothing.

The champion is a blob that holds the whole version that was crowned: read in one call, and changed at once or not at
all, only where it is still what we read (`If-Match`). A tag of the model in Azure ML could do neither: a PUT there
replaces all of a resource, unconditionally. A champion whose version somebody has deleted stays the champion, so that a
challenger fails to be compared instead of winning unopposed. Tags on the versions show in the Studio what was crowned,
and which stages a version was brought to; they are for the eye, and nothing depends on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from ctrain.backends.azureml.blobs import Kept, read, swap
from ctrain.backends.azureml.bodies import Json, section
from ctrain.backends.azureml.models import (
    CHAMPION,
    MODELS,
    STAGE,
    Record,
    digest_of,
    number_of,
    path_of,
    project_in,
    resource,
    tags_of,
    version_in,
    version_of,
    written,
)
from ctrain.backends.azureml.promotion import SharedRegistry, copied
from ctrain.backends.azureml.shelf import Shelf, file_pieces
from ctrain.backends.azureml.workspace import AzureWorkspace
from ctrain.errors import Conflict, CtrainError, PlatformUnavailable, UsageError
from ctrain.rollout import Stage
from ctrain.serving import WorkspaceAddress
from ctrain.version import Lineage, ModelVersion

RACES: Final = 100
"""How many numbers others may take before us while we register one version."""


class AzureRegistry:
    """The Registry of the Azure ML backend. `at` opens a stage's workspace; `registry` names the Azure ML registry, if
    models go to other workspaces through one. `project` is whose champions these are."""

    def __init__(
        self,
        workspace: AzureWorkspace,
        at: Callable[[WorkspaceAddress], AzureWorkspace],
        registry: str | None = None,
        project: str = "",
    ) -> None:
        self._workspace = workspace
        self._at = at
        self._project = project
        self._shared = SharedRegistry(workspace, registry) if registry else None

    def champion(self, model: str) -> ModelVersion | None:
        """In one call. Raises UsageError where the name is another project's."""
        return self._crowned(model, read(self._workspace.blobs, Shelf(self._workspace, model).champion))

    def _crowned(self, model: str, kept: Kept | None) -> ModelVersion | None:
        """Two projects with one name for their models would take each other's champion for their own."""
        found = _crowned(kept)
        owner = project_in(kept.content) if kept and found else ""
        if owner and self._project and owner != self._project:
            raise UsageError(
                f"the model {model} is the project {owner}'s",
                why=f"that project serves its champion {found}, in the same workspace {self._workspace.address}",
                hint="choose another `model.name` for one of the two projects",
            )
        return found

    def versions(self, model: str) -> list[ModelVersion]:
        """All versions that have a number, in one call for each page; also those that others registered."""
        shelf = Shelf(self._workspace, model)
        found = {number: body for body in self._bodies(model) if (number := number_of(body)) is not None}
        return [version_of(model, number, found[number], shelf.recorded) for number in sorted(found)]

    def register(self, model: str, files: Path, digest: str, lineage: Lineage) -> ModelVersion:
        """Give a model, a folder or a single file, a version; the same digest again returns the version that has it.

        The files are in the default datastore before the version exists. Raises Conflict where they do not have that
        digest.
        """
        shelf = Shelf(self._workspace, model)
        record = shelf.record(files, digest, lineage)
        known = self.versions(model)
        for version in known:
            if version.digest == digest:
                return version
        shelf.fill(record, file_pieces(files))
        return self._numbered(shelf, record, {version.version for version in known})

    def _numbered(self, shelf: Shelf, record: Record, taken: set[int]) -> ModelVersion:
        """A number of its own for this content, claimed and then registered; `taken` are those that others have."""
        claims = dict(shelf.claims())
        for _ in range(RACES):
            number = next(
                (n for n, digest in sorted(claims.items()) if digest == record.digest and n not in taken), None
            )
            if number is None:
                number = max({0, *claims, *taken}) + 1
            if not shelf.claim(number, record):
                claims[number] = ""
                continue
            # Whoever claimed it first says what it is: their lineage is the version's, also where we register it.
            made = self._registered(shelf, number, shelf.recorded(number) or record)
            if made is not None:
                return made
            taken.add(number)
        raise Conflict(
            f"{shelf.model} got no version", why="others took every number that we tried", hint="run it again later"
        )

    def _registered(self, shelf: Shelf, number: int, record: Record) -> ModelVersion | None:
        """The version of that number; None where somebody who knows of no claims gave it to another content."""
        path, arm = path_of(shelf.model, number), self._workspace.arm
        body = arm.get(path, MODELS)
        if body is None:
            try:
                body = arm.put(path, MODELS, resource(record, shelf.uri(record), {}))
            except (UsageError, Conflict):
                # An asset's path cannot be changed: the number may be somebody else's by now, which is seen below.
                body = arm.get(path, MODELS)
                if body is None:
                    raise
        if digest_of(body) != record.digest:
            return None
        return version_of(shelf.model, number, body, shelf.recorded)

    def crown(self, version: ModelVersion) -> None:
        """Raises Conflict where there is no such version, or where somebody else crowns another one right now."""
        path = path_of(version.name, version.version)
        body = self._workspace.arm.get(path, MODELS)
        if body is None or digest_of(body) != version.digest:
            raise Conflict(
                f"{version} cannot become the champion",
                why="the workspace has no such version, or another one under that number",
                hint="see `ctrain status` for the versions there are",
            )
        was = self._point_at(version)
        if was is not None:
            _mark(self._workspace, path_of(was.name, was.version), {CHAMPION: None})
        _mark(self._workspace, path, {CHAMPION: "yes"}, body)

    def _point_at(self, version: ModelVersion) -> ModelVersion | None:
        """Change the pointer; the champion that was, where it was another one."""
        name = Shelf(self._workspace, version.name).champion
        kept = read(self._workspace.blobs, name)
        was = self._crowned(version.name, kept)
        if was is not None and (was.version, was.digest) == (version.version, version.digest):
            return None
        try:
            swap(self._workspace.blobs, name, written(version, self._project), kept)
        except Conflict:
            now = _crowned(read(self._workspace.blobs, name))
            if now is not None and (now.version, now.digest) == (version.version, version.digest):
                return was  # the answer to our own write was lost, or somebody meant the same
            raise Conflict(
                f"{version} cannot become the champion",
                why=f"{now or 'another version'} was crowned at this very moment",
                hint="look at `ctrain status`, and run the same command again",
            ) from None
        return was

    def promote(self, version: ModelVersion, stage: Stage) -> str:
        """The stage's workspace has the version under the same name and number; through a registry, the registry has.

        Raises Conflict where what arrived, or what was there under that name, is not what was registered, by digest.
        """
        uri = self._brought(version, stage)
        _mark(self._workspace, path_of(version.name, version.version), {f"{STAGE}{stage.name}": stage.endpoint})
        return uri

    def _brought(self, version: ModelVersion, stage: Stage) -> str:
        if stage.workspace is None or _same(stage.workspace, self._workspace.address):
            return version.uri
        if self._shared is not None:
            return self._shared.bring(version)
        tags = {f"{STAGE}{stage.name}": stage.endpoint}
        return copied(
            version, Shelf(self._workspace, version.name), Shelf(self._at(stage.workspace), version.name), tags
        )

    def warm(self) -> None:
        """Opens the way to the files' container, so that the first upload does not wait for it."""
        with suppress(CtrainError):  # whoever needs it in earnest is told
            _ = self._workspace.blobs

    def _bodies(self, model: str) -> list[Json]:
        try:
            return list(self._workspace.arm.list(path_of(model), MODELS, listViewType="All"))
        except UsageError:
            # 404: there is no model of that name; or there is no such workspace, which asking for the model tells.
            _ = self._workspace.facts
            if self._workspace.arm.get(f"models/{model}", MODELS) is None:
                return []
            raise


def _crowned(kept: Kept | None) -> ModelVersion | None:
    try:
        return version_in(kept.content) if kept else None
    except ValueError as failure:
        raise PlatformUnavailable(
            "the record of the champion cannot be read",
            why="it is not what this version of ctrain writes",
            hint="use the version that wrote it, or a newer one",
        ) from failure


def _same(one: WorkspaceAddress, other: WorkspaceAddress) -> bool:
    """Azure's names differ in more than their case."""
    return str.casefold(f"{one.subscription_id}/{one}") == str.casefold(f"{other.subscription_id}/{other}")


def _mark(workspace: AzureWorkspace, path: str, tags: Mapping[str, str | None], body: Json | None = None) -> None:
    """Set tags of a version, or (None) take them away; best effort, and nothing where they are so already."""
    with suppress(CtrainError):  # what these tags say is known elsewhere
        body = body if body is not None else workspace.arm.get(path, MODELS)
        if body is None:
            return
        was = tags_of(body)
        merged = {**was, **tags}
        wanted = {key: value for key, value in merged.items() if value is not None}
        if wanted != was:
            shown = section(body, "properties").items()
            kept = {key: value for key, value in shown if value is not None and key != "provisioningState"}
            workspace.arm.put(path, MODELS, {"properties": {**kept, "tags": wanted}})
