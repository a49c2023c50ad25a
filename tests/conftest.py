"""What all tests may use: the loopback Azure's fixtures, which start nothing until used, and how properties are tried.

`make test` tries the same examples of the same code every time, so that it says the same; `make test-properties` tries
others each time, and prints those that fail.
"""

import os

import pytest
from hypothesis import settings

pytest_plugins = ["tests.azure.fixtures"]

settings.register_profile("repeatable", derandomize=True)
settings.register_profile("explore", print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long stories first: what begins last should be short, or one worker ends alone."""
    stories = {item.path for item in items if item.get_closest_marker("e2e") is not None}
    servers = ("azure", "azureml", "contract", "local", "faults", "simulation")

    def place(item: pytest.Item) -> int:
        return 0 if item.path in stories else 1 if any(name in item.path.parts for name in servers) else 2

    items.sort(key=place)
