"""docs/azure-ml.md says what the code does."""

from __future__ import annotations

from pathlib import Path

from ctrain.backends.azureml.cloud import CLOUDS, REDIRECTS
from ctrain.backends.azureml.examination.access import serving_actions, training_actions
from ctrain.backends.azureml.failures import ENTRA
from ctrain.backends.azureml.sign_in import NEEDS, SETTING, SIGNS, Way

PAGE = (Path(__file__).parents[3] / "docs" / "azure-ml.md").read_text()


def test_every_action_that_is_asked_for_is_on_the_page() -> None:
    """And no other in a workspace: a role made from it is enough, and not more."""
    modes = [action for mode in ("key", "aml_token", "aad_token") for action in serving_actions(mode)]
    wanted = {*training_actions(), *modes}
    written = {word.strip("`|") for word in PAGE.split() if "MachineLearningServices/workspaces/" in word}
    assert written == wanted


def test_every_variable_way_and_cloud_is_on_the_page() -> None:
    """What may be set, and what must not be."""
    names = {name for needs in NEEDS.values() for need in needs.values() for name in need.names}
    signs = {name for names in SIGNS.values() for name in names}
    for word in {SETTING, *names, *signs, *Way, *CLOUDS, *REDIRECTS}:
        assert f"`{word}`" in PAGE or f"{word}=" in PAGE, word


def test_most_of_entras_codes_are_on_the_page() -> None:
    """Those that one meets when setting up a CI."""
    assert {code for code in ENTRA if code not in PAGE} == {"AADSTS700082", "AADSTS50076", "AADSTS50173"}
