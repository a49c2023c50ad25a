"""What an endpoint should be, on disk."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrain.backends.local.serving.wish import Placement, Wish, check_name, read_wish, write_wish
from ctrain.errors import PlatformUnavailable, UsageError
from ctrain.serving import DeploymentSpec, Probe, ScoringCode

text = st.text(max_size=8)
placements = st.builds(
    Placement,
    spec=st.builds(
        DeploymentSpec,
        name=text,
        model=text,
        model_version=st.integers(),
        model_digest=text,
        model_uri=text,
        scoring=st.none() | st.builds(ScoringCode, text, text, st.none() | text),
        environment_variables=st.dictionaries(text, text, max_size=2),
        liveness=st.builds(Probe, period=st.floats(0, 9)),
    ),
    model=st.just(Path("/models/d1")),
    interpreter=st.just(Path("/python")),
    code=st.none() | st.just(Path("/code")),
    served=st.booleans(),
    failed=st.none() | text,
)


@given(placed=st.dictionaries(text, placements, max_size=2), port=st.none() | st.integers(1, 65535))
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, placed: dict[str, Placement], port: int | None
) -> None:
    """Any wish survives the disk unchanged."""
    file = tmp_path_factory.getbasetemp() / "wish.json"
    wish = Wish("visits", port, {"blue": 100}, {"green": 5}, placed)
    write_wish(file, wish)
    assert read_wish(file) == wish


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    """A deployment's variables may hold secrets."""
    write_wish(tmp_path / "wish.json", Wish("visits"))
    assert stat.S_IMODE((tmp_path / "wish.json").stat().st_mode) == 0o600


def test_settings_of_a_newer_version_are_read_past(tmp_path: Path) -> None:
    """An older ctrain can serve what a newer one placed."""
    spec = DeploymentSpec("blue", "m", 1, "d", "/m")
    write_wish(tmp_path / "w", Wish("visits", deployments={"blue": Placement(spec, Path("/m"), Path("/p"))}))
    raw = json.loads((tmp_path / "w").read_text())
    raw["deployments"]["blue"]["spec"]["invented_later"] = 1
    (tmp_path / "w").write_text(json.dumps(raw))
    seen = read_wish(tmp_path / "w")
    assert seen is not None
    assert seen.deployments["blue"].spec == spec


@pytest.mark.parametrize("content", ["", "{", "[]", '{"name": "visits"}', '{"name": 1, "port": 2, "deployments": 3}'])
def test_a_broken_file_is_reported_with_its_name(tmp_path: Path, content: str) -> None:
    """Never taken for an endpoint that does not exist."""
    (tmp_path / "wish.json").write_text(content)
    with pytest.raises(PlatformUnavailable, match=r"wish\.json"):
        read_wish(tmp_path / "wish.json")


@pytest.mark.parametrize("name", ["ab", "a" * 33, "1abc", "abc-", "a--b", "Abc", "a_b", "a/b", "../etc", "abc\n", ""])
def test_names_that_azure_would_refuse_are_refused(name: str) -> None:
    """3 to 32 letters, digits and single dashes, a letter first, no dash last."""
    with pytest.raises(UsageError, match="cannot be the name"):
        check_name(name, "an endpoint")


@pytest.mark.parametrize("name", ["abc", "visits-prod", "m3-a-9f", "a" * 32])
def test_names_that_azure_takes_are_taken(name: str) -> None:
    """The rule refuses no more than it says."""
    check_name(name, "an endpoint")
