"""Environments: an image with or without a conda file, or a build context. Nothing is built here."""

from __future__ import annotations

from tests.azure.arm.assets import Kind, routes_for

ENVIRONMENTS = Kind(
    "environments",
    {
        "condaFile": None,
        "image": None,
        "build": None,
        "inferenceConfig": None,
        "osType": "Linux",
        "environmentType": "UserCreated",
        "autoRebuild": "Disabled",
        "stage": None,
    },
    ("condaFile", "image", "build"),
    # https://github.com/Azure/azure-cli-extensions/issues/5440
    "Environment {name} with version {version} is already registered and cannot be changed.",
)

routes = routes_for(ENVIRONMENTS)
