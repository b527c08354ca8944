"""Everything that is known of one file, from a real disk, a real ledger and a real server."""

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from immich_sync import status
from immich_sync.core.explanation import Explanation, Live
from immich_sync.core.types import (
    AccountId,
    Activity,
    Again,
    Arrival,
    Checksum,
    File,
    Hold,
    Job,
    Priority,
    SidecarSent,
    Stamp,
)
from immich_sync.explaining import explain
from immich_sync.filesystem.disk import LocalDisk
from immich_sync.store import mend, queue
from immich_sync.store.database import open_database
from tests.scene import VERSIONS, Household, household, photo, running

pytestmark = pytest.mark.anyio

NOW = 2_000_000_000.0
XMP = b"<x:xmpmeta>sea</x:xmpmeta>"


BOTH = pytest.mark.parametrize("home", VERSIONS, indirect=True)


@pytest.fixture
async def home(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Household]:
    """A photo with its sidecar and its album, which was synced."""
    async with household(tmp_path, getattr(request, "param", VERSIONS[0])) as made:
        made.configure(album="{parent}")
        made.put("Alps/a.jpg", photo(1))
        made.put("Alps/a.jpg.xmp", XMP)
        assert await made.sync() == 0
        yield made


@pytest.fixture
async def plain(tmp_path: Path) -> AsyncIterator[Household]:
    """Nothing was ever synced."""
    async with household(tmp_path) as made:
        yield made


def ask(home: Household, name: str, *, live: Live | None = None, now: float = NOW) -> Explanation:
    """What is said of a path below the folder."""
    return explain(home.setup, os.fsencode(home.photos / name), now=now, live=live)


def stamp_of(home: Household, name: str) -> Stamp:
    """The stamp of a file below the folder."""
    stamp = LocalDisk().stat(os.fsencode(home.photos), os.fsencode(name))
    assert stamp is not None
    return stamp


def known(home: Household, name: str, *, hold: Hold | None = None, note: str = "") -> File:
    """The ledger's row of a file, as it lies there."""
    content = (home.photos / name).read_bytes()
    checksum = Checksum(hashlib.sha1(content, usedforsecurity=False).digest())
    return File(home.place(name), stamp_of(home, name), checksum, hold=hold, note=note)


@BOTH
async def test_a_synced_photo_is_known_in_full(home: Household) -> None:
    """Its bytes, its asset with a link, its album, its sidecar, and when each came true."""
    [asset] = home.sandbox.assets()
    [album] = home.sandbox.albums()
    url = home.setup.accounts[0].url

    found = ask(home, "Alps/a.jpg")

    assert (found.folder, found.sight.taken, found.same) == ("photos", True, True)
    assert found.checksum == asset.checksum
    assert found.disk == found.ledger
    assert found.asset is not None
    assert found.asset.link == f"{url}/photos/{asset.id}"
    assert (found.asset.origin, found.asset.albums) == ("uploaded", (f"{url}/albums/{album.id}",))
    assert found.sidecar == "a.jpg.xmp went up"
    facts = {fact.what: fact for fact in found.facts}
    assert set(facts) == {"modified", "arrived", "verified", "album", "sidecar"}
    assert facts["album"].detail == "Alps"
    assert all(facts[what].at is not None for what in ("modified", "arrived", "verified"))
    assert [event.what for event in found.events] == ["uploaded"]
    assert "whole and proved" in found.next


async def test_a_sidecar_tells_whose_it_is_and_when_it_changed(home: Household) -> None:
    """The XMP belongs to its photo; when it changes, its photo says so."""
    of = ask(home, "Alps/a.jpg.xmp")
    (home.photos / "Alps/a.jpg.xmp").write_bytes(XMP + b" ")

    assert (of.sight.rule, of.sidecar) == ("sidecar", "it belongs to a.jpg")
    assert ask(home, "Alps/a.jpg", now=NOW).sidecar == "a.jpg.xmp went up, and changed since"


