"""The product does not know that it is tested: no mode, hook or switch for tests in what we ship."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SOURCES = sorted((Path(__file__).parents[2] / "src").rglob("*.py"))

FORBIDDEN = {
    "tests": r"^\s*(from|import) tests\b",
    "the loopback Azure": r"(?i)loopback.?azure|\bazurite\b",
    "a test runner": r"(?i)PYTEST_CURRENT_TEST|\bimport pytest\b|sys\.modules.*pytest",
    "a mode for tests": r"(?i)\b(CTRAIN_TEST\w*|test_mode|under_test|is_testing)\b",
    "a way around TLS": r"(?i)verify\s*=\s*False|connection_verify|CERT_NONE|check_hostname|_create_unverified_context"
    r"|PYTHONHTTPSVERIFY|enforce_https\s*=\s*False|disable_warnings|ssl\s*=\s*False",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_product_names_nothing_of(what: str) -> None:
    """The loopback Azure is reached by the network alone: proxy, authority and host names."""
    found = [
        f"{file.name}:{number}: {line.strip()}"
        for file in SOURCES
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(FORBIDDEN[what], line)
    ]

    assert not found
