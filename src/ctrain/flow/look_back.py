"""Find the evaluation that tells what the next one will be able to show."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from ctrain.data import DataVersion, SampleSpec
from ctrain.events import replay
from ctrain.flow.roll_back import newest_first
from ctrain.gate import Earlier
from ctrain.ports import LedgerReader
from ctrain.release import Release
from ctrain.version import ModelVersion

_NEWEST = 5
"""How many releases are looked at beside the champion's: each is a read of the ledger."""


def look_back(
    ledger: LedgerReader, model: str, champion: ModelVersion | None, data: DataVersion, sample: SampleSpec | None
) -> Earlier | None:
    """The champion's evaluation, else that of a recent release of the model; one that compared goes first.

    The rows to expect are those it had, times what the data and the sample are larger or smaller by now.
    """
    judged = [release for release in _candidates(ledger, champion) if release.plan.model == model and release.rows]
    judged.sort(key=lambda release: not _compared(release))
    if not judged or judged[0].verdict is None or judged[0].rows is None:
        return None
    best = judged[0]
    now, then = _share(data, sample), _share(best.plan.data, best.plan.sample)
    grown = now / then if now and then else 1.0
    return Earlier(best.id, judged[0].verdict, max(round(judged[0].rows * grown), 1))


def _candidates(ledger: LedgerReader, champion: ModelVersion | None) -> Iterator[Release]:
    own = replay(ledger.events(champion.lineage.release)) if champion and champion.lineage.release else None
    if own is not None:
        yield own
    yield from islice((release for release in newest_first(ledger) if own is None or release.id != own.id), _NEWEST)


def _compared(release: Release) -> bool:
    findings = release.verdict.findings if release.verdict else ()
    return any("difference" in finding.measured for finding in findings)


def _share(data: DataVersion, sample: SampleSpec | None) -> float:
    """How much is trained and evaluated on: rows where they are known, else bytes."""
    return (data.rows or data.size) * (sample.fraction if sample else 1.0)