async def test_an_ignored_file_names_its_rule(plain: Household) -> None:
    """The rule, its reason and what it is about; nothing happens to it."""
    plain.put("trip/.nomedia", b"")
    plain.put("trip/a.jpg", photo(1))

    found = ask(plain, "trip/a.jpg")

    assert (found.sight.rule, found.sight.by) == ("nomedia", "trip/.nomedia")
    assert found.next == "Nothing: it is passed over."


async def test_outside_of_all_folders(plain: Household) -> None:
    """The folders that there are stand in the answer."""
    found = explain(plain.setup, b"/somewhere/else.jpg", now=NOW)

    assert (found.folder, found.sight.rule) == (None, "outside")
    assert str(plain.photos) in found.sight.reason


async def test_a_path_through_a_link_is_the_folders(plain: Household) -> None:
    """A folder may be named by the link that leads to it; a link within one is seen as one."""
    plain.put("a.jpg", photo(1))
    (plain.home / "shortcut").symlink_to(plain.photos)
    (plain.photos / "away").symlink_to(plain.home)

    by_shortcut = explain(plain.setup, os.fsencode(plain.home / "shortcut" / "a.jpg"), now=NOW)

    assert (by_shortcut.path, by_shortcut.sight.taken) == (str(plain.photos / "a.jpg"), True)
    assert ask(plain, "away/photos/a.jpg").sight.rule == "link"


async def test_a_new_file_must_hold_still(plain: Household) -> None:
    """With a daemon and no sighting yet, the time until it is read is told."""
    plain.configure(settle=30.0)
    plain.put("a.jpg", photo(1))
    moved = stamp_of(plain, "a.jpg").ctime_ns / 1e9
    live = Live("watching", "", "", None, in_hand=False, looked_at=None, next_scan=NOW)

    found = ask(plain, "a.jpg", live=live, now=moved + 1)

    assert found.next_at == pytest.approx(moved + 30, abs=0.1)
    assert (found.checksum, found.ledger, found.same) == (None, None, None)


async def test_what_is_not_whole_is_said_with_its_end(plain: Household) -> None:
    """Not the next look, which is ever the next one, but when it goes up all the same."""
    plain.configure(settle=30.0)
    plain.put("cut.jpg", photo(1)[:-20])
    place = plain.place("cut.jpg")
    async with running(plain) as engine:
        with anyio.fail_after(10):
            while place.folder not in engine.intakes:  # noqa: ASYNC110 - no bell rings
                await anyio.sleep(0.01)
            while status.live(engine, place).waits_for != "rest":  # noqa: ASYNC110 - likewise
                await anyio.sleep(0.01)
        live = status.live(engine, place)
    moved = stamp_of(plain, "cut.jpg").ctime_ns / 1e9

    found = ask(plain, "cut.jpg", live=live, now=moved + 5)

    assert found.next.startswith("It is not whole: ")
    assert found.next_at == pytest.approx(moved + 600, abs=5)


async def test_a_word_that_is_asked_for_anew_has_no_date(home: Household) -> None:
    """A retry makes the server's last word count for nothing; 1970 is no time for people."""
    with closing(open_database(home.home / "state" / "state.db")) as database:
        assert mend.retry(database, [home.place("Alps/a.jpg")], NOW).due == 1

    assert "verified" not in {fact.what for fact in ask(home, "Alps/a.jpg").facts}


async def test_trouble_is_told_with_its_past(home: Household) -> None:
    """The job's last error, since when it fails, and what happened before."""
    place = home.place("Alps/a.jpg")
    database = open_database(home.home / "state" / "state.db")
    queue.put(database, [Arrival(place, Priority.NEW)], now=5.0)
    database.close()
    job = Job(place, Priority.NEW, 5.0, round=queue.born(5.0))
    home.learn(
        Again(job, NOW + 60, 2, "no answer"),
        Activity(4.0, "failed", place, "an older reason"),
    )
    live = Live("watching", "", "", None, in_hand=False, looked_at=None, next_scan=NOW)

    found = ask(home, "Alps/a.jpg", live=live)

    assert [error.detail for error in found.errors] == ["no answer", "an older reason"]
    assert "failing" in {fact.what for fact in found.facts}
    assert found.next_at == NOW + 60


