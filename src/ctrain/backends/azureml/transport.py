"""The one way out: every request of ours and of the SDK's goes through here, with our time-outs, retries and Clock.

An azure-core transport, so that MLClient, Arm and the credentials take it alike; their own retry policies are off.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError, ServiceRequestError, ServiceResponseError
from azure.core.pipeline.transport import HttpTransport, RequestsTransport

from ctrain.backends.azureml.failures import last_request, request_id
from ctrain.backends.azureml.patience import RETRIED, Patience, may_repeat, retry_after
from ctrain.ports import Clock

if TYPE_CHECKING:
    from types import TracebackType

CONNECT_SECONDS: Final = 10
READ_SECONDS: Final = 60.0

TOLD_SECONDS: Final = 5.0
"""From here on a wait is told of: without a word a command that cannot reach Azure looks as if it hung."""
TOLD_EVERY: Final = 60.0
"""Of one host no more often than that."""

NO_RETRIES: Final[dict[str, Any]] = {"retry_total": 0, "retry_connect": 0, "retry_read": 0, "retry_status": 0}
"""For a client that takes this transport: it must not retry a second time."""


_PROXY_REFUSES: Final = re.compile(r"Tunnel connection failed: 40[1357]\b")
"""The proxy wants to know who we are, or does not let us through: that does not go away by itself. The words are those
of Python's http.client, in what urllib3 raises."""


class Tokens(Protocol):
    """Who knows better tokens than the one on a request."""

    def current(self, token: str) -> str:
        """The one to send instead; the same where it is good."""
        ...

    def renewed(self, token: str) -> str | None:
        """Another one, after that one was refused; None where there is none."""
        ...


class PatientTransport(HttpTransport[Any, Any]):
    """Sends, waits and sends again. Safe in threads: each has a session of its own.

    Only what `may_reach` allows is asked for (None: anything). A token goes only where `may_see_token` says; where it
    is refused, `tokens` gives another one, once. `tell` hears of waits that are long enough to wonder about.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        may_see_token: Callable[[str], bool],
        may_reach: Callable[[str], bool] | None = None,
        tokens: Tokens | None = None,
        patience: Patience | None = None,
        marked: bool = False,
        tell: Callable[[str], None] = lambda _: None,
        answer_seconds: float = READ_SECONDS,
    ) -> None:
        self._clock = clock
        self._patience = patience or Patience()
        self._may_see_token = may_see_token
        self._may_reach = may_reach
        self._tokens = tokens
        self._marked = marked
        self._tell = tell
        self._answer_seconds = answer_seconds
        self._told: dict[str, float] = {}
        self._mine = threading.local()

    def send(self, request: Any, **options: Any) -> Any:
        """The answer. Raises azure-core's errors where none came; a refusal that stays is an answer."""
        repeatable = may_repeat(request.method, request.url, marked=options.pop("idempotent", self._marked))
        self._check_token(request)
        started, attempt, renewed = self._clock.monotonic(), 0, False
        while True:
            attempt += 1
            answer, failure = self._once(request, options)
            if answer is not None and answer.status_code == 401 and not renewed and self._renewed(request, answer):
                renewed = True
                continue
            wait = None
            if repeatable and _may_pass(answer, failure) and _rewind(request):
                asked = retry_after(answer.headers, self._clock.now()) if answer is not None else None
                spent = self._clock.monotonic() - started
                wait = self._patience.wait(attempt, asked, spent, reached=answer is not None)
            if wait is None:
                if failure is not None:
                    raise failure
                return answer
            if self._clock.monotonic() - started + wait > TOLD_SECONDS:
                self._tell_of(urlsplit(request.url).hostname or "", answer, wait)
            self._clock.sleep(wait)

    def _tell_of(self, host: str, answer: Any, wait: float) -> None:
        now = self._clock.monotonic()
        if now - self._told.get(host, -TOLD_EVERY) < TOLD_EVERY:
            return
        self._told[host] = now
        trouble = "cannot be reached" if answer is None else f"answers {answer.status_code}"
        self._tell(f"{host} {trouble}: trying again in {wait:.0f} s")

    def _once(self, request: Any, options: dict[str, Any]) -> tuple[Any, AzureError | None]:
        try:
            answer = self._session().send(request, **options)
        except (ServiceRequestError, ServiceResponseError) as failure:
            return None, failure
        except AzureError as failure:  # the body ended early, or could not be unpacked
            return None, ServiceResponseError(failure.message, error=failure)
        last_request.set(request_id(answer.headers, request.headers))
        return answer, None

    def _check_token(self, request: Any) -> None:
        host = urlsplit(request.url).hostname
        if "Authorization" in request.headers and not self._may_see_token(request.url):
            raise ServiceRequestError(f"{host} is none of Azure's own hosts: no token is sent there")
        if self._may_reach is not None and not self._may_reach(request.url):
            raise ServiceRequestError(f"{host} is none of Azure's own hosts: nothing is asked there")
        token = _bearer(request)
        if self._tokens is not None and token:
            request.headers["Authorization"] = f"Bearer {self._tokens.current(token)}"

    def _renewed(self, request: Any, answer: Any) -> bool:
        """Put another token on the request. A challenge that asks for claims is azure-core's to answer."""
        token = _bearer(request)
        if self._tokens is None or not token or "claims=" in answer.headers.get("WWW-Authenticate", ""):
            return False
        other = self._tokens.renewed(token)
        if other is None:
            return False
        request.headers["Authorization"] = f"Bearer {other}"
        return True

    def _session(self) -> RequestsTransport:
        transport: RequestsTransport | None = getattr(self._mine, "transport", None)
        if transport is None:
            transport = RequestsTransport(connection_timeout=CONNECT_SECONDS, read_timeout=self._answer_seconds)
            transport.open()
            self._mine.transport = transport
        return transport

    def sleep(self, duration: float) -> None:
        """How a client that waits by itself (a poller) waits."""
        self._clock.sleep(duration)

    def open(self) -> None:
        """Nothing to do: sessions open when they are used."""

    def close(self) -> None:
        """Nothing to do: clients share this, and one that closes must not end the others'."""

    def __enter__(self) -> PatientTransport:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        raised: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        return None


def _bearer(request: Any) -> str:
    """The token on a request; empty where there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme == "Bearer" else ""


def _may_pass(answer: Any, failure: AzureError | None) -> bool:
    if failure is not None:
        return not _PROXY_REFUSES.search(str(failure))
    return answer.status_code in RETRIED


def _rewind(request: Any) -> bool:
    """Whether the request can be sent as it was. A stream can be read once; ours are bytes."""
    body = getattr(request, "body", None)
    return body is None or isinstance(body, bytes | str | Mapping)  # a mapping is a form
