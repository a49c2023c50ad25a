"""Request bodies held to Microsoft's published types, where these are at hand."""

from __future__ import annotations

import pytest

from ctrain.backends.azureml.bodies import Json
from tests.azure import contract


def violations(api_version: str, resource: str, body: Json) -> list[str]:
    """What is wrong with a PUT's body. Skips the test where the published types are not there."""
    checker = contract._checker()
    if checker is None:
        pytest.skip("the published types are not here: CTRAIN_AZURE_CONTRACT names their folder")
    return checker(api_version, resource, "request", body)
