"""The loopback Azure by plain HTTPS: what a client says is what is sent."""

from __future__ import annotations

import ssl
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.azure.loopback import Loopback, Place
from tests.azure.tenancy import TENANT

ENDPOINTS = "2022-02-01-preview"
DEPLOYMENTS = "2023-04-01-preview"


@dataclass
class Plain:
    """ARM, blobs and scoring hosts through the proxy, signed in as one service principal."""

    loopback: Loopback
    place: Place
    http: httpx.Client
    principal: Mapping[str, str]
    _token: str = ""

    def token(self, scope: str) -> str:
        """A fresh token of Entra's."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self.principal["AZURE_CLIENT_ID"],
            "client_secret": self.principal["AZURE_CLIENT_SECRET"],
            "scope": scope,
        }
        url = f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token"
        return str(self.http.post(url, data=form).json()["access_token"])

    def arm(self, verb: str, path: str, body: Any = None, version: str = ENDPOINTS) -> httpx.Response:
        """A call on the workspace; `path` follows its id, or is a whole URL."""
        url = path if path.startswith("https://") else f"https://management.azure.com{self.place.arm_id}/{path}"
        query = None if "api-version=" in url else {"api-version": version}

        def ask() -> httpx.Response:
            return self.http.request(verb, url, params=query, json=body, headers={"Authorization": self._signed_in()})

        answer = ask()
        if answer.status_code == 401:  # time was moved past the token's end
            self._token = ""
            answer = ask()
        return answer

    def _signed_in(self) -> str:
        self._token = self._token or self.token("https://management.azure.com/.default")
        return f"Bearer {self._token}"

    def until(self, path: str, *states: str, version: str = DEPLOYMENTS) -> dict[str, Any]:
        """The resource, once its provisioning state is one of these; for half a minute at most."""
        end = time.monotonic() + 30
        while True:
            body: dict[str, Any] = self.arm("GET", path, version=version).json()
            if body["properties"]["provisioningState"] in states:
                return body
            assert time.monotonic() < end, body
            time.sleep(0.05)

    def upload(self, kind: str, files: Mapping[str, str]) -> str:
        """These files to a container of their own; the URL of the folder."""
        asked = self.arm(
            "POST", f"{kind}/{uuid.uuid4()}/versions/1/startPendingUpload", {}, "2023-08-01-preview"
        ).json()
        where, _, sas = asked["blobReferenceForConsumption"]["credential"]["sasUri"].partition("?")
        for name, content in files.items():
            headers = {"x-ms-blob-type": "BlockBlob", "x-ms-version": "2023-11-03"}
            put = self.http.put(f"{where}/files/{name}?{sas}", content=content.encode(), headers=headers)
            assert put.status_code == 201, put.text
        return f"{where}/files"

    def score(self, url: str, key: str, body: Any = None, deployment: str | None = None) -> httpx.Response:
        """A scoring request; `deployment` addresses one by name."""
        named = {"azureml-model-deployment": deployment} if deployment else {}
        return self.http.post(url, json=body, headers={"Authorization": f"Bearer {key}", **named})


@contextmanager
def plain(loopback: Loopback, place: Place) -> Iterator[Plain]:
    """Signed in as a new service principal; closed at the end."""
    context = ssl.create_default_context(cafile=str(loopback.ca))
    with httpx.Client(proxy=loopback.proxy, verify=context, trust_env=False, timeout=30) as http:
        yield Plain(loopback, place, http, loopback.service_principal())
