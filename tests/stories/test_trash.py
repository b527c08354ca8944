"""What a person deletes stays deleted, and what a server loses comes back when a person says so."""

import sqlite3
from contextlib import closing
from pathlib import Path

from immich_sync.store.tombstones import FILE
from tests.stories.scene import Daemon, Story, photo, sha1, until

COUNT = 25
SIZE = 200_000


def _trash(story: Story, *contents: bytes) -> None:
    wanted = set(map(sha1, contents))
    ids = [one.id for one in story.server.assets() if one.checksum in wanted]
    story.server.api("DELETE", "/assets", {"ids": ids})


def _empty_the_trash(story: Story) -> None:
    story.server.api("POST", "/trash/empty")


def _lose_the_state(story: Story) -> None:
    for file in story.state.glob("state.db*"):
        file.unlink()


def _damage_the_state(story: Story) -> None:
    (story.state / "state.db").write_bytes(b"this is no database" * 1000)


def _all_verified(daemon: Daemon, count: int) -> None:
    until(lambda: daemon.folder().verified == count and daemon.is_done(), "all is verified")


def test_what_went_through_the_trash_stays_away(story: Story) -> None:
    """The trash is emptied, the state lost or damaged, the file renamed: --force brings it back."""
    gone, kept = photo("gone"), photo("kept")
    path = story.put("gone.jpg", gone)
    story.put("kept.jpg", kept)
    daemon = story.start()
    _all_verified(daemon, 2)
    _trash(story, gone)
    daemon.order("retry", path)
    until(lambda: daemon.folder().trashed == 1, "the trash is noticed")
    daemon.stop()
    _empty_the_trash(story)
    _lose_the_state(story)
    renamed = path.rename(story.photos / "renamed.jpg")
    daemon = story.start()
    story.calm(daemon)
    assert story.server.names() == ["kept.jpg"]
    daemon.stop()
    _damage_the_state(story)
    daemon = story.start()
    story.calm(daemon)
    before, folder, problems = story.server.names(), daemon.folder(), daemon.status().problems
    plain = story.typed("retry", renamed)
    story.calm(daemon)
    after_plain = story.server.names()
    forced = story.typed("retry", "--force", renamed)
    until(lambda: story.server.names() == ["kept.jpg", "renamed.jpg"], "it is back")
    until(lambda: daemon.folder().trashed == 0, "nothing is counted as trashed")
    daemon.stop()
    _damage_the_state(story)
    daemon = story.start()
    story.calm(daemon)

    assert before == after_plain == ["kept.jpg"]
    assert (folder.trashed, folder.failed, problems) == (1, 0, ())
    assert (plain.returncode, "--force" in plain.stderr) == (1, True)
    assert (forced.returncode, forced.stdout) == (0, "1 file due again.\n")
    assert daemon.folder().trashed == 0
    assert (story.state / FILE).stat().st_mode & 0o777 == 0o600


def test_what_is_uploaded_by_hand_comes_back(story: Story) -> None:
    """An explicit upload is a person's word, too; the daemon's own copies are left as they are."""
    gone = photo("gone")
    path = story.put("gone.jpg", gone)
    daemon = story.start()
    _all_verified(daemon, 1)
    _trash(story, gone)
    daemon.order("retry", path)
    until(lambda: daemon.folder().trashed == 1, "the trash is noticed")
    _empty_the_trash(story)
    daemon.order("retry", path)
    story.calm(daemon)
    before = story.server.names()
    uploaded = story.typed("upload", path)

    assert before == []
    assert uploaded.returncode == 0, uploaded.stderr
    assert story.server.names() == ["gone.jpg"]


def test_a_folder_that_restores_empties_the_trash_of_its_photos(story: Story) -> None:
    """What was trashed is taken out, proved and put into its album, without an upload."""
    story.configure({"trashed": "restore", "album": "Trip"})
    content = photo("wanted")
    path = story.put("wanted.jpg", content)
    daemon = story.start()
    _all_verified(daemon, 1)
    sent = story.server.sent()
    _trash(story, content)
    daemon.order("retry", path)
    until(lambda: not any(one.trashed for one in story.server.assets()), "it is out of the trash")
    _all_verified(daemon, 1)

    assert [one.trashed for one in story.server.assets()] == [False]
    assert story.server.album("Trip") == ["wanted.jpg"]
    assert story.server.sent() == sent


def test_a_key_that_may_not_restore_is_said_at_the_start(story: Story) -> None:
    """Restoring needs `asset.delete` in Immich; without it the daemon does not begin."""
    key = story.server.sandbox.add_key("asset.upload", "user.read")
    story.configure({"trashed": "restore"})
    (story.home / "api-key").write_text(key)
    daemon = story.launch()

    assert daemon.process.wait(20) == 3
    assert "asset.delete" in daemon.words()
    story.daemons.clear()


def _make_the_audit_old(story: Story) -> None:
    """As if nobody had been running for days."""
    with closing(sqlite3.connect(story.state / "state.db")) as connection, connection:
        connection.execute("UPDATE account SET audited_at = audited_at - 2 * 86400")


def _read(daemon: Daemon) -> int:
    """Bytes that its process has read until now, from files and sockets."""
    lines = Path(f"/proc/{daemon.process.pid}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("rchar"))


def test_a_wiped_server_is_filled_after_a_persons_word(story: Story) -> None:
    """Unapproved, nothing sent; approved, all is back, and no file was read but to be sent."""
    for number in range(COUNT):
        story.put(f"{number:02}.jpg", photo(number, SIZE))
    daemon = story.start()
    _all_verified(daemon, COUNT)
    everything = story.server.checksums()
    daemon.stop()
    story.server.api("DELETE", "/assets", {
        "ids": [one.id for one in story.server.assets()], "force": True,
    })  # fmt: skip
    _make_the_audit_old(story)
    daemon = story.start()
    until(lambda: daemon.folder().state == "unapproved", "the server is doubted")
    story.put("new.jpg", photo("new"))
    until(lambda: daemon.folder().pending == 1, "the new one waits")
    [problem] = daemon.problems("doubtful_server")
    before, read = story.server.names(), _read(daemon)
    approved = story.typed("approve", "photos")
    until(lambda: len(story.server.names()) == COUNT + 1, "all is back")
    _all_verified(daemon, COUNT + 1)

    assert before == []
    assert f"{COUNT} of {COUNT} photos" in problem.advice
    assert approved.returncode == 0, approved.stderr
    assert set(everything) < set(story.server.checksums())
    assert daemon.status().problems == ()
    assert _read(daemon) - read < 1.6 * COUNT * SIZE
    assert not (story.state / FILE).exists()
