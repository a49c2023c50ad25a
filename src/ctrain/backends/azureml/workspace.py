"""One workspace, signed in: all that talks to it, made when it is first used."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ctrain.backends.azureml.arm import Arm, Dataplane, Requests, pipeline
from ctrain.backends.azureml.bodies import Json, find, needed, section, text
from ctrain.backends.azureml.cloud import Cloud, current_cloud, is_service, is_trusted, trusted
from ctrain.backends.azureml.credential import Credential, Identity, credential_of, who
from ctrain.backends.azureml.failures import translated
from ctrain.backends.azureml.patience import Patience
from ctrain.backends.azureml.sign_in import SignIn, choose
from ctrain.errors import PlatformUnavailable, UsageError
from ctrain.ports import Clock
from ctrain.serving import WorkspaceAddress

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.storage.blob import ContainerClient

    from ctrain.backends.azureml.transport import PatientTransport

IN_PASSING: Final = 10.0
"""Seconds for an answer, and as many for asking again."""

WORKSPACES: Final = "2024-10-01-preview"
"""The api-version that azure-ai-ml 1.35 reads workspaces and datastores at."""


@dataclass(frozen=True)
class WorkspaceFacts:
    """What a workspace is. `storage_account` and `registry` are ARM ids, `mlflow_uri` starts with `azureml://`."""

    location: str
    workspace_id: str
    mlflow_uri: str
    storage_account: str
    discovery_url: str


@dataclass(frozen=True)
class DefaultStore:
    """The blob container that the workspace keeps its things in, and how one gets at it."""

    name: str
    account: str
    container: str
    credentials: str


class AzureSession:
    """One sign-in, shared by the workspaces of a run: the cloud, the credential, the transport.

    `tell` hears once who is signed in, how and where, before anything is asked of Azure. `hide` is told every key and
    token that is fetched.
    """

    def __init__(
        self,
        clock: Clock,
        tell: Callable[[str], None] = lambda _: None,
        hide: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.clock = clock
        self.hide = hide
        self._tell = tell

    @cached_property
    def cloud(self) -> Cloud:
        """Raises UsageError where the environment sends us elsewhere than Azure."""
        return current_cloud(os.environ)

    @cached_property
    def sign_in(self) -> SignIn:
        """How we sign in. Raises as `choose` does."""
        return choose(os.environ)

    @cached_property
    def sign_in_transport(self) -> PatientTransport:
        """The way to Entra, and to the CI's own token service."""
        from ctrain.backends.azureml.transport import PatientTransport

        def of_signing_in(url: str) -> bool:
            return urlsplit(url).scheme == "https"  # the CI's own token goes to the CI, wherever it says it is

        return PatientTransport(self.clock, may_see_token=of_signing_in, marked=True, tell=self._tell)

    @cached_property
    def credential(self) -> Credential:
        return credential_of(self.sign_in, self.cloud, self.clock, self.sign_in_transport, self.hide)

    @cached_property
    def identity(self) -> Identity:
        """Who we are. Raises NotAllowed where signing in fails."""
        return who(self.credential, self.sign_in, self.cloud)

    @cached_property
    def transport(self) -> PatientTransport:
        return self._transport()

    def _transport(self, patience: Patience | None = None, answer_seconds: float | None = None) -> PatientTransport:
        from ctrain.backends.azureml.transport import READ_SECONDS, PatientTransport

        cloud = self.cloud
        return PatientTransport(
            self.clock,
            may_see_token=lambda url: is_service(url, cloud),
            may_reach=lambda url: is_trusted(url, cloud),
            tokens=self.credential,
            patience=patience,
            tell=self._tell,
            answer_seconds=answer_seconds or READ_SECONDS,
        )

    def container(self, account: str, container: str, secret: str | None) -> ContainerClient:
        """A blob container, opened with the account's key or a SAS, or with our sign-in where there is none.

        It waits for Azure as all else does, and not as the storage SDK does by itself, whose first wait is 15 seconds.
        """
        from ctrain.backends.azureml.transport import NO_RETRIES, PatientTransport

        url = trusted(self.cloud.blob_url(account), self.cloud)
        with translated("open the workspace's blob store"):
            from azure.storage.blob import ContainerClient

            def is_account(asked: str) -> bool:
                return urlsplit(asked).hostname == urlsplit(url).hostname

            tokens = self.credential if secret is None else None
            return ContainerClient(
                url,
                container,
                credential=self.credential if secret is None else secret,
                transport=PatientTransport(self.clock, may_see_token=is_account, tokens=tokens, tell=self._tell),
                **NO_RETRIES,
            )

    def requests(self, base: str, scope: str) -> Requests:
        """Requests below that base, with a token for that scope."""
        return Requests(pipeline(base, scope, self.credential, self.transport), self.cloud, base.rstrip("/"))

    @cached_property
    def management(self) -> Requests:
        """Azure Resource Manager: what everything begins with."""
        self._tell(f"signed in to Azure as {self.identity}")
        return self.requests(f"https://{self.cloud.arm}", self.cloud.arm_scope)

    @cached_property
    def in_passing(self) -> Requests:
        """Resource Manager again, for what is only worth a few seconds: whoever asks has to go on with something."""
        base = f"https://{self.cloud.arm}"
        transport = self._transport(Patience(total=IN_PASSING, unreached=IN_PASSING), IN_PASSING)
        return Requests(pipeline(base, self.cloud.arm_scope, self.credential, transport), self.cloud, base)

    def token(self, scope: str) -> str:
        """A token for that scope. Raises NotAllowed where signing in fails."""
        with translated("sign in to Azure"):
            return self.credential.get_token_info(scope).token


