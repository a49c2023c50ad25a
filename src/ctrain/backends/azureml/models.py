"""A model version as Azure ML keeps it: tags for the eye, properties for us.

Tags are shown in the Studio and may be changed by anybody; what ctrain relies on is in the properties, which a version
keeps as it was made with them: its content digest, and its whole lineage, as JSON in parts. Values are cut at a
thousand characters and kept at fifty, the documented limits of a run's metadata ("Service limits in Azure Machine
Learning"), as none are documented for assets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, Literal

from ctrain.backends.azureml.bodies import Json, text, texts
from ctrain.digest import Entry
from ctrain.errors import UsageError
from ctrain.version import Lineage, ModelVersion

if TYPE_CHECKING:
    from pydantic import TypeAdapter

MODELS: Final = "2023-08-01-preview"
"""The api-version that azure-ai-ml 1.35 reads and writes models at."""

PREFIX: Final = "ctrain."
DIGEST: Final = "ctrain.digest"
LINEAGE: Final = "ctrain.lineage"
CHAMPION: Final = "ctrain.champion"
STAGE: Final = "ctrain.stage."

LONGEST: Final = 1000
PARTS: Final = 40

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_UNKNOWN: Final = Lineage(
    commit="", branch="", dirty=False, data="", data_digest="", parameters={}, job="", run_id="", release="", verdict=""
)


@dataclass(frozen=True)
class Record:
    """All that ctrain knows of a version, as its blob has it.

    `root` is where the files are in the container: the name of a folder, or (`single`) of the one blob.
    """

    digest: str
    lineage: Lineage
    kind: Literal["mlflow_model", "custom_model"]
    root: str
    single: bool
    files: tuple[Entry, ...]

    def written(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def read(cls, content: bytes) -> Record:
        """Raises ValueError for what no version of ctrain wrote."""
        return _records().validate_json(content)

    def blob(self, entry: Entry) -> str:
        """The name of the blob that holds the file."""
        return self.root if self.single else f"{self.root}/{entry.path}"


@cache
def _records() -> TypeAdapter[Record]:
    from pydantic import TypeAdapter

    return TypeAdapter(Record)


@cache
def _lineages() -> TypeAdapter[Lineage]:
    from pydantic import TypeAdapter

    return TypeAdapter(Lineage)


@cache
def _versions() -> TypeAdapter[ModelVersion]:
    from pydantic import TypeAdapter

    return TypeAdapter(ModelVersion)


def written(version: ModelVersion, project: str) -> bytes:
    """The version as JSON; `version_in` gives the equal version back, `project_in` whose it is."""
    return json.dumps({**_versions().dump_python(version, mode="json"), "project": project}).encode()


def project_in(content: bytes) -> str:
    """The project that wrote it; empty where it does not say. For what `version_in` could read."""
    return str(json.loads(content).get("project", ""))


def version_in(content: bytes) -> ModelVersion:
    """Raises ValueError for what no version of ctrain wrote."""
    return _versions().validate_json(content)


def checked_name(model: str) -> str:
    """The name. Raises UsageError for one that Azure ML does not take."""
    if not _NAME.fullmatch(model):
        raise UsageError(
            f"{model!r} cannot name a model",
            why="Azure ML takes letters, digits, `.`, `_` and `-`, at most 255, the first a letter or digit",
            hint="choose another name under `model:` in ctrain.yaml",
        )
    return model


def path_of(model: str, version: int | None = None) -> str:
    """The versions' path below the workspace, or one version's."""
    return f"models/{checked_name(model)}/versions" + (f"/{version}" if version is not None else "")


def resource(record: Record, uri: str, tags: Mapping[str, str]) -> Json:
    """The version as it is PUT. `uri` is where the files are, in Azure ML's words."""
    lineage = record.lineage
    said = {
        "release": lineage.release,
        "commit": lineage.commit,
        "branch": lineage.branch,
        "job": lineage.job,
        "data": lineage.data,
        "verdict": lineage.verdict,
        "digest": record.digest,
    }
    shown = {f"{PREFIX}{name}": value[:LONGEST] for name, value in said.items() if value}
    return {
        "properties": {
            "modelType": record.kind,
            "modelUri": uri,
            "description": f"Registered by ctrain: release {lineage.release}, commit {lineage.commit[:7] or 'unknown'}",
            "tags": {**shown, **tags},
            "properties": {DIGEST: record.digest, **_parts(lineage)},
            "isAnonymous": False,
            "isArchived": False,
        }
    }


def _parts(lineage: Lineage) -> dict[str, str]:
    """The lineage in parts; none where it is too long for them: then the version's record has it."""
    written = json.dumps(asdict(lineage), ensure_ascii=True)
    parts = [written[at : at + LONGEST] for at in range(0, len(written), LONGEST)]
    return {f"{LINEAGE}.{number}": part for number, part in enumerate(parts)} if len(parts) <= PARTS else {}


def digest_of(body: Json) -> str:
    """The content digest that the version was registered with; empty for one that ctrain did not register."""
    return texts(body, "properties", "properties").get(DIGEST, "")


def tags_of(body: Json) -> dict[str, str]:
    return dict(texts(body, "properties", "tags"))


def number_of(body: Json) -> int | None:
    """The version's number; None where somebody gave it another kind of name."""
    name = text(body, "name") or ""
    return int(name) if name.isascii() and name.isdigit() else None


def version_of(model: str, number: int, body: Json, recorded: Callable[[int], Record | None]) -> ModelVersion:
    """The version. `recorded` reads its record, which is asked for where the lineage is nowhere else."""
    digest = digest_of(body)
    return ModelVersion(
        name=model,
        version=number,
        digest=digest,
        uri=f"azureml:{model}:{number}",
        lineage=_lineage(texts(body, "properties", "properties"), lambda: recorded(number) if digest else None),
        tags={key: value for key, value in tags_of(body).items() if not key.startswith(PREFIX)},
    )


def _lineage(properties: Mapping[str, str], recorded: Callable[[], Record | None]) -> Lineage:
    """Empty for a version that somebody registered by other means."""
    parts = [properties.get(f"{LINEAGE}.{number}", "") for number in range(PARTS)]
    try:
        return _lineages().validate_json("".join(parts))
    except ValueError:
        record = recorded()
        return record.lineage if record else _UNKNOWN
