"""Names that Azure takes for endpoints and deployments."""

from __future__ import annotations

import re
from typing import Final

from ctrain.errors import UsageError

_NAME: Final = re.compile(r"[a-z](?:-?[a-z0-9])*")


def check_name(name: str, kind: str) -> None:
    """Raise UsageError for a name that Azure ML would refuse.

    Source: "Manage and increase quotas for resources" on Microsoft Learn. Azure takes upper case too, but compares
    without case, and its SDK lowers the names in a traffic split: only lower case is taken.
    """
    if not 3 <= len(name) <= 32 or not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of {kind}",
            why="Azure ML takes 3 to 32 letters, digits and single dashes, a letter first and no dash last",
            hint="choose a name such as visits-prod, in lower case",
        )
