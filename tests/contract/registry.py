"""What every Registry promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctrain.digest import tree_digest
from ctrain.errors import CtrainError
from ctrain.ports import Registry
from ctrain.rollout import Stage
from tests.builders import a_lineage


def a_model(folder: Path, weights: str = "1 2 3") -> Path:
    """A model that is not MLflow's: a folder with a file."""
    folder.mkdir()
    (folder / "weights.txt").write_text(weights)
    return folder


class RegistryContract:
    """Bind it with a fixture `registry`."""

    def test_an_unknown_model_has_no_versions_and_no_champion(self, registry: Registry) -> None:
        """Absence is empty, not an error."""
        assert list(registry.versions("visits")) == []
        assert registry.champion("visits") is None

    def test_a_version_keeps_its_digest_and_its_lineage(self, registry: Registry, tmp_path: Path) -> None:
        """What was registered is what is read."""
        files = a_model(tmp_path / "m")
        made = registry.register("visits", files, tree_digest(files), a_lineage())

        (read,) = registry.versions("visits")
        assert read == made
        assert (read.version, read.digest, read.lineage) == (1, tree_digest(files), a_lineage())

    def test_versions_sort_as_numbers(self, registry: Registry, tmp_path: Path) -> None:
        """The tenth comes after the ninth."""
        for number in range(1, 12):
            files = a_model(tmp_path / f"m{number}", str(number))
            registry.register("visits", files, tree_digest(files), a_lineage())

        assert [version.version for version in registry.versions("visits")] == list(range(1, 12))

    def test_the_same_files_again_are_the_same_version(self, registry: Registry, tmp_path: Path) -> None:
        """Idempotent by digest, wherever the files are."""
        one, two = a_model(tmp_path / "one"), a_model(tmp_path / "two")
        first = registry.register("visits", one, tree_digest(one), a_lineage())

        assert registry.register("visits", two, tree_digest(two), a_lineage(release="later")) == first
        assert len(registry.versions("visits")) == 1

    def test_a_version_is_promoted_once(self, registry: Registry, tmp_path: Path) -> None:
        """Where a stage finds it is one place, however often it is brought there."""
        files = a_model(tmp_path / "m")
        made = registry.register("visits", files, tree_digest(files), a_lineage())
        stage = Stage("prod", "visits-prod")

        assert registry.promote(made, stage) == registry.promote(made, stage) != ""

    def test_files_that_are_not_those_of_the_digest_are_refused(self, registry: Registry, tmp_path: Path) -> None:
        """What was judged is what is registered."""
        with pytest.raises(CtrainError):
            registry.register("visits", a_model(tmp_path / "m"), "0" * 64, a_lineage())
        assert list(registry.versions("visits")) == []

    def test_the_champion_is_the_version_that_was_crowned_last(self, registry: Registry, tmp_path: Path) -> None:
        """One pointer, which can move back."""
        one, two = a_model(tmp_path / "one", "1"), a_model(tmp_path / "two", "2")
        first = registry.register("visits", one, tree_digest(one), a_lineage())
        second = registry.register("visits", two, tree_digest(two), a_lineage())

        registry.crown(second)
        registry.crown(first)
        registry.crown(first)

        assert registry.champion("visits") == first
