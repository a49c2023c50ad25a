"""MLflow's registry on this machine, with MLflow's own store, and MLflow's own word on what is in it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ctrain.backends.local.home import Home
from ctrain.backends.local.registry import LocalRegistry
from ctrain.backends.local.registry_client import RegistryWriter
from ctrain.backends.local.tracking import ensure_store, open_runs
from ctrain.digest import tree_digest
from ctrain.errors import Conflict, PlatformUnavailable, UsageError
from ctrain.version import Lineage, ModelVersion

LINEAGE = Lineage(
    commit="c0ffee",
    branch="main",
    dirty=True,
    data="visits:0123456789ab",
    data_digest="d" * 64,
    parameters={"rate": 0.1, "trees": 7, "kind": "it's", "deep": False},
    job="ctrain-1",
    run_id="",
    release="r1",
    verdict="pass",
)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegistry]:
    """One for all tests that use a model name of their own: MLflow takes seconds to start."""
    made = LocalRegistry(Home(tmp_path_factory.mktemp("registry") / "home"))
    made.warm()
    yield made
    made.close()


@pytest.fixture(scope="module")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("empty") / "home")
    ensure_store(home)
    return home


@pytest.fixture
def home(tmp_path: Path, empty_home: Home) -> Home:
    """A home of one's own, with an empty store."""
    shutil.copytree(empty_home.root, tmp_path / "home")
    return Home(tmp_path / "home")


@dataclass(frozen=True)
class Seen:
    """What our registry holds, and what MLflow says of it."""

    run: str
    ours: ModelVersion
    by_mlflow: dict[str, Any]


ASK_MLFLOW = """
import json, sys, mlflow, pandas
uri, folder = sys.argv[1:]
mlflow.set_tracking_uri(uri)
client = mlflow.MlflowClient()
rows = pandas.DataFrame({"x": [21]})
models = [mlflow.pyfunc.load_model("models:/twice" + which) for which in ("/1", "@champion")]
answers = [model.predict(rows)["x"].tolist() for model in models]
version = client.get_model_version("twice", 1)
for _ in range(2):
    client.create_model_version("twice", folder, tags={"by": "hand"})
client.delete_model_version("twice", "2")
said = {"answers": answers, "run": version.run_id, "status": version.status, "aliases": version.aliases}
print(json.dumps(said | {"tags": version.tags}))
"""


