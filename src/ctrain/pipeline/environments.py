"""What a step runs in, as YAML says it, and whether a Python interpreter alone can stand in for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ctrain.document import parse_document
from ctrain.errors import Location, PipelineError, UsageError
from ctrain.pipeline.cursor import Cursor
from ctrain.pipeline.graph import Environment
from ctrain.pipeline.reading import Reading

_KEYS = frozenset(
    {"$schema", "name", "version", "description", "tags", "properties", "image", "conda_file", "build"}
    | {"inference_config", "os_type", "datastore", "type", "id", "creation_context", "latest_version"}
)

# Compiled when first asked for: most pipelines bring a conda file, and a millisecond is felt at every start.
# Words in an image's repository path that say that it brings Python. A host name does not count.
_PYTHON = (
    r"(?:^|[/_.-])(?:azureml|(?:\w*python|\w*conda|\w*forge|mamba\w*|micromamba|pypy|pytorch|torch|tensorflow|keras|jax|jupyter\w*"
    r"|scikit|sklearn|xgboost|lightgbm|mlflow|huggingface|transformers|rayproject|ray|rapids\w*|dask|uv)\d*)(?:$|[/_.-])"
)
_RUNS_PYTHON = (
    r"(?:^|[\s;&|(=\"'])(?:[\w./-]*/)?(?:python[\d.]*|torchrun|accelerate|deepspeed|mlflow|pip\d?)(?=$|[\s;&|)\"'])"
)

# `https://user:password@host`, but for a password that stands for an environment variable, as uv reads it.
_SIGNED_IN = r"https?://[^\s/@:]*:(?!\$\{\w+\}@)[^\s/@]+@"


def read_environment(cursor: Cursor, reading: Reading) -> Environment:
    """`azureml:name:version`, `azureml:name@label`, `azureml://registries/...`, an inline mapping, or a file of one."""
    if isinstance(cursor.value, dict):
        return _inline(cursor, reading)
    text = cursor.text()
    if text.startswith(("azureml:", "/subscriptions/")):
        return Environment(cursor.at, reference=text)
    if not _looks_like_file(cursor):
        # azure-ai-ml takes a bare `name:version` too: `ArmVersionedStr` in its `_schema/core/fields.py`
        return Environment(cursor.at, reference=f"azureml:{text}")
    return _inline(reading.open(cursor.existing("environment file"), cursor), reading)


def _looks_like_file(cursor: Cursor) -> bool:
    text = cursor.text()
    return text.startswith(("file:", "./", "../", "/")) or text.endswith((".yml", ".yaml"))


def _inline(cursor: Cursor, reading: Reading) -> Environment:
    cursor.only(_KEYS, "an environment")
    image, conda, build = cursor.get("image"), cursor.get("conda_file"), cursor.get("build")
    if build:
        reading.local_only(
            build,
            "an environment built from a Dockerfile cannot be made here",
            why="no containers are built on this machine",
            hint="use `image` with a `conda_file`, or run on Azure ML",
        )
    system = cursor.get("os_type")
    if system and system.text().lower() == "windows":
        reading.local_only(
            system, "a Windows image cannot be run here", why="steps run under a POSIX shell", hint="use Linux"
        )
    if not (image or conda or build):
        raise cursor.refuse(
            "this environment says nothing",
            why="it has no image, no conda_file and no build",
            hint="add `image:` and, for packages, `conda_file:`",
        )
    return Environment(
        (image or conda or build or cursor).at,
        image=image.text() if image else None,
        conda=_conda(conda, reading) if conda else None,
    )


def _conda(cursor: Cursor, reading: Reading) -> str:
    if isinstance(cursor.value, dict):
        import yaml

        inline = yaml.safe_dump(cursor.value, sort_keys=False, allow_unicode=True)
        refuse_password(inline, lambda _: cursor.at, PipelineError)
        return inline
    file = cursor.existing("conda file")
    content = _content(file, cursor)
    document = parse_document(content, file, PipelineError)
    Cursor(document, (), document.value).mapping()
    reading.sources.files.add(file)
    text = content.decode("utf-8-sig")
    refuse_password(text, lambda line: Location(file, line), PipelineError)
    return text


def refuse_password(text: str, at: Callable[[int], Location], error: type[UsageError]) -> None:
    """Raises `error` where an address in a conda file is like `https://user:password@host`; `at` places its line."""
    found = re.search(_SIGNED_IN, text)
    if found is not None:
        raise error(
            "an address in the conda file has a password in it",
            why="an image is built from it, and whoever may read the image or the workspace can read it there",
            hint="write the address without, and give the workspace a connection to the feed (docs/ci.md)",
            at=at(text.count("\n", 0, found.start()) + 1),
        )


def _content(file: Path, cursor: Cursor) -> bytes:
    try:
        return file.read_bytes()
    except OSError as failure:
        raise cursor.refuse(
            f"cannot read {file}", why=failure.strerror or str(failure), hint="name a readable file"
        ) from None


def is_python_image(image: str) -> bool:
    """Whether an image's name says that it brings Python.

    The registry's host, the tag and the digest do not count: `python:3.11`, `docker.io/library/python` and
    `mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04` do say so, `rocker/tidyverse` and `python.example.com/r` don't.
    """
    path = image.partition("@")[0].lower()
    host, slash, rest = path.partition("/")
    if slash and ("." in host or ":" in host or host == "localhost"):
        path = rest
    return re.search(_PYTHON, path.partition(":")[0]) is not None


def runs_python(command: str) -> bool:
    """Whether the command starts a Python program by name."""
    return re.search(_RUNS_PYTHON, command) is not None


def require_python(environment: Environment, command: str, reading: Reading) -> None:
    """Refuse an image that is not a Python one, where a Python interpreter has to stand in for it.

    A conda file makes any image one. An image alone is one if its name says so, or, as private images are called
    anything, if the command starts Python: a step that does neither needs what only its image has.
    """
    image = environment.image
    if image is None or environment.conda or is_python_image(image) or runs_python(command):
        return
    reading.local_only_at(
        environment.at,
        f"the image {image} is not a Python image",
        why="steps run in a Python environment of this machine, without containers, and neither the image's name nor"
        " the command speaks of Python",
        hint="use a Python image or add a conda_file, or run on Azure ML",
    )
