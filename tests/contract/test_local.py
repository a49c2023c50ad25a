"""The contract, held by the embedded platform."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctrain.backends.local.home import Home
from ctrain.backends.local.ledger import LocalLedger
from tests.contract.ledger import LedgerContract
from tests.memory import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / ".ctrain")


class TestLedger(LedgerContract):
    @pytest.fixture
    def ledger(self, home: Home, clock: ManualClock) -> LocalLedger:
        return LocalLedger(home, clock)
