"""How to sign in is what the environment says: one way, whole, or a refusal that names what is missing."""

from __future__ import annotations

import pytest

from ctrain.backends.azureml.sign_in import NEEDS, SETTING, Way, choose
from ctrain.errors import NotAllowed, UsageError

APP = {"AZURE_CLIENT_ID": "app", "AZURE_TENANT_ID": "tenant"}
GITHUB = {
    **APP,
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://x",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t",
    "GITHUB_ACTIONS": "1",
}
PIPELINES = {
    "TF_BUILD": "True",
    "SYSTEM_OIDCREQUESTURI": "https://dev.azure.com/x",
    "SYSTEM_ACCESSTOKEN": "t",
    "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "c",
    "AZURESUBSCRIPTION_CLIENT_ID": "app",
    "AZURESUBSCRIPTION_TENANT_ID": "tenant",
}
FILE = {**APP, "AZURE_FEDERATED_TOKEN_FILE": "/var/run/token"}
SECRET = {**APP, "AZURE_CLIENT_SECRET": "s3cret"}
WHOLE = {
    Way.GITHUB: GITHUB,
    Way.AZURE_PIPELINES: PIPELINES,
    Way.WORKLOAD_IDENTITY: FILE,
    Way.CLIENT_SECRET: SECRET,
    Way.MANAGED_IDENTITY: {"IDENTITY_ENDPOINT": "http://169.254.130.4/msi/token", "IDENTITY_HEADER": "h"},
    Way.AZURE_CLI: {},
}


@pytest.mark.parametrize("way", Way)
def test_each_way_is_chosen_by_what_is_only_there_for_it(way: Way) -> None:
    """And says why it was chosen."""
    chosen = choose(WHOLE[way])
    assert chosen.way is way
    assert chosen.because
    assert "s3cret" not in repr(chosen)


@pytest.mark.parametrize("way", Way)
def test_the_setting_overrides(way: Way) -> None:
    """Two at once are fine where one is asked for by name."""
    everything = {name: value for environment in WHOLE.values() for name, value in environment.items()}
    assert choose({**everything, SETTING: way.value}).way is way


@pytest.mark.parametrize(
    ("way", "name"),
    [
        (way, need.names[0])
        for way, needs in NEEDS.items()
        for key, need in needs.items()
        if key not in {"url", "file", "secret"}  # without these there is no sign of that way
    ],
)
def test_half_of_a_way_is_refused_naming_the_other_half(way: Way, name: str) -> None:
    """Falling through to another way would sign in as somebody else."""
    environment = {key: value for key, value in WHOLE[way].items() if key != name}
    with pytest.raises(NotAllowed) as told:
        choose(environment)
    assert name in told.value.why
    assert told.value.hint


@pytest.mark.parametrize("name", [*APP, "SYSTEM_ACCESSTOKEN"])
def test_an_empty_variable_is_a_missing_one(name: str) -> None:
    """CI systems set what is undefined to nothing."""
    with pytest.raises(NotAllowed, match=name):
        choose({**PIPELINES, **GITHUB, SETTING: "azure_pipelines" if name.startswith("SYS") else "github", name: ""})


def test_two_ways_at_once_are_refused() -> None:
    """Which one is meant is not for us to guess."""
    with pytest.raises(UsageError, match=r"AZURE_CLIENT_SECRET.*|ACTIONS_ID_TOKEN_REQUEST_URL.*"):
        choose({**GITHUB, **SECRET})


def test_an_unknown_way_is_refused_with_those_there_are() -> None:
    """A typo must not fall back to anything."""
    with pytest.raises(UsageError, match="azure_pipelines"):
        choose({SETTING: "gihub"})


def test_in_github_actions_the_permission_is_asked_for() -> None:
    """The Azure CLI's sign-in would die with the job's first token, five minutes in."""
    with pytest.raises(NotAllowed) as told:
        choose({**APP, "GITHUB_ACTIONS": "true"})
    assert "id-token: write" in told.value.hint


def test_in_azure_pipelines_the_token_is_asked_for() -> None:
    """It has to be handed to the step by name."""
    with pytest.raises(NotAllowed) as told:
        choose({key: value for key, value in PIPELINES.items() if key != "SYSTEM_ACCESSTOKEN"})
    assert "$(System.AccessToken)" in told.value.hint


def test_pipelines_plain_names_do_as_well() -> None:
    """A step without the AzureCLI task sets them itself."""
    plain = {
        "SYSTEM_OIDCREQUESTURI": "https://dev.azure.com/x",
        "SYSTEM_ACCESSTOKEN": "t",
        "AZURE_SERVICE_CONNECTION_ID": "c",
        **APP,
    }
    assert choose(plain).settings["client"] == "app"
