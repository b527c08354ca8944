"""Accounts and folders keep their rows, and a changed wish makes files due."""

from immich_sync.core.types import (
    AccountId,
    Again,
    Arrival,
    Checksum,
    File,
    FolderId,
    Hold,
    Place,
    Priority,
    Stamp,
)
from immich_sync.store import accounts, ledger, queue
from immich_sync.store.accounts import Kind
from immich_sync.store.database import Database

NOW = 1_000_000.0
ROOT = b"/photos/\xff"


def ensure(database: Database, **change: str) -> accounts.FolderRow:
    """The folder at ROOT, as it is configured now."""
    name, policy = change.get("name", "photos"), change.get("policy", "album=A")
    return accounts.ensure_folder(
        database, name=name, root=ROOT, kind=Kind.WATCHED, policy=policy, now=NOW
    )


def fill(database: Database, folder: FolderId) -> None:
    """Two known files, one of them held."""
    checksum, stamp = Checksum(b"\x01" * 20), Stamp(1, 1, 1, 1)
    ledger.apply(
        database,
        [
            File(Place(folder, b"", b"a"), stamp, checksum),
            File(Place(folder, b"", b"held"), stamp, checksum, hold=Hold.REJECTED),
        ],
        NOW,
    )


def due(database: Database, folder: FolderId) -> list[tuple[bytes, Priority]]:
    """Names and priorities of what is due."""
    jobs = queue.take(database, now=NOW, limit=64, folders=[folder], busy=[])
    return [(one.job.place.name, one.job.priority) for one in jobs]


def test_an_account_is_a_user_on_a_server(database: Database) -> None:
    """The same user on the same server is the same row; anything else is another."""
    pairs = [("http://a", "x"), ("http://a", "y"), ("http://b", "x"), ("http://a", "x")]
    rows = [accounts.ensure_account(database, server, user) for server, user in pairs]

    assert rows[0] == rows[3]
    assert len(set(rows)) == 3


def test_a_folder_is_its_root(database: Database) -> None:
    """A new name is the same folder; the same root for a one-shot is another one."""
    first, renamed = ensure(database), ensure(database, name="pictures")
    once = accounts.ensure_folder(
        database, name="photos", root=ROOT, kind=Kind.ONCE, policy="", now=NOW
    )

    assert first.id == renamed.id
    assert first.id != once.id


def test_a_folders_account_is_remembered(database: Database, account: AccountId) -> None:
    """A new folder has no account; what was assigned is there at the next start."""
    row = ensure(database)
    accounts.assign(database, row.id, account, NOW)

    assert row.account is None
    assert account == ensure(database).account


def test_the_same_policy_leaves_everything_alone(database: Database) -> None:
    """A restart without a change makes nothing due."""
    fill(database, ensure(database).id)
    row = ensure(database)

    assert due(database, row.id) == []


def test_a_changed_policy_makes_known_files_due_once(database: Database) -> None:
    """Every known file but held ones is looked at again, behind all new ones."""
    fill(database, ensure(database).id)
    row = ensure(database, policy="album=B")

    assert due(database, row.id) == [(b"a", Priority.RECHECK)]
    [taken] = queue.take(database, now=NOW, limit=1, folders=[row.id], busy=[])
    ensure(database, policy="album=B")
    [again] = queue.take(database, now=NOW, limit=1, folders=[row.id], busy=[])
    assert again.job.round == taken.job.round


def test_another_account_makes_known_files_due(database: Database, account: AccountId) -> None:
    """The first account makes nothing due, nor does the same one; another one does."""
    folder = ensure(database).id
    fill(database, folder)
    for _ in range(2):
        accounts.assign(database, folder, account, NOW)
        assert due(database, folder) == []
    accounts.assign(database, folder, accounts.ensure_account(database, "http://b", "x"), NOW)

    assert due(database, folder) == [(b"a", Priority.RECHECK)]


def test_an_identity_is_remembered(database: Database) -> None:
    """None until one was accepted, then the last one."""
    folder = ensure(database).id
    before = accounts.identity(database, folder)
    accounts.set_identity(database, folder, "ab|/dev/sda1 ext4|2")

    assert before is None
    assert accounts.identity(database, folder) == "ab|/dev/sda1 ext4|2"


def test_what_a_new_policy_does_to_jobs(database: Database) -> None:
    """Known files become due in a new round; a failing job still waits its time."""
    folder = ensure(database).id
    fill(database, folder)
    place = Place(folder, b"", b"a")
    queue.put(database, [Arrival(place, Priority.NEW)], NOW)
    [taken] = queue.take(database, now=NOW, limit=1, folders=[folder], busy=[])

    ensure(database, policy="album=B")
    [again] = queue.take(database, now=NOW, limit=1, folders=[folder], busy=[])
    assert (Priority.NEW, taken.job.round + 1) == (again.job.priority, again.job.round)
    ledger.apply(database, [Again(again.job, NOW + 60, 1, "no")], NOW)
    ensure(database, policy="album=C")
    assert due(database, folder) == []
