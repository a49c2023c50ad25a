"""`ctrain init`: look, ask a little, show what would be written, and write it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from os.path import relpath
from pathlib import Path

import typer

from ctrain import __version__
from ctrain.cli.git import read_checkout
from ctrain.cli.neutral import neutral
from ctrain.cli.terminal import give, say
from ctrain.errors import CtrainError, ExitCode, UsageError
from ctrain.starter import shelf
from ctrain.starter.changes import Change, Fate, compare, copied, ignored, write
from ctrain.starter.choices import Ask, Asked, choose
from ctrain.starter.ci_text import Setting, azure_blocks, azure_devops, github, github_blocks, lock
from ctrain.starter.mark import written
from ctrain.starter.origin import source_of
from ctrain.starter.project_text import project_text
from ctrain.starter.survey import Host, Surroundings, look

_GITHUB = (".github/workflows/training.yml", ".github/workflows/ctrain-training.yml")
_AZURE = ("azure-pipelines.yml", "azure-pipelines-ctrain.yml")


@dataclass(frozen=True)
class Wishes:
    """The flags of `ctrain init` that are not about ctrain.yaml."""

    ci: tuple[str, ...] = ()
    blocks: str = ""
    backend: str = ""
    dry_run: bool = False
    yes: bool = False


def init(folder: Path, asked: Asked, wishes: Wishes) -> int:
    """Write what is missing for the pipeline that is there; nothing, where the person leaves a question open."""
    try:
        return _init(folder, asked, wishes)
    except typer.Abort:
        say()
        say("nothing was written", bold=True)
        return ExitCode.DONE


def _init(folder: Path, asked: Asked, wishes: Wishes) -> int:
    folder = _folder(folder)
    checkout = read_checkout(folder)
    ask = _asker(wishes)
    there = look(folder, root=checkout.top, branch=checkout.branch, remote=checkout.remote)
    changes = list(_changes(there, asked, wishes, ask))
    if not _agreed(changes, there.root, wishes):
        return ExitCode.DONE
    write(changes)
    _tell_next(changes, there, wishes)
    return ExitCode.DONE


def example(folder: Path, wishes: Wishes) -> int:
    """Bring the reference project into an empty folder."""
    folder = _folder(folder)
    files = {folder / name: content for name, content in shelf.example().items()}
    changes = [*copied(files), ignored(folder / ".gitignore", ".ctrain/")]
    other = [change for change in changes if change.fate is Fate.KEPT]
    if other:
        raise UsageError(
            f"the reference project cannot be brought to {folder}",
            why=f"{other[0].file.name} is there already, and is another one",
            hint="name an empty folder: ctrain init --example FOLDER",
        )
    if not _agreed(changes, folder, replace(wishes, yes=True), whole=False):
        return ExitCode.DONE
    write(changes)
    where = "" if folder == Path.cwd() else f"cd {relpath(folder)} && "
    say(f"the reference project is in {folder}", bold=True)
    say(f"  next       {where}ctrain run")
    return ExitCode.DONE


def _folder(folder: Path) -> Path:
    folder = folder.absolute()
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is no folder", why="there is a file of that name", hint="name a folder")
    return folder.resolve()


def _changes(there: Surroundings, asked: Asked, wishes: Wishes, ask: Ask) -> Iterator[Change]:
    file = there.folder / "ctrain.yaml"
    hosts = _hosts(there, wishes, ask)
    if file.exists():
        setting = _setting_of(file, there, wishes)
        content = file.read_bytes()
        yield Change(file, Fate.KEPT, content, content, "it is yours to change")
    else:
        chosen = choose(there, asked, ask)
        yield from compare({file: project_text(chosen)}, __version__)
        setting = _setting(chosen.name, chosen.stages, there, wishes, branch=chosen.branch)
    yield ignored(there.folder / ".gitignore", ".ctrain/")
    files: dict[Path, str] = {}
    if Host.GITHUB in hosts:
        own = _own(there.root, _GITHUB)
        at = replace(setting, blocks=wishes.blocks or _blocks_of(own))
        files[own] = github(at)
        files |= {} if at.blocks else {there.root / name: text for name, text in github_blocks().items()}
    if Host.AZURE_DEVOPS in hosts:
        own = _own(there.root, _AZURE)
        at = replace(setting, blocks=wishes.blocks or _blocks_of(own))
        files[own] = azure_devops(at)
        files |= {} if at.blocks else {there.root / name: text for name, text in azure_blocks().items()}
    if hosts and not setting.requirements:
        files[there.root / "requirements" / "ctrain.txt"] = lock()
    yield from compare(files, __version__)


def _setting_of(file: Path, there: Surroundings, wishes: Wishes) -> Setting:
    """As the project file says, which is there."""
    from ctrain.project import load_project

    project = load_project(file)
    stages = tuple(stage.name for stage in project.stages)
    return _setting(project.name, stages, there, wishes, branch=project.branch)


def _setting(name: str, stages: tuple[str, ...], there: Surroundings, wishes: Wishes, *, branch: str) -> Setting:
    backend = wishes.backend or "azureml"
    if backend not in ("local", "azureml"):
        raise UsageError(
            f"there is no backend {backend!r}", why="there are local and azureml", hint="choose one of them"
        )
    return Setting(
        project=name,
        file=Path(relpath(there.folder / "ctrain.yaml", there.root)).as_posix(),
        branch=branch,
        stages=stages,
        backend="azureml" if backend == "azureml" else "local",
        blocks=wishes.blocks,
        source="" if _lock_of(there.root) else source_of("ctrain"),
        version=__version__,
        requirements=_lock_of(there.root),
    )


def _hosts(there: Surroundings, wishes: Wishes, ask: Ask) -> set[Host]:
    """Whose CI files are wanted: what was said, what is there already, where the repository is, or a question."""
    names = [*Host, "none"]
    for name in wishes.ci:
        if name not in names:
            raise UsageError(f"there is no CI {name!r} here", why=f"there are {', '.join(names)}", hint="choose one")
    if wishes.ci:
        return {Host(name) for name in wishes.ci if name != "none"}
    known = {
        host
        for host, places in ((Host.GITHUB, _GITHUB), (Host.AZURE_DEVOPS, _AZURE))
        if any(_is_ours(there.root / name) for name in places)
    }
    if known or not there.repository:
        return known
    if there.host:
        return {there.host}
    answer = ask("Which CI runs it?", names, names[0])
    return {Host(answer)} if answer and answer != "none" else set()


def _own(root: Path, names: Sequence[str]) -> Path:
    """Where the user's own CI file goes: the first place that is ours already, else the first that is free."""
    files = [root / name for name in names]
    ours = [file for file in files if _is_ours(file)]
    free = [file for file in files if not file.exists()]
    return (ours or free or files)[0]


