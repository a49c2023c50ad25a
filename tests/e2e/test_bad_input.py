"""What a user gets wrong, and what goes wrong for one: said in three sentences, nothing half done, and mendable."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.repository import Repository, Said
from tests.e2e.tiny import CONFIGURATION, FILES, SCORING, TRAINING, tiny

pytestmark = pytest.mark.e2e


def is_told(said: Said, code: int, *words: str) -> None:
    """What, why and fix on stderr, nothing on stdout, and no traceback of ours."""
    assert said.code == code, said.err
    assert said.out == ""
    assert "this is a bug" not in said.err
    for word in words:
        assert word in said.err


def is_refused(said: Said, *words: str) -> None:
    """As bad usage: exit 2, in three sentences."""
    is_told(said, 2, "error: ", "why: ", "fix: ", *words)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """A project that each test breaks in its own way; none gets as far as an endpoint."""
    repository = tiny(tmp_path_factory.mktemp("user") / "tiny")
    yield repository
    repository.down()


@pytest.fixture
def project(shared: Repository) -> Repository:
    """The project as it was first committed, with no platform yet."""
    shared.git("reset", "--hard", "--quiet")
    shared.git("clean", "-fdxq", "--exclude", ".ctrain")
    return shared


def broken(repository: Repository, name: str, old: str, new: str) -> Said:
    """`ctrain run` with that text in the place of the other."""
    text = FILES[name]
    assert old in text
    (repository.root / name).write_text(text.replace(old, new, 1))
    return repository.ctrain("run", "--trigger", "main")


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("ctrain.yaml", "gate:", "gaet:", ("ctrain.yaml:10:1", "did you mean `gate`")),
        ("ctrain.yaml", "floor: 0.6", "floor: high", ("ctrain.yaml:13:", "must be a number")),
        ("ctrain.yaml", "project: tiny", "project: tiny\nproject: small", ("ctrain.yaml:2:1", "stands twice")),
        ("ctrain.yaml", CONFIGURATION, "[" * 200_000, ("ctrain.yaml:1:", "nested too deeply")),
        ("ctrain.yaml", "pipeline: train.yml", "pipeline: trian.yml", ("trian.yml",)),
        ("ctrain.yaml", "local: rows.csv", "local: row.csv", ("row.csv", "does not exist")),
        ("ctrain.yaml", "input: data", "input: dat", ("no input 'dat'", "did you mean 'data'")),
        ("ctrain.yaml", "script: score.py", "script: scor.py", ("no scoring script", "scor.py")),
        ("ctrain.yaml", "deploy: [dev, prod]", "deploy: [dev, pord]", ("no stage 'pord'", "`prod`")),
        ("train.yml", "parent.inputs.data}}", "parent.jobs.train.outputs.model}}", ("train.yml:", "wait for")),
        ("rows.csv", FILES["rows.csv"], "", ("rows.csv is empty",)),
    ],
)
def test_what_is_wrong_in_a_file_is_refused(
    project: Repository, name: str, old: str, new: str, words: tuple[str, ...]
) -> None:
    """Before anything is started: not even a release is opened."""
    said = broken(project, name, old, new)

    is_refused(said, *words)
    assert project.kinds() == []


def test_an_alias_bomb_is_refused(project: Repository) -> None:
    """A gigabyte of values in nine lines."""
    lines = ["a: &a [x]"]
    lines += [f"{name}: &{name} [{', '.join([f'*{one}'] * 9)}]" for one, name in zip("abcdefg", "bcdefgh", strict=True)]
    (project.root / "ctrain.yaml").write_text("\n".join(lines))

    is_refused(project.ctrain("run"), "too many values")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run", "--trigger", "mian"), "did you mean 'main'"),
        (("deploy", "--to", "pord"), "did you mean 'prod'"),
        (("rollback", "deev"), "did you mean 'dev'"),
        (("smoke", "staging"), "no stage 'staging'"),
        (("logs", "--stage", "pro"), "did you mean 'prod'"),
        (("show", "main-0000000-1"), "no release"),
        (("show",), "no release yet"),
        (("gate",), "no release yet"),
        (("cancel",), "no release yet"),
        (("run", "--backend", "locl"), "no backend 'locl'"),
        (("run", "--file", "nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_a_name_that_does_not_exist_is_refused(project: Repository, words: tuple[str, ...], told: str) -> None:
    """With the nearest one that does."""
    is_refused(project.ctrain(*words), told)


def test_a_pipeline_is_checked_for_the_backend_that_is_asked_for(project: Repository) -> None:
    """What only a cluster can run is right for Azure ML: by the option, or by CTRAIN_BACKEND as in CI."""
    file = project.root / "train.yml"
    was = file.read_text()
    file.write_text(
        was.replace(
            "    code: code\n", "    code: code\n    distribution: {type: pytorch, process_count_per_instance: 2}\n"
        )
    )
    try:
        said = [project.ctrain("validate", *words) for words in ((), ("--backend", "azureml"))]
        said.append(project.ctrain("validate", CTRAIN_BACKEND="azureml"))
    finally:
        file.write_text(was)

    assert [one.code for one in said] == [2, 0, 0], said


def test_data_that_cannot_be_sampled_opens_no_release(project: Repository) -> None:
    """It is the data that is bad: no release failed."""
    (project.root / "rows.csv").write_bytes(b"id,x,label\n\xff\xfe\xfd")

    is_refused(project.ctrain("run", "--trigger", "pull_request"), "rows.csv")
    assert project.kinds() == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("id,x,label,prediction", "id,x,label,guess", "no column 'prediction'"),
        ('json.dumps([{"name": "x", "type": "double"}])', '"no json"', "signature's inputs are not JSON"),
        ('"name": "x"', '"name": "z"', "golden requests cannot be recorded"),
    ],
)
def test_evaluation_rows_that_do_not_match_are_nobodys_pass(project: Repository, old: str, new: str, told: str) -> None:
    """A person decides: exit 4, and the reason is in the record."""
    said = broken(project, "code/train.py", old, new)

    is_told(said, 4, told)
    assert told in project.ctrain("show").out


def test_a_step_that_fails_shows_its_log_once(project: Repository) -> None:
    """Its last lines, its log's path, and what Python said last in the reason. Nothing in it is a command."""
    said = broken(
        project, "code/train.py", 'print("training', 'print("##vso[x]y\\n::error::\\x1b[31m"); 1 / 0; print("'
    )

    is_told(said, 5, "steps/train/log.txt", "why        the job", "ZeroDivisionError: division by zero\n")
    assert said.err.count("1 / 0") == 1
    shown = [said.err, *(project.ctrain(*words).out for words in (("logs",), ("show",), ("show", "--json")))]
    for text in shown:
        assert "ZeroDivisionError" in text
        assert "##vso[" not in text
        assert "\x1b[31m" not in text
        assert not [line for line in text.splitlines() if line.lstrip().startswith("::")]


