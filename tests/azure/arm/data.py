"""Data assets: a name, a version and where it points to. What it points to is never looked at."""

from __future__ import annotations

from tests.azure.arm.assets import Kind, routes_for

DATA = Kind(
    "data",
    {"dataUri": None, "dataType": "uri_folder", "stage": None},
    ("dataUri", "dataType"),
    "A data version with this name and version already exists. The existing asset's data uri cannot be changed. "
    "Only tags, description, and isArchived can be updated.",
    {"dataType": "uri_folder"},
    location="dataUri",
)

routes = routes_for(DATA)
