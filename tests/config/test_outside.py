"""Who may ask how it is, and who is told."""

from collections.abc import Callable
from math import inf
from pathlib import Path

import pytest

from immich_sync.config import load, resolve
from immich_sync.core.errors import Misconfigured
from immich_sync.core.folder import Health, Notify, Setup
from immich_sync.core.types import Secret

WRITE = Callable[[str], Path]
START = """
[server]
url = "http://nas:2283"
api_key_file = "{tmp}/key"
[[folders]]
path = "{tmp}/photos"
"""


def resolved(write: WRITE, text: str) -> Setup:
    """The setup with these tables besides."""
    return resolve(load(write(START + text)))


@pytest.mark.parametrize(
    ("listen", "found"),
    [
        ('"127.0.0.1:9283"', Health("127.0.0.1", 9283)),
        ('"localhost:1"', Health("localhost", 1)),
        ('"9283"', Health("127.0.0.1", 9283)),
        ("9283", Health("127.0.0.1", 9283)),
        ('"[::1]:9283"', Health("::1", 9283)),
        ('"0.0.0.0:80"', Health("0.0.0.0", 80)),  # noqa: S104 - said explicitly
        ('""', None),
    ],
)
def test_where_it_listens(listen: str, found: Health | None, write: WRITE) -> None:
    """An address and a port; a port alone is one of the loopback; nothing is nowhere."""
    assert resolved(write, f"[health]\nlisten = {listen}\n").health == found


def test_nothing_listens_and_nobody_is_told_unless_it_is_said(write: WRITE) -> None:
    """Both are off by default."""
    setup = resolved(write, "")

    assert (setup.health, setup.notify) == (None, Notify())
    assert setup.folders[0].expect_new == inf


def test_the_environment_says_where(write: WRITE, environment: pytest.MonkeyPatch) -> None:
    """IMMICH_SYNC_HEALTH__LISTEN and __HOSTS."""
    environment.setenv("IMMICH_SYNC_HEALTH__LISTEN", "127.0.0.1:7")
    environment.setenv("IMMICH_SYNC_HEALTH__HOSTS", "nas, Sync.lan")

    assert resolved(write, "").health == Health("127.0.0.1", 7, ("nas", "sync.lan"))


@pytest.mark.parametrize("listen", ["nas:9283", "127.0.0.1", "127.0.0.1:70000", "x", "1.2.3:4"])
def test_no_address(listen: str, write: WRITE) -> None:
    """A name that would have to be looked up, a port that is none."""
    with pytest.raises(Misconfigured, match=r"\[health\], listen: .* not an address to listen at"):
        resolved(write, f'[health]\nlisten = "{listen}"\n')


def test_addresses_come_from_files(write: WRITE, tmp_path: Path) -> None:
    """Whatever may be secret is a secret, and shows itself in no repr."""
    (tmp_path / "hook").write_text("https://example.org/hook?token=abc\n")
    (tmp_path / "urls").write_text("# mine\nntfy://topic\n\nmailto://me:pw@example.org\n")
    setup = resolved(
        write,
        '[notify]\nwebhook_url_file = "{tmp}/hook"\napprise_urls_file = "{tmp}/urls"\n'
        'remind_after = "never"\nafter = "1m"\nstuck_after = "2h"\n',
    )

    assert setup.notify == Notify(
        Secret("https://example.org/hook?token=abc"),
        (Secret("ntfy://topic"), Secret("mailto://me:pw@example.org")),
        60.0,
        7200.0,
        inf,
    )
    assert "token" not in repr(setup)
    assert len(setup.secrets) == 4


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ('webhook_url_file = "{tmp}/f"', "s3cr3t"),
        ('webhook_url_file = "{tmp}/f"', ""),
        ('webhook_url_file = "{tmp}/f"', "http://s3cr3t\nhttp://b"),
        ('webhook_url = "ftp://s3cr3t"', ""),
        ('apprise_urls_file = "{tmp}/f"', "s3cr3t"),
        ('apprise_urls_file = "{tmp}/none"', ""),
    ],
)
def test_what_is_no_address_is_told_without_saying_it(
    text: str, content: str, write: WRITE, tmp_path: Path
) -> None:
    """The sentence names the key, and not what is written there."""
    (tmp_path / "f").write_text(content)

    with pytest.raises(Misconfigured, match=r"\[notify\], \w+: ") as caught:
        resolved(write, f"[notify]\n{text}\n")
    assert "s3cr3t" not in str(caught.value)


def test_how_long_without_a_new_photo(write: WRITE) -> None:
    """For each folder; one may be silent for ever although the others are not."""
    setup = resolved(write, 'expect_new = "never"\n[defaults]\nexpect_new = "7d"\n')

    assert setup.folders[0].expect_new == inf
    setup = resolved(write, '[defaults]\nexpect_new = "7d"\n')
    assert setup.folders[0].expect_new == 7 * 86400
