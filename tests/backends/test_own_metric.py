"""A project's own metric: in a process of its own, whatever it does."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ctrain.backends.own_metric import measure
from ctrain.errors import DataError
from ctrain.gate import Evidence, Rule, Slices, judge
from ctrain.gate.intervals import compare
from ctrain.gate.own import Asked
from ctrain.verdict import Finding, Outcome
from tests.gate.cases import BINARY, gate, scored, sliced, statistics

ROWS = replace(scored(600, np.random.default_rng(0)), columns={"amount": np.linspace(1, 2, 600)})
COST = """\
import numpy as np


def squares(label, prediction, amount):
    return (label - prediction) ** 2


def mean_square(label, prediction, amount):
    return float(np.mean((label - prediction) ** 2))


def weighed(label, prediction, amount):
    return amount * (label == (prediction >= 0.5))


def noisy(label, prediction, amount):
    print("talk" * 10_000)
    return 1.0
"""


def a_rule(function: str, **more: object) -> Rule:
    asked = {"direction": "down", "rule": "non_inferior", "margin": 0.02, "function": f"cost.py:{function}", **more}
    return Rule(columns=("amount",), **asked)  # type: ignore[arg-type]


def judged(folder: Path, rule: Rule, evidence: Evidence = ROWS, slices: Slices | None = None) -> tuple[Finding, ...]:
    settings = replace(gate(slices, own=rule), resamples=300)
    return judge(settings, BINARY, evidence, champion="m:1", measure=partial(measure, folder)).findings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cost.py").write_text(COST)
    return tmp_path


def asked(function: str, seconds: float = 20.0) -> Asked:
    return Asked(f"cost.py:{function}", ROWS, resamples=200, seed=1, seconds=seconds)


def test_a_value_a_row_is_judged_as_our_own_means_are(folder: Path) -> None:
    """The squared error by a function: the Brier score, with its interval to the last digit."""
    (finding,) = judged(folder, a_rule("squares"))
    expected = compare("brier", ROWS, statistics())
    assert finding.outcome is Outcome.PASS
    assert finding.measured["low"] == pytest.approx(expected.low, rel=1e-9)
    assert finding.measured["high"] == pytest.approx(expected.high, rel=1e-9)


def test_one_number_is_bootstrapped_on_the_same_draws(folder: Path) -> None:
    """The same score as one number: about the same interval."""
    (finding,) = judged(folder, a_rule("mean_square"))
    expected = compare("brier", ROWS, statistics())
    width = expected.high - expected.low
    assert finding.measured["difference"] == pytest.approx(expected.difference)
    assert finding.measured["low"] == pytest.approx(expected.low, abs=0.15 * width)
    assert finding.measured["high"] == pytest.approx(expected.high, abs=0.15 * width)


def test_groups_are_drawn_as_wholes(folder: Path) -> None:
    """Copies of rows in a group are no evidence: the interval is as wide as that of the rows once."""
    three = np.repeat(np.arange(600), 3)
    copied = replace(ROWS.where(three), row_id=np.arange(1800))
    grouped = replace(scored(600, np.random.default_rng(0), groups=600), columns=ROWS.columns)
    assert grouped.group is not None
    together = replace(copied, group=replace(grouped.group, codes=three, names=tuple(map(str, range(600)))))
    widths = []
    for evidence in (ROWS, together):
        (finding,) = judged(folder, a_rule("mean_square"), evidence)
        widths.append(finding.measured["high"] - finding.measured["low"])
    assert widths[1] == pytest.approx(widths[0], rel=0.2)


def test_limits_relative_margins_and_slices_work_as_for_any_metric(folder: Path) -> None:
    """A floor, 5% of the champion's, and each half of the rows."""
    rule = a_rule("weighed", direction="up", margin="5%", floor=0.5)
    evidence = sliced(ROWS, "half", ["a", "b"] * 300)
    found = judged(folder, rule, evidence, Slices(by=("half",), margin=0.5))
    assert [one.subject for one in found] == [
        "own floor",
        "own against the champion",
        "own against the champion, half = a",
        "own against the champion, half = b",
    ]
    assert {one.outcome for one in found} <= {Outcome.PASS, Outcome.INCONCLUSIVE}
    assert found[1].measured["relative"] == 1


def test_what_it_prints_goes_nowhere(folder: Path) -> None:
    """A megabyte of it does not stop anything."""
    challenger, champion = measure(folder, asked("noisy"))
    assert challenger.value == 1
    assert champion is not None


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("return float('nan')", "not a number everywhere"),
        ("return [1.0, 2.0]", "not one number, nor one for each of 600 rows"),
        ("return 'much'", "ended with exit code 1"),
        ("raise ValueError('no such year')", "ValueError: no such year"),
        ("import sys; sys.exit(0)", "it left no result"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "exit code -9"),
        ("while True: pass", "it took more than 1.5 s"),
        ("import subprocess; subprocess.Popen(['sleep', '60']); import time; time.sleep(60)", "more than 1.5 s"),
    ],
)
def test_a_metric_that_gives_nothing_is_an_error(tmp_path: Path, body: str, why: str) -> None:
    """With its reason, within its time; nothing of it is left running."""
    (tmp_path / "cost.py").write_text(f"def bad(label, prediction, amount):\n    {body}\n")
    with pytest.raises(DataError) as caught:
        measure(tmp_path, asked("bad", seconds=1.5))
    assert why in caught.value.why
    (finding,) = judged(tmp_path, a_rule("bad", timeout=1.5))
    assert finding.outcome is Outcome.ERROR


def test_a_function_or_file_that_is_not_there_is_named(folder: Path) -> None:
    """Before, or by the process."""
    with pytest.raises(DataError, match="has no function 'profits'"):
        measure(folder, asked("profits"))
    with pytest.raises(DataError, match=r"there is no file cost\.py"):
        measure(folder / "elsewhere", asked("squares"))


def test_it_sees_none_of_our_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A metric needs no credentials."""
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "s3cret")
    (folder / "cost.py").write_text(
        "import os\n\n\ndef seen(**_):\n    return float('AZURE_CLIENT_SECRET' in os.environ)\n"
    )
    assert "AZURE_CLIENT_SECRET" in os.environ
    assert measure(folder, asked("seen"))[0].value == 0


def test_without_anybody_to_compute_it_nothing_passes() -> None:
    """A caller of the gate that cannot start processes."""
    verdict = judge(gate(own=a_rule("squares")), BINARY, ROWS, champion="m:1")
    assert verdict.outcome is Outcome.ERROR
