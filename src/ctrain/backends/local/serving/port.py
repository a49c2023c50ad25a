"""LocalServing: the Serving port on this machine. Loads no model, and no server's libraries."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shlex
import shutil
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from ctrain.backends.local.home import Home
from ctrain.backends.local.serving.folder import Contact, Folder, tail
from ctrain.backends.local.serving.remote import TIMEOUT, ask, asleep, scoring_url
from ctrain.backends.local.serving.surroundings import bare_environment
from ctrain.backends.local.serving.wish import Placement, check_name
from ctrain.errors import Conflict, NoAnswer, PlatformUnavailable, UsageError
from ctrain.serving import Answer, DeploymentSpec, Endpoint, Request, Traffic

if TYPE_CHECKING:
    import httpx

    from ctrain.ports import Clock

START_SECONDS = 30.0
"""An endpoint process that says nothing for so long will not come up."""

REACH_SECONDS = 5.0
"""How long an endpoint's process that is just starting is waited for."""

ROUTE_SECONDS = REACH_SECONDS + TIMEOUT
"""How long one change of weights may take."""

Interpreters = Callable[[str | None], Path]
"""Which Python runs a deployment, by the name of its environment."""


def own_interpreter(_environment: str | None) -> Path:
    """The one that ctrain runs in, whatever the environment."""
    return Path(sys.executable)


class LocalServing:
    """Endpoints under `home.endpoints`, each a process of its own that outlives this one."""

    def __init__(
        self,
        home: Home,
        clock: Clock,
        interpreter_for: Interpreters = own_interpreter,
        hide: Callable[[str], object] = lambda _: None,
    ) -> None:
        """`hide` is told an endpoint's key before anybody is shown it."""
        self._home = home
        self._clock = clock
        self._interpreter_for = interpreter_for
        self._hide = hide
        self._client: httpx.Client | None = None

    def look(self, endpoint: str) -> Endpoint | None:
        """The endpoint as its process tells; where that is down, as its wish does, with nothing ready."""
        return see(Folder.of(self._home, endpoint), self._clock)

    def create(self, endpoint: str) -> Endpoint:
        """Raises UsageError for a name that Azure ML would refuse, PlatformUnavailable where its port is taken."""
        folder = Folder.of(self._home, endpoint)
        with _writing(folder.root):
            self._home.prepare()
            folder.prepare()
        return ensure_running(folder, self._clock)

    def place(self, endpoint: str, spec: DeploymentSpec) -> None:
        """Raises Conflict where another deployment has the name, UsageError where its files are missing."""
        check_name(spec.name, "a deployment")
        folder = self._existing(endpoint)
        model = self._model(spec)
        self._ask(endpoint, "place", asdict(self._placement(folder, spec, model)))

    def route(self, endpoint: str, traffic: Traffic) -> None:
        self._ask(endpoint, "route", dict(traffic))

    def mirror(self, endpoint: str, mirror: Traffic) -> None:
        """Copy that percentage of the live requests to one deployment at 0%, and drop its answers; `{}` ends it.

        Raises Conflict for what Azure would refuse.
        """
        self._ask(endpoint, "mirror", dict(mirror))

    def remove(self, endpoint: str, deployment: str) -> None:
        self._ask(endpoint, "remove", deployment)
        # Its log stays: a rollout that failed removes what failed, and a person wants to know why.
        shutil.rmtree(Folder.of(self._home, endpoint).deployment(deployment) / "code", ignore_errors=True)

    def score(self, endpoint: str, request: Request) -> Answer:
        """Ask over HTTP with the endpoint's key. Headers are made for each request: nothing leaks into the next."""
        import httpx

        folder = self._existing(endpoint)
        wish, key = folder.wish(), folder.key()
        self._hide(key)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": request.content_type}
        if request.deployment is not None:
            headers["azureml-model-deployment"] = request.deployment
        began = self._clock.monotonic()
        try:
            answer = self._http().post(
                scoring_url(wish) if wish else "", content=request.body, headers=headers, timeout=request.timeout
            )
        except httpx.HTTPError as problem:
            raise NoAnswer(
                f"the endpoint {endpoint} gave no answer",
                why=str(problem) or type(problem).__name__,
                hint="see `ctrain local status`; `ctrain local up` starts it",
            ) from None
        seconds = self._clock.monotonic() - began
        status = answer.headers.get("ms-azureml-model-error-statuscode", "")
        return Answer(
            answer.status_code,
            answer.content,
            seconds,
            answer.headers.get("azureml-model-deployment"),
            int(status) if status.isdecimal() else None,
        )

    def logs(self, endpoint: str, deployment: str) -> str:
        return tail(Folder.of(self._home, endpoint).deployment_log(deployment))

    def key(self, endpoint: str) -> str:
        """The endpoint's key, for a caller's `Authorization: Bearer KEY`: a secret."""
        return self._existing(endpoint).key()

    def _http(self) -> httpx.Client:
        """One client, so that its connections are used again. It never leaves this machine: no proxy, no TLS."""
        if self._client is None:
            import ssl

            import httpx

            bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._client = httpx.Client(transport=httpx.HTTPTransport(verify=bare), trust_env=False)
            weakref.finalize(self, self._client.close)
        return self._client

    def _existing(self, endpoint: str) -> Folder:
        folder = Folder.of(self._home, endpoint)
        if not folder.wish_file.exists():
            raise Conflict(f"there is no endpoint {endpoint}", why="it was never created here", hint="create it first")
        return folder

    def _ask(self, endpoint: str, act: str, body: object) -> None:
        folder = self._existing(endpoint)
        contact = reach(folder, self._clock)
        if contact is None:
            raise PlatformUnavailable(
                f"the endpoint {endpoint} is down", why="its process is not running", hint="run `ctrain local up`"
            )
        try:
            ask(contact, act, body)
        except ConnectionError as problem:
            raise PlatformUnavailable(
                f"the endpoint {endpoint} went down",
                why=f"its process left while it was asked to {act}: {problem}",
                hint=f"look into {folder.log}, and run `ctrain local up`",
            ) from None

    def _model(self, spec: DeploymentSpec) -> Path:
        parts = urlsplit(spec.model_uri)
        named = Path(unquote(parts.path)) if parts.scheme in ("", "file") else None
        kept = self._home.models / spec.model_digest
        found = next((path for path in (named, kept) if path is not None and path.exists()), None)
        if found is None:
            raise UsageError(
                f"{spec.model}:{spec.model_version} cannot be deployed",
                why=f"its files are not at {spec.model_uri}",
                hint="register it again: the same content gets its files back",
            )
        if spec.scoring is None and not (found / "MLmodel").is_file():
            raise UsageError(
                f"{spec.model}:{spec.model_version} cannot be deployed without code",
                why=f"it is no MLflow model: {found} has no MLmodel file",
                hint="log it with MLflow, or give the stage a scoring script",
            )
        return found.absolute()

    def _placement(self, folder: Folder, spec: DeploymentSpec, model: Path) -> Placement:
        environment = spec.scoring.environment if spec.scoring else None
        code = _copied_code(folder, spec) if spec.scoring else None
        # Not resolved: a virtual environment's python is a link whose place matters.
        return Placement(spec, model, self._interpreter_for(environment).absolute(), code)


