"""What is deleted in a folder, with a real process over real files."""

from collections.abc import Mapping

from tests.stories.scene import Daemon, Story, photo, until

MIRRORED: Mapping[str, object] = {"on_delete": "trash", "delete_after": "2s"}


def _synced(story: Story, daemon: Daemon, count: int) -> None:
    until(lambda: len(story.server.names()) == count and daemon.is_done(), "all is there")


def _trashed(story: Story) -> list[str]:
    return sorted(one.name for one in story.server.assets() if one.trashed)


def test_a_deleted_photo_goes_into_the_trash_and_comes_back(story: Story) -> None:
    """A deletion reaches Immich, a rename does not, and neither does one by our own upload."""
    story.configure(MIRRORED)
    story.put("kept.jpg", photo("kept"))
    gone = story.put("gone.jpg", photo("gone"))
    moved = story.put("moved.jpg", photo("moved"))
    daemon = story.start()
    _synced(story, daemon, 3)

    by_hand = story.typed("upload", "--delete-duplicates", story.photos / "kept.jpg")
    moved.rename(story.photos / "renamed.jpg")
    gone.unlink()
    until(lambda: _trashed(story) == ["gone.jpg"], "it is in the trash")
    told = story.typed("explain", gone).stdout
    story.put("back.jpg", photo("gone"))
    until(lambda: _trashed(story) == [], "it is out of the trash again")
    story.calm(daemon)

    assert (story.photos / "kept.jpg").exists()
    assert 'on_delete = "trash"' in by_hand.stdout + by_hand.stderr
    assert "put into Immich's trash" in told
    assert story.server.sandbox.count("DELETE", "/api/assets") == 1


def test_much_that_is_deleted_waits_for_a_word(story: Story) -> None:
    """`status` says so, and `approve` is the word."""
    story.configure(MIRRORED)
    story.put("kept.jpg", photo("kept"))
    paths = [story.put(f"{number}.jpg", photo(number)) for number in range(12)]
    daemon = story.start()
    _synced(story, daemon, 13)

    for path in paths:
        path.unlink()
    until(lambda: daemon.problems("deletions"), "it is noticed")
    state, told = daemon.folder().state, story.typed("status").stdout
    before = story.server.sandbox.count("DELETE", "/api/assets")
    approved = story.typed("approve", "photos")
    until(lambda: len(_trashed(story)) == 12, "all are in the trash")
    until(lambda: daemon.folder().state == "watching", "nothing waits any more")

    assert (state, before, approved.returncode) == ("waiting", 0, 0)
    assert "12 files, deleted here, the photos go into Immich's trash" in approved.stdout
    assert "immich-sync approve photos" in " ".join(told.split())
