"""The contract, held by the fake: only so can a story told on it be believed."""

from __future__ import annotations

import pytest

from tests.contract.ledger import LedgerContract
from tests.memory import ManualClock, MemoryLedger


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


class TestLedger(LedgerContract):
    @pytest.fixture
    def ledger(self, clock: ManualClock) -> MemoryLedger:
        return MemoryLedger(clock)
