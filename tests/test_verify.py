"""Whether every photo is in Immich: each kind of gap is found, and what is none is none."""

import hashlib
import os
import re
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from immich_sync.core.errors import Refused, Unreachable
from immich_sync.core.media import compile_ignore
from immich_sync.core.types import Checksum, File, Hold, Secret
from immich_sync.core.verification import Verification
from immich_sync.filesystem.disk import LocalDisk
from immich_sync.sandbox import Status
from immich_sync.store import ledger, mend
from immich_sync.store.database import open_database, open_read_only
from immich_sync.verifying import verify
from tests.scene import VERSIONS, Household, household, photo

pytestmark = pytest.mark.anyio

HASHED = "/api/assets/bulk-upload-check"


BOTH = pytest.mark.parametrize("home", VERSIONS, indirect=True)


@pytest.fixture
async def home(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Household]:
    """Four photos that were synced, one of them in a directory."""
    async with household(tmp_path, getattr(request, "param", VERSIONS[0])) as made:
        for number in range(3):
            made.put(f"{number}.jpg", photo(number))
        made.put("trip/3.jpg", photo(3))
        assert await made.sync() == 0
        yield made


@pytest.fixture
async def new(tmp_path: Path) -> AsyncIterator[Household]:
    """A household of which nothing is known yet."""
    async with household(tmp_path) as made:
        yield made


def gaps(found: Verification) -> list[tuple[str, str]]:
    """What is wrong with which name."""
    assert found.complete == (not found.gaps)
    return [(gap.what, os.path.basename(gap.path)) for gap in found.gaps]  # noqa: PTH119 -- text


def flip(path: Path) -> None:
    """One bit of the file is another one; its size, inode and modification time are not."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[9] ^= 1
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@BOTH
async def test_all_is_in_immich(home: Household) -> None:
    """Yes, by the ledger's checksums and the server's word: nothing is read."""
    before = len(home.sandbox.requests)

    found = await verify(home.setup)

    [folder] = found.folders
    assert gaps(found) == []
    assert (folder.files, folder.safe, folder.hashed) == (4, 4, 0)
    assert folder.bytes == 4 * len(photo(0))
    asked = [one.path for one in home.sandbox.requests[before:]]
    assert asked.count(HASHED) == 1


async def test_with_rehash_everything_is_read(home: Household) -> None:
    """Yes again, by the bytes."""
    found = await verify(home.setup, rehash=True)

    assert gaps(found) == []
    assert (found.folders[0].safe, found.folders[0].hashed) == (4, 4)


@BOTH
async def test_what_was_deleted_there_is_missing(home: Household) -> None:
    """Nobody saw a person do it: it is missing, with a way to bring it back."""
    await home.throw_away(["1.jpg"], for_good=True)

    found = await verify(home.setup)

    assert gaps(found) == [("missing", "1.jpg")]
    assert re.match(r"It was verified on \d{4}-\d\d-\d\d, and the server", found.gaps[0].note)
    assert (found.folders[0].safe, found.folders[0].missing) == (3, 1)


async def test_an_empty_server_in_its_place_is_named(home: Household, tmp_path: Path) -> None:
    """What another user's Immich had was uploaded once, and the word for it is not: not yet."""
    (tmp_path / "other").mkdir()
    async with household(tmp_path / "other") as other:
        [account], [theirs] = home.setup.accounts, other.setup.accounts
        setup = replace(
            home.setup, accounts=(replace(account, url=theirs.url, api_key=theirs.api_key),)
        )
        found = await verify(setup)

    assert {gap.what for gap in found.gaps} == {"missing"}
    assert "another user's, or on another server" in found.gaps[0].note


@BOTH
async def test_the_trash_is_settled(home: Household) -> None:
    """What lies in Immich's trash is counted apart and is no gap."""
    await home.throw_away(["1.jpg"], for_good=False)

    found = await verify(home.setup)

    assert gaps(found) == []
    assert (found.folders[0].safe, found.folders[0].trashed) == (3, 1)


