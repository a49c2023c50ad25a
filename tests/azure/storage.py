"""Blob storage: the accounts behind their real host names, and what the cloud's own parts read and write there."""

from __future__ import annotations

import asyncio
import base64
import secrets
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

import aiohttp

from tests.azure.azurite import Azurite
from tests.azure.clock import Clock
from tests.azure.routing import Call, Reply
from tests.azure.secrets_planted import Secrets

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient, ContainerClient

    from tests.azure.cloud import Workspace

ACCOUNTS: Final = 600
"""Azurite reads its accounts at its start only; workspaces after the last share them, each with its own container."""


class Storage:
    """The accounts, and what is in them. The reading and writing here is for the cloud's own parts, in any thread."""

    def __init__(self, planted: Secrets, clock: Clock, folder: Path) -> None:
        self._planted = planted
        self._clock = clock
        self._pool = {f"stloopback{n:04}": base64.b64encode(secrets.token_bytes(32)).decode() for n in range(ACCOUNTS)}
        self._taken = 0
        self._azurite = Azurite(self._pool, folder)
        self._wanted: dict[str, set[str]] = {}
        self._lock = threading.Lock()
        self._clients: dict[str, BlobServiceClient] = {}
        self._session: aiohttp.ClientSession | None = None
        clock.follow(self._azurite.ahead)

    def new_account(self) -> str:
        """An account that nobody has yet, as long as there are any."""
        name = list(self._pool)[self._taken % ACCOUNTS]
        self._taken += 1
        self._planted.plant(self._pool[name], "account key")
        return name

    def key(self, account: str) -> str:
        """The account's key, which whoever may list a datastore's secrets is told."""
        return self._pool[account]

    def has(self, account: str) -> bool:
        return account in self._pool

    def make_container(self, account: str, container: str) -> None:
        """It is there from now on (made when the account is first used)."""
        self._wanted.setdefault(account, set()).add(container)

    def service(self, account: str) -> BlobServiceClient:
        """A client of the account, past the front. Raises NoStorage where there is no Azurite."""
        from azure.core.exceptions import ResourceExistsError
        from azure.storage.blob import BlobServiceClient

        with self._lock:
            if account not in self._clients:
                url = f"http://127.0.0.1:{self._azurite.port}/{account}"
                credential = {"account_name": account, "account_key": self._pool[account]}
                self._clients[account] = BlobServiceClient(url, credential=credential, retry_total=0)
            service = self._clients[account]
            wanted = self._wanted.get(account, set())
            while wanted:
                container = next(iter(wanted))
                with suppress(ResourceExistsError):
                    service.create_container(container)
                wanted.discard(container)
            return service

    def container(self, workspace: Workspace) -> ContainerClient:
        """The default datastore's container."""
        return self.service(workspace.storage_account).get_container_client(workspace.container)

    def read(self, workspace: Workspace, path: str) -> bytes | None:
        """A blob's content in the default store, or None."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            return self.container(workspace).download_blob(path).readall()
        except ResourceNotFoundError:
            return None

    def write(self, workspace: Workspace, path: str, content: bytes) -> None:
        """Make or replace a blob of the default store."""
        self.container(workspace).upload_blob(path, content, overwrite=True)

    def names(self, workspace: Workspace, prefix: str = "") -> Iterator[str]:
        """The blobs of the default store whose path starts so, in order."""
        return iter(sorted(self.container(workspace).list_blob_names(name_starts_with=prefix)))

    def upload_folder(self, workspace: Workspace, prefix: str, folder: Path) -> list[str]:
        """All files of the folder (or the one file) to the default store under the prefix; their paths there."""
        files = [folder] if folder.is_file() else sorted(file for file in folder.rglob("*") if file.is_file())
        root = folder.parent if folder.is_file() else folder
        paths = [str(PurePosixPath(prefix.rstrip("/"), file.relative_to(root).as_posix())) for file in files]
        for file, path in zip(files, paths, strict=True):
            self.write(workspace, path, file.read_bytes())
        return paths

    def download(self, workspace: Workspace, prefix: str, folder: Path) -> Path:
        """A blob, or all blobs below that prefix, to the folder; where it is: the file, or the folder.

        Raises FileNotFoundError where there is nothing of that name.
        """
        folder.mkdir(parents=True, exist_ok=True)
        whole = self.read(workspace, prefix) if not prefix.endswith("/") else None
        if whole is not None:
            file = folder / PurePosixPath(prefix).name
            file.write_bytes(whole)
            return file
        found = list(self.names(workspace, prefix.rstrip("/") + "/"))
        if not found:
            raise FileNotFoundError(f"{prefix} is not in {workspace.container}")
        for path in found:
            file = folder / PurePosixPath(path).relative_to(prefix.rstrip("/"))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(self.read(workspace, path) or b"")
        return folder

    def sas(self, account: str, container: str, seconds: float = 3600.0, *, write: bool = True) -> str:
        """A signature for the container, for so much virtual time; planted."""
        from azure.storage.blob import ContainerSasPermissions, generate_container_sas

        allowed = ContainerSasPermissions(read=True, list=True, write=write, create=write, add=write, delete=write)
        expires = self._clock.now() + timedelta(seconds=seconds)
        sas = generate_container_sas(
            account, container, account_key=self._pool[account], permission=allowed, expiry=expires
        )
        self._planted.plant_url(f"?{sas}", "SAS")
        return sas

    async def forward(self, call: Call, *, trusted: bool = False) -> Reply:
        """Let Azurite answer the call, its host name and all else as they came.

        `trusted`: whoever asks has proved who they are by a token of ours; the account's signature goes on.
        """
        account = call.params["account"]
        if account not in self._clients or self._wanted.get(account):
            await asyncio.to_thread(self.service, account)
        headers = {name: value for name, value in call.headers.items() if name not in _NOT_FORWARDED}
        target = call.target
        if trusted:
            del headers["authorization"]
            target += ("&" if "?" in target else "?") + self.account_sas(account)
        if self._session is None:
            unlimited = aiohttp.TCPConnector(limit=0)
            self._session = aiohttp.ClientSession(connector=unlimited, auto_decompress=False, trust_env=False)
        from yarl import URL

        url = URL(f"http://127.0.0.1:{self._azurite.port}{target}", encoded=True)
        async with self._session.request(
            call.method,
            url,
            headers={**headers, "Host": call.headers["host"]},
            data=call.body or None,
            skip_auto_headers=("User-Agent", "Accept", "Content-Type", "Accept-Encoding"),
        ) as answer:
            body = await answer.read()
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _NOT_RETURNED}
            if call.method == "HEAD" and "Content-Length" in answer.headers:
                kept["Content-Length"] = answer.headers["Content-Length"]
            return Reply(answer.status, body, kept)

    def account_sas(self, account: str) -> str:
        """A signature for all of the account, for a day of virtual time; planted."""
        from azure.storage.blob import AccountSasPermissions, ResourceTypes, Services, generate_account_sas

        sas = generate_account_sas(
            account,
            self._pool[account],
            ResourceTypes(service=True, container=True, object=True),
            AccountSasPermissions(
                read=True,
                write=True,
                delete=True,
                list=True,
                add=True,
                create=True,
                update=True,
                process=True,
                tag=True,
            ),
            self._clock.now() + timedelta(days=1),
            services=Services(blob=True),
        )
        self._planted.plant_url(f"?{sas}", "SAS")
        return sas

    async def close(self) -> None:
        """Stop Azurite; nothing is kept."""
        if self._session is not None:
            await self._session.close()
        for client in self._clients.values():
            client.close()
        self._azurite.stop()


_NOT_FORWARDED: Final = {"host", "connection", "proxy-connection", "transfer-encoding", "content-length", "keep-alive"}
_NOT_RETURNED: Final = {"content-length", "transfer-encoding", "connection", "keep-alive", "server"}