def _copied_code(folder: Folder, spec: DeploymentSpec) -> Path:
    """The scoring code, copied: what serves must not change when the working tree does."""
    assert spec.scoring is not None  # noqa: S101  for the type checker; our caller asked
    source = Path(spec.scoring.code).absolute()
    if not (source / spec.scoring.script).is_file():
        raise UsageError(
            f"{spec.name} has no scoring script",
            why=f"there is no file {source / spec.scoring.script}",
            hint="correct the code folder or the script's name",
        )
    target = folder.deployment(spec.name) / "code"
    wish = folder.wish()
    if wish is None or spec.name not in wish.deployments or wish.deployments[spec.name].failed:
        shutil.rmtree(target, ignore_errors=True)
        with _writing(target):
            shutil.copytree(source, target, ignore=shutil.ignore_patterns(".git", "__pycache__", ".venv", ".ctrain"))
    return target


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise PlatformUnavailable(
            f"cannot write to {place}",
            why=problem.strerror or str(problem),
            hint="make room on the disk, or make the folder writable",
        ) from None


def see(folder: Folder, clock: Clock) -> Endpoint | None:
    """The endpoint of that folder, or None where there is none."""
    wish = folder.wish()
    if wish is None:
        return None
    contact = reach(folder, clock)
    seen: Endpoint | None = None
    if contact is not None:
        with contextlib.suppress(ConnectionError):
            seen = ask(contact, "state")
    seen = seen or asleep(folder, folder.wish() or wish)
    return replace(seen, key_command=f"cat {shlex.quote(str(folder.key_file))}", start_command="ctrain local up")


def reach(folder: Folder, clock: Clock) -> Contact | None:
    """How to reach the endpoint's process, or None where it is down; waits for one that is just starting."""
    until = clock.monotonic() + REACH_SECONDS
    while folder.running():
        contact = folder.contact()
        if contact is not None:
            return contact
        if clock.monotonic() > until:
            return None
        clock.sleep(0.02)
    return None


def ensure_running(folder: Folder, clock: Clock) -> Endpoint:
    """Start the endpoint's process where it is down. Raises PlatformUnavailable where it does not come up."""
    with folder.starting():
        if not folder.running():
            folder.prepare()
            _start(folder)
    seen = see(folder, clock)
    if seen is None or not seen.running:
        raise _not_up(folder, f"it went down at once; the end of its log: {tail(folder.log, 600).strip()}")
    return seen


def _start(folder: Folder) -> None:
    read, write = os.pipe()
    try:
        with folder.log.open("ab") as log:
            subprocess.run(
                [sys.executable, "-m", "ctrain.backends.local.serving.endpoint", str(folder.root), str(write)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=bare_environment(),
                pass_fds=(write,),
                check=False,
            )
        os.close(write)
        write = -1
        said = _said(read)
    finally:
        os.close(read)
        if write >= 0:
            os.close(write)
    if said == "ready":
        return
    if said.startswith("{"):
        raise PlatformUnavailable(**json.loads(said))
    raise _not_up(folder, f"its process ended while starting; the end of its log: {tail(folder.log, 600).strip()}")


def _said(descriptor: int) -> str:
    said = b""
    while select.select([descriptor], [], [], START_SECONDS)[0]:
        part = os.read(descriptor, 4096)
        if not part:
            break
        said += part
    return said.decode()


def _not_up(folder: Folder, why: str) -> PlatformUnavailable:
    return PlatformUnavailable(f"the endpoint {folder.root.name} did not start", why=why, hint=f"read {folder.log}")
