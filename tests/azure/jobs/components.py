"""Components as assets (api-version 2024-01-01-preview): those of a name, and the anonymous ones that jobs bring."""

from __future__ import annotations

from typing import Final

from tests.azure.arm.assets import Kind, routes_for

COMPONENTS: Final = Kind(
    "components",
    {"componentSpec": None, "stage": None, "provisioningState": "Succeeded"},
    ("componentSpec",),
    "Component {name}:{version} is already registered. Please use a new version.",
)

routes = routes_for(COMPONENTS)
