"""Where a model's files and records are in a workspace's container, and how they get there whole.

    ctrain/models/MODEL/files/DIGEST/model/...     the files, under their content's digest
    ctrain/models/MODEL/versions/00000007.json     which content the number 7 is
    ctrain/models/MODEL/champion.json              the version that was crowned last

Every file is hashed on its way: a blob exists only once the sha256 of the bytes that were sent is the one that was
asked for, and carries it in its metadata; the service checks each request's MD5. So a run that is killed leaves whole
files or none, the next one goes on with those that are missing, and two that write the same do not disturb each other.

A number is claimed before it is registered: its record is made with `If-None-Match: *`, so that storage gives it to one
content only, for good. Azure ML itself would let two writers PUT the same version, the second over the first.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ctrain.backends.azureml.blobs import READS, ROOT, WRITES, listed, make, read
from ctrain.backends.azureml.failures import translated
from ctrain.backends.azureml.models import Record, checked_name
from ctrain.backends.azureml.workspace import AzureWorkspace
from ctrain.digest import Entry, combined_digest, file_digest, tree_files
from ctrain.errors import Conflict, PlatformUnavailable, UsageError
from ctrain.version import Lineage

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient

PIECE: Final = 8 * 1024 * 1024
"""Bytes that are in memory for each file under way."""

AT_ONCE: Final = 8
"""Files under way."""

_SHA: Final = "sha256"
_MODEL: Final = "model"
Pieces = Callable[[Entry], Iterable[bytes]]


class Shelf:
    """One model's place in one workspace."""

    def __init__(self, workspace: AzureWorkspace, model: str) -> None:
        self.workspace = workspace
        self.model = checked_name(model)
        self.root = f"{ROOT}/models/{model}"

    @property
    def champion(self) -> str:
        return f"{self.root}/champion.json"

    def uri(self, record: Record) -> str:
        """Where the files are, as Azure ML names it."""
        a = self.workspace.address
        return (
            f"azureml://subscriptions/{a.subscription_id}/resourcegroups/{a.resource_group}"
            f"/workspaces/{a.workspace}/datastores/{self.workspace.store.name}/paths/{record.root}"
        )

    def record(self, files: Path, digest: str, lineage: Lineage) -> Record:
        """What registering these files is to mean. Raises Conflict where they do not have that digest."""
        single = files.is_file()
        named = [(files.name, files)] if single else tree_files(files)
        entries = tuple(Entry(name, file.stat().st_size, file_digest(file)) for name, file in named)
        _check(entries, digest, single=single, where=str(files))
        folder = f"{self.root}/files/{digest}"
        return Record(
            digest=digest,
            lineage=lineage,
            kind="mlflow_model" if any(entry.path == "MLmodel" for entry in entries) and not single else "custom_model",
            root=f"{folder}/{files.name if single else _MODEL}",
            single=single,
            files=entries,
        )

    def fill(self, record: Record, pieces: Pieces) -> None:
        """Bring the files that are not there yet, and make sure that what is there then is the record's content.

        `pieces` gives a file's bytes, in pieces of at most 8 MiB. Raises Conflict where they are not what they should
        be, or where something else is in their place.
        """
        there = self._there(record)
        missing = [entry for entry in record.files if record.blob(entry) not in there]
        if missing:
            each(missing, lambda entry, going: self._deliver(record.blob(entry), entry, going(pieces(entry))))
            there = self._there(record)
        found = tuple(Entry(_path(record, name), size, sha) for name, (size, sha) in there.items())
        _check(found, record.digest, single=record.single, where=f"{record.root} of {self.workspace.address}")

    def pieces(self, record: Record) -> Pieces:
        """The bytes of the files that are here."""

        def pieces(entry: Entry) -> Iterator[bytes]:
            for offset in range(0, entry.size, PIECE):
                length = min(PIECE, entry.size - offset)
                with translated(f"read {record.blob(entry)}", needs=READS):
                    piece = self.workspace.blobs.download_blob(record.blob(entry), offset, length).readall()
                yield piece

        return pieces

    def recorded(self, number: int) -> Record | None:
        """What that number was claimed for; None where ctrain did not."""
        kept = read(self.workspace.blobs, self._claim(number))
        if kept is None:
            return None
        try:
            return Record.read(kept.content)
        except ValueError as failure:
            raise PlatformUnavailable(
                f"the record of {self.model}:{number} cannot be read",
                why=f"{self._claim(number)} is not what this version of ctrain writes",
                hint="use the version that wrote it, or a newer one",
            ) from failure

    def claims(self) -> Mapping[int, str]:
        """Which digest each number was claimed for, in one call."""
        prefix = f"{self.root}/versions/"
        found = (
            (blob.name.removeprefix(prefix).removesuffix(".json"), blob)
            for blob in listed(self.workspace.blobs, prefix)
        )
        return {int(name): blob.metadata.get("digest", "") for name, blob in found if name.isdigit()}

    def claim(self, number: int, record: Record) -> bool:
        """Whether that number is for this content, now or since earlier. Claimed for good, whoever claims it."""
        metadata = {"digest": record.digest}
        if make(self.workspace.blobs, self._claim(number), record.written(), metadata):
            return True
        known = self.recorded(number)
        return known is not None and known.digest == record.digest

    def _claim(self, number: int) -> str:
        return f"{self.root}/versions/{number:08}.json"

    def _there(self, record: Record) -> dict[str, tuple[int, str]]:
        """Size and sha256 of what is in the files' place, by blob."""
        prefix = record.root if record.single else f"{record.root}/"
        found = listed(self.workspace.blobs, prefix)
        return {
            blob.name: (blob.size, blob.metadata.get(_SHA, ""))
            for blob in found
            if not record.single or blob.name == record.root
        }

    def _deliver(self, name: str, entry: Entry, pieces: Iterable[bytes]) -> None:
        """Make the blob of these bytes, or not at all. Raises Conflict where they are not the entry's."""
        from azure.core.exceptions import HttpResponseError

        blob = self.workspace.blobs.get_blob_client(name)
        with translated(f"upload {entry.path}", needs=WRITES):
            try:
                if entry.size <= PIECE:
                    _put(blob, entry, pieces)
                else:
                    _put_blocks(blob, entry, pieces)
            except HttpResponseError as failure:
                # Somebody was faster; that it is the same is seen when all is there. (InvalidBlockList: their commit
                # took our blocks away.)
                if failure.status_code != 409 and getattr(failure, "error_code", "") != "InvalidBlockList":
                    raise


