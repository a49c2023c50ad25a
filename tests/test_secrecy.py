"""Words of others, without what must not be told."""

from __future__ import annotations

import pytest

from ctrain.secrecy import redacted, without_secrets


@pytest.mark.parametrize(
    ("words", "secret"),
    [
        ("GET https://st.blob.core.windows.net/c/b?sv=2024&sig=abc%2Fdef failed", "abc"),
        ("https://user:token123@example.org/repo.git", "token123"),
        ("DefaultEndpointsProtocol=https;AccountKey=Zm9vYmFy==;EndpointSuffix=x", "Zm9vYmFy"),
        ("Authorization: Bearer abcdef", "abcdef"),
        ("the token eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl was refused", "eyJzdWIiOiIx"),
    ],
)
def test_what_opens_something_is_left_out(words: str, secret: str) -> None:
    """A signature, a password in an address, a key, a token; with or without a header's name before it."""
    assert secret not in without_secrets(words)


def test_the_rest_stays() -> None:
    """Where and what is still told."""
    told = without_secrets("GET https://st.blob.core.windows.net/c/b?sig=abc gave 403")

    assert told == "GET https://st.blob.core.windows.net/c/b?… gave 403"
    assert redacted("https://host/path#part") == "https://host/path"
