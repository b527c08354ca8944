"""A folder whose symbolic links are followed, and the same folder when they are not any more."""

import pytest

from tests.stories.scene import Story, photo, until


def test_what_lies_behind_links_goes_up(story: Story) -> None:
    """Before the start and while it runs, past a loop; what is reached twice goes up once."""
    outside = story.home / "outside"
    (outside / "trip").mkdir(parents=True)
    (outside / "trip" / "a.jpg").write_bytes(photo("a"))
    (outside / "b.jpg").write_bytes(photo("b"))
    (story.photos / "trip").symlink_to(outside / "trip")
    (story.photos / "again").symlink_to(outside / "trip")
    (outside / "trip" / "back").symlink_to(story.photos)
    story.configure({"follow_symlinks": True, "poll_interval": "500ms", "album": "{parent}"})
    daemon = story.start()
    until(lambda: story.server.names() == ["a.jpg"], "the first is in")

    (story.photos / "b.jpg").symlink_to(outside / "b.jpg")
    (outside / "trip" / "c.jpg").write_bytes(photo("c"))
    (story.photos / "nowhere.jpg").symlink_to(outside / "nowhere.jpg")
    until(lambda: len(story.server.names()) == 3, "what came later is in")
    until(lambda: story.server.album("again") == ["a.jpg", "c.jpg"], "each has its album")
    until(daemon.is_done, "all is done")

    assert story.server.names() == ["a.jpg", "b.jpg", "c.jpg"]
    assert story.server.sent() == len(story.server.assets())
    assert story.server.album("trip") == ["a.jpg", "c.jpg"]
    assert daemon.folder().watch == "both"
    assert story.known() == {
        "trip/a.jpg", "again/a.jpg", "trip/c.jpg", "again/c.jpg", "b.jpg"
    }  # fmt: skip
    retried = story.typed("retry", story.photos / "trip" / "a.jpg")
    assert (retried.returncode, "lies in no folder" in retried.stderr) == (0, False), retried


def test_links_that_are_followed_no_more_delete_nothing(story: Story) -> None:
    """With on_delete = "trash" from then on: what links lead to, old ones and new, stays."""
    outside = story.home / "outside"
    outside.mkdir()
    (outside / "a.jpg").write_bytes(photo("a"))
    (story.photos / "trip").symlink_to(outside)
    for name in range(30):  # or one that is gone would be much at once
        story.put(f"{name}.jpg", photo(name))
    story.configure({"follow_symlinks": True})
    daemon = story.start()
    until(lambda: daemon.folder().verified == 31, "all is in")
    daemon.stop()

    story.configure({"on_delete": "trash", "delete_after": "1s"})
    daemon = story.start()
    (story.photos / "2.jpg").rename(outside / "2.jpg")
    (story.photos / "2.jpg").symlink_to(outside / "2.jpg")
    until(lambda: "2.jpg" not in story.known(), "it is found gone")
    (story.photos / "1.jpg").unlink()
    until(lambda: daemon.events("put_into_trash"), "what was deleted is in the trash")
    until(lambda: daemon.events("left_in_immich"), "what lies behind the link is decided upon")

    [trashed] = [one.name for one in story.server.assets() if one.trashed]
    assert trashed == "1.jpg"


@pytest.mark.parametrize("follow", [True, False])
def test_doctor_says_what_it_means(story: Story, *, follow: bool) -> None:
    """Whose word it is that is believed, and only where links are followed."""
    story.configure({"follow_symlinks": follow})

    said = story.typed("doctor").stdout

    assert ("Symbolic links are followed" in said) == follow