@pytest.fixture(scope="module")
def seen(registry: LocalRegistry, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """A model that answers twice its input, registered, crowned, and loaded; then others add and delete versions."""
    folder = tmp_path_factory.mktemp("twice")
    (folder / "code").mkdir()
    (folder / "code/twice.py").write_text(
        "class Twice:\n"
        "    def predict(self, rows):\n"
        "        return rows * 2\n"
        "def _load_pyfunc(path):\n"
        "    return Twice()\n"
    )
    (folder / "MLmodel").write_text("flavors:\n  python_function: {loader_module: twice, code: code}\n")
    runs = open_runs(registry.home)
    run = runs.start(runs.experiment("visits"), "train", {}, 1)
    runs.close()
    ours = registry.register("twice", folder, tree_digest(folder), replace(LINEAGE, run_id=run))
    registry.crown(ours)
    told = python(ASK_MLFLOW, registry.home.tracking_uri, folder)
    return Seen(run, ours, json.loads(told.splitlines()[-1]))


def python(code: str, *arguments: object) -> str:
    """What code prints in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def a_model(folder: Path, content: str = "1 2 3") -> Path:
    folder.mkdir(parents=True)
    (folder / "weights.txt").write_text(content)
    return folder


def registered(registry: LocalRegistry, files: Path, model: str) -> ModelVersion:
    return registry.register(model, files, tree_digest(files), LINEAGE)


def test_a_registered_model_is_one_that_mlflow_loads(seen: Seen) -> None:
    """By version and as champion; and loading it in place leaves its digest as it was."""
    said = seen.by_mlflow
    assert (said["answers"], said["status"], said["aliases"]) == ([[42], [42]], "READY", ["champion"])
    assert Path(seen.ours.uri, "registered_model_meta").exists()
    assert tree_digest(Path(seen.ours.uri)) == seen.ours.digest


def test_mlflow_shows_where_a_version_comes_from(registry: LocalRegistry, seen: Seen) -> None:
    """All lineage as tags, and a link to the run; we read back what we wrote."""
    tags = dict(seen.by_mlflow["tags"])
    assert json.loads(tags.pop("ctrain.parameters")) == dict(LINEAGE.parameters)
    assert tags == {
        "ctrain.commit": "c0ffee",
        "ctrain.branch": "main",
        "ctrain.dirty": "true",
        "ctrain.data": LINEAGE.data,
        "ctrain.data_digest": LINEAGE.data_digest,
        "ctrain.digest": seen.ours.digest,
        "ctrain.job": "ctrain-1",
        "ctrain.run_id": seen.run,
        "ctrain.release": "r1",
        "ctrain.verdict": "pass",
    }
    assert seen.by_mlflow["run"] == seen.run
    assert registry.champion("twice") == seen.ours
    assert seen.ours.lineage == replace(LINEAGE, run_id=seen.run)


def test_versions_that_others_made_are_listed_and_deleted_ones_are_not(registry: LocalRegistry, seen: Seen) -> None:
    """Somebody calls `mlflow.register_model`, or deletes a version in MLflow's UI."""
    ours, theirs = registry.versions("twice")
    assert (ours, theirs.version, theirs.digest, theirs.lineage.commit) == (seen.ours, 3, "", "")
    assert dict(theirs.tags) == {"by": "hand"}


def test_a_single_file_can_be_a_model(registry: LocalRegistry, tmp_path: Path) -> None:
    """Its digest is the file's; its name stays."""
    a_model(tmp_path / "m")
    version = registered(registry, tmp_path / "m/weights.txt", "file")
    assert Path(version.uri).name == "weights.txt"
    assert tree_digest(Path(version.uri)) == version.digest


def test_the_same_files_are_one_version_of_each_model(registry: LocalRegistry, tmp_path: Path) -> None:
    """Idempotent by digest, within a model's name."""
    files = a_model(tmp_path / "m", "same")
    one = registered(registry, files, "one")
    assert registered(registry, files, "one") == one
    assert registered(registry, files, 'it\'s "another"').version == 1
    assert len(registry.versions("one")) == 1


def test_what_is_registered_is_what_was_judged(registry: LocalRegistry, tmp_path: Path) -> None:
    """Files with another digest are refused, and nothing of them is kept."""
    digest = tree_digest(a_model(tmp_path / "m", "judged"))
    (tmp_path / "m/weights.txt").write_text("swapped")
    with pytest.raises(Conflict, match="not the one that was judged"):
        registry.register("swapped", tmp_path / "m", digest, LINEAGE)
    assert registry.versions("swapped") == []
    assert not (registry.home.models / digest).exists()


@pytest.mark.parametrize("harm", ["lost", "edited"])
def test_registering_again_repairs_files_that_came_to_harm(registry: LocalRegistry, tmp_path: Path, harm: str) -> None:
    """The version exists; its files are made whole."""
    files = a_model(tmp_path / "m", harm)
    version = registered(registry, files, harm)
    kept = Path(version.uri, "weights.txt")
    kept.chmod(0o644)
    if harm == "lost":
        kept.unlink()
    else:
        kept.write_text("edited")
    assert registered(registry, files, harm) == version
    assert tree_digest(Path(version.uri)) == version.digest


def test_crowning_the_champion_again_writes_nothing(registry: LocalRegistry, tmp_path: Path) -> None:
    """A finished release that is run again changes nothing."""
    version = registered(registry, a_model(tmp_path / "m", "crowned"), "crowned")
    registry.crown(version)
    store = [Path(f"{registry.home.tracking_db}{end}") for end in ("", "-wal")]
    before = [file.read_bytes() for file in store if file.exists()]
    registry.crown(version)
    registered(registry, tmp_path / "m", "crowned")
    assert [file.read_bytes() for file in store if file.exists()] == before


def test_a_version_that_is_not_there_cannot_be_crowned(registry: LocalRegistry, tmp_path: Path) -> None:
    """Nor one whose number now belongs to other files."""
    version = registered(registry, a_model(tmp_path / "m", "there"), "there")
    wrongs: list[dict[str, Any]] = [{"version": 9}, {"digest": "0" * 64}, {"name": "nowhere"}]
    for wrong in wrongs:
        with pytest.raises(Conflict, match="cannot become the champion"):
            registry.crown(replace(version, **wrong))
    assert registry.champion("there") is None


@pytest.mark.parametrize("name", ["", " ", "a/b", "a:b"])
def test_a_name_that_mlflow_does_not_take_is_refused(registry: LocalRegistry, tmp_path: Path, name: str) -> None:
    """Before anything is copied or started."""
    with pytest.raises(UsageError, match="cannot name a model"):
        registered(registry, a_model(tmp_path / "m"), name)


def test_reading_does_not_import_mlflow(home: Home) -> None:
    """`ctrain plan` asks for the champion, and has 0.4 s."""
    told = python(
        "import sys; from pathlib import Path; from ctrain.backends.local.registry import LocalRegistry; "
        "from ctrain.backends.local.home import Home; r = LocalRegistry(Home(Path(sys.argv[1]))); "
        "print(r.versions('m'), r.champion('m'), {'mlflow', 'numpy', 'sqlalchemy'} & set(sys.modules))",
        home.root,
    )
    assert told == "[] None set()\n"


def test_no_store_has_no_versions(tmp_path: Path) -> None:
    """And reading does not make one."""
    registry = LocalRegistry(Home(tmp_path / "none"))
    assert (registry.versions("m"), registry.champion("m")) == ([], None)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("content", ["CREATE TABLE model_versions (name, version)", None])
def test_a_store_that_is_not_mlflows_is_named(tmp_path: Path, content: str | None) -> None:
    """Tables that lack what we read, and files that are no store at all."""
    home = Home(tmp_path)
    if content is None:
        home.tracking_db.write_text("this is no database, and long enough to be seen as none" * 20)
    else:
        store = sqlite3.connect(home.tracking_db)
        store.execute(content)
        store.close()
    with pytest.raises(PlatformUnavailable, match=r"cannot be read.*mlflow\.db"):
        LocalRegistry(home).versions("m")


def test_the_callers_mlflow_settings_lead_nowhere_else(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell that points MLflow at another server does not send our versions there. One that dies is started anew."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "http://127.0.0.1:9")
    writer = RegistryWriter(home)
    writer.start()
    assert writer.process
    writer.process.send_signal(signal.SIGKILL)
    writer.ask(call="register", model="m", source=str(tmp_path), digest="d", tags={"ctrain.digest": "d"}, run=None)
    writer.close()
    assert [version.digest for version in LocalRegistry(home).versions("m")] == ["d"]


def test_what_mlflow_refuses_is_told(registry: LocalRegistry) -> None:
    """In MLflow's words, with where its store is."""
    with pytest.raises(PlatformUnavailable, match=r"nobody.*not found"):
        registry.writer.ask(call="crown", model="nobody", version=1)


REGISTER = (
    "import sys; from pathlib import Path; from ctrain.backends.local.registry import LocalRegistry; "
    "from ctrain.backends.local.home import Home; from ctrain.digest import tree_digest; "
    "from ctrain.version import Lineage; files = Path(sys.argv[2]); "
    "lineage = Lineage('c', 'b', False, 'd', 'dd', {}, 'j', '', 'r', 'pass'); "
    "print(LocalRegistry(Home(Path(sys.argv[1]))).register('m', files, tree_digest(files), lineage).version)"
)


def a_registering_process(home: Home, files: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", REGISTER, str(home.root), str(files)], stdout=subprocess.PIPE, text=True
    )


def test_two_who_register_the_same_at_once_get_one_version(home: Home, tmp_path: Path) -> None:
    """Whoever comes second finds the first's."""
    files = a_model(tmp_path / "m")
    racing = [a_registering_process(home, files) for _ in range(2)]
    assert [racer.communicate(timeout=120)[0] for racer in racing] == ["1\n", "1\n"]
    assert len(LocalRegistry(home).versions("m")) == 1


def test_killed_at_any_moment_and_run_again_there_is_one_whole_version(home: Home, tmp_path: Path) -> None:
    """While files are copied, while MLflow starts, between the model's and the version's row; and its writer too."""
    files = a_model(tmp_path / "m")
    for number in range(400):
        (files / f"part-{number}").write_text(str(number))
    registry = LocalRegistry(home)
    moments: list[Callable[[], object]] = [
        lambda: any(home.models.glob(".*.partial")),
        (home.models / tree_digest(files)).exists,
        lambda: registry.rows.has_model("m"),
    ]
    for moment in moments:
        kill_at(a_registering_process(home, files), moment)
    version = registered(registry, files, "m")
    registry.close()
    assert (version.version, len(registry.versions("m"))) == (1, 1)
    assert tree_digest(Path(version.uri)) == version.digest
    assert {item.name for item in home.models.iterdir()} == {".lock", version.digest}


def kill_at(process: subprocess.Popen[str], moment: Callable[[], object]) -> None:
    """Kill the process and its children at that moment, which has to come within a minute."""
    until = time.monotonic() + 60
    while process.poll() is None and not moment():
        assert time.monotonic() < until
        time.sleep(0.002)
    found = subprocess.run(["pgrep", "-P", str(process.pid)], check=False, capture_output=True, text=True)
    process.kill()
    for child in found.stdout.split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(child), signal.SIGKILL)
    process.communicate(timeout=60)