async def test_what_a_person_removed_is_settled(home: Household) -> None:
    """The daemon saw it in the trash, then it was emptied: no gap any more."""
    await home.throw_away(["1.jpg"], for_good=False)
    (home.photos / "1.jpg").chmod(0o600)  # its ctime moves: it is looked at again
    with closing(open_database(home.home / "state" / "state.db")) as database:
        known = ledger.file(database, home.place("1.jpg"))
        assert known is not None
        assert known.checksum is not None
        asset = next(
            one
            for account in (1, 2)
            if (one := ledger.asset(database, account, known.checksum))  # type: ignore[arg-type] # a row's number
        )
        ledger.apply(database, [replace(asset, trashed_at=5.0)], now=5.0)
    await home.throw_away(["1.jpg"], for_good=True)

    found = await verify(home.setup)

    assert gaps(found) == []
    assert (found.folders[0].safe, found.folders[0].removed) == (3, 1)


async def test_a_tombstone_settles_without_the_state(home: Household) -> None:
    """Whatever is lost with the state, what a person removed is no gap: the tombstones tell."""
    await home.throw_away(["1.jpg"], for_good=False)
    (home.photos / "1.jpg").rename(home.photos / "new name.jpg")
    assert await home.sync() == 0
    await home.throw_away(["1.jpg"], for_good=True)
    (home.home / "state" / "state.db").unlink()

    found = await verify(home.setup)

    assert gaps(found) == []
    assert (found.folders[0].safe, found.folders[0].removed) == (3, 1)


async def test_a_flipped_bit_under_the_same_times_is_different(home: Household) -> None:
    """Its ctime tells that something happened: it is read, and found to hold other bytes."""
    flip(home.photos / "2.jpg")

    found = await verify(home.setup)

    assert gaps(found) == [("different", "2.jpg")]
    assert (found.folders[0].different, found.folders[0].hashed) == (1, 1)


async def test_bit_rot_is_found_by_rehash_alone(home: Household) -> None:
    """Where not even the ctime moved, only reading tells."""
    path = home.photos / "2.jpg"
    flip(path)
    stamp = LocalDisk().stat(os.fsencode(home.photos), b"2.jpg")
    assert stamp is not None
    with closing(open_read_only(home.home / "state" / "state.db")) as database:
        known = ledger.file(database, home.place("2.jpg"))
        assert known is not None
    home.learn(replace(known, stamp=stamp))  # as a disk does it that nobody writes to

    assert gaps(await verify(home.setup)) == []
    assert gaps(await verify(home.setup, rehash=True)) == [("different", "2.jpg")]


async def test_what_cannot_be_told_is_unverified(home: Household) -> None:
    """A server that fails at the question leaves files unverified, with its words."""
    home.sandbox.faults.add(Status(502), method="POST", path=HASHED)

    found = await verify(home.setup)

    assert [what for what, _ in gaps(found)] == ["unverified"] * 4
    assert "502" in found.gaps[0].note


async def test_formats_that_immich_does_not_take_are_named(home: Household) -> None:
    """Moving pictures of Pixel phones are photos to people; a text is none; ignored is no gap."""
    home.put("a.mp", b"moving")
    home.put("b.mp", b"moving")
    home.put("notes.txt", b"no photo")
    home.put("c.jpg.tmp", b"half")

    found = await verify(home.setup)
    home.configure(ignore=compile_ignore(["*.mp"]))
    silenced = await verify(home.setup)

    assert [(gap.what, gap.path) for gap in found.gaps] == [("unsupported", str(home.photos))]
    assert "2 of them" in found.gaps[0].note
    assert found.folders[0].others == {"mp": 2, "txt": 1}
    assert found.folders[0].ignored == {"temporary": 1}
    assert gaps(silenced) == []


