"""What a loaded project says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ctrain.errors import UsageError
from tests.project.builders import SMALLEST, a_loaded_project, replaced


def test_the_policy_is_the_same_on_every_machine(tmp_path: Path) -> None:
    """The digest knows nothing of folders, and nothing of the order in which metrics are written."""
    metrics = SMALLEST["gate"]["metrics"] | {"log_loss": {"direction": "down", "rule": "absolute", "ceiling": 0.6}}
    turned = dict(reversed(metrics.items()))

    deployment = {"scoring": {"code": "scoring", "script": "score.py", "environment": "conda.yml"}}

    one = a_loaded_project(tmp_path / "one", gate={"metrics": metrics}, deployment=deployment)
    other = a_loaded_project(tmp_path / "other", gate={"metrics": turned}, deployment=deployment)

    assert one.policy_digest == other.policy_digest
    assert len(one.policy_digest) == 64


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("gate", "metrics", "auc", "floor"), 0.8),
        (("evaluation", "label"), "other"),
        (("stages", "dev", "smoke"), {"golden": 3}),
        (("stages", "prod", "approval"), "required"),
        (("deployment",), {"instance_count": 2}),
    ],
)
def test_the_policy_changes_with_what_judges_a_model(tmp_path: Path, place: tuple[str, ...], value: Any) -> None:
    """Gate, evaluation, smoke tests and stages make the policy."""
    before = a_loaded_project(tmp_path / "before")
    after = a_loaded_project(tmp_path / "after", **replaced(SMALLEST, place, value))

    assert before.policy_digest != after.policy_digest


@pytest.mark.parametrize("section", [{"parameters": {"trees": 3}}, {"backends": {"local": {"cores": 1}}}])
def test_the_policy_ignores_what_only_trains(tmp_path: Path, section: dict[str, Any]) -> None:
    """Parameters are in the fingerprint; cores change nothing."""
    before, after = a_loaded_project(tmp_path / "before"), a_loaded_project(tmp_path / "after", **section)

    assert before.policy_digest == after.policy_digest


def test_the_policy_sees_the_order_of_stages(tmp_path: Path) -> None:
    """Swapping dev and prod is another policy."""
    swapped = dict(reversed(SMALLEST["stages"].items()))

    before, after = a_loaded_project(tmp_path / "before"), a_loaded_project(tmp_path / "after", stages=swapped)

    assert before.policy_digest != after.policy_digest


def test_an_unknown_stage_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    """`ctrain deploy --to prd`."""
    with pytest.raises(UsageError) as refused:
        a_loaded_project(tmp_path).stage("prd")

    assert refused.value.hint == "did you mean 'prod'?"


def test_data_without_a_place_on_azure_ml_is_refused_there_only(tmp_path: Path) -> None:
    """One file serves both backends, but need not name both places."""
    project = a_loaded_project(tmp_path)

    with pytest.raises(UsageError, match="not known on Azure ML"):
        project.data_reference("azureml")
    assert project.data_reference("local").endswith("visits.parquet")
