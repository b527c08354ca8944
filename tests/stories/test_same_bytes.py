"""Bytes that are there already, or were: one asset each, and a person's word in Immich stands."""

import os
import shutil

from tests.stories.scene import Daemon, Story, photo, sha1, until

HOLIDAY = photo("holiday")


def _synced(story: Story, name: str = "holiday.jpg") -> Daemon:
    """A daemon that has put HOLIDAY into Immich and into the album `Trip`."""
    story.configure({"album": "Trip"})
    daemon = story.start()
    story.put(name, HOLIDAY)
    until(lambda: daemon.folder().verified == 1, "it is verified")
    until(lambda: story.server.album("Trip") == [name], "it is in its album")
    return daemon


def test_identical_files_in_two_folders_become_one_asset(story: Story) -> None:
    """With an album for one folder and none for the other: sent once, and in the album once."""
    other = story.home / "other"
    other.mkdir()
    for number in range(4):
        story.put(f"{number}.jpg", HOLIDAY)
        (other / f"{number}.jpg").write_bytes(HOLIDAY)
    story.configure({"album": "Trip"}, {"path": str(other)})
    daemon = story.start()
    until(lambda: [one.verified for one in daemon.status().folders] == [4, 4], "all are verified")
    until(lambda: story.server.album("Trip") != [], "it is in its album")

    assert story.server.checksums() == [sha1(HOLIDAY)]
    assert len(story.server.album("Trip")) == 1
    assert story.server.sent() == 1


def test_what_is_on_the_server_already_is_not_sent(story: Story) -> None:
    """Somebody else uploaded it under another name: it is found, and put into the album."""
    story.server.give("from my phone.jpg", HOLIDAY)
    daemon = _synced_by_finding(story)

    assert story.server.sent() == 1  # the phone's
    assert story.server.album("Trip") == ["from my phone.jpg"]
    assert daemon.folder().verified == 1


def _synced_by_finding(story: Story) -> Daemon:
    story.configure({"album": "Trip"})
    daemon = story.start()
    story.put("holiday.jpg", HOLIDAY)
    until(lambda: daemon.folder().verified == 1, "it is verified")
    return daemon


def test_what_lies_in_the_trash_stays_there(story: Story) -> None:
    """Listed if wanted, neither sent nor called verified nor put into an album; until restored."""
    asset = story.server.give("holiday.jpg", HOLIDAY)
    story.server.api("DELETE", "/assets", {"ids": [asset]})
    story.configure({"album": "Trip", "trashed": "report"})
    daemon = story.start()
    path = story.put("holiday.jpg", HOLIDAY)
    (problem,) = until(lambda: daemon.problems("trashed"), "it is listed")
    story.calm(daemon)
    folder = daemon.folder()
    sent, album = story.server.sent(), story.server.album("Trip")
    story.server.api("POST", "/trash/restore/assets", {"ids": [asset]})
    story.typed("retry", path)
    until(lambda: story.server.album("Trip") == ["holiday.jpg"], "it is in its album")
    until(lambda: not daemon.problems("trashed"), "it is listed no more")

    assert (problem.path, folder.trashed, folder.verified) == (str(path), 1, 1)  # the marker
    assert (sent, album) == (1, [])
    assert story.server.sent() == 1


def test_what_a_person_removed_for_good_comes_back_only_when_asked_for(story: Story) -> None:
    """Neither scan nor restart, touch, new name or plain retry; `retry --force PATH` does."""
    daemon = _synced(story)
    story.server.remove(HOLIDAY)
    story.calm(daemon)
    daemon.stop()
    daemon = story.start()
    os.utime(story.photos / "holiday.jpg")
    story.calm(daemon)
    after_a_touch = story.server.names()
    (story.photos / "sub").mkdir()
    renamed = (story.photos / "holiday.jpg").rename(story.photos / "sub/renamed.jpg")
    (problem,) = until(
        lambda: [one for one in daemon.problems("missing") if one.path == str(renamed)],
        "it is listed by its new name",
    )
    copied = shutil.copy(renamed, story.photos / "copied.jpg")
    until(lambda: len(daemon.problems("missing")) == 2, "the copy is listed, too")
    refused = story.typed("retry", renamed)
    story.calm(daemon)
    before = story.server.names()
    retried = story.typed("retry", "--force", renamed)
    until(lambda: story.server.names() == ["renamed.jpg"], "it is back")

    assert after_a_touch == before == []
    assert "immich-sync retry --force" in problem.advice
    assert refused.returncode == 1
    assert f"immich-sync retry --force {renamed}" in refused.stderr
    assert (retried.returncode, retried.stderr) == (0, "")
    assert story.photos / "copied.jpg" == copied


def test_what_a_person_took_out_of_an_album_is_not_put_back(story: Story) -> None:
    """Not after a restart, and not when the file is touched or renamed."""
    daemon = _synced(story)
    (album,) = story.server.sandbox.albums()
    story.server.api("DELETE", f"/albums/{album.id}/assets", {"ids": list(album.asset_ids)})
    daemon.stop()
    daemon = story.start()
    os.utime(story.photos / "holiday.jpg")
    story.calm(daemon)
    (story.photos / "holiday.jpg").rename(story.photos / "renamed.jpg")
    until(lambda: "renamed.jpg" in story.known(), "it is known under its new name")
    story.calm(daemon)

    assert story.server.album("Trip") == []
    assert story.server.names() == ["holiday.jpg"]


def test_an_album_that_a_person_deleted_is_made_anew_for_new_files(story: Story) -> None:
    """The new album holds what came after; what was in the old one is left as it was wanted."""
    daemon = _synced(story)
    (album,) = story.server.sandbox.albums()
    story.server.api("DELETE", f"/albums/{album.id}")
    for number in range(3):
        story.put(f"{number}.jpg", photo(number))
    until(lambda: len(story.server.album("Trip")) == 3, "the new ones are in an album")
    story.calm(daemon)

    assert story.server.album("Trip") == ["0.jpg", "1.jpg", "2.jpg"]
    assert [one.name for one in story.server.sandbox.albums()] == ["Trip"]
    assert daemon.problems("failing") == []
