"""Parts of jobs, brought to this machine."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.azure.jobs.resources import Resources
from tests.azure.jobs.stored import Place, get, get_files
from tests.azure.routing import Body, Refused


class Fetched:
    """The parts of one job: inputs into a folder of its own, code into one that all jobs share. For threads."""

    def __init__(self, resources: Resources, codes: Path, inputs: Path) -> None:
        self.resources = resources
        self.storage = resources.cloud.storage
        self.codes = codes
        self.inputs = inputs

    def resource(self, arm_id: str) -> Body:
        return self.resources.get(arm_id)

    def code(self, arm_id: str) -> Path:
        """A code version never changes, so it is fetched once; of two jobs that do, one is as good as the other."""
        place = self.resources.place(arm_id, "code")
        kept = self.codes / place.container / place.path.strip("/").replace("/", "-")
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            new = Path(tempfile.mkdtemp(dir=kept.parent, prefix=".new-")) / "code"
            self._folder(place, new)
            try:
                new.rename(kept)
            except OSError:
                if not kept.is_dir():
                    raise
        return kept

    def asset(self, uri: str, kind: str) -> Path:
        """What is there now, for this job alone: a store's paths may be written again."""
        place = self.resources.place(uri, kind)
        self.inputs.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=self.inputs))
        if kind != "uri_file":
            return self._folder(place, folder / "folder")
        content = get(self.storage, place)
        if content is None:
            raise _nothing(place)
        file = folder / Path(place.path).name
        file.write_bytes(content)
        return file

    def _folder(self, place: Place, folder: Path) -> Path:
        if not get_files(self.storage, place, folder):
            raise _nothing(place)
        return folder


def _nothing(place: Place) -> Refused:
    return Refused(400, "UserError", f"There is nothing at {place.path} in the container {place.container}.")
