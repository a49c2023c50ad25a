"""The names under which Azure is reached, and whose tokens each of them takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

Audiences = tuple[str, ...] | None


@dataclass(frozen=True)
class Host:
    """Host names by pattern: `{name}` is one label. `audiences` are those a bearer token may have; None: no sign-in."""

    name: str
    patterns: tuple[str, ...]
    audiences: Audiences = None


_MANAGEMENT = (
    "https://management.azure.com",
    "https://management.core.windows.net",
    "https://management.usgovcloudapi.net",
    "https://management.core.usgovcloudapi.net",
)
_AML = ("https://ml.azure.com", "https://ml.azure.us", "18a66f5f-dbdf-4c17-9dd7-1634712a9cbe")

ARM: Final = Host("arm", ("management.azure.com", "management.usgovcloudapi.net"), _MANAGEMENT)
LOGIN: Final = Host("login", ("login.microsoftonline.com", "login.microsoftonline.us", "login.microsoft.com"))
REGION: Final = Host("region", ("{region}.api.azureml.ms", "{region}.api.ml.azure.us"), (*_MANAGEMENT, *_AML))
STUDIO: Final = Host("studio", ("ml.azure.com",), None)
SCORING: Final = Host(
    "scoring", ("{endpoint}.{region}.inference.ml.azure.com", "{endpoint}.{region}.inference.ml.azure.us")
)
BLOB: Final = Host("blob", ("{account}.blob.core.windows.net", "{account}.blob.core.usgovcloudapi.net"))
METADATA: Final = Host("metadata", ("169.254.169.254",))
APP_SERVICE: Final = Host("app service", ("169.254.130.4",))
GITHUB: Final = Host("github", ("{pool}.actions.githubusercontent.com",))
PIPELINES: Final = Host("pipelines", ("dev.azure.com",))
CONTROL: Final = Host("control", ("127.0.0.1", "localhost"))
"""The tests' own way in: not proxied, and not in the journal."""
