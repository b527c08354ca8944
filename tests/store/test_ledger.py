"""Facts written together and read one by one."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from immich_sync.core.types import (
    AccountId,
    Activity,
    Again,
    AlbumId,
    Arrival,
    Asset,
    AssetId,
    Checksum,
    Done,
    File,
    FolderId,
    Forgotten,
    Held,
    Hold,
    Job,
    KnownAlbum,
    Member,
    Origin,
    Place,
    Priority,
    SidecarSent,
    Stamp,
)
from immich_sync.store import ledger, queue, report
from immich_sync.store.database import Database
from immich_sync.store.rows import UNSIGNED, integer, text

NOW = 1_000_000.0
ONE, TWO = Checksum(b"\x01" * 20), Checksum(b"\x02" * 20)
STAMP = Stamp(10, 20, 30, 40)


def due(database: Database, place: Place) -> Job:
    """The place is put and taken."""
    queue.put(database, [Arrival(place, Priority.NEW)], NOW)
    jobs = queue.take(database, now=NOW, limit=64, folders=[place.folder], busy=[])
    return next(one.job for one in jobs if one.job.place == place)


def jobs(database: Database, folder: FolderId) -> list[Place]:
    """The places that are due now."""
    taken = queue.take(database, now=NOW, limit=64, folders=[folder], busy=[])
    return [one.job.place for one in taken]


@pytest.fixture
def place(folder: FolderId) -> Place:
    """A path of the folder."""
    return Place(folder, b"2024", b"IMG_1.jpg")


def test_a_file_is_read_back(database: Database, place: Place) -> None:
    """Stamp, checksum, flags, hold and note are what was written; nothing is known of others."""
    file = File(place, STAMP, None, incomplete=True, motion=True, hold=Hold.EMPTY, note="no bytes")
    ledger.apply(database, [file], NOW)

    assert file == ledger.file(database, place)
    assert ledger.stamp(database, place) == STAMP
    other = Place(place.folder, place.directory, b"IMG_2.jpg")
    assert (ledger.file(database, other), ledger.stamp(database, other)) == (None, None)


def test_the_last_word_on_a_file_wins(database: Database, place: Place) -> None:
    """New bytes replace what was known, and end a hold."""
    ledger.apply(database, [File(place, STAMP, ONE, hold=Hold.REJECTED, note="no")], NOW)
    later = File(place, Stamp(11, 21, 31, 41), TWO)
    ledger.apply(database, [later], NOW + 1)

    assert later == ledger.file(database, place)


def test_a_file_is_held(database: Database, place: Place) -> None:
    """Held keeps the file's bytes and adds the reason; of an unknown path it says nothing."""
    unknown = Place(place.folder, b"", b"unknown")
    ledger.apply(database, [File(place, STAMP, ONE)], NOW)
    ledger.apply(
        database, [Held(place, Hold.REJECTED, "no"), Held(unknown, Hold.REJECTED, "no")], NOW
    )

    assert File(place, STAMP, ONE, hold=Hold.REJECTED, note="no") == ledger.file(database, place)
    assert ledger.file(database, unknown) is None


@given(st.integers(0, UNSIGNED))
def test_any_inode_fits(number: int) -> None:
    """Every 64-bit number is kept in 64 bits with a sign, and comes back."""
    assert -(2**63) <= integer(number) < 2**63
    assert number == integer(number) & UNSIGNED


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_time_that_fits_is_kept_as_it_is(number: int) -> None:
    """Times before 1970 and up to 2262 are not touched."""
    assert number == integer(number)


def test_a_time_beyond_2262_breaks_nothing(database: Database, place: Place) -> None:
    """A file with a nonsensical time is recorded with its transaction."""
    ledger.apply(database, [File(place, Stamp(1, 15_000_000_000 * 10**9, 2, 3), ONE)], NOW)
    file = ledger.file(database, place)

    assert file is not None
    assert file.checksum == ONE


@given(st.text(alphabet=st.characters(codec=None)))
def test_any_text_fits(words: str) -> None:
    """What UTF-8 cannot hold is replaced; all other text stays as it is."""
    kept = text(words)

    assert len(kept) == len(words)
    assert all(a == b or "\ud800" <= b <= "\udfff" for a, b in zip(kept, words, strict=True))
    assert kept == kept.encode().decode()


