"""What references to data on Azure ML name."""

from __future__ import annotations

import pytest

from ctrain.backends.azureml.addresses import Address, DataAsset, RegistryData, StorePath, data_address
from ctrain.errors import DataError

SHARED = "azureml://registries/shared/data/visits/versions/3"
LONG = "azureml://subscriptions/s/resourcegroups/g/workspaces/w/datastores/raw/paths/a%20b/visits.csv"


@pytest.mark.parametrize(
    ("reference", "address"),
    [
        ("azureml:visits:3", DataAsset("visits", "3")),
        ("azureml:visits@latest", DataAsset("visits", None, "latest")),
        ("azureml:visits.2026-01:1.0", DataAsset("visits.2026-01", "1.0")),
        ("azureml://datastores/raw/paths/visits/", StorePath("raw", "visits/")),
        (LONG, StorePath("raw", "a b/visits.csv", "s/g/w")),
        (SHARED, RegistryData("shared", "visits", "3", SHARED)),
    ],
)
def test_a_reference_names_an_asset_or_a_path(reference: str, address: Address) -> None:
    """In the forms that Azure ML's own YAML takes."""
    assert data_address(reference) == address


@pytest.mark.parametrize(
    "reference",
    ["visits.parquet", "", "azureml:", "azureml:a:b:c", "https://example.com/visits.csv", "azureml://datastores/raw",
     "azureml://registries/shared/data/visits/labels/latest", "azureml://registries/shared/data/visits"],
)  # fmt: skip
def test_what_cannot_be_pinned_is_refused(reference: str) -> None:
    """A registry's data without a version too: it may change under us."""
    with pytest.raises(DataError):
        data_address(reference)
