"""A state that is put back: what was removed since stays removed, and nothing is read twice."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from immich_sync.core.types import AccountId
from immich_sync.store import audit
from immich_sync.store.database import open_read_only
from tests.stories.reading import readings
from tests.stories.scene import Daemon, Story, photo, sha1, until

COUNT = 30


def _all_verified(daemon: Daemon, count: int) -> None:
    until(lambda: daemon.folder().verified == count and daemon.is_done(), "all is verified")


def _trash(story: Story, *contents: bytes) -> None:
    wanted = set(map(sha1, contents))
    ids = [one.id for one in story.server.assets() if one.checksum in wanted]
    story.server.api("DELETE", "/assets", {"ids": ids})


def _names(numbers: range) -> set[str]:
    return {f"{n}.jpg" for n in numbers}


def _is_believed(story: Story) -> bool:
    with closing(open_read_only(story.state / "state.db")) as database:
        return audit.standing(database, AccountId(1)).restored_at is None


def test_a_backup_of_yesterday_brings_back_nothing_that_was_thrown_away(story: Story) -> None:
    """Made under a running daemon; ten of thirty are purged after it; then it is put back.

    So many gone at once would look like a server that lost them, did the tombstones not tell.
    """
    for n in range(COUNT):
        story.put(f"{n}.jpg", photo(n))
    daemon = story.start()
    _all_verified(daemon, COUNT)
    made = story.typed("state backup", story.home / "kept.tar", "--json")
    story.put("new.jpg", photo("new"))
    _trash(story, *(photo(n) for n in range(25)))
    for n in range(25):
        daemon.order("retry", story.photos / f"{n}.jpg")
    until(lambda: daemon.folder().trashed == 25 and daemon.is_done(), "the trash is noticed")
    refused = story.typed("state restore", story.home / "kept.tar")
    daemon.stop()
    story.server.api("POST", "/trash/empty")
    restored = story.typed("state restore", story.home / "kept.tar", "--json")
    believed = _is_believed(story)
    sent = story.server.sent()
    with readings(story.photos) as read:
        daemon = story.start()
        story.calm(daemon)
        names = {name for name in read.names() if not name.startswith("marker-")}
    folder, status = daemon.folder(), daemon.status()

    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["contents"]["rows"]["file"] == COUNT
    assert (refused.returncode, "already running" in refused.stderr) == (2, True)
    assert restored.returncode == 0, restored.stderr
    assert (json.loads(restored.stdout)["removed"], believed) == (25, False)
    assert set(story.server.names()) == _names(range(25, COUNT)) | {"new.jpg"}
    assert story.server.sent() == sent
    assert names == {"new.jpg"}
    assert (folder.trashed, folder.failed, folder.state) == (25, 0, "watching")
    assert status.problems == ()
    assert daemon.events("audited")
    assert _is_believed(story)


def test_a_new_machine_reads_nothing_that_the_backup_knows(story: Story) -> None:
    """The state folder is lost, tombstones and all; with the backup the photos need no reading."""
    for n in range(5):
        story.put(f"{n}.jpg", photo(n))
    daemon = story.start()
    _all_verified(daemon, 5)
    _trash(story, photo(0))
    daemon.order("retry", story.photos / "0.jpg")
    until(lambda: daemon.folder().trashed == 1, "the trash is noticed")
    story.typed("state backup", story.home / "kept.tar")
    daemon.stop()
    story.server.api("POST", "/trash/empty")
    story.state.rename(story.home / "lost")
    restored = story.typed("state restore", story.home / "kept.tar")
    with readings(story.photos) as read:
        daemon = story.start()
        story.calm(daemon)
        names = {name for name in read.names() if not name.startswith("marker-")}

    assert restored.returncode == 0, restored.stderr
    assert names == set()
    assert set(story.server.names()) == _names(range(1, 5))
    assert daemon.folder().trashed == 1


def _bytes(folder: Path) -> dict[str, bytes]:
    return {
        one.name: one.read_bytes() for one in folder.iterdir() if one.name.startswith("state.db")
    }


def test_a_newer_state_is_refused_by_every_command_and_left_as_it_is(story: Story) -> None:
    """Exit code 2 and a sentence, with every byte where it was; `check` says it, too."""
    story.configure()
    story.start().stop()
    with closing(sqlite3.connect(story.state / "state.db")) as connection, connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
            " VALUES ('immich_sync', 'stacks', '2030-01-01')"
        )
    before = _bytes(story.state)
    others = (("run", "--once"), ("status",), ("state backup", story.home))
    tried = [story.command("run"), *(story.typed(*words) for words in others)]
    check = story.typed("state check")
    after = _bytes(story.state)

    assert [one.returncode for one in tried] == [2] * len(tried)
    assert all("written by a newer immich-sync (it has the step stacks)" in one.stderr
               for one in tried)  # fmt: skip
    assert not any("Traceback" in one.stderr for one in tried)
    assert (check.returncode, "from a newer immich-sync" in check.stdout) == (1, True)
    assert before["state.db"] == after["state.db"]
    assert {name for name in after if not name.endswith(("-wal", "-shm"))} == {"state.db"}