def each(entries: Sequence[Entry], act: Callable[[Entry, Callable[[Iterable[bytes]], Iterator[bytes]]], None]) -> None:
    """Do it for several files at once. When one fails, or we are interrupted, the others end at their next piece."""
    stopped = threading.Event()

    def going(pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            if stopped.is_set():
                raise Conflict("the upload was given up", why="another file's failed", hint="see what failed")
            yield piece

    # The largest first: the last one to end is then a small one.
    largest_first = sorted(entries, key=lambda entry: -entry.size)
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="ctrain-upload") as pool:
        doing = [pool.submit(act, entry, going) for entry in largest_first]
        try:
            ended, _ = wait(doing, return_when=FIRST_EXCEPTION)
            for one in ended:
                one.result()
        except BaseException:  # an interrupt as well
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def file_pieces(files: Path) -> Pieces:
    """The bytes of files on this machine: of a folder's, or of the one file."""

    def pieces(entry: Entry) -> Iterator[bytes]:
        path = files if files.is_file() else files / entry.path
        with path.open("rb") as stream:
            while piece := stream.read(PIECE):
                yield piece

    return pieces


def _put(blob: BlobClient, entry: Entry, pieces: Iterable[bytes]) -> None:
    content = b"".join(pieces)
    _refuse_other(entry, len(content), hashlib.sha256(content).hexdigest())
    blob.upload_blob(content, overwrite=False, metadata={_SHA: entry.digest}, validate_content="md5")


def _put_blocks(blob: BlobClient, entry: Entry, pieces: Iterable[bytes]) -> None:
    from azure.core import MatchConditions
    from azure.storage.blob import BlobBlock

    seen, size, blocks = hashlib.sha256(), 0, []
    for number, piece in enumerate(pieces):
        seen.update(piece)
        size += len(piece)
        blocks.append(BlobBlock(f"{number:08}"))
        blob.stage_block(blocks[-1].id, piece, len(piece), validate_content="md5")
    _refuse_other(entry, size, seen.hexdigest())
    blob.commit_block_list(blocks, metadata={_SHA: entry.digest}, match_condition=MatchConditions.IfMissing)


def _refuse_other(entry: Entry, size: int, digest: str) -> None:
    if (size, digest) != (entry.size, entry.digest):
        raise Conflict(
            f"{entry.path} is not what was registered",
            why=f"its content has the digest {digest[:12]}, not {entry.digest[:12]}",
            hint="somebody changed it under our hands: train again, and leave the model's files alone",
        )


def _path(record: Record, name: str) -> str:
    return record.files[0].path if record.single else name.removeprefix(f"{record.root}/")


def _check(entries: Sequence[Entry], digest: str, *, single: bool, where: str) -> None:
    """Raises Conflict where these files are not the content of that digest."""
    if not entries:
        raise UsageError(f"there is no model in {where}", why="it holds no file", hint="let the pipeline write one")
    found = entries[0].digest if single and len(entries) == 1 else combined_digest(entries)
    if found != digest:
        raise Conflict(
            f"the model in {where} is not the one that was judged",
            why=f"its content has the digest {found[:12]}, not {digest[:12]}",
            hint="somebody changed it: train again, and leave the model's files alone",
        )