async def test_what_is_new_is_missing_or_there(new: Household) -> None:
    """Without any state every file is read, and the server alone says what it has."""
    new.put("a.jpg", photo(1))
    new.put("b.jpg", photo(2))
    new.put("empty.jpg", b"")

    found = await verify(new.setup)

    assert gaps(found) == [("missing", "a.jpg"), ("missing", "b.jpg"), ("missing", "empty.jpg")]
    notes = [gap.note for gap in found.gaps]
    assert notes[:2] == ["It has not been uploaded yet."] * 2
    assert "has no bytes" in notes[2]
    assert found.folders[0].hashed == 2
    assert not (new.home / "state").exists()


async def test_what_was_given_up_says_why_until_it_is_dismissed(home: Household) -> None:
    """A held file is missing with the reason it is held for; dismissed, it is settled."""
    home.put("big.jpg", photo(9))
    stamp = LocalDisk().stat(os.fsencode(home.photos), b"big.jpg")
    assert stamp is not None
    place = home.place("big.jpg")
    checksum = Checksum(hashlib.sha1(photo(9), usedforsecurity=False).digest())
    home.learn(File(place, stamp, checksum, hold=Hold.TOO_LARGE, note="too large for the way"))

    found = await verify(home.setup)
    with closing(open_database(home.home / "state" / "state.db")) as database:
        assert mend.dismiss(database, [place]) == 1
    dismissed = await verify(home.setup)

    assert gaps(found) == [("missing", "big.jpg")]
    assert found.gaps[0].note == "too large for the way"
    assert gaps(dismissed) == []
    assert dismissed.folders[0].dismissed == 1


async def test_what_lies_here_no_more_is_counted(home: Household) -> None:
    """A file that the ledger knows and the disk does not is no gap."""
    (home.photos / "0.jpg").unlink()

    found = await verify(home.setup)

    assert gaps(found) == []
    assert (found.folders[0].files, found.folders[0].gone) == (3, 1)


async def test_an_empty_root_is_no_yes(home: Household) -> None:
    """Where all is gone at once, a disk is not mounted: nothing can be told."""
    for path in home.photos.rglob("*.jpg"):
        path.unlink()
    (home.photos / "trip").rmdir()

    found = await verify(home.setup)

    assert [(gap.what, gap.path) for gap in found.gaps] == [("unverified", str(home.photos))]
    assert "is its disk mounted" in found.gaps[0].note


async def test_a_refused_key_ends_it(home: Household) -> None:
    """There is no answer without a server that answers."""
    [account] = home.setup.accounts
    wrong = replace(account, api_key=Secret("a-wrong-key-0123456789"))

    with pytest.raises(Refused, match="401"):
        await verify(replace(home.setup, accounts=(wrong,)))


async def test_a_server_that_is_away_ends_it(home: Household) -> None:
    """The same, with another word for it."""
    [account] = home.setup.accounts
    away = replace(account, url="http://127.0.0.1:9")

    with pytest.raises(Unreachable):
        await verify(replace(home.setup, accounts=(away,)))


async def test_a_link_hides_what_lay_there(home: Household) -> None:
    """Photos behind a link are not here: they are counted as gone, and are no gap."""
    target = home.home / "elsewhere"
    (home.photos / "trip").rename(target)
    (home.photos / "trip").symlink_to(target)

    found = await verify(home.setup)

    assert gaps(found) == []
    assert found.folders[0].gone == 1


async def test_a_directory_that_cannot_be_listed_is_unverified(home: Household) -> None:
    """Photos may lie in it: the answer is no (its path is too long, even for root)."""
    here = os.open(home.photos, os.O_RDONLY)
    for _ in range(18):
        os.mkdir("d" * 240, dir_fd=here)
        below = os.open("d" * 240, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)

    found = await verify(home.setup)

    assert [gap.what for gap in found.gaps] == ["unverified"]
    assert "cannot be listed" in found.gaps[0].note
