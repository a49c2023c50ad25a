"""The front door: who asks, who answers, and what is never sent twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ctrain.backends.azureml.serving.port import AzureServing
from ctrain.errors import Conflict, NotAllowed, PlatformUnavailable
from ctrain.serving import AuthMode, Request
from tests.azure.loopback import Loopback
from tests.backends.azureml.serving.conftest import ENDPOINT, PATH, Stood

SCORE = {"method": "POST", "path": "/score"}


def row(deployment: str | None = None, **more: Any) -> Request:
    table = {"columns": ["x"], "index": [0], "data": [[0.25]]}
    return Request(json.dumps({"input_data": table}).encode(), deployment, **more)


def asked(azure: Loopback, since: int, method: str = "POST", path: str = ".*listKeys.*|.*/token.*") -> int:
    return len(azure.calls(method=method, host="management.*", path=path, since=since))


def test_a_name_that_was_asked_for_once_does_not_stick(both: Stood) -> None:
    """The SDK's own `invoke` goes on naming it, so that no one tests the traffic."""
    named = both.serving.score(ENDPOINT, row("green"))
    routed = both.serving.score(ENDPOINT, row())

    assert (named.deployment, routed.deployment) == ("green", "blue")
    assert json.loads(routed.body) == [0.25]


def test_who_answered_is_what_the_front_door_says(both: Stood) -> None:
    """Also where that is not who was asked: the smoke tests judge it."""
    headers = {"azureml-model-deployment": "Blue"}
    both.azure.fault("answer after", status=200, headers=headers, body=[0.25], **SCORE)

    assert both.serving.score(ENDPOINT, row("green")).deployment == "blue"


def test_the_key_is_asked_for_once(both: Stood) -> None:
    """And so is the address: forty requests from eight threads, one look at the endpoint."""
    serving, since = AzureServing(both.workspace, clock=both.clock), both.azure.mark()
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: serving.score(ENDPOINT, row("blue")), range(40)))

    statuses = {answer.status for answer in answers}
    assert statuses <= {200, 429}, "one request at a time, and some wait"
    assert asked(both.azure, since) == 1
    assert asked(both.azure, since, "GET", PATH) == 1


def test_a_key_that_was_rotated_is_had_anew(both: Stood) -> None:
    """In the middle of a smoke test: the refused request never reached a model, and is asked again."""
    assert both.serving.score(ENDPOINT, row("blue")).status == 200
    path = f"onlineEndpoints/{ENDPOINT}/regenerateKeys"
    both.workspace.arm.post(path, "2022-02-01-preview", {"keyType": "Primary"})
    since = both.azure.mark()

    assert both.serving.score(ENDPOINT, row("blue")).status == 200

    assert [call["status"] for call in both.azure.calls(since=since, **SCORE)] == [401, 200]


@pytest.mark.parametrize(("status", "asked_times"), [(401, 2), (403, 1)])
def test_not_being_let_in_is_no_fault_of_the_models(both: Stood, status: int, asked_times: int) -> None:
    """A key that is refused for good, a network that keeps us out: no verdict is made of it."""
    both.azure.fault("answer", status=status, times=None, **SCORE)
    since = both.azure.mark()

    with pytest.raises(NotAllowed, match="does not let us in"):
        both.serving.score(ENDPOINT, row())
    assert len(both.azure.calls(since=since, **SCORE)) == asked_times


@pytest.mark.parametrize("act", ["reset before", "reset after", "reset during", "truncate"])
def test_a_request_that_may_have_been_received_is_not_sent_again(both: Stood, act: str) -> None:
    """No answer is no answer; scoring may have effects that we know nothing of."""
    both.serving.score(ENDPOINT, row("blue"))
    both.azure.fault(act, **SCORE)
    since = both.azure.mark()

    with pytest.raises(PlatformUnavailable, match="gave no answer") as told:
        both.serving.score(ENDPOINT, row("blue"))

    assert len(both.azure.calls(since=since, **SCORE)) == 1
    assert not [secret for secret in both.azure.secrets() if secret in str(told.value)]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_an_answer_of_any_status_is_an_answer(both: Stood, status: int) -> None:
    """It is not asked again: that would hide what users see."""
    both.azure.fault("answer", status=status, headers={"Retry-After": "1"}, times=None, **SCORE)
    since = both.azure.mark()

    assert both.serving.score(ENDPOINT, row()).status == status
    assert len(both.azure.calls(since=since, **SCORE)) == 1


def test_what_the_model_said_is_told_apart_from_what_azure_makes_of_it(both: Stood) -> None:
    """424, and the model's own 400."""
    answer = both.serving.score(ENDPOINT, Request(b"{}", "blue"))

    assert (answer.status, answer.model_status) == (424, 400)


