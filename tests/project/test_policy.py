"""Another file's gate: what is read of it, and what is refused, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctrain.errors import ProjectError
from ctrain.gate import EvaluationSettings
from ctrain.project import load_policy

OWN = EvaluationSettings(output="evaluation", row_id="row_id", label="visited")
EXAMPLE = Path(__file__).parents[2] / "docs" / "ctrain.example.yaml"
GATE = """\
gate:
  metrics:
    auc: {direction: up, rule: non_inferior, margin: 2%}
"""


def test_a_gate_alone_is_enough(tmp_path: Path) -> None:
    """The evaluation is the release's own."""
    (tmp_path / "policy.yaml").write_text(GATE)
    settings, evaluation = load_policy(tmp_path / "policy.yaml", OWN)
    assert settings.metrics["auc"].margin == "2%"
    assert evaluation is OWN


def test_a_whole_project_file_will_do() -> None:
    """Its gate and its evaluation count, the rest is passed over."""
    settings, evaluation = load_policy(EXAMPLE, OWN)
    assert set(settings.metrics) == {"auc", "log_loss", "profit"}
    assert evaluation.group == "person"


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("", 1, "has no gate"),
        ("metrics: {}", 1, "has no gate"),
        (GATE.replace("margin", "marjin"), 3, "did you mean `margin`"),
        (GATE.replace("auc", "auk"), 3, "did you mean 'auc'"),
        (GATE.replace("2%", ".nan"), 3, "must be finite"),
        (GATE + "evaluation: {output: e}\n", 4, "`evaluation.row_id` is missing"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, content: str, line: int, words: str) -> None:
    """As for ctrain.yaml itself."""
    (tmp_path / "policy.yaml").write_text(content)
    with pytest.raises(ProjectError, match=words) as refused:
        load_policy(tmp_path / "policy.yaml", OWN)
    assert min(problem.at.line for problem in refused.value.problems if problem.at) == line
