"""Stand-ins for the tasks of Azure Pipelines that our files use: what each does to the job, without a network."""

from __future__ import annotations

import shutil
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.ci.runner.actions import VENV
from tests.ci.runner.azure_job import AzureJob, AzureStep, Task
from tests.ci.runner.process import Cancelling
from tests.ci.runner.yaml_file import BadWorkflow

Inputs = Mapping[str, str]
Step = Mapping[str, Any]


def _use_python(job: AzureJob, inputs: Inputs, step: Step, title: str, cancelling: Cancelling) -> AzureStep:
    """The Python that runs us, first on the path."""
    job.log.paths.append(str(VENV))
    job.log.write(f"Python {sys.version.split()[0]} stands in for {inputs['versionSpec']}")
    return AzureStep(title, "Succeeded")


def _cache(job: AzureJob, inputs: Inputs, step: Step, title: str, cancelling: Cancelling) -> AzureStep:
    """By the key's parts; a part that is a file counts by what it holds. Saved when the job has ended well."""
    parts = [part.strip() for part in inputs["key"].split("|")]
    made = []
    for part in parts:
        file = job.sources / part.strip('"')
        made.append(file.read_text() if not part.startswith('"') and file.is_file() else part)
    key = "|".join(made)
    folder = Path(inputs["path"])
    kept = job.hub.cache.find(key, [])
    if kept is not None:
        shutil.copytree(kept / "work", folder, dirs_exist_ok=True, symlinks=True)
    else:
        job.after_success.append(lambda: job.hub.cache.keep(key, {"work": folder}, ["."]))
    return AzureStep(title, "Succeeded")


def _pip_authenticate(job: AzureJob, inputs: Inputs, step: Step, title: str, cancelling: Cancelling) -> AzureStep:
    """Names the feed in PIP_EXTRA_INDEX_URL or PIP_INDEX_URL, with the build's token."""
    extra = inputs.get("onlyAddExtraIndex", "false").lower() == "true"
    token = job.variables["system.accesstoken"].value
    name = "PIP_EXTRA_INDEX_URL" if extra else "PIP_INDEX_URL"
    job.set_secretly(
        name, f"https://build:{token}@pkgs.dev.azure.com/{inputs['artifactFeeds']}/_packaging/pypi/simple/"
    )
    return AzureStep(title, "Succeeded")


def _publish_artifact(job: AzureJob, inputs: Inputs, step: Step, title: str, cancelling: Cancelling) -> AzureStep:
    """Kept by the run; a name is taken once."""
    source, target = Path(inputs["targetPath"]), job.build.artifacts / inputs["artifact"]
    if not source.exists():
        raise RuntimeError(f"Path does not exist: {source}")
    if target.exists():
        raise RuntimeError(f"Artifact {inputs['artifact']} already exists for build {job.build.number}.")
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        target.mkdir(parents=True)
        shutil.copy2(source, target)
    return AzureStep(title, "Succeeded")


def _publish_tests(job: AzureJob, inputs: Inputs, step: Step, title: str, cancelling: Cancelling) -> AzureStep:
    """The file is read as JUnit's; what it says is kept by the run."""
    file = Path(inputs["testResultsFiles"])
    if inputs["testResultsFormat"] != "JUnit" or not file.is_file():
        raise RuntimeError(f"No test result files matching {file} were found.")
    cases = ET.parse(file).getroot().iter("testcase")  # noqa: S314  our own report
    job.build.tests.append((inputs.get("testRunTitle", ""), [case.attrib.get("name", "") for case in cases]))
    return AzureStep(title, "Succeeded")


def _azure_cli(job: AzureJob, inputs: Inputs, step: Step, title: str, cancelling: Cancelling) -> AzureStep:
    """The script, with what the task tells of the service connection."""
    if (inputs.get("scriptType"), inputs.get("scriptLocation")) != ("bash", "inlineScript"):
        raise BadWorkflow("AzureCLI@2 is known with an inline bash script only")
    if inputs["azureSubscription"] not in job.hub.connections:
        raise RuntimeError(f"the service connection {inputs['azureSubscription']} does not exist")
    more = job.hub.connections[inputs["azureSubscription"]]
    text = str(step["inputs"]["inlineScript"])
    return job.script(text, step, title, cancelling, more)


def _universal_packages(job: AzureJob, inputs: Inputs, step: Step, title: str, cancelling: Cancelling) -> AzureStep:
    """Published to a folder of the feed; a version is never published twice."""
    if inputs["command"] != "publish" or inputs["versionOption"] != "custom":
        raise BadWorkflow("UniversalPackages@0 is known for publishing a version only")
    target = job.hub.home / "feeds" / inputs["vstsFeedPublish"] / inputs["vstsFeedPackagePublish"]
    version = target / inputs["versionPublish"]
    if version.exists():
        raise RuntimeError(f"{version.name} of {target.name} is there already")
    shutil.copytree(inputs["publishDirectory"], version)
    return AzureStep(title, "Succeeded")


TASKS: Mapping[str, tuple[set[str], Task]] = {
    "UsePythonVersion@0": ({"versionSpec"}, _use_python),
    "Cache@2": ({"key", "path"}, _cache),
    "PipAuthenticate@1": ({"artifactFeeds", "onlyAddExtraIndex"}, _pip_authenticate),
    "PublishPipelineArtifact@1": ({"targetPath", "artifact"}, _publish_artifact),
    "PublishTestResults@2": ({"testResultsFormat", "testResultsFiles", "testRunTitle"}, _publish_tests),
    "AzureCLI@2": ({"azureSubscription", "scriptType", "scriptLocation", "inlineScript"}, _azure_cli),
    "UniversalPackages@0": (
        {"command", "publishDirectory", "vstsFeedPublish", "vstsFeedPackagePublish", "versionOption"}
        | {"versionPublish", "packagePublishDescription"},
        _universal_packages,
    ),
}
