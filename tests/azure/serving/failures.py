"""How a deployment fails: the documented codes, and what a test planned for the next one.

Source of the codes: "Troubleshoot online endpoint deployment and scoring" on Microsoft Learn, "Common deployment
errors". That a failed operation has its code at the head of the message, and none of its own, was seen in
Azure/mlops-v2#120; that a lack of quota is refused at once, with 400, in MicrosoftLearning/mslearn-azure-ml#30.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from tests.azure.routing import Body

_MESSAGES: Final[Mapping[str, str]] = {
    "ImageBuildFailure": (
        "The environment's image could not be built; see the build log under the storage account '{account}' in the "
        "container '{container}' at the path 'azureml/ImageLogs/{deployment}/build.log'."
    ),
    "OutOfQuota": "The specified VM size failed to provision due to a lack of Azure Machine Learning capacity.",
    "BadArgument": "Startup task failed due to authorization error: Unable to download user model.",
    "ResourceNotReady": "User container has crashed or terminated.",
    "ResourceNotFound": "Azure Resource Manager can't find a required resource.",
    "WorkspaceManagedNetworkNotReady": "The workspace's managed network has not been provisioned.",
    "OperationCanceled": "Operation was canceled by another operation that has a higher priority.",
    "SecretsInjectionError": "Secret retrieval and injection failed: access to the secret was denied.",
    "InternalServerError": "An internal error occurred.",
}
CODES: Final = frozenset(_MESSAGES)

Wrapping = Literal["message", "code"]


@dataclass(frozen=True)
class Failure:
    """Why an operation fails. `wrapping`: the code heads the message, or has a field of its own."""

    code: str
    message: str = ""
    wrapping: Wrapping = "message"

    def error(self, names: Mapping[str, str]) -> Body:
        """The `error` of the operation. `names` fills in the account, container and deployment."""
        told = self.message or _MESSAGES[self.code].format_map(names)
        guide = (
            f"{told} Please see troubleshooting guide, available here: https://aka.ms/oe-tsg#error-{self.code.lower()}"
        )
        if self.wrapping == "code":
            return {"code": self.code, "message": guide}
        return {"code": None, "message": f"{self.code}: {guide}"}

    @property
    def state(self) -> str:
        """How the operation ends."""
        return "Canceled" if self.code == "OperationCanceled" else "Failed"


@dataclass(frozen=True)
class Fate:
    """What a test planned for the next operations of one kind.

    `failure`: it ends like that. `seconds`: it takes so many virtual seconds. `hangs`: it never ends. `at_once`: the
    PUT itself is refused (OutOfQuota is the one that is documented to come so).
    """

    failure: Failure | None = None
    seconds: float | None = None
    hangs: bool = False
    at_once: bool = False
