"""Facts about how the state remembers the disks within a folder."""

from collections.abc import Iterable

from immich_sync.core.types import Checksum, File, FolderId, Place, Stamp
from immich_sync.store import departures, inner, ledger
from immich_sync.store.database import Database
from immich_sync.store.inner import Inner
from immich_sync.store.known import scanned

USB = Inner(b"a/usb", "stick")


def _know(database: Database, folder: FolderId, now: float, *paths: tuple[bytes, bytes]) -> None:
    files = [
        File(Place(folder, *path), Stamp(1, 2, 3, 4), Checksum(path[1].ljust(20, b"-")))
        for path in paths
    ]
    ledger.apply(database, files, now=now)


def _names(found: Iterable[ledger.Known]) -> list[bytes]:
    return [one.name for one in found]


def test_a_mount_is_remembered(database: Database, folder: FolderId) -> None:
    """The last word on a place counts; a bare path of bytes comes back as it went."""
    odd = Inner(b"\xff/x", "", 7.0)
    for one in (USB, odd, Inner(b"a/usb", "other", 9.0)):
        inner.remember(database, folder, one)

    assert inner.remembered(database, folder) == [Inner(b"a/usb", "other", 9.0), odd]


def test_only_what_lies_there_is_known_there(database: Database, folder: FolderId) -> None:
    """At or below the place, and no sibling."""
    _know(database, folder, 1.0, (b"a", b"x"), (b"a/usb-1", b"x"), (b"a/usb.", b"x"))
    before = inner.is_known(database, folder, b"a/usb")
    _know(database, folder, 1.0, (b"a/usb/deep/er", b"x"))

    assert (before, inner.is_known(database, folder, b"a/usb")) == (False, True)


def test_a_sample_is_of_what_was_there_before_it_went(database: Database, folder: FolderId) -> None:
    """Neither of what came while it was away, nor of a mount within it."""
    _know(database, folder, 1.0, (b"a/usb", b"1"), (b"a/usb/d", b"2"), (b"a/usb/card/x", b"3"))
    _know(database, folder, 5.0, (b"a/usb", b"4"))
    gone = Inner(b"a/usb", "stick", 3.0)

    assert _names(inner.sample(database, folder, gone, [b"a/usb/card"], 9)) == [b"1", b"2"]
    assert _names(inner.sample(database, folder, USB, [], 9)) == [b"1", b"4", b"3", b"2"]
    assert _names(inner.sample(database, folder, USB, [], 2)) == [b"1", b"3"]
    assert inner.is_newer(database, folder, b"a/usb", 3.0)
    assert not inner.is_newer(database, folder, b"a/usb", 5.0)


def test_what_was_taken_away_has_not_departed(database: Database, folder: FolderId) -> None:
    """Its files are forgotten, the others are not, and nothing waits to be deleted."""
    departures.set_policy(database, folder, "trash")
    scanned(database, folder)
    _know(database, folder, 1.0, (b"a/usb", b"1"), (b"a/usb/d", b"2"), (b"a", b"3"))
    inner.remember(database, folder, USB)

    assert inner.take_away(database, folder, [b"a/usb"]) == 2
    assert inner.remembered(database, folder) == []
    assert _names(ledger.sample(database, folder, 9)) == [b"3"]
    assert departures.counts(database, folder, 1.0, 3600.0).waiting == 0


def test_what_a_copy_lacks_was_not_deleted(database: Database, folder: FolderId) -> None:
    """Deletions count again after the next full scan."""
    departures.set_policy(database, folder, "trash")
    scanned(database, folder)
    inner.remember(database, folder, USB)
    still = _on_delete(database, folder)
    inner.remember(database, folder, USB, partial=True)

    assert (still, _on_delete(database, folder)) == ("trash", "soon")


def _on_delete(database: Database, folder: FolderId) -> str:
    with database.reading() as connection:
        row = connection.execute("SELECT on_delete FROM folder WHERE id = ?", (folder,)).fetchone()
        return str(row[0])


def test_a_look_costs_no_more_for_what_lies_elsewhere(database: Database, folder: FolderId) -> None:
    """Each mount is looked at every half minute, however many files the folder holds."""
    _know(database, folder, 1.0, *((b"a/usb-1", b"%d" % number) for number in range(200)))
    _know(database, folder, 1.0, *((b"z", b"%d" % number) for number in range(200)))
    steps = []
    with database.reading() as connection:
        connection.set_progress_handler(lambda: steps.append(1), 100)

    assert not inner.is_known(database, folder, b"a/usb")
    assert not inner.is_newer(database, folder, b"a/usc", 0.0)
    assert inner.sample(database, folder, Inner(b"a/usc", "stick"), [], 9) == []
    assert len(steps) < 3