def test_a_note_with_a_names_odd_bytes_breaks_nothing(database: Database, place: Place) -> None:
    """A sentence that quotes a name which is not UTF-8 is recorded, readable."""
    job = due(database, place)
    error = b"caf\xe9.jpg is unreadable".decode("utf-8", "surrogateescape")
    ledger.apply(database, [Again(job, NOW, 1, error), Activity(NOW, "failed", place, error)], NOW)
    [again] = queue.take(database, now=NOW, limit=1, folders=[place.folder], busy=[])

    assert again.job.error == "caf?.jpg is unreadable"


def test_an_asset_is_read_back(database: Database, account: AccountId) -> None:
    """All times and the origin are what was written, for this account and checksum only."""
    asset = Asset(account, ONE, AssetId("x"), Origin.FOUND, 1.0, 2.0, 3.0)
    ledger.apply(database, [asset], NOW)

    assert asset == ledger.asset(database, account, ONE)
    assert ledger.asset(database, account, TWO) is None


def test_what_we_uploaded_stays_ours(database: Database, account: AccountId) -> None:
    """Found again by a later check, an asset keeps its origin; another asset does not."""
    ledger.apply(database, [Asset(account, ONE, AssetId("x"), Origin.UPLOADED)], NOW)
    ledger.apply(database, [Asset(account, ONE, AssetId("x"), Origin.FOUND, 5.0)], NOW)

    assert Asset(account, ONE, AssetId("x"), Origin.UPLOADED, 5.0) == ledger.asset(
        database, account, ONE
    )
    ledger.apply(database, [Asset(account, ONE, AssetId("y"), Origin.FOUND, 6.0)], NOW)
    assert Asset(account, ONE, AssetId("y"), Origin.FOUND, 6.0) == ledger.asset(
        database, account, ONE
    )


def test_the_first_sight_of_the_trash_stays(database: Database, account: AccountId) -> None:
    """Seen trashed again, the first time counts; restored, it is forgotten; so for removed."""

    def seen(trashed: float | None, removed: float | None) -> Asset | None:
        asset = Asset(
            account, ONE, AssetId("x"), Origin.FOUND, trashed_at=trashed, removed_at=removed
        )
        ledger.apply(database, [asset], NOW)
        return ledger.asset(database, account, ONE)

    found = [seen(1.0, None), seen(2.0, 3.0), seen(None, 4.0), seen(5.0, None)]

    assert [(asset.trashed_at, asset.removed_at) for asset in found if asset] == [
        (1.0, None),
        (1.0, 3.0),
        (None, 3.0),
        (5.0, None),
    ]


def test_done_ends_the_job(database: Database, place: Place) -> None:
    """A job that nobody put again meanwhile is over."""
    ledger.apply(database, [Done(due(database, place))], NOW)

    assert jobs(database, place.folder) == []


def test_done_does_not_end_a_newer_round(database: Database, place: Place) -> None:
    """A path that became due while it was worked on stays due: compare and set."""
    job = due(database, place)
    queue.put(database, [Arrival(place, Priority.NEW)], NOW)
    ledger.apply(database, [Done(job)], NOW)

    assert [place] == jobs(database, place.folder)


def test_again_does_not_put_off_a_newer_round(database: Database, place: Place) -> None:
    """The failure of old bytes does not make the new ones wait."""
    job = due(database, place)
    queue.put(database, [Arrival(place, Priority.NEW)], NOW)
    ledger.apply(database, [Again(job, NOW + 60, 3, "old")], NOW)
    [newer] = queue.take(database, now=NOW, limit=1, folders=[place.folder], busy=[])

    assert (newer.job.attempts, newer.job.error) == (0, "")


def test_forgotten_by_intake(database: Database, place: Place, account: AccountId) -> None:
    """The row of a path that is gone goes; the asset stays, and so does a job: it may be back."""
    due(database, place)
    ledger.apply(
        database,
        [File(place, STAMP, ONE), Asset(account, ONE, AssetId("x"), Origin.UPLOADED)],
        NOW,
    )
    ledger.apply(database, [Forgotten(place)], NOW)

    assert jobs(database, place.folder) == [place]
    assert ledger.file(database, place) is None
    assert ledger.asset(database, account, ONE) is not None


