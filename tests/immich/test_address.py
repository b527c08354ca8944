"""Addresses as people write them become one form, or one clear sentence."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immich_sync.core.errors import Misconfigured
from immich_sync.immich.address import normalise


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("http://nas:2283", "http://nas:2283"),
        (" http://nas:2283/ \n", "http://nas:2283"),
        ("http://nas:2283/api", "http://nas:2283"),
        ("http://nas:2283/api/", "http://nas:2283"),
        ("HTTPS://Photos.Example.org", "https://photos.example.org"),
        ("https://example.org/photos/api//", "https://example.org/photos"),
        ("https://example.org/myapi", "https://example.org/myapi"),
        ("http://[::1]:2283/", "http://[::1]:2283"),
    ],
)
def test_one_form(written: str, kept: str) -> None:
    """With or without /api and slashes, an address is kept in one form."""
    assert normalise(written) == kept


@pytest.mark.parametrize(
    "written",
    [
        "",
        "nas:2283",
        "nas",
        "ftp://nas",
        "http://",
        "http://nas:port",
        "http://nas:99999",
        "http://nas/?key=1",
        "http://nas/#x",
        "http://na s",
        "http://[::1",
    ],
)
def test_unusable(written: str) -> None:
    """What is no address of a server is refused with a sentence."""
    with pytest.raises(Misconfigured, match=r"server's address"):
        normalise(written)


def test_no_password_in_the_sentence() -> None:
    """An address with a password is refused without repeating it."""
    with pytest.raises(Misconfigured) as caught:
        normalise("http://anna:hunter2@nas")

    assert "hunter2" not in str(caught.value)


@settings(deadline=None)
@given(st.text() | st.text().map("http://".__add__) | st.text().map("https://nas/".__add__))
def test_any_text(text: str) -> None:
    """Any text is either normalised, and then stays as it is, or Misconfigured."""
    try:
        once = normalise(text)
    except Misconfigured:
        return

    assert normalise(once) == once