@dataclass(frozen=True)
class AzureWorkspace:
    """One workspace. Making it sends nothing and imports nothing of azure."""

    address: WorkspaceAddress
    session: AzureSession = field(repr=False)

    @property
    def clock(self) -> Clock:
        return self.session.clock

    @property
    def cloud(self) -> Cloud:
        return self.session.cloud

    @property
    def arm_id(self) -> str:
        """/subscriptions/.../workspaces/name, without a slash at the end."""
        a = self.address
        group = f"/subscriptions/{a.subscription_id}/resourceGroups/{a.resource_group}"
        return f"{group}/providers/Microsoft.MachineLearningServices/workspaces/{a.workspace}"

    @cached_property
    def client(self) -> MLClient:
        """The SDK's client; wrap its calls in `failures.translated`."""
        from ctrain.backends.azureml.transport import NO_RETRIES

        transport = self.session.transport
        with translated(f"open the workspace {self.address}"):
            from azure.ai.ml import MLClient

            return MLClient(
                self.session.credential,
                self.address.subscription_id,
                self.address.resource_group,
                self.address.workspace,
                # Without it the SDK forgets that a file could not be uploaded, and waits for ever for it
                # (`upload_directory` and `BlobStorageClient.upload`, azure-ai-ml 1.35.2). Nobody sees the bar: `quiet`.
                show_progress=True,
                enable_telemetry=False,
                cloud=self.cloud.name,
                transport=transport,
                **NO_RETRIES,
            )

    @cached_property
    def arm(self) -> Arm:
        """The workspace's resources; `.below` for those beside it."""
        return Arm(self.session.management, self.arm_id)

    @cached_property
    def arm_in_passing(self) -> Arm:
        """The same, without patience."""
        return Arm(self.session.in_passing, self.arm_id)

    @cached_property
    def facts(self) -> WorkspaceFacts:
        """One request. Raises UsageError where there is no such workspace."""
        body = self.arm.get("", WORKSPACES)
        if body is None:
            raise UsageError(
                f"there is no workspace {self.address}",
                why=f"Azure knows none of that name in subscription {self.address.subscription_id}",
                hint="check backends.azureml in ctrain.yaml, and the tenant that you signed in to",
            )
        return WorkspaceFacts(
            location=needed(body, "location").replace(" ", "").lower(),
            workspace_id=needed(body, "properties", "workspaceId"),
            mlflow_uri=text(body, "properties", "mlFlowTrackingUri") or "",
            storage_account=text(body, "properties", "storageAccount") or "",
            discovery_url=text(body, "properties", "discoveryUrl") or "",
        )

    @cached_property
    def region(self) -> Dataplane:
        """The region's own services: run history and the like."""
        base = self.cloud.region_url(self.facts.location)
        return Dataplane(self.session.requests(base, self.cloud.arm_scope), self.arm_id)

    @cached_property
    def store(self) -> DefaultStore:
        """The default datastore. Raises PlatformUnavailable where it is no blob container."""
        for body in self.arm.list("datastores", WORKSPACES, isDefault=True):
            found = section(body, "properties")
            if text(found, "datastoreType") == "AzureBlob":
                return DefaultStore(
                    name=needed(body, "name"),
                    account=needed(found, "accountName"),
                    container=needed(found, "containerName"),
                    credentials=text(found, "credentials", "credentialsType") or "None",
                )
        raise PlatformUnavailable(
            f"the workspace {self.address} has no default blob store",
            why="ctrain keeps its records in the workspace's default datastore, which must be a blob container",
            hint="make a blob datastore the default: `az ml datastore set-default`",
        )

    @cached_property
    def blobs(self) -> ContainerClient:
        """The default datastore's container; wrap its calls in `failures.translated`."""
        account, container, secret = self.store.account, self.store.container, self._secret()
        return self.session.container(account, container, secret)

    def _secret(self) -> str | None:
        """The datastore's account key or SAS; None where Entra's token opens it."""
        if self.store.credentials not in {"AccountKey", "Sas"}:
            return None
        path = f"datastores/{self.store.name}/listSecrets"
        body: Json = self.arm.post(path, WORKSPACES, {"expirableSecret": False}, idempotent=True)
        secret = needed(body, "key") if find(body, "key") else needed(body, "sasToken")
        self.session.hide(secret)
        return secret

    def token(self, scope: str) -> str:
        """A token for that scope, e.g. `cloud.ml_scope`. Raises NotAllowed where signing in fails."""
        return self.session.token(scope)
