"""Other modules' resources, asked by their ids as a client would ask; and where an asset's files are."""

from __future__ import annotations

import asyncio
import inspect
import re
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from tests.azure.cloud import Cloud, Workspace
from tests.azure.hosts import ARM
from tests.azure.jobs.stored import Place
from tests.azure.jobs.workshop import Jobs
from tests.azure.registries.state import Registries
from tests.azure.routing import Body, Call, Directory, Found, Refused, Reply

_VERSIONS: Final = {
    "codes": "2023-04-01",
    "environments": "2023-04-01-preview",
    "data": "2023-04-01-preview",
    "models": "2023-08-01-preview",
    "components": "2024-01-01-preview",
    "computes": "2023-08-01-preview",
    "datastores": "2024-10-01-preview",
}
_MODELS: Final = ("mlflow_model", "custom_model", "triton_model")
_PATHS: Final = re.compile(r"azureml://(?:.*?/)?datastores/(?P<store>[^/]+)/(?:paths/)?(?P<path>.*)", re.IGNORECASE)
_NAMED: Final = re.compile(r"azureml:(?P<name>[\w.-]+)(?::(?P<version>[\w.-]+)|@(?P<label>[\w.-]+))")
_REGISTERED: Final = re.compile(
    r"azureml://registries/(?P<registry>[^/]+)/(?P<kind>data|models)/(?P<name>[^/]+)/versions/(?P<version>[^/]+)/?",
    re.I,
)
_OUTPUT: Final = re.compile(r"azureml://jobs/(?P<job>[^/]+)/outputs/(?P<output>[^/]+)(?:/paths/?(?P<path>.*))?", re.I)
_ASSET: Final = re.compile(r"azureml://.*/(?P<kind>data|models)/(?P<name>[^/]+)/versions/(?P<version>[^/]+)/?", re.I)


def _directory(cloud: Cloud) -> Directory:
    # The list of routes imports the modules of jobs.
    from tests.azure.routes import directory

    return directory()


class Resources:
    """What a workspace has. `ask` runs on the event loop; the other methods block, and are for threads."""

    def __init__(self, cloud: Cloud, workspace: Workspace) -> None:
        self.cloud = cloud
        self.workspace = workspace
        self.loop = asyncio.get_running_loop()

    async def ask(self, method: str, path: str, api_version: str, body: bytes = b"") -> Reply:
        """What the module that answers for this path says; nothing of it is in the journal."""
        found = self.cloud.part(_directory).find(ARM, method, path)
        if not isinstance(found, Found):
            raise Refused(404, "NotFound", f"Nobody answers for {path}.")
        query = {"api-version": api_version}
        call = Call(method, "management.azure.com", path, query, body=body, params=found.params)
        reply = found.route.handler(self.cloud, call)
        return await reply if inspect.isawaitable(reply) else reply

    def get(self, arm_id: str) -> Body:
        """The resource of that id. Raises Refused where there is none."""
        path = arm_id.removeprefix("azureml:")
        return self.blocking("GET", path, _VERSIONS[_kind(path)])

    def blocking(self, method: str, path: str, api_version: str, body: bytes = b"") -> Body:
        asked = asyncio.run_coroutine_threadsafe(self.ask(method, path, api_version, body), self.loop)
        read: Any = asked.result(60).body
        return read if isinstance(read, dict) else {}

    def place(self, uri: str, kind: str) -> Place:
        """Where an input's files are. Raises Refused for what is not there or cannot be told."""
        if uri.startswith("https://"):
            return blob_place(uri)
        if found := _PATHS.fullmatch(uri):
            return self.in_datastore(found["store"], unquote(found["path"]))
        if found := _REGISTERED.fullmatch(uri):
            registry = self.cloud.part(Registries).named(found["registry"])
            properties = registry.version(found["kind"].lower(), found["name"], found["version"]).properties
            return self.place(properties.get("dataUri") or properties["modelUri"], kind)
        if found := _OUTPUT.fullmatch(uri):
            return self._output(found["job"], found["output"], unquote(found["path"] or ""))
        path = uri.removeprefix("azureml:")
        if not path.startswith("/subscriptions/"):
            path = self._arm_id(uri, "models" if kind in _MODELS else "data")
        properties = self.get(path)["properties"]
        return self.place(properties.get("dataUri") or properties.get("modelUri") or properties["codeUri"], kind)

    def _output(self, job: str, output: str, path: str) -> Place:
        made = self.workspace.part(Jobs).job(job).outputs.get(output)
        if made is None:
            raise Refused(404, "UserError", f"The job {job} has no output {output}.")
        return self.in_datastore(made.datastore, str(PurePosixPath(made.path, path)))

    def _arm_id(self, uri: str, part: str) -> str:
        found = _ASSET.fullmatch(uri)
        if found:
            return f"{self.workspace.arm_id}/{found['kind'].lower()}/{found['name']}/versions/{found['version']}"
        named = _NAMED.fullmatch(uri)
        if not named:
            raise Refused(400, "UserError", f"The loopback Azure cannot tell what {uri} is.")
        version = named["version"]
        if version is None:
            container = self.blocking("GET", f"{self.workspace.arm_id}/{part}/{named['name']}", _VERSIONS[part])
            version = container["properties"]["latestVersion"]
        return f"{self.workspace.arm_id}/{part}/{named['name']}/versions/{version}"

    def in_datastore(self, store: str, path: str) -> Place:
        properties = self.get(f"{self.workspace.arm_id}/datastores/{store}")["properties"]
        return Place(properties["accountName"], properties["containerName"], path)


def blob_place(url: str) -> Place:
    """Of a blob's or a virtual folder's URL."""
    parts = urlsplit(url)
    container, _, path = unquote(parts.path).lstrip("/").partition("/")
    return Place(parts.netloc.split(".")[0], container, path)


def _kind(arm_id: str) -> str:
    return arm_id.rpartition("/workspaces/")[2].split("/")[1].lower()
