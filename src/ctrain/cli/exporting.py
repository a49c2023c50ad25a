"""`ctrain export`: a registered model's files, and what is known of it, into a folder."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from ctrain.cli import documents
from ctrain.cli.ci.host import here
from ctrain.cli.session import session
from ctrain.cli.terminal import say
from ctrain.errors import ExitCode, PlatformUnavailable, UsageError
from ctrain.flow.export import export as of_release


def export(name: str | None, *, output: Path, file: Path | None, backend: str | None) -> int:
    """The folder gets `model/`, and `model.json` with version, digest and lineage."""
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UsageError(
            f"{output} is not empty", why="what is there might not be this model's", hint="name a folder of its own"
        )
    with session(file, backend, show=False, act=None) as s:
        version, files = of_release(s.release(name), s.at)
    try:
        output.mkdir(parents=True, exist_ok=True)
        if files.is_dir():
            shutil.copytree(files, output / "model")
        else:
            (output / "model").mkdir()
            shutil.copy2(files, output / "model" / files.name)
        (output / "model.json").write_text(documents.document("model", version), encoding="utf-8")
    except OSError as failure:
        raise PlatformUnavailable(
            f"the model cannot be written to {output}",
            why=failure.strerror or str(failure),
            hint="make room there, or name a folder that can be written to",
        ) from None
    # A feed wants a name of its own form, and three numbers. Source: "Publish Universal Packages", Microsoft Learn.
    here().put("package", re.sub(r"[^a-z0-9._-]+", "-", version.name.lower()))
    here().put("package_version", f"{version.version}.0.0")
    say(f"{version}, digest {version.digest[:12]}, is in {output}", bold=True)
    return ExitCode.DONE