def test_a_redirect_is_not_followed(both: Stood) -> None:
    """A key must not go where an answer says."""
    both.azure.fault("answer", status=307, headers={"Location": "https://elsewhere.test/score"}, **SCORE)
    since = both.azure.mark()

    assert both.serving.score(ENDPOINT, row()).status == 307
    assert both.azure.calls(host="elsewhere.test", since=since) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://visits.westeurope.inference.ml.azure.com/score",
        "https://169.254.169.254/score",
        "https://visits.westeurope.inference.ml.azure.com.elsewhere.test/score",
        "https://account.blob.core.windows.net/score?sig=x",
        "https://user:pass@visits.westeurope.inference.ml.azure.com/score",
    ],
)
def test_an_address_that_is_not_an_endpoints_is_not_asked(both: Stood, url: str) -> None:
    """Whoever can change what ARM says must not get a key by it."""
    body = both.body()
    body["properties"] = {**body["properties"], "scoringUri": url}
    serving, since = AzureServing(both.workspace, clock=both.clock), both.azure.mark()
    both.azure.fault("answer", status=200, body=body, method="GET", path=PATH)

    with pytest.raises(PlatformUnavailable, match="is not Azure's"):
        serving.score(ENDPOINT, row())
    assert asked(both.azure, since) == 0


def test_an_endpoint_that_is_not_there_is_a_conflict(stood: Stood) -> None:
    """It must be created first."""
    with pytest.raises(Conflict, match="there is no endpoint"):
        stood.serving.score(ENDPOINT, row())


def test_who_may_not_have_the_key_is_told_which_action_is_missing(both: Stood) -> None:
    """The role's action, by name."""
    both.azure.grant(both.environ["AZURE_CLIENT_ID"], denied=["*/listKeys/action"])
    serving = AzureServing(both.workspace, clock=both.clock)
    try:
        with pytest.raises(NotAllowed) as told:
            serving.score(ENDPOINT, row())
    finally:
        both.azure.grant(both.environ["AZURE_CLIENT_ID"])
    assert "onlineEndpoints/listKeys/action" in told.value.hint


@pytest.fixture(params=["aml_token", "aad_token"])
def with_tokens(stood: Stood, request: pytest.FixtureRequest) -> Iterator[tuple[Stood, AuthMode]]:
    """An endpoint that takes tokens, and whose model needs not come up: 404 is for those who are let in."""
    mode: AuthMode = request.param
    stood.serving = AzureServing(stood.workspace, mode, clock=stood.clock)
    stood.serving.create(ENDPOINT)
    yield stood, mode
    stood.set(token_lifetime=86_400.0)


def test_tokens_open_the_door(with_tokens: tuple[Stood, AuthMode]) -> None:
    """Azure ML's own, or Entra's: 404 says that nothing has traffic, and not 401."""
    stood, _ = with_tokens

    assert stood.serving.score(ENDPOINT, row()).status == 404


def test_tokens_are_replaced_before_they_end(with_tokens: tuple[Stood, AuthMode]) -> None:
    """Three hours of questions, and none is refused."""
    stood, mode = with_tokens
    stood.set(token_lifetime=3600.0)
    stood.azure.lifetimes(access=3600)
    since = stood.azure.mark()
    for _ in range(36):
        assert stood.serving.score(ENDPOINT, row()).status == 404
        stood.clock.sleep(300)
    stood.azure.lifetimes(access=4000)

    assert not [call for call in stood.azure.calls(since=since, **SCORE) if call["status"] == 401]
    assert asked(stood.azure, since) <= (7 if mode == "aml_token" else 0)


def test_a_token_that_is_refused_is_replaced(with_tokens: tuple[Stood, AuthMode]) -> None:
    """Once; and no token is in what we show."""
    stood, _ = with_tokens
    stood.serving.score(ENDPOINT, row())
    stood.azure.fault("answer", status=401, **SCORE)

    assert stood.serving.score(ENDPOINT, row()).status == 404
    shown = repr(vars(stood.serving)) + repr(vars(stood.serving._scoring))
    assert not [secret for secret in stood.azure.secrets() if secret in shown]


def test_the_client_outwaits_the_platform(both: Stood) -> None:
    """Azure's own 408 must come before our silence: what `look` saw of the time limits counts."""
    both.look()
    assert both.serving._slowest[ENDPOINT] == 5.0
    both.azure.fault("stall", seconds=1.5, **SCORE)

    assert both.serving.score(ENDPOINT, row("blue", timeout=0.5)).status == 200


def test_silence_is_bounded(both: Stood) -> None:
    """Where nothing is known of the limits the request's own counts."""
    serving = AzureServing(both.workspace, clock=both.clock)
    serving.score(ENDPOINT, row("blue"))
    both.azure.fault("stall", seconds=2, **SCORE)

    with pytest.raises(PlatformUnavailable, match="gave no answer"):
        serving.score(ENDPOINT, row("blue", timeout=0.2))


def test_who_may_not_score_is_told_which_action_is_missing(stood: Stood) -> None:
    """With Entra's tokens the role must have it."""
    stood.serving = AzureServing(stood.workspace, "aad_token", clock=stood.clock)
    stood.serving.create(ENDPOINT)
    stood.azure.grant(stood.environ["AZURE_CLIENT_ID"], denied=["*/score/action"])

    with pytest.raises(NotAllowed) as told:
        stood.serving.score(ENDPOINT, row())
    assert "onlineEndpoints/score/action" in told.value.hint


def test_a_companys_own_authority_is_believed(both: Stood, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told by REQUESTS_CA_BUNDLE alone, as the Azure CLI has it; without it nobody is."""
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    assert AzureServing(both.workspace, clock=both.clock).score(ENDPOINT, row("blue")).status == 200

    serving = AzureServing(both.workspace, clock=both.clock)
    serving._scoring._door(ENDPOINT)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(PlatformUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        serving.score(ENDPOINT, row("blue"))
