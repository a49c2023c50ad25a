"""Asking a CI's REST API: over https, with patience that ends, and with a token that nobody else gets to see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from ctrain.cli.ci.commands import one_line
from ctrain.errors import Conflict, NotAllowed, PlatformUnavailable, UsageError
from ctrain.secrecy import redacted, without_secrets

if TYPE_CHECKING:
    from ssl import SSLContext

    import httpx

    from ctrain.ports import Clock

ATTEMPTS = 5
LONGEST_WAIT = 60.0
"""Seconds that one call may wait in all before it is given up, whatever it is asked to: a CI's minutes cost money."""

TIMEOUT = 15.0
PAGES = 50
REDIRECTS = 3

_LATER = "run the same command again later"
_TRANSIENT = (500, 502, 503, 504)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class TooMuch(PlatformUnavailable):
    """The API refused what was sent as too long, or as wrong in itself."""


class Silence(PlatformUnavailable):
    """No answer came that can be read. `harmless`: it was not even heard, so that nothing was done."""

    def __init__(self, what: str, *, why: str, hint: str, harmless: bool) -> None:
        super().__init__(what, why=why, hint=hint)
        self.harmless = harmless


@dataclass(frozen=True)
class Answer:
    """What came back: read JSON, or None for an empty body; or it was a `page`, for people."""

    status: int
    content: object
    page: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


class Api:
    """An API below a base address. `who` is what messages call it. No redirect leads to another host."""

    def __init__(self, who: str, base: str, headers: Mapping[str, str], clock: Clock) -> None:
        """Raises UsageError for an address that a token must not be sent to."""
        self.who = who
        self.base = checked(base)
        self._headers = dict(headers)
        self._clock = clock
        self._client: httpx.Client | None = None

    def get(self, path: str, **query: str | int) -> object:
        return self._ask("GET", self._url(path), query=query).content

    def post(self, path: str, body: Mapping[str, object], **query: str | int) -> object:
        return self._ask("POST", self._url(path), body, query).content

    def patch(self, path: str, body: Mapping[str, object], **query: str | int) -> object:
        return self._ask("PATCH", self._url(path), body, query).content

    def delete(self, path: str, **query: str | int) -> None:
        self._ask("DELETE", self._url(path), query=query)

    def pages(self, path: str, **query: str | int) -> Iterator[object]:
        """The items of a list, page by page, by the links that lead on. Source: GitHub, "Using pagination"."""
        url, asked = self._url(path), dict(query)
        for _ in range(PAGES):
            answer = self._ask("GET", url, query=asked)
            content = answer.content
            if isinstance(content, dict):  # check runs come in an envelope
                content = next((value for value in content.values() if isinstance(value, list)), [])
            yield from content if isinstance(content, list) else []
            onward = _next(answer.headers.get("link", ""))
            if onward is None:
                return
            url, asked = self._own(urljoin(url, onward)), {}

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def _url(self, path: str) -> str:
        return f"{self.base}/{path}" if path else self.base

    def _own(self, url: str) -> str:
        if not same_host(url, self.base):
            raise PlatformUnavailable(
                f"{self.who} sends us elsewhere",
                why=f"to {redacted(url)}, which gets no token from us",
                hint="find out who answers for it",
            )
        return url

    def _ask(
        self,
        method: str,
        url: str,
        body: Mapping[str, object] | None = None,
        query: Mapping[str, str | int] | None = None,
    ) -> Answer:
        waited, attempt = 0.0, 1
        while True:
            failure = PlatformUnavailable(f"{self.who} is not available", why="", hint=_LATER)
            try:
                answer = self._followed(method, url, body, query)
            except Silence as silence:
                failure, wait = silence, _backoff(attempt) if silence.harmless or method != "POST" else None
                if wait is None:
                    raise
            else:
                wait = self._wait(method, answer, attempt)
                if wait is None:
                    return self._judged(method, url, answer)
                failure.why = f"{method} {redacted(url)} was answered with {answer.status}, {attempt} times"
            if attempt == ATTEMPTS or waited + wait > LONGEST_WAIT:
                raise failure
            self._clock.sleep(wait)
            waited, attempt = waited + wait, attempt + 1

    def _followed(
        self, method: str, url: str, body: Mapping[str, object] | None, query: Mapping[str, str | int] | None
    ) -> Answer:
        """One answer, by whatever address of the same host it is had: a repository may have been renamed."""
        answer = self._once(method, url, body, query)
        for _ in range(REDIRECTS):
            if answer.status not in (301, 307, 308):
                break
            url = self._own(urljoin(url, answer.headers.get("location", "")))
            answer = self._once(method, url, body, None)
        return answer

    def _once(
        self, method: str, url: str, body: Mapping[str, object] | None, query: Mapping[str, str | int] | None
    ) -> Answer:
        content, page = None, False
        with self._translated(method, url):
            answer = self._http().request(method, url, json=body, params=query or None, headers=self._headers)
            if answer.content:
                page = "json" not in answer.headers.get("content-type", "")
                content = None if page else answer.json()
        return Answer(
            answer.status_code, content, page, {name.lower(): value for name, value in answer.headers.items()}
        )

    def _http(self) -> httpx.Client:
        if self._client is None:
            import httpx

            self._client = httpx.Client(timeout=TIMEOUT, follow_redirects=False, verify=_trust())
        return self._client

    def _wait(self, method: str, answer: Answer, attempt: int) -> float | None:
        """Seconds to wait before asking again; None where the answer stands.

        A limit was met before anything was done, so that everything may be asked again; after a fault only what is the
        same when it is done twice. Source: GitHub, "Rate limits for the REST API", on secondary limits as well.
        """
        limited = answer.status == 429 or (
            answer.status == 403
            and ("retry-after" in answer.headers or answer.headers.get("x-ratelimit-remaining") == "0")
        )
        if not limited and (answer.status not in _TRANSIENT or method == "POST"):
            return None
        told = self._told(answer.headers)
        return told if told is not None else _backoff(attempt)

    def _told(self, headers: Mapping[str, str]) -> float | None:
        after, reset = headers.get("retry-after", ""), headers.get("x-ratelimit-reset", "")
        if after.isdecimal():
            return float(after)
        if after:
            try:
                when = parsedate_to_datetime(after)
            except (ValueError, TypeError, IndexError):
                return None
            return max((when.replace(tzinfo=when.tzinfo or UTC) - self._clock.now()).total_seconds(), 1.0)
        if reset.isdecimal() and headers.get("x-ratelimit-remaining") == "0":
            return max((datetime.fromtimestamp(int(reset), UTC) - self._clock.now()).total_seconds(), 1.0)
        return None

    def _judged(self, method: str, url: str, answer: Answer) -> Answer:
        asked = f"{method} {redacted(url)}"
        # Azure DevOps shows a page to sign in on to who is not: with 203, or by a redirect to it.
        if 200 <= answer.status < 300 and answer.status != 203 and not answer.page:
            return answer
        said = without_secrets(one_line(_message(answer.content), 300))
        why = f"{asked} was answered with {answer.status}{f': {said}' if said else ''}"
        match answer.status:
            case 401 | 403 | 404 | 410 | 203 | 302:
                raise NotAllowed(f"{self.who} does not let us", why=why, hint="give the job's token the permission")
            case 409:
                raise Conflict(f"{self.who} says that it is in use", why=why, hint="run the same command again")
            case 400 | 413 | 422:
                raise TooMuch(f"{self.who} does not take it", why=why, hint="please open an issue with this line")
            case _:
                raise PlatformUnavailable(f"{self.who} is not available", why=why, hint=_LATER)

    @contextmanager
    def _translated(self, method: str, url: str) -> Iterator[None]:
        import httpx

        try:
            yield
        except (httpx.HTTPError, ValueError) as problem:
            raise Silence(
                f"{self.who} does not answer",
                why=f"{method} {redacted(url)}: {without_secrets(str(problem)) or type(problem).__name__}",
                hint=_LATER,
                harmless=isinstance(problem, httpx.ConnectError | httpx.ConnectTimeout),
            ) from None


