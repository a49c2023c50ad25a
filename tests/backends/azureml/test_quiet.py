"""What Azure's SDK prints reaches nobody; what we print reaches everybody, also while the SDK works."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import threading
import types
import warnings
from pathlib import Path

import pytest

from ctrain.backends.azureml.quiet import quiet
from tests.azure.loopback import Loopback, Place

WORK = """
import sys
from pathlib import Path
from ctrain.backends.azureml.failures import translated
from ctrain.backends.azureml.workspace import AzureSession, AzureWorkspace
from ctrain.backends.clock import SystemClock
from ctrain.serving import WorkspaceAddress

workspace = AzureWorkspace(WorkspaceAddress(*sys.argv[1:4]), AzureSession(SystemClock()))
with translated("submit"):
    from azure.ai.ml import load_job
    from azure.ai.ml.entities import Data

    client = workspace.client
    client.data.create_or_update(Data(name="rows", version="1", path="data", type="uri_folder"))
    job = client.jobs.create_or_update(load_job("pipeline.yml"))
assert job.status, job
"""

PIPELINE = """
$schema: https://azuremlschemas.azureedge.net/latest/pipelineJob.schema.json
type: pipeline
settings: {default_compute: azureml:cpu-cluster}
inputs:
  rows: {type: uri_folder, path: azureml:rows:1}
jobs:
  look:
    type: command
    code: code
    command: ls ${{inputs.rows}}
    environment: {image: mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04, conda_file: conda.yml}
    inputs: {rows: "${{parent.inputs.rows}}"}
"""


def test_a_submit_with_uploads_prints_nothing(azure: Loopback, place: Place, tmp_path: Path) -> None:
    """Data, code, an environment, a pipeline: left alone the SDK puts a dozen lines on stderr for it."""
    for folder in ("data", "code"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "some.txt").write_text("some")
    (tmp_path / "conda.yml").write_text("dependencies: [python=3.11]\n")
    (tmp_path / "pipeline.yml").write_text(PIPELINE)
    a = place.address
    done = subprocess.run(
        [sys.executable, "-c", WORK, a.subscription_id, a.resource_group, a.workspace],
        cwd=tmp_path,
        env={**os.environ, **azure.service_principal()},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def sdk(source: str) -> types.ModuleType:
    """A module that looks like one of the SDK's, to talk on demand."""
    module = types.ModuleType("azure.ai.ml._talk")
    exec(source, vars(module))  # noqa: S102  the test's own words, under the SDK's name
    return module


TALK = """
import logging, sys, threading, warnings
def talk():
    print(".", end="", flush=True)
    sys.stderr.write("Uploading: 100%")
    logging.getLogger("azure.ai.ml").warning("experimental")
    warnings.warn("deprecated")
def talk_in_a_thread():
    thread = threading.Thread(target=talk)
    thread.start()
    thread.join()
"""


def test_the_sdks_words_are_muted_in_its_threads_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Dots, bars, log lines and warnings, from wherever it starts them."""
    module = sdk(TALK)
    with quiet():
        module.talk()
        module.talk_in_a_thread()
        print("ours")
    assert capsys.readouterr() == ("ours\n", "")


def test_our_threads_go_on_speaking_while_the_sdk_works(capsys: pytest.CaptureFixture[str]) -> None:
    """Progress is painted by a thread of its own."""
    inside, spoken = threading.Event(), threading.Event()

    def work() -> None:
        with quiet():
            inside.set()
            assert spoken.wait(5)

    thread = threading.Thread(target=work)
    thread.start()
    assert inside.wait(5)
    sys.stderr.write("50%")
    spoken.set()
    thread.join()
    assert capsys.readouterr().err == "50%"


def test_the_streams_are_given_back_as_they_were() -> None:
    """Nested, in many threads at once, and after an exception."""
    before = (sys.stdout, sys.stderr)

    def work() -> None:
        for _ in range(50):
            with quiet(), quiet():
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    with pytest.raises(KeyError), quiet():
        raise KeyError
    for thread in threads:
        thread.join()
    assert (sys.stdout, sys.stderr) == before


REFUSED = """
import sys
from ctrain.backends.azureml.quiet import quiet

before = sys.stdout, sys.stderr
with quiet():
    from azure.ai.ml._exception_helper import log_and_raise_error
    try:
        log_and_raise_error(ValueError("what was given"))
    except ValueError:
        print("ours, at once")
assert (sys.stdout, sys.stderr) == before
print("ours, later")
"""


def test_what_we_say_after_the_sdk_refused_something_is_heard() -> None:
    """Where it refuses what it was given it puts colorama before both streams, and never takes it away."""
    done = subprocess.run([sys.executable, "-c", REFUSED], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "ours, at once\nours, later\n", "")


LEFT = """
import threading
from ctrain.backends.azureml.quiet import quiet

inside = threading.Event()

def work():
    with quiet():
        inside.set()
        threading.Event().wait()

threading.Thread(target=work, daemon=True).start()
inside.wait()
print("done")
"""


def test_a_thread_that_still_works_at_the_end_does_not_change_the_exit_code() -> None:
    """The interpreter flushes the streams itself then, and ends with 120 where that fails."""
    done = subprocess.run([sys.executable, "-c", LEFT], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_a_stream_put_in_place_meanwhile_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """We take back only what we put there."""
    theirs = io.StringIO()
    before = sys.stdout
    try:
        with quiet():
            sys.stdout = theirs
        assert sys.stdout is theirs
    finally:
        sys.stdout = before


def test_logging_that_somebody_configured_still_gets_the_sdks_lines(caplog: pytest.LogCaptureFixture) -> None:
    """Who wants to debug the SDK can."""
    with quiet(), caplog.at_level(logging.INFO, "azure"):
        logging.getLogger("azure.core").info("sent")
    assert caplog.messages == ["sent"]


def test_warnings_of_ours_are_as_before() -> None:
    """Only those of Azure's libraries are ignored."""
    with quiet(), pytest.warns(UserWarning, match="ours"):
        warnings.warn("ours", stacklevel=1)
