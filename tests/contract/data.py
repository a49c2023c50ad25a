"""What every DataStore promises."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ctrain.data import SampleSpec
from ctrain.errors import DataError
from ctrain.ports import DataStore

SPEC = SampleSpec(fraction=0.1, key="row_id", seed=3)


class DataContract:
    """Bind it with `data`, and `reference`: a data set with a column `row_id`, and how to name it."""

    def test_what_is_not_there_cannot_be_pinned(self, data: DataStore) -> None:
        """In words, not in a traceback."""
        with pytest.raises(DataError):
            data.pin("absent.parquet")

    def test_pinning_twice_gives_the_same_version(self, data: DataStore, reference: str) -> None:
        """By content."""
        assert data.pin(reference) == data.pin(reference)

    def test_what_is_as_it_was_pinned_verifies(self, data: DataStore, reference: str) -> None:
        """And what claims another content does not."""
        pinned = data.pin(reference)
        data.verify(pinned)

        with pytest.raises(DataError, match="changed"):
            data.verify(replace(pinned, digest="0" * 64))

    def test_a_sample_is_made_once(self, data: DataStore, reference: str) -> None:
        """The second time it is the first one."""
        pinned = data.pin(reference)
        assert data.sampled(pinned, SPEC) is None

        made = data.sample(pinned, SPEC)

        assert data.sampled(pinned, SPEC) == made == data.sample(pinned, SPEC)
        assert made.sample == SPEC
        assert made.digest != pinned.digest
