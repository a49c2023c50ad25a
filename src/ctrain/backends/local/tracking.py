"""MLflow's store for runs, without importing MLflow: that would cost 1.6 s in each job's process.

MLflow makes the store and brings it up to date (`tracking_store`, in a process of its own, once). Rows for runs are
then written by SQL, exactly as MLflow writes them (a test holds the two against each other), as long as the tables
have the columns known here; for any others MLflow does the writing as well (`RunsByMlflow`).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from ctrain.backends.local.environments import installed_version
from ctrain.backends.local.home import Home
from ctrain.errors import PlatformUnavailable

RunStatus = Literal["FINISHED", "FAILED", "KILLED"]

_MODULE = "ctrain.backends.local.tracking_store"
_BUSY_SECONDS = 20  # as long as MLflow itself waits: PRAGMA busy_timeout in mlflow/store/db/utils.py
_TAG_LENGTH = 8000  # mlflow/utils/validation.py, MAX_TAG_VAL_LENGTH

# The tables that we write, as of MLflow 3.17 (mlflow/store/tracking/dbmodels/models.py).
_KNOWN = {
    "experiments": "artifact_location creation_time experiment_id last_update_time lifecycle_stage name workspace",
    "runs": "artifact_uri deleted_time end_time entry_point_name experiment_id lifecycle_stage name run_uuid"
    " source_name source_type source_version start_time status user_id",
    "tags": "key run_uuid value",
    "params": "key run_uuid value",
    "metrics": "is_nan key run_uuid step timestamp value",
    "latest_metrics": "is_nan key run_uuid step timestamp value",
}


@dataclass(frozen=True)
class Experiment:
    """An MLflow experiment and the root of its runs' artifacts."""

    id: str
    name: str
    artifacts: str


class Runs(Protocol):
    """Opening and closing runs. Times are in milliseconds since 1970."""

    def experiment(self, name: str) -> Experiment:
        """That experiment, made if there is none."""
        ...

    def start(self, experiment: Experiment, name: str, tags: Mapping[str, str], started: int) -> str:
        """A new run's id."""
        ...

    def end(self, run: str, status: RunStatus, ended: int) -> None: ...

    def metrics(self, run: str) -> dict[str, float]:
        """The last value of each metric."""
        ...

    def copy(self, source: str, target: str) -> None:
        """Give the target the metrics, parameters, own tags and artifacts of the source."""
        ...

    def close(self) -> None: ...


def open_runs(home: Home) -> Runs:
    """The store, made or brought up to date if need be. Raises PlatformUnavailable where that cannot be."""
    ensure_store(home)
    with _store_errors():
        connection = _connect(home.tracking_db)
        if _shape(connection) == {table: set(columns.split()) for table, columns in _KNOWN.items()}:
            return RunsBySql(connection, home.artifacts)
        connection.close()
    return RunsByMlflow(home)


