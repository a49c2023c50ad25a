"""What a deployment runs: ids of models, and scoring code and environments that are made once, named by content."""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from ctrain.backends.azureml.bodies import Json
from ctrain.backends.azureml.failures import translated
from ctrain.backends.azureml.workspace import AzureWorkspace
from ctrain.digest import tree_digest, tree_files
from ctrain.errors import UsageError
from ctrain.serving import ScoringCode

CODES: Final = "2023-04-01"
ENVIRONMENTS: Final = "2023-04-01-preview"

INFERENCE_IMAGE: Final = "mcr.microsoft.com/azureml/minimal-py312-inference:latest"
"""What a conda file is built upon. Source: "Prebuilt Docker images for inference" on Microsoft Learn."""

UPLOADS: Final = 8
"""Files uploaded at a time."""

_NAMED: Final = re.compile(r"azureml:(?P<name>[A-Za-z0-9][\w.-]*):(?P<version>[\w.-]+)")
_LONG: Final = re.compile(
    r"azureml://(?!registries/).*/(?P<kind>models|environments)/(?P<name>[^/]+)/versions/(?P<version>[^/]+)"
)


class Assets:
    """Assets of one workspace."""

    def __init__(self, workspace: AzureWorkspace) -> None:
        self._workspace = workspace

    def model(self, uri: str) -> str:
        """The id of a registered model. Raises UsageError for what is none."""
        found = self._id("models", uri)
        if found is None:
            raise UsageError(
                "the model cannot be deployed",
                why=f"{uri} is no registered model",
                hint="give azureml:NAME:VERSION, or azureml://registries/REGISTRY/models/NAME/versions/VERSION",
            )
        return found

    def environment(self, scoring: ScoringCode) -> str:
        """The id of the environment: one that is there as it is named, or one made of a conda file.

        Raises UsageError where none is named: on Azure a scoring script runs in nothing else.
        """
        named = scoring.environment
        if named is None:
            raise UsageError(
                "the scoring script has no environment",
                why="Azure ML runs a scoring script only in an environment that is named",
                hint="add `environment:` beside `script:`, a conda file or azureml:NAME:VERSION",
            )
        if not named.startswith("azureml:"):
            return self._of_conda_file(Path(named))
        found = self._id("environments", named)
        if found is None:
            raise UsageError(
                f"{named} is no environment that can be deployed",
                why="a deployment is for one version, so that a name or a label alone will not do",
                hint="give azureml:NAME:VERSION, or azureml://registries/REGISTRY/environments/NAME/versions/VERSION",
            )
        return found

    def code(self, scoring: ScoringCode) -> str:
        """The id of the scoring code, uploaded where it is not there yet. Raises UsageError without a script."""
        folder = Path(scoring.code)
        if not (folder / scoring.script).is_file():
            raise UsageError(
                "there is no scoring script",
                why=f"there is no file {folder / scoring.script}",
                hint="correct the code folder or the script's name",
            )
        digest = tree_digest(folder)
        path = f"codes/ctrain-scoring-{digest[:24]}/versions/1"
        if self._workspace.arm.get(path, CODES) is None:
            store, prefix = self._workspace.store, f"ctrain/scoring/{digest}"
            self._upload(folder, prefix)
            url = f"{self._workspace.cloud.blob_url(store.account)}/{store.container}/{prefix}"
            self._workspace.arm.put(path, CODES, {"properties": {"codeUri": url, "isAnonymous": False}})
        return f"{self._workspace.arm_id}/{path}"

    def _upload(self, folder: Path, prefix: str) -> None:
        """The same content under the same names: doing it twice, or in two places at once, is doing it once."""
        blobs = self._workspace.blobs

        def upload(one: tuple[str, Path]) -> None:
            name, file = one
            with translated("upload the scoring code"), file.open("rb") as stream:
                blobs.upload_blob(f"{prefix}/{name}", stream, overwrite=True)

        with ThreadPoolExecutor(UPLOADS) as pool:
            list(pool.map(upload, tree_files(folder)))

    def _of_conda_file(self, file: Path) -> str:
        try:
            conda = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            raise UsageError(
                f"the environment file {file} cannot be read", why=str(problem), hint="correct `scoring.environment`"
            ) from None
        digest = hashlib.sha256(f"{INFERENCE_IMAGE}\n{conda}".encode()).hexdigest()
        path = f"environments/ctrain-scoring-{digest[:24]}/versions/1"
        if self._workspace.arm.get(path, ENVIRONMENTS) is None:
            body: Json = {"properties": {"image": INFERENCE_IMAGE, "condaFile": conda, "osType": "Linux"}}
            self._workspace.arm.put(path, ENVIRONMENTS, body)
        return f"{self._workspace.arm_id}/{path}"

    def _id(self, kind: str, uri: str) -> str | None:
        """An asset's id for ARM: a workspace's is its ARM id, a registry's stays as it is; None for anything else."""
        if uri.startswith("azureml://registries/"):
            return uri if f"/{kind}/" in uri and "/versions/" in uri else None
        plain = uri.removeprefix("azureml:")
        if plain.lower().startswith("/subscriptions/"):
            return plain if f"/{kind}/" in plain and "/versions/" in plain else None
        found = _NAMED.fullmatch(uri) or _LONG.fullmatch(uri)
        if found is None or found.groupdict().get("kind", kind) != kind:
            return None
        return f"{self._workspace.arm_id}/{kind}/{found['name']}/versions/{found['version']}"
