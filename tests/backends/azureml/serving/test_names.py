"""Names: what Azure refuses is refused before Azure is asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrain.backends.azureml.serving.names import check_name
from ctrain.errors import UsageError
from tests.azure.routing import Refused
from tests.azure.serving.rules import check_name as as_azure_does


@pytest.mark.parametrize(
    "name", ["", "ab", "Visits", "1visits", "-visits", "visits-", "vis--its", "v" * 33, "vis_its", "vísits", "a b c"]
)
def test_a_name_that_azure_refuses_is_refused(name: str) -> None:
    """Upper case too: Azure compares without case, so that two names could be one."""
    with pytest.raises(UsageError, match="3 to 32 letters, digits and single dashes"):
        check_name(name, "an endpoint")


@given(st.text(st.sampled_from("abz019-_A."), max_size=34))
def test_what_passes_here_passes_there(name: str) -> None:
    """Whatever it is: Azure has no second word on a name."""
    try:
        check_name(name, "a deployment")
    except UsageError:
        return
    try:
        as_azure_does(name, "deployment")
    except Refused as refused:
        raise AssertionError(f"{name!r}: {refused.message}") from None