def _is_ours(file: Path) -> bool:
    return file.is_file() and written(file.read_text(encoding="utf-8", errors="replace"))


def _blocks_of(file: Path) -> str:
    """Which building blocks a file of ours already calls, so that writing it anew calls the same."""
    import re

    text = file.read_text(encoding="utf-8", errors="replace") if _is_ours(file) else ""
    found = re.search(r"uses: (\S+)/\.github/workflows/ctrain\.yml@([0-9a-f]{40})", text)
    found = found or re.search(r"type: github, name: (\S+), ref: .*\n.* has to be ([0-9a-f]{40})", text)
    return f"{found[1]}@{found[2]}" if found and found[1] != "$" else ""


def _lock_of(root: Path) -> str:
    """The repository's own lock, where ctrain is in it."""
    file = root / "uv.lock"
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    return "uv.lock" if 'name = "ctrain"\n' in text else ""


def _agreed(changes: Sequence[Change], root: Path, wishes: Wishes, *, whole: bool = True) -> bool:
    """Show what would be written; whether to write it."""
    todo = [change for change in changes if change.writes]
    for change in todo:
        if whole and (wishes.dry_run or _person_is_here(wishes)) and not _is_block(change, root):
            give(change.diff(root).rstrip("\n"))
    for change in changes:
        name = relpath(change.file, root)
        say(f"  {change.fate.value:<9} {name}" + (f": {change.why}" if change.why else ""))
    if not todo:
        say("nothing to do: all of it is there", bold=True)
        return False
    if wishes.dry_run:
        say("nothing was written: this was --dry-run", bold=True)
        return False
    return not _person_is_here(wishes) or typer.confirm("Write this?", default=True, err=True)


def _is_block(change: Change, root: Path) -> bool:
    """A file of hundreds of lines that a user neither reads nor changes: it is named, and not shown."""
    name = Path(relpath(change.file, root)).as_posix()
    blocks = {*shelf.GITHUB.values(), *shelf.AZURE.values(), "requirements/ctrain.txt"}
    return change.fate is Fate.NEW and name in blocks


def _person_is_here(wishes: Wishes) -> bool:
    return not wishes.yes and sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def _asker(wishes: Wishes) -> Ask:
    def ask(question: str, choices: Sequence[str], proposed: str) -> str | None:
        if not _person_is_here(wishes):
            return None
        shown = f"{question} ({', '.join(choices)})" if choices else question
        while True:
            answer = str(typer.prompt(neutral(shown), default=proposed, err=True)).strip()
            if not choices or answer in choices:
                return answer
            say(f"{answer!r} is none of them")

    return ask


def _tell_next(changes: Sequence[Change], there: Surroundings, wishes: Wishes) -> None:
    file = there.folder / "ctrain.yaml"
    for problem in _problems(file):
        say(problem)
    guesses = [line for line in file.read_text(encoding="utf-8").splitlines() if "could not know" in line]
    if guesses:
        say(f"guesses in ctrain.yaml, each with a comment: {len(guesses)}", bold=True)
        for line in guesses:
            say(f"  {line.partition(' #')[0].strip()}")
    if not there.repository:
        say("this is no git repository yet: git init, and a release will know its commit")
    say("next: ctrain validate, then ctrain run" if not guesses else "next: correct them, then ctrain validate")
    if any("requirements" in change.file.parts and change.writes for change in changes):
        _tell_of_ci(wishes)


def _tell_of_ci(wishes: Wishes) -> None:
    if wishes.backend == "local":
        say("the CI: runners of your own that share one CTRAIN_HOME, as its jobs go on with what an earlier one did")
    else:
        say("the CI: fill in backends.azureml; docs/ci.md of ctrain says how to sign in to Azure, and how to approve")
    if not source_of("ctrain"):
        say("the CI installs what requirements/ctrain.txt pins: all that ctrain needs. Add ctrain itself, by hash:")
        say(f"  echo ctrain=={__version__} | uv pip compile - --universal --generate-hashes -o requirements/ctrain.txt")


def _problems(file: Path) -> Iterator[str]:
    """What `ctrain validate` would say."""
    from ctrain.flow.prepare import check_pipeline
    from ctrain.project import load_project

    try:
        check_pipeline(load_project(file), any_job=True)
    except CtrainError as error:
        yield f"not complete yet: {error}"
