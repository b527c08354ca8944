"""Each thing that may be wrong, made wrong on real disks and real sockets."""

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from immich_sync import doctor
from immich_sync.core.diagnosis import ERROR, OK, WARNING, Finding
from immich_sync.core.errors import Misconfigured
from immich_sync.core.types import Secret
from immich_sync.machine import this_machine
from immich_sync.sandbox import EarlyAnswer, Html, Status
from immich_sync.store.database import open_database
from tests.scene import VERSIONS, Household, household, photo

pytestmark = pytest.mark.anyio

UPLOADS = "/api/assets"


@pytest.fixture
async def home(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Household]:
    """A folder with a photo; nothing was synced yet."""
    version = getattr(request, "param", VERSIONS[0])
    async with household(tmp_path, version, relay=True) as made:
        made.put("a.jpg", photo(1))
        yield made


async def server(home: Household, *, largest: int = 0) -> list[Finding]:
    """What is said of the only account."""
    [account] = home.setup.accounts
    surroundings = this_machine(home.setup.limits)
    folders = list(home.setup.folders)
    return await doctor.server(account, folders, largest, home.setup, surroundings)


def told(findings: list[Finding], what: str) -> list[tuple[str, str]]:
    """How bad and what is said, of one kind."""
    return [(one.level, one.said) for one in findings if one.what == what]


@pytest.mark.parametrize("home", VERSIONS, indirect=True)
async def test_a_sound_setup_is_healthy(home: Household) -> None:
    """Every kind of thing is looked at, none is an error, and nothing is left behind."""
    found = await doctor.examine(home.setup)

    assert found.healthy
    seen = {one.what for one in found.findings}
    assert seen == {
        "configuration", "state", "folder", "watches", "server", "key", "clock", "way"
    }  # fmt: skip
    assert home.sandbox.assets() == []
    assert home.sandbox.stray_files() == []
    assert len(home.sandbox.requests) <= 8
    assert not (home.home / "state").exists()


async def test_a_missing_permission_is_an_error(home: Household) -> None:
    """By the features in use: an album needs more than an upload."""
    key = home.sandbox.add_key("asset.upload")
    [account] = home.setup.accounts
    home.setup = replace(home.setup, accounts=(replace(account, api_key=Secret(key)),))
    plain = await server(home)
    home.configure(album="{parent}")
    wanting = await server(home)

    assert [level for level, _ in told(plain, "key")] == [OK]
    [(level, said)] = told(wanting, "key")
    assert level == ERROR
    assert "album.read, album.create, albumAsset.create" in said


async def test_a_refused_key_is_an_error(home: Household) -> None:
    """The server's words are passed on, the key is not."""
    [account] = home.setup.accounts
    wrong = replace(account, api_key=Secret("a-wrong-key-0123456789"))
    home.setup = replace(home.setup, accounts=(wrong,))

    found = await server(home)

    level, said = told(found, "server")[-1]
    assert (level, "401" in said, "a-wrong-key" in said) == (ERROR, True, False)


async def test_a_redirect_is_an_error(home: Household) -> None:
    """Whatever is asked first meets it."""
    home.sandbox.faults.add(Status(301))

    [(level, said)] = told(await server(home), "server")

    assert level == ERROR
    assert "redirects" in said


async def test_a_login_page_is_an_error(home: Household) -> None:
    """200 with HTML is no answer."""
    home.sandbox.faults.add(Html())

    [(level, said)] = told(await server(home), "server")

    assert (level, "instead of JSON" in said) == (ERROR, True)


async def test_a_server_that_is_away_is_an_error(home: Household) -> None:
    """Said of its account, beside all that can be told without it."""
    await home.sandbox.relay.refuse()

    found = await doctor.examine(home.setup)

    assert not found.healthy
    errors = [(one.what, one.subject) for one in found.findings if one.level == ERROR]
    assert errors == [("server", "default")]


@pytest.mark.parametrize(
    ("refusals", "largest", "level", "said"),
    [
        (0, 0, OK, "uploads of 1.0 GB"),
        (1, 10, WARNING, "refuses uploads of 1.0 GB; 99 MB pass"),
        (1, 500_000_000, ERROR, "refuses uploads of 1.0 GB; 99 MB pass"),
        (3, 10, WARNING, "refuses uploads of 9.0 MB; 2.0 MB pass"),
    ],
)
async def test_a_limit_on_the_way_is_found(
    home: Household, refusals: int, largest: int, level: str, said: str
) -> None:
    """By announcing ever smaller uploads; it is an error if a file is larger than what passes."""
    if refusals:
        home.sandbox.faults.add(
            EarlyAnswer(413), method="POST", path=UPLOADS, exact=True, times=refusals
        )

    [(how_bad, words)] = told(await server(home, largest=largest), "way")

    assert how_bad == level
    assert said in words


