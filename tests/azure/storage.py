"""Blob storage: Azurite, Microsoft's own emulator, behind the accounts' real host names."""

from __future__ import annotations

import base64
import secrets

from tests.azure.secrets_planted import Secrets


class Storage:
    """The accounts, and what is in them."""

    def __init__(self, planted: Secrets) -> None:
        self._planted = planted
        self.keys: dict[str, str] = {}

    def new_account(self) -> str:
        """An account that nobody has yet."""
        name = f"stloopback{len(self.keys):04}"
        self.keys[name] = self._planted.plant(base64.b64encode(secrets.token_bytes(64)).decode(), "account key")
        return name

    def make_container(self, account: str, container: str) -> None:
        """Make it, where it is not there yet."""