def test_after_a_failure_the_mended_project_runs(project: Repository) -> None:
    """The steps' names, the data, the rules: whatever it was, nothing of it is left in the way."""
    assert broken(project, "code/train.py", "print(", "raise SystemExit(").code == 5
    assert project.ctrain("run", "--trigger", "pull_request").code == 5

    (project.root / "code" / "train.py").write_text(TRAINING)

    said = project.ctrain("run", "--trigger", "pull_request")
    assert said.code == 0, said.err


def test_a_full_disk_is_told_and_leaves_nothing_half_done(project: Repository, tmp_path: Path) -> None:
    """With room again, the same command goes through."""
    home = tmp_path / "small"
    home.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(home)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here: that takes root")
    try:
        fill = home / "fill"
        fill.write_bytes(b"x" * 2_900_000)
        words = ("run", "--trigger", "pull_request")

        said = project.ctrain(*words, CTRAIN_HOME=str(home / "ctrain"))
        assert said.code in (5, 11), said.err  # the job's process meets it, or ours
        assert "No space left on device" in said.err

        fill.unlink()
        again = project.ctrain(*words, CTRAIN_HOME=str(home / "ctrain"))
        assert again.code == 0, again.err
    finally:
        subprocess.run(["umount", str(home)], check=True)


def test_an_odd_place_is_no_trouble(tmp_path: Path) -> None:
    """Blanks, quotes and umlauts in the path, no git at all, a locale without letters, called from a folder within."""
    repository = tiny(tmp_path / 'it\'s a größe "x"')
    (repository.root / "within").mkdir()
    within = Repository(repository.root / "within")
    python = str(Path(sys.executable).parent)

    said = within.ctrain("run", "--trigger", "pull_request", PATH=python, LC_ALL="C", PYTHONIOENCODING="ascii")

    is_told(said, 0, "nocommit")
    assert "no git repository" in within.ctrain("plan", PATH=python, LC_ALL="C").out


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """A tiny project that was delivered to both of its stages."""
    repository = tiny(tmp_path_factory.mktemp("served") / "tiny")
    said = repository.ctrain("run", "--trigger", "main")
    assert said.code == 0, said.err
    yield repository
    repository.down()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("global factor", 'raise RuntimeError("no such weights")', "no such weights"),
        ("return [row[0]", "return [2 * row[0]", "differ from the gate's"),
        pytest.param("return [row[0]", "import time; time.sleep(60); return [row[0]", "408", marks=pytest.mark.long),
        pytest.param(
            "return [row[0]", "os._exit(7); return [row[0]", "ended before it answered", marks=pytest.mark.long
        ),
    ],
    ids=["crashes in init", "scores wrongly", "hangs in run", "dies in run"],
)
def test_a_scoring_script_that_goes_wrong_is_taken_away(served: Repository, old: str, new: str, told: str) -> None:
    """Exit 6, the cause is shown, and both stages serve what they served."""
    broken_script = SCORING.replace(old, new, 1)
    (served.root / "scoring" / "score.py").write_text(broken_script)
    (served.root / "ctrain.yaml").write_text(CONFIGURATION.replace("scoring: {", "request_timeout_ms: 500, scoring: {"))

    said = served.ctrain("run", "--trigger", "main")

    is_told(said, 6, told, "serves what it served before", "next ")
    assert served.serving() == {"dev": 1, "prod": 1}
    assert served.champion() == 1


def test_a_port_that_somebody_took_is_told_and_given_back(served: Repository) -> None:
    """Exit 11, with the port; once it is free, `run` serves again."""
    served.git("reset", "--hard", "--quiet")
    served.down()
    local = served.ctrain("local", "status", "--json").document["local"]
    port = int(local[1]["scoring_url"].split(":")[2].split("/")[0])
    with socket.create_server(("127.0.0.1", port)):
        is_told(served.ctrain("local", "up"), 11, f"port {port}", "another program has it")
        assert "prod down" in served.ctrain("status").out

    said = served.ctrain("run", "--trigger", "main")

    is_told(said, 0, "start tiny-prod", "main-")
    assert served.ctrain("smoke", "prod").code == 0
