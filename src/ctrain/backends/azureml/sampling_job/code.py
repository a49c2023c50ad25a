"""The code folder of a sampling job, made of ctrain's own files: the same ctrain and spec give the same folder."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Final

import ctrain
from ctrain.data import SampleSpec

MODULES: Final = ("__init__", "data", "digest", "document", "errors", "rows", "sampling")
"""What the script needs of ctrain; none of them imports anything else of it."""

PACKAGES: Final = ("polars>=1.34,<2", "numpy>=1.26,<3", "pyarrow>=17,<30")
"""What those modules need: the floors are ctrain's own."""

CONDA: Final = {
    "name": "ctrain-sample",
    "channels": ["conda-forge"],
    "dependencies": ["python=3.11", "pip", {"pip": list(PACKAGES)}],
}
IMAGE: Final = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"


def write_code(folder: Path, spec: SampleSpec) -> None:
    """Fill an empty folder."""
    source = Path(ctrain.__file__).parent
    package = folder / "ctrain"
    package.mkdir(parents=True)
    for module in MODULES:
        shutil.copyfile(source / f"{module}.py", package / f"{module}.py")
    shutil.copyfile(Path(__file__).with_name("script.py"), folder / "sample.py")
    (folder / "spec.json").write_text(json.dumps(asdict(spec), indent=2) + "\n")
