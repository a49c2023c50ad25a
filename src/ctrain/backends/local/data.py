"""Data sets on this machine: pinned by content where they lie, and sampled once.

A pinned data set is not copied: a copy of gigabytes at each release would cost more than the training, and a hard link
would follow an edit in place. What is promised instead is checked: `verify` tells whether a data set still is what was
pinned, and is cheap where nothing changed (a `stat` of each file), so that a flow asks before it trains and again
before it believes in what came out. It sees every change but one that is undone, with the file's time of change set
back by changing the system's clock, in between. A sample is a private copy, read-only, and taken from bytes that were
verified before and after.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from ctrain.backends.local.assets import find_registered
from ctrain.backends.local.digest_cache import DigestCache
from ctrain.backends.local.home import Home
from ctrain.backends.local.publish import publish
from ctrain.data import DataVersion, SampleSpec
from ctrain.errors import DataError
from ctrain.pipeline.graph import ValueType
from ctrain.sampling import DEFINITION, check_spec

_ASSET = re.compile(r"azureml:(?P<name>[\w-][\w.-]*)(?:@(?P<label>[\w.-]+)|:(?P<version>[\w-][\w.-]*))")
_RECORD = "sample.json"


@dataclass(frozen=True)
class LocalData:
    """The DataStore of the local backend. Relative paths are relative to `root`, the project's folder.

    `azureml:` references are looked up in `home.data/assets/NAME/VERSION/`, the stand-in for a workspace's data assets.
    """

    home: Home
    root: Path

    def pin(self, reference: str) -> DataVersion:
        """Resolve a reference to what it is now; `version` is the asset's, or begins the digest.

        Raises DataError where there is nothing, nothing in it, or it cannot be read. A private cache of digests is
        all that is written.
        """
        if reference.startswith("azureml:"):
            found = _find_asset(self.home, reference)
            return self._pinned(found.parent.name, _only(found), found.name)
        if "://" in reference:
            raise DataError(
                f"{reference} is not on this machine",
                why="the local backend reads files and folders",
                hint="name a path, or download the data first",
            )
        path = self.root / reference
        return self._pinned(path.stem, path, None)

    def verify(self, data: DataVersion) -> None:
        """Raises DataError where a pinned data set is no longer what it was."""
        if DigestCache(self.home).content(Path(data.uri)).digest != data.digest:
            raise DataError(
                f"the data set {data.name} has changed since it was pinned",
                why=f"{data.uri} no longer has the content {data.digest[:12]}",
                hint="leave the data alone while it is used, and run again; or write new data beside the old",
            )

    def sampled(self, data: DataVersion, spec: SampleSpec) -> DataVersion | None:
        """The sample of a pinned data set, where it has been made and is whole."""
        return self._made(self._place(data, spec), data, spec)

    def sample(self, data: DataVersion, spec: SampleSpec) -> DataVersion:
        """The sample of a pinned data set, made now or reused: same name, format, schema and order of rows.

        Raises DataError where a column is missing, a key is null or no row falls in; where the data is neither
        Parquet nor CSV; where it has changed since it was pinned. Raises PlatformUnavailable where the disk is full.
        """
        check_spec(spec)
        place = self._place(data, spec)
        made = self._made(place, data, spec)
        if made is None:
            self.home.prepare()
            publish(
                place,
                lambda folder: self._fill(folder, data, spec),
                intact=lambda folder: self._made(folder, data, spec) is not None,
            )
            made = self._made(place, data, spec)
        if made is None:
            raise DataError(
                f"the sample of {data.name} was changed while it was made",
                why=f"{place} does not hold what was written",
                hint="leave that folder alone, and run again",
            )
        return made

    def _pinned(self, name: str, path: Path, version: str | None) -> DataVersion:
        # Resolved, so that a link which is turned elsewhere later does not turn what was pinned.
        path = path.resolve()
        cache = DigestCache(self.home)
        content = cache.content(path)
        if content.size == 0:
            raise DataError(
                f"{path} is empty", why="there is nothing to train on", hint="name a file or folder with data in it"
            )
        return DataVersion(
            name=name,
            version=version or content.digest[:12],
            digest=content.digest,
            uri=str(path),
            size=content.size,
            rows=cache.rows(path, content, _count),
        )

    def _place(self, data: DataVersion, spec: SampleSpec) -> Path:
        # The name is part of it for the reader's sake: the file keeps its name, and may have had another.
        parts = [DEFINITION, data.digest, Path(data.uri).name, asdict(spec)]
        return self.home.data / "samples" / hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]

    def _made(self, place: Path, data: DataVersion, spec: SampleSpec) -> DataVersion | None:
        try:
            record = json.loads((place / _RECORD).read_bytes())
            sample = DataVersion(
                name=data.name,
                version=str(record["digest"])[:12],
                digest=str(record["digest"]),
                uri=str(place / str(record["file"])),
                size=int(record["size"]),
                rows=int(record["rows"]),
                sample=spec,
            )
            content = DigestCache(self.home).content(Path(sample.uri))
        except (OSError, ValueError, KeyError, TypeError, DataError):
            return None
        return sample if content.digest == sample.digest else None

    def _fill(self, folder: Path, data: DataVersion, spec: SampleSpec) -> None:
        source = Path(data.uri)
        target = folder / source.name
        self.verify(data)
        rows = _write_sample(source, target, spec)
        self.verify(data)
        if not rows:
            raise DataError(
                f"no row of {data.name} falls into the sample",
                why=f"none of its {data.rows or 0:,} rows is among a share of {spec.fraction:g}",
                hint="choose a larger fraction, or a key that tells rows apart",
            )
        content = DigestCache(self.home).content(target)
        record = {"file": source.name, "rows": rows, "digest": content.digest, "size": content.size}
        about = {"of": data.digest, "spec": asdict(spec), "definition": DEFINITION}
        (folder / _RECORD).write_text(json.dumps(record | about, indent=2) + "\n")


def _find_asset(home: Home, reference: str) -> Path:
    parts = _ASSET.fullmatch(reference)
    if parts is None or parts["label"] not in (None, "latest"):
        raise DataError(
            f"{reference} is not a data asset's name",
            why="an asset is named `azureml:NAME:VERSION` or `azureml:NAME@latest`",
            hint="correct the reference",
        )
    found = find_registered(home, reference, ValueType.URI_FOLDER)
    if found is None:
        folder = home.data / "assets" / parts["name"]
        known = sorted(item.name for item in folder.iterdir()) if folder.is_dir() else []
        raise DataError(
            f"there is no data asset {reference} on this machine",
            why=f"of {parts['name']} there are the versions {', '.join(known) or '(none)'}",
            hint=f"put its files into {folder / (parts['version'] or '1')}, or use a path",
        )
    return found


def _only(folder: Path) -> Path:
    """A version's folder, or the one file or folder in it."""
    items = [item for item in folder.iterdir() if not item.name.startswith(".")] if folder.is_dir() else []
    return items[0] if len(items) == 1 else folder


def _count(path: Path) -> int | None:
    from ctrain.rows import count

    return count(path)


def _write_sample(source: Path, target: Path, spec: SampleSpec) -> int:
    from ctrain.rows import write_sample

    return write_sample(source, target, spec)
