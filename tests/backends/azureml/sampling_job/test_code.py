"""What a sampling job takes along is enough, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ctrain.backends.azureml.sampling_job.code import write_code
from ctrain.backends.azureml.sampling_job.compute import default_compute, plain_compute
from ctrain.data import SampleSpec
from ctrain.digest import tree_digest

SPEC = SampleSpec(0.5, "row_id", seed=1)


def test_the_code_runs_without_ctrain(tmp_path: Path) -> None:
    """On the cluster there is none: only polars, numpy and pyarrow."""
    write_code(tmp_path / "code", SPEC)
    (tmp_path / "rows.csv").write_text("row_id\n" + "".join(f"{row}\n" for row in range(100)))
    check = "import sys, sample; raise SystemExit(sample.main() or 'ctrain' not in sys.modules['ctrain'].__file__)"
    program = f"import sys; sys.path.insert(0, {str(tmp_path / 'code')!r}); {check}"

    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "rows.csv"), str(tmp_path / "out" / "sample")],
        cwd=tmp_path / "code", capture_output=True, text=True, check=False,
    )  # fmt: skip

    rows = (tmp_path / "out" / "sample").read_text().splitlines()
    assert (done.returncode, done.stdout) == (0, f"{len(rows) - 1} rows\n"), done.stderr
    assert 30 < len(rows) < 70


def test_the_same_spec_has_the_same_code(tmp_path: Path) -> None:
    """So that Azure ML uploads it once."""
    for name, spec in (("a", SPEC), ("b", SPEC), ("c", SampleSpec(0.4, "row_id"))):
        write_code(tmp_path / name, spec)

    a, b, c = (tree_digest(tmp_path / name) for name in "abc")
    assert a == b != c


@pytest.mark.parametrize(
    ("written", "compute"),
    [
        ("settings: {default_compute: azureml:cpu}\ncompute: azureml:other\n", "azureml:cpu"),
        ("compute: azureml:cpu\n", "azureml:cpu"),
        ("settings: {force_rerun: true}\n", None),
    ],
)
def test_samples_are_made_where_the_pipeline_runs(tmp_path: Path, written: str, compute: str | None) -> None:
    """Unless ctrain.yaml says otherwise."""
    file = tmp_path / "train.yml"
    file.write_text(written)

    assert default_compute(file) == compute


@pytest.mark.parametrize(
    ("named", "plain"), [("azureml:cpu", "cpu"), ("cpu", "cpu"), ("serverless", None), (None, None)]
)
def test_serverless_is_no_cluster(named: str | None, plain: str | None) -> None:
    """The SDK asks for it by naming none."""
    assert plain_compute(named) == plain