async def test_held_and_dismissed_are_facts(home: Household) -> None:
    """Why it is held, since when."""
    home.put("big.mp4", b"x" * 99)
    home.learn(known(home, "big.mp4", hold=Hold.TOO_LARGE, note="too large for the way"))

    found = ask(home, "big.mp4")

    fact = next(fact for fact in found.facts if fact.what == "too_large")
    assert (fact.detail, fact.at) == ("too large for the way", 1.0)
    assert "limit on the way" in found.next


async def test_bytes_that_moved_are_not_the_known_ones(home: Household) -> None:
    """The checksum is of what was there; another stamp lies there now."""
    home.put("Alps/a.jpg", photo(2) + b"more")

    found = ask(home, "Alps/a.jpg")

    assert found.same is False
    assert found.disk != found.ledger


async def test_both_parts_of_a_live_photo_are_told(home: Household) -> None:
    """The moving part by the ledger's word, the still by what lies beside it."""
    home.put("IMG_1.HEIC", b"still")
    home.put("IMG_1.MOV", b"moving")
    home.learn(replace(known(home, "IMG_1.MOV"), motion=True))
    home.put("clip.mov", b"alone")

    assert ask(home, "IMG_1.MOV").live_photo.startswith("the moving part of IMG_1.HEIC")
    assert "IMG_1.MOV beside it" in ask(home, "IMG_1.HEIC").live_photo
    assert ask(home, "clip.mov").live_photo == ""


async def test_copies_of_the_same_bytes_are_named(home: Household) -> None:
    """Other paths with the same checksum."""
    home.put("copy.jpg", photo(1))
    home.learn(known(home, "copy.jpg"))

    assert ask(home, "copy.jpg").copies == (str(home.photos / "Alps/a.jpg"),)


async def test_a_file_that_is_gone_is_still_known(home: Household) -> None:
    """What the ledger knows is told; that it will be forgotten, too."""
    (home.photos / "Alps/a.jpg").unlink()

    found = ask(home, "Alps/a.jpg")

    assert (found.sight.lies, found.disk, found.asset is not None) == ("nothing", None, True)
    assert "forgotten" in found.next


async def test_a_file_that_is_forgotten_was_in_immich(home: Household) -> None:
    """Of a file that was deleted here it is still known that it had been brought into Immich."""
    (home.photos / "Alps/a.jpg").unlink()
    await home.sync()

    found = ask(home, "Alps/a.jpg")

    assert (found.checksum, found.asset) == (None, None)
    assert found.next == (
        "Nothing: it was in Immich, and is forgotten here. In Immich nothing changes."
    )


async def test_a_name_that_is_no_text_is_shown(plain: Household) -> None:
    """Its odd bytes appear as escapes, and it is taken like any other."""
    path = plain.put(os.fsdecode(b"caf\xe9.jpg"), photo(1))

    found = explain(plain.setup, os.fsencode(path), now=NOW)

    assert found.path.endswith("caf\\xe9.jpg")
    assert found.sight.taken


async def test_an_unsent_sidecar_is_told(home: Household) -> None:
    """One that came later than its photo, or never had a photo."""
    home.put("late.jpg", photo(3))
    home.put("late.xmp", XMP)
    home.put("lone.jpg.xmp", XMP)
    home.learn(SidecarSent(AccountId(1), Checksum(b"o" * 20), b"late.xmp", Checksum(b"x" * 20)))

    assert ask(home, "late.jpg").sidecar == "late.xmp has not been sent"
    assert ask(home, "lone.jpg.xmp").sidecar == "it belongs to no photo beside it"