async def test_a_directory_that_cannot_be_listed_is_an_error(home: Household) -> None:
    """Its path is too long for anyone, even root."""
    here = os.open(home.photos, os.O_RDONLY)
    for _ in range(18):
        os.mkdir("d" * 240, dir_fd=here)
        below = os.open("d" * 240, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)

    contents = doctor.look_through(home.setup.folders[0])

    assert contents.files == 1
    assert len(contents.unlisted) == 1
    assert "cannot be listed" in contents.unlisted[0]


def test_a_state_that_others_may_read_is_told(tmp_path: Path) -> None:
    """With the command that mends it."""
    tmp_path.chmod(0o755)

    [found] = [one for one in doctor.state(tmp_path) if "Others may look" in one.said]

    assert (found.level, found.remedy) == (WARNING, f"chmod 700 {tmp_path}")


def test_a_damaged_state_is_an_error(tmp_path: Path) -> None:
    """What cannot be opened is said to be so."""
    tmp_path.chmod(0o700)
    open_database(tmp_path / "state.db").close()
    sound = [one.level for one in doctor.state(tmp_path)]
    (tmp_path / "state.db").write_bytes(b"this is no database" * 100)

    found = doctor.state(tmp_path)

    assert ERROR not in sound
    assert [one.level for one in found if "damaged" in one.said] == [ERROR]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A state folder on a file system of one megabyte."""
    place = tmp_path / "small"
    place.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "none", place], check=True)  # noqa: S603, S607 - our own
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)  # noqa: S603, S607 - likewise


@pytest.mark.root
def test_a_small_state_in_memory_is_told(small: Path) -> None:
    """That it is forgotten, and that it has no room; the folder need not be there yet."""
    found = doctor.state(small / "not-yet")

    assert [one.level for one in found] == [WARNING, ERROR]
    assert "in memory" in found[0].said
    assert "1.0 MB are free" in found[1].said


@pytest.mark.root
def test_a_read_only_state_is_an_error(small: Path) -> None:
    """Nothing could be learnt."""
    subprocess.run(["mount", "-o", "remount,ro", small], check=True)  # noqa: S603, S607 - our own

    assert "It cannot be written to." in [one.said for one in doctor.state(small)]


def test_few_watches_are_told() -> None:
    """Against this very kernel's limit."""
    found = [one.level for one in doctor.limits(1 << 40, 1)]

    assert found == [ERROR]
    assert list(doctor.limits(0, 0)) == []


def test_a_wrong_configuration_is_a_finding() -> None:
    """Its own sentence, and nothing else can be said."""
    found = doctor.misconfigured(Misconfigured("config.toml: 'sever' is not a key."))

    assert not found.healthy
    assert [one.said for one in found.findings] == ["config.toml: 'sever' is not a key."]


@pytest.mark.parametrize(
    ("free", "level", "said"),
    [
        (10_000_000_000, OK, "has 10 GB left"),
        (1, ERROR, "less than min_server_free (2.0 GB)"),
        (-5, ERROR, "has 0 B left"),
    ],
)
async def test_the_servers_room_is_told(home: Household, free: int, level: str, said: str) -> None:
    """Where less is left than is wanted, uploads pause, and that is an error."""
    [account] = home.setup.accounts
    home.setup = replace(home.setup, accounts=(replace(account, min_server_free=2_000_000_000),))
    home.sandbox.state.free = free

    [found] = [one for one in await server(home) if "left" in one.said]

    assert (found.level, said in found.said) == (level, True)


async def test_a_key_that_may_not_ask_for_room_is_a_warning(home: Household) -> None:
    """Nothing pauses for it, and how to mend it is said."""
    [account] = home.setup.accounts
    few = Secret(home.sandbox.add_key("asset.upload"))
    account = replace(account, min_server_free=1, api_key=few)
    home.setup = replace(home.setup, accounts=(account,))

    [found] = [one for one in await server(home) if "how much room" in one.said]

    assert (found.level, "server.storage" in found.remedy) == (WARNING, True)


@pytest.mark.parametrize(("mode", "level"), [(0o600, OK), (0o640, OK), (0o644, WARNING)])
async def test_a_key_for_all_to_read_is_a_warning(
    home: Household, tmp_path: Path, mode: int, level: str
) -> None:
    """A group may be meant to read it, everybody is not."""
    [account] = home.setup.accounts
    file = tmp_path / "key"
    file.write_text(home.sandbox.api_key)
    file.chmod(mode)
    account = replace(account, key_file=str(file))
    home.setup = replace(home.setup, accounts=(account,))

    found = next(one for one in await server(home) if str(file) in one.said)

    assert (found.what, found.level) == ("key", level)
    assert found.remedy == ("" if level is OK else f"chmod 600 {file}")
