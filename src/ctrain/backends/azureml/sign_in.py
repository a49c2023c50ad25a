"""Signing in to Azure: one way, chosen by what the environment says, told to the user; never a chain of guesses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ctrain.errors import NotAllowed, UsageError

SETTING: Final = "CTRAIN_AZURE_SIGN_IN"


class Way(StrEnum):
    """How to sign in; the values of `CTRAIN_AZURE_SIGN_IN`."""

    GITHUB = "github"
    AZURE_PIPELINES = "azure_pipelines"
    WORKLOAD_IDENTITY = "workload_identity"
    CLIENT_SECRET = "client_secret"  # noqa: S105  the name of a way
    MANAGED_IDENTITY = "managed_identity"
    AZURE_CLI = "azure_cli"


@dataclass(frozen=True)
class Need:
    """A variable that a way takes, under any of these names, and where it comes from."""

    names: tuple[str, ...]
    source: str

    def value(self, environ: Mapping[str, str]) -> str | None:
        return next((environ[name] for name in self.names if environ.get(name)), None)


_CLIENT: Final = Need(("AZURE_CLIENT_ID",), "the application (client) id of the app registration or identity")
_TENANT: Final = Need(("AZURE_TENANT_ID",), "the directory (tenant) id")

NEEDS: Final[Mapping[Way, Mapping[str, Need]]] = {
    Way.GITHUB: {
        "url": Need(("ACTIONS_ID_TOKEN_REQUEST_URL",), "give the job `permissions: id-token: write`"),
        "token": Need(("ACTIONS_ID_TOKEN_REQUEST_TOKEN",), "give the job `permissions: id-token: write`"),
        "client": _CLIENT,
        "tenant": _TENANT,
    },
    Way.AZURE_PIPELINES: {
        "url": Need(("SYSTEM_OIDCREQUESTURI",), "Azure Pipelines sets it"),
        "token": Need(("SYSTEM_ACCESSTOKEN",), "give the step `env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)`"),
        "connection": Need(
            ("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", "AZURE_SERVICE_CONNECTION_ID"),
            "the service connection's id (resourceId in the address of its page); AzureCLI@2 sets it",
        ),
        "client": Need(("AZURESUBSCRIPTION_CLIENT_ID", "AZURE_CLIENT_ID"), "the service connection's client id"),
        "tenant": Need(("AZURESUBSCRIPTION_TENANT_ID", "AZURE_TENANT_ID"), "the service connection's tenant id"),
    },
    Way.WORKLOAD_IDENTITY: {
        "file": Need(("AZURE_FEDERATED_TOKEN_FILE",), "the file that holds the workload's token"),
        "client": _CLIENT,
        "tenant": _TENANT,
    },
    Way.CLIENT_SECRET: {
        "secret": Need(("AZURE_CLIENT_SECRET",), "a client secret's value, not its id"),
        "client": _CLIENT,
        "tenant": _TENANT,
    },
    Way.MANAGED_IDENTITY: {},
    Way.AZURE_CLI: {},
}

SIGNS: Final[Mapping[Way, tuple[str, ...]]] = {
    Way.GITHUB: ("ACTIONS_ID_TOKEN_REQUEST_URL",),
    Way.AZURE_PIPELINES: ("SYSTEM_OIDCREQUESTURI",),
    Way.WORKLOAD_IDENTITY: ("AZURE_FEDERATED_TOKEN_FILE",),
    Way.CLIENT_SECRET: ("AZURE_CLIENT_SECRET",),
    Way.MANAGED_IDENTITY: ("IDENTITY_ENDPOINT", "MSI_ENDPOINT"),
    Way.AZURE_CLI: (),
}
"""Variables that are only there where that way is meant."""


@dataclass(frozen=True)
class SignIn:
    """The way chosen, and the variables that it takes. `because` says why it was chosen."""

    way: Way
    because: str
    settings: Mapping[str, str]

    def __repr__(self) -> str:
        return f"SignIn({self.way}, because {self.because})"  # the settings hold secrets


def choose(environ: Mapping[str, str]) -> SignIn:
    """The one way that the environment says.

    Raises UsageError where it says an unknown one, or two at once; NotAllowed where what it says is half there.
    """
    asked = environ.get(SETTING)
    if asked:
        if asked not in set(Way):
            raise UsageError(
                f"{SETTING}={asked} is no way to sign in",
                why=f"there are: {', '.join(Way)}",
                hint=f"set {SETTING} to one of them, or unset it",
            )
        return _complete(Way(asked), f"{SETTING} says so", environ)
    signs = {way: next((name for name in names if environ.get(name)), None) for way, names in SIGNS.items()}
    found = [(way, sign) for way, sign in signs.items() if sign]
    if len(found) > 1 and {Way.MANAGED_IDENTITY} != {way for way, _ in found}:
        found = [(way, sign) for way, sign in found if way is not Way.MANAGED_IDENTITY]
    if len(found) > 1:
        raise UsageError(
            "there is more than one way to sign in to Azure",
            why=" and ".join(f"{sign} is set ({way})" for way, sign in found),
            hint=f"unset what you do not mean, or set {SETTING} to one of them",
        )
    if found:
        return _complete(found[0][0], f"{found[0][1]} is set", environ)
    return _without_signs(environ)


def _without_signs(environ: Mapping[str, str]) -> SignIn:
    """A laptop: the Azure CLI. In CI that would die with the CI's first token, so it has to be asked for."""
    if environ.get("GITHUB_ACTIONS"):
        return _complete(Way.GITHUB, "this is GitHub Actions", environ)
    if environ.get("TF_BUILD"):
        return _complete(Way.AZURE_PIPELINES, "this is Azure Pipelines", environ)
    return _complete(Way.AZURE_CLI, "nothing else is configured", environ)


def _complete(way: Way, because: str, environ: Mapping[str, str]) -> SignIn:
    values = {key: need.value(environ) for key, need in NEEDS[way].items()}
    missing = [need for key, need in NEEDS[way].items() if not values[key]]
    if missing:
        raise NotAllowed(
            f"signing in to Azure by {way} is half configured",
            why=f"{because}, and {' and '.join(' or '.join(need.names) for need in missing)} is missing",
            hint="; ".join(dict.fromkeys(f"{need.names[-1]}: {need.source}" for need in missing)),
        )
    settings = {key: value for key, value in values.items() if value}
    if way is Way.MANAGED_IDENTITY and environ.get("AZURE_CLIENT_ID"):
        settings["client"] = environ["AZURE_CLIENT_ID"]
    if way is Way.AZURE_CLI and environ.get("AZURE_TENANT_ID"):
        settings["tenant"] = environ["AZURE_TENANT_ID"]
    return SignIn(way, because, settings)
