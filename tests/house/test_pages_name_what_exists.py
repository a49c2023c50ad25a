"""The pages name no verb and no option that `ctrain` does not have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from ctrain.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "pipelines" / "README.md"]
CALL = re.compile(r"(?:^|[\s`(/])ctrain ((?:local |rollout )?[a-z]+)((?: +[^`\n|#)]*)?)", re.MULTILINE)
VERBS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def options(verb: str) -> set[str]:
    """The options of a verb, short ones too."""
    group, _, inner = verb.partition(" ")
    command = VERBS[group].commands[inner] if inner else VERBS[group]
    return {name for parameter in command.params for name in parameter.opts} | {"--help"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_call_on_a_page_can_be_made(page: Path) -> None:
    """In code and in code spans: the verb exists, and so do the options it is called with."""
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", page.read_text(), re.DOTALL))
    for verb, rest in CALL.findall(re.sub(r"#.*", "", code)):
        assert verb.partition(" ")[0] in VERBS, f"{page.name} calls `ctrain {verb}`, which there is not"
        named = {word.split("=")[0] for word in rest.split() if word.startswith("--")}
        assert named <= options(verb), f"{page.name} calls `ctrain {verb}` with {named - options(verb)}"