def test_forgotten_by_a_worker_only_in_its_round(database: Database, place: Place) -> None:
    """A file that came back while the worker missed it stays due, with all that is known."""
    job = due(database, place)
    ledger.apply(database, [File(place, STAMP, ONE)], NOW)
    queue.put(database, [Arrival(place, Priority.NEW)], NOW)
    ledger.apply(database, [Forgotten(place, job.round)], NOW)

    assert [place] == jobs(database, place.folder)
    assert ledger.file(database, place) is not None
    ledger.apply(database, [Forgotten(place, job.round + 1)], NOW)
    assert jobs(database, place.folder) == []
    assert ledger.file(database, place) is None


def test_all_or_nothing(database: Database, place: Place, account: AccountId) -> None:
    """If one record cannot be written, none is."""
    orphan = Place(FolderId(place.folder + 99), b"", b"a")
    with pytest.raises(sqlite3.IntegrityError):
        ledger.apply(
            database,
            [
                Asset(account, ONE, AssetId("x"), Origin.FOUND),
                Done(due(database, place)),
                File(orphan, STAMP, ONE),
            ],
            NOW,
        )

    assert ledger.asset(database, account, ONE) is None
    assert [place] == jobs(database, place.folder)


def test_members(database: Database) -> None:
    """Only pairs that were put together are known; twice is as good as once."""
    pairs = [Member(AlbumId(a), AssetId(b)) for a in "AB" for b in "xy"]
    ledger.apply(database, [pairs[0], pairs[0], pairs[3]], NOW)

    assert {pairs[0], pairs[3]} == ledger.members(database, pairs)


def test_albums(database: Database, account: AccountId) -> None:
    """A name stands for the album told last; a forgotten one takes its members along."""
    for album in ("A", "B"):
        ledger.apply(database, [KnownAlbum(account, "Holiday \udcff", AlbumId(album))], NOW)
    member = Member(AlbumId("B"), AssetId("x"))
    ledger.apply(database, [member], NOW)

    assert ledger.album(database, account, "Holiday \udcff") == "B"
    assert ledger.album(database, account, "holiday") is None
    ledger.forget_album(database, account, AlbumId("B"))
    assert ledger.album(database, account, "Holiday \udcff") is None
    assert set() == ledger.members(database, [member])


def test_sidecars(database: Database, account: AccountId) -> None:
    """The bytes that went up last with an asset are known by the sidecar's name."""
    for sidecar in (ONE, TWO):
        ledger.apply(database, [SidecarSent(account, ONE, b"a.xmp", sidecar)], NOW)

    with database.reading() as connection:
        rows = connection.execute("SELECT account, sha1, name, sidecar FROM sidecar").fetchall()
    assert rows == [(account, ONE, b"a.xmp", TWO)]


def test_the_number_of_files_is_bounded(database: Database, folder: FolderId) -> None:
    """Counting ends where it has been told to."""
    files = [File(Place(folder, b"", b"%d" % n), STAMP, ONE) for n in range(12)]
    ledger.apply(database, files, NOW)

    assert (ledger.file_count(database, folder), ledger.file_count(database, folder, 5)) == (12, 5)


@pytest.mark.parametrize(
    ("files", "size", "wanted"), [(0, 5, 0), (4, 5, 4), (12, 5, 4), (10, 5, 5)]
)
def test_a_sample_is_spread(
    database: Database, folder: FolderId, files: int, size: int, wanted: int
) -> None:
    """Every n-th file in the order of the index, never more than asked for."""
    places = [Place(folder, b"d%02d" % (n // 3), b"%d" % n) for n in range(files)]
    ledger.apply(database, [File(place, STAMP, ONE) for place in places], NOW)
    sample = ledger.sample(database, folder, size)

    assert wanted == len(sample)
    if sample:
        step = -(-files // size)
        paths = [
            (place.directory, place.name) for place in sorted(places, key=lambda p: p.directory)
        ]
        assert sorted(paths)[::step] == [(known.directory, known.name) for known in sample]
        assert {STAMP} == {known.stamp for known in sample}


def test_activities_are_bounded(database: Database, place: Place) -> None:
    """Only the last thousand are kept; the newest comes first."""
    for start in range(0, 1200, 100):
        ledger.apply(
            database,
            [Activity(float(n), "uploaded", place, str(n)) for n in range(start, start + 100)],
            NOW,
        )
    ledger.apply(database, [Activity(9999.0, "paused", None)], NOW)
    events = report.recent(database, limit=5000)

    assert len(events) == 1000
    assert [
        Activity(9999.0, "paused", None, ""), Activity(1199.0, "uploaded", place, "1199"),
    ] == events[:2]  # fmt: skip
