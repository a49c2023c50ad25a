"""What all tests may use: the loopback Azure's fixtures, which start nothing until used, and how properties are tried.

`make test` tries the same examples of the same code every time, so that it says the same; `make test-properties` tries
others each time, and prints those that fail.
"""

import os

from hypothesis import settings

pytest_plugins = ["tests.azure.fixtures"]

settings.register_profile("repeatable", derandomize=True)
settings.register_profile("explore", print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