def _backoff(attempt: int) -> float:
    return min(2.0 ** (attempt - 1), 20.0)


@cache
def _trust() -> SSLContext:
    """Whom we believe: reading the authorities' certificates takes longer than most requests."""
    import httpx

    return httpx.create_ssl_context()


def checked(base: str) -> str:
    """The address without a slash at its end. Raises UsageError where a token would travel in the clear, or be seen."""
    try:
        parts = urlsplit(base)
        known = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    except ValueError:
        known, parts = False, urlsplit("")
    if not known or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise UsageError(
            "the CI's own address cannot be used",
            why=f"{redacted(base) or 'an empty one'} is not https, or has more than a host and a path",
            hint="leave GITHUB_API_URL and SYSTEM_COLLECTIONURI as the CI sets them",
        )
    return base.rstrip("/")


def same_host(url: str, base: str) -> bool:
    """Whether both are of one scheme, host and port."""
    try:
        one, other = urlsplit(url), urlsplit(base)
        return (one.scheme, one.hostname, one.port) == (other.scheme, other.hostname, other.port)
    except ValueError:
        return False


def _next(link: str) -> str | None:
    for part in link.split(","):
        target, _, relation = part.partition(";")
        if 'rel="next"' in relation.replace(" ", ""):
            return target.strip().strip("<>")
    return None


def _message(content: object) -> str:
    return str(content.get("message", "")) if isinstance(content, dict) else ""
