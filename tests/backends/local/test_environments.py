"""Environments: ctrain's own interpreter, or built from the step's own files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import uv
from tests.backends.local.jobs.builders import AT, a_pipeline, a_spec, a_step, trained

from ctrain.backends.local.connect import Interpreters
from ctrain.backends.local.environments import (
    Environments,
    Recipe,
    build,
    current_digest,
    installed_version,
    recipe,
)
from ctrain.backends.local.home import Home
from ctrain.backends.local.jobs.plan import PlannedEnvironment
from ctrain.backends.local.trainer import LocalTrainer
from ctrain.errors import Location, PipelineError, PlatformUnavailable
from ctrain.pipeline.graph import Environment
from ctrain.training import JobStatus

HERE = ".".join(map(str, sys.version_info[:2]))
CONDA = f"""
name: x
channels: [conda-forge]
dependencies:
  - python={HERE}
  - pip
  - numpy=1.26
  - conda-forge::scikit-learn==1.5.0
  - pandas>=2,<3
  - pytorch=2.*
  - scipy=1.11.1=py311_0
  - pip:
      - mlflow>=3
      - azureml-mlflow
"""


@pytest.fixture(scope="module")
def registry_answers(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skips where uv cannot find a small package: no network, no registry."""
    folder = tmp_path_factory.mktemp("probe")
    (folder / "in").write_text("six==1.16.0\n")
    asked = [uv.find_uv_bin(), "pip", "compile", "-q", "--no-deps", str(folder / "in")]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=30)
    except subprocess.TimeoutExpired:
        pytest.skip("the package registry did not answer within 30 s")
    if done.returncode:
        pytest.skip(f"the package registry cannot be reached: {done.stderr.strip()[:200]}")


def test_a_conda_file_becomes_pip_requirements() -> None:
    """conda's `=1.2` is any 1.2, builds and channels are dropped, some names differ."""
    assert recipe(CONDA, None, AT) == Recipe(
        HERE,
        (
            "numpy==1.26.*",
            "scikit-learn==1.5.0",
            "pandas>=2,<3",
            "torch==2.*",
            "scipy==1.11.1.*",
            "mlflow>=3",
            "azureml-mlflow",
        ),
    )


@pytest.mark.parametrize(
    ("conda", "message"),
    [
        ("dependencies: no", "list of `dependencies`"),
        ("dependencies: ['a b c']", "not a package"),
        ("dependencies: [{conda: [x]}]", "only `pip:`"),
        ("dependencies: [x\n", "YAML"),
    ],
)
def test_a_file_that_cannot_be_built_from_is_refused(conda: str, message: str) -> None:
    """At plan time, with the file's name."""
    with pytest.raises(PipelineError) as caught:
        recipe(conda, None, Location(Path("/conda.yml"), 3))
    assert message in str(caught.value)
    assert "conda.yml" in str(caught.value)


def test_by_default_every_environment_is_ours(tmp_path: Path) -> None:
    """Whatever the file says; its digest is over what can be imported here."""
    environments = Environments(tmp_path, "current")
    planned = environments.plan(Environment(AT, conda="dependencies: [nonsense]"))
    assert planned == environments.plan(Environment(AT, image="python:3.12"))
    assert (planned.digest, planned.conda) == (current_digest(), None)
    assert (Path(planned.python) / "python").exists()


def test_built_ones_differ_by_what_they_hold(tmp_path: Path) -> None:
    """Content counts, order of unrelated keys and comments don't."""
    environments = Environments(tmp_path, "build")
    one = environments.plan(Environment(AT, conda="dependencies: [six=1.16]"))
    same = environments.plan(Environment(AT, conda="# note\nname: other\ndependencies:\n  - six=1.16\n"))
    other = environments.plan(Environment(AT, conda="dependencies: [six=1.17]"))
    assert one.digest == same.digest != other.digest
    assert environments.plan(Environment(AT, image="x")).python


def test_versions_are_read_without_importing() -> None:
    """From the names of metadata folders."""
    assert installed_version("mlflow").startswith("3.")
    assert installed_version("no-such-distribution") == ""


def test_a_step_runs_in_what_was_built(registry_answers: None, tmp_path: Path) -> None:
    """A real build, once: the second job finds it."""
    home = Home(tmp_path / "home")
    conda = f"dependencies: [python={HERE}, six=1.16]"
    command = "python -c 'import six, sys; print(six.__version__, sys.prefix)'"
    pipeline = a_pipeline(a_step("s", command, conda=conda, deterministic=False))
    trainer = LocalTrainer(home, environments="build", read=lambda _: pipeline)
    for job in ("one", "two"):
        assert trained(trainer, a_spec(job)).status is JobStatus.COMPLETED, trainer.logs(job)
        version, prefix = trainer.logs(job, "s").split()
        assert version.startswith("1.16")
        assert prefix.startswith(str(home.environments))
    assert len(list(home.environments.glob("*/.complete"))) == 1


def test_a_python_that_is_not_here_is_named(tmp_path: Path) -> None:
    """Nothing is downloaded behind the user's back; the log is named."""
    planned = PlannedEnvironment("d" * 64, conda="dependencies: [python=3.7]")
    with pytest.raises(PlatformUnavailable) as caught:
        build(planned, tmp_path)
    assert "Python 3.7" in caught.value.what
    assert "install that Python" in caught.value.hint
    assert str(tmp_path / ("d" * 32 + ".log")) in caught.value.why


def test_a_failed_build_fails_its_step(tmp_path: Path) -> None:
    """And can be tried again: nothing half built is taken for whole."""
    pipeline = a_pipeline(a_step("s", conda="dependencies: [python=3.7]"))
    trainer = LocalTrainer(Home(tmp_path / "home"), environments="build", read=lambda _: pipeline)
    run = trained(trainer, a_spec())
    assert run.status is JobStatus.FAILED
    assert "Python 3.7" in (run.error or "")


def test_a_registered_environment_is_our_interpreter_here(tmp_path: Path) -> None:
    """It lives in a workspace: there is nothing to build it from."""
    assert Interpreters(Environments(tmp_path, "build"))("azureml:scoring:1") == Path(sys.executable)
