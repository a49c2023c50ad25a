"""What a command loads before it does anything: felt at every keystroke and in every CI step."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "azure", "mlflow", "pandas", "polars", "numpy", "scipy", "pyarrow", "sklearn",
    "pydantic", "pydantic_core", "rich", "httpx", "aiohttp", "yaml", "sqlite3",
}  # fmt: skip
EXAMPLE = Path(__file__).parents[2] / "docs" / "ctrain.example.yaml"


def _loads(code: str) -> set[str]:
    """The top-level packages that a fresh interpreter has after running the code."""
    asked = f"{code}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    ran = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    return set(ran.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "code",
    [
        "import ctrain.cli",
        "import ctrain.cli.app",
        "import ctrain.project",
        "import ctrain.gate",
        "import ctrain.flow.deliver",
        "import ctrain.backends",
    ],
)
def test_importing_loads_nothing_heavy(code: str) -> None:
    """Counted in modules, not in seconds, so that it holds on any machine."""
    assert not _loads(code) & HEAVY


def test_help_loads_nothing_heavy() -> None:
    """`ctrain --help` may use what draws the help, and nothing else."""
    code = (
        "import sys; sys.argv = ['ctrain', '--help']\nfrom ctrain.cli import main\ntry: main()\nexcept SystemExit: pass"
    )

    assert not _loads(code) & (HEAVY - {"rich"})


def test_help_loads_no_project_and_no_flow() -> None:
    """Help knows the verbs' words; what they do is imported when they are called."""
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ctrain", "--help"], capture_output=True, text=True, check=True
    )

    ours = {line.split("|")[-1].strip() for line in ran.stderr.splitlines() if "ctrain." in line}
    assert ours <= {
        "ctrain.errors",
        "ctrain.cli",
        "ctrain.cli.app",
        "ctrain.cli.init_command",
        "ctrain.cli.interrupt",
        "ctrain.cli.neutral",
        "ctrain.cli.options",
        "ctrain.cli.rollout",
        "ctrain.cli.terminal",
        "ctrain.verdict",
    }


def test_reading_the_project_loads_yaml_and_a_validator_only() -> None:
    """pydantic's core reads the types; pydantic itself would cost three times as much."""
    code = f"from pathlib import Path\nfrom ctrain.project import load_project\nload_project(Path({str(EXAMPLE)!r}))"

    assert _loads(code) & HEAVY == {"yaml", "pydantic_core"}