def ensure_store(home: Home) -> None:
    """Make MLflow's store where there is none, and bring one of another MLflow version up to date.

    Safe to call from several processes at once. An empty store is kept per MLflow version in the user's cache
    folder, so that the next home costs a file copy in place of seconds.
    """
    version = installed_version("mlflow")
    mark = home.root / "mlflow.version"
    if home.tracking_db.exists() and _read(mark) == version:
        return
    with _store_errors():
        home.prepare()
        with (home.root / "mlflow.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not home.tracking_db.exists():
                _make(home, version)
            elif _read(mark) != version:
                _upgrade(home)
            _write(mark, version)


def _make(home: Home, version: str) -> None:
    with tempfile.TemporaryDirectory(prefix=".mlflow-", dir=home.root) as folder:
        new = Path(folder, "mlflow.db")
        kept = _cache() / f"mlflow-{version}.db"
        if _usable(kept):
            shutil.copyfile(kept, new)
        else:
            _by_mlflow("create", str(new), str(home.artifacts))
            with contextlib.closing(_connect(new)) as store:
                # Readers don't block writers, and parallel steps all write.
                store.execute("PRAGMA journal_mode=WAL")
            with contextlib.suppress(OSError):
                _keep(new, kept)
        with contextlib.closing(_connect(new)) as store:
            store.execute("UPDATE experiments SET artifact_location=? WHERE experiment_id=0", (f"{home.artifacts}/0",))
        new.rename(home.tracking_db)


def _usable(kept: Path) -> bool:
    if not kept.exists():
        return False
    try:
        with contextlib.closing(_connect(kept)) as store:
            return bool(_shape(store)["runs"])
    except sqlite3.Error:
        return False


def _keep(made: Path, kept: Path) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = kept.with_name(f".{kept.name}-{uuid.uuid4().hex}")
    shutil.copyfile(made, new)
    new.replace(kept)


def _upgrade(home: Home) -> None:
    """A copy is left beside the store, as a migration cannot be undone."""
    before = home.root / "mlflow.before-upgrade.db"
    with contextlib.closing(_connect(home.tracking_db)) as store, contextlib.closing(_connect(before)) as copy:
        store.backup(copy)
        store.execute("PRAGMA journal_mode=WAL")
    _by_mlflow("upgrade", str(home.tracking_db))


def _by_mlflow(*arguments: str) -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "_MLFLOW_"))}
    command = [sys.executable, "-m", _MODULE, *arguments]
    done = subprocess.run(command, env=plain, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise PlatformUnavailable(
            f"MLflow could not {arguments[0]} its store",
            why="\n".join(done.stderr.strip().splitlines()[-5:]) or f"it ended with {done.returncode}",
            hint=f"to see all of it: {' '.join(command)}",
        )


def _cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "ctrain"


def _read(file: Path) -> str | None:
    try:
        return file.read_text()
    except FileNotFoundError:
        return None


def _write(file: Path, text: str) -> None:
    new = file.with_name(f".{file.name}-{os.getpid()}")
    new.write_text(text)
    new.replace(file)


def _connect(db: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(db, timeout=_BUSY_SECONDS, isolation_level=None)
    # Enough against the death of any process; a power cut may cost the last run's row, never the store.
    # https://www.sqlite.org/pragma.html#pragma_synchronous
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


def _shape(connection: sqlite3.Connection) -> dict[str, set[str]]:
    return {
        table: {row[0] for row in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}
        for table in _KNOWN
    }


@contextlib.contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as failure:
        raise PlatformUnavailable(
            "MLflow's store cannot be used",
            why=str(failure),
            hint="check the disk's space and permissions under ctrain's folder",
        ) from None


class RunsBySql:
    """Runs as rows. Every act is one transaction that takes its write lock first, so that waiting works."""

    def __init__(self, connection: sqlite3.Connection, artifacts: Path) -> None:
        self.connection = connection
        self.artifacts = artifacts

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with _store_errors():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                # SQLite rolls back by itself where the disk is full: https://www.sqlite.org/lang_transaction.html
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def experiment(self, name: str) -> Experiment:
        asked = "SELECT experiment_id, artifact_location, lifecycle_stage FROM experiments WHERE name=?"
        with self._writing() as store:
            row = store.execute(asked, (name,)).fetchone()
            if row is None:
                row = self._new_experiment(store, name)
        number, artifacts, stage = row
        if stage != "active":
            raise PlatformUnavailable(
                f"the MLflow experiment {name!r} was deleted",
                why="MLflow keeps a deleted experiment's name",
                hint=f"mlflow experiments restore --experiment-id {number}, or use another name",
            )
        return Experiment(str(number), name, artifacts)

    def _new_experiment(self, store: sqlite3.Connection, name: str) -> tuple[int, str, str]:
        now = _now()
        number: int = store.execute(
            "INSERT INTO experiments (name, lifecycle_stage, creation_time, last_update_time)"
            " VALUES (?, 'active', ?, ?) RETURNING experiment_id",
            (name, now, now),
        ).fetchone()[0]
        place = f"{self.artifacts}/{number}"
        store.execute("UPDATE experiments SET artifact_location=? WHERE experiment_id=?", (place, number))
        return number, place, "active"

    def start(self, experiment: Experiment, name: str, tags: Mapping[str, str], started: int) -> str:
        run = uuid.uuid4().hex
        with self._writing() as store:
            store.execute(
                "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status,"
                " start_time, source_version, lifecycle_stage, artifact_uri, experiment_id)"
                " VALUES (?, ?, 'UNKNOWN', '', '', ?, 'RUNNING', ?, '', 'active', ?, ?)",
                (run, name[:250], tags.get("mlflow.user", "unknown"), started,
                 f"{experiment.artifacts}/{run}/artifacts", int(experiment.id)),
            )  # fmt: skip
            written = {**tags, "mlflow.runName": name[:250]}
            store.executemany(
                "INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)",
                [(key[:250], value[:_TAG_LENGTH], run) for key, value in written.items()],
            )
        return run

    def end(self, run: str, status: RunStatus, ended: int) -> None:
        with self._writing() as store:
            store.execute("UPDATE runs SET status=?, end_time=? WHERE run_uuid=?", (status, ended, run))

    def metrics(self, run: str) -> dict[str, float]:
        with _store_errors():
            rows = self.connection.execute("SELECT key, value, is_nan FROM latest_metrics WHERE run_uuid=?", (run,))
            return {key: float("nan") if nan else float(value) for key, value, nan in rows}

    def copy(self, source: str, target: str) -> None:
        with self._writing() as store:
            for table in ("metrics", "latest_metrics", "params", "tags"):
                columns = _KNOWN[table].replace(" ", ", ")
                taken = columns.replace("run_uuid", "?")
                own = " AND key NOT LIKE 'mlflow.%'" if table == "tags" else ""
                store.execute(
                    f"INSERT OR IGNORE INTO {table} ({columns}) SELECT {taken} FROM {table} WHERE run_uuid=?{own}",  # noqa: S608 - constants
                    (target, source),
                )
            store.execute(
                "UPDATE runs SET artifact_uri=(SELECT artifact_uri FROM runs WHERE run_uuid=?) WHERE run_uuid=?"
                " AND EXISTS (SELECT 1 FROM runs WHERE run_uuid=?)",
                (source, target, source),
            )

    def close(self) -> None:
        self.connection.close()


class RunsByMlflow:
    """Runs by MLflow itself, in a process beside ours; for a store whose tables we do not know."""

    def __init__(self, home: Home) -> None:
        self.artifacts = home.artifacts
        self.process = subprocess.Popen(
            [sys.executable, "-m", _MODULE, "serve", home.tracking_uri],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def _ask(self, call: str, *arguments: object) -> Any:
        asking, answering = self.process.stdin, self.process.stdout
        answer: dict[str, Any] = {"failure": "MLflow ended"}
        try:
            if asking and answering:
                asking.write(json.dumps({"call": call, "with": arguments}) + "\n")
                asking.flush()
                answer = json.loads(answering.readline() or "{}") or answer
        except (OSError, ValueError) as failure:
            answer = {"failure": str(failure)}
        if "failure" in answer:
            raise PlatformUnavailable(
                f"MLflow could not {call} a run",
                why=answer["failure"],
                hint="check MLflow's store under ctrain's folder",
            )
        return answer["answer"]

    def experiment(self, name: str) -> Experiment:
        number, artifacts = self._ask("experiment", name, str(self.artifacts))
        return Experiment(number, name, artifacts)

    def start(self, experiment: Experiment, name: str, tags: Mapping[str, str], started: int) -> str:
        return str(self._ask("start", experiment.id, name, dict(tags), started))

    def end(self, run: str, status: RunStatus, ended: int) -> None:
        self._ask("end", run, status, ended)

    def metrics(self, run: str) -> dict[str, float]:
        return {key: float(value) for key, value in self._ask("metrics", run).items()}

    def copy(self, source: str, target: str) -> None:
        self._ask("copy", source, target)

    def close(self) -> None:
        self.process.communicate()


def _now() -> int:
    import time

    return time.time_ns() // 1_000_000
