"""The front door: asking an endpoint over HTTP, as its users do, with headers that are made for each request.

The SDK's own `invoke` keeps the deployment's name of one call for the next ones, and sends a POST again that may have
been received; it is not used.
"""

from __future__ import annotations

import os
import ssl
import threading
import uuid
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ctrain.backends.azureml.bodies import needed, number
from ctrain.backends.azureml.cloud import is_trusted
from ctrain.backends.azureml.failures import translated
from ctrain.backends.azureml.serving.changing import no_endpoint
from ctrain.backends.azureml.serving.endpoint import told
from ctrain.backends.azureml.serving.observed import auth_mode_of
from ctrain.backends.azureml.serving.resources import Resources
from ctrain.backends.azureml.serving.settling import looks
from ctrain.backends.azureml.workspace import AzureWorkspace
from ctrain.errors import CtrainError, NoAnswer, NotAllowed, PlatformUnavailable
from ctrain.ports import Clock
from ctrain.secrecy import redacted
from ctrain.serving import Answer, AuthMode, Request, Traffic

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS: Final = 10.0
MARGIN_SECONDS: Final = 5.0
"""By how much we outwait the platform, so that its own 408 comes rather than our silence."""

EARLY_SECONDS: Final = 300.0
"""A token is replaced so long before it ends."""

LONGEST_ANSWER: Final = 64 * 1024 * 1024
"""Bytes. What is longer is no answer to a smoke test."""

DOOR_SECONDS: Final = 120.0
"""How long the front door may keep to the old split after Azure says that the new one holds."""

SURE: Final = 3
"""So many answers in a row from those who should answer, and it counts as changed over."""

SCORE: Final = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action"

BY: Final = "azureml-model-deployment"
MODEL_STATUS: Final = "ms-azureml-model-error-statuscode"


@dataclass(frozen=True)
class Door:
    """How to get in. `until` is when the credential must be replaced, in seconds since the epoch."""

    url: str
    mode: AuthMode
    credential: str = field(repr=False)
    until: float = float("inf")


@dataclass(frozen=True)
class Question:
    """One request of HTTP. `seconds` bounds it as a whole."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    seconds: float


class Scoring:
    """Asks endpoints. Safe in threads; connections are used again."""

    def __init__(self, workspace: AzureWorkspace, resources: Resources, clock: Clock) -> None:
        self._workspace = workspace
        self._resources = resources
        self._clock = clock
        self._doors: dict[str, Door] = {}
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None

    def ask(self, endpoint: str, request: Request, slowest: float = 0.0) -> Answer:
        """One answer, of whatever status. `slowest`: seconds after which the platform itself gives up; 0: not known.

        Raises NoAnswer where none came, PlatformUnavailable where the way in could not be found, Conflict where there
        is no endpoint, and NotAllowed where we are not let in: all but the first say nothing of a model. A request that
        may have been received is not sent again; one that was refused at the door, with 401, is, once, with a new
        credential.
        """
        headers = {"Content-Type": request.content_type}
        if request.deployment is not None:
            headers[BY] = request.deployment
        door = self._door(endpoint)
        seconds = max(request.timeout, slowest + MARGIN_SECONDS if slowest else 0.0)
        answer = self._send(endpoint, door, Question("POST", door.url, headers, request.body, seconds))
        if answer.status == 401:
            door = self._door(endpoint, refused=door)
            answer = self._send(endpoint, door, Question("POST", door.url, headers, request.body, seconds))
        if answer.status in {401, 403}:  # a model's own refusal comes as 424
            raise _not_let_in(endpoint, door.mode, answer.status)
        return answer

    def wait_for(self, endpoint: str, split: Traffic) -> None:
        """Until live requests are answered by those of that split; where the front door does not tell, not at all.

        Raises PlatformUnavailable where others go on answering for two minutes.
        """
        who: str | None = None
        for _ in looks(self._clock, DOOR_SECONDS):
            for _again in range(SURE):
                try:
                    who = self._answering(endpoint)
                except CtrainError:
                    return  # what cannot be asked now, the smoke tests will find out
                if who is None:
                    return
                if who not in split:
                    break
            else:
                return
        raise PlatformUnavailable(
            f"live requests of {endpoint} are still answered by {who}",
            why=f"its traffic is {told(split)}, but the front door does not keep to it yet",
            hint="wait a little, and run again: it goes on from what is",
        )

    def _answering(self, endpoint: str) -> str | None:
        """Who answers live requests now, as the front door tells it; None where it does not tell.

        Asks for the API's description, which is routed as all else is, and asks nothing of the model.
        """
        door = self._door(endpoint)
        description = f"{door.url.removesuffix('/score')}/swagger.json"
        return self._send(endpoint, door, Question("GET", description, {}, b"", CONNECT_SECONDS)).deployment

    def _send(self, endpoint: str, door: Door, question: Question) -> Answer:
        import httpx

        trace = uuid.uuid4().hex
        whole = {**question.headers, "Authorization": f"Bearer {door.credential}", "x-ms-client-request-id": trace}
        timeout = httpx.Timeout(question.seconds, connect=min(CONNECT_SECONDS, question.seconds))
        client, began = self._http(), self._clock.monotonic()
        try:
            request = client.build_request(
                question.method, question.url, headers=whole, content=question.body or None, timeout=timeout
            )
            response = client.send(request, stream=True)
            try:
                content = self._read(response, began + question.seconds)
            finally:
                response.close()
        except (httpx.HTTPError, httpx.StreamError, TimeoutError) as problem:
            raise NoAnswer(
                f"the endpoint {endpoint} gave no answer",
                why=f"{_told(problem)} [client request {trace}]",
                hint="see `ctrain status`; where it is slow, raise the deployment's request_timeout_ms",
            ) from None
        status = response.headers.get(MODEL_STATUS, "")
        return Answer(
            response.status_code,
            content,
            self._clock.monotonic() - began,
            (response.headers.get(BY) or "").lower() or None,
            int(status) if status.isdecimal() else None,
        )

    def _read(self, response: httpx.Response, until: float) -> bytes:
        """The body. Raises TimeoutError where it comes in drops past the deadline, or does not end."""
        parts, size = [], 0
        for part in response.iter_bytes():
            parts.append(part)
            size += len(part)
            if self._clock.monotonic() > until or size > LONGEST_ANSWER:
                raise TimeoutError(f"the answer did not end: {size} bytes came")
        return b"".join(parts)

    def _door(self, endpoint: str, refused: Door | None = None) -> Door:
        """The way in, found once; anew where its credential is about to end, or was refused."""
        with self._lock:
            known = self._doors.get(endpoint)
            stale = known is None or known == refused or known.until <= self._clock.now().timestamp()
            if known is None or stale:
                known = self._doors[endpoint] = self._found(endpoint, refused)
            return known

    def _found(self, endpoint: str, refused: Door | None) -> Door:
        body = self._resources.endpoint(endpoint)
        if body is None:
            raise no_endpoint(endpoint)
        url, mode = self._own(needed(body, "properties", "scoringUri")), auth_mode_of(body)
        match mode:
            case "key":
                return Door(url, mode, self._hidden(needed(self._resources.keys(endpoint), "primaryKey")))
            case "aml_token":
                told = self._resources.token(endpoint)
                refresh, ends = number(told, "refreshAfterTimeUtc"), number(told, "expiryTimeUtc")
                moments = [moment for moment in (refresh, ends - EARLY_SECONDS if ends else None) if moment]
                soon = self._clock.now().timestamp() + 1  # a token that is short-lived is not asked for each request
                return Door(
                    url, mode, self._hidden(needed(told, "accessToken")), max(min(moments, default=float("inf")), soon)
                )
            case "aad_token":
                return Door(url, mode, self._entra(refused), self._clock.now().timestamp() + 60)

    def _hidden(self, credential: str) -> str:
        self._workspace.session.hide(credential)
        return credential

    def _entra(self, refused: Door | None) -> str:
        """A token of Entra's. It is kept fresh where it comes from, and asked for again every minute."""
        if refused is not None and refused.mode == "aad_token":
            with translated("sign in to Azure"):
                renewed = self._workspace.session.credential.renewed(refused.credential)
            if renewed is not None:
                return renewed
        return self._workspace.token(self._workspace.cloud.ml_scope)

    def _own(self, url: str) -> str:
        """That URL, where it is an endpoint's in this cloud: nobody else gets a key or a token."""
        cloud = self._workspace.cloud
        if is_trusted(url, cloud) and (urlsplit(url).hostname or "").endswith(f".{cloud.inference_suffix}"):
            return url
        raise PlatformUnavailable(
            "the endpoint's address is not Azure's",
            why=f"{redacted(url)} is not https on a host of {cloud.inference_suffix}, so it was not asked",
            hint="find out who changed the endpoint",
        )

    def _http(self) -> httpx.Client:
        """One client for all threads. Proxy and certificates come from the environment; redirects are not followed."""
        with self._lock:
            if self._client is None:
                import httpx

                from ctrain import __version__

                limits = httpx.Limits(max_connections=256, max_keepalive_connections=256, keepalive_expiry=20.0)
                with translated("open a connection to the endpoint"):  # the environment may name a missing CA file
                    self._client = httpx.Client(
                        verify=_tls(), limits=limits, headers={"User-Agent": f"ctrain/{__version__}"}
                    )
                weakref.finalize(self, self._client.close)
            return self._client


def _not_let_in(endpoint: str, mode: AuthMode, status: int) -> NotAllowed:
    hint = "a firewall or a private endpoint may be in the way: look at the endpoint in the Studio"
    if mode == "aad_token":
        hint = f"ask for a role with {SCORE} on the endpoint; it takes a few minutes to count"
    return NotAllowed(
        f"the endpoint {endpoint} does not let us in",
        why=f"it answered {status} to a fresh {mode.replace('_', ' ')}",
        hint=hint,
    )


def _tls() -> ssl.SSLContext | bool:
    """Whom to trust: as httpx does by itself (SSL_CERT_FILE, else its own list), and REQUESTS_CA_BUNDLE, by which all
    else that speaks to Azure is told of a company's proxy."""
    bundle = os.environ.get("REQUESTS_CA_BUNDLE")
    if not bundle or os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR"):
        return True
    place = Path(bundle)
    return ssl.create_default_context(capath=bundle) if place.is_dir() else ssl.create_default_context(cafile=bundle)


def _told(problem: Exception) -> str:
    """What went wrong on the way, by kind where the library says nothing."""
    words = " ".join(str(problem).split())
    kind = type(problem).__name__
    return f"{kind}: {words}" if words else kind
